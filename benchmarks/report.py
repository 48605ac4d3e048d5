"""report.md: the tables of results.json."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from .cases import TITLES
from .processes import FRAMEWORKS
from .workloads import TRAININGS, WORKLOADS, Target

Runs = dict[str, list[float]]  # framework -> the value of each run
UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "us"))


def text(content: dict[str, Any]) -> str:
    parts = content["parts"]
    lines = ["# Measurements of nncore", "", "What each figure means is in docs/benchmarks.md.", ""]
    if content["quick"]:
        lines += [
            "**A quick run on tiny sizes: it shows that all of it works, and measures nothing.**",
            "",
        ]
    lines += table(["machine", ""], content["machine"].items())
    if "peers" in parts:
        lines += ["## Beside other frameworks", "", *_peers(parts["peers"])]
    if "kernels" in parts:
        lines += ["## Single operations", "", *_kernels(parts["kernels"])]
    if "curves" in parts:
        lines += ["## How time grows", "", *_curves(parts["curves"])]
    lines += ["## When and with what", "", *_sittings(parts)]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
        "",
    ]


def seconds(value: float) -> str:
    factor, unit = next(pair for pair in UNITS if abs(value) * pair[0] >= 1 or pair == UNITS[-1])
    return f"{value * factor:.3g} {unit}"


def ratio(values: Runs, all_forms: bool = False) -> tuple[str, float] | None:
    """(best peer, median over the runs of best peer / nncore); the best has the smallest median.

    A name with a space is a form that was tuned for this comparison.
    """
    peers = [n for n in values if n not in ("nncore", "numpy") and (all_forms or " " not in n)]
    if not peers or "nncore" not in values:
        return None
    best = min(peers, key=lambda name: statistics.median(values[name]))
    return best, statistics.median(b / a for a, b in zip(values["nncore"], values[best]))


def met(target: Target, values: Runs) -> str:
    """Whether the target is met: yes, no, or a dash if a measurement is missing."""
    found, ours = ratio(values), statistics.median(values.get("nncore", [float("nan")]))
    checks = []
    if target.ratio is not None:
        checks.append(None if found is None else found[1] >= target.ratio)
    if target.at_most is not None:
        checks.append(ours <= target.at_most)
    if target.beyond_numpy is not None:
        beyond = "numpy" in values and ours - statistics.median(values["numpy"]) <= target.beyond_numpy
        checks.append(beyond)
    return "no" if False in checks else "-" if None in checks else "yes"


def _peers(sections: dict[str, Any]) -> list[str]:
    lines = [
        "Medians of the runs. The ratio is the median over the runs of best peer / nncore, where the best",
        "peer has the smallest median among the forms in which users of the frameworks write it; the last",
        "column is the same ratio among all forms, those that were tuned for this comparison included. Each",
        "run is a process of its own, the frameworks take turns, and all have the same number of threads.",
        "",
    ]
    known = [name for name in WORKLOADS if name in sections]
    used = {f for name in known for f in WORKLOADS[name].frameworks}
    columns = [f for f in (*FRAMEWORKS, "numpy") if f in used]
    rows = []
    for name in known:
        for figure, values in sections[name]["figures"].items():
            target = WORKLOADS[name].figures[figure]
            cells = [_cell(values, f, f in sections[name]["missing"], WORKLOADS[name].unit) for f in columns]
            quotients = [
                f"{found[1]:.2f} ({found[0]})" if found else "-"
                for found in (ratio(values), ratio(values, all_forms=True))
            ]
            rows.append([name, figure, *cells, quotients[0], target.text, met(target, values), quotients[1]])
    head = ["workload", "figure", *columns, "best peer / nncore", "target", "met", "among all forms"]
    lines += table(head, rows)
    rows = [
        [name, WORKLOADS[name].title, _accuracies(sections[name]["accuracy"]), _speed(name, sections[name])]
        for name in known
    ]
    return lines + table(["workload", "what it is", "test accuracy", "nncore's products"], rows)


def _speed(name: str, section: dict[str, Any]) -> str:
    """GFLOP/s of a training's products, forward and backward, and their share of the peak."""
    of, runs = TRAININGS.get(name), section["figures"].get("train", {}).get("nncore")
    if of is None or not of.products or not runs:
        return ""
    speed = 6e-9 * of.products * of.samples * of.epochs / statistics.median(runs)
    sitting = section["sitting"]
    share = 100 * speed / sitting["peak"][str(sitting["threads"])]["GFLOP/s"]
    return f"{speed:.0f} GFLOP/s, {share:.0f} % of the peak"


