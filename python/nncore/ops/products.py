"""Dense layers, convolutions and rescaling."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike

from ..common.arguments import pair
from ..common.arrays import Array as Floats
from ..common.operations import LayerCall, elementwise, expect_shape, floats, image, layer, wide
from ._windows import Pair, Windows

_ANY = np.zeros(())  # stands for the bias in calls of gradients, which do not depend on it


def _dense(op: str, x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = _ANY) -> LayerCall:
    x, kernel = floats(op, "x", x), floats(op, "kernel", kernel)
    if kernel.ndim != 2 or 0 in kernel.shape:
        raise ValueError(f"[{op}] expected a kernel of shape (inputs, units), got {kernel.shape}")
    inputs, units = kernel.shape
    if x.ndim < 1 or x.shape[-1] != inputs:
        raise ValueError(f"[{op}] expected x of shape (..., {inputs}), got {x.shape}")
    attributes = {"units": units, "use_bias": bias is not None, "activation": "linear"}
    parameters = (kernel, *_bias(op, bias, units))
    return LayerCall(("dense", attributes), x, parameters, axes=1, output=(*x.shape[:-1], units))


def _bias(op: str, bias: ArrayLike | None, size: int) -> list[Floats]:
    if bias is None:
        return []
    a = floats(op, "bias", np.zeros(size) if bias is _ANY else bias)
    expect_shape(op, "bias", a, (size,))
    return [a]


@layer(_dense)
def dense(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Floats:
    """y = x @ kernel + bias, on the last axis of x.

    x (..., inputs), kernel (inputs, units), bias (units,) or None -> (..., units).

    >>> dense([[1, 2]], [[1, 0, 1], [0, 1, 1]], bias=[0, 0, 10]).tolist()
    [[1.0, 2.0, 13.0]]
    """
    y = wide(x) @ wide(kernel)
    return y if bias is None else y + wide(bias)


@layer(_dense)
def dense_backward(dy: ArrayLike, x: ArrayLike, kernel: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """(dx, dkernel, dbias): dx = dy @ kernel.T, dkernel = x.T @ dy, dbias = sum of dy over the rows.

    The slope of output u by input i is kernel[i, u], and by kernel[i, u] it is x[row, i], in every row. So
    the gradients are the transposed products. dy (..., units).

    >>> dx, dkernel, dbias = dense_backward([[1, 0, -1]], [[1, 2]], [[1, 0, 1], [0, 1, 1]])
    >>> dx.tolist(), dkernel.tolist()
    ([[0.0, -1.0]], [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0]])
    """
    dy, x, kernel = wide(dy), wide(x), wide(kernel)
    rows_dy = dy.reshape(-1, kernel.shape[1])
    rows_x = x.reshape(-1, kernel.shape[0])
    return dy @ kernel.T, rows_x.T @ rows_dy, rows_dy.sum(axis=0)


def _conv2d(
    op: str,
    x: ArrayLike,
    kernel: ArrayLike,
    strides: int | Pair,
    padding: str,
    dilation_rate: int | Pair,
    groups: int,
    bias: ArrayLike | None = _ANY,
) -> LayerCall:
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
    attributes = {
        "filters": filters,
        "kernel_size": (kh, kw),
        "strides": pair(op, "strides", strides),
        "padding": padding,
        "dilation_rate": pair(op, "dilation_rate", dilation_rate),
        "groups": groups,
        "use_bias": bias is not None,
        "activation": "linear",
    }
    return LayerCall(("conv2d", attributes), x, (kernel, *_bias(op, bias, filters)))


@layer(_conv2d)
def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    strides: int | Pair = 1,
    padding: str = "valid",
    dilation_rate: int | Pair = 1,
    groups: int = 1,
) -> Floats:
    """y[n, p, q, f] = bias[f] + sum over i, j, c of x[n, p*sy + i*ey, q*sx + j*ex, c] * kernel[i, j, c, f].

    x (n, h, w, c), kernel (kh, kw, c / groups, f), bias (f,) or None -> (n, h_out, w_out, f). Strides (sy,
    sx) and dilation rate (ey, ex) are pairs or one number for both. Padding is "valid" or "same", which
    pads the image with zeros. `groups` is the number of equal groups of channels and of filters: each group
    of filters reads one group of channels.

    A convolution is a dense layer for each tap (i, j) of the kernel, applied to the image shifted by that
    tap, and summed.

    >>> image = np.arange(9).reshape(1, 3, 3, 1)
    >>> conv2d(image, np.ones((2, 2, 1, 1)))[0, :, :, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]
    """
    x, kernel = wide(x), wide(kernel)
    windows = Windows(x.shape[1:3], kernel.shape[:2], strides, padding, dilation_rate)
    y = np.zeros((len(x), windows.h, windows.w, kernel.shape[3]))
    for of_y, of_x, of_kernel in _parts(groups, y, x, kernel):
        for i, j, out, inside in windows:
            of_y[out] += of_x[inside] @ of_kernel[i, j]
    return y if bias is None else y + wide(bias)


@layer(_conv2d)
def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    strides: int | Pair = 1,
    padding: str = "valid",
    dilation_rate: int | Pair = 1,
    groups: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """For each tap (i, j): dx[seen] += dy @ kernel[i, j].T and dkernel[i, j] = x[seen].T @ dy.

    Returns (dx, dkernel, dbias), where dbias is the sum of dy over all positions, and `seen` are the pixels
    that the tap reads. This is `dense_backward` for each tap: the gradient of a pixel is a sum over the
    windows that cover it, that of a weight a sum over all positions. dy (n, h_out, w_out, f).

    >>> image = np.arange(9).reshape(1, 3, 3, 1)
    >>> dx, dkernel, dbias = conv2d_backward(np.ones((1, 2, 2, 1)), image, np.ones((2, 2, 1, 1)))
    >>> dx[0, :, :, 0].tolist()              # how many windows cover each pixel
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    >>> dkernel[:, :, 0, 0].tolist()         # the sum of the pixels that each weight multiplies
    [[8.0, 12.0], [20.0, 24.0]]
    >>> dbias.tolist()
    [4.0]
    """
    dy, x, kernel = wide(dy), wide(x), wide(kernel)
    windows = Windows(x.shape[1:3], kernel.shape[:2], strides, padding, dilation_rate)
    dx, dkernel = np.zeros_like(x), np.zeros_like(kernel)
    for to_x, to_kernel, of_y, of_x, of_kernel in _parts(groups, dx, dkernel, dy, x, kernel):
        for i, j, out, inside in windows:
            to_x[inside] += of_y[out] @ of_kernel[i, j].T
            to_kernel[i, j] = np.einsum("nyxc,nyxf->cf", of_x[inside], of_y[out], optimize=True)
    return dx, dkernel, dy.sum(axis=(0, 1, 2))


def _parts(groups: int, *arrays: Floats) -> zip[tuple[Floats, ...]]:
    """Views of the groups of each array, split along the channels or filters, its last axis."""
    return zip(*(np.split(a, groups, axis=3) for a in arrays), strict=True)


def _rescaling(op: str, x: ArrayLike, scale: float, offset: float) -> LayerCall:
    return elementwise(op, x, "rescaling", scale=float(scale), offset=float(offset))


@layer(_rescaling, variants=({"scale": -0.7, "offset": 0.3},))
def rescale(x: ArrayLike, scale: float, offset: float = 0.0) -> Floats:
    """y = x * scale + offset, for x of any shape.

    >>> rescale([0, 1, 2], scale=0.5, offset=1).tolist()
    [1.0, 1.5, 2.0]
    """
    return wide(x) * scale + offset


@layer(_rescaling)
def rescale_backward(dy: ArrayLike, x: ArrayLike, scale: float, offset: float = 0.0) -> Floats:
    """dx = dy * scale, whatever x and the offset are."""
    return wide(dy) * scale
