"""The cases of tests/golden.py for products, convolutions and pooling.

They have the most columns; tests/cpp also takes only the first columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from golden_case import Golden, drawn_arrays
from op_cases import SIZES, Array

from nncore import reference

N = SIZES[-1]


def sums(function: Callable[..., Any], *arrays: Array, **arguments: Any) -> list[tuple[Array, Array]]:
    """Results, and how far a kernel's may be from each: 16 roundings of the sum of absolute terms."""
    values = function(*arrays, **arguments)
    magnitudes = function(*map(np.abs, arrays), **arguments)
    if not isinstance(values, tuple):
        values, magnitudes = (values,), (magnitudes,)
    return [(value, 16 * magnitude) for value, magnitude in zip(values, magnitudes, strict=True)]


def products() -> Iterator[Golden]:
    sizes = [(33, N, k) for k in (1, 3, 16, 65)] + [(9, N, k) for k in (0, 15, 17, 33)]
    # more inputs than a block has; more rows than keep their part of A in the cache
    sizes += [(9, N, 257), (65, N, 300), (3, N, 600), (N, N, 11), (150, 130, 1500)]
    for m, n, k in sizes:
        inputs = drawn_arrays(x=(m, k), kernel=(k, n), bias=(n,))
        if k == 17:
            del inputs["bias"]
        (y,) = sums(reference.dense, *inputs.values())
        yield Golden("product", "dense", (m, n), [float(k)], inputs, {"y": y})
    for size, taps, channels, filters in ((6, 3, 1, N), (9, 5, 3, N), (4, 1, 2, N), (12, 3, 64, 33)):
        inputs = drawn_arrays(x=(1, size, size, channels), kernel=(taps, taps, channels, filters))
        (y,) = sums(reference.conv2d, *inputs.values())
        settings = [float(taps), float(channels)]
        yield Golden("product", "conv2d", (size, filters), settings, inputs, {"y": y})
    for size, taps in ((7, 1), (10, 3), (9, 4)):
        out, c, strided = (size - taps) // 2 + 1, N + 2, {"strides": 2, "groups": N + 2}
        images = {"x": (1, size, size, c), "dy": (1, out, out, c)}
        inputs = drawn_arrays(**images, kernel=(taps, taps, 1, c), bias=(c,))
        x, dy, kernel, bias = inputs.values()
        (y,) = sums(reference.conv2d, x, kernel, bias, **strided)
        dx, dkernel, _ = sums(reference.conv2d_backward, dy, x, kernel, **strided)
        outputs = {"y": y, "dx": dx, "dkernel": dkernel}
        yield Golden("product", "depthwise", (size, c), [float(taps)], inputs, outputs)
    inputs = drawn_arrays(x=(5000, N + 3))
    for rows in (1, 2, 7, 33, 4096, 4097, 5000):
        dy = inputs["x"][:rows]
        y = sums(reference.dense_backward, dy, np.zeros((rows, 1)), np.zeros((1, N + 3)))[2]
        yield Golden("product", "sums", (rows, N + 3), [], {"x": dy}, {"y": y})
    inputs, scales = drawn_arrays(x=(N,)), np.array([0.3, -0.7], np.float32)
    (y,) = sums(reference.rescale, inputs["x"], *scales)
    yield Golden("product", "rescale", (1, N), [float(a) for a in scales], inputs, {"y": y})


def normalization() -> Iterator[Golden]:
    """Settings: epsilon."""
    for n in (*SIZES, 5000):
        inputs = drawn_arrays(x=(19, n), dy=(19, n), gamma=(n,), beta=(n,))
        x, dy, gamma, beta = inputs.values()
        y = reference.layer_normalization(x, gamma, beta, epsilon=0.25)
        gradients = reference.layer_normalization_backward(dy, x, gamma, epsilon=0.25)
        outputs = {"y": y, **dict(zip(("dx", "dgamma", "dbeta"), gradients))}
        allowed = {name: (a, np.full_like(a, 64.0)) for name, a in outputs.items()}  # of values up to 4
        yield Golden("normalization", "rows", x.shape, [0.25], inputs, allowed)


