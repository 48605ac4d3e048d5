"""Small helpers around training."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _names, _random
from ._arguments import integer
from ._data import plain

__all__ = ["clear_session", "set_random_seed", "to_categorical"]


def set_random_seed(seed: int) -> None:
    """Makes what follows repeatable: sets the seeds of Python's `random`, of `numpy.random` and of nncore.

    A model draws its own seed when it is built. Its initial weights, the order of its samples and its dropout
    masks follow from that, so the same program gives the same bits, whatever the number of threads.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    >>> set_random_seed(7)
    """
    seed = integer("set_random_seed", "seed", seed, low=0, high=2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    _random.start_stream(seed)


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float64]:
    """Class numbers as rows of 0 with a single 1 (one-hot).

    Args:
        x: whole numbers from 0, of any shape. A last axis of length 1 is dropped.
        num_classes: length of the new last axis; default the largest number in x, plus 1.

    Returns:
        An array of shape ``(*x.shape, num_classes)``.

    Raises:
        TypeError: x does not hold numbers.
        ValueError: x is empty and num_classes is not given, or x holds numbers that are not whole, negative,
            or not below num_classes.

    >>> to_categorical([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    given = plain("to_categorical", "x", x)
    if given.size and given.dtype.kind not in "biuf":
        raise TypeError(f"[to_categorical] x must hold whole numbers, got an array of {given.dtype}")
    with np.errstate(invalid="ignore"):  # of NaN and infinity, which raise below
        labels = given.astype(np.int64)
    if given.dtype.kind == "f" and not np.array_equal(labels, given):
        raise ValueError("[to_categorical] x must hold whole numbers, got fractions, infinities or NaN")
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    labels = labels.reshape(-1)
    if num_classes is None:
        if not labels.size:
            raise ValueError("[to_categorical] x is empty: num_classes must be given")
        count = int(labels.max()) + 1
    else:
        count = integer("to_categorical", "num_classes", num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= count):
        raise ValueError(
            f"[to_categorical] x must be from 0 to {count - 1}, got {labels.min()} to {labels.max()}"
        )
    rows = np.zeros((labels.size, count))
    rows[np.arange(labels.size), labels] = 1.0
    return rows.reshape(*shape, count)


def clear_session() -> None:
    """Starts automatic names again: the next Dense layer is called ``dense``. Models stay as they are."""
    _names.reset()
