"""More activation functions of `nncore.activations`: of straight pieces, one exponential or logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .common.operations import activation, wide

__all__ = [
    "celu",
    "exponential",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "log_sigmoid",
    "log_softmax",
    "relu6",
]

Floats = NDArray[Any]  # float32, and float64 from the reference


def _row_of_log_softmax(x: ArrayLike, axis: int = -1) -> tuple[str, dict[str, Any]]:
    if axis not in (-1, np.ndim(x) - 1):
        raise ValueError(f"[log_softmax] axis={axis!r} is not available yet: the last axis only")
    return "log_softmax", {}


# ---- slopes; x is an array of float64


def _slope_of_relu6(x: Floats) -> Floats:
    """1 where 0 < x < 6, else 0."""
    return np.where((x > 0.0) & (x < 6.0), 1.0, 0.0)


def _slope_of_hard_tanh(x: Floats) -> Floats:
    """1 where -1 < x < 1, else 0."""
    return np.where(np.abs(x) < 1.0, 1.0, 0.0)


def _slope_of_hard_sigmoid(x: Floats) -> Floats:
    """1 / 6 where -3 < x < 3, else 0."""
    return np.where(np.abs(x) < 3.0, 1.0 / 6.0, 0.0)


def _slope_of_hard_silu(x: Floats) -> Floats:
    """x / 3 + 1 / 2 where -3 < x < 3, 0 below and 1 above."""
    return np.where(x <= -3.0, 0.0, np.where(x >= 3.0, 1.0, x / 3.0 + 0.5))


def _slope_of_celu(x: Floats, alpha: float) -> Floats:
    """1 where x > 0, else exp(x / alpha)."""
    return np.exp(np.minimum(x, 0.0) / alpha)


def _slope_of_log_sigmoid(x: Floats) -> Floats:
    """sigmoid(-x)."""
    return np.exp(-np.logaddexp(0.0, x))


def _slope_of_exponential(x: Floats) -> Floats:
    """exp(x)."""
    return np.exp(x)


def _log_softmax(x: Floats) -> Floats:
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


def _log_softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int) -> Floats:
    """dx = dy - softmax(x) * sum of dy over the last axis."""
    dy = wide(dy)
    return np.asarray(dy - np.exp(_log_softmax(wide(x))) * dy.sum(axis=-1, keepdims=True))


# ---- the functions


@activation(_slope_of_relu6)
def relu6(x: ArrayLike) -> Floats:
    """x clipped to [0, 6].

    >>> relu6([-2.0, 3.0, 7.0]).tolist()
    [0.0, 3.0, 6.0]
    """
    return np.clip(wide(x), 0.0, 6.0)


@activation(_slope_of_hard_tanh)
def hard_tanh(x: ArrayLike) -> Floats:
    """x clipped to [-1, 1].

    >>> hard_tanh([-2.0, 0.5]).tolist()
    [-1.0, 0.5]
    """
    return np.clip(wide(x), -1.0, 1.0)


@activation(_slope_of_hard_sigmoid)
def hard_sigmoid(x: ArrayLike) -> Floats:
    """(x + 3) / 6 clipped to [0, 1].

    >>> hard_sigmoid([-4.0, 0.0, 4.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.clip(wide(x) + 3.0, 0.0, 6.0) / 6.0


@activation(_slope_of_hard_silu, aliases=("hard_swish",))
def hard_silu(x: ArrayLike) -> Floats:
    """x * hard_sigmoid(x), also called hard_swish (Howard et al. 2019).

    >>> hard_silu([-4.0, 1.5, 4.0]).tolist()
    [-0.0, 1.125, 4.0]
    """
    x = wide(x)
    return x * (np.clip(x + 3.0, 0.0, 6.0) / 6.0)


hard_swish = hard_silu


@activation(_slope_of_celu, variants=({"alpha": 2.5},))
def celu(x: ArrayLike, alpha: float = 1.0) -> Floats:
    """x where x > 0, else alpha * (exp(x / alpha) - 1) (Barron 2017).

    >>> celu([-1000, 3], alpha=2.0).tolist()
    [-2.0, 3.0]
    """
    x = wide(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0) / alpha))


@activation(_slope_of_log_sigmoid)
def log_sigmoid(x: ArrayLike) -> Floats:
    """log(1 / (1 + exp(-x))).

    >>> log_sigmoid([-1000, 1000]).tolist()
    [-1000.0, -0.0]
    """
    return -np.logaddexp(0.0, -wide(x))


@activation(_slope_of_exponential)
def exponential(x: ArrayLike) -> Floats:
    """exp(x).

    >>> exponential([0.0]).tolist()
    [1.0]
    """
    return np.exp(wide(x))


@activation(backward=_log_softmax_backward, row=_row_of_log_softmax)
def log_softmax(x: ArrayLike, axis: int = -1) -> Floats:
    """log(softmax(x)) along the last axis: x (..., classes). Other axes are not available yet.

    >>> log_softmax([[0, 1000]]).tolist()
    [[-1000.0, 0.0]]
    """
    return _log_softmax(wide(x))
