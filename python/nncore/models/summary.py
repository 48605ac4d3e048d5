"""The table that `summary` prints."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

from ..common.messages import shown
from ..common.values import OpenShape
from ..graph.net import Chain, Net
from ..layers import Layer

if TYPE_CHECKING:
    from ..layers import Variable
    from ..training.trainer import Trainer

_TRAINABLE = 9  # width of the column "Trainable"
_LINES, _PLAIN = "┏━┳┓┃┡╇┩│├─┼┤└┴┘", "+=++|+++|+-+++++"
_COUNTERS = 12  # bytes of two scalars of an optimizer: the step (int64) and the learning rate


def _memory(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TB"


def _columns(text: str) -> int:
    """The width of a text in a terminal."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "FW" else 1 for c in text)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width if _columns(text) == len(text) else width // 2) or [""]


def shape_text(sample: OpenShape) -> str:
    return "(" + ", ".join(str(size) for size in (None, *sample)) + ")"


def kind_of(layer: Any) -> str:
    return "Functional" if type(layer).__name__ == "Model" else type(layer).__name__


def _fields(layer: Any, outputs: Sequence[OpenShape], sources: str | None, show_trainable: bool) -> list[str]:
    shape = ", ".join(map(shape_text, outputs)) or "?"
    params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    fields = [shown(f"{layer.name} ({kind_of(layer)})"), shape, params]
    if sources is not None:
        fields.append(shown(sources))
    if show_trainable:
        fields.append(("Y" if layer.trainable else "N") if layer.weights else "-")
    return fields


def _rows(net: Net) -> tuple[list[tuple[Any, Sequence[OpenShape], str]], bool]:
    """For each layer the output shapes of its first call and the names of the layers that its calls read; and
    whether these names say more than the order of the rows.
    """
    graph = net.graph
    if graph is None:
        unbuilt = [(x, x.shapes.after if isinstance(x, Layer) and x.shapes else []) for x in net.layers]
        return [(layer, outputs, "") for layer, outputs in unbuilt], False
    outputs: dict[int, Sequence[OpenShape]] = {id(v.key[0].owner): [v.sample] for v in graph.inputs}
    sources: dict[int, list[str]] = {}
    for call in graph.calls:
        outputs.setdefault(id(call.owner), call.shapes)
        sources.setdefault(id(call.owner), []).extend(
            f"{v.name}[{v.key[1]}]" if len(v.key[0].shapes) > 1 else v.name for v in call.inputs
        )
    rows = [(x, outputs[id(x)], ", ".join(sources.get(id(x), ["-"]))) for x in net.layers]
    names = [layer.name for layer, _, _ in rows]
    plain = all(text in ("-", before) for before, (_, _, text) in zip(["-", *names], rows))
    return rows, not plain and not isinstance(net, Chain)


def _count(weights: list[Variable], trainable: bool) -> int:
    return sum(weight.size for weight in weights if weight.trainable is trainable)


def _optimizer_params(trainer: Trainer) -> int:
    """How many numbers the optimizer holds, once it has made a step."""
    net, settings = trainer.net, trainer.settings
    network = net.network
    if network is None or settings is None or trainer.compiled is not network or not network.iterations:
        return 0
    trained = [w for layer, path in net.computing() if path not in settings.frozen for w in layer.weights]
    return (len(network.buffers) - 2) * sum(weight.size for weight in trained) + 2


def table(trainer: Trainer, line_length: int | None, show_trainable: bool) -> str:
    """The table as one text, with lines of + - | = if standard output has no others."""
    drawn = {} if shown(_LINES) == _LINES else str.maketrans(_LINES, _PLAIN)
    if line_length is None:
        line_length = max(24, min(88 + 12 * show_trainable, shutil.get_terminal_size().columns - 4))
    net = trainer.net
    rows, connected = _rows(net)
    headers, align = ["Layer (type)", "Output Shape", "Param #"], ["<", "<", ">"]
    shares = [0, 0.45, 0.80, 1]
    if connected:
        headers, align, shares = [*headers, "Connected to"], [*align, "<"], [0, 0.32, 0.56, 0.72, 1]
    room = line_length - 4 - (_TRAINABLE + 3) * show_trainable  # the width without bars
    edges = [int(share * room) for share in shares]
    widths = [max(4, right - left - 2) for left, right in pairwise(edges)]
    if show_trainable:
        widths, headers, align = [*widths, _TRAINABLE], [*headers, "Trainable"], [*align, "^"]

    def line(left: str, fill: str, between: str, right: str) -> str:
        return (left + between.join(fill * (width + 2) for width in widths) + right).translate(drawn)

    def row(bar: str, fields: list[str]) -> list[str]:
        bar = bar.translate(drawn)
        cells = [_wrapped(field, width) for field, width in zip(fields, widths)]
        lines = []
        for texts in zip_longest(*cells, fillvalue=""):
            padded = (f"{t:{a}{w + len(t) - _columns(t)}}" for t, w, a in zip(texts, widths, align))
            lines.append(f"{bar} {f' {bar} '.join(padded)} {bar}")
        return lines

    lines = [shown(f'Model: "{net.name}"'), line(*"┏━┳┓"), *row("┃", headers), line(*"┡━╇┩")]
    for number, (layer, outputs, sources) in enumerate(rows):
        if number:
            lines.append(line(*"├─┼┤"))
        lines += row("│", _fields(layer, outputs, sources if connected else None, show_trainable))
    lines.append(line(*"└─┴┘"))

    weights = [weight for layer, _ in net.computing() for weight in layer.weights]
    trainable, fixed = _count(weights, True), _count(weights, False)
    optimizer = _optimizer_params(trainer)
    held = 4 * (optimizer - 2) + _COUNTERS if optimizer else 0
    total = trainable + fixed + optimizer
    lines.append(f" Total params: {total:,} ({_memory(4 * (trainable + fixed) + held)})")
    lines.append(f" Trainable params: {trainable:,} ({_memory(4 * trainable)})")
    lines.append(f" Non-trainable params: {fixed:,} ({_memory(4 * fixed)})")
    if optimizer:
        lines.append(f" Optimizer params: {optimizer:,} ({_memory(held)})")
    return "\n".join(lines)
