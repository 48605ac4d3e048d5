"""The machine: its description, and its peak speed."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from .processes import Failed, run

_PROBE = """
import os
for name in ("NNCORE_NUM_THREADS", "OMP_NUM_THREADS"): os.environ.pop(name, None)
import json, nncore
print(json.dumps([nncore.get_num_threads(), nncore.isa(), nncore.available_isas()]))
"""


def describe() -> tuple[dict[str, Any], str]:
    """(properties that identify the machine, the instruction set that nncore uses).

    `cores` is the number that affinity and cgroup quota allow, nncore's default number of threads.
    """
    cores, isa, isas = json.loads(run([sys.executable, "-c", _PROBE], len(os.sched_getaffinity(0)))[1])
    machine = {
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "cores": cores,
        "instruction sets": ", ".join(isas),
    }
    return machine, isa


def _cpu() -> str:
    info = Path("/proc/cpuinfo").read_text()
    family = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in info.splitlines())}
    name = family.get("model name") or platform.processor() or "unknown"
    numbers = [family[k] for k in ("cpu family", "model", "CPU implementer", "CPU part") if k in family]
    return f"{name} ({' '.join(numbers)})" if numbers else name


def system() -> str:
    """The operating system and the version of its kernel."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release().partition('-')[0]}"


class Peak:
    """peak.cpp, compiled for this machine into `folder`."""

    def __init__(self, folder: Path, seconds: float) -> None:
        compiler = os.environ.get("CXX", "c++")
        if shutil.which(compiler) is None:
            raise Failed(f"the machine's peak needs a C++ compiler: {compiler} was not found (set CXX)")
        self.program, self.seconds = folder / "peak", seconds
        source = str(Path(__file__).with_name("peak.cpp"))
        run([compiler, "-O3", "-march=native", "-pthread", "-std=c++17", "-o", str(self.program), source], 1)

    def measure(self, threads: int) -> dict[str, float]:
        gflops, copy = run([str(self.program), str(threads), str(self.seconds)], threads)[1].split()
        return {"GFLOP/s": float(gflops), "copy GB/s": float(copy)}
