"""Focal cross-entropies, in which targets with high probabilities count less (Lin et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..common.arguments import boolean, require_default
from ..common.operations import wide
from ..common.rows import loss
from ._base import Floats, Loss, mean
from .probabilistic import activated, clipped, inside, smoothed, summed

__all__ = [
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
]

# ---- slopes and shared functions; t and y are y_true and y_pred as arrays of float64


def _slope_of_power(q: Floats, exponent: float) -> Floats:
    return exponent * q ** (exponent - 1.0) if exponent else np.zeros_like(q)


def _binary(
    t: Floats,
    y: Floats,
    apply_class_balancing: bool,
    alpha: float,
    gamma: float,
    from_logits: bool,
    label_smoothing: float,
) -> tuple[Floats, Floats]:
    """Value and slope of each element."""
    t = smoothed(t, label_smoothing, 2)
    x = activated("sigmoid", y) if from_logits else y
    p, missed = clipped(x), t * (1.0 - x) + (1.0 - t) * x
    entropy = -t * np.log(p) - (1.0 - t) * np.log(1.0 - p)
    by_p = ((1.0 - t) / (1.0 - p) - t / p) * inside(x)
    slope = missed**gamma * by_p + _slope_of_power(missed, gamma) * (1.0 - 2.0 * t) * entropy
    weight = t * alpha + (1.0 - t) * (1.0 - alpha) if apply_class_balancing else 1.0
    slope = weight * slope * (x * (1.0 - x) if from_logits else 1.0)
    return np.asarray(weight * missed**gamma * entropy), slope


def _slope_of_binary(t: Floats, y: Floats, *settings: Any) -> Floats:
    """that of weight * (1 - p)^gamma * -log(p), by the product rule, over columns."""
    return np.asarray(_binary(t, y, *settings)[1] / y.shape[-1])


def _categorical(
    t: Floats, y: Floats, alpha: float, gamma: float, from_logits: bool, label_smoothing: float
) -> tuple[Floats, Floats]:
    """Value of each element, and slope of their sum."""
    t = smoothed(t, label_smoothing, y.shape[-1])
    total = summed(y)
    q = activated("softmax", y) if from_logits else y / total
    p = clipped(q)
    factor = alpha * t * (1.0 - p) ** gamma
    slope = alpha * t * _slope_of_power(1.0 - p, gamma) * np.log(p) - factor / p
    slope = slope * inside(q)
    return -factor * np.log(p), (slope - summed(slope * q)) * (q if from_logits else 1.0 / total)


def _slope_of_categorical(t: Floats, y: Floats, *settings: Any) -> Floats:
    """that of -alpha * t * (1 - p)^gamma * log(p), by the product rule, as of `categorical_crossentropy`."""
    return _categorical(t, y, *settings)[1]


# ---- the functions


@loss(
    _slope_of_binary,
    "bits",
    ({"apply_class_balancing": True}, {"gamma": 3.5, "label_smoothing": 0.2}, {"from_logits": True}),
)
def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """Mean of -(1 - p)^gamma * log(p) over the last axis, where p is the probability of the target.

    Args:
        y_true: targets t in [0, 1].
        y_pred: probabilities, or with from_logits numbers whose sigmoid they are.
        apply_class_balancing: weights the values with alpha where t is 1, and with 1 - alpha where it is 0.
        alpha: in [0, 1]; default 0.25.
        gamma: at least 0, default 2: how much less targets count that are hit already.
        label_smoothing: s in [0, 1] replaces t by t * (1 - s) + s / 2.

    >>> binary_focal_crossentropy([[1, 1]], [[0.5, 0.9]]).round(4).tolist()
    [0.08720000088214874]
    """
    settings = (apply_class_balancing, alpha, gamma, from_logits, label_smoothing)
    return mean(_binary(wide(y_true), wide(y_pred), *settings)[0])


@loss(
    _slope_of_categorical,
    "one-hot",
    ({"gamma": 3.5, "alpha": 1.5, "label_smoothing": 0.2}, {"from_logits": True}),
)
def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """-sum(alpha * t * (1 - p)^gamma * log(p)) over the last axis.

    Args:
        y_true: targets t, one-hot or any weights for the classes.
        y_pred: divided by its sum and clipped it is p, or with from_logits p = softmax(y_pred).
        alpha: a number, at least 0, for all classes; default 0.25.
        gamma: at least 0, default 2: how much less targets count that are hit already.
        label_smoothing: s in [0, 1] replaces t by t * (1 - s) + s / classes.

    >>> categorical_focal_crossentropy([[0, 1], [0, 1]], [[0.5, 0.5], [0.1, 0.9]]).round(4).tolist()
    [0.043299999088048935, 0.0003000000142492354]
    """
    settings = (alpha, gamma, from_logits, label_smoothing)
    return np.asarray(_categorical(wide(y_true), wide(y_pred), *settings)[0].sum(axis=-1))


# ---- the classes


class BinaryFocalCrossentropy(Loss):
    """As the function `binary_focal_crossentropy`, averaged over all rows.

    Args:
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing: as of the function.
        axis: -1; others are not available.
        reduction: see `Loss`.
        name: default "binary_focal_crossentropy".
        dtype: None or "float32".
    """

    _function = staticmethod(binary_focal_crossentropy)

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        super().__init__(name, reduction, dtype)
        require_default(owner, "axis", axis, -1)
        self.apply_class_balancing = boolean(owner, "apply_class_balancing", apply_class_balancing)
        self._set(alpha=alpha, gamma=gamma, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalFocalCrossentropy(Loss):
    """As the function `categorical_focal_crossentropy`, averaged over all rows.

    Args:
        alpha, gamma, from_logits, label_smoothing: as of the function.
        axis: -1; others are not available.
        reduction: see `Loss`.
        name: default "categorical_focal_crossentropy".
        dtype: None or "float32".
    """

    _function = staticmethod(categorical_focal_crossentropy)

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        require_default(type(self).__name__, "axis", axis, -1)
        self._set(alpha=alpha, gamma=gamma, from_logits=from_logits, label_smoothing=label_smoothing)
