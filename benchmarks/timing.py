"""Time of a call in a process that also runs another library's threads."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

SECONDS = 0.1  # for a side of a case in a run
PAUSE = 0.2  # twice as long as the threads of OpenBLAS spin after their last work


def block(call: Callable[[], Any], seconds: float, pause: float = 0.0) -> float:
    """Median of the calls that fit into so many seconds, three at least.

    `pause` before them lets the threads of the other library go to sleep; the first call wakes the own ones.
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
