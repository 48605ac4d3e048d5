"""The sources of a data set: an explicit path, NNCORE_DATA_DIR, the cache folder or a mirror."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from ..common.downloads import advised, cache_folder, fetch
from . import _idx

if TYPE_CHECKING:
    from collections.abc import Mapping

Bytes: TypeAlias = NDArray[Any]  # uint8; typed as Any so that programs may assign x = x / 255
Split: TypeAlias = tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
COUNTS = {"x_train": 60_000, "y_train": 60_000, "x_test": 10_000, "y_test": 10_000}


@dataclass(frozen=True)
class Source:
    """A data set in four IDX files, as MNIST."""

    name: str  # its folder in NNCORE_DATA_DIR and in the cache
    mirrors: tuple[str, ...]  # prefixes of the address of each file
    sha256: Mapping[str, str]  # of the uncompressed content, by key of FILES
    counts: Mapping[str, int] = field(default_factory=COUNTS.copy)  # a file may hold fewer items, never more
    timeout: float = 10.0  # seconds

    def load(self, path: str | os.PathLike[str] | None = None) -> Split:
        if path is not None:
            return self._load_path(Path(path).expanduser())
        given = self._given_folder()
        if given is not None and any(_locate(given, key) for key in FILES):
            return self._load_folder(given)
        cached = cache_folder() / self.name
        with contextlib.suppress(OSError, ValueError):  # not downloaded yet, or damaged
            return self._load_folder(cached, originals=True)
        self.download(cached)
        return self._load_folder(cached, originals=True)

    def download(self, cached: Path) -> None:
        """Downloads the files that the cache lacks, smallest first. ConnectionError if no mirror delivers."""
        faults: list[str] = []
        with advised(self.name, cached, faults, self._advice(cached)):
            for key in ("y_test", "y_train", "x_test", "x_train"):
                if not self._is_sound(cached, key, faults):
                    check = partial(self._read, key=key, original=True)
                    target = cached / f"{FILES[key]}.gz"
                    addresses = [mirror + target.name for mirror in self.mirrors]
                    fetch(target, addresses, check, timeout=self.timeout)
                    faults.clear()

    def _given_folder(self) -> Path | None:
        directory = os.environ.get("NNCORE_DATA_DIR")
        return Path(directory).expanduser() / self.name if directory else None

    def _load_path(self, path: Path) -> Split:
        if path.is_dir():
            return self._load_folder(path)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        if not path.is_file():
            raise ValueError(f"{path} is not a regular file")
        if path.suffix != ".npz":
            names = ", ".join(FILES.values())
            raise ValueError(f"{path}: a folder with {names} (.gz or not) or an .npz file is expected")
        return _pair_up(_idx.read_npz(path, self.counts), path)

    def _load_folder(self, folder: Path, originals: bool = False) -> Split:
        """Reads the four files of a folder. originals: whether their sha256 must be the known one."""
        paths = {key: _locate(folder, key) for key in FILES}
        missing = [FILES[key] for key, path in paths.items() if path is None]
        if missing:
            raise FileNotFoundError(f"{folder} has no {', '.join(missing)} (.gz or not)")
        arrays = {key: self._read(path, key, originals) for key, path in paths.items() if path is not None}
        return _pair_up(arrays, folder)

    def _read(self, path: Path, key: str, original: bool) -> Bytes:
        sha256 = self.sha256[key] if original else None
        return _idx.read(path, key.startswith("x"), self.counts[key], sha256)

    def _is_sound(self, folder: Path, key: str, faults: list[str]) -> bool:
        """Whether the folder has the original file; if it has another one, the error is added to `faults`."""
        path = _locate(folder, key)
        if path is None:
            return False
        try:
            self._read(path, key, original=True)
        except (OSError, ValueError) as error:
            faults.append(f"What is in the cache cannot be used: {error}")
            return False
        return True

    def _advice(self, cached: Path) -> str:
        sample = " nncore.datasets.mnist.load_sample() needs no download." if self.name == "mnist" else ""
        names = ", ".join(f"{name}.gz" for name in FILES.values())
        given = self._given_folder()
        unused = f"NNCORE_DATA_DIR is set, but {given} has none of the files.\n" if given else ""
        return unused + (
            f"Without a network: get {names} by other means and put them into {cached}, or into a folder "
            f"{self.name} in the one that NNCORE_DATA_DIR names, or call load_data(their folder).{sample}"
        )


def _locate(folder: Path, key: str) -> Path | None:
    """The file of this key, gzipped or not, with "-idx" or (as some tools unpack it) ".idx" in its name."""
    for name in (FILES[key], FILES[key].replace("-idx", ".idx")):
        for suffix in (".gz", ""):
            if (folder / (name + suffix)).is_file():
                return folder / (name + suffix)
    return None


def _pair_up(arrays: Mapping[str, Bytes], origin: Path) -> Split:
    for part in ("train", "test"):
        images, labels = len(arrays[f"x_{part}"]), len(arrays[f"y_{part}"])
        if images != labels:
            raise ValueError(f"{origin}: {images} {part} images, but {labels} {part} labels")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
