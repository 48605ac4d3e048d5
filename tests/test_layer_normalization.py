"""LayerNormalization in models: its weights, shared calls, open sizes, frozen layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from op_cases import normal
from reference_model import assert_close

import nncore
from nncore import Input, Model, Sequential, ops, reference
from nncore.layers import Add, Dense, LayerNormalization
from nncore.models import load_model


def test_weights_are_gamma_and_beta() -> None:
    layer = LayerNormalization([2, 1], name="n")
    with pytest.raises(AttributeError, match=r"\[n\] has no gamma yet"):
        _ = layer.gamma
    layer.build((None, 4, 3))
    assert [(w.path, w.shape) for w in layer.weights] == [("n/gamma", (4, 3)), ("n/beta", (4, 3))]
    assert layer.gamma is not None
    assert layer.beta is not None
    assert (layer.gamma.numpy() == 1).all()
    assert (layer.beta.numpy() == 0).all()
    plain = LayerNormalization(center=False, scale=False)
    plain.build((None, 3))
    assert (plain.gamma, plain.beta, plain.weights) == (None, None, [])
    assert plain.count_params() == 0


def test_both_orders_of_axes_are_the_same(rng: np.random.Generator) -> None:
    x = normal(rng, 2, 3, 4, 5)
    expected = reference.layer_normalization(x, axis=[2, 3], epsilon=1e-3)
    for axis in ([2, 3], [3, 2], (-2, -1), [-1, 2]):
        assert_close(LayerNormalization(axis)(x), expected, 20)


def test_calls_of_a_shared_layer_add_their_gradients(isa: str, rng: np.random.Generator) -> None:
    shared, dense = LayerNormalization(epsilon=0.1), Dense(5)
    x = Input((3, 5))
    model = Model(x, Add()([shared(x), shared(dense(x))]))
    kernel, bias, gamma, beta = normal(rng, 5, 5), normal(rng, 5), normal(rng, 5), normal(rng, 5)
    dense.set_weights([kernel, bias])
    shared.set_weights([gamma, beta])
    model.compile(nncore.optimizers.SGD(1.0), "mse")
    data, target = normal(rng, 40, 3, 5), normal(rng, 40, 3, 5)

    z = reference.dense(data, kernel, bias)
    y = sum(reference.layer_normalization(a, gamma, beta, epsilon=0.1) for a in (data, z))
    assert_close(model.predict(data), y, 5)
    dy = 2 * (y - target) / y.size
    dz, *of_second = reference.layer_normalization_backward(dy, z, gamma, epsilon=0.1)
    of_first = reference.layer_normalization_backward(dy, data, gamma, epsilon=0.1)[1:]
    of_dense = reference.dense_backward(dz, data, kernel)[1:]
    model.train_on_batch(data, target)
    gradients = [*of_dense, *(a + b for a, b in zip(of_first, of_second))]
    for old, new, gradient in zip(
        (kernel, bias, gamma, beta), dense.get_weights() + shared.get_weights(), gradients, strict=True
    ):
        assert_close(new, old - gradient, 120)


def test_sizes_before_the_last_axis_may_be_open(rng: np.random.Generator) -> None:
    model = Sequential([Input((None, 6)), LayerNormalization(gamma_initializer="random_normal")])
    gamma, beta = model.get_weights()
    for size in (1, 4, 9):
        x = normal(rng, 3, size, 6)
        np.testing.assert_array_equal(model.predict(x), ops.layer_normalization(x, gamma, beta, epsilon=1e-3))
    with pytest.raises(ValueError, match="size of its weights is open"):
        Sequential([Input((None, 6)), LayerNormalization([1, 2])])


@pytest.mark.parametrize("settings", [{}, {"scale": False}, {"center": False}, {"axis": [1, 2]}])
def test_a_frozen_layer_hands_gradients_on(rng: np.random.Generator, settings: dict[str, Any]) -> None:
    x, y = normal(rng, 20, 3, 4), normal(rng, 20, 3, 4)
    learned = []
    for trainable in (True, False):
        nncore.utils.set_random_seed(3)
        layer = LayerNormalization(trainable=trainable, **settings)
        model = Sequential([Input((3, 4)), Dense(4), layer])
        model.compile("sgd", "mse")
        before = layer.get_weights()
        model.train_on_batch(x, y)
        changed = [(a != b).any() for a, b in zip(before, layer.get_weights())]
        assert changed == [trainable] * len(before)
        learned.append(model.layers[0].get_weights())
    for a, b in zip(*learned):
        np.testing.assert_array_equal(a, b)


def test_a_model_comes_back_from_a_file(rng: np.random.Generator, tmp_path: Path) -> None:
    model = Sequential([Input((3, 4)), LayerNormalization([-2, -1]), Dense(2), LayerNormalization(2)])
    model.compile("adam", "mse")
    x, y = normal(rng, 20, 3, 4), normal(rng, 20, 3, 2)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    other = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    assert [layer.get_config() for layer in other.layers] == [layer.get_config() for layer in model.layers]


def test_small_steps_of_equal_values_are_finite() -> None:
    model = Sequential([Input((4,)), LayerNormalization(), Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(3):
        assert np.isfinite(model.train_on_batch(np.full((5, 4), 1e30), np.ones(5)))
