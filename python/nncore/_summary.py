"""The table that `summary` prints."""

from __future__ import annotations

import shutil
import textwrap
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

from ._messages import shown

if TYPE_CHECKING:
    from ._stack import Stack
    from .layers import Layer

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


def summary(model: Stack, line_length: int | None, show_trainable: bool) -> str:
    """The table as one text, with lines of + - | = if standard output has no others."""
    drawn = {} if shown(_LINES) == _LINES else str.maketrans(_LINES, _PLAIN)
    if line_length is None:
        line_length = max(24, min(88 + 12 * show_trainable, shutil.get_terminal_size().columns - 4))
    ends = [0.45, 0.80, 1.0]
    headers, align = ["Layer (type)", "Output Shape", "Param #"], ["<", "<", ">"]
    room = line_length - 4 - (_TRAINABLE + 3) * show_trainable  # without bars
    edges = [0, *(int(end * room) for end in ends)]
    widths = [max(4, right - left - 2) for left, right in pairwise(edges)]
    if show_trainable:
        widths, headers, align = [*widths, _TRAINABLE], [*headers, "Trainable"], [*align, "^"]

    def line(left: str, fill: str, between: str, right: str) -> str:
        text = left + between.join(fill * (width + 2) for width in widths) + right
        return text.translate(drawn)

    def row(bar: str, fields: list[str]) -> list[str]:
        cells = [_wrapped(field, width) for field, width in zip(fields, widths)]
        bar = bar.translate(drawn)
        return [
            bar
            + bar.join(
                f" {text:{a}{width + len(text) - _columns(text)}} "
                for text, width, a in zip(texts, widths, align)
            )
            + bar
            for texts in zip_longest(*cells, fillvalue="")
        ]

    lines = [
        shown(f'Model: "{model.name}"'),
        line("┏", "━", "┳", "┓"),
        *row("┃", headers),
        line("┡", "━", "╇", "┩"),
    ]
    outputs: list[Any] = [b.after for b in model._built]
    outputs = outputs or [layer._shapes[1] if layer._shapes else None for layer in model.layers]
    for number, layer in enumerate(model.layers):
        if number:
            lines.append(line("├", "─", "┼", "┤"))
        lines += row("│", _fields(layer, outputs[number], show_trainable))
    lines.append(line("└", "─", "┴", "┘"))

    trainable, fixed = model._count(model.trainable_weights), model._count(model.non_trainable_weights)
    optimizer = model._optimizer_params()
    held = 4 * (optimizer - 2) + _COUNTERS if optimizer else 0
    total = trainable + fixed + optimizer
    lines.append(f" Total params: {total:,} ({_memory(4 * (trainable + fixed) + held)})")
    lines.append(f" Trainable params: {trainable:,} ({_memory(4 * trainable)})")
    lines.append(f" Non-trainable params: {fixed:,} ({_memory(4 * fixed)})")
    if optimizer:
        lines.append(f" Optimizer params: {optimizer:,} ({_memory(held)})")
    return "\n".join(lines)
