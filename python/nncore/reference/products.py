"""Dense layers and convolutions: sums of products of inputs and weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._windows import Floats, Pair, Windows, floats


def dense(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Floats:
    """y = x @ kernel + bias, on the last axis of x.

    x (..., inputs), kernel (inputs, units), bias (units,) or None -> (..., units).

    >>> dense([[1, 2]], [[1, 0, 1], [0, 1, 1]], bias=[0, 0, 10])
    array([[ 1.,  2., 13.]])
    """
    y = floats(x) @ floats(kernel)
    return y if bias is None else y + floats(bias)


def dense_backward(dy: ArrayLike, x: ArrayLike, kernel: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """(dx, dkernel, dbias): dx = dy @ kernel.T, dkernel = x.T @ dy, dbias = sum of dy over the rows.

    Input i reaches output u through kernel[i, u], and kernel[i, u] is used once in every row with factor
    x[row, i]: so gradients flow back through the transposed products.

    >>> dx, dkernel, dbias = dense_backward([[1, 0, -1]], [[1, 2]], [[1, 0, 1], [0, 1, 1]])
    >>> dx
    array([[ 0., -1.]])
    >>> dkernel
    array([[ 1.,  0., -1.],
           [ 2.,  0., -2.]])
    """
    dy, x, kernel = floats(dy), floats(x), floats(kernel)
    rows_dy = dy.reshape(-1, kernel.shape[1])
    rows_x = x.reshape(-1, kernel.shape[0])
    return dy @ kernel.T, rows_x.T @ rows_dy, rows_dy.sum(axis=0)


def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    strides: int | Pair = 1,
    padding: str = "valid",
    dilation_rate: int | Pair = 1,
    groups: int = 1,
) -> Floats:
    """y[n, v, u, f] = bias[f] + sum over i, j, c of x[n, v*sy + i*ey, u*sx + j*ex, c] * kernel[i, j, c, f].

    x (n, h, w, c), kernel (kh, kw, c / groups, f), bias (f,) or None -> (n, h_out, w_out, f). Strides (sy,
    sx) and dilation rate (ey, ex) are pairs or one number for both. Padding is "valid" or "same", which
    surrounds the image with zeros. With groups, channels and filters are cut into that many equal parts, and
    each part is a convolution of its own.

    A convolution is a dense layer for each tap (i, j) of the kernel, applied to the image shifted by that
    tap, and summed.

    >>> image = np.arange(9).reshape(1, 3, 3, 1)
    >>> conv2d(image, np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    x, kernel = floats(x), floats(kernel)
    if groups > 1:
        parts = zip(np.split(x, groups, axis=3), np.split(kernel, groups, axis=3), strict=True)
        ys = [conv2d(xg, kg, None, strides, padding, dilation_rate) for xg, kg in parts]
        y = np.concatenate(ys, axis=3)
    else:
        windows = Windows(x.shape[1:3], kernel.shape[:2], strides, padding, dilation_rate)
        y = np.zeros((len(x), windows.h, windows.w, kernel.shape[3]))
        for i, j, out, inside in windows:
            y[out] += x[inside] @ kernel[i, j]
    return y if bias is None else y + floats(bias)


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

    Returns (dx, dkernel, dbias), where dbias is the sum of dy over all positions. `seen` are the pixels that
    the tap reads. It is `dense_backward` once for each tap: a pixel collects gradient from every window that
    covers it, and a weight from every position at which it was used. dy (n, h_out, w_out, f).

    >>> image = np.arange(9).reshape(1, 3, 3, 1)
    >>> dx, dkernel, dbias = conv2d_backward(np.ones((1, 2, 2, 1)), image, np.ones((2, 2, 1, 1)))
    >>> dx[0, :, :, 0]                       # how many windows cover each pixel
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> dkernel[:, :, 0, 0]                  # the sum of the pixels that each weight met
    array([[ 8., 12.],
           [20., 24.]])
    >>> dbias
    array([4.])
    """
    dy, x, kernel = floats(dy), floats(x), floats(kernel)
    dbias = dy.sum(axis=(0, 1, 2))
    if groups > 1:
        parts = zip(*(np.split(a, groups, axis=3) for a in (dy, x, kernel)), strict=True)
        of_parts = [conv2d_backward(d, xg, kg, strides, padding, dilation_rate) for d, xg, kg in parts]
        dxs, dkernels, _ = zip(*of_parts, strict=True)
        return np.concatenate(dxs, axis=3), np.concatenate(dkernels, axis=3), dbias
    dx, dkernel = np.zeros_like(x), np.zeros_like(kernel)
    for i, j, out, inside in Windows(x.shape[1:3], kernel.shape[:2], strides, padding, dilation_rate):
        dx[inside] += dy[out] @ kernel[i, j].T
        dkernel[i, j] = np.einsum("nyxc,nyxf->cf", x[inside], dy[out], optimize=True)
    return dx, dkernel, dbias


def rescale(x: ArrayLike, scale: float, offset: float = 0.0) -> Floats:
    """y = x * scale + offset.

    >>> rescale([0, 51, 255], scale=1 / 255)
    array([0. , 0.2, 1. ])
    """
    return floats(x) * scale + offset


def rescale_backward(dy: ArrayLike, x: ArrayLike, scale: float, offset: float = 0.0) -> Floats:
    """dx = dy * scale: neither x nor the offset matters to the slope."""
    return floats(dy) * scale
