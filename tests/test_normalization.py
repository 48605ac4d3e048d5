"""BatchNormalization as users meet it: state, frozen layers, folding at prediction, files."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import Input, Model, Sequential, _core, layers
from nncore.layers import Activation, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D
from nncore.models.model import net_of

Array = np.ndarray[Any, Any]
X = np.random.default_rng(3).normal(2.0, 3.0, size=(50, 6, 6, 3)).astype(np.float32)
Y = np.random.default_rng(4).integers(0, 4, 50)


def network(*between: Any) -> Sequential:
    model = Sequential([Input((6, 6, 3)), Conv2D(5, 3), *between, Flatten(), Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def state(layer: Any) -> list[Array]:
    return [layer.moving_mean.numpy(), layer.moving_variance.numpy()]


def test_weights_and_which_of_them_train() -> None:
    layer = BatchNormalization(name="norm")
    assert layer.compute_output_shape((None, 4, 3)) == (None, 4, 3)
    layer.build((None, 4, 3))
    assert [w.path for w in layer.weights] == [
        "norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance",
    ]  # fmt: skip
    assert [w.name for w in layer.trainable_weights] == ["gamma", "beta"]
    assert [w.name for w in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]
    assert [w.numpy().tolist() for w in layer.weights] == [[1.0] * 3, [0.0] * 3, [0.0] * 3, [1.0] * 3]
    bare = BatchNormalization(center=False, scale=False, moving_mean_initializer="ones")
    bare(np.zeros((2, 3)))
    assert bare.gamma is None
    assert bare.beta is None
    assert bare.moving_mean.numpy().tolist() == [1.0] * 3
    assert BatchNormalization.from_config(bare.get_config()).get_config() == bare.get_config()


@pytest.mark.parametrize("axis", [0, 3, -3])
def test_an_axis_that_is_not_there(axis: int) -> None:
    with pytest.raises(ValueError, match=r"\[norm\] axis must be one of the 2 behind the batch"):
        BatchNormalization(axis=axis, name="norm").build((None, 4, 3))


@pytest.mark.parametrize("argument", [{"renorm": True}, {"synchronized": True}])
def test_what_is_not_available(argument: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not available"):
        BatchNormalization(**argument)


def test_a_call_in_training_moves_the_state_and_others_do_not() -> None:
    layer = BatchNormalization(momentum=0.75)
    layer(X)
    assert [s.tolist() for s in state(layer)] == [[0.0] * 3, [1.0] * 3]
    layer(X, training=True)
    mean, variance = X.mean((0, 1, 2), dtype=float), X.var((0, 1, 2), dtype=float)
    np.testing.assert_allclose(state(layer), [0.25 * mean, 0.75 + 0.25 * variance], rtol=1e-6)
    before = layer.get_weights()
    model = Sequential([Input((6, 6, 3)), layer, Flatten(), Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.evaluate(X, Y)
    model.predict(X)
    net_of(model).required_network().gradients(X, Y, None)
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights()[2:], before[2:]))
    model.train_on_batch(X, Y)
    assert not np.array_equal(layer.moving_mean.numpy(), before[2])


def test_a_layer_that_is_used_twice_moves_twice() -> None:
    layer = BatchNormalization(momentum=0.5)
    a, b = Input((2,)), Input((2,))
    model = Model([a, b], [layer(a), layer(b)])
    one, two = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0, 20.0], [30.0, 40.0]])
    model([one, two], training=True)
    assert layer.moving_mean.numpy().tolist() == [0.5 * 0.5 * 2 + 0.5 * 20, 0.5 * 0.5 * 3 + 0.5 * 30]


def test_a_frozen_layer_uses_its_state_and_leaves_it() -> None:
    layer = BatchNormalization()
    layer(X, training=True)
    before = layer.get_weights()
    layer.trainable = False
    np.testing.assert_array_equal(layer(X, training=True), layer(X))
    plain = Sequential([Input((6, 6, 3)), layer])
    np.testing.assert_array_equal(plain(X, training=True), plain(X))
    model = Sequential([Input((6, 6, 3)), layer, Flatten(), Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    loss = model.evaluate(X, Y)
    assert model.train_on_batch(X, Y) == pytest.approx(loss, rel=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), before))
    layer.trainable = True
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(X, Y)
    assert not any(np.array_equal(a, b) for a, b in zip(layer.get_weights(), before))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_frozen_layer_leaves_its_state_in_the_call_that_builds_the_model(compiled: bool) -> None:
    layer = BatchNormalization(trainable=False)
    model = Sequential([layer, Flatten(), Dense(4)])
    if compiled:
        model.compile("sgd", "mse")
    model(X, training=True)
    assert [s.tolist() for s in state(layer)] == [[0.0] * 3, [1.0] * 3]


def test_a_call_in_training_does_not_undo_what_another_thread_compiles() -> None:
    def call(model: Model) -> None:
        for _ in range(20):
            model(X[:, 0, 0], training=True)

    for _ in range(20):
        model = Sequential([Input((3,)), BatchNormalization(trainable=False), Dense(2)])
        model.predict(X[:, 0, 0])
        thread = threading.Thread(target=call, args=(model,))
        thread.start()
        model.compile("sgd", "mse")
        thread.join()
        model.train_on_batch(X[:, 0, 0], X[:, 0, 0, :2])


def unfolded(model: Model, x: Array) -> Array:
    """The outputs of the same layers with the same weights, each by itself."""
    flat = net_of(model).flat
    assert flat is not None
    inputs = [value.sample for value in model.inputs]
    own = [layer.block for layer in flat.layers]
    specs = [layer.spec() for layer in flat.layers]
    return _core.Network(inputs, specs, flat.calls, flat.outputs, False, own).forward(x, False)


FOLDED: dict[str, tuple[list[Any], str]] = {
    "conv2d": ([BatchNormalization()], "conv2d+batch_normalization"),
    "and its activation": (
        [BatchNormalization(), Activation("relu")],
        "conv2d+batch_normalization+relu",
    ),
    "and pooling": (
        [BatchNormalization(axis=3), Activation("relu"), MaxPooling2D()],
        "conv2d+batch_normalization+relu+max_pooling2d",
    ),
    "winograd": (
        [Conv2D(32, 1), Conv2D(32, 3, padding="same", use_bias=False), BatchNormalization(scale=False)],
        "conv2d+batch_normalization",
    ),
    "dense": ([Dense(33), BatchNormalization(center=False)], "dense+batch_normalization"),
    "narrow dense": ([Flatten(), Dense(3), BatchNormalization()], "dense+batch_normalization"),
}


@pytest.mark.parametrize(("between", "label"), FOLDED.values(), ids=FOLDED)
def test_folding_into_the_layer_before(isa: str, between: list[Any], label: str) -> None:
    model = network(*[type(layer).from_config(layer.get_config()) for layer in between])
    for _ in range(2):  # again after training, and after weights are set
        model.fit(X, Y, batch_size=20)
        y = model.predict(X)
        assert label in net_of(model).required_network().steps(True)
        assert label not in net_of(model).required_network().steps()
        np.testing.assert_allclose(y, unfolded(model, X), atol=2e-6)
        assert np.array_equal(y, model(X))
        norm = next(layer for layer in model.layers if isinstance(layer, BatchNormalization))
        norm.moving_mean.assign(norm.moving_mean.numpy() + 1.0)
        assert not np.array_equal(model.predict(X), y)
        np.testing.assert_allclose(model.predict(X), unfolded(model, X), atol=2e-6)


def test_what_stands_between_or_reads_the_value_is_not_folded() -> None:
    x = Input((6, 6, 3))
    h = Conv2D(5, 3)(x)
    shared = BatchNormalization()
    others = {
        "an activation": Sequential([x, Conv2D(5, 3, activation="relu"), BatchNormalization()]),
        "an axis": Sequential([Input((6, 6, 3)), Conv2D(4, 3), BatchNormalization(axis=1)]),
        "another reader": Model(x, [BatchNormalization()(h), Activation("relu")(h)]),
        "two calls": Model(x, [shared(Conv2D(5, 3)(x)), shared(Conv2D(5, 3)(x))]),
    }
    for what, model in others.items():
        model(X)
        assert not any(
            "+batch_normalization" in step for step in net_of(model).required_network().steps(True)
        ), what


def test_evaluation_agrees_with_predictions() -> None:
    model = network(BatchNormalization(), Activation("relu"))
    model.fit(X, Y, batch_size=10)
    loss, accuracy = model.evaluate(X, Y)
    y = model.predict(X)
    assert accuracy == np.mean(y.argmax(-1) == Y)
    assert loss == pytest.approx(-np.log(y[np.arange(50), Y].astype(float)).mean(), rel=1e-6)


@pytest.mark.parametrize("rows", [2, 700, 300_000])
def test_statistics_of_large_values(rows: int) -> None:
    x = np.random.default_rng(0).normal(1e4, 0.5, size=(rows, 3)).astype(np.float32)
    layer = BatchNormalization(momentum=0.0, epsilon=1e-6)
    y = layer(x, training=True)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(layer.moving_mean.numpy(), wide.mean(0), rtol=1e-7)
    np.testing.assert_allclose(layer.moving_variance.numpy(), wide.var(0), rtol=1e-6)
    np.testing.assert_allclose(y, (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-6), atol=2e-6)


def test_nan_in_the_data_reaches_its_own_feature_alone() -> None:
    x = np.ones((4, 2), np.float32)
    x[1, 0] = np.nan
    layer = BatchNormalization()
    y = layer(x, training=True)
    assert np.isnan(y[:, 0]).all()
    assert not y[:, 1].any()
    assert np.isnan(layer.moving_mean.numpy()).tolist() == [True, False]


def test_files_hold_the_state_and_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    model = network(BatchNormalization(), Activation("relu"))
    model.fit(X, Y, batch_size=20)
    model.save(tmp_path / "model.safetensors")
    loaded = nncore.models.load_model(tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.fit(X, Y, batch_size=20)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(model.get_weights(), loaded.get_weights()))
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


@pytest.mark.once  # sanitizers end the process where memory is not to be had
def test_a_batch_beyond_memory_changes_nothing() -> None:
    model = Sequential([Input((1,)), BatchNormalization(), Dense(1 << 20), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    x = np.broadcast_to(np.float32(1.0), (1 << 26, 1))
    with pytest.raises(MemoryError, match="GB"):
        model.train_on_batch(x, x)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))
    assert np.isfinite(model.train_on_batch(x[:2], x[:2]))


def test_summary_counts_the_state_apart(capsys: pytest.CaptureFixture[str]) -> None:
    network(BatchNormalization()).summary()
    text = capsys.readouterr().out
    assert "Non-trainable params: 10 " in text
    assert layers.BatchNormalization.__name__ in text
