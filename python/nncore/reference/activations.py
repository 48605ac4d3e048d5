"""Activation functions f of single elements, with dx = dy * f'(x) as their backward, and softmax of rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ._windows import Floats, floats, row_max, row_sum


def relu(x: ArrayLike) -> Floats:
    """y = max(x, 0).

    >>> relu([-2, 0, 3])
    array([0., 0., 3.])
    """
    return np.maximum(floats(x), 0.0)


def relu_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dx = dy where x > 0, else 0.

    >>> relu_backward([10, 10, 10], [-2, 0, 3])
    array([ 0.,  0., 10.])
    """
    return np.where(floats(x) > 0, floats(dy), 0.0)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Floats:
    """y = x where x > 0, else negative_slope * x.

    >>> leaky_relu([-2, 0, 3])
    array([-0.4,  0. ,  3. ])
    """
    x = floats(x)
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(dy: ArrayLike, x: ArrayLike, negative_slope: float = 0.2) -> Floats:
    """dx = dy where x > 0, else negative_slope * dy.

    >>> leaky_relu_backward([10, 10], [-2, 3])
    array([ 2., 10.])
    """
    dy = floats(dy)
    return np.where(floats(x) > 0, dy, negative_slope * dy)


def elu(x: ArrayLike, alpha: float = 1.0) -> Floats:
    """y = x where x > 0, else alpha * (exp(x) - 1): it levels off at -alpha (Clevert et al. 2015).

    >>> elu([-50, 0, 3])
    array([-1.,  0.,  3.])
    """
    x = floats(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 1.0) -> Floats:
    """dx = dy where x > 0, else dy * alpha * exp(x).

    >>> elu_backward([1, 1], [-50, 3]).round(3)
    array([0., 1.])
    """
    x = floats(x)
    return floats(dy) * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def sigmoid(x: ArrayLike) -> Floats:
    """y = 1 / (1 + exp(-x)), computed as exp(-softplus(-x)), which neither overflows nor loses small values.

    >>> sigmoid([-1000, 0, 1000])
    array([0. , 0.5, 1. ])
    """
    return np.exp(-softplus(-floats(x)))


def sigmoid_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dx = dy * y * (1 - y), and 1 - y is the sigmoid of -x.

    >>> sigmoid_backward([1, 1], [0, 1000])
    array([0.25, 0.  ])
    """
    x = floats(x)
    return floats(dy) * sigmoid(x) * sigmoid(-x)


def tanh(x: ArrayLike) -> Floats:
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    >>> tanh([-100, 0])
    array([-1.,  0.])
    """
    return np.tanh(floats(x))


def tanh_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dx = dy * (1 - y^2).

    >>> tanh_backward([1, 1], [0, 100])
    array([1., 0.])
    """
    return floats(dy) * (1.0 - np.tanh(floats(x)) ** 2)


def softplus(x: ArrayLike) -> Floats:
    """y = log(1 + exp(x)), a smooth relu.

    >>> softplus([-1000, 0, 10]).round(4)
    array([ 0.    ,  0.6931, 10.    ])
    """
    return np.logaddexp(0.0, floats(x))


def softplus_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dx = dy * sigmoid(x).

    >>> softplus_backward([1, 1], [0, 1000])
    array([0.5, 1. ])
    """
    return floats(dy) * sigmoid(x)


def silu(x: ArrayLike) -> Floats:
    """y = x * sigmoid(x), also called swish (Hendrycks and Gimpel 2016; Ramachandran et al. 2017).

    >>> silu([-50, 0, 50]).round(4)
    array([-0.,  0., 50.])
    """
    return floats(x) * sigmoid(x)


def silu_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dx = dy * s * (1 + x * (1 - s)), with s = sigmoid(x): the product rule.

    >>> silu_backward([1, 1], [0, 50])
    array([0.5, 1. ])
    """
    x = floats(x)
    return floats(dy) * sigmoid(x) * (1.0 + x * sigmoid(-x))


swish = silu
swish_backward = silu_backward

_erfc = np.frompyfunc(math.erfc, 1, 1)
_INNER_SLOPE = math.sqrt(2.0 / math.pi)
_INNER_CUBIC = 0.044715


def gelu(x: ArrayLike, approximate: bool = False) -> Floats:
    """y = x * P(x), with the normal distribution function P(x) = (1 + erf(x / sqrt(2))) / 2.

    From Hendrycks and Gimpel 2016. approximate: P(x) = (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2
    instead.

    >>> gelu([-10, 0, 1, 10]).round(4)
    array([-0.    ,  0.    ,  0.8413, 10.    ])
    """
    x = floats(x)
    return x * _normal_cdf(x, approximate)


def gelu_backward(dy: ArrayLike, x: ArrayLike, approximate: bool = False) -> Floats:
    """dx = dy * (P(x) + x * P'(x)), where P'(x) = exp(-x^2 / 2) / sqrt(2 pi), or the slope of the tanh form.

    >>> gelu_backward([1, 1], [0, 10])
    array([0.5, 1. ])
    """
    x = floats(x)
    if approximate:
        inner = np.tanh(_INNER_SLOPE * (x + _INNER_CUBIC * x**3))
        density = 0.5 * (1.0 - inner**2) * _INNER_SLOPE * (1.0 + 3.0 * _INNER_CUBIC * x**2)
    else:
        density = np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    return floats(dy) * (_normal_cdf(x, approximate) + x * density)


def _normal_cdf(x: Floats, approximate: bool) -> Floats:
    if approximate:
        return 0.5 * (1.0 + np.tanh(_INNER_SLOPE * (x + _INNER_CUBIC * x**3)))
    # 1 + erf(x) = erfc(-x), which keeps its digits where erf is close to -1
    return 0.5 * np.asarray(_erfc(-x / math.sqrt(2.0)), dtype=np.float64)


def softmax(x: ArrayLike) -> Floats:
    """y = exp(x) / (sum of exp(x) over the last axis): positive numbers that add up to 1.

    x (..., classes). The largest value is subtracted first: it cancels, and nothing overflows.

    >>> softmax([[0, 0], [0, 1000]])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    x = floats(x)
    e = np.exp(x - row_max(x))
    return e / row_sum(e)


def softmax_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dx = y * (dy - sum of dy * y over the last axis).

    From dy_i/dx_j = y_i * ([i = j] - y_j): raising one input lowers all other outputs.

    >>> softmax_backward([[1, 0]], [[0, 0]])
    array([[ 0.25, -0.25]])
    """
    dy, y = floats(dy), softmax(x)
    return y * (dy - row_sum(dy * y))
