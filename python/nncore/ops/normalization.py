"""Layer normalization of samples, and batch normalization of features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..common.arguments import integer, number, several
from ..common.arrays import Array as Floats
from ..common.operations import LayerCall, expect_shape, floats, layer, wide


def _gamma_and_beta(
    op: str, shape: tuple[int, ...], gamma: ArrayLike | None, beta: ArrayLike | None
) -> tuple[Floats, ...]:
    """gamma and beta as float32 arrays; 1 and 0 where they are None."""
    found = []
    for name, given, default in (("gamma", gamma, 1.0), ("beta", beta, 0.0)):
        found.append(floats(op, name, np.full(shape, default) if given is None else given))
        expect_shape(op, name, found[-1], shape)
    return tuple(found)


def _normalize_batch(
    op: str,
    x: ArrayLike,
    gamma: ArrayLike | None,
    axis: int,
    epsilon: float,
    beta: ArrayLike | None = None,
) -> LayerCall:
    a = floats(op, "x", x)
    if a.ndim < 2 or 0 in a.shape[1:]:
        raise ValueError(f"[{op}] expected x of shape (samples, ...), got {a.shape}")
    axis = integer(op, "axis", axis, low=-a.ndim, high=a.ndim - 1)
    if axis % a.ndim == 0:
        raise ValueError(f"[{op}] expected an axis other than that of the samples, got {axis}")
    features = a.shape[axis]
    each = _gamma_and_beta(op, (features,), gamma, beta)
    attributes: dict[str, Any] = {
        "axis": axis,
        "momentum": 0.0,
        "epsilon": number(op, "epsilon", epsilon, 0.0),
        "center": True,
        "scale": True,
        "activation": "linear",
    }
    moving = np.zeros(features, np.float32)
    return LayerCall(("batch_normalization", attributes), a, (*each, moving, moving), output=a.shape, seed=0)


def _along(x: Floats, axis: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The other axes, and the shape in which one number a feature broadcasts to x."""
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    return others, tuple(1 if i in others else size for i, size in enumerate(x.shape))


def _mean(x: Floats, axes: tuple[int, ...]) -> Floats:
    """The mean over axes, which are kept with size 1; 0 if there are no samples."""
    return x.sum(axes, keepdims=True) / max(1, math.prod(x.shape[i] for i in axes))  # type: ignore[no-any-return]


