"""Processes with a fixed number of threads, run by the Python that has the framework."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THREADS = (
    "NNCORE_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # JAX
)


class Failed(Exception):
    """A process of a benchmark ended with an error, or something it needs is missing."""


def run(command: list[str], threads: int) -> tuple[float, str]:
    """(seconds from start to end, what it printed). With fewer threads than processors it is also pinned."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | dict.fromkeys(THREADS, str(threads)) | {"PYTHONPATH": path}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
    usable = sorted(os.sched_getaffinity(0))
    pinned = ["taskset", "-c", ",".join(map(str, usable[:threads]))] if threads < len(usable) else []
    start = time.perf_counter()
    done = subprocess.run([*pinned, *command], env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Failed(f"{' '.join(command[1:])} failed:\n{done.stderr.strip()[-1500:]}")
    return seconds, done.stdout


def module(python: str, name: str, *arguments: str, threads: int) -> dict[str, Any]:
    """Runs benchmarks.NAME; the last line that it prints is its result."""
    _, printed = run([python, "-m", f"benchmarks.{name}", *arguments], threads)
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result


# Framework -> the module that is imported, and the distributions whose versions are told.
FRAMEWORKS = {
    "nncore": ("nncore", ("nncore",)),
    "keras": ("keras", ("keras", "tensorflow", "tensorflow-cpu")),
    "torch": ("torch", ("torch",)),
    "jax": ("jax", ("jax", "jaxlib")),
    "sklearn": ("sklearn.neural_network", ("scikit-learn",)),
    "onnxruntime": ("onnxruntime", ("onnxruntime", "onnx")),
}
_PROBE = """
import importlib.util, json, platform, sys
from importlib.metadata import PackageNotFoundError, version
found = {"Python": platform.python_version()}
for name in ("numpy", *sys.argv[2:]):
    try: found[name] = version(name)
    except PackageNotFoundError: pass
print(json.dumps(found if importlib.util.find_spec(sys.argv[1].partition(".")[0]) else None))
"""


def find(frameworks: list[str], pythons: dict[str, str]) -> dict[str, dict[str, str]]:
    """Versions of those that are installed. Failed for one that is not in the Python named for it."""
    found = {}
    for name in frameworks:
        imported, distributions = FRAMEWORKS[name]
        python = pythons.get(name, sys.executable)
        if shutil.which(python) is None:
            raise Failed(f"--python {name}=...: cannot be run")
        versions = json.loads(run([python, "-c", _PROBE, imported, *distributions], 1)[1])
        if versions:
            found[name] = versions
        elif name in pythons:
            raise Failed(f"--python {name}=...: this Python has no {imported}")
    return found
