"""Pooling over the compiled kernels: x (n, h, w, c) -> (n, h_out, w_out, c), or (n, c) over whole images."""

from __future__ import annotations

from numpy.typing import ArrayLike

from .. import _core
from .._operations import Floats, floats
from ._arrays import Pair, image, pair


def max_pool2d(
    x: ArrayLike, pool_size: int | Pair = 2, strides: int | Pair | None = None, padding: str = "valid"
) -> Floats:
    """The largest value of each window. Windows start every `strides` pixels, by default side by side.

    padding is "valid", or "same" for windows that stick out of the image: only what lies inside counts.

    >>> max_pool2d([[[[1], [7]], [[5], [3]]]]).tolist()
    [[[[7.0]]]]
    """
    op = "max_pool2d"
    return _forward(op, _pooling(op, "max_pooling2d", pool_size, strides, padding), x)


def max_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: int | Pair = 2,
    strides: int | Pair | None = None,
    padding: str = "valid",
) -> Floats:
    """dx of `max_pool2d`: dy at the first maximum of each window, 0 elsewhere."""
    op = "max_pool2d_backward"
    return _backward(op, _pooling(op, "max_pooling2d", pool_size, strides, padding), dy, x)


def average_pool2d(
    x: ArrayLike, pool_size: int | Pair = 2, strides: int | Pair | None = None, padding: str = "valid"
) -> Floats:
    """The mean of each window over the pixels inside the image; arguments as for `max_pool2d`.

    >>> average_pool2d([[[[1], [7]], [[5], [3]]]]).tolist()
    [[[[4.0]]]]
    """
    op = "average_pool2d"
    return _forward(op, _pooling(op, "average_pooling2d", pool_size, strides, padding), x)


def average_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: int | Pair = 2,
    strides: int | Pair | None = None,
    padding: str = "valid",
) -> Floats:
    """dx of `average_pool2d`: each dy in equal parts at the pixels of its window."""
    op = "average_pool2d_backward"
    return _backward(op, _pooling(op, "average_pooling2d", pool_size, strides, padding), dy, x)


def _pooling(
    op: str, kind: str, pool_size: int | Pair, strides: int | Pair | None, padding: str
) -> _core.Spec:
    size = pair(op, "pool_size", pool_size)
    return kind, {
        "pool_size": size,
        "strides": size if strides is None else pair(op, "strides", strides),
        "padding": padding,
    }


def global_average_pool2d(x: ArrayLike, keepdims: bool = False) -> Floats:
    """The mean of each channel: (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims.

    >>> global_average_pool2d([[[[1], [7]], [[5], [3]]]]).tolist()
    [[4.0]]
    """
    op = "global_average_pool2d"
    return _forward(op, ("global_average_pooling2d", {"keepdims": bool(keepdims)}), x)


def global_average_pool2d_backward(dy: ArrayLike, x: ArrayLike, keepdims: bool = False) -> Floats:
    """dx of `global_average_pool2d`: dy / (h * w) at every pixel."""
    op = "global_average_pool2d_backward"
    return _backward(op, ("global_average_pooling2d", {"keepdims": bool(keepdims)}), dy, x)


def global_max_pool2d(x: ArrayLike, keepdims: bool = False) -> Floats:
    """The largest value of each channel: (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims.

    >>> global_max_pool2d([[[[1], [7]], [[5], [3]]]]).tolist()
    [[7.0]]
    """
    op = "global_max_pool2d"
    return _forward(op, ("global_max_pooling2d", {"keepdims": bool(keepdims)}), x)


def global_max_pool2d_backward(dy: ArrayLike, x: ArrayLike, keepdims: bool = False) -> Floats:
    """dx of `global_max_pool2d`: dy at the first maximum of each channel, 0 elsewhere."""
    op = "global_max_pool2d_backward"
    return _backward(op, ("global_max_pooling2d", {"keepdims": bool(keepdims)}), dy, x)


def _forward(op: str, spec: _core.Spec, x: ArrayLike) -> Floats:
    return _core.forward(spec, image(op, x), ())


def _backward(op: str, spec: _core.Spec, dy: ArrayLike, x: ArrayLike) -> Floats:
    return _core.backward(spec, floats(op, "dy", dy), image(op, x), (), True)[0]
