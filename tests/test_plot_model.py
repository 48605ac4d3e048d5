"""Graphs of models: what their boxes say, where arrows go, files, and the wrong input they refuse."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nncore
from nncore import Input, Model, Sequential, plot
from nncore.layers import Activation, Add, Concatenate, Conv2D, Dense, Flatten, Multiply, Subtract
from nncore.utils import plot_model

pytestmark = pytest.mark.once

matplotlib = pytest.importorskip("matplotlib")

from matplotlib.patches import FancyBboxPatch, Polygon  # noqa: E402

from nncore.plot import _layout  # noqa: E402


@pytest.fixture(autouse=True)
def settings_stay() -> Iterator[None]:
    nncore.utils.clear_session()
    before = matplotlib.rcParams.copy()
    yield
    assert matplotlib.rcParams.copy() == before


def chain(layers: int = 3) -> Sequential:
    return Sequential([Input((8,)), *(Dense(8, activation="relu") for _ in range(layers))], name="chain")


def residual() -> Model:
    x = first = Input((8, 8, 3), name="image")
    x = Conv2D(4, 3, padding="same")(x)
    for _ in range(3):
        y = Conv2D(4, 3, padding="same", activation="relu")(x)
        x = Activation("relu")(Add()([x, Conv2D(4, 3, padding="same")(y)]))
    return Model(first, Dense(2, activation="softmax")(Flatten()(x)))


def two_by_two() -> Model:
    a, b = Input((3,), name="a"), Input((2,), name="b")
    h = Dense(8, name="h")(Concatenate(name="both")([a, b]))
    return Model([a, b], {"one": Dense(1, name="p")(h), "q": Dense(2, name="q")(h)})


def shared() -> Model:
    a, b, code = Input((3,), name="a"), Input((3,), name="b"), Dense(2, name="code")
    return Model([a, b], Subtract(name="less")([code(a), code(b)]))


def nested() -> Model:
    x = Input((4,), name="x")
    heads = Model(x, [Dense(1)(x), Dense(2)(x)], name="heads")
    p, q = heads(x)
    return Model(x, Concatenate(name="all")([p, Dense(3, name="more")(q), q]))


MODELS: list[tuple[Callable[[], Any], int, int]] = [  # boxes, arrows
    (chain, 4, 3),
    (lambda: chain(40), 41, 40),
    (residual, 16, 18),
    (two_by_two, 6, 5),
    (shared, 5, 4),
    (nested, 4, 5),
]


def lines(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
@pytest.mark.parametrize(("make", "boxes", "arrows"), MODELS)
def test_boxes_hold_their_texts(make: Callable[[], Any], boxes: int, arrows: int, rankdir: str) -> None:
    figure = plot.model(make(), rankdir=rankdir, title="A graph")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    heads = [patch for patch in axes.patches if isinstance(patch, Polygon)]
    extents = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    outer = {(round(e.x0), round(e.y0)): e for e in extents}
    assert (len(heads), len(outer)) == (arrows, boxes + (make is nested))  # a sheet behind the model
    for text in axes.texts:
        if text.get_text() and text.get_bbox_patch() is None:
            at = text.get_window_extent()
            assert any(e.x0 < at.x0 < at.x1 < e.x1 and e.y0 < at.y0 < at.y1 < e.y1 for e in extents), text
    for one in [*extents, figure._suptitle.get_window_extent()]:
        assert figure.bbox.x0 < one.x0 < one.x1 < figure.bbox.x1
        assert figure.bbox.y0 < one.y0 < one.y1 < figure.bbox.y1
    assert figure._suptitle.get_window_extent().y0 > max(e.y1 for e in extents)


def test_what_boxes_say() -> None:
    full = ["InputLayer", "input_layer", "(None, 8)", "Dense, relu", "dense", "72 params", "(None, 8)"]
    assert lines(plot.model(chain(1))) == full
    model = chain(1)
    model.trainable = False
    bare = {f"show_{name}": False for name in ("shapes", "params", "names", "activations")}
    assert lines(plot.model(model, **bare)) == ["InputLayer", "Dense"]
    assert lines(plot.model(model, **bare, show_trainable=True)) == ["InputLayer", "Dense", "not trainable"]
    assert "72 params" in lines(plot.model(model, **{**bare, "show_params": True}))
    said = lines(plot.model(two_by_two()))
    assert (said.count("output"), said.count("output 'one'")) == (1, 1)
    said = lines(plot.model(shared()))
    assert said.count("code") == 2
    assert {"call 1 of 2, shared", "call 2 of 2, shared"} < set(said)
    said = lines(plot.model(nested()))
    assert {"Functional", "0: (None, 1)", "1: (None, 2)", "15 params"} < set(said)
    assert (said.count("0"), said.count("1")) == (1, 2)  # at the arrows


def test_outputs_have_thick_frames() -> None:
    x = Input((3,), name="x")
    figure = plot.model(Model(x, [x, Dense(1)(Dense(2)(x))]))
    widths = [p.get_linewidth() for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    assert widths[0] == widths[2] > widths[1]


def test_a_part_of_a_model_begins_with_the_value_it_reads() -> None:
    model = chain(3)
    part = Model(model.get_layer("dense").output, model.output)
    assert lines(plot.model(part))[:2] == ["input", "dense"]


@pytest.mark.parametrize(
    "name", ["costs $5 or $6", r"$\frac$", "a\nb\x1b", "<&>", "x" * 90, "many words " * 9]
)
def test_names_are_text(name: str, tmp_path: Path) -> None:
    x = Input((3,), name=name)
    figure = plot.model(
        Model(x, Multiply(name=name + "2")([x, x])), tmp_path / "m.svg", title="a $\\sum of $5"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    shown = "".join(lines(figure)).replace(" ", "")
    assert repr(name)[1:-1].replace("\\\\", "\\").replace(" ", "") in shown
    assert (tmp_path / "m.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_files(ending: str, start: bytes, tmp_path: Path) -> None:
    plot.model(chain(), str(tmp_path / f"model.{ending}"))
    assert (tmp_path / f"model.{ending}").read_bytes().startswith(start)


def test_dpi(tmp_path: Path) -> None:
    widths, model = [], chain()
    for dpi in (50, 100):
        plot.model(model, tmp_path / "model", dpi=dpi)  # without an ending: PNG, as in Keras
        widths.append(int.from_bytes((tmp_path / "model").read_bytes()[16:20], "big"))
    assert abs(widths[1] - 2 * widths[0]) <= 1


REFUSED: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (TypeError, r"\[plot.model\] expected a model, got <Dense", lambda: plot.model(Dense(1))),
    (ValueError, r"\[s\] is not built, .*build", lambda: plot.model(Sequential([Dense(1)], name="s"))),
    (ValueError, r"at most 400 inputs and calls .*401 of 'chain'", lambda: plot.model(chain(400))),
    (ValueError, "rankdir must be 'TB' or 'LR', got 'BT'", lambda: plot.model(chain(), rankdir="BT")),
    (ValueError, r"path must end in .*\.svg.* got 'm.jpeg2'", lambda: plot.model(chain(), "m.jpeg2")),
    (TypeError, "show_params must be True or False", lambda: plot.model(chain(), show_params="no")),
    (ValueError, "dpi must be at least 1", lambda: plot.model(chain(), dpi=0)),
    (ValueError, r"\[plot_model\] show_dtype=True .*float32", lambda: plot_model(chain(), show_dtype=True)),
    (ValueError, r"expand_nested=True .* by itself", lambda: plot_model(chain(), expand_nested=True)),
    (ValueError, "splines='line' is not available", lambda: plot_model(chain(), splines="line")),
    (ValueError, "layer_range=.* is not available", lambda: plot_model(chain(), layer_range=["a", "b"])),
    (TypeError, "'show_shape'. Did you mean 'show_shapes'", lambda: plot_model(chain(), show_shape=True)),
    (TypeError, r"\[plot_model\] show_layer_names", lambda: plot_model(chain(), show_layer_names=1)),
    (ValueError, "rankdir must be", lambda: plot_model(chain(), rankdir="RL")),
]


@pytest.mark.parametrize(("error", "text", "call"), REFUSED, ids=[row[1] for row in REFUSED])
def test_refuses(
    error: type[Exception],
    text: str,
    call: Callable[[], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=text):
        call()
    assert list(tmp_path.iterdir()) == []


def test_plot_model_has_the_defaults_of_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lines(plot_model(chain(1))) == ["InputLayer", "Dense"]
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")
    model, shown = chain(1), ("shapes", "layer_names", "layer_activations")
    figure = plot_model(model, "m.svg", **{f"show_{name}": True for name in shown}, layer_range=None)
    assert lines(figure) == lines(plot.model(model))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.svg", "model.png"]


# ---- the layout


def points_of(line: _layout.Line) -> list[tuple[float, float]]:
    """Points of a Bezier curve."""
    found = []
    for at in range(0, len(line.points) - 1, 3):
        for t in (step / 16 for step in range(17)):
            shares = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            part = line.points[at : at + 4]
            found.append(tuple(sum(s * p[axis] for s, p in zip(shares, part)) for axis in (0, 1)))
    return found  # type: ignore[return-value]


def graph(seed: int) -> tuple[list[tuple[float, float]], list[_layout.Edge]]:
    """A random graph, with long arrows, boxes of several outputs, and values that are read twice."""
    r = random.Random(seed)
    count, span = r.randint(1, 60), r.choice([2, 4, 60])
    outputs = [r.choice([1, 1, 1, 3]) for _ in range(count)]
    edges = []
    for target in range(r.randint(1, 3), count):
        for _ in range(r.choice([1, 1, 1, 2, 3, 6])):
            source = max(0, target - 1 - int(r.random() ** 2 * span))
            edges.append(((source, r.randrange(outputs[source])), target))
    sizes = []
    for box in range(count):
        ends = max(sum(t == box for _, t in edges), sum(s == box for (s, _), _ in edges))
        along, across = r.choice([(36.0, 150.0), (48.5, 260.0), (150.0, 36.0)])
        sizes.append((along, max(across, _layout.PORT * ends)))
    return sizes, edges


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("longest", [300.0, 800.0])
def test_nothing_overlaps(seed: int, longest: float) -> None:
    sizes, edges = graph(seed)
    layout = _layout.arrange(sizes, edges, longest)
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(layout.boxes, sizes)]
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        assert min(x0, y0) > -1e-6
        assert x1 < layout.size[0] + 1e-6
        assert y1 < layout.size[1] + 1e-6
        assert all(x1 + 5 < a or c + 5 < x0 or y1 + 5 < b or d + 5 < y0 for a, b, c, d in boxes[:i])
    assert sum(line.is_end for line in layout.lines) == len(edges)
    for line in layout.lines:
        if line.start is not None:
            _, y0, x1, y1 = boxes[line.start[0]]
            assert line.points[0][0] == pytest.approx(x1)
            assert y0 < line.points[0][1] < y1
        if line.is_end:
            x, y = line.points[-1]
            assert any(abs(x - x0) < 1e-6 and y0 < y < y1 for x0, y0, _, y1 in boxes)
        for x, y in points_of(line):
            assert not any(a + 0.01 < x < c - 0.01 and b + 0.01 < y < d - 0.01 for a, b, c, d in boxes)


def test_arrows_cross_only_where_they_must() -> None:
    sizes = [(36.0, 150.0)] * 6  # 0 and 1 are read by 2 to 5, crosswise as they come
    edges = [((1, 0), 2), ((0, 0), 3), ((1, 0), 4), ((0, 0), 5)]
    across = [y for _, y in _layout.arrange(sizes, edges, 800.0).boxes]
    assert (across[0] < across[1]) == (max(across[3], across[5]) < min(across[2], across[4]))


def test_skips_pass_beside_a_straight_chain() -> None:
    edges = [((0, 0), 1), ((1, 0), 2), *sorted([((2, 0), 3), ((0, 0), 3)]), ((3, 0), 4)]
    layout = _layout.arrange([(36.0, 150.0)] * 5, edges, 800.0)
    assert len({round(across, 3) for _, across in layout.boxes}) == 1
    assert layout.size[1] > 150


def test_long_chains_go_on_in_further_columns() -> None:
    layout = _layout.arrange([(36.0, 150.0)] * 40, [((i, 0), i + 1) for i in range(39)], 800.0)
    columns = [across for _, across in layout.boxes]
    assert sorted(columns.count(across) for across in set(columns)) == [13, 13, 14]
    assert layout.size[0] < 900


def test_model_to_dot_has_the_same_drawing(tmp_path: Path) -> None:
    model = nncore.Sequential([Input((3,)), Dense(2, name="units")])
    dot = nncore.utils.model_to_dot(model, show_shapes=True)
    assert b"<svg" in dot.create(prog="dot", format="svg")
    assert "<svg" in dot._repr_svg_()
    dot.write(tmp_path / "model.png")
    assert (tmp_path / "model.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="subgraph=True is not available"):
        nncore.utils.model_to_dot(model, subgraph=True)
