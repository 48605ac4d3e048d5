"""results.json: {"machine", "quick", "parts": {part: {section: {"sitting", ...}}}}, merged by section."""

from __future__ import annotations

import datetime
import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

from . import machine
from .processes import Failed

PARTS = ("peers", "kernels", "curves")
Section = dict[str, Any]


class Settings(NamedTuple):
    runs: int
    threads: int
    quick: bool
    pythons: dict[str, str]
    versions: dict[str, dict[str, str]]  # of the frameworks that are there
    missing: list[str]
    isa: str
    peak: machine.Peak

    def python(self, framework: str) -> str:
        return self.pythons.get(framework, sys.executable)

    def sitting(self) -> dict[str, Any]:
        """When and under what conditions a section was measured."""
        return {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "system": machine.system(),
            "isa": self.isa,
            "threads": self.threads,
            "runs": self.runs,
            "versions": self.versions,
            "peak": {str(n): self.peak.measure(n) for n in sorted({1, self.threads})},
        }


class Results:
    def __init__(self, folder: Path, found: dict[str, Any], quick: bool) -> None:
        """Creates the folder, or reads its results. Failed if they are of another machine or kind of run."""
        self.folder = folder
        self.content: dict[str, Any] = {"machine": found, "quick": quick, "parts": {}}
        if (folder / "results.json").exists():
            self.content = read(folder)
            refuse_other_machine(self.content, {"machine": found}, "this machine")
            if self.content["quick"] != quick:
                raise Failed(f"{folder} holds {'a' if not quick else 'no'} --quick run: take another folder")
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, part: str, name: str, section: Section) -> None:
        self.content["parts"].setdefault(part, {})[name] = section
        new = self.folder / "results.json.new"
        new.write_text(json.dumps(self.content, indent=1) + "\n")
        new.replace(self.folder / "results.json")


def read(folder: Path) -> dict[str, Any]:
    path = folder / "results.json"
    try:
        content = json.loads(path.read_text())
        if not {"machine", "quick", "parts"} <= content.keys():
            raise ValueError("not written by this program")
    except (OSError, ValueError, AttributeError) as error:
        raise Failed(f"{path}: {error}") from None
    return dict(content)


def refuse_other_machine(a: dict[str, Any], b: dict[str, Any], other: str) -> None:
    differing = {k: (v, b["machine"].get(k)) for k, v in a["machine"].items() if v != b["machine"].get(k)}
    if differing:
        what = "; ".join(f"{k}: {x} there, {y} on {other}" for k, (x, y) in differing.items())
        raise Failed(f"results of different machines cannot be put together ({what})")


def figures(content: dict[str, Any]) -> dict[str, float]:
    """The median of every figure, in seconds or MB, by a name that is the same in each folder."""
    parts, found = content["parts"], {}
    for name, section in parts.get("peers", {}).items():
        for figure, values in section["figures"].items():
            for peer, runs in values.items():
                key = f"peers: {name}, {figure}, {peer}, {section['sitting']['threads']} threads"
                found[key] = statistics.median(runs)
    for group, section in parts.get("kernels", {}).items():
        for threads, cases in section["threads"].items():
            for case, measured in cases.items():
                for who, runs in measured["seconds"].items():
                    found[f"kernels: {group}, {case}, {who}, {threads} threads"] = statistics.median(runs)
    for name, section in parts.get("curves", {}).items():
        for series, points in section["series"].items():
            for x, runs in points.items():
                found[f"curves: {name} {x}, {series}"] = statistics.median(runs)
    return found
