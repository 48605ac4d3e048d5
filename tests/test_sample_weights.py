"""One rule for sample weights, in fit, evaluate, single batches, losses and metrics: Keras'.

The expected numbers were computed with Keras 3.15.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncore
from nncore import losses, metrics
from nncore.layers import Dense, Input, Reshape

LABELS, SCORES = np.array([1, 1, 0, 0]), np.array([0.98, 1.0, 0.0, 0.6])
ONE_IN_FOUR = np.array([1, 0, 0, 1])
PAIRS, GUESSES = np.array([[1, 0], [1, 0]]), np.array([[0.9, 0.8], [0.3, 0.1]])
STEPS = np.arange(12.0).reshape(2, 3, 2)
IN_STEPS = np.array([[1, 0, 2], [3, 1, 1]])
CLASSES, ROWS = np.arange(3), np.eye(3)[[0, 1, 1]] * 0.8 + 0.1


def column(values: Any) -> Any:
    return np.asarray(values)[..., None]


METRICS: list[tuple[type, Any, Any, Any, float]] = [
    (metrics.BinaryAccuracy, LABELS, SCORES, None, 0.75),
    (metrics.BinaryAccuracy, LABELS, SCORES, ONE_IN_FOUR, 0.5),
    (metrics.BinaryAccuracy, LABELS, SCORES, column(ONE_IN_FOUR), 0.5),
    (metrics.BinaryAccuracy, column(LABELS), column(SCORES), ONE_IN_FOUR, 0.5),
    (metrics.BinaryAccuracy, column(LABELS), column(SCORES), column(ONE_IN_FOUR), 0.5),
    (metrics.BinaryAccuracy, LABELS, column(SCORES), column(ONE_IN_FOUR), 0.5),
    (metrics.BinaryAccuracy, column(LABELS), SCORES, ONE_IN_FOUR, 0.5),
    (metrics.BinaryAccuracy, PAIRS, GUESSES, np.eye(2), 1.0),
    (metrics.BinaryAccuracy, PAIRS, GUESSES, [[1], [3]], 0.5),
    (metrics.BinaryAccuracy, PAIRS, GUESSES, [1, 3], 0.5),
    (metrics.BinaryAccuracy, PAIRS, GUESSES, [[1, 0]], 0.5),
    (metrics.BinaryAccuracy, PAIRS, GUESSES, 2.0, 0.5),
    (metrics.MeanSquaredError, PAIRS, GUESSES, [[1], [3]], 0.26875),
    (metrics.MeanSquaredError, PAIRS, GUESSES, [1, 3], 0.26875),
    (metrics.MeanSquaredError, 0 * STEPS, STEPS, [1, 3], 58.666667),
    (metrics.MeanSquaredError, 0 * STEPS, STEPS, [[1], [3]], 58.666667),
    (metrics.MeanSquaredError, 0 * STEPS, STEPS, IN_STEPS, 44.0),
    (metrics.MeanSquaredError, 0 * STEPS, STEPS, column(IN_STEPS), 44.0),
    (metrics.MeanSquaredError, 0 * STEPS, STEPS, [[1, 2, 3]], 49.5),
    (metrics.MeanSquaredError, 0 * STEPS, STEPS, 2.0, 42.166667),
    (metrics.CategoricalAccuracy, np.eye(3), ROWS, [[1], [2], [3]], 0.5),
    (metrics.SparseCategoricalAccuracy, CLASSES, ROWS, [[1], [2], [3]], 0.5),
    (metrics.SparseCategoricalAccuracy, column(CLASSES), ROWS, [1, 2, 3], 0.5),
]


@pytest.mark.parametrize(("metric", "y", "p", "weight", "value"), METRICS)
def test_metrics_on_arrays(metric: Any, y: Any, p: Any, weight: Any, value: float) -> None:
    assert metric()(y, p, sample_weight=weight) == pytest.approx(value, rel=1e-6)


def test_samples_count_by_their_weights_over_all_updates() -> None:
    metric = metrics.BinaryAccuracy()
    metric.update_state(PAIRS, GUESSES, [[0, 1], [2, 0]])  # two samples of weights 1/2 and 1, none right
    assert metric.result() == 0.0
    metric.update_state(PAIRS, GUESSES)  # two samples, half right
    assert metric.result() == pytest.approx(1 / 3.5)
    metric = metrics.MeanSquaredError()
    metric.update_state(np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    metric.update_state(np.zeros((1, 3, 1)), np.zeros((1, 3, 1)))  # samples count, not their time steps
    assert metric.result() == 0.5


def test_nothing_to_count() -> None:
    metric = metrics.BinaryAccuracy()
    metric.update_state(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    assert metric.result() == 0.0
    assert losses.MeanSquaredError()(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)) == 0.0
    metric.update_state(PAIRS, GUESSES, [0, 0])
    assert metric.result() == 0.0


LOSSES: list[tuple[type, Any, Any, Any, float]] = [
    (losses.MeanSquaredError, PAIRS, GUESSES, [1, 3], 0.5375),
    (losses.MeanSquaredError, PAIRS, GUESSES, [[1], [3]], 0.5375),
    (losses.MeanSquaredError, PAIRS, GUESSES, 2.0, 0.575),
    (losses.MeanSquaredError, PAIRS, GUESSES, [2.0], 0.575),
    (losses.MeanSquaredError, column(LABELS), column(SCORES), ONE_IN_FOUR, 0.0901),
    (losses.MeanSquaredError, column(LABELS), column(SCORES), column(ONE_IN_FOUR), 0.0901),
    (losses.MeanSquaredError, LABELS, column(SCORES), ONE_IN_FOUR, 0.0901),
    (losses.MeanSquaredError, column(LABELS), SCORES, column(ONE_IN_FOUR), 0.0901),
    (losses.MeanSquaredError, LABELS, SCORES, None, 0.0901),
    (losses.MeanSquaredError, 0 * STEPS, STEPS, [[1], [3]], 117.333333),
    (losses.MeanSquaredError, 0 * STEPS, STEPS, IN_STEPS, 58.666667),
    (losses.MeanSquaredError, 0 * STEPS, STEPS, column(IN_STEPS), 58.666667),
    (losses.SparseCategoricalCrossentropy, CLASSES, ROWS, [[1], [2], [3]], 2.598566),
    (losses.SparseCategoricalCrossentropy, column(CLASSES), ROWS, [1, 2, 3], 2.598566),
]


@pytest.mark.parametrize(("loss", "y", "p", "weight", "value"), LOSSES)
def test_losses_on_arrays(loss: Any, y: Any, p: Any, weight: Any, value: float) -> None:
    assert loss()(y, p, sample_weight=weight) == pytest.approx(value, rel=1e-5)


def test_one_weight_a_sample_stands_for_all_its_rows() -> None:
    assert losses.MeanSquaredError()(0 * STEPS, STEPS, [1, 3]) == pytest.approx(117.333333)


WRONG: list[tuple[Any, str]] = [
    (np.ones(3), r"sample_weight.*got \(3,\)"),
    (np.ones((4, 2)), r"sample_weight.*got \(4, 2\)"),
    (np.ones((4, 1, 1, 1)), r"sample_weight.*got \(4, 1, 1, 1\)"),
    (["a"] * 4, "sample_weight must hold real numbers"),
    (np.ones(4, complex), "sample_weight must hold real numbers"),
    ([[1], [2, 3]], "sample_weight must have rows of equal length"),
]


@pytest.mark.parametrize(("weight", "text"), WRONG)
@pytest.mark.parametrize(
    "thing", [losses.MeanSquaredError(), metrics.BinaryAccuracy(), metrics.MeanSquaredError()], ids=repr
)
def test_weights_that_do_not_fit(thing: Any, weight: Any, text: str) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"^\[{thing.name}\] {text}"):
        thing(column(LABELS), column(SCORES), sample_weight=weight)


@pytest.mark.parametrize("thing", [losses.MeanSquaredError(), metrics.MeanAbsoluteError()], ids=repr)
def test_weights_for_the_elements_of_a_single_row(thing: Any) -> None:
    with pytest.raises(ValueError, match=r"an axis of samples, got shape \(4,\): .*\(4, 1\)"):
        thing(LABELS, SCORES, sample_weight=ONE_IN_FOUR)


# ---- the same numbers from a model

MODEL_LOSS = [
    row
    for row in LOSSES
    if np.ndim(row[2]) == 2 and np.shape(row[3]) in ((2,), (2, 1), (3,), (3, 1), (4,), (4, 1))
]


def identity(shape: tuple[int, ...], loss: Any, metric: Any = None) -> nncore.Sequential:
    model = nncore.Sequential([Input(shape), Reshape(shape)])
    model.compile("sgd", loss, weighted_metrics=[metric] if metric else None)
    return model


@pytest.mark.parametrize(("loss", "y", "p", "weight", "value"), MODEL_LOSS)
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_takes_weights_as_its_loss_does(
    method: str, loss: Any, y: Any, p: Any, weight: Any, value: float
) -> None:
    model = identity(p.shape[1:], loss())
    options = {} if method.endswith("batch") else {"verbose": 0}
    result = getattr(model, method)(p, y, sample_weight=weight, **options)
    assert (result.history["loss"][0] if method == "fit" else result) == pytest.approx(value, rel=1e-5)


def test_a_model_takes_weights_as_its_metrics_do() -> None:
    weight = np.array([[1], [3]])
    found = identity((2,), "mse", metrics.MeanSquaredError()).evaluate(
        PAIRS, GUESSES, sample_weight=weight, verbose=0
    )
    assert found[1] == pytest.approx(0.26875)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("weight", [np.ones((2, 3)), np.ones((2, 3, 1)), np.ones((2, 3, 2))], ids=np.shape)
def test_a_model_says_that_it_takes_no_weights_within_samples(method: str, weight: Any) -> None:
    model = identity((3, 2), "mse")
    with pytest.raises(ValueError, match="weights of single elements or time steps are not available"):
        getattr(model, method)(STEPS, STEPS, sample_weight=weight)


def test_dense_weights_are_those_of_repeated_samples() -> None:
    model = nncore.Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    y = np.array([0.0, 3.0])
    weighted = model.evaluate(GUESSES, y, sample_weight=[[1], [3]], verbose=0)
    repeated = model.evaluate(GUESSES[[0, 1, 1, 1]], y[[0, 1, 1, 1]], verbose=0)
    assert weighted[1] == pytest.approx(repeated[1])
    assert weighted[0] == pytest.approx(2 * repeated[0])  # a sum over two samples, not over their weights
