"""Figures for a report: how a training went, images with labels and predictions, and the graph of a model.

Needs matplotlib: ``pip install matplotlib``. Each function returns a matplotlib ``Figure`` and changes
no setting of matplotlib. ``figure.savefig("name.png")`` needs no display. In a notebook the figure is shown
as the value of a cell. If ``matplotlib.pyplot`` was imported before it was made, it is one of pyplot's
figures: ``plt.show()`` shows it, as does the end of a notebook's cell. Elsewhere it is kept until
``plt.close(figure)``.
"""

from __future__ import annotations

from ..common.absent import answer
from ._history import history
from ._images import images
from ._model import model

__all__ = ["history", "images", "model"]
answer(__name__)
