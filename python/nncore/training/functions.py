"""Metrics that run in Python: their arguments in each step, and their results of a pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from ..common.arrays import numbers
from ..metrics import MeanMetricWrapper, Metric
from .feeds import Data


def _of(part: Any, output: int) -> Any:
    return part[output] if isinstance(part, tuple) else part


def _copied(metric: Metric) -> Metric:
    return copy.copy(metric) if isinstance(metric, MeanMetricWrapper) else copy.deepcopy(metric)


def _number(metric: Metric) -> Any:
    """Its result: a float, or an array."""
    found = numbers(metric.name, "result()", metric.result())
    return found if found.ndim else float(found)


class WithFunctions(_core.Sums):
    """Sums of a pass that also has metrics in Python, which are called after each step.

    Args:
        functions: for each metric the number of its output, whether it is weighted, and the metric.
    """

    def __init__(self, functions: list[tuple[int, bool, Metric]]) -> None:
        super().__init__()
        self._each = [(output, weighted, _copied(metric)) for output, weighted, metric in functions]
        self.restart()

    def restart(self) -> None:
        for _, _, metric in self._each:
            metric.reset_state()

    def totals(self) -> list[float]:
        """The sums of all metrics, one after another."""
        return [number for _, _, metric in self._each for number in metric.totals]

    def take_totals(self, totals: list[float]) -> list[float]:
        """Sets the sums from the end of a list, where `totals` is, and returns the rest of the list."""
        for _, _, metric in reversed(self._each):
            first = len(totals) - len(metric.totals)
            metric.totals, totals = totals[first:], totals[:first]
        return totals

    def results(self) -> list[Any]:
        return [_number(metric) for _, _, metric in self._each]

    def step(
        self, network: _core.Network, data: Data, order: Any, start: int, stop: int, work: Callable[..., Any]
    ) -> Any:
        """Runs one step, ``work(out=arrays)``, calls the metrics with its outputs, and returns its result."""
        xs = data.x if isinstance(data.x, tuple) else (data.x,)
        shapes = network.output_shapes([x.shape[1:] for x in xs])
        outs = tuple(np.empty((stop - start, *sizes), np.float32) for sizes in shapes)
        result = work(out=outs if len(outs) > 1 else outs[0])
        rows = np.arange(start, stop) if order is None else order[start:stop]
        for output, weighted, metric in self._each:
            weight = _of(data.weight, output) if weighted else None
            given = None if weight is None else weight[rows]
            metric.update_state(_of(data.y, output)[rows], outs[output], given)
        return result
