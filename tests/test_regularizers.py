"""Penalties of weights and activities: values, gradients, what is reported, the same bits everywhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from penalty_cases import REGULARIZERS, fits, takes_activities
from reference_model import assert_close

import nncore
from nncore import Input, Model, Sequential, _core, models, regularizers
from nncore.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    LayerNormalization,
    MaxPooling2D,
)
from nncore.models.model import net_of
from nncore.regularizers import L1, L1L2, L2, Regularizer

Array = np.ndarray[Any, Any]
ACTIVITIES = {key: made for key, made in REGULARIZERS.items() if takes_activities(made)}
X = np.sin(np.arange(30, dtype=np.float32)).reshape(10, 3)
Y = np.cos(np.arange(10, dtype=np.float32))


def small(**options: Any) -> Sequential:
    nncore.utils.set_random_seed(5)
    model = Sequential([Input((3,)), Dense(4, activation="tanh", **options), Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("made", REGULARIZERS.values(), ids=REGULARIZERS)
def test_slopes_of_the_reference_are_those_of_its_values(
    made: Callable[[], Regularizer], rng: np.random.Generator
) -> None:
    x, regularizer = rng.normal(size=(5, 4)), made()
    slope, h = regularizer.slope(x), 1e-6
    for at in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[at] = h
        difference = (regularizer.value(x + step) - regularizer.value(x - step)) / (2 * h)
        assert slope[at] == pytest.approx(difference, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("made", REGULARIZERS.values(), ids=REGULARIZERS)
@pytest.mark.parametrize("shape", [(37, 21), (130, 70), (200, 9), (70, 3), (2, 3, 5, 20)])
def test_compiled_penalties_are_those_of_the_reference(
    made: Callable[[], Regularizer], shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    """The penalty of a kernel alone, as inputs and targets are 0: wide, narrow (stored transposed), of
    images.
    """
    if not fits(made, *shape):
        pytest.skip("not for this shape")
    regularizer = made()
    net, w = kernel_alone(shape, regularizer, rng)
    x, y = np.zeros((2, *net_input(shape)), np.float32), np.zeros((2, shape[-1]), np.float32)
    y = y if len(shape) == 2 else np.zeros((2, 2, 2, shape[-1]), np.float32)
    assert_close(net.gradients(x, y, None), regularizer.value(w), scale=1e-6, length=16)
    expected = regularizer.slope(w)
    found = net.read("gradients")[: w.size].reshape(shape)
    assert_close(found, expected, length=w.size, scale=float(np.abs(expected).max()))


def net_input(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:1] if len(shape) == 2 else (shape[0] + 1, shape[1] + 1, shape[2])


def kernel_alone(
    shape: tuple[int, ...], regularizer: Regularizer, rng: np.random.Generator
) -> tuple[_core.Network, Array]:
    settings = {"use_bias": False, "activation": "linear"}
    spec: Any = ("dense", {"units": shape[1], **settings})
    if len(shape) == 4:
        sizes: Any = {"kernel_size": shape[:2], "strides": (1, 1), "dilation_rate": (1, 1)}
        spec = ("conv2d", {"filters": shape[3], "padding": "valid", "groups": 1, **sizes, **settings})
    net = _core.Network([net_input(shape)], [spec], [(0, [0])], [1])
    flat = net.read("parameters")
    w = rng.normal(size=shape).astype(np.float32)
    w.flat[::7] = 0.0
    flat[: w.size] = w.ravel()
    net.write("parameters", flat)
    rules = [(0, 0, regularizer.spec("", shape))]
    loss: Any = ("mean_squared_error", {})
    net.compile([loss], [1.0], [()], [()], ("sgd", {}), [True], regularizers=rules)
    return net, w.astype(np.float64)


GRADIENTS: dict[str, Callable[[Any], list[Layer]]] = {
    "kernel_regularizer": lambda r: [
        Conv2D(3, 2, activation="tanh", kernel_regularizer=r if fits(lambda: r, 2, 2, 1, 3) else None),
        Flatten(),
        Dense(5, activation="tanh", kernel_regularizer=r),
    ],
    "bias_regularizer": lambda r: [
        Conv2D(3, 2, activation="tanh", bias_regularizer=r), Flatten(), Dense(5, bias_regularizer=r)
    ],
    "activity_regularizer": lambda r: [
        Conv2D(3, 2, activation="sigmoid", activity_regularizer=r), MaxPooling2D(activity_regularizer=r),
        Flatten(activity_regularizer=r), Dense(5, activation="softmax", activity_regularizer=r),
    ],
    "gamma_regularizer": lambda r: [
        LayerNormalization(gamma_regularizer=r, activity_regularizer="l2"), Flatten(),
        BatchNormalization(gamma_regularizer=r),
    ],
    "beta_regularizer": lambda r: [
        Flatten(), BatchNormalization(beta_regularizer=r), LayerNormalization(beta_regularizer=r), Dense(4),
        BatchNormalization(activity_regularizer=L2(0.1)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("argument", GRADIENTS)
@pytest.mark.parametrize("made", REGULARIZERS.values(), ids=REGULARIZERS)
def test_the_gradient_of_every_argument(
    argument: str, made: Callable[[], Regularizer], rng: np.random.Generator
) -> None:
    """Gradients along a random direction, against differences of the reported loss."""
    is_activity, is_kernel = argument.startswith("activity"), argument.startswith("kernel")
    if not (takes_activities(made) if is_activity else is_kernel or fits(made, 5)):
        pytest.skip("not for this argument")
    model = Sequential([Input((5, 6, 1)), *GRADIENTS[argument](made()), Dense(1)])
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(8, 5, 6, 1)).astype(np.float32), rng.normal(size=8).astype(np.float32)
    normal = [rng.normal(size=v.shape) for v in model.get_weights()]
    w = [(np.sign(v) * (0.1 + np.abs(v))).astype(np.float32) for v in normal]  # no sign changes on the way
    model.set_weights(w)
    network, steps = net_of(model).required_network(), [rng.uniform(-1, 1, v.shape) for v in w]
    network.gradients(x, y, None)
    slope = sum(float((g * s).sum()) for g, s in zip(net_of(model).parts(network.read("gradients")), steps))
    losses, h = [], 2e-3
    for sign in (1, -1):
        model.set_weights([(v + sign * h * s).astype(np.float32) for v, s in zip(w, steps)])
        losses.append(network.gradients(x, y, None))
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=5e-3, abs=1e-3)


# ---- what is reported


def test_the_loss_has_the_penalties_before_the_update_and_those_of_outputs_have_not() -> None:
    x = Input((3,))
    h = Dense(4, kernel_regularizer=L2(0.5), name="h")(x)
    model = Model(x, [Dense(1, name="p")(h), Dense(1, bias_regularizer="l1", name="q")(h)])
    model.compile("adam", "mse")
    penalty = sum(model.losses)
    assert penalty == pytest.approx(0.5 * float(np.square(model.get_weights()[0]).sum()), rel=1e-6)
    assert len(model.losses) == 2
    assert model.get_layer("h").losses == model.losses[:1]
    scores = model.train_on_batch(X, [Y, Y], return_dict=True)
    assert list(scores) == ["loss", "p_loss", "q_loss"]
    assert scores["loss"] == pytest.approx(scores["p_loss"] + scores["q_loss"] + penalty, rel=1e-6)
    scores = model.evaluate(X, [Y, Y], batch_size=4, verbose=0, return_dict=True)
    expected = scores["p_loss"] + scores["q_loss"] + sum(model.losses)
    assert scores["loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("made", ACTIVITIES.values(), ids=ACTIVITIES)
def test_penalties_of_activities_are_means_over_samples_without_their_weights(
    made: Callable[[], Regularizer],
) -> None:
    model, weight = small(activity_regularizer=made()), np.linspace(0, 3, 10)
    plain = Sequential(model.layers[:1])
    for rows, given in ((10, None), (3, None), (10, weight)):
        loss = model.evaluate(X, Y, batch_size=rows, sample_weight=given, verbose=0)
        errors = np.square(model.predict(X)[:, 0] - Y) * (1.0 if given is None else given)
        penalty = made()(plain.predict(X)) / 10
        assert loss == pytest.approx(errors.mean() + penalty, rel=1e-5)


def test_weights_that_are_not_numbers_make_the_loss_so() -> None:
    model = small(kernel_regularizer="l1")
    w = model.get_weights()
    w[0][1, 2] = np.nan
    model.set_weights(w)
    assert np.isnan([model.evaluate(X, Y, verbose=0), *model.losses]).all()


def test_a_penalized_value_stays_whole_and_predictions_are_those_without_the_penalty() -> None:
    def make(**options: Any) -> Sequential:
        nncore.utils.set_random_seed(3)
        layers = [Conv2D(4, 3, activation="relu", **options), MaxPooling2D(), Flatten(), Dense(2)]
        model = Sequential([Input((8, 8, 1)), *layers])
        model.compile("sgd", "mse")
        return model

    plain, penalized, x = make(), make(activity_regularizer="l2"), np.ones((5, 8, 8, 1), np.float32)
    of_plain, of_penalized = (net_of(model).required_network().steps() for model in (plain, penalized))
    assert len(of_penalized) == len(of_plain) + 1
    assert_close(penalized.predict(x), plain.predict(x), 9)
    of_weights = make(kernel_regularizer="l2", kernel_constraint="non_neg")
    assert net_of(of_weights).required_network().steps() == of_plain
    assert of_weights.predict(x).tobytes() == plain.predict(x).tobytes()


def test_models_that_share_a_layer_have_its_penalties_where_it_trains() -> None:
    shared = Dense(3, kernel_regularizer=L1(0.1), kernel_initializer="ones")
    first, second = Sequential([Input((3,)), shared]), Sequential([Input((3,)), shared, Dense(1)])
    first.compile("sgd", "mse")
    shared.trainable = False
    second.compile("sgd", "mse")
    shared.trainable = True
    zero = np.zeros((4, 3), np.float32)
    assert first.evaluate(zero, zero, verbose=0) == pytest.approx(0.9)
    assert second.evaluate(zero, zero[:, 0], verbose=0) == 0.0
    second.compile("sgd", "mse")
    assert second.evaluate(zero, zero[:, 0], verbose=0) == pytest.approx(0.9)
    shared.trainable = False
    assert shared.losses == first.losses == []


# ---- the same bits


def large(optimizer: str = "adam") -> Sequential:
    nncore.utils.set_random_seed(7)
    layers = [
        Conv2D(32, 3, activation="relu", kernel_regularizer=L1(1e-3), activity_regularizer=L1L2(1e-4, 1e-4),
               kernel_constraint=nncore.constraints.MaxNorm(0.5, axis=(0, 1, 2))),
        MaxPooling2D(),
        Flatten(),
        Dense(301, activation="relu", kernel_regularizer=L1L2(1e-4, 1e-4), activity_regularizer="l2",
              kernel_constraint="max_norm"),
        Dense(200, kernel_regularizer="l2", kernel_constraint=nncore.constraints.UnitNorm(axis=1)),
        Dense(10, activation="softmax", kernel_regularizer="l2", bias_constraint="non_neg"),
    ]  # fmt: skip
    model = Sequential([Input((13, 12, 2)), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def trained(model: Sequential) -> list[bytes]:
    x = np.sin(np.arange(50 * 13 * 12 * 2, dtype=np.float32)).reshape(50, 13, 12, 2)
    loss = model.fit(x, np.arange(50) % 10, batch_size=20, epochs=2, verbose=0).history["loss"]
    return [np.array(loss).tobytes(), *(w.tobytes() for w in model.get_weights())]


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit(isa: str) -> None:
    found = []
    for threads in (1, 2, 3, 7):
        _core.set_num_threads(threads)
        found.append(trained(large()))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("made", REGULARIZERS.values(), ids=REGULARIZERS)
def test_penalties_have_the_same_bits_with_every_instruction_set(made: Callable[[], Regularizer]) -> None:
    """Except products of matrices on the baseline, which has no fused multiply-add."""
    found, before = [], _core.isa()
    for isa in _core.available_isas():
        if isa == "baseline" and not takes_activities(made):
            continue
        _core.select_isa(isa)
        try:
            net, _ = kernel_alone((130, 70), made(), np.random.default_rng(1))
        finally:
            _core.select_isa(before)
        zero = np.zeros((1, 130), np.float32)
        loss = net.gradients(zero, zero[:, :70], None)
        found.append((loss, net.read("gradients").tobytes()))
    assert all(one == found[0] for one in found)


# ---- settings


def penalized() -> Sequential:
    nncore.utils.set_random_seed(9)
    shared = Dense(3, kernel_regularizer=L1L2(0.1, 0.2), activity_regularizer=L2(0.3), name="shared")
    x = Input((3,))
    model = Model(x, Add(activity_regularizer="l1")([shared(shared(x)), x]))
    layers = [Input((3,)), model, BatchNormalization(gamma_regularizer="l1", beta_constraint="non_neg")]
    whole = Sequential([*layers, Dense(1, kernel_constraint=nncore.constraints.MaxNorm(1, axis=[0, 1]))])
    whole.compile("adam", "mse")
    whole.fit(X, Y, epochs=2, verbose=0)
    return whole


def test_files_and_pickles_train_on_with_the_same_bits(tmp_path: Path) -> None:
    model = penalized()
    model.save(tmp_path / "model.safetensors")
    copies = [models.load_model(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))]
    for each in (model, *copies):
        each.fit(X, Y, epochs=3, verbose=0)
    for copy in copies:
        assert [w.tobytes() for w in copy.get_weights()] == [w.tobytes() for w in model.get_weights()]
        assert copy.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("made", REGULARIZERS.values(), ids=REGULARIZERS)
def test_settings_of_a_regularizer_make_an_equal_one(made: Callable[[], Regularizer]) -> None:
    layer = Dense(
        2, kernel_regularizer=made(), **({"activity_regularizer": made()} if takes_activities(made) else {})
    )
    twin = Dense.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config() == pickle.loads(pickle.dumps(layer)).get_config()
    assert repr(twin.kernel_regularizer) == repr(made())
    assert Dense(2).get_config().keys() >= {"kernel_regularizer", "bias_constraint"}


@pytest.mark.parametrize("cls", set(regularizers.CLASSES.values()))
def test_names_find_the_class(cls: type[Regularizer]) -> None:
    names = [name for name, known in Regularizer._known.items() if known is cls]
    assert len(names) >= 2
    for name in names:
        assert type(regularizers.get(name)) is cls
        assert name in (cls.__name__, "l1l2") or getattr(regularizers, name) is cls
    assert regularizers.get(None) is None
    assert type(regularizers.get(cls)) is cls


def test_settings_are_fixed() -> None:
    with pytest.raises(AttributeError, match="kernel_regularizer is fixed"):
        Dense(2).kernel_regularizer = L1()
    with pytest.raises(AttributeError, match="activity_regularizer is fixed"):
        Flatten().activity_regularizer = L1()


MISTAKES: list[tuple[type[Exception], str, Callable[[], object]]] = [
    (ValueError, r"\[L1\] l1 must be in \[0, inf\)", lambda: L1(-1)),
    (TypeError, r"\[L2\] l2 must be a number, got 'a'", lambda: L2("a")),  # type: ignore[arg-type]
    (ValueError, r"\[L1L2\] l2 must be", lambda: L1L2(0, np.inf)),
    (TypeError, r"\[L1\] x must hold real numbers", lambda: L1()(["a"])),  # type: ignore[arg-type,list-item]
    (TypeError, "a name or a Regularizer", lambda: regularizers.get(np.sum)),  # type: ignore[arg-type]
    (ValueError, "kernel_regularizer is not a regularizer",
     lambda: Dense.from_config({"units": 1, "kernel_regularizer": {"class_name": "L3", "config": {}}})),
]  # fmt: skip


@pytest.mark.parametrize(("error", "text", "call"), MISTAKES)
def test_mistakes(error: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(error, match=text):
        call()


def test_a_shape_that_cannot_be_penalized_is_an_error_of_compile() -> None:
    for key, made in REGULARIZERS.items():
        if fits(made, 3, 3, 1, 2):
            continue
        model = Sequential([Input((5, 5, 1)), Conv2D(2, 3, kernel_regularizer=made(), name="c")])
        with pytest.raises(ValueError, match=r"\[c/kernel\] "):
            model.compile("sgd", "mse")
        assert not model.compiled, key
