"""Data sets of one file: the same arrays as in Keras, refused files, and places of files."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import pickle
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from small_mnist import set_aside

import nncore
from nncore.datasets import _files, boston_housing, cifar10, cifar100, imdb, reuters

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """NNCORE_DATA_DIR."""
    set_aside(tmp_path, monkeypatch)
    monkeypatch.setenv("NNCORE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def put(
    data: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, content: bytes, name: str = "_FILE"
) -> Path:
    """Writes the content as the file of a data set, and makes its hash the known one."""
    file = getattr(module, name)
    monkeypatch.setattr(module, name, replace(file, hash=hashlib.sha256(content).hexdigest()))
    path = data / file.name / file.addresses[0].rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def rows_of(*rows: list[int]) -> np.ndarray:
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


# ---- images


class Python2(pickle._Pickler):  # type: ignore[name-defined]
    """Pickles text, bytes and booleans as Python 2 did for the files of CIFAR."""

    def save_string(self, value: str | bytes) -> None:
        content = value if isinstance(value, bytes) else value.encode()
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)
        self.memoize(value)

    def save_truth(self, value: bool) -> None:
        self.save_long(int(value))

    dispatch: ClassVar = {
        **pickle._Pickler.dispatch,  # type: ignore[attr-defined]
        **{bytes: save_string, str: save_string, bool: save_truth},
    }


def batch(start: int, count: int, **labels: list[int]) -> bytes:
    pixels = (np.arange(start, start + count * 3072) % 251).astype(np.uint8).reshape(count, 3072)
    content = {b"data": pixels, **{key.encode(): value for key, value in labels.items()}}
    buffer = io.BytesIO()
    Python2(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"numpy._core", b"numpy.core")


def archive(folder: str, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def small_cifar10() -> bytes:
    members = {f"data_batch_{i}": batch(i, 2, labels=[i, 9 - i]) for i in range(1, 6)}
    return archive("cifar-10-batches-py", **members, test_batch=batch(7, 3, labels=[0, 5, 9]))


def test_cifar10(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(data, monkeypatch, cifar10, small_cifar10())
    (x_train, y_train), (x_test, y_test) = nncore.datasets.cifar10.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape) == ((10, 32, 32, 3), (10, 1), (3, 32, 32, 3))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert y_train[:4, 0].tolist() == [1, 8, 2, 7]
    assert y_test.tolist() == [[0], [5], [9]]
    assert x_train[2, 1, 3].tolist() == [(2 + 35 + 1024 * channel) % 251 for channel in range(3)]
    assert x_train.flags.c_contiguous


@pytest.mark.parametrize(("mode", "labels"), [("fine", [[4], [99]]), ("coarse", [[2], [19]])])
def test_cifar100(data: Path, monkeypatch: pytest.MonkeyPatch, mode: str, labels: list) -> None:
    content = batch(0, 2, fine_labels=[4, 99], coarse_labels=[2, 19])
    put(data, monkeypatch, cifar100, archive("cifar-100-python", train=content, test=content))
    (x_train, y_train), (x_test, y_test) = cifar100.load_data(label_mode=mode)
    assert y_train.tolist() == y_test.tolist() == labels
    assert (y_train.dtype, x_train.dtype, x_test.shape) == (np.int64, np.uint8, (2, 32, 32, 3))
    with pytest.raises(ValueError, match=r"\[cifar100\] label_mode must be one of \['fine', 'coarse'\]"):
        cifar100.load_data("middle")


# ---- texts: what keras.datasets 3.15.1 gives for these files


def put_imdb(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    train, test = rows_of([1, 2, 3, 4], [5, 6], [7, 8, 9], [1, 9]), rows_of([2, 4, 6], [1], [3, 5, 7, 9])
    y_train, y_test = np.array([0, 1, 0, 1]), np.array([1, 0, 1])
    content = npz(x_train=train, y_train=y_train, x_test=test, y_test=y_test)
    return put(data, monkeypatch, imdb, content)


IMDB: list[tuple[dict[str, Any], Any]] = [
    (
        {},
        [
            [[[1, 4, 2], [1, 10, 11, 2], [1, 4, 5, 6, 7], [1, 8, 9]], [1, 0, 0, 1]],
            [[[1, 4], [1, 5, 7, 9], [1, 6, 8, 10, 2]], [0, 1, 1]],
        ],
    ),
    (
        {"num_words": 8, "skip_top": 2},
        [
            [[[2, 4, 2], [2, 2, 2, 2], [2, 4, 5, 6, 7], [2, 2, 2]], [1, 0, 0, 1]],
            [[[2, 4], [2, 5, 7, 2], [2, 6, 2, 2, 2]], [0, 1, 1]],
        ],
    ),
    (
        {"maxlen": 5, "seed": 1},
        [[[[1, 4, 2], [1, 10, 11, 2], [1, 8, 9]], [1, 0, 1]], [[[1, 5, 7, 9], [1, 4]], [1, 0]]],
    ),
    (
        {"start_char": None},
        [
            [[[4, 2], [10, 11, 2], [4, 5, 6, 7], [8, 9]], [1, 0, 0, 1]],
            [[[4], [5, 7, 9], [6, 8, 10, 2]], [0, 1, 1]],
        ],
    ),
    (
        {"start_char": None, "index_from": 0, "oov_char": None, "num_words": 6},
        [[[[1], [], [1, 2, 3, 4], [5]], [1, 0, 0, 1]], [[[1], [2, 4], [3, 5]], [0, 1, 1]]],
    ),
]


@pytest.mark.parametrize(("settings", "expected"), IMDB, ids=lambda value: str(value)[:40])
def test_imdb(data: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, expected: Any) -> None:
    put_imdb(data, monkeypatch)
    split = imdb.load_data(**settings)
    assert [[part.tolist() for part in pair] for pair in split] == expected
    (x_train, y_train), _ = split
    assert (x_train.dtype, x_train.ndim, y_train.dtype) == (object, 1, np.int64)


def test_no_review_left(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_imdb(data, monkeypatch)
    with pytest.raises(ValueError, match=r"\[imdb\] no sequence is shorter than maxlen=2"):
        imdb.load_data(maxlen=2)


REUTERS: list[tuple[dict[str, Any], Any]] = [
    (
        {},
        [
            [[[1, 8, 9], [1, 4, 5, 6, 7], [1, 4, 2], [1, 10, 11, 2]], [45, 0, 3, 3]],
            [[[1, 5, 7, 9], [1, 4, 4]], [4, 7]],
        ],
    ),
    (
        {"test_split": 0.5, "num_words": 9},
        [
            [[[1, 8, 2], [1, 4, 5, 6, 7], [1, 4, 2]], [45, 0, 3]],
            [[[1, 2, 2, 2], [1, 5, 7, 2], [1, 4, 4]], [3, 4, 7]],
        ],
    ),
    ({"maxlen": 4, "seed": 5, "oov_char": None, "skip_top": 5}, [[[[], [8, 9]], [7, 45]], [[[]], [3]]]),
]


@pytest.mark.parametrize(("settings", "expected"), REUTERS, ids=lambda value: str(value)[:40])
def test_reuters(data: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, expected: Any) -> None:
    xs = rows_of([1, 2, 3, 4], [5, 6], [7, 8, 9], [1, 9], [2, 4, 6], [1, 1])
    put(data, monkeypatch, reuters, npz(x=xs, y=np.array([0, 45, 3, 3, 4, 7])))
    split = reuters.load_data(**settings)
    assert [[part.tolist() for part in pair] for pair in split] == expected


def test_words_and_topics(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"the": 1, "crème": 2}
    for module in (imdb, reuters):
        put(data, monkeypatch, module, json.dumps(words).encode(), "_INDEX")
        assert module.get_word_index() == words
    assert len(reuters.get_label_names()) == 46
    assert reuters.get_label_names()[-1] == "lead"


# ---- a table


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, [[1.0, 0.0, 3.0, 2.0], [4.0]]),
        ({"test_split": 0.0, "seed": 7}, [[0.0, 3.0, 2.0, 1.0, 4.0], []]),
        ({"test_split": 0.5}, [[1.0, 0.0], [3.0, 2.0, 4.0]]),
    ],
)
def test_boston_housing(data: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, rows: list) -> None:
    put(data, monkeypatch, boston_housing, npz(x=np.arange(10.0).reshape(5, 2), y=np.arange(5.0)))
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data(**settings)
    assert [y_train.tolist(), y_test.tolist()] == rows
    np.testing.assert_array_equal(x_train[:, 0], 2 * y_train)
    np.testing.assert_array_equal(x_test[:, 1], 2 * y_test + 1)


def test_boston_housing_refuses_all_for_tests() -> None:
    with pytest.raises(ValueError, match=r"\[boston_housing\] test_split must be in \[0, 1\), got 1"):
        boston_housing.load_data(test_split=1.0)


# ---- what is refused


class Harm:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return os.rename, ("never", "happens")


def test_nothing_but_arrays_is_unpickled(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other objects are refused even in a file with the known hash."""
    harm = np.array([Harm()], object)
    put(data, monkeypatch, imdb, npz(x_train=harm, y_train=harm, x_test=harm, y_test=harm))
    with pytest.raises(pickle.UnpicklingError, match=r"arrays only, got posix.rename"):
        imdb.load_data()


