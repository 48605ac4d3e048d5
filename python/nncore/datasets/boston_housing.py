"""Boston housing: prices of houses in 506 districts of the 1970s, by D. Harrison and D. Rubinfeld."""

from __future__ import annotations

import os

import numpy as np

from ..common.absent import answer
from ..common.arguments import number
from . import _files

__all__ = ["load_data"]
answer(__name__)

_FILE = _files.File(
    "boston_housing",
    (f"{_files.KERAS}boston_housing.npz",),
    "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
)


def load_data(
    path: str | os.PathLike[str] = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[_files.Array, _files.Array], tuple[_files.Array, _files.Array]]:
    """Thirteen features of districts, and the median price of their houses in thousands of dollars.

    ``((x_train, y_train), (x_test, y_test))``: float64 of shapes (404, 13), (404,), (102, 13) and (102,). One
    feature is computed from the share of black inhabitants: use the set to reproduce old examples only.

    Args:
        path: name of the file in the folder ``boston_housing`` under ``NNCORE_DATA_DIR`` and in the cache, or
            its path elsewhere. It is downloaded (57 kB, with `pooch`) where it is not there, and read only if
            its sha256 is the known one.
        test_split: share of the rows that are for tests, in [0, 1); default 0.2.
        seed: of the order of the rows; default 113.

    Raises:
        ValueError: the file has another sha256, or test_split is out of range.
        FileNotFoundError: there is no file at a path with a folder.
        ConnectionError, ImportError, OSError: it cannot be downloaded; the text says what to do.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.boston_housing.load_data()
    """
    test_split = number("boston_housing", "test_split", test_split, 0, 1, below=True)
    arrays = _files.read_npz(_FILE.path(path))
    x, y = _files.shuffled(np.random.RandomState(seed), arrays["x"], arrays["y"])
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
