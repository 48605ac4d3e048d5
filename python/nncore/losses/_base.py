"""What losses share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common import arrays
from ..common.arguments import require_default
from ..common.rows import OfRows

Floats = NDArray[Any]  # float32, and float64 from the reference


# The bounds of probabilities and divisors are float32 numbers, so that the compiled kernels use the same.
LEAST = float(np.float32(1e-7))
MOST = float(np.float32(1.0 - 1e-7))


def mean(values: Floats) -> Floats:
    """Over the last axis."""
    return np.asarray(values.mean(axis=-1))


class Loss(OfRows):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled."""

    _abstract = True
    _uncalled = "call __call__"
    _instead = "Use a loss of nncore.losses, with sample_weight or class_weight in fit"

    def __init__(
        self, name: str | None = None, reduction: str = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)
        require_default(type(self).__name__, "reduction", reduction, "sum_over_batch_size")
        self.reduction = reduction

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Mean of the weighted values of all rows.

        Args:
            y_true, y_pred: targets and predictions. One may lack the other's last axis, if its length is 1.
            sample_weight: weights of the values (samples, ...), or of their first axes; or one for all.

        Raises:
            TypeError: something does not hold real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = arrays.paired(self.name, y_true, y_pred)
        values = self._values(y, p)
        if sample_weight is not None:
            weights = arrays.weights_of(self.name, sample_weight, values, y)
            values *= weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
        return float(np.mean(values)) if values.size else 0.0


class Plain(Loss, aliases=None):
    """A loss without settings, with the arguments of all in Keras' order."""

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)
