"""Layers of parts: weights, training, copies and files are those of one layer, numbers those of the parts."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore.layers import Conv2D, DepthwiseConv2D, Flatten, Input, Layer, MultiHeadAttention, SeparableConv2D

RNG = np.random.default_rng(3)
IMAGES = RNG.normal(size=(20, 6, 7, 3)).astype(np.float32)
TARGETS = RNG.normal(size=(20, 2)).astype(np.float32)


def images(separable: bool, **settings: Any) -> nncore.Sequential:
    """A separable convolution, or the two layers that it stands for, between others."""
    nncore.utils.set_random_seed(4)
    before, after = Conv2D(4, 2, activation="relu"), nncore.layers.Dense(2)
    middle: list[Layer] = [SeparableConv2D(5, 3, depth_multiplier=2, activation="tanh", **settings)]
    if not separable:
        middle = [
            DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, depthwise_regularizer="l2"),
            Conv2D(5, 1, activation="tanh", kernel_constraint="max_norm", activity_regularizer="l1"),
        ]
    model = nncore.Sequential([Input((6, 7, 3)), before, *middle, Flatten(), after])
    model.compile(nncore.optimizers.Adam(0.01), "mse")
    return model


SETTINGS = {
    "depthwise_regularizer": "l2",
    "pointwise_constraint": "max_norm",
    "activity_regularizer": "l1",
}


def test_a_separable_convolution_is_its_two_parts() -> None:
    one, two = images(True, **SETTINGS), images(False)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()  # the seeds of initial values are those of the parts, too
    for _ in range(3):
        assert one.train_on_batch(IMAGES, TARGETS) == two.train_on_batch(IMAGES, TARGETS)
    assert one.predict(IMAGES).tobytes() == two.predict(IMAGES).tobytes()
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_weights_are_the_layer_s_own() -> None:
    model = images(True, **SETTINGS)
    layer = model.layers[1]
    names = ["depthwise_kernel", "pointwise_kernel", "bias"]
    assert [w.name for w in layer.weights] == names
    assert [w.path for w in model.weights[2:5]] == [f"{layer.name}/{name}" for name in names]
    assert [w.shape for w in layer.weights] == [(3, 3, 4, 2), (1, 1, 8, 5), (5,)]
    assert repr(layer.depthwise_kernel.regularizer) == repr(nncore.regularizers.L2())
    assert repr(layer.pointwise_kernel.constraint) == repr(nncore.constraints.MaxNorm())
    assert layer.depthwise_kernel.constraint is None
    assert layer.losses == [pytest.approx(0.01 * float(np.sum(layer.depthwise_kernel.numpy() ** 2)))]
    assert layer.count_params() == 3 * 3 * 4 * 2 + 8 * 5 + 5
    values = [np.full(w.shape, i, np.float32) for i, w in enumerate(layer.weights)]
    layer.set_weights(values)
    for found, value in zip(model.get_weights()[2:5], values):
        np.testing.assert_array_equal(found, value)
    with pytest.raises(ValueError, match="expected 3 weights, got 2"):
        layer.set_weights(values[:2])
    with pytest.raises(ValueError, match="depthwise_kernel"):
        layer.set_weights([np.ones(2), *values[1:]])


def test_it_is_frozen_as_one() -> None:
    for how in (lambda m: setattr(m.layers[1], "trainable", False), lambda m: setattr(m, "trainable", False)):
        model = images(True)
        how(model)
        assert not model.layers[1].trainable
        assert [w.trainable for w in model.layers[1].weights] == [False] * 3
        model.compile("sgd", "mse")
        before = model.layers[1].get_weights()
        model.train_on_batch(IMAGES, TARGETS)
        for a, b in zip(before, model.layers[1].get_weights()):
            np.testing.assert_array_equal(a, b)
    assert not SeparableConv2D(2, 1, trainable=False).trainable
    assert not SeparableConv2D.from_config(model.layers[1].get_config()).trainable


def test_calls_on_arrays_and_on_values_agree() -> None:
    layer = SeparableConv2D(4, 3, padding="same", bias_initializer="ones")
    found = layer(IMAGES)
    x = Input((6, 7, 3))
    model = nncore.Model(x, layer(x))
    np.testing.assert_array_equal(model.predict(IMAGES), found)
    assert layer.input_shape == (None, 6, 7, 3)
    assert layer.output_shape == (None, 6, 7, 4)
    with pytest.raises(ValueError, match="is built for samples"):
        layer(np.ones((1, 6, 7, 2)))
    with pytest.raises(ValueError, match=rf"\[{layer.name}\] expected images"):
        layer.compute_output_shape((None, 6, 7))
    with pytest.raises(AttributeError, match="not built"):
        _ = SeparableConv2D(2, 1).depthwise_kernel


def test_it_is_shared() -> None:
    """Called twice in one model, and in two models: one set of weights, whose gradients are added."""
    layer = SeparableConv2D(3, 3, padding="same")
    x = Input((6, 7, 3))
    twice = nncore.Model(x, nncore.layers.GlobalAveragePooling2D()(layer(layer(x))))
    once = nncore.Sequential([Input((6, 7, 3)), layer])
    assert len(twice.weights) == 3
    twice.compile("sgd", "mse")
    before = once.predict(IMAGES)
    twice.train_on_batch(IMAGES, np.ones((20, 3)))
    assert np.abs(once.predict(IMAGES) - before).max() > 0
    np.testing.assert_allclose(twice.predict(IMAGES), layer(layer(IMAGES)).mean((1, 2)), rtol=1e-5, atol=1e-6)


def attending() -> nncore.Model:
    """Calls with keyword arguments, of one layer twice."""
    nncore.utils.set_random_seed(5)
    x, y, mask = Input((4, 6)), Input((5, 6)), Input((4, 5))
    layer = MultiHeadAttention(2, 3, dropout=0.25, kernel_regularizer="l2", name="attention")
    first = layer(x, y, attention_mask=mask)
    second = layer(first, first, key=x, use_causal_mask=True)
    model = nncore.Model([x, y, mask], Flatten()(second), name="attending")
    model.compile(nncore.optimizers.Adam(0.01), "mse")
    return model


DATA = [
    RNG.normal(size=(8, 4, 6)).astype(np.float32),
    RNG.normal(size=(8, 5, 6)).astype(np.float32),
    RNG.integers(2, size=(8, 4, 5)),
]
WAYS: dict[str, Callable[[nncore.Model, Path], nncore.Model]] = {
    "file": lambda model, path: (model.save(path / "m"), nncore.models.load_model(path / "m"))[1],
    "keras": lambda model, path: (
        model.save(path / "m.keras"), nncore.models.load_model(path / "m.keras")
    )[1],
    "h5": lambda model, path: (model.save(path / "m.h5"), nncore.models.load_model(path / "m.h5"))[1],
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["images", "attention"])
def test_models_come_back(way: str, kind: str, tmp_path: Path) -> None:
    if way in ("keras", "h5"):
        pytest.importorskip("h5py")
    model, data = (attending(), DATA) if kind == "attention" else (images(True, **SETTINGS), IMAGES)
    target = np.ones((8, 24), np.float32) if kind == "attention" else TARGETS
    for _ in range(2):
        model.train_on_batch(data, target)
    found = WAYS[way](model, tmp_path)
    assert [w.path for w in found.weights] == [w.path for w in model.weights]
    for a, b in zip(found.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.predict(data), model.predict(data))
    if way not in ("keras", "h5"):  # which leave the seed of dropout out
        assert found.train_on_batch(data, target) == model.train_on_batch(data, target)


@pytest.mark.parametrize(
    "layer",
    [
        SeparableConv2D(4, (2, 3), 2, "same", depth_multiplier=3, depthwise_initializer="he_normal"),
        DepthwiseConv2D(2, dilation_rate=2, depthwise_constraint="max_norm", activation="relu"),
        MultiHeadAttention(2, 3, 4, 0.5, False, 7, kernel_regularizer="l2"),
        nncore.layers.Attention(dropout=0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_configs_and_copies(layer: Layer) -> None:
    other = type(layer).from_config(layer.get_config())
    assert other.get_config() == layer.get_config()
    shape: Any = (None, 8, 9, 4) if isinstance(layer.get_config().get("padding"), str) else [(None, 5, 6)] * 2
    layer.build(shape)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert copied.get_config() == layer.get_config()
        assert copied.output_shape == layer.output_shape
        for a, b in zip(copied.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_weights_are_saved_and_loaded(tmp_path: Path) -> None:
    model = attending()
    other = attending()
    other.set_weights([w + 1 for w in model.get_weights()])
    model.save_weights(tmp_path / "w")
    other.load_weights(tmp_path / "w")
    for a, b in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_summary_shows_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    images(True).summary(line_length=90)
    text = capsys.readouterr().out
    assert "SeparableConv2D" in text
    assert "117" in text  # 72 + 40 + 5
