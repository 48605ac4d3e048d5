"""Activation functions over the compiled kernels, for arrays of any shape; softmax over the last axis."""

from __future__ import annotations

from numpy.typing import ArrayLike

from .. import _core
from ._arrays import Floats, elementwise, elementwise_backward, expect_shape, floats


def _activation(name: str, alpha: float = 0.0) -> _core.Spec:
    return "activation", {"activation": name, "alpha": float(alpha)}


def relu(x: ArrayLike) -> Floats:
    """max(x, 0).

    >>> relu([-2, 0, 3]).tolist()
    [0.0, 0.0, 3.0]
    """
    return elementwise("relu", _activation("relu"), x)


def relu_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dy where x > 0, else 0."""
    return elementwise_backward("relu_backward", _activation("relu"), dy, x)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Floats:
    """x where x > 0, else negative_slope * x.

    >>> leaky_relu([-2, 3], negative_slope=0.5).tolist()
    [-1.0, 3.0]
    """
    return elementwise("leaky_relu", _activation("leaky_relu", negative_slope), x)


def leaky_relu_backward(dy: ArrayLike, x: ArrayLike, negative_slope: float = 0.2) -> Floats:
    """dy where x > 0, else negative_slope * dy."""
    return elementwise_backward("leaky_relu_backward", _activation("leaky_relu", negative_slope), dy, x)


def elu(x: ArrayLike, alpha: float = 1.0) -> Floats:
    """x where x > 0, else alpha * (exp(x) - 1).

    >>> elu([-1000, 3]).tolist()
    [-1.0, 3.0]
    """
    return elementwise("elu", _activation("elu", alpha), x)


def elu_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 1.0) -> Floats:
    """dy where x > 0, else dy * alpha * exp(x)."""
    return elementwise_backward("elu_backward", _activation("elu", alpha), dy, x)


def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + exp(-x)).

    >>> sigmoid([-1000, 0, 1000]).tolist()
    [0.0, 0.5, 1.0]
    """
    return elementwise("sigmoid", _activation("sigmoid"), x)


def sigmoid_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dy * y * (1 - y)."""
    return elementwise_backward("sigmoid_backward", _activation("sigmoid"), dy, x)


def tanh(x: ArrayLike) -> Floats:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    >>> tanh([-1000, 0, 1000]).tolist()
    [-1.0, 0.0, 1.0]
    """
    return elementwise("tanh", _activation("tanh"), x)


def tanh_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dy * (1 - y^2)."""
    return elementwise_backward("tanh_backward", _activation("tanh"), dy, x)


def softplus(x: ArrayLike) -> Floats:
    """log(1 + exp(x)).

    >>> softplus([-1000, 1000]).tolist()
    [0.0, 1000.0]
    """
    return elementwise("softplus", _activation("softplus"), x)


def softplus_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dy * sigmoid(x)."""
    return elementwise_backward("softplus_backward", _activation("softplus"), dy, x)


def silu(x: ArrayLike) -> Floats:
    """x * sigmoid(x), also called swish.

    >>> silu([0, 1000]).tolist()
    [0.0, 1000.0]
    """
    return elementwise("silu", _activation("silu"), x)


def silu_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """dy * sigmoid(x) * (1 + x * (1 - sigmoid(x)))."""
    return elementwise_backward("silu_backward", _activation("silu"), dy, x)


swish = silu
swish_backward = silu_backward


def gelu(x: ArrayLike, approximate: bool = False) -> Floats:
    """x times the normal distribution function of x; approximate takes tanh instead of erf for it.

    >>> gelu([-1000, 0, 1000]).tolist()
    [-0.0, 0.0, 1000.0]
    """
    return elementwise("gelu", _activation("gelu_tanh" if approximate else "gelu"), x)


def gelu_backward(dy: ArrayLike, x: ArrayLike, approximate: bool = False) -> Floats:
    """dy times the derivative of `gelu` at x."""
    return elementwise_backward("gelu_backward", _activation("gelu_tanh" if approximate else "gelu"), dy, x)


def softmax(x: ArrayLike) -> Floats:
    """exp(x) / (sum of exp(x) over the last axis): x (..., classes), at least one axis.

    >>> softmax([[0, 0], [0, 1000]]).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    return _core.forward(_activation("softmax"), _with_axis("softmax", x), (), False, 0, 1)


def softmax_backward(dy: ArrayLike, x: ArrayLike) -> Floats:
    """y * (dy - sum of dy * y over the last axis)."""
    op = "softmax_backward"
    x, dy = _with_axis(op, x), floats(op, "dy", dy)
    expect_shape(op, "dy", dy, x.shape)
    return _core.backward(_activation("softmax"), dy, x, (), True, 0, 1)[0]


def _with_axis(op: str, x: ArrayLike) -> Floats:
    a = floats(op, "x", x)
    if a.ndim < 1:
        raise ValueError(f"[{op}] expected x of shape (..., classes), got {a.shape}")
    return a
