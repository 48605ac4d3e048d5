"""Functions of the text data sets: sequences of word numbers with limits of words and length."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ._files import Array, File


def numbered(
    owner: str,
    parts: Iterable[tuple[Array, Array]],
    num_words: int | None,
    skip_top: int,
    maxlen: int | None,
    start_char: int | None,
    oov_char: int | None,
    index_from: int | None,
) -> list[tuple[Array, Array]]:
    """Sequences and their labels, with the arguments of ``load_data`` applied.

    `start_char` is put in front, and `index_from` is added to each word. Sequences of `maxlen` words or more
    are left out. Words from `num_words` on and words below `skip_top` become `oov_char`, or are left out.
    """
    begin, more, kept = [] if start_char is None else [start_char], index_from or 0, []
    for xs, y in parts:
        rows = [begin + [word + more for word in row] for row in xs]
        keep = [at for at, row in enumerate(rows) if not maxlen or len(row) < maxlen]
        if not keep:
            raise ValueError(f"[{owner}] no sequence is shorter than maxlen={maxlen}")
        kept.append(([rows[at] for at in keep], y[keep]))
    most = num_words or max(max(row) for rows, _ in kept for row in rows)

    def limited(row: list[int]) -> list[int]:
        if oov_char is None:
            return [word for word in row if skip_top <= word < most]
        return [word if skip_top <= word < most else oov_char for word in row]

    return [(ragged(map(limited, rows)), y) for rows, y in kept]


def ragged(rows: Iterable[list[int]]) -> Array:
    """An array of lists, also if all have the same length."""
    rows = list(rows)
    array = np.empty(len(rows), object)
    for at, row in enumerate(rows):
        array[at] = row
    return array


def index(source: File, path: str | os.PathLike[str]) -> dict[str, int]:
    with open(source.path(path), encoding="utf-8") as file:
        words: Any = json.load(file)
    return dict(words)
