"""Bits of two builds: the same networks and operations in processes of each, and what differs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .builds import Build, Failed, run, table

TOOLS = Path(__file__).resolve().parent.parent
THREADS = (1, 2, 7)

Array = np.ndarray[Any, Any]


class Difference(NamedTuple):
    """One case of one pair of runs. `what` -> the largest relative difference, or words."""

    case: str
    isa: str
    threads: str
    what: dict[str, float | str]


def bits(python: Path, old: Build, new: Build) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        store, builds = Path(scratch), (old, new)
        sides = [one_run(python, b, store, "", 1, "--names") for b in builds]
        isas = [isa for isa in sides[0]["isas"] if isa in sides[1]["isas"]]
        settings = list(product((0, 1), isas, THREADS))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = list(pool.map(lambda s: one_run(python, builds[s[0]], store, s[1], s[2]), settings))
        differences, equal, skipped = compare(
            {setting: result["cases"] for setting, result in zip(settings, runs)}, isas, store
        )
    for report in (left_out_report(runs[0], runs[-1], skipped), differences_report(differences)):
        if report:
            print(f"\n{report}")
    print(
        f"\n{equal} comparisons are equal and {len(differences)} differ: {len(runs[0]['cases'])} cases, "
        f"instruction sets {', '.join(isas)}, threads {', '.join(map(str, THREADS))}."
    )
    return 1 if differences else 0


def one_run(python: Path, of: Build, store: Path, isa: str, threads: int, *more: str) -> dict[str, Any]:
    """All cases in a process of their own: what child.py prints."""
    variables = {"NNCORE_NUM_THREADS": str(threads), **({"NNCORE_ISA": isa} if isa else {})}
    variables["PYTHONPATH"] = os.pathsep.join(map(str, (of.path, TOOLS)))
    printed = run([python, "-m", "comparison.child", store, *more], variables, of.path)
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    if not Path(result["file"]).is_relative_to(of.path):
        raise Failed(f"nncore was imported from {result['file']}, not from {of.path}")
    if (result["isa"], result["threads"]) != (isa or result["isa"], threads):
        used = f"{result['isa']} with {result['threads']} threads"
        raise Failed(f"{isa} with {threads} threads was asked for, and {used} is in use")
    return result


def compare(
    found: Mapping[tuple[int, str, int], Mapping[str, Any]], isas: Iterable[str], store: Path
) -> tuple[list[Difference], int, dict[str, str]]:
    """(differences, number of equal comparisons, skipped case -> why) of {(side, isa, threads): cases}.

    Side 0 is OLD, 1 is NEW. They are compared for each instruction set and number of threads, and within each
    the numbers of threads with one thread.
    """
    differences, equal, skipped = [], 0, {}
    for isa in isas:
        pairs = [(f"{t}", (0, isa, t), (1, isa, t)) for t in THREADS]
        pairs += [
            (f"{name}: {t} against 1", (side, isa, 1), (side, isa, t))
            for side, name in enumerate(("OLD", "NEW"))
            for t in THREADS[1:]
        ]
        for threads, a, b in pairs:
            for case in sorted(found[a].keys() | found[b].keys()):
                one, other = (found[side].get(case, {"absent": "the case"}) for side in (a, b))
                if "absent" in one or "absent" in other:
                    skipped[case] = one.get("absent") or other["absent"]
                elif what := differing(one, other, store):
                    differences.append(Difference(case, isa, threads, what))
                else:
                    equal += 1
    return differences, equal, skipped


def differing(old: Mapping[str, Any], new: Mapping[str, Any], store: Path) -> dict[str, float | str]:
    """What differs of one case. A case that has failed always does."""
    what: dict[str, float | str] = {}
    for name in [*old, *(name for name in new if name not in old)]:
        if name == "error":
            what["failed"] = "OLD: {}, NEW: {}".format(old.get(name, "no"), new.get(name, "no"))
        elif "error" in old or "error" in new:
            continue
        elif name not in old or name not in new:
            what[name] = f"only in {'OLD' if name in old else 'NEW'}"
        elif len(old[name]) != len(new[name]):
            what[name] = f"{len(old[name])} and {len(new[name])} arrays"
        elif old[name] != new[name]:
            what[name] = largest_difference(
                (np.load(store / f"{a}.npy"), np.load(store / f"{b}.npy"))
                for a, b in zip(old[name], new[name])
                if a != b
            )
    return what


def largest_difference(pairs: Iterable[tuple[Array, Array]]) -> float | str:
    """The largest difference of two arrays over the largest magnitude in them, of all pairs."""
    largest = 0.0
    for a, b in pairs:
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{a.dtype} {a.shape} and {b.dtype} {b.shape}"
        x, y = a.astype(np.float64), b.astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        if not same.all():
            with np.errstate(invalid="ignore"):
                difference = np.nan_to_num(np.abs(x - y)[~same], nan=np.inf, posinf=np.inf)
            scale = max(np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in (x, y))
            largest = max(largest, float(difference.max() / (scale or 1.0)))
    return largest


def left_out_report(old: Mapping[str, Any], new: Mapping[str, Any], skipped: Mapping[str, str]) -> str:
    """A text about names and cases that were not compared, from the results of each build."""
    names = [{*side["names"], *(f"NNCORE_ISA={isa}" for isa in side["isas"])} for side in (old, new)]
    lines = []
    for side, only in (("OLD", names[0] - names[1]), ("NEW", names[1] - names[0])):
        if only:
            lines.append(f"Only in {side}, and not compared: {', '.join(sorted(only))}")
    if unused := sorted({*old["unused"], *new["unused"]} & names[0] & names[1]):
        lines.append(f"In both, and in no case of this tool: {', '.join(unused)}")
    lines += [f"Skipped: {case}, for want of {why}" for case, why in sorted(skipped.items())]
    return "\n".join(lines)


def differences_report(differences: Iterable[Difference]) -> str:
    """A row for each case. Numbers of threads, and instruction sets, with equal differences share one."""
    threads: dict[tuple[str, str, str], list[str]] = {}
    for d in differences:
        what = ", ".join(
            f"{name} {value:.1e}" if isinstance(value, float) else f"{name}: {value}"
            for name, value in d.what.items()
        )
        threads.setdefault((d.case, what, d.isa), []).append(d.threads)
    isas: dict[tuple[str, str, str], list[str]] = {}
    for (case, what, isa), numbers in threads.items():
        isas.setdefault((case, ", ".join(numbers), what), []).append(isa)
    head = ["case", "instruction sets", "threads", "what differs, with the largest relative difference"]
    rows = [[case, ", ".join(found), numbers, what] for (case, numbers, what), found in isas.items()]
    return table(head, sorted(rows)) if rows else ""
