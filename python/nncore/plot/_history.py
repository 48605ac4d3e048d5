"""The history of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ._figure import BLUE, FAINT, INK, VERMILLION, Figure, new_figure

with suppress(ImportError):  # new_figure raises
    from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def history(history: Any, *, title: str | None = None) -> Figure:
    """Loss and metrics over the epochs, each in a panel with the training and the validation values.

    Args:
        history: the `History` that ``fit`` returns, or its ``history`` dict (name -> a value for each epoch).
        title: text above the panels; default none.

    Returns:
        A figure with one panel for the loss and one for each metric, epochs counted from 1.

    Raises:
        TypeError: history is neither.
        ValueError: the history has no epoch.
        ImportError: matplotlib is not installed.

    Example::

        figure = nncore.plot.history(model.fit(x, y, validation_split=0.2, epochs=10))
        figure.savefig("history.png")
    """
    values = history if isinstance(history, Mapping) else getattr(history, "history", None)
    if not isinstance(values, Mapping):
        raise TypeError(f"[plot.history] expected a History or its dict, got {type(history).__name__}")
    names = sorted(dict.fromkeys(key.removeprefix("val_") for key in values), key=lambda name: name != "loss")
    epochs = max((len(series) for series in values.values()), default=0)
    if epochs == 0:
        raise ValueError("[plot.history] expected at least one epoch, got none: call fit first")
    first = min(getattr(history, "epoch", None) or [0]) + 1
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = new_figure(4.6 * columns, 3.4 * rows, title)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw_series(axes, values, name, first)
    return figure


def _draw_series(axes: Axes, values: Mapping[str, Sequence[float]], name: str, first: int) -> None:
    styles: tuple[tuple[str, str, dict[str, Any]], ...] = (
        (name, "training", {"color": BLUE, "linestyle": "-", "marker": "o"}),
        (f"val_{name}", "validation", {"color": VERMILLION, "linestyle": "--", "marker": "s"}),
    )
    for key, label, style in styles:
        if key in values:
            series = np.asarray(values[key], np.float64)
            epochs = np.arange(first, first + len(series))
            size = 4.5 if len(series) <= 30 else 0.0
            axes.plot(epochs, series, label=label, linewidth=1.8, markersize=size, **style)
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel(name.replace("_", " "), color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(True, color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