def test_another_file_is_not_opened(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_files, "unpickle", None)
    path = put_imdb(data, monkeypatch)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"imdb\.npz: wrong sha256: [0-9a-f]{64} is expected"):
        imdb.load_data()
    with pytest.raises(ValueError, match="wrong sha256"):
        imdb.load_data(path=path)
    with pytest.raises(FileNotFoundError):
        imdb.load_data(path=tmp_path / "nowhere.npz")
    with pytest.raises(ValueError, match="not a regular file"):
        imdb.load_data(path=tmp_path.resolve())


# ---- where files are looked for


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server, and its answers, one after another."""
    contents: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(contents.pop(0))

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/reuters.npz", contents
        running.shutdown()
        thread.join()


def test_places(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: tuple[str, list[bytes]]
) -> None:
    address, contents = server
    good = b"reuters"
    file = _files.File("reuters", (address,), hashlib.md5(good, usedforsecurity=False).hexdigest())
    contents.extend([b"damaged", b"again"])
    with pytest.raises(ConnectionError, match=r"(?s)^reuters: no mirror.*wrong md5.*NNCORE_DATA_DIR"):
        file.path()
    contents.extend([b"damaged", good])
    cached = tmp_path / "cache" / "nncore" / "reuters" / "reuters.npz"
    assert file.path() == cached
    assert not contents
    assert file.path() == cached
    cached.write_bytes(b"damaged since")
    contents.append(good)
    assert file.path() == cached
    (data / "reuters").mkdir(parents=True)
    (data / "reuters" / "mine.npz").write_bytes(good)
    assert file.path("mine.npz") == data / "reuters" / "mine.npz"
    (data / "reuters" / "reuters.npz").write_bytes(b"other")
    with pytest.raises(ValueError, match="wrong md5"):
        file.path()
