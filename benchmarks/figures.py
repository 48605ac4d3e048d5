"""Pictures of results.json, one PNG a subject. Colours are those of Okabe and Ito, told apart by everyone."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from .cases import TITLES
from .workloads import WORKLOADS

COLOURS = {
    "nncore": "#0072B2",
    "keras": "#E69F00",
    "torch": "#D55E00",
    "jax": "#009E73",
    "sklearn": "#CC79A7",
    "onnxruntime": "#F0E442",
    "numpy": "#999999",
    "NumPy": "#999999",
}
HATCHES = {"": "", "model(x)": "//", "lax.scan": "//", "reshaped pooling": "//"}
LINES = ("-", "--", ":", "-.")


def write(folder: Path, content: dict[str, Any]) -> None:
    """Every picture for which there are results."""
    import matplotlib

    matplotlib.use("Agg")
    parts = content["parts"]
    if parts.get("peers"):
        _save(_peers(parts["peers"]), folder / "peers.png")
    for group, section in parts.get("kernels", {}).items():
        _save(_kernels(group, section), folder / f"kernels-{group}.png")
    if parts.get("curves"):
        _save(_curves(parts["curves"]), folder / "curves.png")


def _axes(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _peers(sections: dict[str, Any]) -> Any:
    """Bars of each framework's median beside nncore's, which is 1."""
    rows = [
        (name if name == figure else f"{name}\n{figure}", values)
        for name in WORKLOADS
        for figure, values in sections.get(name, {"figures": {}})["figures"].items()
        if len(values) > 1
    ] or [("nncore only", {"nncore": [1.0]})]
    figure, ((axis,),) = _axes(1, 1, 9, 1.2 + 0.95 * len(rows))
    for i, (_, values) in enumerate(rows):
        ours, thickness = statistics.median(values["nncore"]), 0.85 / len(values)
        for j, (name, runs) in enumerate(values.items()):
            framework, _, variant = name.partition(" ")
            quotient, at = statistics.median(runs) / ours, i + (j + 0.5) * thickness - 0.425
            style = {"color": COLOURS[framework], "hatch": HATCHES[variant], "edgecolor": "black"}
            axis.barh(at, max(quotient, 0.1), thickness, left=0, linewidth=0.5, **style)
            axis.annotate(
                f" {name} {quotient:,.3g}" if quotient < 100 else f" {name} {quotient:,.0f}",
                (max(quotient, 0.1), at),
                va="center",
                fontsize=7,
            )
    axis.set(xscale="log", xlabel="times what nncore takes (logarithmic)", xlim=(0.1, axis.get_xlim()[1] * 4))
    axis.set_yticks(range(len(rows)), [label for label, _ in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.axvline(1, color="black", linewidth=0.8)
    return figure


def _kernels(group: str, section: dict[str, Any]) -> Any:
    """Products as GFLOP/s beside the peak, the others as times NumPy's speed; a column a thread count."""
    counts = section["threads"]
    number = max(len(cases) for cases in counts.values())
    figure, (axes,) = _axes(1, len(counts), 4 + 5 * len(counts), 1.5 + 0.36 * number)
    for k, (axis, (threads, cases)) in enumerate(zip(axes, counts.items())):
        counted = any(case["flops"] for case in cases.values())
        for i, case in enumerate(cases.values()):
            seconds = {who: statistics.median(runs) for who, runs in case["seconds"].items()}
            shown = list(seconds) if counted else ["nncore"]
            thickness, start = 0.8 / len(shown), 0 if counted else 1
            for j, who in enumerate(shown):
                speed = (case["flops"] / 1e9 if counted else seconds["NumPy"]) / seconds[who]
                at, label = i + (j + 0.5) * thickness - 0.4, who if i == 0 else None
                axis.barh(at, speed - start, thickness, left=start, color=COLOURS[who], label=label)
        if counted:
            peak = section["sitting"]["peak"][threads]["GFLOP/s"]
            axis.axvline(peak, color="black", linestyle="--", label=f"measured peak, {peak:.0f}")
            axis.set_xlabel("GFLOP/s")
        else:
            axis.set(xscale="log", xlabel="times NumPy's speed (logarithmic)")
            axis.axvline(1, color="black", linewidth=0.8)
        axis.set_title(f"{TITLES[group]}; {threads} thread(s)", loc="left", pad=20)
        axis.set_yticks(range(len(cases)), list(cases) if k == 0 else [""] * len(cases), fontsize=7)
        axis.set_ylim(len(cases) - 0.5, -0.5)
        axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(COLOURS))
    return figure


def _curves(sections: dict[str, Any]) -> Any:
    figure, axes = _axes((len(sections) + 1) // 2, 2, 11, 3.8 * ((len(sections) + 1) // 2))
    for axis, (name, section) in zip(axes.flat, sections.items()):
        styles: dict[str, str] = {}
        for series, found in section["series"].items():
            framework, _, what = series.partition(", ")
            style = styles.setdefault(what, LINES[len(styles) % len(LINES)])
            xs = sorted(map(int, found))
            ys = [1e3 * statistics.median(found[str(x)]) for x in xs]
            axis.plot(xs, ys, style, marker="o", markersize=3, color=COLOURS[framework], label=series)
        axis.set(xscale="log", yscale="log", title=name, xlabel=section["axis"], ylabel="ms for a batch")
        axis.set_xticks(xs, [str(x) for x in xs])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    for axis in list(axes.flat)[len(sections) :]:
        axis.remove()
    return figure
