"""More functions of `nncore.activations`: of straight pieces, a root, one exponential or logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .common.operations import Row, activation, wide

__all__ = [
    "celu",
    "exponential",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "log_sigmoid",
    "log_softmax",
    "relu6",
    "soft_shrink",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh_shrink",
]

Floats = NDArray[Any]  # float32, and float64 from the reference


def _over_rows(name: str) -> Row:
    def row(x: ArrayLike, axis: int = -1) -> tuple[str, dict[str, Any]]:
        if axis not in (-1, np.ndim(x) - 1):
            raise ValueError(f"[{name}] axis={axis!r} is not available yet: the last axis only")
        return name, {}

    return row


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


def _slope_of_softsign(x: Floats) -> Floats:
    """1 / (1 + |x|)^2 = (1 - |y|)^2."""
    return (1.0 - np.abs(x / (1.0 + np.abs(x)))) ** 2


def _slope_of_shrink(x: Floats, threshold: float) -> Floats:
    """0 where |x| <= threshold, else 1."""
    return np.where(np.abs(x) <= threshold, 0.0, 1.0)


def _slope_of_tanh_shrink(x: Floats) -> Floats:
    """tanh(x)^2."""
    return np.tanh(x) ** 2


def _slope_of_sparse_plus(x: Floats) -> Floats:
    """(x + 1) / 2 clipped to [0, 1]."""
    return np.clip(0.5 * x + 0.5, 0.0, 1.0)


def _slope_of_sparse_sigmoid(x: Floats) -> Floats:
    """1 / 2 where -1 < x < 1, else 0."""
    return np.where(np.abs(x) < 1.0, 0.5, 0.0)


def _slope_of_squareplus(x: Floats, b: float) -> Floats:
    """(1 + x / sqrt(x^2 + b)) / 2."""
    root = np.sqrt(x**2 + b)
    return np.where(x > 0, 0.5 + 0.5 * x / root, 0.5 * b / (root * (root - x)))


def _log_softmax(x: Floats) -> Floats:
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


def _log_softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int) -> Floats:
    """dx = dy - softmax(x) * sum of dy over the last axis."""
    dy = wide(dy)
    return np.asarray(dy - np.exp(_log_softmax(wide(x))) * dy.sum(axis=-1, keepdims=True))


def _support(x: Floats) -> tuple[Floats, Floats]:
    """Where sparsemax is above 0, and t: the largest k values of a row, with 1 + k * (k-th) > their sum."""
    ordered = -np.sort(-x, axis=-1)
    counts = np.arange(1, x.shape[-1] + 1)
    t = (np.cumsum(ordered, axis=-1) - 1.0) / counts
    last = (ordered > t).sum(axis=-1, keepdims=True) - 1
    t = np.take_along_axis(t, last, axis=-1)
    return x > t, t


def _sparsemax_backward(dy: ArrayLike, x: ArrayLike, axis: int) -> Floats:
    """dx = dy minus its mean over the outputs above 0 there, and 0 elsewhere."""
    dy, (above, _) = wide(dy), _support(wide(x))
    mean = (dy * above).sum(axis=-1, keepdims=True) / above.sum(axis=-1, keepdims=True)
    return np.where(above, dy - mean, 0.0)


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


@activation(backward=_log_softmax_backward, row=_over_rows("log_softmax"))
def log_softmax(x: ArrayLike, axis: int = -1) -> Floats:
    """log(softmax(x)) along the last axis: x (..., classes). Other axes are not available yet.

    >>> log_softmax([[0, 1000]]).tolist()
    [[-1000.0, 0.0]]
    """
    return _log_softmax(wide(x))


@activation(_slope_of_softsign)
def softsign(x: ArrayLike) -> Floats:
    """x / (1 + |x|).

    >>> softsign([-1.0, 0.0, 3.0]).tolist()
    [-0.5, 0.0, 0.75]
    """
    x = wide(x)
    return x / (1.0 + np.abs(x))


@activation(_slope_of_shrink, variants=({"threshold": 1.5},), inputs="away from jumps")
def hard_shrink(x: ArrayLike, threshold: float = 0.5) -> Floats:
    """x where |x| > threshold, else 0.

    >>> hard_shrink([-2.0, 0.5, 3.0]).tolist()
    [-2.0, 0.0, 3.0]
    """
    x = wide(x)
    return np.where(np.abs(x) <= threshold, 0.0, x)


@activation(_slope_of_shrink, variants=({"threshold": 1.5},))
def soft_shrink(x: ArrayLike, threshold: float = 0.5) -> Floats:
    """x moved towards 0 by the threshold, and 0 where |x| is not above it.

    >>> soft_shrink([-2.0, 0.5, 3.0]).tolist()
    [-1.5, 0.0, 2.5]
    """
    x = wide(x)
    return np.where(np.abs(x) <= threshold, 0.0, x - threshold * np.sign(x))


@activation(_slope_of_tanh_shrink)
def tanh_shrink(x: ArrayLike) -> Floats:
    """x - tanh(x).

    >>> tanh_shrink([0.0, 1000.0]).tolist()
    [0.0, 999.0]
    """
    x = wide(x)
    return np.where(np.abs(x) < 1e-2, x**3 / 3.0 - x**5 / 7.5, x - np.tanh(x))


@activation(_slope_of_sparse_plus)
def sparse_plus(x: ArrayLike) -> Floats:
    """0 where x <= -1, x where x >= 1, and (x + 1)^2 / 4 between: a smooth relu of finite pieces.

    >>> sparse_plus([-2.0, 0.0, 3.0]).tolist()
    [0.0, 0.25, 3.0]
    """
    x = wide(x)
    return np.where(x >= 1.0, x, 0.25 * np.clip(x + 1.0, 0.0, 2.0) ** 2)


@activation(_slope_of_sparse_sigmoid)
def sparse_sigmoid(x: ArrayLike) -> Floats:
    """(x + 1) / 2 clipped to [0, 1], the slope of sparse_plus.

    >>> sparse_sigmoid([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.clip(0.5 * wide(x) + 0.5, 0.0, 1.0)


@activation(_slope_of_squareplus, variants=({"b": 0.3},))
def squareplus(x: ArrayLike, b: float = 4) -> Floats:
    """(x + sqrt(x^2 + b)) / 2, a smooth relu without exponentials (Barron 2021).

    Args:
        b: above 0; default 4, for a slope like that of softplus at 0.

    >>> squareplus([0.0, 1000.0]).round().tolist()
    [1.0, 1000.0]
    """
    x = wide(x)
    root = np.hypot(x, np.sqrt(b))
    return np.where(x > 0, 0.5 * (x + root), 0.5 * b / (root - x))


@activation(backward=_sparsemax_backward, row=_over_rows("sparsemax"))
def sparsemax(x: ArrayLike, axis: int = -1) -> Floats:
    """max(x - t, 0) with the t that makes its sum along the last axis 1: x (..., classes).

    The probabilities that are nearest to x; many are 0 (Martins and Astudillo 2016). Other axes are not
    available yet.

    >>> sparsemax([[0.0, 0.5, 3.0], [1.0, 1.0, 0.0]]).tolist()
    [[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]
    """
    x = wide(x)
    return np.maximum(x - _support(x)[1], 0.0)
