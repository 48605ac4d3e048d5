"""Several Python threads on one model: each call has its own means, and no change of a weight is lost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import nncore
from nncore import layers


def model_of(units: int = 8, optimizer: Any = "sgd") -> tuple[nncore.Sequential, np.ndarray, np.ndarray]:
    nncore.utils.set_random_seed(5)
    model = nncore.Sequential(
        [nncore.Input((4,)), layers.Dense(units, activation="tanh"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy", "mae"], weighted_metrics=["mse"])
    x = np.random.default_rng(6).normal(size=(400, 4)).astype(np.float32)
    return model, x, (x.sum(axis=1) > 0.5).astype(np.float32)


def at_once(*functions: Callable[[], None]) -> None:
    """Runs all functions in threads, and raises the first error."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def repeated(function: Callable[[], Any], expected: Any, times: int) -> Callable[[], None]:
    def check() -> None:
        for _ in range(times):
            assert function() == expected

    return check


def test_evaluations_at_the_same_time_have_their_own_means() -> None:
    model, x, y = model_of()
    weights = np.linspace(0, 2, len(x))
    calls: list[Callable[[], Any]] = [
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.evaluate(x[:77], y[:77], batch_size=5, verbose=0),
        lambda: model.test_on_batch(x[:50], y[:50], return_dict=True),
        lambda: model.evaluate(x, y, sample_weight=weights, verbose=0),
    ]
    at_once(*(repeated(call, call(), 300) for call in calls))


class Asks(nncore.callbacks.Callback):
    """A callback that evaluates the model while it trains."""

    def __init__(self, ask: Callable[[nncore.Sequential], Any]) -> None:
        super().__init__()
        self.ask = ask

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ask(self.model)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.predict(np.ones((3, 4)))


@pytest.mark.parametrize("method", ["evaluate", "test_on_batch", "predict"])
def test_a_question_in_a_callback_leaves_the_means_of_the_epoch(method: str) -> None:
    ask: Callable[[nncore.Sequential], Any] = {
        "evaluate": lambda m: m.evaluate(np.ones((9, 4)), np.ones(9), verbose=0),
        "test_on_batch": lambda m: m.test_on_batch(np.ones((9, 4)), np.ones(9)),
        "predict": lambda m: m.predict(np.ones((9, 4))),
    }[method]
    histories = []
    for callbacks in ([], [Asks(ask)]):
        model, x, y = model_of()
        history = model.fit(x, y, epochs=2, validation_data=(x[:99], y[:99]), callbacks=callbacks, verbose=0)
        histories.append(history.history)
    assert histories[0] == histories[1]


def test_means_that_are_reset_in_a_callback_are_those_of_the_batch() -> None:
    model, x, y = model_of(optimizer=nncore.optimizers.SGD(0.0))
    expected = [model.test_on_batch(x[i : i + 50], y[i : i + 50]) for i in range(0, 400, 50)]
    seen: list[list[float]] = []
    resets = nncore.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: model.reset_metrics(),
        on_train_batch_end=lambda batch, logs: seen.append([logs[key] for key in model.metrics_names]),
    )
    model.fit(x, y, batch_size=50, shuffle=False, callbacks=[resets], verbose=0)
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


@pytest.mark.parametrize("how", ["layer.set_weights", "variable.assign"])
def test_a_weight_set_during_training_undoes_no_step_of_another_layer(how: str) -> None:
    size = 300
    model = nncore.Sequential([nncore.Input((size,)), layers.Dense(size), layers.Dense(1, use_bias=False)])
    model.layers[0].trainable = False
    model.compile(nncore.optimizers.SGD(1.0), "mae")
    # The frozen layer gives 1, and each step adds 1 to all weights of the other.
    frozen = [np.zeros((size, size)), np.ones(size)]
    model.set_weights([*frozen, np.zeros((size, 1))])
    rows = 20
    x, y = np.zeros((rows, size), np.float32), np.full((rows, 1), 1e7)
    fits = 500
    done = threading.Event()

    def train() -> None:
        try:
            for _ in range(fits):
                model.fit(x, y, batch_size=1, verbose=0)
        finally:
            done.set()

    def write() -> None:
        first = model.layers[0]
        while not done.is_set():
            if how == "layer.set_weights":
                first.set_weights(frozen)
            else:
                first.weights[0].assign(frozen[0])
                first.bias.assign(frozen[1])

    at_once(train, write)
    np.testing.assert_array_equal(model.layers[1].get_weights()[0], float(fits * rows))


def test_a_file_saved_during_training_is_of_one_step(tmp_path: Path) -> None:
    # A gradient of 1 in each step: momentum and weights follow from the number of steps alone.
    size, rows, fits = 300, 20, 300
    model = nncore.Sequential([nncore.Input((size,)), layers.Dense(size), layers.Dense(1, use_bias=False)])
    model.layers[0].trainable = False
    model.compile(nncore.optimizers.SGD(1.0, momentum=0.5), "mae")
    model.set_weights([np.zeros((size, size)), np.ones(size), np.zeros((size, 1))])
    x, y = np.zeros((rows, size), np.float32), np.full((rows, 1), -1e7)
    weights, moments = [0.0], [0.0]
    for _ in range(rows * fits):
        moments.append(float(np.float32(0.5 * moments[-1] - 1.0)))
        weights.append(float(np.float32(weights[-1] + moments[-1])))
    done = threading.Event()

    def train() -> None:
        try:
            for _ in range(fits):
                model.fit(x, y, batch_size=1, verbose=0)
        finally:
            done.set()

    def save() -> None:
        number = 0
        while not done.is_set():
            path = tmp_path / f"{number % 3}.safetensors"
            model.save(path)
            number += 1
            loaded, tensors = nncore.models.load_model(path), load_file(path)
            steps = loaded.optimizer.iterations
            last = loaded.layers[1].name
            moment = tensors.get(f"optimizer/momentum/{last}/kernel", np.zeros(size))
            assert set(tensors[f"{last}/kernel"].flat) == {weights[steps]}
            assert set(moment.flat) == {moments[steps]}

    at_once(train, save)


def test_a_model_compiled_anew_while_it_is_evaluated_says_so_or_finishes() -> None:
    model, x, y = model_of()
    done = threading.Event()

    def evaluate() -> None:
        try:
            for _ in range(200):
                with contextlib.suppress(RuntimeError):
                    values = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
                    assert np.isfinite(list(values.values())).all()
        finally:
            done.set()

    def compile_again() -> None:
        while not done.is_set():
            model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
            model.compile("sgd", "binary_crossentropy")

    at_once(evaluate, compile_again)