@layer(_normalize_batch)
def normalize_batch(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Floats:
    """y = gamma * x^ + beta, x^ = (x - mean) / sqrt(variance + epsilon): `BatchNormalization` in training.

    Ioffe and Szegedy 2015. Each index of the axis is a feature, with mean and variance over all other axes.
    The variance is the mean squared deviation from the mean.

    x (samples, ...), gamma and beta (features,), by default 1 and 0 -> the shape of x.

    >>> normalize_batch([[1, 0], [3, 0]], epsilon=0.0, gamma=[10, 10], beta=[0, 5])[:, 0].tolist()
    [-10.0, 10.0]
    """
    x = wide(x)
    others, each = _along(x, axis)
    centred = x - _mean(x, others)
    y: Floats = centred / np.sqrt(_mean(centred**2, others) + epsilon)
    if gamma is not None:
        y = y * wide(gamma).reshape(each)
    return y if beta is None else y + wide(beta).reshape(each)


@layer(_normalize_batch)
def normalize_batch_backward(
    dy: ArrayLike, x: ArrayLike, gamma: ArrayLike | None = None, axis: int = -1, epsilon: float = 1e-3
) -> tuple[Floats, Floats, Floats]:
    """(dx, dgamma, dbeta): dgamma = sum of dy * x^, dbeta = sum of dy, over all axes but that of features.

    dx = gamma / sqrt(variance + epsilon) * (dy - mean of dy - x^ * mean of (dy * x^)). The first term is the
    direct effect of x on its own y. The others are its effects on all y of the feature through the mean and
    the variance.

    >>> dx, dgamma, dbeta = normalize_batch_backward([[1], [0]], [[1], [3]], epsilon=0.0)
    >>> dx.tolist(), dgamma.tolist(), dbeta.tolist()
    ([[0.0], [0.0]], [-1.0], [1.0])
    """
    dy, x = wide(dy), wide(x)
    others, each = _along(x, axis)
    centred = x - _mean(x, others)
    deviation = np.sqrt(_mean(centred**2, others) + epsilon)
    x_hat = centred / deviation
    scale = (1.0 if gamma is None else wide(gamma).reshape(each)) / deviation
    dx = scale * (dy - _mean(dy, others) - x_hat * _mean(dy * x_hat, others))
    return dx, (dy * x_hat).sum(others), dy.sum(others)


_EPSILON = 1e-7  # the default of Keras' functions


def _layer_normalization(
    op: str,
    x: ArrayLike,
    gamma: ArrayLike | None,
    axis: int | Sequence[int],
    epsilon: float | None,
    beta: ArrayLike | None = None,
) -> LayerCall:
    x = floats(op, "x", x)
    given = [axis] if (axes := several(axis)) is None else axes
    numbers = [integer(op, "axis", one, low=-64) for one in given]
    last = sorted(one + x.ndim if one < 0 else one for one in numbers)
    if not last or last != [*range(max(0, x.ndim - len(last)), x.ndim)]:
        raise ValueError(
            f"[{op}] expected axis to name the last axes, -1 or such as [-2, -1], got {axis} for x of shape "
            f"{x.shape}: move the axis to the end with numpy.moveaxis"
        )
    shape = x.shape[last[0] :]
    attributes: dict[str, Any] = {
        "axis": tuple(range(-len(last), 0)),
        "epsilon": _EPSILON if epsilon is None else number(op, "epsilon", epsilon, 0.0),
        "center": True,
        "scale": True,
    }
    return LayerCall(
        ("layer_normalization", attributes), x, _gamma_and_beta(op, shape, gamma, beta), len(last), x.shape
    )


def _normalized(
    x: ArrayLike, axis: int | Sequence[int], epsilon: float | None
) -> tuple[Floats, Floats, tuple[int, ...]]:
    """(x - mean) * rstd, rstd = 1 / sqrt(variance + epsilon), and the axes."""
    x, axes = wide(x), several(axis) or (axis,)
    difference = x - x.mean(axis=axes, keepdims=True)
    variance = (difference**2).mean(axis=axes, keepdims=True)
    rstd = 1.0 / np.sqrt(variance + (_EPSILON if epsilon is None else epsilon))
    return difference * rstd, rstd, axes


@layer(_layer_normalization)
def layer_normalization(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Floats:
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over the last axes of x.

    x (..., n) -> the same shape. Ba, Kiros and Hinton 2016. The variance is the mean squared deviation from
    the mean.

    Args:
        gamma, beta: of the shape of the normalized axes; None stands for 1 and 0.
        axis: -1, or a list of the last axes.
        epsilon: at least 0; None stands for 1e-7 (the default of the layer `LayerNormalization` is 1e-3).

    Raises:
        ValueError: axis does not name the last axes, or a shape does not fit.

    >>> layer_normalization([[1, 3], [10, 30]], beta=[0, 5], epsilon=0).tolist()
    [[-1.0, 6.0], [-1.0, 6.0]]
    """
    y, _, _ = _normalized(x, axis, epsilon)
    if gamma is not None:
        y = y * wide(gamma)
    return y if beta is None else y + wide(beta)


@layer(_layer_normalization)
def layer_normalization_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> tuple[Floats, Floats, Floats]:
    """dx = (g - mean(g) - t * mean(g * t)) * rstd, with t = (x - mean) * rstd and g = dy * gamma.

    Returns (dx, dgamma, dbeta). dgamma is the sum of dy * t, and dbeta the sum of dy, over the axes that are
    not normalized. The subtracted terms are the effect of x through the mean and the variance of its row.
    Adding a number to a row, or (but for epsilon) scaling it, does not change y, so dx has no component in
    these two directions.

    >>> dx, dgamma, dbeta = layer_normalization_backward([[4, 0, 0, 0]], [[-1, -1, 1, 1]], epsilon=0)
    >>> dx.round(6).tolist()
    [[2.0, -2.0, 0.0, 0.0]]
    """
    dy, (t, rstd, axes) = wide(dy), _normalized(x, axis, epsilon)
    g = dy if gamma is None else dy * wide(gamma)
    of_mean, of_variance = g.mean(axis=axes, keepdims=True), (g * t).mean(axis=axes, keepdims=True)
    rows = tuple(range(dy.ndim - len(axes)))
    return (g - of_mean - t * of_variance) * rstd, (dy * t).sum(axis=rows), dy.sum(axis=rows)
