"""Cross-entropies and divergences: how far probabilities are from their targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import activations as _  # noqa: F401 (their references)
from ..common.arguments import require_default
from ..common.operations import ACTIVATIONS, wide
from ..common.rows import loss
from ._base import LEAST, MOST, Floats, Loss, Plain, mean

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "KLDivergence",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "kl_divergence",
    "poisson",
    "sparse_categorical_crossentropy",
]


# ---- slopes and shared functions; t and y are y_true and y_pred as arrays of float64


def clipped(p: Floats) -> Floats:
    return np.clip(p, LEAST, MOST)


def inside(p: Floats) -> Floats:
    """The derivative of `clipped`: 1 between the bounds, 0 beyond them."""
    return ((p >= LEAST) & (p <= MOST)).astype(np.float64)


def summed(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=-1, keepdims=True))


def activated(name: str, x: Floats) -> Floats:
    return np.asarray(ACTIVATIONS[name].reference(x))


def _log_softmax(x: Floats) -> Floats:
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(summed(np.exp(x))))


def smoothed(t: Floats, label_smoothing: float, classes: int) -> Floats:
    return t * (1.0 - label_smoothing) + label_smoothing / classes


def _one_hot(t: Floats, y: Floats) -> Floats:
    labels = t.reshape(y.shape[:-1])
    return np.asarray(np.arange(y.shape[-1]) == labels[..., np.newaxis], dtype=np.float64)


def _slope_of_binary(t: Floats, y: Floats, from_logits: bool, label_smoothing: float) -> Floats:
    """((1 - t) / (1 - p) - t / p) / columns, 0 where p was clipped; from logits (p - t) / columns.

    The gradient of logits, p - t, loses no accuracy; therefore losses are computed from logits.
    """
    t = smoothed(t, label_smoothing, 2)
    if from_logits:
        slope = activated("sigmoid", y) - t
    else:
        p = clipped(y)
        slope = ((1.0 - t) / (1.0 - p) - t / p) * inside(y)
    return np.asarray(slope / y.shape[-1])


def _slope_of_categorical(t: Floats, y: Floats, from_logits: bool, label_smoothing: float) -> Floats:
    """(g - sum(g * p)) / sum(y_pred), with g = -t / p (0 where clipped); from logits p * sum(t) - t.

    g is the slope by p; the formula turns it into the slope by y_pred, which is divided by its sum. From
    logits the slope is p - t if the targets add up to 1.
    """
    t = smoothed(t, label_smoothing, y.shape[-1])
    if from_logits:
        return activated("softmax", y) * summed(t) - t
    total = summed(y)
    p = y / total
    g = -t / clipped(p) * inside(p)
    return (g - summed(g * p)) / total


def _slope_of_sparse(t: Floats, y: Floats, from_logits: bool) -> Floats:
    """1 / sum(o) - t / o, with the one-hot target t and the clipped outputs o; from logits p - t.

    Where outputs were clipped it is 0.
    """
    t = _one_hot(t, y)
    if from_logits:
        return activated("softmax", y) - t
    o = clipped(y)
    return (1.0 / summed(o) - t / o) * inside(y)


def _slope_of_divergence(t: Floats, y: Floats) -> Floats:
    """-t / p; 0 where p was clipped."""
    t, p = np.clip(t, LEAST, 1.0), np.clip(y, LEAST, 1.0)
    return np.asarray(np.where((y < LEAST) | (y > 1.0), 0.0, -t / p))


def _slope_of_poisson(t: Floats, y: Floats) -> Floats:
    """(1 - y_true / (y_pred + 1e-7)) / columns."""
    return np.asarray((1.0 - t / (y + LEAST)) / y.shape[-1])


_SMOOTHED: tuple[dict[str, Any], ...] = (
    {"from_logits": True},
    {"label_smoothing": 0.2},
    {"from_logits": True, "label_smoothing": 0.2},
)

# ---- the functions


@loss(_slope_of_binary, "bits", _SMOOTHED)
def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """Mean of -t * log(p) - (1 - t) * log(1 - p) over the last axis.

    Args:
        y_true: targets t in [0, 1].
        y_pred: probabilities p, which are clipped, or with from_logits numbers z of any size, with
            p = sigmoid(z). The formula becomes softplus(z) - t * z, which is exact for large z.
        label_smoothing: s in [0, 1] replaces t by t * (1 - s) + s / 2.

    >>> binary_crossentropy([[1, 0]], [[0.9, 0.1]]).round(4).tolist()
    [0.10540000349283218]
    >>> binary_crossentropy([[1]], [[-1000]], from_logits=True).tolist()
    [1000.0]
    """
    t, y = smoothed(wide(y_true), label_smoothing, 2), wide(y_pred)
    if from_logits:
        # equals softplus(z) - t * z, without the difference of two large numbers
        return mean((1.0 - t) * activated("softplus", y) + t * activated("softplus", -y))
    p = clipped(y)
    return mean(-t * np.log(p) - (1.0 - t) * np.log(1.0 - p))


@loss(_slope_of_categorical, "one-hot", _SMOOTHED)
def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """-sum(t * log(p)) over the last axis.

    Args:
        y_true: targets t, one-hot or any weights for the classes.
        y_pred: divided by its sum and clipped it is p, or with from_logits p = softmax(y_pred).
        label_smoothing: s in [0, 1] replaces t by t * (1 - s) + s / classes.

    >>> categorical_crossentropy([[0, 1]], [[1000, 0]], from_logits=True).tolist()
    [1000.0]
    """
    y = wide(y_pred)
    t = smoothed(wide(y_true), label_smoothing, y.shape[-1])
    log_p = _log_softmax(y) if from_logits else np.log(clipped(y / summed(y)))
    return np.asarray(-(t * log_p).sum(axis=-1))


@loss(_slope_of_sparse, "classes", ({"from_logits": True},))
def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False
) -> Floats:
    """-log(p[y_true]): `categorical_crossentropy` for targets that are class numbers.

    Args:
        y_true: whole numbers from 0 to classes - 1, of shape (...) or (..., 1).
        y_pred: p is y_pred clipped, then divided by its sum; `categorical_crossentropy` divides first. With
            from_logits p = softmax(y_pred).

    >>> sparse_categorical_crossentropy([1], [[1000, 0]], from_logits=True).tolist()
    [1000.0]
    """
    y = wide(y_pred)
    log_p = _log_softmax(y if from_logits else np.log(clipped(y)))
    return np.asarray(-(log_p * _one_hot(wide(y_true), y)).sum(axis=-1))


@loss(_slope_of_divergence, "shares")
def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Sum of t * log(t / p) over the last axis: the divergence of p from t (Kullback, Leibler 1951).

    t and p are y_true and y_pred, clipped to [1e-7, 1].

    >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.25]]).round(3).tolist()
    [0.6930000185966492]
    """
    t, p = (np.clip(wide(x), LEAST, 1.0) for x in (y_true, y_pred))
    return np.asarray((t * np.log(t / p)).sum(axis=-1))


