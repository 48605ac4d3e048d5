"""Colours, texts and the figure class of all figures."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..common.progress import in_notebook

try:
    from matplotlib.figure import Figure as Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
except ImportError:  # require_matplotlib raises
    Figure = object  # type: ignore[assignment, misc]

# From the palette of Okabe and Ito, which is distinct for any colour vision and in grey print.
BLUE, VERMILLION = "#0072B2", "#D55E00"
INK, FAINT = "#222222", "#D9D9D9"
_TITLE_SIZE = 13  # points


class ShownFigure(Figure):
    """A `Figure` that a notebook shows once, as the value of a cell or by ``plt.show()``."""

    def _repr_png_(self) -> bytes:
        """The figure for notebooks in which pyplot has not registered a way to show a `Figure`."""
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()

    def _repr_mimebundle_(self, **kinds: Any) -> dict[str, Any]:
        """No further formats. Closes the figure, so that the end of the cell does not show it again."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and in_notebook() and not self.canvas.required_interactive_framework:
            pyplot.close(self)
        return {}


def require_matplotlib() -> None:
    if Figure is object:
        raise ImportError("nncore.plot needs matplotlib: pip install matplotlib")


def text_width(lines: Iterable[str], size: float) -> float:
    """The width in inches of the widest line, in bold type."""
    require_matplotlib()
    font = FontProperties(weight="bold", size=size)
    paths = [TextPath((0, 0), line.replace("$", "S"), prop=font) for line in {*lines} if line.strip()]
    return max((float(path.vertices[:, 0].max(initial=0.0)) for path in paths), default=0.0) / 72


def new_figure(width: float, height: float, title: str | None, layout: Any = "constrained") -> Figure:
    """An empty figure, in inches, at least as wide as its title; one of pyplot's if pyplot is imported."""
    require_matplotlib()
    if title:
        width = max(width, text_width(title.split("\n"), _TITLE_SIZE) + 0.3)
    pyplot = sys.modules.get("matplotlib.pyplot")
    make = ShownFigure if pyplot is None else partial(pyplot.figure, FigureClass=ShownFigure)
    figure: Figure = make(figsize=(width, height), dpi=150, layout=layout, facecolor="white")
    if title:
        y = 1 - 0.15 / height if layout == "none" else None
        figure.suptitle(title, y=y, color=INK, fontsize=_TITLE_SIZE, fontweight="bold", parse_math=False)
    return figure
