"""Every operation of nncore.ops beside its NumPy form, and convolutions beside PyTorch's.

A run of a group is a process, in which nncore and NumPy take turns at every case:

    python -m benchmarks.kernels GROUP THREADS [--quick]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import numpy_forms, processes, timing
from .cases import Array, Case, cases
from .results import Section, Settings

USES_BLAS = ("gemm", "convolution")


def outputs(result: Any) -> list[Array]:
    return list(result) if isinstance(result, tuple) else [result]


def check(case: Case, found: list[Array], expected: list[Array]) -> None:
    """SystemExit unless they agree; dropout, which draws otherwise, only in how much it drops."""
    for a, b in zip(found, expected):
        if case.op.startswith("dropout"):
            agree = abs(np.mean(a == 0) - np.mean(b == 0)) < 0.1
        else:
            agree = a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-4 * float(np.abs(b).max()))
        if not agree:
            raise SystemExit(f"{case.name}: the results of nncore and NumPy do not agree")


def run_group(group: str, threads: int, quick: bool) -> dict[str, Any]:
    """{case: {"op", "flops", "bytes", "seconds": {"nncore", "NumPy"}}}"""
    from nncore import ops

    pause = timing.PAUSE if threads > 1 and group in USES_BLAS and not quick else 0.0
    found = {}
    for case in cases(group, quick):
        theirs, ours = (
            partial(form, *case.arrays, **case.arguments)
            for form in (numpy_forms.form(case.op), getattr(ops, case.op))
        )
        result = outputs(ours())
        check(case, result, outputs(theirs()))
        seconds = 0.0 if quick else timing.SECONDS
        times = {"NumPy": timing.block(theirs, seconds, pause), "nncore": timing.block(ours, seconds, pause)}
        moved = sum(a.nbytes for a in [*case.arrays, *result])
        found[case.name] = {"op": case.op, "flops": case.flops, "bytes": moved, "seconds": times}
    return found


def measure(settings: Settings, group: str, report: Callable[[str], None]) -> Section:
    """{"threads": {number: what run_group returns, with a list of seconds, one a run}}"""
    section: Section = {"sitting": settings.sitting(), "threads": {}}
    quick = ["--quick"] if settings.quick else []
    for threads in sorted({1, settings.threads}):
        peak, merged = (
            section["sitting"]["peak"][str(threads)],
            section["threads"].setdefault(str(threads), {}),
        )
        run = partial(processes.module, threads=threads)
        for i in range(settings.runs):
            report(f"{group}: run {i + 1} of {settings.runs}, {threads} thread(s)")
            parts = [run(sys.executable, "kernels", group, str(threads), *quick)]
            if group == "convolution" and "torch" in settings.versions:
                parts.append(run(settings.python("torch"), "frameworks.torch_convs", *quick))
            for name, case in (item for part in parts for item in part.items()):
                kept = merged.setdefault(name, {**case, "seconds": {}})["seconds"]
                for who, value in case["seconds"].items():
                    kept.setdefault(who, []).append(value)
            again = settings.peak.measure(threads)
            peak.update({key: max(value, again[key]) for key, value in peak.items()})
    return section


if __name__ == "__main__":
    print(json.dumps(run_group(sys.argv[1], int(sys.argv[2]), "--quick" in sys.argv)))
