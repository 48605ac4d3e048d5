"""`nncore.utils.get_file`: names in the cache, hashes, and archives that are unpacked without harm."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from small_mnist import PACKED, set_aside
from test_downloads import Server, broken_off, deliver, files_in, status, truncated

from nncore.utils import get_file

pytestmark = pytest.mark.once

CONTENT = b"what is in the file"
SHA256, MD5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    set_aside(tmp_path, monkeypatch)
    monkeypatch.setitem(PACKED, "text.txt", CONTENT)
    monkeypatch.setitem(PACKED, "data.tar.gz", tar())
    monkeypatch.setitem(PACKED, "data.zip", zipped())
    return tmp_path / "cache" / "nncore" / "datasets"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def tar(*members: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for info in members or (tarfile.TarInfo("in/a.txt"),):
            info.size = 0 if info.linkname else len(CONTENT)
            archive.addfile(info, None if info.linkname else io.BytesIO(CONTENT))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.linkname, info.type = target, kind
    return info


def zipped(name: str = "in/a.txt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, CONTENT)
    return buffer.getvalue()


def test_download_then_cache(server: Server, cache: Path) -> None:
    address = server.mirror("good") + "text.txt?query=1"
    server.faults["good"] = lambda request, content: deliver(request, CONTENT)
    PACKED["text.txt?query=1"] = CONTENT
    try:
        path = get_file(origin=address)
    finally:
        del PACKED["text.txt?query=1"]
    assert path == str(cache / "text.txt")
    assert Path(path).read_bytes() == CONTENT
    address = server.mirror("good") + "text.txt"
    assert get_file(origin=address) == get_file("text.txt", address) == path
    assert len(server.requests) == 1
    get_file(origin=address, force_download=True)
    assert len(server.requests) == 2
    assert get_file("other.txt", address) == str(cache / "other.txt")


@pytest.mark.parametrize(
    "settings",
    [
        {"file_hash": SHA256},
        {"file_hash": MD5},
        {"md5_hash": MD5},
        {"file_hash": SHA256.upper(), "hash_algorithm": "sha256"},
        {"file_hash": MD5, "hash_algorithm": "md5"},
    ],
    ids=str,
)
def test_hashes(server: Server, cache: Path, settings: dict[str, Any]) -> None:
    address = server.mirror("good") + "text.txt"
    path = Path(get_file(origin=address, **settings))
    path.write_bytes(b"damaged since")
    assert get_file(origin=address, **settings) == str(path)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_folders(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.mirror("good") + "text.txt"
    monkeypatch.chdir(tmp_path)
    assert get_file("a.txt", address, cache_dir=".", cache_subdir="") == os.path.join(".", "a.txt")
    assert get_file("a.txt", address, cache_dir=tmp_path / "x", cache_subdir="y") == str(
        tmp_path / "x/y/a.txt"
    )
    assert get_file("a.txt", address, cache_subdir=str(tmp_path / "z")) == str(tmp_path / "z/a.txt")
    assert (tmp_path / "a.txt").is_file()


@pytest.mark.parametrize("name", ["data.tar.gz", "data.zip"])
@pytest.mark.parametrize(
    ("fname", "archive", "folder"),
    [
        (None, "{}_archive", "{}"),
        ("flowers", "flowers_archive", "flowers"),
        ("flowers.v2.x", "flowers.v2.x", "flowers_extracted"),
    ],
)
def test_archives(
    server: Server, cache: Path, name: str, fname: str | None, archive: str, folder: str
) -> None:
    address = server.mirror("good") + name
    for _ in range(2):
        path = get_file(fname, address, extract=True)
        assert path == str(cache / folder.format(name))
        assert (Path(path) / "in" / "a.txt").read_bytes() == CONTENT
    assert files_in(cache) == sorted([archive.format(name), folder.format(name)])
    assert len(server.requests) == 1
    (Path(path) / "in" / "mine.txt").write_text("kept")
    get_file(fname, address, extract=True, force_download=True)
    assert files_in(Path(path) / "in") == ["a.txt", "mine.txt"]


def test_untar_and_formats(server: Server, cache: Path) -> None:
    address = server.mirror("good")
    assert get_file("a", address + "data.tar.gz", untar=True) == str(cache / "a")
    assert get_file("b", address + "data.zip", extract=True, archive_format=["tar", "zip"]) == str(
        cache / "b"
    )
    for settings in ({"untar": True}, {"extract": True, "archive_format": "tar"}):
        with pytest.raises(ValueError, match=r"\[get_file\] .*c_archive is zip, and archive_format is 'tar'"):
            get_file("c", address + "data.zip", **settings)
    with pytest.raises(ValueError, match="is no archive, and archive_format is 'auto'"):
        get_file("d", address + "text.txt", extract=True)
    assert "c" not in files_in(cache)


HARMFUL = {
    "tar above": tar(tarfile.TarInfo("../a.txt")),
    "tar deep above": tar(tarfile.TarInfo("in/../../a.txt")),
    "link above": tar(link("in/a.txt", "../../a.txt")),
    "absolute link": tar(link("a.txt", "/etc/passwd")),
    "hard link above": tar(link("a.txt", "../a.txt", tarfile.LNKTYPE)),
    "through a link": tar(link("in", ".."), tarfile.TarInfo("in/a.txt")),
    "device": tar(link("a.txt", "", tarfile.CHRTYPE)),
    "zip above": zipped("../a.txt"),
    "zip deep above": zipped("in/../../a.txt"),
    "absolute zip": zipped("/a.txt"),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_nothing_is_unpacked_outside(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setitem(PACKED, "bad", HARMFUL[case])
    with pytest.raises(ValueError, match=r"\[get_file\] .*bad_archive has a member that leads out of it"):
        get_file("bad", server.mirror("good") + "bad", extract=True)
    assert files_in(cache) == ["bad_archive"]
    assert files_in(cache.parent) == ["datasets"]


def test_absolute_names_in_tar_archives_stay_inside(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PACKED, "odd", tar(tarfile.TarInfo("/a.txt")))
    assert files_in(Path(get_file("odd", server.mirror("good") + "odd", extract=True))) == ["a.txt"]


@pytest.mark.parametrize("fault", [status(404), truncated, broken_off])
def test_bad_deliveries(server: Server, cache: Path, fault: Any) -> None:
    address = server.mirror("bad", fault) + "text.txt"
    with pytest.raises(
        ConnectionError, match=r"^get_file: no mirror delivered text\.txt(?s:.*)put the file there"
    ):
        get_file(origin=address, file_hash=SHA256)
    assert files_in(cache) == []


def test_several_at_once(server: Server, cache: Path) -> None:
    address, start = server.mirror("good") + "data.zip", threading.Barrier(4)

    def fetch(_: int) -> str:
        start.wait()
        return get_file("flowers", address, extract=True)

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(fetch, range(4))) == {str(cache / "flowers")}
    assert (cache / "flowers" / "in" / "a.txt").read_bytes() == CONTENT
    assert files_in(cache) == ["flowers", "flowers_archive"]


def test_several_processes_at_once(server: Server, cache: Path) -> None:
    code = "import sys; from nncore.utils import get_file; get_file('flowers', sys.argv[1], extract=True)"
    command = [sys.executable, "-c", code, server.mirror("good") + "data.tar.gz"]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert (cache / "flowers" / "in" / "a.txt").read_bytes() == CONTENT
    assert files_in(cache) == ["flowers", "flowers_archive"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fname": "a"}, "origin must be the address of a file, got None"),
        ({"fname": "a/b", "origin": "http://x/a"}, "fname must be a name without a folder, got 'a/b'"),
        ({"origin": "http://x/"}, "fname must be a name without a folder, got ''"),
        ({"origin": "http://x/a", "hash_algorithm": "sha1"}, "hash_algorithm must be one of"),
    ],
)
def test_arguments(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"\[get_file\] {message}"):
        get_file(**settings)


def test_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="get_file: cannot write to "):
        get_file(origin=server.mirror("good") + "text.txt")
