"""What the commands share: time, seeds, and the name of a case that failed."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HANG = 120  # seconds after which a single round counts as hung; much more than any takes
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")  # address space limits cannot be set then

Array = np.ndarray[Any, Any]


class Run(NamedTuple):
    """command: its name. case: the only one to run, or None. folder: for files, kept after a failure."""

    command: str
    seconds: float
    seed: int
    case: int | None
    folder: Path


def rounds(run: Run, seconds: float | None = None) -> Iterator[int]:
    """0, 1, ... until the time is up, 0 at least. A round that hangs ends the process, with all stacks."""
    end, number = time.monotonic() + (run.seconds if seconds is None else seconds), 0
    faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)  # then the signal ends the process
    try:
        while number == 0 or time.monotonic() < end:
            signal.alarm(HANG)
            yield number
            number += 1
    finally:
        signal.alarm(0)


def cases(run: Run) -> Iterator[tuple[int, np.random.Generator]]:
    """(number, its generator), each case on its own, so that it can be repeated alone."""
    for number in (run.case,) if run.case is not None else rounds(run):
        yield number, np.random.default_rng([run.seed, number])


@contextlib.contextmanager
def named(run: Run, number: int) -> Iterator[None]:
    """Says how to repeat the case, if it fails."""
    try:
        yield
    except BaseException:
        again = f"python -m tools.stress {run.command} --seed {run.seed} --case {number}"
        print(f"{run.command}: case {number} failed; to repeat it: {again}", file=sys.stderr, flush=True)
        raise


def resident(field: str = "VmRSS") -> int:
    """Bytes of memory in use, or a peak of them ("VmHWM"), or of addresses ("VmSize")."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def limit_addresses(beyond: int) -> None:
    """Lets the process have so many bytes of addresses more than it has now; nothing under sanitizers."""
    import resource

    if not SANITIZED:
        limit = resident("VmSize") + beyond
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def bits(arrays: Any) -> bytes:
    return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
