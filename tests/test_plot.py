"""Figures: their structure, the wrong input they refuse, and that they leave matplotlib's settings alone."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nncore import plot

pytestmark = pytest.mark.once

matplotlib = pytest.importorskip("matplotlib")

HISTORY = {
    "accuracy": [0.7, 0.85, 0.9],
    "loss": [1.2, 0.6, 0.4],
    "val_accuracy": [0.8, 0.88, 0.9],
    "val_loss": [0.7, 0.5, 0.42],
}
RNG = np.random.default_rng(0)
DIGITS = RNG.integers(0, 256, (12, 28, 28), np.uint8)
WRONG = (0.8352941176470589, 0.3686274509803922, 0.0, 1.0)


@pytest.fixture(autouse=True)
def settings_stay() -> Iterator[None]:
    before = matplotlib.rcParams.copy()  # dict() would choose a backend
    yield
    assert matplotlib.rcParams.copy() == before


def render(figure: object) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")  # type: ignore[attr-defined]
    return buffer.getvalue()


def captions(figure: object) -> list[str]:
    return [axes.get_title() for axes in figure.axes]  # type: ignore[attr-defined]


@pytest.mark.full
def test_history() -> None:
    figure = plot.history(HISTORY, title="Three epochs")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    for axes, key in zip(figure.axes, ["loss", "accuracy"]):
        assert axes.get_xlabel() == "epoch"
        training, validation = axes.get_lines()
        np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(training.get_ydata(), HISTORY[key])
        np.testing.assert_array_equal(validation.get_ydata(), HISTORY[f"val_{key}"])
        assert training.get_color() != validation.get_color()
        assert training.get_linestyle() != validation.get_linestyle()
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
    assert figure.get_suptitle() == "Three epochs"
    assert render(figure).startswith(b"\x89PNG")


@pytest.mark.full
@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 12, 100])
def test_epoch_ticks_are_whole_numbers(epochs: int) -> None:
    figure = plot.history({"loss": np.linspace(1, 0.1, epochs).tolist()})
    render(figure)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)


def test_history_object_that_went_on_later() -> None:
    figure = plot.history(SimpleNamespace(history={"loss": [0.3, 0.2]}, epoch=[3, 4]))
    np.testing.assert_array_equal(figure.axes[0].get_lines()[0].get_xdata(), [4, 5])


@pytest.mark.full
def test_history_with_many_metrics_and_nan() -> None:
    figure = plot.history(
        {name: [1.0, float("nan"), 3.0] for name in ("loss", "mae", "mse", "accuracy", "score")}
    )
    assert len(figure.axes) == 5
    render(figure)


def test_history_refuses() -> None:
    with pytest.raises(ValueError, match="at least one epoch"):
        plot.history({})
    with pytest.raises(ValueError, match="at least one epoch"):
        plot.history(SimpleNamespace(history={"loss": []}, epoch=[]))
    with pytest.raises(TypeError, match="expected a History or its dict, got list"):
        plot.history([0.1, 0.2])


@pytest.mark.full
def test_images_with_labels_only() -> None:
    labels = np.arange(12)
    figure = plot.images(DIGITS, labels)
    assert captions(figure) == [str(label) for label in labels]
    for axes, digit in zip(figure.axes, DIGITS):
        np.testing.assert_array_equal(axes.images[0].get_array(), digit)
        assert axes.images[0].get_clim() == (0, 255)
    render(figure)


@pytest.mark.full
def test_wrong_predictions_are_marked() -> None:
    labels = np.arange(12) % 10
    probabilities = np.full((12, 10), 0.02)
    probabilities[np.arange(12), labels] = 0.82
    probabilities[5] = np.eye(10)[2]
    figure = plot.images(DIGITS, labels, probabilities, title="Digits")
    texts = captions(figure)
    assert texts[0] == "predicted 0  82 %\ntrue 0"
    assert texts[5] == "predicted 2  100 %\ntrue 5"
    marked = [i for i, axes in enumerate(figure.axes) if axes.spines["left"].get_edgecolor() == WRONG]
    assert marked == [5]
    assert figure.axes[5].title.get_color() != figure.axes[4].title.get_color()
    render(figure)


def test_class_names_one_hot_labels_and_text() -> None:
    names = ("cat", "dog")
    figure = plot.images(DIGITS[:2], np.eye(2), [0, 0], class_names=names)
    assert captions(figure) == ["predicted cat\ntrue cat", "predicted cat\ntrue dog"]
    assert captions(plot.images(DIGITS[:2], ["boot", "shirt"])) == ["boot", "shirt"]
    assert captions(plot.images(DIGITS[:2], predictions=[3, 4])) == ["predicted 3", "predicted 4"]


@pytest.mark.full
@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (3, 28, 28, 1), (5, 16, 8, 3), (40, 4, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_kinds_of_images(shape: tuple[int, ...], dtype: type) -> None:
    x = (RNG.random(shape) * 200 - (50 if dtype == np.float32 else 0)).astype(dtype)
    figure = plot.images(x)
    assert len(figure.axes) == (1 if len(shape) == 2 else shape[0])
    if len(figure.axes) < 10:
        render(figure)


@pytest.mark.full
@pytest.mark.parametrize("count", [1, 2, 3, 5, 10, 20, 25, 97])
def test_grid(count: int) -> None:
    figure = plot.images(np.zeros((count, 8, 8)))
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert grid.ncols <= 10
    assert grid.ncols * (grid.nrows - 1) < count <= grid.ncols * grid.nrows
    assert plot.images(np.zeros((count, 8, 8)), columns=3).axes[
        0
    ].get_subplotspec().get_gridspec().ncols == min(3, count)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(5),), "x of shape"),
        ((np.zeros((2, 8, 8, 4)),), "x of shape"),
        ((np.zeros((0, 8, 8)),), "1 to 400 images"),
        ((np.zeros((401, 2, 2)),), "pass a slice"),
        ((np.array([["a", "b"]]),), "x of numbers"),
        ((DIGITS, np.zeros(11)), r"labels of shape \(12,\)"),
        ((DIGITS, None, np.zeros((3, 10))), r"predictions of shape \(12,\)"),
    ],
)
def test_images_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.images(*arguments)
    with pytest.raises(ValueError, match="columns must be at least 1"):
        plot.images(DIGITS, columns=0)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.full
def test_no_window_and_no_pyplot() -> None:
    code = "import sys, nncore.plot as p; p.history({'loss': [1]}); print('matplotlib.pyplot' in sys.modules)"
    assert run(code) == "False"
    shown = "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt, nncore.plot as p; "
    assert run(shown + "f = p.history({'loss': [1]}); print(plt.gcf() is f)") == "True"


def test_without_matplotlib_it_is_named() -> None:
    code = """
