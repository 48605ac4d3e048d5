"""Whole trainings of nncore and Keras side by side, in turn: medians, and the median of the ratios.

    NNCORE_DATA_DIR=... python benchmarks/compare.py --runs 3 [--keras-python PATH] [--workload mnist_cnn]

Keras may live in another environment: name its Python. Both get the same number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("workloads.py")


def run(python: str, framework: str, workload: str, threads: int) -> dict[str, float]:
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [python, str(SCRIPT), framework, workload],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{framework} {workload} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keras-python", default=sys.executable)
    parser.add_argument("--workload", action="append", choices=["mnist_cnn", "binary"])
    arguments = parser.parse_args()

    print(f"{platform.machine()}, {arguments.threads} threads, Python {platform.python_version()}")
    for workload in arguments.workload or ["mnist_cnn", "binary"]:
        ours, theirs = [], []
        for _ in range(arguments.runs):
            theirs.append(run(arguments.keras_python, "keras", workload, arguments.threads))
            ours.append(run(sys.executable, "nncore", workload, arguments.threads))
        print(f"\n| {workload} | nncore | Keras | Keras / nncore |\n|---|---|---|---|")
        for key in ours[0]:
            a, b = [r[key] for r in ours], [r[key] for r in theirs]
            ratio = "" if key == "accuracy" else f"{statistics.median(y / x for x, y in zip(a, b)):.1f}"
            print(f"| {key} | {statistics.median(a):.4g} | {statistics.median(b):.4g} | {ratio} |")


if __name__ == "__main__":
    main()
