"""Whole workloads of all frameworks: each run a process of its own, frameworks in turn."""

from __future__ import annotations

import json
from collections.abc import Callable

from . import processes
from .results import Section, Settings
from .workloads import WORKLOADS

Figures = dict[str, dict[str, float]]  # figure -> variant of the framework, "" for the usual one -> value


def measure(settings: Settings, name: str, report: Callable[[str], None]) -> Section:
    """One workload: {"figures": {figure: {framework: [a value a run]}}, "accuracy": ...}."""
    there = [f for f in WORKLOADS[name].frameworks if f == "numpy" or f in settings.versions]
    section: Section = {
        "sitting": settings.sitting(),
        "missing": [f for f in WORKLOADS[name].frameworks if f in settings.missing],
        "figures": {},
        "accuracy": {},
    }
    for i in range(settings.runs):
        for framework in there:
            report(f"{name}: run {i + 1} of {settings.runs}, {framework}")
            figures, accuracy = run_once(settings, name, framework)
            for figure, values in figures.items():
                of_figure = section["figures"].setdefault(figure, {})
                for variant, value in values.items():
                    of_figure.setdefault(f"{framework} {variant}".strip(), []).append(value)
            if accuracy is not None:
                section["accuracy"].setdefault(framework, []).append(accuracy)
    return section


def run_once(settings: Settings, workload: str, framework: str) -> tuple[Figures, float | None]:
    python = settings.python(framework)
    threads, quick = settings.threads, ["--quick"] if settings.quick else []
    if workload == "import":
        statement = "numpy" if framework == "numpy" else processes.FRAMEWORKS[framework][0]
        empty, full = (
            processes.run([python, "-c", code], threads)[0] for code in ("pass", f"import {statement}")
        )
        return {"import": {"": full - empty}}, None
    if workload == "script":
        command = [python, "-m", "benchmarks.frameworks.script", framework, *quick]
        seconds, printed = processes.run(command, threads)
        return {"whole process": {"": seconds}}, json.loads(printed.splitlines()[-1])["accuracy"]
    result = processes.module(python, "frameworks.run", framework, workload, *quick, threads=threads)
    figures: Figures = result["figures"]
    if workload == "memory":
        data = processes.module(python, "frameworks.data", "mnist_cnn", *quick, threads=threads)
        figures["memory"][""] -= data["memory"]
    return figures, result.get("accuracy")
