"""Schedules of the learning rate: when they are called, errors, and saving."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks, models, optimizers
from nncore.layers import Dense, Input
from nncore.optimizers import SGD, Adam, schedules
from nncore.optimizers.schedules import CosineDecayRestarts, ExponentialDecay, LearningRateSchedule

X = np.linspace(-1, 1, 3600, dtype=np.float32).reshape(1200, 3)
Y = X.sum(axis=1)
CASES = [(name, given) for name, cls in schedules.CLASSES.items() for given in cls._variants]


class Asked(LearningRateSchedule):
    """A user's schedule that records the steps."""

    def __init__(self, give: Any = lambda step: 0.1 / (1 + step)) -> None:
        self.give, self.steps = give, []  # type: tuple[Any, list[int]]

    def __call__(self, step: int) -> Any:
        self.steps.append(step)
        return self.give(step)

    def get_config(self) -> dict[str, Any]:
        return {}


def made(optimizer: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(2)
    model = nncore.Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(1)], name="m")
    model.compile(optimizer, "mse")
    return model


def bits(model: Any) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


def by_hand(optimizer: Any, schedule: Any, steps: int, batch: int) -> Any:
    """A model after some steps, with the learning rate set before each."""
    model = made(optimizer)
    for step in range(steps):
        optimizer.learning_rate = float(np.float32(schedule(step)))
        start = step * batch % len(X)
        model.train_on_batch(X[start : start + batch], Y[start : start + batch])
    return model


@pytest.mark.parametrize("way", ["fit", "batches seen", "iterator", "train_on_batch"])
def test_each_step_has_its_rate(way: str) -> None:
    """For 600 steps, more than are computed at a time."""
    decay = ExponentialDecay(0.2, 100, 0.5)
    for optimizer in (lambda rate: SGD(rate, weight_decay=0.1), Adam):
        model = made(optimizer(decay))
        if way == "train_on_batch":
            for start in [*range(0, 1200, 4)] * 2:
                model.train_on_batch(X[start : start + 4], Y[start : start + 4])
        elif way == "iterator":
            pairs = [(X[i : i + 4], Y[i : i + 4]) for i in range(0, 1200, 4)] * 2
            model.fit(iter(pairs), verbose=0)
        else:
            watch = [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
            called = watch if way == "batches seen" else []
            model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=called)
        assert bits(model) == bits(by_hand(optimizer(0.1), decay, 600, 4))
        assert model.optimizer is not None
        assert float(model.optimizer.learning_rate) == pytest.approx(0.2 * 0.5**6)


def test_it_is_asked_once_for_each_step_in_order() -> None:
    own = Asked()
    model = made(SGD(own))
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    model.fit(X, Y, batch_size=100, epochs=2, verbose=0)
    model.train_on_batch(X, Y)
    assert own.steps == [*range(625)]
    model.compile(SGD(own), "mse")
    model.train_on_batch(X, Y)
    assert own.steps[-1] == 0


def test_what_a_callback_changes_counts_at_once() -> None:
    own = Asked(lambda step: own.rate)
    own.rate = 0.5  # type: ignore[attr-defined]
    model = made(SGD(own))

    def end(epoch: int, logs: Any) -> None:
        own.rate = 0.0  # type: ignore[attr-defined]
        after.append(bits(model))

    after: list[bytes] = []
    watch = callbacks.LambdaCallback(on_epoch_end=end)
    model.fit(X, Y, batch_size=100, epochs=3, verbose=0, callbacks=[watch])
    assert after[0] == after[1] == after[2]


def test_another_rate_may_be_set_in_training() -> None:
    model = made(SGD(0.1))
    optimizer = model.optimizer
    assert optimizer is not None

    def begin(epoch: int, logs: Any) -> None:
        optimizer.learning_rate = Asked(lambda step: 0.0)

    before = bits(model)
    model.fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=begin)])
    assert bits(model) == before
    with pytest.raises(TypeError, match=r"^\[SGD\] learning_rate cannot be set .*: it is a schedule"):
        optimizer.learning_rate = 0.1
    with pytest.raises(TypeError, match="it is a schedule"):
        optimizer.learning_rate.assign(0.1)
    optimizer.learning_rate = ExponentialDecay(0.5, 1, 0.5)
    assert optimizer.learning_rate == 0.5 * 0.5**optimizer.iterations


