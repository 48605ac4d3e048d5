"""Not tests: a data set in the form of MNIST, with 30 and 10 random images, and what the tests do with it."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from nncore.datasets._source import FILES, Source

COUNTS = {"x_train": 30, "y_train": 30, "x_test": 10, "y_test": 10}


def idx_images(x: np.ndarray, *, magic: int = 2051, count: int | None = None, side: int = 28) -> bytes:
    return struct.pack(">4I", magic, len(x) if count is None else count, side, side) + x.tobytes()


def idx_labels(y: np.ndarray, *, magic: int = 2049, count: int | None = None) -> bytes:
    return struct.pack(">2I", magic, len(y) if count is None else count) + y.tobytes()


def make_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {key: (n, 28, 28) if key[0] == "x" else (n,) for key, n in COUNTS.items()}
    return {
        key: rng.integers(0, 256 if key[0] == "x" else 10, shape, np.uint8) for key, shape in shapes.items()
    }


ARRAYS = make_arrays()
CONTENT = {key: (idx_images if key[0] == "x" else idx_labels)(array) for key, array in ARRAYS.items()}
PACKED = {f"{FILES[key]}.gz": gzip.compress(content) for key, content in CONTENT.items()}


def small_source(*mirrors: str, timeout: float = 5.0) -> Source:
    sha256 = {key: hashlib.sha256(content).hexdigest() for key, content in CONTENT.items()}
    return Source("mnist", mirrors, sha256, COUNTS, timeout)


def write_folder(folder: Path, *, packed: bool = True, dotted: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key, content in CONTENT.items():
        name = FILES[key].replace("-idx", ".idx") if dotted else FILES[key]
        (folder / f"{name}{'.gz' if packed else ''}").write_bytes(
            gzip.compress(content) if packed else content
        )
    return folder


def assert_is_content(split: tuple) -> None:
    (x_train, y_train), (x_test, y_test) = split
    for key, array in {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}.items():
        assert array.dtype == np.uint8
        assert array.flags.writeable
        np.testing.assert_array_equal(array, ARRAYS[key], err_msg=key)


def set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for mnist, which is returned; no NNCORE_DATA_DIR and no proxy."""
    for name in ("NNCORE_DATA_DIR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nncore" / "mnist"
