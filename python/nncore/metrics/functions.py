"""Metrics that are Python functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..common import custom, names
from ..common.arrays import numbers
from ._base import Metric

__all__ = ["MeanMetricWrapper"]


class MeanMetricWrapper(Metric, aliases=None):
    """The mean of a function's values. ``compile`` wraps functions among its metrics in this class.

    A model calls the function with the arrays of each batch, between two calls of the core: with the targets
    as they were given, and the outputs (samples, ...) that the loss gets, in float32. In training these are
    the outputs before the step, with dropout applied.

    Args:
        fn: ``fn(y_true, y_pred, **kwargs)`` returns an array (samples, ...), in which each sample counts by
            the mean of its values, or one number, which counts as one sample.
        name: default "mean_metric_wrapper"; in ``compile`` the name of the function, in snake case.
        dtype: None or "float32".
        kwargs: further arguments of fn.

    Raises:
        TypeError: fn is no function.

    >>> m = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred))
    >>> m(np.zeros((2, 1)), np.array([[1], [3]]))
    2.0
    """

    direction = ""  # it is unknown whether larger values are better
    in_python = True

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        if not callable(fn):
            raise TypeError(f"[MeanMetricWrapper] fn must be a function, got {fn!r}")
        super().__init__(name, dtype)
        self.fn, self._others = fn, kwargs

    @property
    def totals(self) -> list[float]:
        """The sum of values so far, and their number."""
        return [self._sum, self._count]

    @totals.setter
    def totals(self, totals: list[float]) -> None:
        self._sum, self._count = totals

    @property
    def fn_name(self) -> str:
        """The name of the function in files."""
        return custom.get_registered_name(self.fn)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {**super().get_config(), **self._others}

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Adds samples.

        Args:
            y_true, y_pred: the function is called with them, as arrays.
            sample_weight: weights of the values (samples, ...), or of their first axes.

        Raises:
            TypeError: the function does not return numbers.
            ValueError: weights do not fit the values.
        """
        y, p = np.asarray(y_true), np.asarray(y_pred)
        given = numbers(self.name, "what the function returns", self.fn(y, p, **self._others))
        if sample_weight is not None and not given.ndim:
            raise ValueError(f"[{self.name}] the function must return a value for each sample to be weighted")
        self._add(np.atleast_1d(given).astype(np.float64), y, sample_weight)


def of_function(fn: Callable[..., Any]) -> MeanMetricWrapper:
    """The metric for a function among the metrics of a model."""
    name = getattr(fn, "name", None) or getattr(fn, "__name__", type(fn).__name__)
    return MeanMetricWrapper(fn, names.snake_case(re.sub(r"\W", "", str(name))))
