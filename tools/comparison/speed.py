"""Speed of two builds: the workloads of benchmarks/ in turns, and how sure the ratio of their times is."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .builds import ROOT, Build, Failed, clean, table

sys.path.append(str(ROOT))
from benchmarks import peers, processes, results
from benchmarks.frameworks import data
from benchmarks.workloads import WORKLOADS

# Short processes, which differ most from run to run, have so many times the pairs.
MORE_PAIRS = {"import": 4, "binary": 2}


class Row(NamedTuple):
    """One figure, in seconds or MB: medians, and NEW / OLD with the interval that holds it with 95 %."""

    old: float
    new: float
    ratio: float
    interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]
    noise: tuple[float, float] | None  # the interval of OLD / OLD


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=15, help="runs of each commit (default: 15)")
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, metavar="NAME",
                        default=[name for name in WORKLOADS if name != "normalized"],
                        help=f"some of {', '.join(WORKLOADS)} (default: all but normalized)")  # fmt: skip
    parser.add_argument("--limit", type=float, default=1.03, help="ratio to be below (default: 1.03)")
    parser.add_argument("--noise", action="store_true", help="a second run of OLD beside each pair")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for every run's figures")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only to see that all of it works")


def speed(python: Path, old: Build, new: Build, options: argparse.Namespace) -> int:
    if options.pairs < 1 or not 1 <= options.threads <= len(os.sched_getaffinity(0)):
        raise Failed("--pairs and --threads must be at least 1, and threads no more than processors")
    os.environ |= prepared(options.folder, options.quick)
    for name in os.environ.keys() - clean().keys():
        del os.environ[name]
    settings = results.Settings(
        runs=options.pairs, threads=options.threads, quick=options.quick, pythons={"nncore": str(python)},
        versions={}, missing=[], isa="", peak=None,  # type: ignore[arg-type]  # which are for reports
    )  # fmt: skip
    sides = {"old": old, "new": new} | ({"again": old} if options.noise else {})
    try:
        isas = {instruction_set(python, b, options.threads) for b in sides.values()}
        if len(isas) > 1:
            raise Failed(f"the builds choose different instruction sets: {', '.join(sorted(isas))}")
        print(f"instruction set {isas.pop()}, {options.threads} threads", flush=True)
        figures = measure(settings, sides, options.workload)
    except processes.Failed as error:
        raise Failed(str(error)) from None
    rows = {name: summary(**values) for name, values in figures.items()}
    if options.json:
        content = {"old": old.title, "new": new.title, "threads": options.threads, "runs": figures}
        content["rows"] = {name: row._asdict() for name, row in rows.items()}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    print(report(rows, options.limit))
    return 1 if any(marked(row, options.limit) for row in rows.values()) else 0


def prepared(folder: Path, quick: bool) -> dict[str, str]:
    """Where MNIST is: in NNCORE_DATA_DIR, or made up."""
    if quick or data.folder().is_dir():
        return {"NNCORE_DATA_DIR": str(data.folder().parent.resolve())}
    print("NNCORE_DATA_DIR names no folder with mnist/*.gz: the digits are made up")
    made_up = folder.resolve() / "made-up-data" / "mnist"
    made_up.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    patterns = np.zeros((10, 28, 28), np.uint8)
    patterns[:, 4:24, 6:22] = rng.integers(0, 2, (10, 10, 8)).repeat(2, 1).repeat(2, 2) * 200
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        labels = rng.integers(0, 10, n).astype(np.uint8)
        images = patterns[labels] * (rng.random((n, 28, 28), np.float32) < 0.7)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = np.array([2048 + array.ndim, *array.shape], ">i4").tobytes()
            (made_up / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes(), 1))
    return {"NNCORE_DATA_DIR": str(made_up.parent)}


def instruction_set(python: Path, build: Build, threads: int) -> str:
    """The instruction set in use. Failed if the measured processes would import another nncore."""
    os.environ["PYTHONPATH"] = str(build.path)
    printed = processes.run(
        [str(python), "-c", "import nncore; print(nncore.__file__, nncore.isa())"], threads
    )
    file, _, isa = printed[1].strip().rpartition(" ")
    if not Path(file).is_relative_to(build.path):
        raise Failed(f"nncore was imported from {file}, not from {build.path}")
    return isa


def measure(
    settings: results.Settings, sides: dict[str, Build], workloads: Sequence[str]
) -> dict[str, dict[str, list[float]]]:
    """{figure: {side: [of each run]}}. In a pair each side runs once, every other time in reverse order."""
    figures: dict[str, dict[str, list[float]]] = {}
    for pair in range(-1, settings.runs):  # the first one warms up
        print(
            f"pair {pair + 1} of {settings.runs}" if pair >= 0 else "warming up", file=sys.stderr, flush=True
        )
        for workload in workloads:
            for repeat in range(MORE_PAIRS.get(workload, 1) if pair >= 0 else 1):
                order = list(sides) if (pair + repeat) % 2 else list(sides)[::-1]
                for side in order:
                    os.environ["PYTHONPATH"] = str(sides[side].path)
                    found, _ = peers.run_once(settings, workload, "nncore")
                    for figure, values in found.items() if pair >= 0 else ():
                        name = workload if figure == workload else f"{workload}, {figure}"
                        figures.setdefault(name, {s: [] for s in sides})[side].append(values[""])
    return figures


def summary(old: list[float], new: list[float], again: list[float] | None = None) -> Row:
    """Of runs in pairs; `again` are the other runs of OLD."""
    ratios = [b / a for a, b in zip(old, new)]
    differences = [b - a for a, b in zip(old, new)]
    return Row(
        old=statistics.median(old),
        new=statistics.median(new),
        ratio=statistics.median(ratios),
        interval=interval(ratios),
        difference=statistics.median(differences),
        difference_interval=interval(differences),
        noise=interval([b / a for a, b in zip(old, again)]) if again else None,
    )


def interval(values: Sequence[float], resamples: int = 10_000) -> tuple[float, float]:
    """The 95 % interval of the median: percentiles of the medians of samples drawn anew from the values."""
    drawn = np.random.default_rng(0).choice(np.asarray(values, np.float64), (resamples, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(low), float(high)


def marked(row: Row, limit: float) -> bool:
    return row.interval[1] >= limit


def report(rows: dict[str, Row], limit: float) -> str:
    noise = any(row.noise for row in rows.values())
    head = ["workload", "OLD", "NEW", "NEW / OLD", "95 %", *(["OLD / OLD, 95 %"] if noise else []), ""]
    lines = []
    for name, row in rows.items():
        note = "SLOWER?" if marked(row, limit) else ""
        if name.endswith("predict one"):
            low, high = (1e6 * value for value in row.difference_interval)
            note = f"{note} {1e6 * row.difference:+.2f} us ({low:+.2f} to {high:+.2f})".strip()
        unit = "MB" if name == "memory" else "s"
        ratios = [f"{row.ratio:.3f}", "{:.3f} to {:.3f}".format(*row.interval)]
        again = ["{:.3f} to {:.3f}".format(*row.noise)] if row.noise else []
        lines.append([name, told(row.old, unit), told(row.new, unit), *ratios, *again, note])
    end = f"SLOWER?: the upper end of the interval is at or above {limit}, so that a loss is not ruled out."
    return f"{table(head, lines)}\n\n{end}"


def told(value: float, unit: str) -> str:
    if unit != "s" or value >= 1:
        return f"{value:.4g} {unit}"
    return f"{1e3 * value:.4g} ms" if value >= 1e-3 else f"{1e6 * value:.4g} us"
