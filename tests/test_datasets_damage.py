"""Files of data sets that are complete but wrong, in the cache and in archives; and special files."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from small_mnist import (
    ARRAYS,
    CONTENT,
    PACKED,
    assert_is_content,
    idx_labels,
    set_aside,
    small_source,
    write_folder,
)
from test_downloads import Server, files_in

from nncore.datasets import mnist
from nncore.datasets._source import FILES

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return set_aside(tmp_path, monkeypatch)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


# ---- the cache

OTHER = {  # well-formed, of the right size or smaller, and not what the data set is
    "x_test": CONTENT["x_test"][:-1] + bytes([CONTENT["x_test"][-1] ^ 1]),
    "y_test": idx_labels((ARRAYS["y_test"] + 1) % 10),
    "y_train": idx_labels(ARRAYS["y_train"][::-1]),
}


def put(cache: Path, key: str, form: str) -> Path:
    name = FILES[key].replace("-idx", ".idx") if form == "dotted" else FILES[key]
    for old in cache.glob(f"{FILES[key]}*"):
        old.unlink()
    path = cache / (f"{name}.gz" if form == "gz" else name)
    path.write_bytes(gzip.compress(OTHER[key]) if form == "gz" else OTHER[key])
    return path


@pytest.mark.parametrize("key", OTHER)
@pytest.mark.parametrize("form", ["gz", "raw", "dotted"])
def test_a_cached_file_with_other_content_is_fetched_again(
    server: Server, cache: Path, key: str, form: str
) -> None:
    put(write_folder(cache), key, form)
    source = small_source(server.mirror("good"))
    for _ in range(2):
        assert_is_content(source.load())
        assert server.requests == [f"good/{FILES[key]}.gz"]


@pytest.mark.parametrize("key", OTHER)
def test_without_a_mirror_the_wrong_file_is_named(cache: Path, key: str) -> None:
    path = put(write_folder(cache), key, "gz")
    with pytest.raises(ConnectionError, match="wrong sha256") as caught:
        small_source("http://127.0.0.1:9/").load()
    assert str(path) in str(caught.value)
    assert "cannot be reached" in str(caught.value)
    assert gzip.decompress(path.read_bytes()) == OTHER[key]


def test_a_damaged_cached_file_is_named(cache: Path) -> None:
    path = write_folder(cache) / f"{FILES['x_test']}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConnectionError, match=r"x_test|t10k-images.*truncated"):
        small_source("http://127.0.0.1:9/").load()


@pytest.mark.parametrize("form", ["gz", "raw", "dotted"])
def test_originals_in_the_cache_are_read_in_every_form(cache: Path, form: str) -> None:
    write_folder(cache, packed=form == "gz", dotted=form == "dotted")
    assert_is_content(small_source().load())
    for path in cache.iterdir():
        path.write_bytes(
            gzip.compress(gzip.decompress(path.read_bytes()), 1) if form == "gz" else path.read_bytes()
        )
    assert_is_content(small_source().load())


def test_files_of_the_user_may_be_others(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "data" / "mnist")
    (folder / f"{FILES['y_test']}.gz").write_bytes(gzip.compress(OTHER["y_test"]))
    monkeypatch.setenv("NNCORE_DATA_DIR", str(tmp_path / "data"))
    for split in (small_source().load(), small_source().load(folder), mnist.load_data(folder)):
        np.testing.assert_array_equal(split[1][1], (ARRAYS["y_test"] + 1) % 10)


# ---- temporary files


def test_what_a_killed_download_left_is_removed_by_the_next(server: Server, cache: Path) -> None:
    code = """