def _cell(values: Runs, framework: str, missing: bool, unit: str) -> str:
    show = seconds if unit == "s" else lambda v: f"{v:.0f} {unit}"
    found = [
        f"{name.removeprefix(framework).strip()} {show(statistics.median(runs))}".strip()
        for name, runs in values.items()
        if name.partition(" ")[0] == framework
    ]
    return "; ".join(found) or ("missing" if missing else "")


def _accuracies(found: Runs) -> str:
    return ", ".join(f"{name} {100 * statistics.median(runs):.1f} %" for name, runs in found.items())


def _kernels(sections: dict[str, Any]) -> list[str]:
    lines = [
        "Medians of a call. GB/s counts the arguments and the results once. Operations of nncore",
        "pack or copy most weights at each call. The share is of the peak of fused multiply-add that was",
        "measured beside the group, with the same number of threads.",
        "",
    ]
    for group, section in sections.items():
        for threads, cases in section["threads"].items():
            peak = section["sitting"]["peak"][threads]
            lines += [
                f"### {TITLES[group]}; {threads} thread(s)",
                "",
                f"Peak {peak['GFLOP/s']:.0f} GFLOP/s, copy {peak['copy GB/s']:.0f} GB/s.",
                "",
            ]
            counted = any(case["flops"] for case in cases.values())
            others = sorted({who for case in cases.values() for who in case["seconds"]} - {"nncore"})
            head = ["operation", "nncore", *others, "GFLOP/s" if counted else "GB/s"]
            head += ["share of peak"] * counted + [f"{who} / nncore" for who in others]
            rows = [_kernel_row(name, case, others, peak, counted) for name, case in cases.items()]
            lines += table(head, rows)
    return lines


def _kernel_row(
    name: str, case: dict[str, Any], others: list[str], peak: dict[str, float], counted: bool
) -> list[str]:
    values = {who: statistics.median(runs) for who, runs in case["seconds"].items()}
    speed = (case["flops"] if counted else case["bytes"]) / values["nncore"] / 1e9
    row = [name, seconds(values["nncore"])]
    row += [seconds(values[who]) if who in values else "" for who in others]
    row += [f"{speed:.3g}"] + [f"{100 * speed / peak['GFLOP/s']:.0f} %"] * counted
    return row + [f"{values[who] / values['nncore']:.2f}" if who in values else "" for who in others]


def _curves(sections: dict[str, Any]) -> list[str]:
    lines = []
    for name, section in sections.items():
        lines += [f"### {name}", "", f"{section['unit']}, by {section['axis']}.", ""]
        series = section["series"]
        xs = sorted({x for points in series.values() for x in points}, key=int)
        rows = [
            [x, *(seconds(statistics.median(p[x])) if x in p else "" for p in series.values())] for x in xs
        ]
        lines += table([section["axis"], *series], rows)
    return lines


def _sittings(parts: dict[str, Any]) -> list[str]:
    rows = []
    versions: dict[tuple[str, str], list[str]] = {}
    for part, sections in parts.items():
        for name, section in sections.items():
            sitting = section["sitting"]
            peak = "; ".join(f"{p['GFLOP/s']:.0f}, {p['copy GB/s']:.0f}" for p in sitting["peak"].values())
            rows.append([part, name, *(sitting[key] for key in ("date", "threads", "runs", "isa")), peak])
            for framework, found in [("", {"": sitting["system"]}), *sitting["versions"].items()]:
                text = ", ".join(f"{package} {version}".strip() for package, version in found.items())
                versions.setdefault((framework or "system", text), []).append(name)
    head = [
        "part",
        "section",
        "date",
        "threads",
        "runs",
        "instruction set",
        "peak GFLOP/s, copy GB/s",
    ]
    used = [[*key, ", ".join(names) if len(names) < len(rows) else "all"] for key, names in versions.items()]
    return table(head, rows) + table(["framework", "versions", "in sections"], used)


def comparison(a: dict[str, float], b: dict[str, float]) -> str:
    """The figures that both have, as b / a."""
    both = [key for key in a if key in b]
    rows = [[key, f"{a[key]:.4g}", f"{b[key]:.4g}", f"{b[key] / a[key]:.2f}"] for key in both]
    lines = table(["figure (seconds, or MB)", "A", "B", "B / A"], rows)
    only = f"only in A: {len(a) - len(both)}, only in B: {len(b) - len(both)}"
    return "\n".join([*lines, f"{len(both)} figures; {only}"])
