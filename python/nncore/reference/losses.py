"""Losses: how far an output is from its target, one value for each row.

A row is what lies on the last axis. The backward functions take `dy`, one number for each row: in training,
where the loss of a batch is the mean over its rows, that is 1 / rows (times the sample's weight).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._operations import ACTIVATIONS
from ._windows import Floats, floats, row_max, row_sum


def sigmoid(x: Floats) -> Floats:
    return np.asarray(ACTIVATIONS["sigmoid"].reference(x))


def softmax(x: Floats) -> Floats:
    return np.asarray(ACTIVATIONS["softmax"].reference(x))


def softplus(x: Floats) -> Floats:
    return np.asarray(ACTIVATIONS["softplus"].reference(x))


# Probabilities are kept away from 0 and 1, where their logarithm is infinite. The bounds are float32 numbers,
# so that the compiled kernels use the same.
SMALLEST = float(np.float32(1e-7))
LARGEST = float(np.float32(1.0 - 1e-7))


def _clip(p: Floats) -> Floats:
    return np.clip(p, SMALLEST, LARGEST)


def _inside(p: Floats) -> Floats:
    """The derivative of _clip: 1 between the bounds, and 0 beyond them, where moving p changes nothing."""
    return ((p >= SMALLEST) & (p <= LARGEST)).astype(np.float64)


def _column(dy: ArrayLike) -> Floats:
    """(...) -> (..., 1), to multiply rows."""
    column: Floats = floats(dy)[..., np.newaxis]
    return column


def _columns(x: Floats) -> int:
    return int(x.shape[-1])


def mean_squared_error(target: ArrayLike, output: ArrayLike) -> Floats:
    """mean over the row of (output - target)^2. target and output (..., columns) -> (...).

    >>> mean_squared_error([[0, 0]], [[1, 3]])
    array([5.])
    """
    return np.asarray(np.mean((floats(output) - floats(target)) ** 2, axis=-1))


def mean_squared_error_backward(dy: ArrayLike, target: ArrayLike, output: ArrayLike) -> Floats:
    """doutput = dy * 2 * (output - target) / columns.

    >>> mean_squared_error_backward([1], [[0, 0]], [[1, 3]])
    array([[1., 3.]])
    """
    error = floats(output) - floats(target)
    return _column(dy) * 2.0 * error / _columns(error)


def mean_absolute_error(target: ArrayLike, output: ArrayLike) -> Floats:
    """mean over the row of |output - target|. target and output (..., columns) -> (...).

    >>> mean_absolute_error([[0, 0]], [[1, -3]])
    array([2.])
    """
    return np.asarray(np.mean(np.abs(floats(output) - floats(target)), axis=-1))


def mean_absolute_error_backward(dy: ArrayLike, target: ArrayLike, output: ArrayLike) -> Floats:
    """doutput = dy * sign(output - target) / columns; 0 where they are equal.

    >>> mean_absolute_error_backward([1], [[0, 0]], [[1, -3]])
    array([[ 0.5, -0.5]])
    """
    error = floats(output) - floats(target)
    return _column(dy) * np.sign(error) / _columns(error)


def binary_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """mean over the row of -t * log(p) - (1 - t) * log(1 - p): the surprise of an observer who believes in p.

    target t in [0, 1] and output (..., columns) -> (...). The output holds probabilities p, which are clipped
    to [1e-7, 1 - 1e-7], or with from_logits numbers z of any size, with p = sigmoid(z). label_smoothing s in
    [0, 1] replaces t by t * (1 - s) + s / 2.

    From logits the formula becomes softplus(z) - t * z, which is exact for large z.

    >>> binary_crossentropy([[1, 0]], [[0.9, 0.1]]).round(4)
    array([0.1054])
    >>> binary_crossentropy([[1]], [[-1000]], from_logits=True)
    array([1000.])
    """
    t, output = _smooth_binary(target, label_smoothing), floats(output)
    if from_logits:
        # equals softplus(z) - t * z, without the difference of two large numbers
        value = (1.0 - t) * softplus(output) + t * softplus(-output)
    else:
        p = _clip(output)
        value = -t * np.log(p) - (1.0 - t) * np.log(1.0 - p)
    return np.asarray(value.mean(axis=-1))


def binary_crossentropy_backward(
    dy: ArrayLike,
    target: ArrayLike,
    output: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """From logits doutput = dy * (p - t) / columns, else dy * ((1 - t) / (1 - p) - t / p) / columns.

    Where p was clipped the gradient is 0. That the logits' gradient is the plain error p - t is the reason to
    compute a loss from logits.

    >>> binary_crossentropy_backward([1], [[1, 0]], [[0, 0]], from_logits=True)
    array([[-0.25,  0.25]])
    """
    t, output = _smooth_binary(target, label_smoothing), floats(output)
    if from_logits:
        slope = sigmoid(output) - t
    else:
        p = _clip(output)
        slope = ((1.0 - t) / (1.0 - p) - t / p) * _inside(output)
    return _column(dy) * slope / _columns(output)


def _smooth_binary(target: ArrayLike, label_smoothing: float) -> Floats:
    return floats(target) * (1.0 - label_smoothing) + 0.5 * label_smoothing


def categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """-(sum over the classes of t * log(p)), the target t being one-hot or any weights for the classes.

    target and output (..., classes) -> (...). The output is divided by its sum and clipped to [1e-7, 1 -
    1e-7] to make the probabilities p, or with from_logits p = softmax(output). label_smoothing s in [0, 1]
    replaces t by t * (1 - s) + s / classes.

    >>> categorical_crossentropy([[0, 1, 0]], [[0.05, 0.9, 0.05]]).round(4)
    array([0.1054])
    """
    t, output = _smooth_categorical(target, label_smoothing), floats(output)
    if from_logits:
        log_p = _log_softmax(output)
    else:
        log_p = np.log(_clip(output / row_sum(output)))
    return np.asarray(-(t * log_p).sum(axis=-1))


def categorical_crossentropy_backward(
    dy: ArrayLike,
    target: ArrayLike,
    output: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """From logits doutput = dy * (p * sum(t) - t), which is p - t for targets that add up to 1.

    From outputs o, with p = o / sum(o) clipped: the slope by p is g = -t / p (0 where clipped), and the
    division turns it into doutput = dy * (g - sum(g * p)) / sum(o).

    >>> categorical_crossentropy_backward([1], [[0, 1]], [[0, 0]], from_logits=True)
    array([[ 0.5, -0.5]])
    """
    t, output = _smooth_categorical(target, label_smoothing), floats(output)
    if from_logits:
        slope = softmax(output) * row_sum(t) - t
    else:
        total = row_sum(output)
        p: Floats = output / total
        g = -t / _clip(p) * _inside(p)
        slope = (g - row_sum(g * p)) / total
    return _column(dy) * slope


def _smooth_categorical(target: ArrayLike, label_smoothing: float) -> Floats:
    t = floats(target)
    return t * (1.0 - label_smoothing) + label_smoothing / _columns(t)


def _log_softmax(x: Floats) -> Floats:
    x = x - row_max(x)
    return x - np.log(row_sum(np.exp(x)))


def sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """-log(p[target]): `categorical_crossentropy` for targets that are class numbers.

    target (...) or (..., 1), output (..., classes) -> (...). With from_logits p = softmax(output).
    Probabilities are first clipped to [1e-7, 1 - 1e-7] and then divided by their sum: in this order, other
    than `categorical_crossentropy`.

    >>> sparse_categorical_crossentropy([1], [[0.05, 0.9, 0.05]]).round(4)
    array([0.1054])
    """
    output = floats(output)
    log_p = _log_softmax(output if from_logits else np.log(_clip(output)))
    return np.asarray((-log_p * _one_hot(target, output)).sum(axis=-1))


def sparse_categorical_crossentropy_backward(
    dy: ArrayLike, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """From logits doutput = dy * (p - t), with the one-hot target t; else dy * (1 / sum(o) - t / o).

    o are the probabilities after clipping; where they were clipped the gradient is 0.

    >>> sparse_categorical_crossentropy_backward([1], [1], [[0, 0]], from_logits=True)
    array([[ 0.5, -0.5]])
    """
    output = floats(output)
    t = _one_hot(target, output)
    if from_logits:
        slope = softmax(output) - t
    else:
        o = _clip(output)
        slope = (1.0 / row_sum(o) - t / o) * _inside(output)
    return _column(dy) * slope


def _one_hot(target: ArrayLike, output: Floats) -> Floats:
    labels = np.reshape(target, output.shape[:-1])
    return np.asarray(np.arange(output.shape[-1]) == labels[..., np.newaxis], dtype=np.float64)
