"""The table that `summary` prints."""

from __future__ import annotations

import shutil
import textwrap
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

from ._messages import shown

if TYPE_CHECKING:
    from .layers import Layer, Variable
    from .models import Sequential

_TRAINABLE = 9  # width of the column of that name
_LINES, _PLAIN = "┏━┳┓┃┡╇┩│├─┼┤└┴┘", "+=++|+++|+-+++++"
_COUNTERS = 12  # bytes of the two scalars among an optimizer's numbers: step (int64) and learning rate


def _memory(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TB"


def _columns(text: str) -> int:
    """Its width in a terminal."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "FW" else 1 for c in text)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width if _columns(text) == len(text) else width // 2) or [""]


def _fields(layer: Layer, output: tuple[int, ...] | None, show_trainable: bool) -> list[str]:
    shape = "?" if output is None else "(" + ", ".join(str(size) for size in (None, *output)) + ")"
    params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    fields = [shown(f"{layer.name} ({type(layer).__name__})"), shape, params]
    if show_trainable:
        fields.append(("Y" if layer.trainable else "N") if layer.weights else "-")
    return fields


def _count(weights: list[Variable]) -> int:
    return sum(weight.size for weight in weights)


def _optimizer_params(model: Sequential) -> int:
    """Numbers that the optimizer holds, once it has made a step."""
    network, settings = model._network, model._settings
    if network is None or settings is None or model._compiled is not network or not network.iterations:
        return 0
    trained = [weight for weight in model.weights if weight._layer.name not in settings.frozen]
    return (len(network.buffers) - 2) * _count(trained) + 2


def summary(model: Sequential, line_length: int | None, show_trainable: bool) -> str:
    """The table as one text, with lines of + - | = if standard output has no others."""
    drawn = {} if shown(_LINES) == _LINES else str.maketrans(_LINES, _PLAIN)
    if line_length is None:
        line_length = max(24, min(88 + 12 * show_trainable, shutil.get_terminal_size().columns - 4))
    headers, align = ["Layer (type)", "Output Shape", "Param #"], ["<", "<", ">"]
    room = line_length - 4 - (_TRAINABLE + 3) * show_trainable  # without bars
    edges = [int(share * room) for share in (0, 0.45, 0.80, 1)]
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

    lines = [shown(f'Model: "{model.name}"'), line(*"┏━┳┓"), *row("┃", headers), line(*"┡━╇┩")]
    outputs: list[Any] = [b.after for b in model._built]
    outputs = outputs or [layer._shapes[1] if layer._shapes else None for layer in model.layers]
    for number, (layer, output) in enumerate(zip(model.layers, outputs)):
        if number:
            lines.append(line(*"├─┼┤"))
        lines += row("│", _fields(layer, output, show_trainable))
    lines.append(line(*"└─┴┘"))

    trainable, fixed = _count(model.trainable_weights), _count(model.non_trainable_weights)
    optimizer = _optimizer_params(model)
    held = 4 * (optimizer - 2) + _COUNTERS if optimizer else 0
    total = trainable + fixed + optimizer
    lines.append(f" Total params: {total:,} ({_memory(4 * (trainable + fixed) + held)})")
    lines.append(f" Trainable params: {trainable:,} ({_memory(4 * trainable)})")
    lines.append(f" Non-trainable params: {fixed:,} ({_memory(4 * fixed)})")
    if optimizer:
        lines.append(f" Optimizer params: {optimizer:,} ({_memory(held)})")
    return "\n".join(lines)
