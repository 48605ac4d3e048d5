"""Dropout and its random numbers, which do not depend on chunks or the number of threads."""

from __future__ import annotations

import math
import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.arrays import Array as Floats
from ..common.operations import LayerCall, elementwise, layer, wide

_64_BITS = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15


def _dropout(op: str, x: ArrayLike, rate: float, seed: int) -> LayerCall:
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"[{op}] expected rate in [0, 1], got {rate}")
    if not 0 <= operator.index(seed) < 2**64:
        raise ValueError(f"[{op}] expected seed in [0, 2^64), got {seed}")
    return elementwise(op, x, "dropout", seed, rate=float(rate))


@layer(_dropout, variants=({"rate": 0.3, "seed": 11},))
def dropout(x: ArrayLike, rate: float, seed: int) -> Floats:
    """y = x / (1 - rate) where `dropout_mask` keeps an element, else 0 (Srivastava et al. 2014).

    The division preserves the expected value of each element. rate in [0, 1]; with 1, y is 0. Whether an
    element is kept depends only on the seed (0 to 2^64 - 1) and on its position in x, in row-major order.

    >>> dropout(np.ones(8), rate=0.5, seed=1).tolist()
    [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 2.0]
    """
    return _kept(wide(x), rate, seed)


def _kept(x: Floats, rate: float, seed: int) -> Floats:
    mask = dropout_mask(x.shape, rate, seed)
    return np.where(mask, x / (1.0 - rate) if mask.any() else 0.0, 0.0)


@layer(_dropout)
def dropout_backward(dy: ArrayLike, x: ArrayLike, rate: float, seed: int) -> Floats:
    """dx = dy / (1 - rate) where the element was kept, else 0: `dropout` of dy, with the same seed.

    >>> dropout_backward(np.ones(8), np.ones(8), rate=0.5, seed=1).tolist()
    [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 2.0]
    """
    return _kept(wide(dy), rate, seed)


def dropout_mask(
    shape: tuple[int, ...], rate: float, seed: int, step: int = 0, layer: int = 0, stream: int | None = None
) -> NDArray[np.bool_]:
    """True where an element is kept, with probability 1 - rate.

    In a network, `step` counts the optimizer's steps and `layer` the layers, both from 0, and the shape is
    that of the whole batch. The element at position i in row-major order is kept if the 32-bit hash of (seed,
    step, layer, i) is at least rate * 2^32. So each chunk of the mask can be computed by itself. Layers with
    several masks hash (seed, step, layer, stream, i): a recurrent layer with g gates numbers the masks of its
    input from 0, and those of h from g.

    >>> dropout_mask((2, 4), rate=0.5, seed=1)
    array([[ True, False, False, False],
           [ True, False,  True,  True]])
    """
    key = 0
    for part in (seed, step, layer) if stream is None else (seed, step, layer, stream):
        key = _mix((key ^ part) + _STEP)
    position = np.arange(math.prod(shape), dtype=np.uint64)
    bits = np.empty(position.shape, dtype=np.uint32)
    for upper in range(-(-len(position) // 2**32)):
        run = position >> 32 == upper
        bits[run] = _hash(position[run].astype(np.uint32), _mix(key + _mix(upper + _STEP)))
    least = int(np.float32(rate) * 2.0**32)
    return (bits >= least).reshape(shape)


def _hash(counter: NDArray[np.uint32], key: int) -> NDArray[np.uint32]:
    """A 32-bit hash of each counter and the two halves of the key."""
    h = counter + np.uint32(key & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = h ^ np.uint32(key >> 32)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16)) ^ np.uint32(0x80000000)


def _mix(z: int) -> int:
    """The finaliser of SplitMix64 (Steele et al. 2014): each bit of the result depends on all bits of z."""
    z &= _64_BITS
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _64_BITS
    return z ^ (z >> 31)
