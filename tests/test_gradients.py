"""`model.gradients`: a user's function between the gradient of a batch and the update."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from optimizer_cases import OPTIMIZERS, RULES

import nncore
from nncore import callbacks, optimizers
from nncore.layers import BatchNormalization, Dense, Dropout, Input
from nncore.optimizers.schedules import ExponentialDecay

RNG = np.random.default_rng(8)
X = RNG.normal(scale=0.3, size=(60, 6)).astype(np.float32)
Y = X[:, :1] * 2 - X[:, 1:2]


def made(optimizer: Any = "adam", **settings: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(4)
    layers = [Input((6,)), Dense(130, activation="relu"), Dropout(0.2), Dense(70), BatchNormalization()]
    layers += [Dense(1, activation="tanh")]
    model = nncore.Sequential(layers, name="m")
    model.compile(optimizer, "mse", metrics=["mae"], **settings)
    return model


def bits(model: Any) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


@pytest.mark.parametrize("case", [*OPTIMIZERS, *RULES, "schedule"])
def test_a_function_that_changes_nothing(case: str) -> None:
    """Weights and history have the bits of training without it, also if it returns new arrays."""

    def optimizer() -> Any:
        if case == "schedule":
            return optimizers.Adam(ExponentialDecay(0.01, 3, 0.5), gradient_accumulation_steps=2)
        if case in RULES:
            return getattr(optimizers, RULES[case][0])(**RULES[case][1])
        return OPTIMIZERS[case]()

    plain, looked, returned = (made(optimizer()) for _ in range(3))
    shapes: list[Any] = []
    looked.gradients = lambda gradients: shapes.append([g.shape for g in gradients])
    returned.gradients = lambda gradients: [g.astype(np.float64) for g in gradients]
    first, *others = (
        model.fit(X, Y, batch_size=16, epochs=3, verbose=0).history for model in (plain, looked, returned)
    )
    assert np.isfinite(first["loss"]).all()
    assert others == [first, first]
    assert bits(plain) == bits(looked) == bits(returned)
    assert shapes == [[w.shape for w in plain.trainable_weights]] * 12


def small(rate: float = 0.1, *layers: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(3)
    model = nncore.Sequential([Input((6,)), *layers, Dense(1)], name="small")
    model.compile(optimizers.SGD(rate), "mse")
    return model


def copied(to: list[Any]) -> Any:
    return lambda gradients: to.append([g.copy() for g in gradients])


def test_gradients_are_slopes_by_the_weights_in_their_shapes() -> None:
    model, seen = small(0.0, Dense(3, activation="tanh")), []  # type: tuple[Any, list[Any]]
    model.gradients = copied(seen)
    model.train_on_batch(X, Y)
    for weight, gradient in zip(model.weights, seen[0], strict=True):
        values = weight.numpy()
        for at in [(0,) * values.ndim, tuple(n - 1 for n in values.shape)]:
            losses = []
            for change in (1e-2, -1e-2):
                other = values.copy()
                other[at] += change
                weight.assign(other)
                losses.append(model.evaluate(X, Y, verbose=0))
            weight.assign(values)
            assert gradient[at] == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize("way", ["in place", "new arrays"])
def test_what_the_function_makes_of_them_is_applied(way: str) -> None:
    half, full = made(optimizers.SGD(0.25)), made(optimizers.SGD(0.5))

    def change(gradients: list[Any]) -> Any:
        if way == "new arrays":
            return tuple((g / 2).tolist() for g in gradients)
        for g in gradients:
            g /= 2
        return None

    full.gradients = change
    for model in (half, full):
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert bits(half) == bits(full)


def test_arrays_may_be_given_back_in_another_order() -> None:
    model = nncore.Sequential([Input((2,)), Dense(2), Dense(2)])
    model.compile(optimizers.SGD(1.0), "mse")
    seen: list[Any] = []

    def swapped(gradients: list[Any]) -> list[Any]:
        seen.extend(g.copy() for g in gradients)
        return [gradients[2], gradients[3], gradients[0], gradients[1]]

    model.gradients = swapped
    before = model.get_weights()
    model.train_on_batch(X[:, :2], X[:, :2])
    for old, new, number in zip(before, model.get_weights(), (2, 3, 0, 1)):
        np.testing.assert_array_equal(new, old - seen[number])


def test_trained_weights_alone() -> None:
    model = made()
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    shapes: list[Any] = []
    model.gradients = lambda gradients: shapes.extend(g.shape for g in gradients)
    model.train_on_batch(X, Y)
    assert shapes == [w.shape for w in model.trainable_weights] == [(130, 70), *[(70,)] * 3, (70, 1), (1,)]


def test_gradients_of_parts_add_up() -> None:
    """The mean of the gradients of parts of a batch, as of several processes, gives the same update."""
    whole, half, rest = small(), small(), small()
    gradients: list[Any] = []
    rest.gradients = copied(gradients)
    rest.train_on_batch(X[30:], Y[30:])
    half.gradients = lambda own: [(a + b) / 2 for a, b in zip(own, gradients[0])]
    half.train_on_batch(X[:30], Y[:30])
    whole.train_on_batch(X, Y)
    for a, b in zip(half.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_it_is_called_once_a_step_whatever_serves_the_data() -> None:
    calls: list[int] = []
    model = small()
    model.gradients = lambda gradients: calls.append(len(gradients))
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(0))
    model.fit(X, Y, batch_size=25, epochs=2, verbose=0, callbacks=[watch])
    assert calls == [2, 0] * 6
    calls.clear()
    model.fit(((X[i : i + 20], Y[i : i + 20]) for i in (0, 20, 40)), verbose=0)
    model.fit(X, Y, steps_per_epoch=2, verbose=0)
    model.train_on_batch(X, Y)
    model.evaluate(X, Y, verbose=0)
    model.predict(X)
    assert calls == [2] * 6


def test_a_callback_may_set_and_take_it_away() -> None:
    calls: list[int] = []
    model = small()

    def begin(epoch: int, logs: Any) -> None:
        model.gradients = (lambda gradients: calls.append(epoch)) if epoch % 2 else None

    watch = callbacks.LambdaCallback(on_epoch_begin=begin)
    model.fit(X, Y, batch_size=30, epochs=4, verbose=0, callbacks=[watch])
    assert calls == [1, 1, 3, 3]


def test_the_model_can_be_used_in_it_and_by_other_threads() -> None:
    model, found = made(), []  # type: tuple[Any, list[Any]]

    def change(gradients: list[Any]) -> None:
        thread = threading.Thread(target=lambda: found.append(model.predict(X)))
        thread.start()
        thread.join(60)
        found.append(model.predict(X))
        model.predict(X[:7])

    model.gradients = change
    model.train_on_batch(X, Y)
    np.testing.assert_array_equal(found[0], found[1])


def test_statistics_of_the_step_remain_its_own_when_other_shapes_are_used_in_between() -> None:
    norm, x = BatchNormalization(axis=1, momentum=0.5), Input((3, None))
    model = nncore.Model(x, norm(x))
    model.compile("sgd", "mse")
    short, long = RNG.normal(2, 3, (10, 3, 5)), RNG.normal(2, 3, (10, 3, 50))

    def change(gradients: list[Any]) -> None:
        model.predict(long)

    model.gradients = change
    model.train_on_batch(short, short)
    np.testing.assert_allclose(norm.moving_mean.numpy(), short.mean((0, 2)) / 2, rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), (1 + short.var((0, 2))) / 2, rtol=1e-5)


def test_weights_that_change_in_between_are_packed_again() -> None:
    """Also weights of layers that do not train."""
    model, twin = made(optimizers.SGD(0.1)), made(optimizers.SGD(0.1))
    for one in (model, twin):
        one.layers[2].trainable = False
        one.compile(optimizers.SGD(0.1), "mse")
        one.train_on_batch(X, Y)
    new = [w * 0.5 for w in model.get_weights()]
    model.gradients = lambda gradients: model.set_weights(new)
    model.train_on_batch(X, Y)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyError("mine"), KeyboardInterrupt()])
def test_an_exception_leaves_everything_as_before_the_step(error: BaseException) -> None:
    model = made(optimizers.Adam(0.1, use_ema=True, gradient_accumulation_steps=2))
    twin = made(optimizers.Adam(0.1, use_ema=True, gradient_accumulation_steps=2))
    calls: list[int] = []

    def change(gradients: list[Any]) -> None:
        calls.append(1)
        for g in gradients:
            g *= 2
        if len(calls) == 4:
            raise error

    model.gradients = change
    with pytest.raises(type(error), match=r"mine|^$") as raised:
        model.fit(X, Y, batch_size=10, shuffle=False, verbose=0)
    assert raised.value is error
    twin.gradients = lambda gradients: [g * 2 for g in gradients]
    for start in (0, 10, 20):
        twin.train_on_batch(X[start : start + 10], Y[start : start + 10])
    assert bits(model) == bits(twin)
    for one in (model, twin):
        one.gradients = None
        one.train_on_batch(X, Y)
    assert bits(model) == bits(twin)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "gradients must return None or 2 arrays, one for each trainable weight, got int"),
        ([np.ones((6, 1))], "gradients must return None or 2 arrays.*, got 1 arrays"),
        (
            [np.ones((1, 6)), np.ones(1)],
            r"expected the gradient of .*/kernel of shape \(6, 1\), got \(1, 6\)",
        ),
        ([np.ones((6, 1)), ["a"]], "the gradient of .*/bias must be numbers"),
    ],
)
def test_what_does_not_fit(given: Any, message: str) -> None:
    model = small()
    before = bits(model)
    model.gradients = lambda gradients: given
    for run in (model.fit, model.train_on_batch):
        with pytest.raises((ValueError, TypeError), match=rf"^\[small\] {message}"):
            run(X, Y)
    assert bits(model) == before


def test_what_cannot_be_called() -> None:
    with pytest.raises(TypeError, match=r"^\[small\] gradients must be a function or None, got 'clip'"):
        small().gradients = "clip"  # type: ignore[assignment]


def test_it_is_not_saved(tmp_path: Any) -> None:
    model = small()
    model.gradients = lambda gradients: None
    model.save(tmp_path / "m")
    assert nncore.models.load_model(tmp_path / "m").gradients is None


def test_what_compile_changes_in_between_is_refused() -> None:
    model = small()
    model.gradients = lambda gradients: model.compile("sgd", None)
    with pytest.raises(RuntimeError, match=r"^\[small\] "):
        model.fit(X, Y, batch_size=30, verbose=0)