@loss(_slope_of_poisson, "shares")
def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of y_pred - y_true * log(y_pred + 1e-7) over the last axis, for counts with the means y_pred.

    >>> poisson([[0, 2]], [[1, 1]]).round(4).tolist()
    [1.0]
    """
    y = wide(y_pred)
    return mean(y - wide(y_true) * np.log(y + LEAST))


# ---- the classes


class _Smoothed(Loss):
    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        require_default(type(self).__name__, "axis", axis, -1)
        self._set(from_logits=from_logits, label_smoothing=label_smoothing)


class BinaryCrossentropy(_Smoothed, aliases=("bce", "BCE")):
    """As the function `binary_crossentropy`, averaged over all rows.

    Args:
        from_logits: True if the outputs are logits, before a sigmoid; default False: probabilities.
        label_smoothing: fraction in [0, 1] by which targets move towards 0.5; default 0.
        axis: -1; others are not available yet.
        reduction: see `Loss`; default "sum_over_batch_size".
        name: default "binary_crossentropy".
        dtype: None or "float32".
    """

    _function = staticmethod(binary_crossentropy)


class CategoricalCrossentropy(_Smoothed):
    """As the function `categorical_crossentropy`, over all rows. Arguments as `BinaryCrossentropy`."""

    _function = staticmethod(categorical_crossentropy)


class SparseCategoricalCrossentropy(Loss):
    """As the function `sparse_categorical_crossentropy`, averaged over all rows.

    Args:
        from_logits: True if the outputs are logits, before a softmax; default False: probabilities.
        ignore_class: None; others are not available yet.
        reduction: see `Loss`; default "sum_over_batch_size".
        axis: -1; others are not available yet.
        name: default "sparse_categorical_crossentropy".
        dtype: None or "float32".
    """

    _function = staticmethod(sparse_categorical_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        super().__init__(name, reduction, dtype)
        require_default(owner, "ignore_class", ignore_class, None)
        require_default(owner, "axis", axis, -1)
        self._set(from_logits=from_logits)


class KLDivergence(Plain, aliases=("kld", "KLD")):
    """As the function `kl_divergence`, averaged over all rows."""

    _function = staticmethod(kl_divergence)


class Poisson(Plain):
    """As the function `poisson`, averaged over all rows."""

    _function = staticmethod(poisson)
