"""Accuracies: how often an output is right, one value for each row. There is nothing to differentiate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ._windows import Floats, floats


def binary_accuracy(target: ArrayLike, output: ArrayLike) -> Floats:
    """The share of the row in which (output > 0.5) equals the target.

    target and output (..., columns) -> (...).

    >>> binary_accuracy([[1, 0, 0, 1]], [[0.9, 0.2, 0.6, 0.7]])
    array([0.75])
    """
    return np.asarray(((floats(output) > 0.5) == floats(target)).mean(axis=-1))


def categorical_accuracy(target: ArrayLike, output: ArrayLike) -> Floats:
    """1 where the largest output is at the largest target, else 0; the first of equals counts.

    target and output (..., classes) -> (...).

    >>> categorical_accuracy([[0, 1], [0, 1]], [[0.2, 0.8], [0.7, 0.3]])
    array([1., 0.])
    """
    return floats(np.argmax(floats(target), axis=-1) == np.argmax(floats(output), axis=-1))


def sparse_categorical_accuracy(target: ArrayLike, output: ArrayLike) -> Floats:
    """1 where the largest output is at the class with number `target`, else 0; the first of equals counts.

    target (...) or (..., 1), output (..., classes) -> (...).

    >>> sparse_categorical_accuracy([1, 1], [[0.2, 0.8], [0.7, 0.3]])
    array([1., 0.])
    """
    output = floats(output)
    return floats(np.reshape(target, output.shape[:-1]) == np.argmax(output, axis=-1))
