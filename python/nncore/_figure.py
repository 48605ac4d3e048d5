"""The figures of `nncore.plot`: matplotlib's, which also show themselves in a notebook without pyplot."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from ._progress import in_notebook


class ShownFigure(Figure):
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


def text_width(lines: Iterable[str], size: float) -> float:
    """Inches of the widest line in bold type."""
    font = FontProperties(weight="bold", size=size)
    paths = [TextPath((0, 0), line.replace("$", "S"), prop=font) for line in {*lines} if line.strip()]
    return max((float(path.get_extents().x1) for path in paths), default=0.0) / 72


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches; one of pyplot's if that was imported before."""
    settings: dict[str, Any] = {
        "figsize": (width, height),
        "dpi": 150,
        "layout": "constrained",
        "facecolor": "white",
    }
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        return pyplot.figure(FigureClass=ShownFigure, **settings)  # type: ignore[no-any-return]
    return ShownFigure(**settings)
