"""Errors: how far numbers are from their targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._operations import wide
from .._rows import loss
from ._base import Floats, Loss, mean

__all__ = ["MeanAbsoluteError", "MeanSquaredError", "mean_absolute_error", "mean_squared_error"]

# ---- slopes; t and y are y_true and y_pred as arrays of float64


def _slope_of_squared_error(t: Floats, y: Floats) -> Floats:
    """2 * (y_pred - y_true) / columns."""
    return np.asarray(2.0 * (y - t) / y.shape[-1])


def _slope_of_absolute_error(t: Floats, y: Floats) -> Floats:
    """sign(y_pred - y_true) / columns; 0 where they are equal."""
    return np.asarray(np.sign(y - t) / y.shape[-1])


# ---- the functions


@loss(_slope_of_squared_error)
def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of (y_pred - y_true)^2 over the last axis.

    >>> mean_squared_error([[0, 0]], [[1, 3]]).tolist()
    [5.0]
    """
    return mean((wide(y_pred) - wide(y_true)) ** 2)


@loss(_slope_of_absolute_error)
def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of |y_pred - y_true| over the last axis.

    >>> mean_absolute_error([[0, 0]], [[1, -3]]).tolist()
    [2.0]
    """
    return mean(np.abs(wide(y_pred) - wide(y_true)))


# ---- the classes


class MeanSquaredError(Loss, aliases=("mse", "MSE")):
    """As the function `mean_squared_error`, averaged over all rows."""

    _function = staticmethod(mean_squared_error)

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(Loss, aliases=("mae", "MAE")):
    """As the function `mean_absolute_error`, averaged over all rows."""

    _function = staticmethod(mean_absolute_error)

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)
