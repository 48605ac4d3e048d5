"""Regression losses: distances of numbers from their targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..common.arguments import require_default
from ..common.operations import wide
from ..common.rows import loss
from ._base import LEAST, Floats, Loss, Plain, mean

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
]

# ---- slopes; t and y are y_true and y_pred as arrays of float64


def _slope_of_squared_error(t: Floats, y: Floats) -> Floats:
    """2 * (y_pred - y_true) / columns."""
    return np.asarray(2.0 * (y - t) / y.shape[-1])


def _slope_of_absolute_error(t: Floats, y: Floats) -> Floats:
    """sign(y_pred - y_true) / columns; 0 where they are equal."""
    return np.asarray(np.sign(y - t) / y.shape[-1])


def _slope_of_percentage_error(t: Floats, y: Floats) -> Floats:
    """100 * sign(y_pred - y_true) / |y_true| / columns; 0 where they are equal."""
    return np.asarray(100.0 * np.sign(y - t) / np.maximum(np.abs(t), LEAST) / y.shape[-1])


def _log_of_one_more(x: Floats) -> Floats:
    return np.log1p(np.maximum(x, LEAST))


def _slope_of_logarithmic_error(t: Floats, y: Floats) -> Floats:
    """2 * (log(1 + y_pred) - log(1 + y_true)) / (1 + y_pred) / columns; 0 where y_pred was raised."""
    d = _log_of_one_more(y) - _log_of_one_more(t)
    return np.asarray(np.where(y < LEAST, 0.0, 2.0 * d / (1.0 + np.maximum(y, LEAST))) / y.shape[-1])


def _slope_of_log_cosh(t: Floats, y: Floats) -> Floats:
    """tanh(y_pred - y_true) / columns."""
    return np.asarray(np.tanh(y - t) / y.shape[-1])


def _length(x: Floats) -> Floats:
    return np.asarray(np.maximum(np.sqrt((x**2).sum(axis=-1, keepdims=True)), LEAST))


def _slope_of_cosine(t: Floats, y: Floats) -> Floats:
    """(y * sum(t * y) - t) / |y_pred|, of the directions t and y; 0 where there is one column."""
    t, y, size = t / _length(t), y / _length(y), _length(y)
    slope = y * (t * y).sum(axis=-1, keepdims=True) - t
    return np.asarray(slope / size if y.shape[-1] > 1 else np.zeros_like(y))


def _slope_of_huber(t: Floats, y: Floats, delta: float) -> Floats:
    """(y_pred - y_true) / columns, with the difference clipped to [-delta, delta]."""
    return np.asarray(np.clip(y - t, -delta, delta) / y.shape[-1])


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


@loss(_slope_of_percentage_error)
def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """100 times the mean of |y_pred - y_true| / |y_true| over the last axis; |y_true| is at least 1e-7.

    >>> mean_absolute_percentage_error([[2, 4]], [[1, 5]]).tolist()
    [37.5]
    """
    t = wide(y_true)
    return 100.0 * mean(np.abs(wide(y_pred) - t) / np.maximum(np.abs(t), LEAST))


@loss(_slope_of_logarithmic_error)
def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of (log(1 + y_pred) - log(1 + y_true))^2 over the last axis; both are raised to at least 1e-7.

    >>> mean_squared_logarithmic_error([[0, 3]], [[1, 3]]).round(4).tolist()
    [0.2401999980211258]
    """
    return mean((_log_of_one_more(wide(y_pred)) - _log_of_one_more(wide(y_true))) ** 2)


@loss(_slope_of_log_cosh)
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of log(cosh(d)) over the last axis, d = y_pred - y_true: about d^2 / 2, or |d| - log(2) if large.

    >>> log_cosh([[0]], [[1000]]).round(2).tolist()
    [999.3099975585938]
    """
    d = wide(y_pred) - wide(y_true)
    return mean(np.logaddexp(d, -d) - np.log(2.0))


@loss(_slope_of_cosine)
def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """-cos of the angle between y_true and y_pred, as vectors along the last axis: -1 for the same direction.

    Norms are at least 1e-7, so that the value for a vector of zeros is 0.

    >>> cosine_similarity([[0, 1], [3, 4]], [[1, 0], [6, 8]]).round(6).tolist()
    [-0.0, -1.0]
    """
    t, y = wide(y_true), wide(y_pred)
    return np.asarray(-(t / _length(t) * (y / _length(y))).sum(axis=-1))


@loss(_slope_of_huber, variants=({"delta": 2.5},))
def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Floats:
    """Mean over the last axis of d^2 / 2 where |d| <= delta, else delta * |d| - delta^2 / 2 (Huber 1964).

    d is y_pred - y_true. At |d| = delta, in [0, inf), the parabola continues as a straight line.

    >>> huber([[0, 0]], [[1, 3]]).tolist()
    [1.5]
    """
    d = np.abs(wide(y_pred) - wide(y_true))
    return mean(np.where(d <= delta, 0.5 * d**2, delta * d - 0.5 * delta**2))


# ---- the classes


class MeanSquaredError(Plain, aliases=("mse", "MSE")):
    """As the function `mean_squared_error`, averaged over all rows."""

    _function = staticmethod(mean_squared_error)


class MeanAbsoluteError(Plain, aliases=("mae", "MAE")):
    """As the function `mean_absolute_error`, averaged over all rows."""

    _function = staticmethod(mean_absolute_error)


class MeanAbsolutePercentageError(Plain, aliases=("mape", "MAPE")):
    """As the function `mean_absolute_percentage_error`, averaged over all rows."""

    _function = staticmethod(mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(Plain, aliases=("msle", "MSLE")):
    """As the function `mean_squared_logarithmic_error`, averaged over all rows."""

    _function = staticmethod(mean_squared_logarithmic_error)


class LogCosh(Plain):
    """As the function `log_cosh`, averaged over all rows."""

    _function = staticmethod(log_cosh)


class Huber(Loss):
    """As the function `huber`, averaged over all rows. delta: a number in [0, inf), default 1."""

    _function = staticmethod(huber)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self._set(delta=delta)


class CosineSimilarity(Loss):
    """As the function `cosine_similarity`, averaged over all rows. axis: -1; others are not available."""

    _function = staticmethod(cosine_similarity)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        require_default("CosineSimilarity", "axis", axis, -1)
