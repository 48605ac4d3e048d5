"""Figures: the history of a training, images with labels and predictions, and the graph of a model.

Needs matplotlib: ``pip install matplotlib``. Each function returns a matplotlib ``Figure`` and changes no
setting of matplotlib. ``figure.savefig("name.png")`` needs no display. In a notebook a figure is shown as the
value of a cell. If ``matplotlib.pyplot`` is imported before, the figure is one of pyplot's: ``plt.show()`` or
the end of a notebook's cell shows it, and outside notebooks pyplot keeps it until ``plt.close(figure)``.
"""

from __future__ import annotations

from ..common.absent import answer
from ._history import history
from ._images import images
from ._model import model

__all__ = ["history", "images", "model"]
answer(__name__)
