"""Images with labels and predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._figure import FAINT, INK, VERMILLION, Figure, new_figure, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_IMAGES = 400
_CAPTION_SIZE = 8  # points
_WIDEST = 12.5  # inches of a grid if columns is not given


def images(
    x: ArrayLike,
    labels: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    columns: int | None = None,
    title: str | None = None,
) -> Figure:
    """A grid of images with predicted and true classes; images with a wrong prediction are framed.

    Args:
        x: (n, height, width), or with a last axis of 1 (grey) or 3 (red, green, blue), or one image (height,
            width). Integers are shown from 0 to 255, floats from the smallest to the largest value of `x`.
        labels: (n,) classes, as numbers or as text, or (n, classes) one-hot; default none.
        predictions: (n,) classes, or (n, classes) as ``model.predict`` returns, of which the most probable
            class and its probability are shown; default none.
        class_names: the name of each class number; default the number.
        columns: images in a row; default somewhat more than rows, and fewer if names are long.
        title: text above the grid; default none.

    Raises:
        ValueError: a shape does not fit, or there is no image, or more than 400.
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
    cell = max(side, text_width(texts, _CAPTION_SIZE) + 0.12)
    if columns is None:
        columns = _full_rows(count, max(1, int(_WIDEST / cell)))
    if columns < 1:
        raise ValueError(f"[plot.images] columns must be at least 1, got {columns}")
    columns = min(columns, count)
    rows = math.ceil(count / columns)

    height, width = pictures.shape[1:3]
    lines = max(caption.count("\n") + bool(caption) for caption in captions)
    figure = new_figure(
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
    """A number of columns up to `most`, for a grid somewhat wider than high with a full last row."""
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
    colour = VERMILLION if wrong else INK
    weight = "bold" if wrong else "normal"
    axes.set_title(text, fontsize=_CAPTION_SIZE, color=colour, fontweight=weight, pad=3, parse_math=False)
    for spine in axes.spines.values():
        spine.set(edgecolor=colour if wrong else FAINT, linewidth=2.2 if wrong else 0.8)


def _as_pictures(x: ArrayLike) -> NDArray[Any]:
    """(n, height, width) or (n, height, width, 3), with values that imshow takes."""
    pictures = np.asarray(x)
    if pictures.ndim == 2:
        pictures = pictures[None]
    if pictures.ndim == 4 and pictures.shape[-1] == 1:
        pictures = pictures[..., 0]
    if pictures.ndim not in (3, 4) or (pictures.ndim == 4 and pictures.shape[-1] != 3):
        expected = "(n, height, width), (n, height, width, 1) or (n, height, width, 3)"
        raise ValueError(f"[plot.images] expected x of shape {expected}, got {np.shape(x)}")
    if pictures.dtype.kind not in "uifb":
        raise ValueError(f"[plot.images] expected x of numbers, got {pictures.dtype}")
    if not 1 <= len(pictures) <= _MOST_IMAGES or pictures.size == 0:
        raise ValueError(
            f"[plot.images] expected 1 to {_MOST_IMAGES} images, got {len(pictures)}: pass a slice"
        )
    if pictures.dtype.kind == "b":
        return pictures.astype(np.float32)
    if pictures.dtype.kind == "f" and pictures.ndim == 4:  # imshow takes colours from 0 to 1
        low, high = _limits(pictures)
        return np.clip((pictures - low) / ((high - low) or 1.0), 0, 1)
    return pictures


def _limits(pictures: NDArray[Any]) -> tuple[float, float]:
    """The smallest and the largest finite value."""
    finite = pictures[np.isfinite(pictures)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _as_classes(
    values: ArrayLike | None, count: int, name: str
) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """(class of each image, its probability if `values` has a column for each class)."""
    if values is None:
        return None, None
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or len(array) != count:
        raise ValueError(
            f"[plot.images] expected {name} of shape ({count},) or ({count}, classes) for {count} images, "
            f"got {array.shape}"
        )
    if array.ndim == 1:
        return array, None
    return array.argmax(axis=1), array.max(axis=1)
