"""The graph of a model."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common.arguments import boolean, integer
from ..common.messages import visible
from ..common.values import OpenShape
from ..graph.net import Net
from ..layers import InputLayer
from ..models.model import net_of
from ..models.summary import kind_of, shape_text
from ._figure import INK, Figure, new_figure, require_matplotlib, text_width
from ._layout import PORT, Edge, Layout, Point, arrange

with suppress(ImportError):  # require_matplotlib raises
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
    from matplotlib.path import Path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BOXES = 400
_SIZE, _LINE = 8.5, 12.5  # points: of the type, from line to line
_PAD, _MARGIN = 7.0, 12.0  # beside the text in a box, and around the graph
_LONGEST_DOWN, _LONGEST_RIGHT = 760.0, 900.0
_WIDEST = 34  # characters of a line before it is wrapped
_HEAD = 3.2, 6.5  # half the width and the length of an arrow's head
_GREY, _LINES = "#5A5A5A", "#4D4D4D"
_FILLS = {"input": "#DCEBF5", "weights": "#FBE9DC", "plain": "#F4F4F4", "model": "#DDF1EA"}


class _Box(NamedTuple):
    """The box of an input or a call.

    Attributes:
        lines: (left text, right text) of each line; the first `names` lines have the name.
        look: a key of _FILLS.
        outputs: number of its outputs.
        is_output: whether one of them is an output of the model.
    """

    lines: list[tuple[str, str]]
    names: int
    look: str
    outputs: int
    is_output: bool


def model(
    model: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    show_shapes: bool = True,
    show_params: bool = True,
    show_names: bool = True,
    show_activations: bool = True,
    show_trainable: bool = False,
    rankdir: str = "TB",
    dpi: int = 150,
    title: str | None = None,
) -> Figure:
    """The graph of a model: a box for each input and each call of a layer, arrows from value to value.

    Inputs, layers with weights and nested models have colours of their own; model outputs have a thick frame.
    A nested model is one box: plot it alone to see its layers. A layer that is called several times has a box
    for each call, with its number. Arrows from a nested model with several outputs have the output's number.
    A long graph continues in further columns.

    Args:
        model: a `Model` or `Sequential` that is built.
        path: file to write, whose ending names the format: .png, .svg, .pdf, ...; default none.
        show_shapes: output shapes, with None for the batch and open sizes; default True.
        show_params: numbers of parameters; default True.
        show_names: names of the layers, besides their classes; default True.
        show_activations: activations other than linear; default True.
        show_trainable: whether layers with weights are trainable; default False.
        rankdir: "TB", from top to bottom (default), or "LR", from left to right.
        dpi: pixels per inch of PNG files and in notebooks; default 150.
        title: text above the graph; default none.

    Returns:
        A figure.

    Raises:
        TypeError: model is not a model.
        ValueError: the model is not built or has more than 400 boxes, or an argument has a wrong value.
        ImportError: matplotlib is not installed.

    Example::

        nncore.plot.model(model, "model.svg")
    """
    if (net := net_of(model)) is None:
        raise TypeError(f"[plot.model] expected a model, got {model!r:.100}")
    show = {
        name: boolean("plot.model", f"show_{name}", value)
        for name, value in [
            ("shapes", show_shapes),
            ("params", show_params),
            ("names", show_names),
            ("activations", show_activations),
            ("trainable", show_trainable),
        ]
    }
    if rankdir not in ("TB", "LR"):
        raise ValueError(f"[plot.model] rankdir must be 'TB' or 'LR', got {rankdir!r}")
    is_down = rankdir == "TB"
    dpi = integer("plot.model", "dpi", dpi)
    boxes, edges = _boxes(net, show)
    require_matplotlib()
    kind = None if path is None else _kind_of_file(path)

    widths = [text_width([f"{left}   {right}" for left, right in box.lines], _SIZE) * 72 for box in boxes]
    most = 1.3 * sorted(widths)[3 * len(widths) // 4]
    common = max(width for width in widths if width <= most)
    widths = [max(width, common) for width in widths]
    reads, readers = Counter(target for _, target in edges), Counter(source for (source, _), _ in edges)
    sizes = []
    for number, box in enumerate(boxes):
        size = len(box.lines) * _LINE + 11, widths[number] + 2 * _PAD
        along, across = size if is_down else size[::-1]
        sizes.append((along, max(across, PORT * max(reads[number], readers[number]))))
    layout = arrange(sizes, edges, _LONGEST_DOWN if is_down else _LONGEST_RIGHT)
    figure = _draw(boxes, sizes, layout, is_down, title)
    figure.set_dpi(dpi)
    if path is not None:
        figure.savefig(path, format=kind, dpi=dpi)
    return figure


def _kind_of_file(path: str | os.PathLike[str]) -> str:
    kind = os.path.splitext(os.fspath(path))[1][1:].lower() or "png"
    kinds = FigureCanvasBase.get_supported_filetypes()
    if kind not in kinds:
        raise ValueError(
            f"[plot.model] path must end in one of .{', .'.join(kinds)}, got {os.fspath(path)!r}"
        )
    return kind


def _boxes(net: Net, show: dict[str, bool]) -> tuple[list[_Box], list[Edge]]:
    """The box of each input and call, and the arrows between them."""
    graph = net.required_graph()
    count = len(graph.inputs) + len(graph.calls)
    if count > _MOST_BOXES:
        raise ValueError(
            f"[plot.model] expected at most {_MOST_BOXES} inputs and calls of layers, got {count} of "
            f"{net.name!r}: make models of its parts, and plot these"
        )
    names = [(value.key, name) for value, name in zip(graph.outputs, graph.output_names())]
    sources = {value.key: (number, 0) for number, value in enumerate(graph.inputs)}
    uses, seen = Counter(id(call.owner) for call in graph.calls), Counter[int]()
    boxes: list[_Box] = []
    edges: list[Edge] = []

    def add(
        owner: Any, kind: str, look: str, shapes: Sequence[OpenShape], params: int, notes: list[str]
    ) -> None:
        title = textwrap.wrap(visible(owner.name), _WIDEST) if show["names"] else []
        lines = [*zip_longest(title or [kind], [kind] if title else [], fillvalue="")]
        texts = [shape_text(shape) for shape in shapes] if show["shapes"] else []
        if len(texts) > 1:
            texts = [f"{number}: {text}" for number, text in enumerate(texts)]
        counted = [f"{params:,} params"] if params and show["params"] else []
        lines += zip_longest(texts or counted, counted if texts else [], fillvalue="")
        outputs = [name for key, name in names if key in sources and sources[key][0] == len(boxes)]
        if len(names) > 1:
            notes += ["output" if name == owner.name else visible(f"output {name!r}") for name in outputs]
        lines += [(note, "") for note in notes]
        boxes.append(_Box(lines, len(title or [kind]), look, len(shapes), bool(outputs)))

    for value in graph.inputs:
        owner: Any = value.key[0].owner
        kind = kind_of(owner) if isinstance(owner, InputLayer) else "input"
        add(owner, kind, "input", [value.sample], 0, [])
    for call in graph.calls:
        owner, number = call.owner, len(boxes)
        edges += [(sources[value.key], number) for value in call.inputs]
        for index in range(len(call.shapes)):
            sources.setdefault((call, index), (number, index))
        kind, params, notes = kind_of(owner), owner.count_params(), []
        activation = getattr(getattr(owner, "activation", None), "__name__", "linear")
        if show["activations"] and activation != "linear":
            kind += f", {activation}"
        seen[id(owner)] += 1
        if uses[id(owner)] > 1:
            notes.append(f"call {seen[id(owner)]} of {uses[id(owner)]}, shared")
        if show["trainable"] and params:
            notes.append("trainable" if owner.trainable else "not trainable")
        look = "model" if call.net else "weights" if params else "plain"
        add(owner, kind, look, call.shapes, params, notes)
    return boxes, edges


def _draw(boxes: list[_Box], sizes: list[Point], layout: Layout, is_down: bool, title: str | None) -> Figure:
    """The figure; its axes are in points."""
    width, height = (size + 2 * _MARGIN for size in (layout.size[::-1] if is_down else layout.size))
    top = 5 + 16.0 * (1 + title.count("\n")) if title else 0.0
    figure = new_figure(width / 72, (height + top) / 72, title, layout="none")
    extra = (figure.get_figwidth() * 72 - width) / 2
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-extra, width + extra), ylim=(height, -top))
    axes.set_axis_off()

    def turned(point: Point) -> Point:
        along, across = point
        return (across + _MARGIN, along + _MARGIN) if is_down else (along + _MARGIN, across + _MARGIN)

    # All lines are one path, so that they are not darker where they overlap.
    points: list[Point] = []
    codes: list[Any] = []
    half, length = _HEAD
    for line in layout.lines:
        way = line.points
        along, across = way[-1]
        if line.is_end:
            tip = [(along, across), (along - length, across - half), (along - length, across + half)]
            axes.add_patch(Polygon([turned(point) for point in tip], color=_LINES, linewidth=0))
            way = [*way[:-3], *[(min(a, along - length / 2), b) for a, b in way[-3:]]]
        points += map(turned, way)
        codes += [Path.MOVETO, *[Path.CURVE4] * (len(way) - 1)]
        if line.start is not None and boxes[line.start[0]].outputs > 1:
            x, y = [(a + 3 * b + 3 * c + d) / 8 for a, b, c, d in zip(*map(turned, way[:4]))]
            back = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.text(x, y, str(line.start[1]), bbox=back, fontsize=7, color=_GREY, ha="center", va="center")
    if points:
        axes.add_patch(PathPatch(Path(points, codes), fill=False, edgecolor=_LINES, linewidth=1.1))
    for box, size, corner in zip(boxes, sizes, layout.boxes):
        _draw_box(axes, box, turned(corner), size[::-1] if is_down else size)
    return figure


def _draw_box(axes: Axes, box: _Box, corner: Point, size: Point) -> None:
    (x, y), (width, height) = corner, size
    for shift in (3.0, 0.0) if box.look == "model" else (0.0,):  # a model: a sheet behind the box
        axes.add_patch(
            FancyBboxPatch(
                (x + shift, y + shift),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=4",
                facecolor=_FILLS[box.look],
                edgecolor=INK if box.is_output else "#8C8C8C",
                linewidth=2.0 if box.is_output else 0.8,
            )
        )
    y += (height - (len(box.lines) - 1) * _LINE) / 2
    for number, (left, right) in enumerate(box.lines):
        is_name = number < box.names
        style: dict[str, Any] = {"fontsize": _SIZE, "va": "center_baseline", "parse_math": False}
        axes.text(x + width - _PAD, y, right, ha="right", color=_GREY, **style)
        style.update({"color": INK, "fontweight": "bold"} if is_name else {"color": _GREY})
        axes.text(x + _PAD, y, left, ha="left", **style)
        y += _LINE
