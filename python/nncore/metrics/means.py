"""Accuracies, and losses as metrics: means over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arguments import integer, require_default
from ..common.operations import wide
from ..common.rows import metric
from ..losses import (
    categorical_hinge,
    cosine_similarity,
    hinge,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    squared_hinge,
)
from ._base import Floats, Metric

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "TopKCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "categorical_hinge",
    "hinge",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]


@metric("bits", ({"threshold": 0.3},))
def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Floats:
    """Share of each row in which (y_pred > threshold) equals y_true.

    >>> binary_accuracy([[1, 0]], [[0.9, 0.8]]).tolist()
    [0.5]
    """
    return np.asarray(((wide(y_pred) > threshold) == wide(y_true)).mean(axis=-1))


@metric("one-hot")
def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """1 if the largest value of a row has the same index in y_true and y_pred, else 0.

    Of equal values the first counts.

    >>> categorical_accuracy([[0, 1], [0, 1]], [[0.2, 0.8], [0.7, 0.3]]).tolist()
    [1.0, 0.0]
    """
    return wide(np.argmax(wide(y_true), axis=-1) == np.argmax(wide(y_pred), axis=-1))


@metric("classes")
def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """1 if the largest value of a row of y_pred has the index y_true, else 0.

    Of equal values the first counts. y_true holds whole numbers from 0 to classes - 1: (...) or (..., 1).

    >>> sparse_categorical_accuracy([1, 1], [[0.2, 0.8], [0.7, 0.3]]).tolist()
    [1.0, 0.0]
    """
    y = wide(y_pred)
    return wide(np.reshape(y_true, y.shape[:-1]) == np.argmax(y, axis=-1))


def _among_largest(y: Floats, classes: Floats, k: int) -> Floats:
    """1 if fewer than k outputs of a row are larger than that of its class, else 0."""
    own = np.take_along_axis(y, classes[..., np.newaxis], axis=-1)
    return wide((own == own)[..., 0] & ((~(y <= own)).sum(axis=-1) < k))


@metric("one-hot", ({"k": 2},))
def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Floats:
    """1 if fewer than k outputs of a row are larger than the one at the largest target, else 0.

    >>> top_k_categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.1, 0, 0.2]], k=2).tolist()
    [1.0, 0.0]
    """
    return _among_largest(wide(y_pred), np.argmax(wide(y_true), axis=-1), k)


@metric("classes", ({"k": 2},))
def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Floats:
    """1 if fewer than k outputs of a row are larger than that of the class y_true, else 0.

    >>> sparse_top_k_categorical_accuracy([2, 1], [[0.1, 0.9, 0.8], [0.1, 0, 0.2]], k=2).tolist()
    [1.0, 0.0]
    """
    y = wide(y_pred)
    return _among_largest(y, np.reshape(y_true, y.shape[:-1]).astype(np.int64), k)


class BinaryAccuracy(Metric):
    """Share of outputs on the right side of a threshold.

    Args:
        name: default "binary_accuracy".
        dtype: None or "float32".
        threshold: outputs above it count as 1, others as 0; default 0.5.
    """

    _function = staticmethod(binary_accuracy)

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self._set(threshold=threshold)

    def _values(self, y: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
        """A value for each output."""
        return super()._values(y[..., np.newaxis], p[..., np.newaxis])


class CategoricalAccuracy(Metric):
    """Share of rows whose largest output has the index of the 1 in a one-hot target."""

    _function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(Metric):
    """Share of rows whose largest output has the class number as its index."""

    _function = staticmethod(sparse_categorical_accuracy)


class TopKCategoricalAccuracy(Metric):
    """Share of rows in which fewer than k outputs are larger than that of the class of a one-hot target.

    Args:
        k: at least 1; default 5.
        name: default "top_k_categorical_accuracy".
        dtype: None or "float32".
    """

    _function = staticmethod(top_k_categorical_accuracy)

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = integer(type(self).__name__, "k", k)


class SparseTopKCategoricalAccuracy(Metric):
    """As `TopKCategoricalAccuracy`, for targets that are class numbers. from_sorted_ids: False."""

    _function = staticmethod(sparse_top_k_categorical_accuracy)

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        require_default(type(self).__name__, "from_sorted_ids", from_sorted_ids, False)
        self.k = integer(type(self).__name__, "k", k)


class MeanSquaredError(Metric, aliases=("mse", "MSE")):
    """Mean of (y_pred - y_true)**2."""

    _function = staticmethod(mean_squared_error)
    direction = "min"


class MeanAbsoluteError(Metric, aliases=("mae", "MAE")):
    """Mean of |y_pred - y_true|."""

    _function = staticmethod(mean_absolute_error)
    direction = "min"


class MeanAbsolutePercentageError(Metric, aliases=("mape", "MAPE")):
    """100 times the mean of |y_pred - y_true| / |y_true|."""

    _function = staticmethod(mean_absolute_percentage_error)
    direction = "min"


class SquaredHinge(Metric):
    """Mean of max(1 - t * y_pred, 0)^2, of targets t of -1 and 1; 0 stands for -1."""

    _function = staticmethod(squared_hinge)
    direction = "min"


class Hinge(Metric):
    """Mean of max(1 - t * y_pred, 0), of targets t of -1 and 1; 0 stands for -1."""

    _function = staticmethod(hinge)
    direction = "min"


class CategoricalHinge(Metric):
    """Mean of `losses.categorical_hinge`, of one-hot targets."""

    _function = staticmethod(categorical_hinge)
    direction = "min"


class MeanSquaredLogarithmicError(Metric, aliases=("msle", "MSLE")):
    """Mean of (log(1 + y_pred) - log(1 + y_true))^2."""

    _function = staticmethod(mean_squared_logarithmic_error)
    direction = "min"


class LogCoshError(Metric):
    """Mean of log(cosh(y_pred - y_true)). name: default "logcosh"."""

    _function = staticmethod(log_cosh)
    direction = "min"

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class Poisson(Metric):
    """Mean of y_pred - y_true * log(y_pred + 1e-7)."""

    _function = staticmethod(poisson)
    direction = "min"


class CosineSimilarity(Metric):
    """Mean cosine of the angle between y_true and y_pred, the negative of `losses.cosine_similarity`.

    Args:
        name: default "cosine_similarity".
        dtype: None or "float32".
        axis: -1; others are not available.
    """

    _function = staticmethod(cosine_similarity)
    _result = "negative"

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        require_default("CosineSimilarity", "axis", axis, -1)


class RootMeanSquaredError(Metric):
    """Square root of the mean of (y_pred - y_true)**2 over all rows so far."""

    _function = staticmethod(mean_squared_error)
    direction = "min"
    _result = "root"
