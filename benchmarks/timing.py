"""Times calls in a process with threads of several libraries."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

SECONDS = 0.1  # for a side of a case in a run
PAUSE = 0.2  # seconds, twice as long as OpenBLAS' threads spin after their last work


def block(call: Callable[[], Any], seconds: float, pause: float = 0.0) -> float:
    """The median time of a call, over the calls that fit into these seconds, at least three.

    The `pause` before them lets other libraries' threads go to sleep; an untimed call wakes the own threads.
    """
    time.sleep(pause)
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
