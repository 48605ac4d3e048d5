"""Pooling: each window of an image gives one pixel, for each channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..common.arguments import pair
from ..common.arrays import Array as Floats
from ..common.operations import LayerCall, image, layer, wide
from ._windows import Pair, Windows


def _kind(op: str) -> str:
    """max_pool2d and its gradient -> max_pooling2d."""
    return op.removesuffix("_backward").replace("pool", "pooling")


def _pooling(
    op: str, x: ArrayLike, pool_size: int | Pair, strides: int | Pair | None, padding: str
) -> LayerCall:
    size = pair(op, "pool_size", pool_size)
    steps = size if strides is None else pair(op, "strides", strides)
    return LayerCall((_kind(op), {"pool_size": size, "strides": steps, "padding": padding}), image(op, x))


def _global_pooling(op: str, x: ArrayLike, keepdims: bool) -> LayerCall:
    return LayerCall((_kind(op), {"keepdims": bool(keepdims)}), image(op, x))


@layer(_pooling, inputs="few")
def max_pool2d(
    x: ArrayLike, pool_size: int | Pair = 2, strides: int | Pair | None = None, padding: str = "valid"
) -> Floats:
    """The largest value of each window; NaN if the window has a NaN.

    x (n, h, w, c) -> (n, h_out, w_out, c). Windows of pool_size start every `strides` pixels, by default
    pool_size; each is a pair or one number for both axes. With padding "same" windows may extend beyond the
    image (see `conv2d`); pixels outside are ignored.

    >>> max_pool2d(np.arange(16).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    x = wide(x)
    return _largest(x, Windows(x.shape[1:3], pool_size, strides or pool_size, padding))


def _largest(x: Floats, windows: Windows) -> Floats:
    y = np.full((len(x), windows.h, windows.w, x.shape[3]), -np.inf)
    for _, _, out, inside in windows:
        y[out] = np.maximum(y[out], x[inside])
    return y


@layer(_pooling)
def max_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: int | Pair = 2,
    strides: int | Pair | None = None,
    padding: str = "valid",
) -> Floats:
    """dx: each dy is added to the pixel that is the maximum of its window. Other pixels have the gradient 0.

    If several pixels are equal, the first one in row-major order gets all of dy; NaNs count as equal.

    >>> dy = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    >>> max_pool2d_backward(dy, [[[[9.0], [9.0], [7.0]], [[0.0], [5.0], [6.0]], [[8.0], [0.0], [0.0]]]],
    ...                     pool_size=2, strides=1)[0, :, :, 0].tolist()
    [[1.0, 2.0, 0.0], [0.0, 0.0, 4.0], [3.0, 0.0, 0.0]]
    """
    x = wide(x)
    return _to_the_largest(wide(dy), x, Windows(x.shape[1:3], pool_size, strides or pool_size, padding))


def _to_the_largest(dy: Floats, x: Floats, windows: Windows) -> Floats:
    y, dx = _largest(x, windows), np.zeros_like(x)
    found = np.zeros(y.shape, dtype=bool)
    for _, _, out, inside in windows:
        is_max = (x[inside] == y[out]) | (np.isnan(x[inside]) & np.isnan(y[out]))
        first = is_max & ~found[out]
        dx[inside] += np.where(first, dy[out], 0.0)
        found[out] |= first
    return dx


@layer(_pooling)
def average_pool2d(
    x: ArrayLike, pool_size: int | Pair = 2, strides: int | Pair | None = None, padding: str = "valid"
) -> Floats:
    """The mean of each window over the pixels inside the image. Shapes and arguments as for `max_pool2d`.

    >>> average_pool2d(np.arange(16).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    x = wide(x)
    windows = Windows(x.shape[1:3], pool_size, strides or pool_size, padding)
    y = np.zeros((len(x), windows.h, windows.w, x.shape[3]))
    for _, _, out, inside in windows:
        y[out] += x[inside]
    return y / _pixels(windows)


@layer(_pooling)
def average_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: int | Pair = 2,
    strides: int | Pair | None = None,
    padding: str = "valid",
) -> Floats:
    """dx: each of the k pixels of a window gets dy / k, as its slope is 1 / k.

    >>> average_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 2, 2, 1)))[0, :, :, 0].tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    x = wide(x)
    windows = Windows(x.shape[1:3], pool_size, strides or pool_size, padding)
    share, dx = wide(dy) / _pixels(windows), np.zeros_like(x)
    for _, _, out, inside in windows:
        dx[inside] += share[out]
    return dx


def _pixels(windows: Windows) -> Floats:
    """The number of pixels of each window that lie inside the image, (1, h_out, w_out, 1)."""
    count = np.zeros((1, windows.h, windows.w, 1))
    for _, _, out, _ in windows:
        count[out] += 1
    return count


@layer(_global_pooling)
def global_average_pool2d(x: ArrayLike, keepdims: bool = False) -> Floats:
    """The mean of each channel over the image: x (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims.

    >>> global_average_pool2d(np.arange(8).reshape(1, 2, 2, 2)).tolist()
    [[3.0, 4.0]]
    """
    return np.asarray(wide(x).mean(axis=(1, 2), keepdims=keepdims))


@layer(_global_pooling)
def global_average_pool2d_backward(dy: ArrayLike, x: ArrayLike, keepdims: bool = False) -> Floats:
    """dx = dy / (h * w) at every pixel. dy has the shape of the output."""
    n, h, w, c = np.shape(x)
    return np.broadcast_to(wide(dy).reshape(n, 1, 1, c) / (h * w), (n, h, w, c)).copy()


@layer(_global_pooling, inputs="few")
def global_max_pool2d(x: ArrayLike, keepdims: bool = False) -> Floats:
    """The largest value of each channel: x (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims.

    >>> global_max_pool2d(np.arange(8).reshape(1, 2, 2, 2)).tolist()
    [[6.0, 7.0]]
    """
    return np.asarray(wide(x).max(axis=(1, 2), keepdims=keepdims))


@layer(_global_pooling)
def global_max_pool2d_backward(dy: ArrayLike, x: ArrayLike, keepdims: bool = False) -> Floats:
    """dx = dy at the first maximum of each channel, 0 elsewhere: `max_pool2d_backward` with one window."""
    x = wide(x)
    n, h, w, c = x.shape
    return _to_the_largest(wide(dy).reshape(n, 1, 1, c), x, Windows((h, w), (h, w), 1, "valid"))
