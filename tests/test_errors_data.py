"""Bad data and wrong calls: one row a case. Each raises before work starts, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nncore
from nncore import callbacks, optimizers
from nncore.layers import Conv2D, Dense, Input

Row = tuple[str, type[Exception], str, Callable[[], object]]

X = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
Y1 = np.arange(20) % 2
Y4 = np.arange(20) % 4
HOT = np.eye(4)[Y4]


def Sequential(*layers: Any) -> nncore.Sequential:
    return nncore.Sequential(list(layers))


def built(**compile_arguments: Any) -> nncore.Sequential:
    model = Sequential(Input((3,)), Dense(4, activation="relu"), Dense(1, activation="sigmoid"))
    if compile_arguments:
        model.compile(**compile_arguments)
    return model


# Arguments of a method of a model with 3 inputs and 4 classes.
Case = tuple[str, type[Exception], str, str, tuple[Any, ...], dict[str, Any]]


def batches(*items: Any) -> Any:
    """A new iterator for each test."""
    return partial(iter, items)


# fmt: off
DATA: list[Case] = [
    ("too few columns", ValueError, r"samples of shape \(3,\), got \(2,\)", "fit", (X[:, :2], Y4), {}),
    ("too many axes", ValueError, "samples of shape", "fit", (X[:, None, None], Y4), {}),
    ("one sample without its axis", ValueError, "samples of shape|same number", "fit", (X[0], Y4[:3]), {}),
    ("a number", ValueError, "must have an axis of samples", "fit", (3.0, Y4), {}),
    ("None", TypeError, "x must be an array of numbers, got NoneType", "fit", (None, Y4), {}),
    ("a text", TypeError, "x must be an array of numbers, got str", "fit", ("data.csv", Y4), {}),
    ("a dict", TypeError, "x must be an array of numbers, got dict", "fit", ({"a": X}, Y4), {}),
    ("array of texts", TypeError, "real numbers, got text", "fit", (np.full((20, 3), "a"), Y4), {}),
    ("array of bytes", TypeError, "real numbers, got bytes", "fit", (np.full((20, 3), b"a"), Y4), {}),
    ("array of objects", TypeError, "real numbers, got objects", "fit", (X.astype(object), Y4), {}),
    ("complex numbers", TypeError, "real numbers, got complex", "predict", (X.astype(complex),), {}),
    ("dates", TypeError, "real numbers, got dates", "predict", (np.zeros((2, 3), "datetime64[s]"),), {}),
    ("records", TypeError, "real numbers, got records", "predict", (np.zeros(3, [("a", "f4")]),), {}),
    ("ragged lists", ValueError, "rows of equal length", "fit", ([[1, 2, 3], [4, 5]], [0, 1]), {}),
    ("masked values", TypeError, "masked values", "predict", (np.ma.masked_less(X, 0.5),), {}),
    ("text column", TypeError, r"'b' \(",
     "fit", (pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1, 2]}), [0, 1]), {}),
    ("category column", TypeError, "category",
     "predict", (pd.DataFrame({"a": pd.Categorical(["x"]), "b": [1], "c": [1]}),), {}),
    ("no samples", ValueError, "x has no samples", "fit", (X[:0], Y4[:0]), {}),
    ("empty list", ValueError, "has no samples", "fit", ([], []), {}),
    ("no samples to evaluate", ValueError, "x has no samples", "evaluate", (X[:0], Y4[:0]), {}),
    ("no targets", ValueError, "y must be given", "fit", (X,), {}),
    ("fewer targets", ValueError, "same number of samples, got 20 and 19", "fit", (X, Y4[:-1]), {}),
    ("targets of text", TypeError, "y must hold real numbers", "fit", (X, np.full(20, "cat")), {}),
    ("one-hot targets for the sparse loss", ValueError, "class numbers", "fit", (X, HOT), {}),
    ("class too large", ValueError, "from 0 to 3.*got 4", "fit", (X, np.full(20, 4)), {}),
    ("last class too large", ValueError, "for sample 19", "fit", (X, np.r_[Y4[:-1], 7]), {}),
    ("negative class", ValueError, "got -1", "fit", (X, Y4 - 1), {}),
    ("fractional class", ValueError, "whole numbers", "fit", (X, Y4 + 0.5), {}),
    ("class of NaN", ValueError, "whole numbers", "fit", (X, np.full(20, np.nan)), {}),
    ("class of infinity", ValueError, "whole numbers", "evaluate", (X, np.full(20, np.inf)), {}),
    ("wrong classes in a batch", ValueError, "whole numbers", "train_on_batch", (X, Y4 + 9), {}),
    ("wrong columns in a batch", ValueError, "samples of shape", "test_on_batch", (X[:, :1], Y4), {}),
    ("wrong columns in a call", ValueError, "samples of shape", "__call__", (X[:, :1],), {}),
    ("wrong columns to predict", ValueError, "samples of shape", "predict", (X.T,), {}),
    ("batch size of 0", ValueError, "batch_size must be at least 1", "fit", (X, Y4), {"batch_size": 0}),
    ("fractional batch size", TypeError, "batch_size must be an integer",
     "fit", (X, Y4), {"batch_size": 1.5}),
    ("negative batch size", ValueError, "batch_size must be at least 1", "predict", (X,), {"batch_size": -1}),
    ("negative epochs", ValueError, "epochs must be at least 0", "fit", (X, Y4), {"epochs": -1}),
    ("epochs as text", TypeError, "epochs must be an integer", "fit", (X, Y4), {"epochs": "3"}),
    ("negative first epoch", ValueError, "initial_epoch must be", "fit", (X, Y4), {"initial_epoch": -1}),
    ("verbose of 3", ValueError, "verbose must be 0, 1, 2 or 'auto'", "fit", (X, Y4), {"verbose": 3}),
    ("verbose as text", ValueError, "verbose must be", "evaluate", (X, Y4), {"verbose": "yes"}),
    ("shuffle as text", TypeError, "shuffle must be True or False", "fit", (X, Y4), {"shuffle": "batch"}),
    ("callback as text", TypeError, "callbacks must be instances", "fit", (X, Y4), {"callbacks": ["a"]}),
    ("callback class", TypeError, r"History\(\) is needed",
     "fit", (X, Y4), {"callbacks": [callbacks.History]}),
    ("split of 1", ValueError, "validation_split must be in", "fit", (X, Y4), {"validation_split": 1.0}),
    ("negative split", ValueError, "validation_split must be in", "fit", (X, Y4), {"validation_split": -0.1}),
    ("split as text", TypeError, "validation_split must be a number",
     "fit", (X, Y4), {"validation_split": "a"}),
    ("split of one sample", ValueError, "leaves a part empty",
     "fit", (X[:1], Y4[:1]), {"validation_split": 0.5}),
    ("split of an iterator", ValueError, "validation_split needs arrays",
     "fit", (batches((X, Y4)),), {"validation_split": 0.5}),
    ("validation of an array", TypeError, r"validation_data must be \(x, y\)",
     "fit", (X, Y4), {"validation_data": X}),
    ("validation of four", ValueError, "got 4 items", "fit", (X, Y4), {"validation_data": (X, Y4, Y4, Y4)}),
    ("validation without targets", ValueError, "y must be given", "fit", (X, Y4), {"validation_data": (X,)}),
    ("validation of other columns", ValueError, "samples of shape",
     "fit", (X, Y4), {"validation_data": (X[:, :2], Y4)}),
    ("validation with wrong classes", ValueError, "whole numbers",
     "fit", (X, Y4), {"validation_data": (X, Y4 + 1)}),
    ("endless validation", ValueError, "validation_steps must be given",
     "fit", (X, Y4), {"validation_data": batches((X, Y4))}),
    ("validation every 0 epochs", ValueError, "validation_freq must be at least 1",
     "fit", (X, Y4), {"validation_freq": 0}),
    ("validation at epoch 'a'", TypeError, "validation_freq must be an integer",
     "fit", (X, Y4), {"validation_freq": ["a"]}),
    ("too few weights", ValueError, "one value for each of the 20 samples",
     "fit", (X, Y4), {"sample_weight": np.ones(19)}),
    ("weights of text", TypeError, "sample_weight must hold real numbers",
     "fit", (X, Y4), {"sample_weight": ["a"] * 20}),
    ("weights for columns", ValueError, "one value for each",
     "evaluate", (X, Y4), {"sample_weight": np.ones((20, 2))}),
    ("both kinds of weights", ValueError, "not be given both",
     "fit", (X, Y4), {"sample_weight": np.ones(20), "class_weight": {0: 1}}),
    ("class weights in a list", TypeError, "must be a dict", "fit", (X, Y4), {"class_weight": [1, 2]}),
    ("class weight by name", TypeError, "class numbers as keys",
     "fit", (X, Y4), {"class_weight": {"cat": 1}}),
    ("class weight as text", TypeError, "numbers as values", "fit", (X, Y4), {"class_weight": {0: "a"}}),
    ("zero steps", ValueError, "steps must be at least 1", "fit", (X, Y4), {"steps_per_epoch": 0}),
    ("fractional steps", TypeError, "steps must be an integer", "evaluate", (X, Y4), {"steps": 0.5}),
    ("iterator of nothing", ValueError, "yields no batch", "fit", (batches(),), {}),
    ("iterator and targets", ValueError, "y must not be given", "fit", (batches((X, Y4)), Y4), {}),
    ("iterator and batch size", ValueError, "batch_size must not be given",
     "fit", (batches((X, Y4)),), {"batch_size": 3}),
    ("iterator of arrays only", ValueError, "y must be given", "fit", (batches(X),), {}),
    ("iterator of dicts", TypeError, "got a dict", "fit", (batches({"x": X}),), {}),
    ("iterator of wrong shapes", ValueError, "samples of shape", "fit", (batches((X[:, :2], Y4)),), {}),
    ("iterator of empty batches", ValueError, "has no samples", "fit", (batches((X[:0], Y4[:0])),), {}),
    ("training as text", TypeError, "training must be True or False", "__call__", (X, "yes"), {}),
    ("weights missing", ValueError, "expected 4 weights, got 1", "set_weights", ([np.zeros((3, 5))],), {}),
    ("weights of other shapes", ValueError, r"expected weights of shape \(3, 5\)",
     "set_weights", ([np.zeros((2, 2))] * 4,), {}),
    ("weights of texts", TypeError, "weights must be numbers",
     "set_weights", ([np.full((3, 5), "a")] * 4,), {}),
    ("unknown argument", TypeError, "'epoch'. Did you mean 'epochs'", "fit", (X, Y4), {"epoch": 3}),
]
# fmt: on


def fresh(value: Any) -> Any:
    return value() if isinstance(value, partial) else value


def state(model: nncore.Sequential) -> list[Any]:
    return [w.tobytes() for w in model.get_weights()] + [
        model.optimizer and model.optimizer.iterations,
        model.optimizer and model.optimizer.learning_rate,
        model.built,
        model.input_shape if model.built else None,
        [layer.built for layer in model.layers],
    ]


# Any shape is right for a model that is not built.
UNBUILT = [row for row in DATA if "samples of shape" not in row[2] and row[3] != "set_weights"]
CASES = [(*row, False) for row in DATA] + [(*row, True) for row in UNBUILT]


@pytest.mark.parametrize(
    ("_", "error", "text", "method", "arguments", "options", "deferred"),
    CASES,
    ids=[f"{row[0]}, {'not ' * row[-1]}built" for row in CASES],
)
def test_mistakes_in_the_data_leave_the_model_as_it_was(
    _: str, error: type[Exception], text: str, method: str, arguments: Any, options: Any, deferred: bool
) -> None:
    model = Sequential(Dense(5, activation="relu"), Dense(4, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    if not deferred:
        model.fit(X, Y4, verbose=0)
    before = state(model)
    arguments = [fresh(value) for value in arguments]
    options = {name: fresh(value) for name, value in options.items()}
    with pytest.raises(error, match=text):
        getattr(model, method)(*arguments, **options)
    assert state(model) == before


# fmt: off
SINGLE: list[Row] = [
    ("two columns for one output", ValueError, "expected targets",
     lambda: one().fit(X, np.zeros((20, 2)), verbose=0)),
    ("fit before compile", ValueError, "call compile", lambda: built().fit(X, Y1)),
    ("evaluate before compile", ValueError, "call compile", lambda: built().evaluate(X, Y1)),
    ("train_on_batch before compile", ValueError, "call compile", lambda: built().train_on_batch(X, Y1)),
    ("test_on_batch before compile", ValueError, "call compile", lambda: built().test_on_batch(X, Y1)),
    ("fit without a loss", ValueError, "there is no loss", lambda: built(optimizer="sgd").fit(X, Y1)),
    ("fit without layers", ValueError, "has no layers", lambda: compiled(Sequential()).fit(X, Y1)),
    ("predict without layers", ValueError, "has no layers", lambda: Sequential().predict(X)),
    ("predict with data that do not fit", ValueError, "height, width",
     lambda: Sequential(Conv2D(1, 3)).predict(X)),
    ("stopping by an unknown name", ValueError, "'min' or 'max'",
     lambda: one().fit(X, Y1, callbacks=callbacks.EarlyStopping("gain"))),
    ("learning rate set to text", TypeError, "learning_rate must be", lambda: set_rate("a")),
    ("learning rate set below 0", ValueError, "learning_rate must be", lambda: set_rate(-1.0)),
    ("kernel of another shape", ValueError, "expected weights",
     lambda: built().layers[0].kernel.assign(np.zeros(3))),
    ("layer weights missing", ValueError, "expected 2 weights", lambda: built().layers[0].set_weights([])),
    ("prediction of an empty iterator", ValueError, "yields no batch", lambda: one().predict(iter(()))),
    ("prediction with iterator and batch size", ValueError, "batch_size",
     lambda: one().predict(iter([X]), batch_size=2)),
    ("file that is there", FileExistsError, "overwrite is False",
     lambda: built().save(__file__, overwrite=False)),
    ("file in no folder", FileNotFoundError, "no folder /nowhere/at/all",
     lambda: built().save("/nowhere/at/all/model.safetensors")),
    ("class numbers for one output", ValueError, "needs one output for each class, the model has 1",
     lambda: built(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])),
    ("class numbers for one-hot rows", ValueError, r"\(one-hot; for class numbers use sparse_",
     lambda: several("categorical_crossentropy").fit(X, Y1)),
    ("images for one-hot rows", ValueError, r"got \(2, 2\)$",
     lambda: several("categorical_crossentropy").fit(X, np.zeros((len(X), 2, 2)))),
    ("text in a Series", TypeError, "got the columns 'y'",
     lambda: one().fit(X, pd.Series(["a"] * len(X)))),
]
# fmt: on


def one() -> nncore.Sequential:
    return built(optimizer="sgd", loss="mse")


def several(loss: str) -> nncore.Sequential:
    model = nncore.Sequential([Input(X.shape[1:]), Dense(3, activation="softmax")])
    model.compile("sgd", loss)
    return model


def compiled(model: nncore.Sequential) -> nncore.Sequential:
    model.compile("sgd", "mse")
    return model


def set_rate(rate: Any) -> None:
    one().optimizer.learning_rate = rate  # type: ignore[union-attr]


@pytest.mark.parametrize(("_", "error", "text", "call"), SINGLE, ids=[row[0] for row in SINGLE])
def test_other_mistakes(_: str, error: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(error, match=text):
        call()


def test_a_refused_compile_keeps_the_old_one() -> None:
    model = one()
    model.fit(X, Y1, verbose=0)
    with pytest.raises(ValueError, match="same kind of targets"):
        model.compile("adam", "mse", metrics=["sparse_categorical_accuracy"])
    assert isinstance(model.optimizer, optimizers.SGD)
    assert model.optimizer.iterations == 1
    assert model.metrics_names == ["loss"]


def test_an_optimizer_serves_one_model() -> None:
    optimizer = optimizers.SGD()
    first = built(optimizer=optimizer, loss="mse")
    second = built()
    with pytest.raises(ValueError, match="make a new one"):
        second.compile(optimizer, "mse")
    del first
    second.compile(optimizer, "mse")
    assert second.fit(X, Y1, verbose=0).epoch == [0]


def test_an_error_in_a_later_batch_leaves_the_steps_before_it() -> None:
    model = one()
    before = model.get_weights()
    with pytest.raises(ValueError, match="samples of shape"):
        model.fit(iter([(X, Y1), (X[:, :2], Y1)]), verbose=0)
    assert model.optimizer is not None
    assert model.optimizer.iterations == 1
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    assert model.fit(X, Y1, verbose=0).epoch == [0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_strange_numbers_train_without_a_crash(bad: float) -> None:
    x = X.copy()
    x[3, 1] = bad
    model = one()
    history = model.fit(x, Y1, batch_size=5, verbose=0)
    assert len(history.history["loss"]) == 1
    assert model.predict(x).shape == (20, 1)
