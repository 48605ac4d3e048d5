"""IMDB: 50,000 film reviews, good or bad, as sequences of word numbers, by A. Maas and others."""

from __future__ import annotations

import os

import numpy as np

from ..common.absent import answer
from . import _files, _words

__all__ = ["get_word_index", "load_data"]
answer(__name__)

_FILE = _files.File(
    "imdb",
    (f"{_files.KERAS}imdb.npz",),
    "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
)
_INDEX = _files.File("imdb", (f"{_files.KERAS}imdb_word_index.json",), "bfafd718b763782e994055a2d397834f")


def load_data(
    path: str | os.PathLike[str] = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[tuple[_files.Array, _files.Array], tuple[_files.Array, _files.Array]]:
    """The reviews as ``((x_train, y_train), (x_test, y_test))``.

    ``x_train`` and ``x_test``: arrays of 25,000 lists of integers each, for `nncore.utils.pad_sequences`.
    ``y_train`` and ``y_test`` (25000,): int64, 1 for a good review, 0 for a bad one. Words are numbered by
    frequency: 1 is the most frequent one. 0 is for padding.

    Args:
        path: name of the file in the folder ``imdb`` under ``NNCORE_DATA_DIR`` and in the cache, or its path
            elsewhere. It is downloaded (17 MB, with `pooch`) where it is not there, and read only if its
            sha256 is the known one.
        num_words: numbers from this one on become `oov_char`; default None, no limit.
        skip_top: numbers below this one become `oov_char`; default 0.
        maxlen: reviews with this number of words or more are left out; default None.
        seed: of the order of the reviews; default 113.
        start_char: number in front of each review; default 1; None for none.
        oov_char: number for words that are not kept; default 2; None leaves them out.
        index_from: added to the number of each word; default 3.

    Raises:
        ValueError: the file has another sha256, or no review is shorter than maxlen.
        FileNotFoundError: there is no file at a path with a folder.
        ConnectionError, ImportError, OSError: it cannot be downloaded; the text says what to do.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.imdb.load_data(num_words=10_000)
        x_train = nncore.utils.pad_sequences(x_train, maxlen=200)
    """
    arrays = _files.read_npz(_FILE.path(path))
    rng = np.random.RandomState(seed)
    parts = [_files.shuffled(rng, arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    limits = num_words, skip_top, maxlen, start_char, oov_char, index_from
    train, test = _words.numbered("imdb", parts, *limits)
    return train, test


def get_word_index(path: str | os.PathLike[str] = "imdb_word_index.json") -> dict[str, int]:
    """The number of each of 88,584 words, before `load_data` has added `index_from`.

    Args:
        path: of the file, as in `load_data`; 1.6 MB, known by its MD5.

    Raises:
        ValueError, FileNotFoundError, ConnectionError, ImportError, OSError: as `load_data`.

    Example::

        words = {number + 3: word for word, number in nncore.datasets.imdb.get_word_index().items()}
        print(" ".join(words.get(number, "?") for number in x_train[0]))
    """
    return _words.index(_INDEX, path)
