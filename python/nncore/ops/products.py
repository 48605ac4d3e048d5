"""Dense layers, convolutions and scaling, over the compiled kernels."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._operations import Floats, expect_shape, floats
from ._arrays import Pair, elementwise, elementwise_backward, image, pair


def dense(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Floats:
    """y = x @ kernel + bias: x (..., inputs), kernel (inputs, units), bias (units,) or None -> (..., units).

    >>> dense([[1, 2]], [[1, 0, 1], [0, 1, 1]], bias=[0, 0, 10]).tolist()
    [[1.0, 2.0, 13.0]]
    """
    x, parameters, spec = _dense("dense", x, kernel, bias)
    return _core.forward(spec, x, parameters, False, 0, 1)


def dense_backward(dy: ArrayLike, x: ArrayLike, kernel: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """(dx, dkernel, dbias) of `dense`, for dy (..., units).

    >>> dx, dkernel, dbias = dense_backward([[1, 0, -1]], [[1, 2]], [[1, 0, 1], [0, 1, 1]])
    >>> dx.tolist()
    [[0.0, -1.0]]
    """
    op = "dense_backward"
    zeros = np.zeros(np.shape(kernel)[-1:], dtype=np.float32)
    x, parameters, spec = _dense(op, x, kernel, zeros)
    dy = floats(op, "dy", dy)
    expect_shape(op, "dy", dy, (*x.shape[:-1], len(zeros)))
    dx, (dkernel, dbias) = _core.backward(spec, dy, x, parameters, True, 0, 1)
    return dx, dkernel, dbias


def _dense(
    op: str, x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None
) -> tuple[Floats, list[Floats], _core.Spec]:
    x, kernel = floats(op, "x", x), floats(op, "kernel", kernel)
    if kernel.ndim != 2 or 0 in kernel.shape:
        raise ValueError(f"[{op}] expected a kernel of shape (inputs, units), got {kernel.shape}")
    if x.ndim < 1 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(f"[{op}] expected x of shape (..., {kernel.shape[0]}), got {x.shape}")
    units = kernel.shape[1]
    attributes = {"units": units, "use_bias": bias is not None, "activation": "linear"}
    return x, [kernel, *_bias(op, bias, units)], ("dense", attributes)


def _bias(op: str, bias: ArrayLike | None, size: int) -> list[Floats]:
    if bias is None:
        return []
    a = floats(op, "bias", bias)
    expect_shape(op, "bias", a, (size,))
    return [a]


def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    strides: int | Pair = 1,
    padding: str = "valid",
    dilation_rate: int | Pair = 1,
    groups: int = 1,
) -> Floats:
    """x (n, h, w, c), kernel (kh, kw, c / groups, f), bias (f,) or None -> (n, h_out, w_out, f).

    padding is "valid" or "same"; strides and dilation_rate are pairs or one number for both.

    >>> conv2d([[[[0], [1]], [[2], [3]]]], [[[[1]], [[10]]]]).tolist()
    [[[[10.0]], [[32.0]]]]
    """
    op = "conv2d"
    x, parameters, spec = _conv2d(op, x, kernel, bias, strides, padding, dilation_rate, groups)
    return _core.forward(spec, x, parameters)


def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    strides: int | Pair = 1,
    padding: str = "valid",
    dilation_rate: int | Pair = 1,
    groups: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """(dx, dkernel, dbias) of `conv2d`, for dy (n, h_out, w_out, f).

    >>> dx, dkernel, dbias = conv2d_backward([[[[1]], [[2]]]], [[[[0], [1]], [[2], [3]]]], [[[[1]], [[10]]]])
    >>> dx.tolist(), dkernel.tolist(), dbias.tolist()
    ([[[[1.0], [10.0]], [[2.0], [20.0]]]], [[[[4.0]], [[7.0]]]], [3.0])
    """
    op = "conv2d_backward"
    zeros = np.zeros(np.shape(kernel)[-1:], dtype=np.float32)
    x, parameters, spec = _conv2d(op, x, kernel, zeros, strides, padding, dilation_rate, groups)
    dx, (dkernel, dbias) = _core.backward(spec, floats(op, "dy", dy), x, parameters, True)
    return dx, dkernel, dbias


def _conv2d(
    op: str,
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None,
    strides: int | Pair,
    padding: str,
    dilation_rate: int | Pair,
    groups: int,
) -> tuple[Floats, list[Floats], _core.Spec]:
    x, kernel = image(op, x), floats(op, "kernel", kernel)
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ValueError(f"[{op}] expected a kernel of shape (kh, kw, channels, filters), got {kernel.shape}")
    groups = operator.index(groups)
    kh, kw, channels, filters = kernel.shape
    if groups < 1 or filters % groups:
        raise ValueError(f"[{op}] expected groups to divide the {filters} filters, got {groups}")
    if x.shape[3] != channels * groups:
        expected = f"{channels} x {groups} groups" if groups > 1 else f"{channels}"
        raise ValueError(f"[{op}] expected x with {expected} channels for the kernel, got shape {x.shape}")
    return (
        x,
        [kernel, *_bias(op, bias, filters)],
        (
            "conv2d",
            {
                "filters": filters,
                "kernel_size": (kh, kw),
                "strides": pair(op, "strides", strides),
                "padding": padding,
                "dilation_rate": pair(op, "dilation_rate", dilation_rate),
                "groups": groups,
                "use_bias": bias is not None,
                "activation": "linear",
            },
        ),
    )


def rescale(x: ArrayLike, scale: float, offset: float = 0.0) -> Floats:
    """y = x * scale + offset, for x of any shape.

    >>> rescale([0, 1, 2], scale=0.5, offset=1).tolist()
    [1.0, 1.5, 2.0]
    """
    return elementwise("rescale", _rescaling(scale, offset), x)


def rescale_backward(dy: ArrayLike, x: ArrayLike, scale: float, offset: float = 0.0) -> Floats:
    """dx of `rescale`, for dy of the shape of x."""
    return elementwise_backward("rescale_backward", _rescaling(scale, offset), dy, x)


def _rescaling(scale: float, offset: float) -> _core.Spec:
    return "rescaling", {"scale": float(scale), "offset": float(offset)}


def dropout(x: ArrayLike, rate: float, seed: int) -> Floats:
    """Zeros with probability `rate`, and the other elements of x times 1 / (1 - rate).

    rate in [0, 1]; with 1, all are zeros, whatever x holds. The choice for an element depends on the seed
    (0 ... 2^64 - 1) and its position in x, in row-major order, and on nothing else.

    >>> sorted(set(dropout(np.ones(1000), rate=0.5, seed=1).tolist()))
    [0.0, 2.0]
    """
    return elementwise("dropout", _dropout("dropout", rate, seed), x, True, seed)


def dropout_backward(dy: ArrayLike, x: ArrayLike, rate: float, seed: int) -> Floats:
    """dx of `dropout`: dy where x was kept, times 1 / (1 - rate), else 0, for the same seed."""
    op = "dropout_backward"
    return elementwise_backward(op, _dropout(op, rate, seed), dy, x, True, seed)


def _dropout(op: str, rate: float, seed: int) -> _core.Spec:
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"[{op}] expected rate in [0, 1], got {rate}")
    if not 0 <= operator.index(seed) < 2**64:
        raise ValueError(f"[{op}] expected seed in [0, 2^64), got {seed}")
    return "dropout", {"rate": float(rate)}
