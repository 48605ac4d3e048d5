"""The base classes of losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..common import arrays
from ..common.arguments import choice
from ..common.rows import OfRows

Floats = NDArray[Any]  # float32, and float64 from the reference


# The bounds of probabilities and divisors are float32 numbers, so that the compiled kernels use the same.
LEAST = float(np.float32(1e-7))
MOST = float(np.float32(1.0 - 1e-7))


def mean(values: Floats) -> Floats:
    """The mean over the last axis."""
    return np.asarray(values.mean(axis=-1))


_REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")


class Loss(OfRows):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled.

    Args:
        name: default the name of the class in snake case.
        reduction: of the weighted values of all rows: "sum_over_batch_size" (default) or "mean" is their
            mean, "sum" their sum, "mean_with_sample_weight" their sum divided by the sum of the weights; None
            or "none" keeps the array (samples, ...), which no model can be trained with.
        dtype: None or "float32".
    """

    _abstract = True
    _uncalled = "call __call__"
    _instead = (
        "Use a loss of nncore.losses with its arguments, several outputs with loss_weights, sample_weight or "
        "class_weight in fit, or a function among the metrics of compile for what is only to be watched"
    )

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)
        self.reduction = choice(type(self).__name__, "reduction", reduction or "none", _REDUCTIONS)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """The reduced weighted values of all rows: a float, or an array without reduction.

        Args:
            y_true, y_pred: targets and predictions. One may lack the other's last axis, if its length is 1.
            sample_weight: weights of the values (samples, ...), or of their first axes; or one for all.

        Raises:
            TypeError: an argument has values that are no real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = arrays.paired(self.name, y_true, y_pred)
        values = self._values(y, p)
        count = float(values.size)
        if sample_weight is not None:
            weights = arrays.weights_of(self.name, sample_weight, values, y)
            weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
            values *= weights
            if self.reduction == "mean_with_sample_weight":
                count = float(np.broadcast_to(weights, values.shape).sum())
        if self.reduction == "none":
            return values.astype(np.float32)
        return float(values.sum()) / (count if self.reduction != "sum" else 1.0) if count else 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        own = {} if self.reduction == _REDUCTIONS[0] else {"reduction": self.reduction}
        return {**super().get_config(), **own}

    def spec(self) -> _core.Spec:
        if self.reduction == "none":
            raise ValueError(f"[{self.name}] a model is trained for one number: reduction must not be None")
        kind, settings = super().spec()
        return kind, {**settings, "reduction": max(0, _REDUCTIONS.index(self.reduction) - 1)}


class Plain(Loss, aliases=None):
    """Base class of losses without settings: reduction, name and dtype, in Keras' order."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)
