"""Data sets of one file, known by its hash; objects in it are read by an unpickler that knows arrays only."""

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
    """One file of a data set. `hash`: in hexadecimal, of sha256 or of MD5, which its length tells."""

    name: str  # of the data set: its folder in NNCORE_DATA_DIR and in the cache
    addresses: tuple[str, ...]  # each ends in the name of the file
    hash: str

    def path(self, given: str | os.PathLike[str] | None = None) -> Path:
        """Where the file is, once its hash has been checked; downloaded if need be.

        given: another name for it in NNCORE_DATA_DIR and in the cache, or a path with a folder, where alone
        it is looked for.

        Raises:
            FileNotFoundError: there is no file at the path given.
            ValueError: the file there, or in NNCORE_DATA_DIR, is another one.
            ConnectionError, ImportError, OSError: it cannot be downloaded; the text says what to do.
        """
        name = Path(given or self.addresses[0].rpartition("/")[2]).expanduser()
        if name.parent != Path():
            return self._checked(name)
        folder = os.environ.get("NNCORE_DATA_DIR")
        own = Path(folder).expanduser() / self.name / name if folder else None
        if own is not None and own.exists():
            return self._checked(own)
        cached = cache_folder() / self.name / name
        with contextlib.suppress(OSError, ValueError):  # not there yet, or damaged since
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


# What NumPy's pickles of arrays name, whichever version wrote them.
_KNOWN = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): lambda code, *_: np.dtype(code),  # the rest was 0 and 1 once, and has to be bool now
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.ndarray(0).__reduce__()[0],
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a data set") from None


def unpickle(file: BinaryIO) -> Any:
    """Numbers, text, bytes, lists, dicts and arrays of them. pickle.UnpicklingError for all else."""
    return _Unpickler(file, encoding="bytes").load()


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a checked .npz archive, also those of objects."""
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
    """Both in one new order, as Keras draws it."""
    order = np.arange(len(x))
    rng.shuffle(order)
    return x[order], y[order]
