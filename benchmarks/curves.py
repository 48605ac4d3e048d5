"""How the time of a batch grows with its size, the network and the threads: nncore, and PyTorch if there.

A run of a curve is a process: python -m benchmarks.curves FRAMEWORK CURVE [--quick]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial

from . import processes, timing
from .frameworks import data, run
from .results import Section, Settings
from .workloads import CNN, SPARSE, Training, mlp

CURVES = {
    "batch": "samples in a batch",
    "width": "units in each of two hidden layers, batch 128",
    "depth": "hidden layers of 128 units, batch 128",
    "image": "pixels on each side, CNN, batch 32",
    "threads": "threads",
}
FRAMEWORKS = ("nncore", "torch")


def points(curve: str, quick: bool) -> Iterator[tuple[str, int, Training]]:
    """(network, x, what to train)"""

    def dense(width: int = 512, depth: int = 2, batch: int = 128) -> Training:
        return Training((784,), mlp(width, depth), SPARSE, _samples(batch, quick), batch)

    def cnn(side: int = 28, batch: int = 32) -> Training:
        return Training((side, side, 1), CNN, SPARSE, _samples(batch, quick), batch)

    if curve == "batch":
        for batch in (1, 8) if quick else [2**i for i in range(11)]:
            yield "MLP", batch, dense(batch=batch)
            yield "CNN", batch, cnn(batch=batch)
    elif curve == "width":
        for width in (8, 16) if quick else (16, 32, 64, 128, 256, 512, 1024):
            yield "MLP", width, dense(width=width)
    elif curve == "depth":
        for depth in (1, 2) if quick else (1, 2, 4, 8, 16):
            yield "MLP", depth, dense(128, depth)
    elif curve == "image":
        for side in (8, 12) if quick else (8, 12, 16, 28, 48, 64, 96):
            yield "CNN", side, cnn(side)
    else:
        yield "MLP", 0, dense()
        yield "CNN", 0, cnn()


def _samples(batch: int, quick: bool) -> int:
    """Whole batches, two at least."""
    return batch * max(2, (16 if quick else 512) // batch)


def run_curve(framework: str, curve: str, quick: bool) -> dict[str, dict[str, float]]:
    """{series: {x: seconds for a batch}}"""
    found: dict[str, dict[str, float]] = {}
    for network, x, of in points(curve, quick):
        samples, labels, _, _ = data.made_up(of, tests=0)
        model = run.make(framework, of)
        xs, ys = model.arrays(samples, labels)
        calls = {
            "train": partial(model.fits()[""], xs, ys, of.batch, 1),
            "predict": partial(model.predict, xs, of.batch),
        }
        for what, call in calls.items():
            spent = timing.block(call, 0.0 if quick else 0.15)
            series = found.setdefault(f"{framework}, {network}, {what}", {})
            series[str(x)] = spent * of.batch / of.samples
    return found


def measure(settings: Settings, curve: str, report: Callable[[str], None]) -> Section:
    section: Section = {"sitting": settings.sitting(), "axis": CURVES[curve], "unit": "Time of a batch"}
    series = section["series"] = {}
    counts = range(1, settings.threads + 1) if curve == "threads" else [settings.threads]
    for i in range(settings.runs):
        report(f"{curve}: run {i + 1} of {settings.runs}")
        for framework in (f for f in FRAMEWORKS if f in settings.versions):
            python = settings.python(framework)
            for threads in counts:
                command = [framework, curve, *(["--quick"] if settings.quick else [])]
                found = processes.module(python, "curves", *command, threads=threads)
                for name, points_found in found.items():
                    for x, seconds in points_found.items():
                        at = str(threads) if curve == "threads" else x
                        series.setdefault(name, {}).setdefault(at, []).append(seconds)
    return section


if __name__ == "__main__":
    print(json.dumps(run_curve(sys.argv[1], sys.argv[2], "--quick" in sys.argv)))
