"""Data sets from failing mirrors: files that are kept, repeated requests, and messages."""

from __future__ import annotations

import gzip
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from small_mnist import (
    PACKED,
    assert_is_content,
    set_aside,
    small_source,
    write_folder,
)

from nncore.common import downloads
from nncore.datasets._source import FILES

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return set_aside(tmp_path, monkeypatch)


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
    "corrupt": (corrupt, "gzip file is corrupt|wrong sha256"),
    "other content": (other_content, "wrong sha256"),
    "trailing": (trailing, "gzip file is corrupt"),
    "web page": (web_page, r"not the right file \(wrong magic number"),
    "bomb": (bomb, "trailing bytes after the 10"),
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
    assert len(server.requests) == (1 if fault in ("404", "503") else downloads.ROUNDS)


def test_a_mirror_that_never_ends_is_left(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MOST_BYTES", 40)
    with pytest.raises(ConnectionError, match="more than 40 bytes"):
        small_source(server.mirror("endless", bomb)).load()
    assert files_in(cache) == []


def test_a_fault_that_passes_is_retried(server: Server) -> None:
    def first_time_only(request: BaseHTTPRequestHandler, content: bytes) -> None:
        (truncated if len(server.requests) == 1 else deliver)(request, content)

    assert_is_content(small_source(server.mirror("shaky", first_time_only)).load())
    assert len(server.requests) == 5


def test_a_redirect_is_followed(server: Server) -> None:
    good = server.mirror("good")

    def elsewhere(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", good + request.path.rpartition("/")[2])
        request.end_headers()

    def in_circles(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", request.path)
        request.end_headers()

    assert_is_content(small_source(server.mirror("moved", elsewhere)).load())
    with pytest.raises(ConnectionError, match=r"cannot be reached .*redirects"):
        downloads.fetch(Path("never"), [server.mirror("circle", in_circles) + f"{FILES['y_test']}.gz"], print)


def test_without_pooch_the_error_says_what_to_install(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"(?s)^mnist: .*pip install pooch.*NNCORE_DATA_DIR.*load_sample"):
        small_source("http://127.0.0.1:9/").load()
    write_folder(cache)
    assert_is_content(small_source("http://127.0.0.1:9/").load())


@pytest.mark.full
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


@pytest.mark.full
def test_trickling_mirror_runs_out_of_patience(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PATIENCE", 0.2)

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
        downloads.fetch(
            tmp_path / f"{FILES['y_test']}.gz",
            [server.mirror("slow", trickle) + f"{FILES['y_test']}.gz"],
            lambda path: None,
            timeout=2,
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

    def interrupt(self: object, size: int) -> None:
        seen.append(files_in(cache))
        raise KeyboardInterrupt

    monkeypatch.setattr("tqdm.auto.tqdm.update", interrupt)
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


def test_a_data_dir_without_the_files_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCORE_DATA_DIR", str(tmp_path / "empty"))
    with pytest.raises(ConnectionError, match=r"but .*empty.mnist has none of the files"):
        small_source("http://127.0.0.1:9/").load()


def test_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"(?s)cannot write to .*NNCORE_DATA_DIR"):
        small_source(server.mirror("good")).load()
