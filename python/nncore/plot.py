"""Figures for a report: how a training went, and images with labels and predictions.

Needs matplotlib: ``pip install matplotlib``. Each function returns a matplotlib ``Figure`` and changes
no setting of matplotlib. ``figure.savefig("name.png")`` needs no display. In a notebook the figure is shown
as the value of a cell. If ``matplotlib.pyplot`` was imported before it was made, it is one of pyplot's
figures: ``plt.show()`` shows it, as does the end of a notebook's cell. Elsewhere it is kept until
``plt.close(figure)``.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._progress import in_notebook

try:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.ticker import MaxNLocator
except ImportError:  # the functions raise
    Figure = object  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["history", "images"]

# From the palette of Okabe and Ito, told apart with any colour vision and in grey print.
_BLUE, _VERMILLION = "#0072B2", "#D55E00"
_INK, _FAINT = "#222222", "#D9D9D9"
_MOST_IMAGES = 400
_TITLE_SIZE, _CAPTION_SIZE = 13, 8  # points
_WIDEST = 12.5  # inches of a grid whose columns are not given


def history(history: Any, *, title: str | None = None) -> Figure:
    """Loss and metrics over the epochs, training and validation in one panel each.

    Args:
        history: what ``fit`` returns, or its ``history`` dict (name -> one value an epoch).
        title: text above the panels; default none.

    Returns:
        A figure with one panel for the loss and one for each metric, epochs counted from 1.

    Raises:
        ValueError: there is no epoch to show.
        ImportError: matplotlib is not installed.

    Example::

        figure = nncore.plot.history(model.fit(x, y, validation_split=0.2, epochs=10))
        figure.savefig("history.png")
    """
    values = history if isinstance(history, Mapping) else getattr(history, "history", None)
    if not isinstance(values, Mapping):
        raise TypeError(f"plot.history: a History or its dict is expected, got {type(history).__name__}")
    names = sorted(dict.fromkeys(key.removeprefix("val_") for key in values), key=lambda name: name != "loss")
    epochs = max((len(series) for series in values.values()), default=0)
    if epochs == 0:
        raise ValueError("plot.history: the history has no epoch: call fit first")
    first = min(getattr(history, "epoch", None) or [0]) + 1
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = _new_figure(4.6 * columns, 3.4 * rows, title)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw_series(axes, values, name, first)
    return figure


def _draw_series(axes: Axes, values: Mapping[str, Sequence[float]], name: str, first: int) -> None:
    styles: tuple[tuple[str, str, dict[str, Any]], ...] = (
        (name, "training", {"color": _BLUE, "linestyle": "-", "marker": "o"}),
        (f"val_{name}", "validation", {"color": _VERMILLION, "linestyle": "--", "marker": "s"}),
    )
    for key, label, style in styles:
        if key in values:
            series = np.asarray(values[key], np.float64)
            epochs = np.arange(first, first + len(series))
            size = 4.5 if len(series) <= 30 else 0.0
            axes.plot(epochs, series, label=label, linewidth=1.8, markersize=size, **style)
    axes.set_xlabel("epoch", color=_INK)
    axes.set_ylabel(name.replace("_", " "), color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(True, color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)


def images(
    x: ArrayLike,
    labels: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    columns: int | None = None,
    title: str | None = None,
) -> Figure:
    """A grid of images, each with the class that the model predicted and the true one; wrong ones are framed.

    Args:
        x: (n, height, width), or with a last axis of 1 (grey) or 3 (red, green, blue); one image (height,
        width) too.
            Integers count from 0 to 255; floats are shown from the smallest to the largest value of `x`.
        labels: (n,) classes, as numbers or as text, or (n, classes) one-hot; default none. predictions:
        (n,) classes, or (n, classes) as ``model.predict`` returns, of which the most probable class and
            its probability are shown; default none.
        class_names: text for each class number; default the number.
        columns: images in a row; default a few more than rows, at most 10, fewer if names are long.
        title: text above the grid; default none.

    Raises:
        ValueError: shapes that do not fit, no image, or more than 400.
        ImportError: matplotlib is not installed.

    Example::

        nncore.plot.images(x_test[:20], y_test[:20], model.predict(x_test[:20])).savefig("digits.png")
    """
    pictures = _as_pictures(x)
    count = len(pictures)
    truth, _ = _as_classes(labels, count, "labels")
    said, probability = _as_classes(predictions, count, "predictions")
    captions = [_describe(index, truth, said, probability, class_names) for index in range(count)]
    texts = [line for caption in captions for line in caption.split("\n")]
    side = 1.25
    cell = max(side, _text_width(texts, _CAPTION_SIZE) + 0.12)
    if columns is None:
        columns = _full_rows(count, max(1, int(_WIDEST / cell)))
    if columns < 1:
        raise ValueError(f"plot.images: columns must be at least 1, got {columns}")
    columns = min(columns, count)
    rows = math.ceil(count / columns)

    height, width = pictures.shape[1:3]
    lines = max(caption.count("\n") + bool(caption) for caption in captions)
    figure = _new_figure(
        max(cell * columns + 0.2, 3.2),
        (side * height / width + 0.17 * lines + 0.08) * rows + (0.5 if title else 0.1),
        title,
    )
    cmap = "gray_r" if pictures.ndim == 3 else None  # ink dark on white, as on paper
    low, high = (0, 255) if pictures.dtype.kind in "ui" else _limits(pictures)
    for index, picture in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(picture, vmin=low, vmax=high, interpolation="nearest", cmap=cmap)
        axes.set(xticks=[], yticks=[])
        wrong = truth is not None and said is not None and truth[index] != said[index]
        _caption(axes, captions[index], wrong)
    return figure


def _full_rows(count: int, most: int) -> int:
    """Columns, at most `most`, of a grid somewhat wider than high, with the last row as full as can be."""
    root = math.ceil(math.sqrt(count))
    choice = range(min(root, most), min(2 * root, most) + 1)
    return min(choice, key=lambda n: (-count % n, abs(n - 1.5 * root)))


def _describe(
    index: int,
    truth: NDArray[Any] | None,
    said: NDArray[Any] | None,
    probability: NDArray[Any] | None,
    class_names: Sequence[str] | None,
) -> str:
    def name(value: Any) -> str:
        return str(value) if class_names is None else str(class_names[int(value)])

    if said is None:
        return "" if truth is None else name(truth[index])
    text = f"predicted {name(said[index])}"
    if probability is not None:
        text += f"  {100 * probability[index]:.0f} %"
    return text if truth is None else f"{text}\ntrue {name(truth[index])}"


def _caption(axes: Axes, text: str, wrong: bool) -> None:
    colour = _VERMILLION if wrong else _INK
    weight = "bold" if wrong else "normal"
    axes.set_title(text, fontsize=_CAPTION_SIZE, color=colour, fontweight=weight, pad=3, parse_math=False)
    for spine in axes.spines.values():
        spine.set(edgecolor=colour if wrong else _FAINT, linewidth=2.2 if wrong else 0.8)


def _as_pictures(x: ArrayLike) -> NDArray[Any]:
    """(n, height, width) or (n, height, width, 3), numbers that imshow takes."""
    pictures = np.asarray(x)
    if pictures.ndim == 2:
        pictures = pictures[None]
    if pictures.ndim == 4 and pictures.shape[-1] == 1:
        pictures = pictures[..., 0]
    if pictures.ndim not in (3, 4) or (pictures.ndim == 4 and pictures.shape[-1] != 3):
        expected = "(n, height, width), (n, height, width, 1) or (n, height, width, 3)"
        raise ValueError(f"plot.images: x of shape {expected} is expected, got {np.shape(x)}")
    if pictures.dtype.kind not in "uifb":
        raise ValueError(f"plot.images: x of numbers is expected, got {pictures.dtype}")
    if not 1 <= len(pictures) <= _MOST_IMAGES or pictures.size == 0:
        raise ValueError(
            f"plot.images: 1 to {_MOST_IMAGES} images can be shown, got {len(pictures)}: pass a slice"
        )
    if pictures.dtype.kind == "b":
        return pictures.astype(np.float32)
    if pictures.dtype.kind == "f" and pictures.ndim == 4:  # imshow takes colours from 0 to 1 only
        low, high = _limits(pictures)
        return np.clip((pictures - low) / ((high - low) or 1.0), 0, 1)
    return pictures


def _limits(pictures: NDArray[Any]) -> tuple[float, float]:
    """The least and the largest finite value."""
    finite = pictures[np.isfinite(pictures)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _as_classes(
    values: ArrayLike | None, count: int, name: str
) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """(class of each image, probability of it if `values` has a column a class)."""
    if values is None:
        return None, None
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or len(array) != count:
        raise ValueError(
            f"plot.images: {name} of shape ({count},) or ({count}, classes) are expected for {count} images, "
            f"got {array.shape}"
        )
    if array.ndim == 1:
        return array, None
    return array.argmax(axis=1), array.max(axis=1)


class _ShownFigure(Figure):
    """A `Figure` that a notebook shows once, as the value of a cell or by ``plt.show()``."""

    def _repr_png_(self) -> bytes:
        """For notebooks that pyplot has not told how to show a `Figure`."""
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()

    def _repr_mimebundle_(self, **kinds: Any) -> dict[str, Any]:
        """Nothing more; but pyplot is to forget what is shown, or the end of the cell would show it again."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and in_notebook() and not self.canvas.required_interactive_framework:
            pyplot.close(self)
        return {}


def _require_matplotlib() -> None:
    if Figure is object:
        raise ImportError("nncore.plot needs matplotlib: pip install matplotlib")


def _text_width(lines: Iterable[str], size: float) -> float:
    """Inches of the widest line in bold type."""
    _require_matplotlib()
    font = FontProperties(weight="bold", size=size)
    paths = [TextPath((0, 0), line.replace("$", "S"), prop=font) for line in {*lines} if line.strip()]
    return max((float(path.get_extents().x1) for path in paths), default=0.0) / 72


def _new_figure(width: float, height: float, title: str | None) -> Figure:
    """Empty, of so many inches or as wide as its title; one of pyplot's if that was imported before."""
    _require_matplotlib()
    if title:
        width = max(width, _text_width(title.split("\n"), _TITLE_SIZE) + 0.3)
    pyplot = sys.modules.get("matplotlib.pyplot")
    make = _ShownFigure if pyplot is None else partial(pyplot.figure, FigureClass=_ShownFigure)
    figure: Figure = make(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
    if title:
        figure.suptitle(title, color=_INK, fontsize=_TITLE_SIZE, fontweight="bold", parse_math=False)
    return figure
