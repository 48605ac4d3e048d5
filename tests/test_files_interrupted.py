"""Writing that is interrupted or goes on beside another: nothing is left behind, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import pytest
from test_files import holds, names, small

import nncore

pytestmark = pytest.mark.once


def interrupted_at(step: int, action: Callable[[], None]) -> bool:
    """Runs action with a KeyboardInterrupt at that step of the writing code; whether it got so far."""
    left = step

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != source:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    source = str(Path(nncore.__file__).with_name("common") / "files.py")
    before = sys.gettrace()
    try:
        sys.settrace(trace)
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_interruption_at_any_step_leaves_nothing_behind(old: bool, tmp_path: Path) -> None:
    from nncore.common import files

    def put(file: BinaryIO) -> None:
        file.write(b"new")

    path, step = tmp_path / "m", 1
    while True:
        path.unlink(missing_ok=True)
        if old:
            path.write_bytes(b"old")
        interrupted = interrupted_at(step, lambda: files.replace(str(path), put))
        content = path.read_bytes() if path.exists() else None
        assert content in ((b"old" if old else None), b"new"), step
        assert names(tmp_path) == (["m"] if content else []), step
        if not interrupted:
            break
        step += 1
    assert content == b"new"
    assert step > 50


# Writes the line "writing" when its temporary file is there, and goes on when it gets a line.
PAUSED = """
import os, sys
import nncore
fsync, waits = os.fsync, [1]
def paused(fd):
    fsync(fd)
    if waits:
        waits.pop()
        print("writing", flush=True)
        sys.stdin.readline()
os.fsync = paused
model = nncore.Sequential([nncore.layers.Input((3,)), nncore.layers.Dense(4, "relu", name="a"),
                           nncore.layers.Dense(1, name="b")])
model.save(sys.argv[1])
"""


def paused_save(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_process_left_is_removed_by_the_next_save(tmp_path: Path) -> None:
    process = paused_save(tmp_path / "m")
    process.kill()
    process.communicate()
    assert len(names(tmp_path)) == 1
    small().save(tmp_path / "other")
    assert len(names(tmp_path)) == 2  # another name is no business of this one
    model = small()
    model.save(tmp_path / "m")
    assert names(tmp_path) == ["m", "other"]
    holds(tmp_path / "m", model)


def test_two_processes_save_to_one_name(tmp_path: Path) -> None:
    """A process leaves the other's unfinished file alone, and neither waits."""
    first = paused_save(tmp_path / "m")
    temporary = names(tmp_path)
    second = small()
    second.save(tmp_path / "m")
    holds(tmp_path / "m", second)
    assert names(tmp_path) == sorted([*temporary, "m"])
    first.communicate("go on\n", timeout=60)
    assert first.returncode == 0
    assert names(tmp_path) == ["m"]
    with pytest.raises(AssertionError):
        holds(tmp_path / "m", second)


def test_many_threads_save_to_one_name(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = small()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: model.save(tmp_path / "m"), range(80)))
    holds(tmp_path / "m", model)
    assert names(tmp_path) == ["m"]


def test_a_file_that_another_process_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """With overwrite=False not even a file that appears after the first check."""
    code = PAUSED.replace("model.save(sys.argv[1])", "model.save(sys.argv[1], overwrite=False)")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "m")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    (tmp_path / "m").write_bytes(b"of another")
    _, errors = process.communicate("go on\n", timeout=60)
    assert "FileExistsError" in errors
    assert (tmp_path / "m").read_bytes() == b"of another"
    assert names(tmp_path) == ["m"]