def pooling() -> Iterator[Golden]:
    """Settings: those of Pool2D, in their order."""
    for (h, w), (out_h, out_w), pool, strides, pads in (
        ((4, 6), (2, 3), (2, 2), (2, 2), (0, 0)),
        ((5, 5), (3, 3), (3, 3), (2, 2), (1, 1)),
        ((5, 4), (5, 4), (2, 3), (1, 1), (0, 1)),
        ((3, 7), (1, 1), (3, 7), (3, 7), (0, 0)),
    ):
        inputs = drawn_arrays(x=(1, h, w, N), dy=(1, out_h, out_w, N))
        inputs["x"] = x = np.floor(inputs["x"] * 4) / 4  # with ties
        windows = {"pool_size": pool, "strides": strides, "padding": "same" if any(pads) else "valid"}
        average = sums(reference.average_pool2d, x, **windows)
        slopes = sums(reference.average_pool2d_backward, inputs["dy"], x, **windows)
        y = reference.max_pool2d(x, **windows)
        dx = [reference.max_pool2d_backward(dy, x, **windows) for dy in (inputs["dy"], np.abs(inputs["dy"]))]
        outputs = {"max": (y, 0 * y), "max_dx": (dx[0], 16 * dx[1])}
        outputs |= {"average": average[0], "average_dx": slopes[0]}
        settings = [float(a) for a in (h, w, N, out_h, out_w, *pool, *strides, *pads)]
        yield Golden("image", "pool2d", (h, w), settings, inputs, outputs)


def blank(x: Array) -> Array:
    """All but the last third of the rows and columns is zero, so that some windows read nothing but +0."""
    _, h, w, _ = x.shape
    corner = (3 * np.arange(h) >= 2 * h)[:, np.newaxis] & (3 * np.arange(w) >= 2 * w)
    return np.where(corner[:, :, np.newaxis], x, np.float32(0))


def conv_pool() -> Iterator[Golden]:
    """Settings: channels, filters, kernel and pool. `z` is the convolution, before pooling."""
    shapes = [((14, 15), (1, N), (3, 3), (2, 2)), ((9, 11), (3, N), (3, 2), (3, 2))]
    shapes += [((7, 6), (5, N), (5, 5), (1, 1)), *(((4, 7), (n, 5), (1, 3), (2, 5)) for n in SIZES)]
    for (h, w), (c, filters), kernel, pool in shapes:
        inputs = drawn_arrays(x=(1, h, w, c), kernel=(*kernel, c, filters), bias=(filters,))
        for clear in (False, True):
            given = {**inputs, "x": blank(inputs["x"])} if clear else inputs
            ((z, allowed),) = sums(reference.conv2d, *given.values())
            y, limit = (reference.max_pool2d(a, pool) for a in (z, allowed))
            outputs = {"z": (z, allowed), "y": (y, limit), "relu": (reference.relu(y), limit)}
            settings = [float(a) for a in (c, filters, *kernel, *pool)]
            yield Golden("image", "conv_pool", (h, w), settings, given, outputs)


