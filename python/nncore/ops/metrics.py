"""Accuracies over the compiled kernels: one value for each row of outputs (..., columns) -> (...)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from .. import _core
from .._operations import Floats
from .._rows import targets_and_outputs


def binary_accuracy(target: ArrayLike, output: ArrayLike) -> Floats:
    """The share of the row in which (output > 0.5) equals the target.

    >>> binary_accuracy([[1, 0, 0, 1]], [[0.9, 0.2, 0.6, 0.7]]).tolist()
    [0.75]
    """
    return _metric("binary_accuracy", target, output)


def categorical_accuracy(target: ArrayLike, output: ArrayLike) -> Floats:
    """1 where the largest output is at the largest target, else 0; the first of equals counts.

    >>> categorical_accuracy([[0, 1], [0, 1]], [[0.2, 0.8], [0.7, 0.3]]).tolist()
    [1.0, 0.0]
    """
    return _metric("categorical_accuracy", target, output)


def sparse_categorical_accuracy(target: ArrayLike, output: ArrayLike) -> Floats:
    """1 where the largest output is at class `target`, else 0: target (...) or (..., 1), whole numbers.

    >>> sparse_categorical_accuracy([1, 1], [[0.2, 0.8], [0.7, 0.3]]).tolist()
    [1.0, 0.0]
    """
    return _metric("sparse_categorical_accuracy", target, output)


def _metric(op: str, target: ArrayLike, output: ArrayLike) -> Floats:
    t, o = targets_and_outputs(op, target, output, op.startswith("sparse"))
    return _core.metric(op, t, o)
