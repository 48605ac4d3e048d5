"""Data sets in one file with a known hash; pickled objects are read by an unpickler for arrays only."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..common.downloads import advised, cache_folder, check, fetch

Array = NDArray[Any]

KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


@dataclass(frozen=True)
class File:
    """One file of a data set. `hash`: sha256 or MD5 in hexadecimal, told apart by its length."""

    name: str  # of the data set: its folder in NNCORE_DATA_DIR and in the cache
    addresses: tuple[str, ...]  # each ends in the name of the file
    hash: str

    def path(self, given: str | os.PathLike[str] | None = None) -> Path:
        """The path of the file, downloaded if need be, with a checked hash.

        given: another file name in NNCORE_DATA_DIR and in the cache; or a path with a folder, which is then
        the only place that is tried.

        Raises:
            FileNotFoundError: there is no file at the given path.
            ValueError: the file there, or in NNCORE_DATA_DIR, has another hash.
            ConnectionError, ImportError, OSError: the download failed; the text says what to do.
        """
        name = Path(given or self.addresses[0].rpartition("/")[2]).expanduser()
        if name.parent != Path():
            return self._checked(name)
        folder = os.environ.get("NNCORE_DATA_DIR")
        own = Path(folder).expanduser() / self.name / name if folder else None
        if own is not None and own.exists():
            return self._checked(own)
        cached = cache_folder() / self.name / name
        with contextlib.suppress(OSError, ValueError):  # not downloaded yet, or damaged
            return self._checked(cached)
        advice = (
            f"Without a network: get {self.addresses[0]} by other means and put it into {cached.parent}, or "
            f"into a folder {self.name} under the one that NNCORE_DATA_DIR names."
        )
        with advised(self.name, cached.parent, (), advice):
            fetch(cached, self.addresses, self._checked)
        return cached

    def _checked(self, path: Path) -> Path:
        check(path, self.hash)
        return path


# What pickles of arrays name, in all versions of NumPy.
_KNOWN = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): lambda code, *_: np.dtype(code),  # dtype rejects old pickles' 0 and 1 for bool
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.ndarray(0).__reduce__()[0],
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"expected a pickle of arrays only, got {module}.{name}") from None


def unpickle(file: BinaryIO) -> Any:
    """Unpickles numbers, text, bytes, lists, dicts and arrays. pickle.UnpicklingError for other objects."""
    return _Unpickler(file, encoding="bytes").load()


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of an .npz archive with a checked hash, arrays of objects included."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            file = io.BytesIO(archive.read(member))
            np.lib.format.read_magic(file)
            dtype = np.lib.format.read_array_header_1_0(file)[2]
            if not dtype.hasobject:
                file.seek(0)
            read = unpickle if dtype.hasobject else np.lib.format.read_array
            arrays[member.removesuffix(".npy")] = read(file)
    return arrays


def shuffled(rng: np.random.RandomState, x: Array, y: Array) -> tuple[Array, Array]:
    """x and y in one random order, the same as in Keras."""
    order = np.arange(len(x))
    rng.shuffle(order)
    return x[order], y[order]