import sys, time
from nncore.common import downloads
from pathlib import Path
from tqdm.auto import tqdm
tqdm.update = lambda self, size: (print("fetching", flush=True), time.sleep(600))
downloads.fetch(Path(sys.argv[1]), [sys.argv[2]], print)
"""
    target = cache / f"{FILES['y_test']}.gz"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target), server.mirror("good") + target.name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "fetching\n"
    process.kill()
    process.communicate()
    assert len(files_in(cache)) == 1
    assert_is_content(small_source(server.mirror("good")).load())
    assert files_in(cache) == sorted(PACKED)


def test_a_link_in_the_cache_is_kept(server: Server, cache: Path, tmp_path: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{FILES['x_train']}.gz").symlink_to(tmp_path / "elsewhere")
    assert_is_content(small_source(server.mirror("good")).load())
    assert (cache / f"{FILES['x_train']}.gz").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == PACKED[f"{FILES['x_train']}.gz"]


# ---- archives


def whole(path: Path, compression: int = zipfile.ZIP_DEFLATED) -> bytearray:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for key, array in ARRAYS.items():
            with archive.open(f"{key}.npy", "w") as file:
                np.lib.format.write_array(file, array)  # type: ignore[arg-type]
    return bytearray(path.read_bytes())


def flagged(path: Path) -> None:
    """An archive whose headers all say that it is encrypted."""
    data = whole(path)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(signature)
        while start >= 0:
            data[start + at] |= 1
            start = data.find(signature, start + 4)
    path.write_bytes(data)


def method(number: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = whole(path)
        for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            start = data.find(signature)
            while start >= 0:
                data[start + at : start + at + 2] = number.to_bytes(2, "little")
                start = data.find(signature, start + 4)
        path.write_bytes(data)

    return write


def with_member(content: bytes, compression: int = zipfile.ZIP_STORED) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive:
            for key in FILES:
                archive.writestr(f"{key}.npy", content)

    return write


def trailing(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in ARRAYS.items():
            with archive.open(f"{key}.npy", "w") as file:
                np.lib.format.write_array(file, array)  # type: ignore[arg-type]
                file.write(b"more")


def flipped(path: Path) -> None:
    data = whole(path, zipfile.ZIP_STORED)
    data[data.find(ARRAYS["x_train"].tobytes()) + 5] ^= 1
    path.write_bytes(data)


def saved(**changes: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **{**ARRAYS, **changes})


ARCHIVES: dict[str, Callable[[Path], object]] = {
    "encrypted": flagged,
    "unknown compression": method(99),
    "bzip2 that is none": method(12),
    "LZMA that is none": method(14),
    "no .npy": with_member(b"short"),
    "empty members": with_member(b""),
    "header that is no Python": with_member(b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': '|u1'," + b"\n"),
    "deep header": with_member(b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 8191 + b"\n"),
    "version 2": with_member(b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 100),
    "version 9": with_member(b"\x93NUMPY\x09\x00\x10\x00"),
    "trailing bytes": trailing,
    "flipped bit": flipped,
    "times": saved(y_test=np.zeros(10, "timedelta64[s]")),
    "truths": saved(y_test=np.zeros(10, bool)),
    "texts": saved(y_test=np.array(["1"] * 10)),
    "a table": saved(y_test=np.zeros(10, [("a", np.uint8)])),
    "a number": saved(y_test=np.uint8(1)),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_odd_archives_are_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.npz"
    ARCHIVES[case](path)
    with pytest.raises(ValueError, match=r"odd\.npz") as caught:
        mnist.load_data(path)
    assert len(str(caught.value)) < 600


@pytest.mark.full
def test_flipped_bits_in_archives_never_do_harm(tmp_path: Path) -> None:
    path, dice = tmp_path / "odd.npz", np.random.default_rng(3)
    np.savez_compressed(
        path, **{**ARRAYS, "x_train": ARRAYS["x_train"][:2], "y_train": ARRAYS["y_train"][:2]}
    )
    good = path.read_bytes()
    for _ in range(600):
        data = bytearray(good)
        data[dice.integers(len(data))] ^= 1 << int(dice.integers(8))
        path.write_bytes(data)
        try:
            mnist.load_data(path)
        except ValueError as error:
            assert "odd.npz" in str(error)  # noqa: PT017


@pytest.mark.full
def test_a_header_that_says_gigabytes_takes_none(tmp_path: Path) -> None:
    """Of the .npy format's second version, in a member that unpacks to all of it."""
    path = tmp_path / "bomb.npz"
    size = 3 * 10**8
    with_member(b"\x93NUMPY\x02\x00" + size.to_bytes(4, "little") + bytes(size), zipfile.ZIP_DEFLATED)(path)
    code = """
import sys
from nncore.datasets import mnist
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
before = peak()
try:
    mnist.load_data(sys.argv[1])
except ValueError as error:
    print((peak() - before) * 1024)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50 * 2**20


@pytest.mark.parametrize("name", ["x.npz", "x"])
def test_a_fifo_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    code = "import sys; from nncore.datasets import mnist; mnist.load_data(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert "ValueError" in done.stderr
