"""A framework's process: trains, checks that it has learnt, times, and prints one line of JSON.

    python -m benchmarks.frameworks.run FRAMEWORK WORKLOAD [--quick]

Import, data, their conversion to the framework's arrays, and a few warming batches are not in the times.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from benchmarks import timing
from benchmarks.frameworks import data
from benchmarks.workloads import NUMBER, YES_OR_NO, Training, training

Array = np.ndarray[Any, Any]


class Model(Protocol):
    """What `make(Training)` of a framework's module returns."""

    def arrays(self, x: Array, y: Array) -> tuple[Any, Any]:
        """Samples and labels in the framework's preferred types."""

    def fits(self) -> dict[str, Callable[[Any, Any, int, int], Any]]:
        """Ways of training, by a name that is empty for the usual one: (x, y, batch, epochs)."""

    def predict(self, x: Any, batch: int) -> Array:
        """Probabilities (n, classes), or (n, 1) of a binary model."""

    def calls(self) -> dict[str, Callable[[Any], Any]]:
        """Ways of predicting one sample, x (1, ...), by name."""


def make(framework: str, of: Training) -> Model:
    model: Model = importlib.import_module(f"benchmarks.frameworks.{framework}_").make(of)
    return model


def require_learnt(probabilities: Array, y: Array, of: Training) -> float:
    """Accuracy; of numbers 1 - the share of their variance that is left. SystemExit if it is below what `of`
    expects.
    """
    if of.loss == NUMBER:
        accuracy = 1 - float(np.mean((probabilities.reshape(-1) - y) ** 2) / np.var(y))
    else:
        binary = of.loss == YES_OR_NO and probabilities.size == y.size
        found = probabilities.reshape(-1) > 0.5 if binary else probabilities.argmax(axis=1)
        accuracy = float(np.mean(found == y))
    if accuracy < of.least:
        raise SystemExit(
            f"has not learnt: expected a test accuracy of {of.least} or more, got {accuracy:.3f}"
        )
    return accuracy


def time_training(model: Model, of: Training, x: Any, y: Any) -> dict[str, float]:
    seconds = {}
    # the first of many epochs, or some batches with one of the last one's size, so that all is compiled
    warm = of.samples if of.epochs > 1 else 2 * of.batch + of.samples % of.batch
    for name, fit in model.fits().items():
        fit(x[:warm], y[:warm], of.batch, 1)
        start = time.perf_counter()
        fit(x, y, of.batch, of.epochs)
        seconds[name] = time.perf_counter() - start
    return seconds


def time_predictions(model: Model, x: Any, batch: int, quick: bool) -> dict[str, dict[str, float]]:
    seconds, one = 0.0 if quick else 1.0, x[:1]
    return {
        "predict one": {way: timing.block(partial(f, one), seconds) for way, f in model.calls().items()},
        "predict 10,000": {"": timing.block(partial(model.predict, x, batch), seconds)},
    }


def main(framework: str, workload: str, quick: bool) -> dict[str, Any]:
    """{"figures": {figure: {way: seconds or MB}}, "accuracy": of what was trained}"""
    of = training("mnist_cnn" if workload == "memory" else workload, quick)
    x, y, x_test, y_test = data.load(of, quick)
    model = make(framework, of)
    result: dict[str, Any] = {"figures": {}}
    if model.fits():
        result["figures"]["train"] = time_training(model, of, *model.arrays(x, y))
    if workload == "memory":
        result["figures"] = {"memory": {"": data.peak_memory()}}
    xs, _ = model.arrays(x_test, y_test)
    if model.fits():
        result["accuracy"] = require_learnt(model.predict(xs, of.batch), y_test, of)
    if workload == "mnist_cnn":
        result["figures"] |= time_predictions(model, xs, of.batch, quick)
    return result


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], "--quick" in sys.argv)))
