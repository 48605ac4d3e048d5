"""From array-likes to what the compiled core takes: checked, contiguous float32 arrays, batch axis first."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import SupportsIndex

from numpy.typing import ArrayLike

from .. import _core
from .._operations import Floats, expect_shape, floats

Pair = tuple[int, int]
Shape = tuple[int, ...]


def image(op: str, x: ArrayLike) -> Floats:
    a = floats(op, "x", x)
    if a.ndim != 4:
        raise ValueError(f"[{op}] expected x of shape (samples, height, width, channels), got {a.shape}")
    return a


def pair(op: str, name: str, value: int | Pair) -> Pair:
    """(rows, columns) from two positive integers, or from one for both."""
    values: Sequence[SupportsIndex] = value if isinstance(value, Sequence) else (value, value)
    try:
        numbers = tuple(operator.index(v) for v in values)
    except TypeError:
        raise TypeError(f"[{op}] expected {name} to be one integer or two, got {value!r}") from None
    if len(numbers) != 2 or min(numbers) < 1:
        raise ValueError(f"[{op}] expected {name} to be one positive integer or two, got {value!r}")
    return numbers[0], numbers[1]


def elementwise(op: str, spec: _core.Spec, x: ArrayLike, training: bool = False, seed: int = 0) -> Floats:
    """A layer that works on each element of an array of any shape."""
    return _core.forward(spec, floats(op, "x", x), (), training, seed, 0)


def elementwise_backward(
    op: str, spec: _core.Spec, dy: ArrayLike, x: ArrayLike, training: bool = False, seed: int = 0
) -> Floats:
    x, dy = floats(op, "x", x), floats(op, "dy", dy)
    expect_shape(op, "dy", dy, x.shape)
    return _core.backward(spec, dy, x, (), training, seed, 0)[0]
