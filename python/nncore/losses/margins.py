"""Hinge losses: each output should lie beyond a margin, on the side of its target."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..common.operations import wide
from ..common.rows import loss
from ._base import Floats, Plain, mean

__all__ = [
    "CategoricalHinge",
    "Hinge",
    "SquaredHinge",
    "categorical_hinge",
    "hinge",
    "squared_hinge",
]

# ---- slopes and shared functions; t and y are y_true and y_pred as arrays of float64


def _signs(t: Floats) -> Floats:
    return np.where(t == 0.0, -1.0, t)


def _short(t: Floats, y: Floats) -> Floats:
    """max(1 - t * y, 0), with t of -1 or 1."""
    return np.maximum(1.0 - _signs(t) * y, 0.0)


def _slope_of_hinge(t: Floats, y: Floats) -> Floats:
    """-t / columns where t * y_pred < 1, else 0."""
    return np.asarray(np.where(_short(t, y) > 0.0, -_signs(t), 0.0) / y.shape[-1])


def _slope_of_squared_hinge(t: Floats, y: Floats) -> Floats:
    """-2 * t * max(1 - t * y_pred, 0) / columns."""
    return np.asarray(-2.0 * _signs(t) * _short(t, y) / y.shape[-1])


def _others(t: Floats, y: Floats) -> Floats:
    return np.asarray(((1.0 - t) * y).max(axis=-1))


def _slope_of_categorical_hinge(t: Floats, y: Floats) -> Floats:
    """-y_true, plus 1 - y_true at the largest (1 - y_true) * y_pred, shared by equals; 0 if the loss is 0."""
    largest = (1.0 - t) * y == _others(t, y)[..., np.newaxis]
    slope = largest * (1.0 - t) / largest.sum(axis=-1, keepdims=True) - t
    return np.asarray(slope * (1.0 + _others(t, y) > (t * y).sum(axis=-1))[..., np.newaxis])


# ---- the functions


@loss(_slope_of_hinge, "signs")
def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of max(1 - t * y_pred, 0) over the last axis, with targets t as in `squared_hinge`.

    >>> hinge([[1, -1]], [[0.5, 2]]).tolist()
    [1.75]
    """
    return mean(_short(wide(y_true), wide(y_pred)))


@loss(_slope_of_squared_hinge, "signs")
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of max(1 - t * y_pred, 0)^2 over the last axis.

    The targets t are -1 and 1. A 0 stands for -1; in Keras only if all targets of a batch are 0 or 1.

    >>> squared_hinge([[1, -1, 0, 1]], [[0.5, -2, 1, 1]]).tolist()
    [1.0625]
    """
    return mean(_short(wide(y_true), wide(y_pred)) ** 2)


@loss(_slope_of_categorical_hinge, "one-hot")
def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """max(1 + largest of (1 - y_true) * y_pred - sum of y_true * y_pred, 0) over the last axis.

    For one-hot targets it is 0 if the output of the class is by 1 larger than all others and than 0.

    >>> categorical_hinge([[0, 1, 0]], [[0.5, 1, 0.25]]).tolist()
    [0.5]
    """
    t, y = wide(y_true), wide(y_pred)
    return np.asarray(np.maximum(1.0 + _others(t, y) - (t * y).sum(axis=-1), 0.0))


# ---- the classes


class Hinge(Plain):
    """As the function `hinge`, averaged over all rows."""

    _function = staticmethod(hinge)


class SquaredHinge(Plain):
    """As the function `squared_hinge`, averaged over all rows."""

    _function = staticmethod(squared_hinge)


class CategoricalHinge(Plain):
    """As the function `categorical_hinge`, averaged over all rows."""

    _function = staticmethod(categorical_hinge)
