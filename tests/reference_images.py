"""Layers of images and noise in NumPy. `key` is that of a layer's random numbers; None outside training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nncore.ops.randomness import _STEP, _hash, _mix

Array = np.ndarray[Any, Any]
Attributes = dict[str, Any]


def key_of(attributes: Attributes, seed: int, step: int, layer: int) -> int:
    """The key of a layer in a step: of the network's seed, or of its own."""
    key = 0
    for part in (attributes["seed"], step) if "seed" in attributes else (seed, step, layer):
        key = _mix((key ^ part) + _STEP)
    return key


# ---- noise


def _bits(key: int, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Two independent 32-bit numbers for each element."""
    position = np.arange(math.prod(shape), dtype=np.uint64).astype(np.uint32)
    run_key = _mix(key + _mix(_STEP))
    return tuple(
        (_hash(position, k) ^ np.uint32(0x80000000)).reshape(shape) for k in (run_key, _mix(run_key))
    )


def standard_normal(key: int, shape: tuple[int, ...]) -> Array:
    """Box and Muller 1958."""
    u, v = (((bits >> np.uint32(8)).astype(float) + 0.5) / 2**24 for bits in _bits(key, shape))
    return np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)


def kept(key: int, shape: tuple[int, ...], rate: float) -> Array:
    return (_bits(key, shape)[0] ^ np.uint32(0x80000000)) >= int(np.float32(rate) * 2.0**32)


def _gaussian_noise(a: Attributes, x: Array, key: int | None) -> Array:
    return x if key is None else x + a["stddev"] * standard_normal(key, x.shape)


def _gaussian_dropout(a: Attributes, x: Array, key: int | None) -> Array:
    deviation = math.sqrt(a["rate"] / (1 - a["rate"]))
    return x if key is None else x * (1 + deviation * standard_normal(key, x.shape))


def _alpha_dropout(a: Attributes, x: Array, key: int | None) -> Array:
    if key is None:
        return x
    rate, low = a["rate"], -1.7580993408473766
    scale = ((1 - rate) * (1 + rate * low**2)) ** -0.5
    return scale * np.where(kept(key, x.shape, rate), x, low) - scale * low * rate


# ---- sizes


def _as_image(x: Array) -> Array:
    return x[:, :, None] if x.ndim == 3 else x


def _zero_padding(a: Attributes, x: Array, key: int | None) -> Array:
    edges = np.reshape(a["padding"], (-1, 2)).tolist()
    return np.pad(x, [(0, 0), *edges, (0, 0)])


def _cropping(a: Attributes, x: Array, key: int | None) -> Array:
    edges = np.reshape(a["cropping"], (-1, 2)).tolist()
    return x[(slice(None), *(slice(first, n - last) for (first, last), n in zip(edges, x.shape[1:])))]


def resizing_matrix(size: int, out: int, interpolation: str) -> Array:
    """(out, size): how much each pixel of an axis adds to each of the new ones."""
    matrix = np.zeros((out, size))
    scale = np.float32(size) / np.float32(out)
    for i in range(out):
        middle = (np.float32(i) + np.float32(0.5)) * scale
        if interpolation == "nearest":
            matrix[i, min(int(middle), size - 1)] = 1
            continue
        at = max(np.float32(0), middle - np.float32(0.5))
        low = min(int(at), size - 1)
        matrix[i, low] += 1 - (at - low)
        matrix[i, min(low + 1, size - 1)] += at - low
    return matrix


def resized(x: Array, h: int, w: int, interpolation: str) -> Array:
    rows, columns = (resizing_matrix(n, out, interpolation) for n, out in zip(x.shape[1:3], (h, w)))
    return np.einsum("ih,jw,nhwc->nijc", rows, columns, x)


def _up_sampling(a: Attributes, x: Array, key: int | None) -> Array:
    image, factors = _as_image(x), (*a["size"], 1)
    if a["interpolation"] == "nearest":
        image = image.repeat(factors[0], 1).repeat(factors[1], 2)
    else:
        image = resized(image, image.shape[1] * factors[0], image.shape[2] * factors[1], "bilinear")
    return image[:, :, 0] if x.ndim == 3 else image


def middle(x: Array, h: int, w: int) -> Array:
    """The largest part in the middle with the aspect ratio of (h, w)."""
    height, width = x.shape[1:3]
    used = max(1, min(height, width * h // w)), max(1, min(width, height * w // h))
    top, left = (height - used[0]) // 2, (width - used[1]) // 2
    return x[:, top : top + used[0], left : left + used[1]]


def _resizing(a: Attributes, x: Array, key: int | None) -> Array:
    h, w = a["height"], a["width"]
    height, width = x.shape[1:3]
    if a["fit"] == "crop":
        x = middle(x, h, w)
    elif a["fit"] == "pad":
        edges = [(max(height, width * h // w) - height) // 2, (max(width, height * w // h) - width) // 2]
        edges = [(0, 0), *((edge, edge) for edge in edges), (0, 0)]
        x = np.pad(x, edges, constant_values=a["fill_value"])
    return resized(x, h, w, a["interpolation"])


def _center_crop(a: Attributes, x: Array, key: int | None) -> Array:
    h, w = a["height"], a["width"]
    if x.shape[1] < h or x.shape[2] < w:
        return resized(middle(x, h, w), h, w, "bilinear")
    top, left = (x.shape[1] - h) // 2, (x.shape[2] - w) // 2
    return x[:, top : top + h, left : left + w]


# ---- random images


def uniform(key: int, sample: int, which: int, low: float, high: float) -> float:
    bits = _mix((_mix((key ^ sample) + _STEP) ^ which) + _STEP) >> 11
    return low + (high - low) * (bits / 2.0**53)


def about_middle(h: int, w: int, a0: float, a1: float, b0: float, b1: float) -> list[float]:
    x, y = (w - 1) / 2, (h - 1) / 2
    return [a0, a1, x - x * a0 - y * a1, b0, b1, y - x * b0 - y * b1]


def affine_of(kind: str, a: Attributes, key: int, sample: int, h: int, w: int) -> list[float]:
    """(a0, a1, a2, b0, b1, b2): pixel (x, y) lies at (a0 x + a1 y + a2, b0 x + b1 y + b2) in the input."""

    def draw(which: int, name: str) -> float:
        return uniform(key, sample, which, *a[name])

    if kind == "random_flip":
        flips = uniform(key, sample, 0, 0, 1) <= 0.5
        across, down = (-1.0 if flips and a["mode"] != other else 1.0 for other in ("vertical", "horizontal"))
        return about_middle(h, w, across, 0.0, 0.0, down)
    if kind == "random_rotation":
        angle = 2 * math.pi * draw(0, "factor")
        return about_middle(h, w, math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle))
    if kind == "random_zoom":
        down = 1 + draw(0, "height_factor")
        across = 1 + draw(1, "width_factor") if "width_factor" in a else down
        return about_middle(h, w, across, 0.0, 0.0, down)
    return [1, 0, -draw(1, "width_factor") * w, 0, 1, -draw(0, "height_factor") * h]


def sampled(x: Array, affine: list[float], bilinear: bool, fill_mode: str, fill_value: float) -> Array:
    """An image (h, w, c) along an affine map."""
    h, w, _ = x.shape
    a0, a1, a2, b0, b1, b2 = np.array(affine, np.float32)
    fy, fx = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (h, w)), indexing="ij")
    y = np.zeros_like(x)
    rows, columns = b1 * fy + b0 * fx + b2, a1 * fy + a0 * fx + a2
    for i, row_weight in _neighbours(rows, bilinear):
        for j, column_weight in _neighbours(columns, bilinear):
            inside = np.ones(i.shape, bool)
            fixed = []
            for index, n in ((i, h), (j, w)):
                if fill_mode == "constant":
                    inside &= (index >= 0) & (index < n)
                if fill_mode == "wrap":
                    index = index % n
                elif fill_mode == "reflect":
                    index = np.minimum(index % (2 * n), 2 * n - 1 - index % (2 * n))
                fixed.append(np.clip(index, 0, n - 1))
            pixels = np.where(inside[..., None], x[tuple(fixed)], fill_value)
            y += (row_weight * column_weight).astype(float)[..., None] * pixels
    return y


def _neighbours(at: Array, bilinear: bool) -> list[tuple[Array, Array]]:
    if not bilinear:
        return [(np.rint(at).astype(int), np.ones_like(at))]
    low = np.floor(at)
    return [(low.astype(int), 1 - (at - low)), (low.astype(int) + 1, at - low)]


def _affine(kind: str) -> Any:
    def layer(a: Attributes, x: Array, key: int | None) -> Array:
        if key is None:
            return x
        bilinear = a.get("interpolation") == "bilinear"
        fill = a.get("fill_mode", "nearest"), a.get("fill_value", 0.0)
        maps = (affine_of(kind, a, key, sample, *x.shape[1:3]) for sample in range(len(x)))
        return np.stack([sampled(image, affine, bilinear, *fill) for image, affine in zip(x, maps)])

    return layer


def _random_crop(a: Attributes, x: Array, key: int | None) -> Array:
    size = a["height"], a["width"]
    if key is None or x.shape[1] <= size[0] or x.shape[2] <= size[1]:
        return resized(middle(x, *size), *size, "bilinear")
    top, left = (int(uniform(key, 0, axis, 0, x.shape[1 + axis] - size[axis] + 1)) for axis in range(2))
    return x[:, top : top + size[0], left : left + size[1]]


def _random_contrast(a: Attributes, x: Array, key: int | None) -> Array:
    if key is None:
        return x
    low, high = a["factor"]
    factor = np.array([uniform(key, s, 0, 1 - low, 1 + high) for s in range(len(x))]).reshape(-1, 1, 1, 1)
    mean = x.mean((1, 2), keepdims=True)
    return np.clip((x - mean) * factor + mean, *a["value_range"])


def _random_brightness(a: Attributes, x: Array, key: int | None) -> Array:
    if key is None:
        return x
    low, high = a["value_range"]
    shift = [uniform(key, s, 0, *a["factor"]) * (high - low) for s in range(len(x))]
    return np.clip(x + np.reshape(shift, (-1, 1, 1, 1)), low, high)


# ---- all kinds

# Linear in x, but for a number that is added.
AFFINE: dict[str, Any] = {
    "gaussian_noise": _gaussian_noise,
    "gaussian_dropout": _gaussian_dropout,
    "alpha_dropout": _alpha_dropout,
    "zero_padding": _zero_padding,
    "cropping": _cropping,
    "up_sampling": _up_sampling,
    "resizing": _resizing,
    "center_crop": _center_crop,
    **{
        kind: _affine(kind)
        for kind in ("random_flip", "random_rotation", "random_zoom", "random_translation")
    },
    "random_crop": _random_crop,
}
COLORS: dict[str, Any] = {"random_contrast": _random_contrast, "random_brightness": _random_brightness}
KINDS = {**AFFINE, **COLORS}
RANDOM = {kind for kind in KINDS if kind.startswith(("random", "gaussian", "alpha"))}


def forward(kind: str, a: Attributes, x: Array, key: int | None) -> Array:
    return np.asarray(KINDS[kind](a, x, key))


def backward(kind: str, a: Attributes, dy: Array, x: Array, key: int | None) -> Array:
    """dx. Layers that are affine in each sample have their slopes probed, one input element at a time."""
    if kind in COLORS:
        y = _unclipped(kind, a, x, key)
        low, high = a["value_range"]
        dy = np.where((y >= low) & (y <= high), dy, 0.0)
        if kind == "random_brightness":
            return dy
        low, high = 1 - a["factor"][0], 1 + a["factor"][1]
        factor = np.reshape([uniform(key or 0, s, 0, low, high) for s in range(len(x))], (-1, 1, 1, 1))
        return factor * dy + (1 - factor) * dy.mean((1, 2), keepdims=True)
    if not kind.startswith(("random", "up", "re", "zero", "crop", "center")):  # element by element
        return dy * (forward(kind, a, x + 1.0, key) - forward(kind, a, x, key))
    dx = np.empty_like(x)
    offset = forward(kind, a, np.zeros_like(x), key)
    for index in np.ndindex(x.shape[1:-1]):  # channels do not mix, and each is weighted alike
        probe = np.zeros_like(x)
        probe[(slice(None), *index)] = 1.0
        slope = forward(kind, a, probe, key) - offset
        dx[(slice(None), *index)] = (slope * dy).sum(tuple(range(1, dy.ndim - 1)))
    return dx


def _unclipped(kind: str, a: Attributes, x: Array, key: int | None) -> Array:
    if kind == "random_contrast":
        return _random_contrast({**a, "value_range": (-np.inf, np.inf)}, x, key)
    low, high = a["value_range"]
    wide = [uniform(key or 0, s, 0, *a["factor"]) * (high - low) for s in range(len(x))]
    return x + np.reshape(wide, (-1, 1, 1, 1))


# ---- layers with parameters


def prelu(x: Array, alpha: Array) -> Array:
    """He et al. 2015."""
    return np.where(x > 0, x, alpha * x)


def prelu_backward(dy: Array, x: Array, alpha: Array) -> tuple[Array, Array]:
    shared = tuple(axis + 1 for axis, n in enumerate(alpha.shape) if n != x.shape[axis + 1])
    dalpha = np.where(x > 0, 0.0, dy * x).sum(0)
    dalpha = dalpha.sum(tuple(axis - 1 for axis in shared), keepdims=True) if shared else dalpha
    return np.where(x > 0, dy, alpha * dy), dalpha.reshape(alpha.shape)


def softmax(x: Array, axis: tuple[int, ...]) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def softmax_backward(dy: Array, x: Array, axis: tuple[int, ...]) -> Array:
    y = softmax(x, axis)
    return np.asarray(y * (dy - (dy * y).sum(axis, keepdims=True)))


def normalization(a: Attributes, x: Array, parameters: list[Array]) -> tuple[Array, Array]:
    """(x - mean) / deviation or its inverse, and the slope."""
    kept = {axis % x.ndim for axis in a["axis"]}
    shape = [n if axis in kept else 1 for axis, n in enumerate(x.shape)]
    mean, variance = (a["mean"], a["variance"]) if "mean" in a else parameters[:2]
    sizes = shape if np.size(mean) > 1 else [1] * x.ndim
    mean, deviation = np.reshape(mean, sizes), np.maximum(np.sqrt(np.reshape(variance, sizes)), 1e-7)
    if a["invert"]:
        return x * deviation + mean, deviation
    return (x - mean) / deviation, 1 / deviation


def _transposed_cuts(a: Attributes) -> list[tuple[int, int]]:
    """What is cut off the full output of each axis, in front and behind; negative: zeros that are added."""
    cuts = []
    for size, stride, dilation, more in zip(
        a["kernel_size"], a["strides"], a["dilation_rate"], a["output_padding"]
    ):
        extent = (size - 1) * dilation + 1
        if a["padding"] == "valid":
            cuts.append((0, -(max(extent, stride) - extent if more < 0 else more)))
            continue
        total = stride + extent - 2 if more < 0 else extent + extent % 2 - 2 + more
        front = min(-(-total // 2), extent - 1)
        cuts.append((extent - 1 - front, extent - 1 - (total - front)))
    return cuts


def _transposed_taps(a: Attributes, x: Array) -> Any:
    """The full shape of an image, and for each tap its place in the full output."""
    full = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(x.shape[1:3], a["strides"], a["kernel_size"], a["dilation_rate"])
    ]
    places = {
        tap: tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, a["dilation_rate"], x.shape[1:3], a["strides"])
        )
        for tap in np.ndindex(*a["kernel_size"])
    }
    return full, places


def conv2d_transpose(a: Attributes, x: Array, parameters: list[Array]) -> Array:
    kernel = parameters[0]
    full, places = _transposed_taps(a, x)
    y = np.zeros((len(x), *full, kernel.shape[2]))
    for tap, place in places.items():
        y[(slice(None), *place)] += x @ kernel[tap].T
    y = np.pad(
        y, [(0, 0), *((max(0, -front), max(0, -behind)) for front, behind in _transposed_cuts(a)), (0, 0)]
    )
    (top, bottom), (left, right) = (tuple(max(0, cut) for cut in cuts) for cuts in _transposed_cuts(a))
    y = y[:, top : y.shape[1] - bottom, left : y.shape[2] - right]
    return y + parameters[1] if len(parameters) > 1 else y


def conv2d_transpose_backward(
    a: Attributes, dz: Array, x: Array, parameters: list[Array]
) -> tuple[Array, list[Array]]:
    kernel = parameters[0]
    _, places = _transposed_taps(a, x)
    cuts = _transposed_cuts(a)
    padded = np.pad(dz, [(0, 0), *((max(0, front), max(0, behind)) for front, behind in cuts), (0, 0)])
    dx, dkernel = np.zeros_like(x), np.zeros(kernel.shape)
    for tap, place in places.items():
        d = padded[(slice(None), *place)]
        dx += d @ kernel[tap]
        dkernel[tap] = np.einsum("nijf,nijc->fc", d, x)
    return dx, [dkernel, dz.sum((0, 1, 2))][: len(parameters)]
