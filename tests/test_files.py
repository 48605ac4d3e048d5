"""Where model files are written: links, special files, names, modes, and what interruptions leave behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import models
from nncore.layers import Dense, Input

pytestmark = pytest.mark.once


def small() -> nncore.Sequential:
    return nncore.Sequential([Input((3,)), Dense(4, "relu", name="a"), Dense(1, name="b")], name="s")


def save(model: nncore.Sequential, path: Any) -> None:
    model.save(path)


def save_weights(model: nncore.Sequential, path: Any) -> None:
    model.save_weights(path)


WAYS: tuple[Callable[[nncore.Sequential, Any], None], ...] = (save, save_weights)
both_ways = pytest.mark.parametrize("write", WAYS)


def holds(path: Any, model: nncore.Sequential) -> None:
    other = small()
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- links and special files


@both_ways
@pytest.mark.parametrize("old", [True, False], ids=["to a file", "dangling"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_link_is_kept_and_what_it_points_to_is_written(
    write: Any, old: bool, relative: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if old:
        (folder / "file").write_bytes(b"old")
    (tmp_path / "second").symlink_to(Path("elsewhere/file") if relative else folder / "file")
    (tmp_path / "first").symlink_to("second")
    model = small()
    write(model, tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert names(tmp_path) == ["elsewhere", "first", "second"]
    assert names(folder) == ["file"]
    assert not (folder / "file").is_symlink()
    holds(folder / "file", model)


def test_a_link_into_another_file_system(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    target = other / f"nncore-test-{os.getpid()}"
    (tmp_path / "link").symlink_to(target)
    model = small()
    try:
        model.save(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        holds(target, model)
    finally:
        target.unlink(missing_ok=True)


def make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # as /dev/null
    except PermissionError:
        pytest.skip("device nodes cannot be made")


SPECIAL: dict[str, Callable[[Path], None]] = {"FIFO": os.mkfifo, "device": make_device}


@both_ways
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("linked", [False, True])
def test_special_files_are_refused_and_stay(write: Any, kind: str, linked: bool, tmp_path: Path) -> None:
    path = tmp_path / "special"
    SPECIAL[kind](path)
    before = path.lstat()
    (tmp_path / "link").symlink_to("special")
    with pytest.raises(ValueError, match="special is not a regular file"):
        write(small(), tmp_path / "link" if linked else path)
    assert (path.lstat().st_mode, path.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert names(tmp_path) == ["link", "special"]


# ---- names


@both_ways
@pytest.mark.parametrize("name", ["m" * 255, "é" * 127, "模" * 85, "🙂" * 63, "a b\n\\", "-", ".part"])
def test_names_of_any_kind_up_to_255_bytes(write: Any, name: str, tmp_path: Path) -> None:
    model = small()
    for path in (tmp_path / name, str(tmp_path / name), os.fsencode(tmp_path / name)):
        write(model, path)
        holds(path, model)
        assert names(tmp_path) == [name]


def test_a_name_that_is_no_utf_8(tmp_path: Path) -> None:
    model = small()
    path = os.fsencode(tmp_path) + b"/\xff\xfe"
    try:
        model.save(path)
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff\xfe"]
    holds(path, model)


def a_loop(folder: Path) -> str:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    return f"{folder}/one"


def below_a_file(folder: Path) -> str:
    (folder / "file").write_bytes(b"old")
    return f"{folder}/file/m"


REFUSED: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "nothing": (lambda folder: "", ValueError, "filepath must name a file"),
    "empty bytes": (lambda folder: b"", ValueError, "filepath must name a file"),
    "a folder": (lambda folder: folder, IsADirectoryError, "folder"),
    "the folder at hand": (lambda folder: ".", IsADirectoryError, "folder"),
    "a trailing slash": (lambda folder: f"{folder}/m/", IsADirectoryError, r"m/.* folder"),
    "256 bytes": (lambda folder: f"{folder}/{'m' * 256}", OSError, "name too long"),
    "256 bytes of UTF-8": (lambda folder: f"{folder}/{'é' * 128}", OSError, "name too long"),
    "below a file": (below_a_file, NotADirectoryError, "file/m"),
    "no folder": (lambda folder: f"{folder}/no/m", FileNotFoundError, "there is no folder .*no"),
    "a loop of links": (a_loop, OSError, "symbolic links.*one"),
    "a null character": (lambda folder: f"{folder}/a\0b", ValueError, "null"),
    "half a character": (lambda folder: f"{folder}/\ud800", ValueError, "surrogates"),
    "a number": (lambda folder: 3, TypeError, "int"),
    "None": (lambda folder: None, TypeError, "NoneType"),
}


@both_ways
@pytest.mark.parametrize("case", REFUSED)
def test_paths_that_cannot_be_written_are_refused(write: Any, case: str, tmp_path: Path) -> None:
    path, error, text = REFUSED[case]
    given = path(tmp_path)
    before = names(tmp_path)
    with pytest.raises(error, match=text):
        write(small(), given)
    assert names(tmp_path) == before


@pytest.mark.parametrize("case", ["nothing", "a number", "None"])
def test_paths_that_cannot_be_read_are_refused(case: str, tmp_path: Path) -> None:
    path, error, text = REFUSED[case]
    for read in (models.load_model, small().load_weights):
        with pytest.raises(error, match=text):
            read(path(tmp_path))


@both_ways
@pytest.mark.parametrize("protect", ["folder", "file"])
def test_what_may_not_be_written_is_left(write: Any, protect: str, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "m").write_bytes(b"old")
    protected = folder if protect == "folder" else folder / "m"
    protected.chmod(0o555 if protect == "folder" else 0o444)
    try:
        if os.access(protected, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(PermissionError, match=r"Permission denied.*m'$"):
            write(small(), folder / "m")
        assert (folder / "m").read_bytes() == b"old"
        assert names(folder) == ["m"]
    finally:
        folder.chmod(0o755)


# ---- modes


@both_ways
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0])
def test_a_new_file_has_the_mode_that_open_gives(write: Any, umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write(small(), tmp_path / "m")
        (tmp_path / "plain").write_bytes(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode


@both_ways
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(write: Any, mode: int, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"old")
    (tmp_path / "m").chmod(mode)
    write(small(), tmp_path / "m")
    assert (tmp_path / "m").stat().st_mode & 0o777 == mode


def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"old")
    try:
        os.chown(tmp_path / "m", 12345, 54321)
    except OSError:
        pytest.skip("this user may not give files away")
    small().save(tmp_path / "m")
    found = (tmp_path / "m").stat()
    assert (found.st_uid, found.st_gid) == (12345, 54321)


def test_the_umask_is_never_changed(tmp_path: Path) -> None:
    """Of the whole process: files that other threads make meanwhile would be open to everybody."""
    code = """
import os, sys
import nncore
changes = []
umask = os.umask
def watched(mask):
    changes.append(mask)
    return umask(mask)
os.umask = watched
model = nncore.Sequential([nncore.layers.Input((3,)), nncore.layers.Dense(1)])
model.save(sys.argv[1])
model.save(sys.argv[1])
print(changes)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_file_and_folder_are_synced_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First what is in the file, then its name takes effect, then the folder that holds the name."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(fd: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def watched_replace(a: Any, b: Any, **more: Any) -> None:
        calls.append("replace")
        replace(a, b, **more)

    monkeypatch.setattr("os.fsync", watched_fsync)
    monkeypatch.setattr("os.replace", watched_replace)
    small().save(tmp_path / "m")
    assert calls == ["file", "replace", "folder"]
