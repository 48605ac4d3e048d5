"""Masks: what makes them, what carries them, and what reads them. Against Keras: keras_sequence_cases.py."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from reference_model import assert_close

import nncore
from nncore import _core, layers
from nncore.layers import Dense, Embedding, GlobalAveragePooling1D, Input, Masking

Array = np.ndarray[Any, Any]
MASK = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 1], [1, 0, 1]], np.float32)


def of_kind(kind: str, *shapes: tuple[int, ...], **attributes: Any) -> _core.Network:
    n = len(shapes)
    return _core.Network(list(shapes), [(kind, attributes)], [(0, list(range(n)))], [n])


def slopes(kind: str, xs: list[Array], **attributes: Any) -> None:
    """Differences of a layer without weights behind dense layers, as their gradients say."""
    dense = "dense", {"units": 3, "use_bias": True, "activation": "tanh"}
    specs = [dense, dense, (kind, attributes), ("flatten", {}), ("dense", {**dense[1], "units": 1})]
    n = len(xs)
    of_values = [i for i, x in enumerate(xs) if x.ndim == 3]
    calls: list[tuple[int, list[int]]] = [(i, [value]) for i, value in enumerate(of_values)]
    inputs = list(range(n))
    for i, value in enumerate(of_values):
        inputs[value] = n + i
    at = n + len(of_values)
    calls += [(2, inputs), (3, [at]), (4, [at + 1])]
    if len(of_values) == 1:
        specs, calls = [specs[0], *specs[2:]], [(layer - (layer > 0), given) for layer, given in calls]
    net = _core.Network([x.shape[1:] for x in xs], specs, calls, [at + 2])
    rng = np.random.default_rng(1)
    net.write("parameters", rng.normal(size=net.read("parameters").shape).astype(np.float32))
    net.compile([("mean_squared_error", {})], [1.0], [()], [()], None, [True] * len(specs))
    y, parameters = rng.normal(size=(len(xs[0]), 1)), net.read("parameters")
    net.gradients(tuple(xs), y, None)
    gradient = net.read("gradients").astype(float)
    direction, h, found = gradient / np.linalg.norm(gradient), 1e-3, []
    for sign in (1, -1):
        net.write("parameters", (parameters + sign * h * direction).astype(np.float32))
        found.append(net.gradients(tuple(xs), y, None))
    assert (found[0] - found[1]) / (2 * h) == pytest.approx(np.linalg.norm(gradient), rel=0.01)


@pytest.mark.parametrize("keepdims", [False, True])
def test_the_mean_of_masked_steps(keepdims: bool, rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 3, 5)).astype(np.float32)
    expected = (x * MASK[..., None]).sum(1, keepdims=keepdims) / MASK.sum(1).reshape(4, *[1] * (1 + keepdims))
    net = of_kind("masked_average", (3, 5), (3,), keepdims=keepdims)
    assert_close(net.forward((x, MASK), False), expected, 5)
    np.testing.assert_array_equal(
        GlobalAveragePooling1D(keepdims=keepdims)(x, mask=MASK > 0), net.forward((x, MASK), False)
    )
    slopes("masked_average", [x, MASK], keepdims=keepdims)


def test_the_choice_of_steps(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 4, 3, 5)).astype(np.float32)
    net = of_kind("select", (3,), (3, 5), (3, 5))
    np.testing.assert_array_equal(net.forward((MASK, a, b), False), np.where(MASK[..., None] > 0, a, b))
    slopes("select", [MASK, a, b])


WORDS = np.array([[3, 1, 0, 0], [2, 0, 2, 0], [1, 1, 1, 1], [0, 0, 0, 4], [2, 0, 0, 0]])
STEPS = np.cos(np.arange(20)).reshape(5, 4, 1)


def masked(loss: Any = "mse", **settings: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(3)
    model = nncore.Sequential([Input((4,)), Embedding(5, 3, mask_zero=True), Dense(1)])
    model.compile(nncore.optimizers.SGD(0.1), loss, **settings)
    return model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_a_masked_loss(reduction: str, weighted: bool) -> None:
    """Values, and gradients as those of a model whose loss is not masked, with the weights of a mask."""
    model = masked(
        nncore.losses.MeanSquaredError(reduction=reduction), metrics=["mae"], weighted_metrics=["mae"]
    )
    weight = np.array([1, 2, 0.5, 3, 0], np.float32) if weighted else None
    w = (WORDS > 0) * (np.ones(5) if weight is None else weight)[:, None]
    error = (model.predict(WORDS) - STEPS)[..., 0].astype(float)
    divisor = {"sum_over_batch_size": (WORDS > 0).sum(), "sum": 1, "mean_with_sample_weight": w.sum()}[
        reduction
    ]
    found = model.evaluate(WORDS, STEPS, sample_weight=weight, verbose=0)
    every = (WORDS > 0) * 1.0
    expected = [(w * error**2).sum() / divisor]
    expected += [(abs(error) * each).sum() / each.sum() for each in (every, w)]
    assert_close(found, expected, 20)
    kernel = model.get_weights()[1].astype(float)
    table = model.get_weights()[0].astype(float)
    slope = 2 * error * w / divisor
    bias = model.get_weights()[2] - 0.1 * slope.sum()
    np.add.at(table, WORDS, -0.1 * slope[..., None] * kernel[:, 0])
    assert_close(model.train_on_batch(WORDS, STEPS, sample_weight=weight), expected, 20)
    assert_close(model.get_weights()[2], bias, 20)
    assert_close(model.get_weights()[0], table, 20)


def test_the_loss_divides_by_the_steps_of_its_batch() -> None:
    model = masked()
    each = [model.test_on_batch(WORDS[i : i + 2], STEPS[i : i + 2]) for i in (0, 2)]
    assert model.evaluate(WORDS[:4], STEPS[:4], batch_size=2, verbose=0) == pytest.approx(np.mean(each))


def test_a_batch_without_steps_has_no_loss() -> None:
    model = masked(metrics=["mae"])
    before = model.get_weights()
    assert model.train_on_batch(np.zeros((2, 4)), STEPS[:2]) == [0.0, 0.0]
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("threads")
def test_the_same_bits_for_any_number_of_threads() -> None:
    def trained(threads: int) -> list[bytes]:
        _core.set_num_threads(threads)
        nncore.utils.set_random_seed(5)
        model = nncore.Sequential(
            [
                Input((20,)),
                Embedding(50, 24, mask_zero=True),
                layers.Dropout(0.2),
                Dense(32, activation="relu"),
                Dense(3, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        rng = np.random.default_rng(2)
        x = rng.integers(0, 50, (300, 20)) * (rng.random((300, 20)) < 0.6)
        history = model.fit(x, x % 3, batch_size=128, epochs=2, verbose=0).history
        return [w.tobytes() for w in model.get_weights()] + [str(history).encode()]

    expected = trained(1)
    for threads in (2, 3, 7):
        assert trained(threads) == expected


def test_masks_and_batch_statistics_together() -> None:
    """Both cut a step into stages."""
    x = Input((4,))
    e = Embedding(5, 3, mask_zero=True)(x)
    b = layers.BatchNormalization()(layers.GlobalAveragePooling1D()(Dense(2)(e)))
    both = layers.Multiply()([Dense(1)(e), layers.Reshape((1, 1))(Dense(1)(b))])
    model = nncore.Model(x, [both, Dense(1)(b), Dense(1)(e)])
    model.compile("sgd", "mse")
    history = model.fit(WORDS, [STEPS, STEPS[:, 0], STEPS], epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


def test_a_mask_ends_with_a_warning_where_a_layer_does_not_carry_it() -> None:
    with pytest.warns(UserWarning, match=r"\[flat\] does not support masking"):
        nncore.Sequential([Input((4,)), Embedding(5, 3, mask_zero=True), layers.Flatten(name="flat")])


def test_a_mask_of_another_shape_than_the_outputs() -> None:
    x = Input((4, 3))
    value = layers.TimeDistributed(layers.Reshape((3, 1)))(Masking()(x))
    with pytest.raises(ValueError, match="expected a mask of shape"):
        nncore.Model(x, value)


def test_normalization_of_batches_refuses_masks() -> None:
    with pytest.raises(ValueError, match="cannot leave out"):
        nncore.Sequential([Input((4,)), Embedding(5, 3, mask_zero=True), layers.BatchNormalization()])


def test_layers_that_read_no_mask_refuse_one() -> None:
    with pytest.raises(TypeError, match="mask"):
        Dense(2)(np.ones((2, 3, 4)), mask=np.ones((2, 3)))


def test_freezing_does_not_see_helpers() -> None:
    model = masked()
    for layer in model.layers:
        layer.trainable = False
    assert not model.trainable
    assert copy.deepcopy(model).predict(WORDS).tobytes() == model.predict(WORDS).tobytes()