@pytest.mark.parametrize("step", [0, 3, 255, 256, 300])
@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError, ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_stops_before_its_step(step: int, error: type[BaseException]) -> None:
    def give(now: int) -> float:
        if now == step:
            raise error("mine")
        return 0.1

    model = made(SGD(Asked(give)))
    with pytest.raises(error, match=r"^mine$"):
        model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    if error is KeyboardInterrupt:
        return  # the steps that were asked for with it are not made
    assert model.optimizer is not None
    assert model.optimizer.iterations == step
    assert bits(model) == bits(by_hand(SGD(0.1), lambda _: 0.1, step, 4))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (float("nan"), ValueError, r"the learning rate of step 2 must be in \[0, 3.4e\+38\], got nan"),
        (-0.1, ValueError, "of step 2 must be in"),
        (float("inf"), ValueError, "of step 2 must be in"),
        ("fast", TypeError, "the learning rate of step 2 must be a number, got 'fast'"),
        (None, TypeError, "must be a number, got None"),
        (np.ones(2), TypeError, "must be a number, got array"),
        ([0.1], TypeError, "must be a number"),
        (1j, TypeError, "must be a number"),
    ],
)
def test_rates_that_are_none(given: Any, error: type[Exception], message: str) -> None:
    model = made(SGD(Asked(lambda step: given if step == 2 else 0.1)))
    with pytest.raises(error, match=rf"^\[Asked\] .*{message}"):
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    assert bits(model) == bits(by_hand(SGD(0.1), lambda _: 0.1, 2, 4))


@pytest.mark.parametrize(
    "kind", [np.float32, np.float64, np.array, lambda v: np.float16(v), lambda v: int(v > 0.05)]
)
def test_numbers_of_numpy(kind: Any) -> None:
    own = Asked(lambda step: kind(0.1 / (1 + step)))
    model = made(SGD(own))
    model.fit(X, Y, batch_size=100, shuffle=False, verbose=0)
    assert bits(model) == bits(by_hand(SGD(0.1), lambda s: float(kind(0.1 / (1 + s))), 12, 100))


# ---- what they are


@pytest.mark.parametrize(("name", "given"), CASES)
def test_settings_make_an_equal_one(name: str, given: dict[str, Any]) -> None:
    one = schedules.CLASSES[name](**given)
    others = [
        type(one).from_config(one.get_config()),
        schedules.deserialize(schedules.serialize(one)),
        copy.deepcopy(one),
        pickle.loads(pickle.dumps(one)),
        eval(repr(one), vars(schedules)),
    ]
    for other in others:
        assert type(other) is type(one)
        assert repr(other) == repr(one)
        assert [other(step) for step in range(40)] == [one(step) for step in range(40)]
    assert one.get_config().items() >= given.items()


def test_all_are_listed() -> None:
    assert {*schedules.__all__} == {*schedules.CLASSES, "LearningRateSchedule", "serialize", "deserialize"}
    assert all(cls._variants for cls in schedules.CLASSES.values())


@pytest.mark.parametrize(("name", "given"), CASES)
def test_wrong_settings(name: str, given: dict[str, Any]) -> None:
    cls = schedules.CLASSES[name]
    for key, value in given.items():
        with pytest.raises((TypeError, ValueError), match=rf"^\[{name}\] {key} must "):
            cls(**{**given, key: "no"})
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            with pytest.raises(ValueError, match=rf"^\[{name}\] {key} must be "):
                cls(**{**given, key: -1})
    with pytest.raises(TypeError, match="name must be a string"):
        cls(**given, name=3)


