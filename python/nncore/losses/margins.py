"""Hinge losses: outputs of any size are to be beyond a margin, on the side that their target says."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..common.operations import wide
from ..common.rows import loss
from ._base import Floats, Plain, mean

__all__ = [
    "Hinge",
    "SquaredHinge",
    "hinge",
    "squared_hinge",
]

# ---- slopes, and what several functions share; t and y are y_true and y_pred as arrays of float64


def _signs(t: Floats) -> Floats:
    return np.where(t == 0.0, -1.0, t)


def _short(t: Floats, y: Floats) -> Floats:
    """By how much t * y falls short of 1."""
    return np.maximum(1.0 - _signs(t) * y, 0.0)


def _slope_of_hinge(t: Floats, y: Floats) -> Floats:
    """-t / columns where t * y_pred < 1, else 0."""
    return np.asarray(np.where(_short(t, y) > 0.0, -_signs(t), 0.0) / y.shape[-1])


def _slope_of_squared_hinge(t: Floats, y: Floats) -> Floats:
    """-2 * t * max(1 - t * y_pred, 0) / columns."""
    return np.asarray(-2.0 * _signs(t) * _short(t, y) / y.shape[-1])


# ---- the functions


@loss(_slope_of_hinge, "signs")
def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of max(1 - t * y_pred, 0) over the last axis, of targets t as of `squared_hinge`.

    >>> hinge([[1, -1]], [[0.5, 2]]).tolist()
    [1.75]
    """
    return mean(_short(wide(y_true), wide(y_pred)))


@loss(_slope_of_squared_hinge, "signs")
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of max(1 - t * y_pred, 0)^2 over the last axis.

    The targets t are -1 and 1. A 0 stands for -1: in Keras only where all targets of a batch are 0 or 1.

    >>> squared_hinge([[1, -1, 0]], [[0.5, -2, 1]]).round(4).tolist()
    [1.4167]
    """
    return mean(_short(wide(y_true), wide(y_pred)) ** 2)


# ---- the classes


class Hinge(Plain):
    """As the function `hinge`, averaged over all rows."""

    _function = staticmethod(hinge)


class SquaredHinge(Plain):
    """As the function `squared_hinge`, averaged over all rows."""

    _function = staticmethod(squared_hinge)
