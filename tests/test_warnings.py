"""Every warning points at the line of the user's program that led to it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks
from nncore.layers import Dense, Input

X, Y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)


def make() -> nncore.Sequential:
    model = nncore.Sequential([Input((2,)), Dense(3), Dense(1)])
    model.compile("sgd", "mse")
    return model


def changed() -> nncore.Sequential:
    model = make()
    model.layers[0].trainable = False
    return model


class Again:
    """A source of two batches that can be iterated again."""

    def __iter__(self) -> Iterator[Any]:
        return batches()


def batches() -> Iterator[Any]:
    yield X[:4], Y[:4]
    yield X[4:], Y[4:]


class Evaluates(callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.evaluate(X, Y, batch_size=4, steps=3, verbose=0)


class Alone(callbacks.EarlyStopping):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)


def stopping(kind: type[callbacks.EarlyStopping] = callbacks.EarlyStopping) -> callbacks.EarlyStopping:
    return kind("val_loss")


CASES: dict[str, tuple[str, Callable[[], Any]]] = {
    "fit, rows": ("ran out", lambda: make().fit(X, Y, 4, steps_per_epoch=3, verbose=0)),
    "fit, rows, later": ("ran out", lambda: make().fit(X, Y, 3, epochs=2, steps_per_epoch=2, verbose=0)),
    "fit, batches": ("ran out", lambda: make().fit(Again(), steps_per_epoch=3, verbose=0)),
    "fit, batches, bar of lines": ("ran out", lambda: make().fit(Again(), steps_per_epoch=3, verbose=2)),
    "fit, batches watched": (
        "ran out",
        lambda: make().fit(
            Again(),
            steps_per_epoch=3,
            verbose=0,
            callbacks=callbacks.LambdaCallback(on_batch_end=lambda batch, logs: None),
        ),
    ),
    "fit, ended": ("the data ended before epoch 2", lambda: make().fit(batches(), epochs=2, verbose=0)),
    "validation, rows": (
        "ran out",
        lambda: make().fit(X, Y, 4, validation_data=(X, Y), validation_steps=3, verbose=0),
    ),
    "validation, batches": (
        "ran out",
        lambda: make().fit(X, Y, validation_data=Again(), validation_steps=3, verbose=0),
    ),
    "validation, used up": (
        "used up",
        lambda: make().fit(X, Y, epochs=2, validation_data=batches(), validation_steps=2, verbose=0),
    ),
    "evaluate, rows": ("ran out", lambda: make().evaluate(X, Y, batch_size=4, steps=3, verbose=0)),
    "evaluate, batches": ("ran out", lambda: make().evaluate(Again(), steps=3, verbose=0)),
    "evaluate in a callback": ("ran out", lambda: make().fit(X, Y, verbose=0, callbacks=Evaluates())),
    "predict, batches": ("ran out", lambda: make().predict(Again(), steps=3)),
    "trainable": ("call compile again", lambda: changed().fit(X, Y, verbose=0)),
    "early stopping": ("not in the logs", lambda: make().fit(X, Y, verbose=0, callbacks=stopping())),
    "early stopping, derived": (
        "not in the logs",
        lambda: make().fit(X, Y, verbose=0, callbacks=stopping(Alone)),
    ),
    "early stopping alone": ("not in the logs", lambda: stopping().on_epoch_end(0, {"loss": 1.0})),
}


def test_warnings_point_at_the_users_line() -> None:
    elsewhere = []
    for name, (message, act) in CASES.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            act()
        assert caught, name
        assert any(message in str(one.message) for one in caught), name
        elsewhere += [(name, one.filename, one.lineno) for one in caught if one.filename != __file__]
    assert not elsewhere


def test_the_line_is_that_of_the_call() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make().evaluate(Again(), steps=3, verbose=0)
    lines = Path(__file__).read_text().splitlines()
    assert [lines[one.lineno - 1].strip() for one in caught] == [
        "make().evaluate(Again(), steps=3, verbose=0)"
    ]


def test_codes_in_names_are_escaped() -> None:
    model = nncore.Sequential([Input((2,)), Dense(1, name="a\x1b[31m")], name="b\x1b[31m")
    model.compile("sgd", "mse")
    model.layers[0].trainable = False
    with pytest.warns(UserWarning, match=r"\[b\\x1b\[31m\] `trainable` of a\\x1b\[31m was"):
        model.fit(X, Y, verbose=0)


def test_all_warnings_go_one_way() -> None:
    """warnings.warn stands in one place, which finds the user's line."""
    package = Path(nncore.__file__).parent
    found = [
        path.name
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "warn"
    ]
    assert len(found) == 1, found


def test_no_warning_beside_an_error() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="whole numbers"):
            nncore.utils.to_categorical([value, 1.0])


class Box:
    """The methods of a model that EarlyStopping needs."""

    def __init__(self) -> None:
        self.weights, self.stop_training = [np.zeros(1)], False

    def get_weights(self) -> list[np.ndarray]:
        return [w.copy() for w in self.weights]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weights = weights


def train(stop: callbacks.EarlyStopping, values: list[float]) -> tuple[Box, int]:
    """A custom training loop: the model afterwards, and the number of epochs."""
    model = Box()
    stop.set_model(model)  # type: ignore[arg-type]
    stop.on_train_begin()
    for epoch, value in enumerate(values):
        stop.on_epoch_begin(epoch)
        model.weights = [np.full(1, float(epoch))]
        stop.on_epoch_end(epoch, {stop.monitor: value})
        if model.stop_training:
            break
    stop.on_train_end()
    return model, epoch + 1


@pytest.mark.parametrize(
    ("monitor", "mode", "largest"),
    [
        ("loss", "auto", False),
        ("val_loss", "auto", False),
        ("val_mae", "auto", False),
        ("mean_squared_error", "auto", False),
        ("acc", "auto", True),
        ("val_accuracy", "auto", True),
        ("val_sparse_categorical_accuracy", "auto", True),
        ("top_5_accuracy", "auto", True),
        ("my_acc", "auto", True),
        ("val_auc", "auto", True),
        ("auc_1", "auto", True),
        ("f1", "max", True),
        ("accuracy", "min", False),
    ],
)
def test_early_stopping_of_another_model(monitor: str, mode: str, largest: bool) -> None:
    stop = callbacks.EarlyStopping(monitor, patience=1, mode=mode, restore_best_weights=True)
    values = [0.5, 0.7, 0.6, 0.1]
    model, epochs = train(stop, values if largest else [1 - value for value in values])
    assert (epochs, stop.best_epoch, model.weights[0].tolist()) == (3, 1, [1.0])


@pytest.mark.parametrize("monitor", ["f1", "val_gain", "reward"])
def test_early_stopping_does_not_guess(monitor: str) -> None:
    """Like Keras it raises an error: a training that stops by the wrong direction would go unnoticed."""
    with pytest.raises(
        ValueError, match=rf"\[EarlyStopping\] monitor='{monitor}'.* mode must be 'min' or 'max'"
    ):
        train(callbacks.EarlyStopping(monitor), [1.0])
