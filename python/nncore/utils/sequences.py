"""Sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..common.absent import explains
from ..common.arguments import choice, integer


@explains
def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float | str = 0.0,
) -> NDArray[Any]:
    """Sequences as rows of one array, filled up or cut to one length.

    Args:
        sequences: lists or arrays, of numbers or of vectors of one shape.
        maxlen: the length; default that of the longest one.
        dtype: of the result; default "int32".
        padding: "pre" (default) pads before the sequence, "post" after it.
        truncating: "pre" (default) removes the beginning of a sequence that is too long, "post" its end.
        value: the padding value; default 0.0. Text needs dtype=object or a type of strings.

    Returns:
        An array of shape ``(len(sequences), maxlen, ...)``.

    Raises:
        ValueError: sequences has no length or an item that is no sequence, vectors differ in shape, or
            padding, truncating or value is none of the above.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    owner = "pad_sequences"
    before = choice(owner, "padding", padding, ("pre", "post")) == "pre"
    cut_front = choice(owner, "truncating", truncating, ("pre", "post")) == "pre"
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"[{owner}] sequences must be a list of sequences, got {sequences!r}")
    for at, row in enumerate(sequences):
        if not hasattr(row, "__len__"):
            raise ValueError(f"[{owner}] sequences must hold sequences, got {row!r} at {at}")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ValueError(f"[{owner}] value={value!r} needs dtype=object or a type of strings, got {dtype!r}")
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    maxlen = integer(owner, "maxlen", maxlen, low=0)
    shape = next((np.shape(row)[1:] for row in sequences if len(row)), ())
    result = np.full((len(sequences), maxlen, *shape), value, dtype)
    for at, row in enumerate(sequences):
        kept = np.asarray(row[max(0, len(row) - maxlen) :] if cut_front else row[:maxlen], dtype)
        if len(row) and kept.shape[1:] != shape:
            raise ValueError(f"[{owner}] vectors must be of shape {shape}, got {kept.shape[1:]} at {at}")
        start = maxlen - len(kept) if before else 0
        if len(kept):
            result[at, start : start + len(kept)] = kept
    return result
