"""Operations of nncore.ops in plain float32 NumPy, with the same names and arguments.

Pooling is for windows of 2 x 2 that divide the image; convolutions have one group, or one for each channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = Any  # np.ndarray, whose operators are typed as Any
_SLOPE, _CUBIC = math.sqrt(2 / math.pi), 0.044715  # of gelu
_F = np.float32


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dy: Array, x: Array) -> Array:
    y = softmax(x)
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def gelu(x: Array, approximate: bool) -> Array:
    return 0.5 * x * (1 + np.tanh(_SLOPE * (x + _CUBIC * (x * x * x))))


def gelu_backward(dy: Array, x: Array, approximate: bool) -> Array:
    t = np.tanh(_SLOPE * (x + _CUBIC * (x * x * x)))
    return dy * 0.5 * ((1 + t) + x * (1 - t * t) * _SLOPE * (1 + 3 * _CUBIC * (x * x)))


def silu_backward(dy: Array, x: Array) -> Array:
    s = sigmoid(x)
    return dy * s * (1 + x * (1 - s))


def _normalized(x: Array, axis: int = -1, epsilon: float = 1e-7) -> tuple[Array, Array]:
    """(x - mean) * rstd, and rstd"""
    difference = x - x.mean(axis=axis, keepdims=True)
    rstd = 1 / np.sqrt((difference * difference).mean(axis=axis, keepdims=True) + _F(epsilon))
    return difference * rstd, rstd


def normalize_batch(x: Array, gamma: Array, beta: Array) -> Array:
    return _normalized(x, 0, 1e-3)[0] * gamma + beta


def normalize_batch_backward(dy: Array, x: Array, gamma: Array) -> tuple[Array, ...]:
    t, rstd = _normalized(x, 0, 1e-3)
    dgamma, dbeta = (dy * t).sum(axis=0), dy.sum(axis=0)
    dx = gamma * rstd * (dy - dbeta / _F(len(x)) - t * (dgamma / _F(len(x))))
    return dx, dgamma, dbeta


def layer_normalization(x: Array, gamma: Array, beta: Array) -> Array:
    return _normalized(x)[0] * gamma + beta


def layer_normalization_backward(dy: Array, x: Array, gamma: Array) -> tuple[Array, ...]:
    t, rstd = _normalized(x)
    g = dy * gamma
    dx = (g - g.mean(axis=-1, keepdims=True) - t * (g * t).mean(axis=-1, keepdims=True)) * rstd
    return dx, (dy * t).sum(axis=0), dy.sum(axis=0)


def _windows(x: Array, kernel: Array, strides: int, padding: str) -> tuple[Array, tuple[int, int]]:
    """((n, h_out, w_out, c, kh, kw), zeros before the first row and column)"""
    kh, kw = kernel.shape[:2]
    before = ((kh - 1) // 2, (kw - 1) // 2) if padding == "same" else (0, 0)
    if padding == "same":
        x = np.pad(x, ((0, 0), (before[0], kh - 1 - before[0]), (before[1], kw - 1 - before[1]), (0, 0)))
    return sliding_window_view(x, (kh, kw), axis=(1, 2))[:, ::strides, ::strides], before


def conv2d(x: Array, kernel: Array, strides: int = 1, padding: str = "valid", groups: int = 1) -> Array:
    windows, _ = _windows(x, kernel, strides, padding)
    if groups > 1:
        return np.einsum("nhwcij,ijc->nhwc", windows, kernel[:, :, 0], optimize=True)
    return np.tensordot(windows, kernel, axes=([4, 5, 3], [0, 1, 2]))


def conv2d_backward(
    dy: Array, x: Array, kernel: Array, strides: int = 1, padding: str = "valid", groups: int = 1
) -> tuple[Array, ...]:
    windows, (top, left) = _windows(x, kernel, strides, padding)
    (_, h, w, _), (kh, kw) = dy.shape, kernel.shape[:2]
    dx = np.zeros((len(x), x.shape[1] + kh, x.shape[2] + kw, x.shape[3]), np.float32)
    for i in range(kh):
        for j in range(kw):
            share = dy * kernel[i, j, 0] if groups > 1 else dy @ kernel[i, j].T
            dx[:, i : i + strides * h : strides, j : j + strides * w : strides] += share
    dx = dx[:, top : top + x.shape[1], left : left + x.shape[2]]
    if groups > 1:
        dkernel = np.einsum("nhwcij,nhwc->ijc", windows, dy, optimize=True)[:, :, None]
    else:
        dkernel = np.tensordot(windows, dy, axes=([0, 1, 2], [0, 1, 2])).transpose(1, 2, 0, 3)
    return dx, dkernel, dy.sum(axis=(0, 1, 2))


def dropout(x: Array, rate: float, seed: int) -> Array:
    kept = np.random.default_rng(seed).random(x.shape, np.float32) >= rate
    return np.where(kept, x * _F(1 / (1 - rate)), _F(0))


def _pooled(x: Array) -> Array:
    """(n, h, w, c) -> (n, h / 2, 2, w / 2, 2, c)"""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c)


def max_pool2d_backward(dy: Array, x: Array) -> Array:
    windows = _pooled(x)
    is_max = windows == windows.max(axis=(2, 4), keepdims=True)
    return (is_max * dy[:, :, None, :, None]).reshape(x.shape)


def global_average_pool2d_backward(dy: Array, x: Array) -> Array:
    return np.broadcast_to(dy[:, None, None] / (x.shape[1] * x.shape[2]), x.shape).copy()


def _clipped(p: Array) -> Array:
    return np.clip(p, _F(1e-7), _F(1 - 1e-7))


def binary_crossentropy(t: Array, p: Array) -> Array:
    p = _clipped(p)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis=-1)


def binary_crossentropy_backward(dy: Array, t: Array, p: Array) -> Array:
    p = _clipped(p)
    return dy[:, None] * ((1 - t) / (1 - p) - t / p) / t.shape[-1]


def categorical_crossentropy_backward(dy: Array, t: Array, p: Array) -> Array:
    total = p.sum(axis=-1, keepdims=True)
    g = -t * total / p
    return dy[:, None] * (g - (g * p).sum(axis=-1, keepdims=True) / total) / total


def sparse_categorical_crossentropy(y: Array, p: Array) -> Array:
    p = _clipped(p)
    return -np.log(p[np.arange(len(y)), y] / p.sum(axis=-1))


def sparse_categorical_crossentropy_backward(dy: Array, y: Array, p: Array) -> Array:
    p, rows = _clipped(p), np.arange(len(y))
    dp = np.repeat(dy[:, None] / p.sum(axis=-1, keepdims=True), p.shape[1], axis=1)
    dp[rows, y] -= dy / p[rows, y]
    return dp


def sgd(w: Array, g: Array, velocity: Array, learning_rate: float, momentum: float) -> tuple[Array, Array]:
    velocity = momentum * velocity - learning_rate * g
    return w + velocity, velocity


def adam(w: Array, g: Array, m: Array, v: Array, step: int) -> tuple[Array, ...]:
    m = m + (g - m) * 0.1
    v = v + (g * g - v) * 0.001
    rate = 0.001 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return w - rate * m / (np.sqrt(v) + 1e-7), m, v


ONE_LINERS: dict[str, Callable[..., Any]] = {
    "dense": lambda x, kernel: x @ kernel,
    "dense_backward": lambda dy, x, kernel: (dy @ kernel.T, x.T @ dy, dy.sum(axis=0)),
    "relu": lambda x: np.maximum(x, 0),
    "relu_backward": lambda dy, x: dy * (x > 0),
    "leaky_relu": lambda x: np.where(x > 0, x, _F(0.2) * x),
    "leaky_relu_backward": lambda dy, x: np.where(x > 0, dy, _F(0.2) * dy),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "elu_backward": lambda dy, x: dy * np.exp(np.minimum(x, 0)),
    "sigmoid_backward": lambda dy, x: dy * (s := sigmoid(x)) * (1 - s),
    "tanh": np.tanh,
    "tanh_backward": lambda dy, x: dy * (1 - np.tanh(x) ** 2),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softplus_backward": lambda dy, x: dy * sigmoid(x),
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x),
    "swish_backward": silu_backward,
    "rescale": lambda x, scale: x * _F(scale),
    "rescale_backward": lambda dy, x, scale: dy * _F(scale),
    "dropout_backward": lambda dy, x, rate, seed: dropout(dy, rate, seed),
    "max_pool2d": lambda x: _pooled(x).max(axis=(2, 4)),
    "average_pool2d": lambda x: _pooled(x).mean(axis=(2, 4)),
    "average_pool2d_backward": lambda dy, x: (dy / 4).repeat(2, axis=1).repeat(2, axis=2),
    "global_max_pool2d": lambda x: x.max(axis=(1, 2)),
    "global_max_pool2d_backward": lambda dy, x: (x == x.max(axis=(1, 2), keepdims=True)) * dy[:, None, None],
    "global_average_pool2d": lambda x: x.mean(axis=(1, 2)),
    "categorical_crossentropy": lambda t, p: (
        -(t * np.log(_clipped(p / p.sum(axis=-1, keepdims=True)))).sum(axis=-1)
    ),
    "mean_squared_error": lambda t, y: ((y - t) ** 2).mean(axis=-1),
    "mean_squared_error_backward": lambda dy, t, y: dy[:, None] * (y - t) * _F(2 / t.shape[-1]),
    "mean_absolute_error": lambda t, y: np.abs(y - t).mean(axis=-1),
    "mean_absolute_error_backward": lambda dy, t, y: dy[:, None] * np.sign(y - t) / _F(t.shape[-1]),
    "binary_accuracy": lambda t, p: ((p > 0.5) == t).mean(axis=-1),
    "categorical_accuracy": lambda t, p: t.argmax(axis=-1) == p.argmax(axis=-1),
    "sparse_categorical_accuracy": lambda y, p: y == p.argmax(axis=-1),
}


def form(op: str) -> Callable[..., Any]:
    """The float32 function written here; else the float64 reference."""
    from nncore import reference

    found: Callable[..., Any] = ONE_LINERS.get(op) or globals().get(op) or getattr(reference, op)
    return found