import sys
sys.modules["matplotlib"] = None
import nncore.plot
x = nncore.Input((2,))
for figure, of in (nncore.plot.images, [[0.0]]), (nncore.plot.model, nncore.Model(x, x)):
    try:
        figure(of)
    except ImportError as error:
        print(error)
"""
    assert run(code).split("\n") == ["nncore.plot needs matplotlib: pip install matplotlib"] * 2


CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def assert_legible(figure: Any) -> None:
    """Texts lie within the figure, apart from each other and from the images."""
    figure.draw_without_rendering()
    texts = [axes.title for axes in figure.axes if axes.get_title()]
    texts += [figure._suptitle] if figure._suptitle is not None else []
    boxes = [text.get_window_extent() for text in texts]
    edge = figure.bbox
    for text, box in zip(texts, boxes):
        inside = edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 and box.y1 <= edge.y1
        assert inside, (text.get_text(), box, edge)
    boxes += [axes.get_window_extent() for axes in figure.axes]
    for i, one in enumerate(boxes[: len(texts)]):
        for other in boxes[i + 1 :]:
            apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
            assert apart, (texts[i].get_text(), one, other)


@pytest.mark.full
@pytest.mark.parametrize("columns", [None, 8])
@pytest.mark.parametrize("names", [None, CLOTHES, ["a class with quite a long name, as trees have"] * 10])
def test_texts_of_images_are_legible(names: Any, columns: int | None) -> None:
    probabilities = np.eye(10)[RNG.integers(0, 10, 40)]
    labels = np.arange(40) % 10
    for count in (1, 2, 7, 13, 40) if columns is None else (1, 9, 40):
        figure = plot.images(
            RNG.integers(0, 256, (count, 28, 28), np.uint8),
            labels[:count],
            probabilities[:count],
            class_names=names,
            columns=columns,
            title="The mistakes it was most sure of",
        )
        assert_legible(figure)


@pytest.mark.full
def test_texts_of_other_shapes_and_of_a_history_are_legible() -> None:
    for shape in [(3, 8, 64), (3, 64, 8), (12, 32, 32, 3)]:
        for labels in (None, np.full(shape[0], 3)):
            assert_legible(
                plot.images(np.zeros(shape, np.uint8), labels, class_names=CLOTHES, title="Shapes")
            )
    assert_legible(
        plot.history({"loss": [1, 2]}, title="Training of the MNIST CNN (validation: the test digits)")
    )
    assert_legible(plot.images(DIGITS[:1], ["a $\\frac$ of $1"], title="costs $\\nothing$"))


def test_a_figure_can_be_copied_and_pickled() -> None:
    figure = plot.history(HISTORY)
    for other in (copy.deepcopy(figure), pickle.loads(pickle.dumps(figure))):
        assert [axes.get_ylabel() for axes in other.axes] == ["loss", "accuracy"]
        assert render(other).startswith(b"\x89PNG")


@pytest.mark.full
def test_plain_scripts(tmp_path: Path) -> None:
    """plt.show() shows the figure if pyplot was imported before; without pyplot no figure is kept."""
    before = "import matplotlib.pyplot as plt\n"
    code = "from nncore import plot\nfor i in range(25): figure = plot.history({'loss': [1, 2]})\n"
    after = "import matplotlib.pyplot as plt\nfigure.savefig('a.png'); print(len(plt.get_fignums()))"
    environment = {**os.environ, "MPLBACKEND": "agg"}
    for lines, count in [(code, "0"), (before + code.replace("25", "2"), "2")]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", lines + after],
            capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120,
        )  # fmt: skip
        assert (done.stdout.strip(), done.stderr) == (count, "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_drawn_without_a_warning(value: float) -> None:
    for shape in [(2, 4, 4), (2, 4, 4, 3)]:
        render(plot.images(np.full(shape, value)))
        render(plot.images(np.r_[np.full(shape, value), np.ones(shape)]))
