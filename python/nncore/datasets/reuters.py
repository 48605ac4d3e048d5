"""Reuters: 11,228 newswires of 1987 as sequences of word numbers, in 46 topics."""

from __future__ import annotations

import os

import numpy as np

from ..common.absent import answer
from ..common.arguments import number
from . import _files, _words

__all__ = ["get_label_names", "get_word_index", "load_data"]
answer(__name__)

_FILE = _files.File(
    "reuters",
    (f"{_files.KERAS}reuters.npz",),
    "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
)
_INDEX = _files.File(
    "reuters", (f"{_files.KERAS}reuters_word_index.json",), "4d44cc38712099c9e383dc6e5f11a921"
)
_TOPICS = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee",
    "sugar", "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx",
    "interest", "gnp", "meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock",
    "retail", "ipi", "iron-steel", "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem",
    "dlr", "gas", "silver", "wpi", "hog", "lead",
)  # fmt: skip


def load_data(
    path: str | os.PathLike[str] = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[tuple[_files.Array, _files.Array], tuple[_files.Array, _files.Array]]:
    """The newswires as ``((x_train, y_train), (x_test, y_test))``.

    ``x_train`` and ``x_test``: arrays of 8,982 and 2,246 lists of integers. ``y_train`` (8982,) and
    ``y_test`` (2246,): int64, 0 to 45, which `get_label_names` names.

    Args:
        path: name of the file in the folder ``reuters`` under ``NNCORE_DATA_DIR`` and in the cache, or its
            path elsewhere. It is downloaded (2 MB, with `pooch`) where it is not there, and read only if its
            sha256 is the known one.
        test_split: share of the newswires that are for tests, in [0, 1]; default 0.2.
        num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: as in
            `nncore.datasets.imdb.load_data`.

    Raises:
        ValueError: the file has another sha256, test_split is out of range, or all are too long.
        FileNotFoundError: there is no file at a path with a folder.
        ConnectionError, ImportError, OSError: it cannot be downloaded; the text says what to do.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.reuters.load_data(num_words=10_000)
    """
    test_split = number("reuters", "test_split", test_split, 0, 1)
    arrays = _files.read_npz(_FILE.path(path))
    all_of_them = _files.shuffled(np.random.RandomState(seed), arrays["x"], arrays["y"])
    limits = num_words, skip_top, maxlen, start_char, oov_char, index_from
    ((x, y),) = _words.numbered("reuters", [all_of_them], *limits)
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def get_word_index(path: str | os.PathLike[str] = "reuters_word_index.json") -> dict[str, int]:
    """The number of each of 30,979 words, before `load_data` has added `index_from`.

    Args:
        path: of the file, as in `load_data`; 550 kB, known by its MD5.

    Raises:
        ValueError, FileNotFoundError, ConnectionError, ImportError, OSError: as `load_data`.

    Example::

        nncore.datasets.reuters.get_word_index()["the"]
    """
    return _words.index(_INDEX, path)


def get_label_names() -> tuple[str, ...]:
    """The 46 topics, in the order of the labels.

    >>> get_label_names()[3]
    'earn'
    """
    return _TOPICS
