"""Values that Keras takes: NumPy's scalars, class weights of any kind of number, the ends of intervals."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import _core, activations, callbacks, losses, metrics, ops, optimizers, reference
from nncore.layers import (
    Activation,
    AveragePooling2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)
from nncore.optimizers import schedules

pytestmark = pytest.mark.once

X = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
Y = np.arange(20) % 2


def made(optimizer: Any = "sgd", *layers: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(5)
    model = nncore.Sequential([Input((3,)), *layers, Dense(1, activation="sigmoid")])
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def trained(x: Any = X, y: Any = Y, **options: Any) -> Any:
    return made().fit(x, y, verbose=0, **options).history


# ---- class weights

WEIGHTS: list[dict[Any, Any]] = [
    {0.0: 1.5, 1.0: 3},
    {False: 1.5, True: 3.0},
    {np.bool_(False): 1.5, np.bool_(True): 3.0},
    {np.float32(0): np.float32(1.5), np.float64(1): np.int64(3)},
    {np.int8(0): np.array(1.5), np.uint64(1): np.array(3)},
]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("labels", [np.int64, np.float32, bool])
def test_class_weights_of_any_number(weights: dict[Any, Any], labels: type) -> None:
    expected = trained(sample_weight=np.where(Y, 3.0, 1.5))
    assert trained(y=Y.astype(labels), class_weight=weights) == expected


def test_a_class_weight_of_true_is_one() -> None:
    assert trained(class_weight={0: True, 1: np.False_}) == trained(sample_weight=1.0 - Y)


@pytest.mark.parametrize("key", [0.5, np.nan, np.inf, "0", None, (0,), 1j])
def test_keys_that_are_no_classes(key: Any) -> None:
    with pytest.raises(TypeError, match="class_weight must have class numbers as keys"):
        trained(class_weight={key: 1.0})


@pytest.mark.parametrize("weight", ["1", None, [1.0], np.ones(1), 1j])
def test_values_that_are_no_weights(weight: Any) -> None:
    with pytest.raises(TypeError, match="class_weight must have numbers as values"):
        trained(class_weight={0: weight})


def test_compile_has_the_default_optimizer_of_keras() -> None:
    model = made()
    model.compile(loss="mse")
    assert repr(model.optimizer) == repr(optimizers.get("rmsprop"))
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"]).all()


# ---- NumPy's scalars


@pytest.mark.parametrize(
    "verbose", [np.int64(0), np.uint8(2), np.array(2), np.bool_(False), np.int32(1), np.True_, "auto"]
)
def test_verbose(verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = made()
    model.fit(X, Y, verbose=verbose)
    model.evaluate(X, Y, verbose=verbose)
    model.predict(X, verbose=verbose)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (0 if verbose != "auto" and int(verbose) == 0 else 3)


@pytest.mark.parametrize("verbose", [3, -1, np.int64(3), np.array([0, 1]), None, "yes", 0.5])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_verbose_that_there_is_not(method: str, verbose: Any) -> None:
    data = (X,) if method == "predict" else (X, Y)
    with pytest.raises(ValueError, match=r"\[sequential.*\] verbose must be 0, 1, 2 or 'auto'"):
        getattr(made(), method)(*data, verbose=verbose)


ACCEPTED: list[tuple[str, Callable[[], Any], Any]] = [
    ("units", lambda: Dense(np.int16(4)).units, 4),
    ("kernel_size", lambda: Conv2D(2, np.array([3, 2])).kernel_size, (3, 2)),
    ("kernel_size of arrays", lambda: Conv2D(2, (np.array(3), np.int8(2))).kernel_size, (3, 2)),
    ("target_shape", lambda: Reshape(np.array([3, -1])).target_shape, (3, -1)),
    ("target_shape of a generator", lambda: Reshape(n for n in (3, 1)).target_shape, (3, 1)),
    ("shape", lambda: Input(np.array([2, 3])).shape, (None, 2, 3)),
    ("rate", lambda: Dropout(np.float32(0.5)).rate, 0.5),
    ("use_bias", lambda: Dense(1, use_bias=np.array(False)).use_bias, False),
    ("axis", lambda: Softmax(axis=np.int64(-1)).name[:7], "softmax"),
    ("threshold of ReLU", lambda: ReLU(threshold=np.float32(0)).negative_slope, 0.0),
    ("axis of a loss", lambda: losses.BinaryCrossentropy(axis=np.int64(-1)).label_smoothing, 0.0),
    ("threshold of a metric", lambda: metrics.BinaryAccuracy(threshold=np.float32(0.5)).result(), 0.0),
    ("threshold", lambda: float(metrics.binary_accuracy([1], [0.7], threshold=np.array(0.5))), 1.0),
    ("axis of softmax", lambda: activations.softmax([[1.0]], axis=np.int64(-1)).tolist(), [[1.0]]),
    ("dtype as a type", lambda: Dense(1, dtype=np.float32).units, 1),
    ("dtype of NumPy", lambda: Dense(1, dtype=np.dtype("float32")).units, 1),
    ("dtype of a loss", lambda: losses.MeanSquaredError(dtype=np.float32).name, "mean_squared_error"),
    ("dtype of a metric", lambda: metrics.BinaryAccuracy(dtype=np.dtype("f4")).name, "binary_accuracy"),
    ("dtype of an input", lambda: Input((2,), dtype=np.float32).shape, (None, 2)),
    ("use_ema", lambda: optimizers.SGD(use_ema=np.bool_(False)).momentum, 0.0),
    ("clipnorm", lambda: optimizers.Adam(clipnorm=np.float32(1)).clipnorm, 1.0),
    ("accumulation", lambda: optimizers.SGD(gradient_accumulation_steps=np.int64(2)).iterations, 0),
    ("decay_steps", lambda: schedules.PolynomialDecay(1.0, np.int64(4)).get_config()["decay_steps"], 4),
    ("ema_momentum", lambda: optimizers.SGD(ema_momentum=np.float64(0.99)).momentum, 0.0),
    ("patience", lambda: callbacks.EarlyStopping(patience=np.int64(2)).patience, 2),
    ("pool_size in ops", lambda: ops.max_pool2d(np.ones((1, 2, 2, 1)), np.int64(2)).shape, (1, 1, 1, 1)),
    ("pool_size in the reference",
     lambda: reference.max_pool2d(np.ones((1, 2, 2, 1)), np.int64(2)).shape, (1, 1, 1, 1)),
    ("min_delta", lambda: callbacks.EarlyStopping(min_delta=np.float32(0.5)).min_delta, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("_", "call", "value"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_values_of_numpy(_: str, call: Callable[[], Any], value: Any) -> None:
    assert call() == value


REFUSED: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (TypeError, "rate must be a number, got .*True", lambda: Dropout(np.True_)),
    (TypeError, "units must be an integer, got array", lambda: Dense(np.array([1, 2]))),
    (TypeError, "epochs must be an integer, got array", lambda: made().fit(X, Y, epochs=np.array([1, 2]))),
    (ValueError, "integer or a pair", lambda: Conv2D(2, np.array([3, 3, 3]))),
    (TypeError, "kernel_size must be an integer", lambda: Conv2D(2, np.array([3.0, 3.0]))),
    (ValueError, "dtype=.*float64.* is not available", lambda: Dense(1, dtype=np.float64)),
    (ValueError, "loss_scale_factor=.* is not available",
     lambda: optimizers.Adam(loss_scale_factor=np.float32(1))),
    (ValueError, "axis=.* is the batch axis", lambda: Softmax(axis=np.int64(0))),
    (ValueError, "axis=.* is not available", lambda: losses.BinaryCrossentropy(axis=np.array([-1, -1]))),
]  # fmt: skip


@pytest.mark.parametrize(("error", "text", "call"), REFUSED, ids=[row[1] for row in REFUSED])
def test_values_of_numpy_that_stay_wrong(error: type[Exception], text: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(
    "training", [None, 0, False, np.int64(0), np.bool_(False), np.array(False)], ids=repr
)
def test_training_or_not(training: Any) -> None:
    model, layer, ones = made("sgd", Dropout(0.5)), Dropout(0.5), np.ones(1000)
    np.testing.assert_array_equal(model(X, training=training), model(X))
    np.testing.assert_array_equal(layer(ones, training=training), ones)
    if training is not None:
        on = type(training)(1) if not isinstance(training, np.ndarray) else np.array(True)
        assert not np.array_equal(model(X, training=on), model(X))
        assert set(layer(ones, training=on).tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("training", ["no", 2, 0.5, np.array([0, 1]), np.array([True]), []], ids=repr)
def test_training_that_is_neither(training: Any) -> None:
    for call in (made(), Dropout(0.5)):
        with pytest.raises(TypeError, match=r"^\[(sequential|dropout).*\] training must be True or False"):
            call(X, training=training)


@pytest.mark.parametrize("frequency", [np.int64(2), np.array([2, 4]), range(2, 5, 2), (np.int8(2), 4)])
def test_validation_freq(frequency: Any) -> None:
    history = made().fit(X, Y, epochs=4, validation_data=(X, Y), validation_freq=frequency, verbose=0).history
    assert len(history["val_loss"]) == 2


# ---- the ends of intervals


def test_dropout_of_everything(isa: str, rng: np.random.Generator) -> None:
    x = np.r_[np.nan, np.inf, rng.normal(size=1000)].astype(np.float32)
    dy = rng.normal(size=x.shape).astype(np.float32)
    for rate in (1.0, 1, np.float32(1), 1 - 1e-9):  # the last rounds to 1 in float32
        for module in (ops, reference):
            assert not module.dropout(x, rate, seed=3).any()
            assert not module.dropout_backward(dy, x, rate, seed=3).any()
    assert not Dropout(1.0)(X, training=True).any()
    np.testing.assert_array_equal(Dropout(1.0)(X), X)
    assert not reference.dropout_mask((5,), 1.0, seed=1).any()


def test_training_behind_dropout_of_everything() -> None:
    model = made("adam", Dense(4, activation="relu"), Dropout(1.0))
    first = [w.copy() for w in model.get_weights()]
    history = model.fit(X, Y, epochs=3, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.log(2))
    after = model.get_weights()
    for before, now in list(zip(first, after))[:3]:  # no gradient passes, and the last kernel has none
        np.testing.assert_array_equal(before, now)
    assert np.isfinite(after[3]).all()
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_of_one(nesterov: bool, isa: str) -> None:
    w, velocity = np.float32([1.0, -2.0]), np.float32([0.5, 0.25])
    g = np.float32([4.0, -8.0])
    one = ops.sgd(w, g, velocity, 0.125, 1.0, nesterov)
    other = reference.sgd(w, g, velocity, 0.125, 1.0, nesterov)
    for a, b in zip(one, other):
        np.testing.assert_allclose(a, b)
    model = made(optimizers.SGD(0.1, momentum=1.0, nesterov=nesterov))
    almost = made(optimizers.SGD(0.1, momentum=1.0 - 1e-6, nesterov=nesterov))
    ours = model.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"]
    theirs = almost.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert ours == pytest.approx(theirs, rel=1e-4)


# ---- bfloat16


def test_bfloat16() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x, y, weight = X.astype(bfloat16), Y.astype(bfloat16), np.linspace(1, 2, 20).astype(bfloat16)
    plain = x.astype(np.float32)
    assert trained(x, y, sample_weight=weight) == trained(plain, Y, sample_weight=weight.astype("f4"))
    assert trained(x, Y, validation_split=0.5) == trained(plain, Y, validation_split=0.5)
    assert trained(x, y, class_weight={0: 1, 1: 2}) == trained(plain, Y, class_weight={0: 1, 1: 2})
    model = made()
    for call in (model, model.predict, model.predict_on_batch, Rescaling(2.0), ops.relu, activations.linear):
        result = call(x)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, call(plain))
    assert model.evaluate(iter([(x, y)]), verbose=0) == model.evaluate(plain, Y, verbose=0)
    weights = [w.astype(bfloat16) for w in model.get_weights()]
    model.set_weights(weights)
    model.layers[0].kernel.assign(weights[0])
    np.testing.assert_array_equal(model.get_weights()[0], weights[0].astype(np.float32))
    rows = plain[:, :1]
    for thing in (losses.MeanSquaredError(), metrics.MeanSquaredError()):
        given = thing(x[:, :1], y[:, None], sample_weight=weight)
        expected = type(thing)()(rows, Y[:, None], sample_weight=weight.astype("f4"))
        assert given == expected
    assert reference.relu(x).dtype == np.float64
    assert nncore.utils.to_categorical(y).tolist() == nncore.utils.to_categorical(Y).tolist()
    assert optimizers.SGD(bfloat16(0.25)).learning_rate == 0.25


# ---- instruction sets


@pytest.mark.full
@pytest.mark.parametrize("name", [_core.available_isas()[0], _core.available_isas()[-1]])
@pytest.mark.parametrize("case", [str.upper, str.title, str.lower])
def test_the_instruction_set_in_any_case(name: str, case: Callable[[str], str]) -> None:
    code = "import nncore; print(nncore.isa())"
    environment = {**os.environ, "NNCORE_ISA": case(name)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == name, run.stderr


# ---- layers on their own

FREE: list[tuple[Callable[[], Any], tuple[int, ...], tuple[int, ...]]] = [
    (Flatten, (2, 2, 2), (2, 3, 3)),
    (lambda: Activation("relu"), (2, 3), (2, 4, 4)),
    (Softmax, (2, 3), (2, 4)),
    (lambda: Dropout(0.5), (2, 3), (2, 4)),
    (lambda: Reshape((-1,)), (2, 3, 2), (2, 4)),
    (lambda: Rescaling(2.0), (2, 3), (2, 4, 4)),
    (MaxPooling2D, (2, 4, 4, 1), (2, 6, 6, 3)),
    (AveragePooling2D, (2, 4, 4, 1), (2, 6, 6, 3)),
    (GlobalMaxPooling2D, (2, 4, 4, 1), (2, 6, 6, 3)),
    (lambda: Conv2D(2, 3), (2, 4, 4, 1), (2, 6, 5, 1)),
    (lambda: Dense(2), (2, 4), (2, 6, 4)),
]


@pytest.mark.parametrize(("make", "one", "other"), FREE)
def test_a_layer_takes_any_shape_that_its_weights_take(make: Any, one: Any, other: Any) -> None:
    layer = make()
    for shape in (one, other, one):
        x = np.random.default_rng(1).normal(size=shape)
        twin = make()
        twin.build(shape)
        twin.set_weights(layer.get_weights() or twin.get_weights())
        if not layer.built:
            layer.build(shape)
            layer.set_weights(twin.get_weights())
        np.testing.assert_array_equal(layer(x), twin(x))
        assert layer.output_shape == twin.output_shape
        assert layer.input_shape == (None, *shape[1:])
    x = np.ones(other)
    outside = layer(x)
    model = nncore.Sequential([Input(other[1:]), layer])  # it joins a model of another shape
    np.testing.assert_array_equal(model.predict(x), outside)
    assert layer(np.ones(one)).shape[0] == one[0]  # and is called on its own there
    assert layer.input_shape == (None, *other[1:])
    np.testing.assert_array_equal(model.predict(x), outside)


@pytest.mark.parametrize(
    ("layer", "one", "other"), [(Dense(2), (2, 4), (2, 5)), (Conv2D(2, 3), (2, 4, 4, 1), (2, 4, 4, 2))]
)
def test_a_layer_stays_with_the_shape_of_its_weights(layer: Any, one: Any, other: Any) -> None:
    layer(np.ones(one))
    before = layer.get_weights()
    with pytest.raises(ValueError, match="is built for samples of shape"):
        layer(np.ones(other))
    with pytest.raises(ValueError, match="is built for samples of shape"):
        layer.build(other)
    with pytest.raises(ValueError, match="is built for samples of shape"):
        nncore.Sequential([Input(other[1:]), layer])
    assert layer.input_shape == (None, *one[1:])
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_layer_outlives_its_model_with_its_weights() -> None:
    first = nncore.Sequential([nncore.Input((3,)), Dense(4), Dense(2)])
    layer, weights = first.layers[0], first.layers[0].get_weights()
    del first
    gc.collect()
    second = nncore.Sequential([nncore.Input((3,)), layer, Dense(5)])
    for a, b in zip(second.get_weights(), weights):
        np.testing.assert_array_equal(a, b)