@pytest.mark.parametrize(
    ("boundaries", "values", "message"),
    [
        ([1, 2], [0.1, 0.2], "values must be one more than boundaries, got 2 and 2"),
        ([2, 1], [0.1, 0.2, 0.3], r"boundaries must ascend, got \[2, 1\]"),
        ([1], [0.1, -0.2], r"values must be in \[0, inf\), got -0.2"),
    ],
)
def test_pieces_that_do_not_fit(boundaries: list[int], values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^\[PiecewiseConstantDecay\] {message}"):
        schedules.PiecewiseConstantDecay(iter(boundaries), np.array(values))  # type: ignore[arg-type]


def test_restarts_are_exact() -> None:
    """Each wave begins at its rate, also where logarithms round."""
    for t in (1.5, 2, 3, 7):
        restarts, start = CosineDecayRestarts(1.0, 16, t_mul=t, m_mul=0.5), 16.0
        for wave in range(1, 5):
            assert restarts(int(start)) == pytest.approx(0.5**wave, rel=1e-2)
            start += 16 * t**wave


def test_one_of_a_users_own_must_say_what_it_is() -> None:
    own = type("Own", (LearningRateSchedule,), {})()
    with pytest.raises(NotImplementedError, match=r"^\[Own\] __call__"):
        own(0)
    with pytest.raises(NotImplementedError, match=r"^\[Own\] get_config"):
        own.get_config()
    with pytest.raises(NotImplementedError, match=r"^\[Own\] __call__"):
        made(SGD(own)).fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"no schedule 'ExponentialDeca'. Did you mean 'ExponentialDecay'"):
        schedules.deserialize({"class_name": "ExponentialDeca", "config": {}})
    config = {"class_name": "Asked", "config": {}}
    assert isinstance(schedules.deserialize(config, {"Asked": Asked}), Asked)


# ---- optimizers with them


def test_optimizers_are_described_with_them() -> None:
    one = SGD(ExponentialDecay(0.1, 2, 0.5), momentum=0.5, clipnorm=1.0)
    assert repr(one) == repr(SGD(0.5, momentum=0.5, clipnorm=1.0)).replace("0.5", repr(one.schedule), 1)
    config = one.get_config()
    assert config["learning_rate"] == schedules.serialize(ExponentialDecay(0.1, 2, 0.5))
    for other in (SGD.from_config(config), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert repr(other) == repr(one)
        assert other.get_config() == config
    own = pickle.loads(pickle.dumps(SGD(Asked(abs))))
    assert isinstance(own.schedule, Asked)
    config = {**SGD(Asked(abs)).get_config()}
    assert config["learning_rate"] == {"class_name": "Asked", "config": {}}
    assert isinstance(SGD.from_config(config, {"Asked": Asked}).schedule, Asked)
    assert SGD(ExponentialDecay(0.25, 2, 0.5)).learning_rate == 0.25


@pytest.mark.parametrize("way", ["file", "pickle"])
@pytest.mark.parametrize(("name", "given"), CASES)
def test_training_goes_on_after_saving(way: str, name: str, given: dict[str, Any], tmp_path: Path) -> None:
    whole, halves = (made(Adam(schedules.CLASSES[name](**given))) for _ in range(2))
    for model in (whole, halves):
        model.fit(X, Y, batch_size=200, verbose=0)
    if way == "file":
        halves.save(tmp_path / "m")
        found = models.load_model(tmp_path / "m")
    else:
        found = pickle.loads(pickle.dumps(halves))
    for model in (whole, found):
        model.fit(X, Y, batch_size=200, verbose=0)
    assert bits(whole) == bits(found)
    assert repr(whole.optimizer) == repr(found.optimizer)


def test_models_with_one_of_a_users_own_cannot_be_saved(tmp_path: Path) -> None:
    model = made(SGD(Asked()))
    with pytest.raises(ValueError, match=r"its class Asked is not one of nncore. Weights can be saved"):
        model.save(tmp_path / "m")
    assert [*tmp_path.iterdir()] == []
    model.save_weights(tmp_path / "w")
    other = made("sgd")
    other.load_weights(tmp_path / "w")
    assert bits(other) == bits(model)


def test_a_schedule_is_an_argument_of_all_optimizers() -> None:
    for cls in optimizers.CLASSES.values():
        model = made(cls(ExponentialDecay(0.01, 10, 0.5)))
        model.fit(X, Y, batch_size=200, verbose=0)
        assert model.optimizer is not None
        assert float(model.optimizer.learning_rate) == pytest.approx(0.01 * 0.5**0.6)