def conv_pool_gradients() -> Iterator[Golden]:
    """Settings as above. Gradients for three samples: of the transposed kernel and the bias, and of the input
    of the first sample, with as many filters as the name says."""
    shapes = [((9, 8), (1, N), (3, 3), (2, 2)), ((9, 8), (1, N), (4, 2), (2, 2))]
    shapes += [((9, 9), (3, N), (3, 3), (2, 2)), ((7, 6), (5, N), (5, 5), (1, 1))]
    shapes += [((9, 11), (2, N), (3, 2), (3, 2)), ((12, 11), (2, N), (2, 2), (10, 10))]
    shapes += [((7, 8), (N, 5), (k, k), (2, 2)) for k in (1, 3, 5)]  # rows of up to 485 taps
    # sums over more windows than are added in one run
    shapes += [((130, 121), (1, 5), (3, 3), (2, 2)), ((62, 63), (1, 33), (2, 2), (2, 2))]
    shapes += [((90, 70), (2, 3), (2, 3), (1, 2))]
    # more terms of a filter than are kept at a time
    shapes += [((21, 100), (1, 3), (2, 2), (1, 1)), ((60, 61), (1, 3), (3, 3), (2, 2))]
    for number, ((h, w), (c, filters), kernel, pool) in enumerate(shapes):
        out = (3, (h - kernel[0] + 1) // pool[0], (w - kernel[1] + 1) // pool[1], filters)
        images = {"x": (3, h, w, c), "dy": out}
        inputs = drawn_arrays(**images, transposed=(filters, *kernel, c), kernel=(*kernel, c, filters))
        to = dy_at_maxima(inputs["dy"], (h - kernel[0] + 1, w - kernel[1] + 1), pool)
        transposed = inputs["transposed"].transpose(1, 2, 3, 0)
        for clear in {0: (False, True), 10: (True,)}.get(number, (False,)):
            given = {**inputs, "x": blank(inputs["x"])} if clear else inputs
            _, (dw, limit), db = sums(reference.conv2d_backward, to, given["x"], transposed)
            outputs = {"dw": (dw.transpose(3, 0, 1, 2), limit.transpose(3, 0, 1, 2)), "db": db}
            for n in SIZES if filters == N else (filters,):
                few = (to[:1, ..., :n], given["x"][:1], transposed[..., :n])
                outputs[f"dx{n}"] = sums(reference.conv2d_backward, *few)[0]
            settings = [float(a) for a in (c, filters, *kernel, *pool)]
            yield Golden("image", "conv_pool_gradient", (h, w), settings, given, outputs)


def dy_at_maxima(dy: Array, size: tuple[int, int], pool: tuple[int, int]) -> Array:
    """The gradient of the input of pooling, for the maxima and zeros of dy that tests/cpp/images.cpp
    chooses.
    """
    i = np.arange(dy.size).reshape(dy.shape)
    position = np.where(i % 3 == 0, i * i // 7 % (pool[0] * pool[1]), -1)
    maxima = np.zeros((len(dy), *size, dy.shape[3]))
    for y, x in np.ndindex(*pool):
        rows, columns = slice(y, dy.shape[1] * pool[0], pool[0]), slice(x, dy.shape[2] * pool[1], pool[1])
        maxima[:, rows, columns] = position == y * pool[1] + x
    return reference.max_pool2d_backward(dy * (i % 3 == 0), maxima, pool)


def winograd() -> Iterator[Golden]:
    """A convolution of one row of tiles. Settings: channels and filters. Forms add and subtract more than a
    product does, so 16 roundings are of the largest sum."""
    for rows, columns, (c, filters) in (
        (rows, columns, sizes) for rows in (1, 2) for columns in (1, 2, 5, 8) for sizes in ((3, N), (N, 5))
    ):
        of_tiles = (columns + 1) // 2 * 2
        shapes = {"x": (1, 4, of_tiles + 2, c), "dy": (1, rows, columns, filters)}
        inputs = drawn_arrays(**shapes, kernel=(3, 3, c, filters), bias=(filters,))
        x, dy, kernel, bias = inputs.values()
        y, limit = sums(reference.conv2d, x, kernel, bias)[0]
        outputs = {"y": (y[:, :rows, :columns], limit[:, :rows, :columns])}
        of_all = np.pad(dy, ((0, 0), (0, 2 - rows), (0, of_tiles - columns), (0, 0)))
        outputs["dx"], outputs["dkernel"], _ = sums(reference.conv2d_backward, of_all, x, kernel)
        outputs = {name: (a, np.full_like(a, limit.max())) for name, (a, limit) in outputs.items()}
        settings = [float(c), float(filters)]
        yield Golden("image", "winograd", (rows, columns), settings, inputs, outputs)


FAMILIES = (products, normalization, pooling, conv_pool, conv_pool_gradients, winograd)
