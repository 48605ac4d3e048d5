"""Metrics, to give to ``compile`` and to use on arrays.

The functions take y_true and y_pred of one shape (..., columns), and return a new float32 array (...) with
one value for each row. What stands in them is their reference in NumPy, `nncore.reference`, to which the
tests hold the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..common import described
from . import counting, means
from ._base import Metric
from .counting import *  # noqa: F403
from .means import *  # noqa: F403

__all__ = ["Metric", "get"]
__all__ += counting.__all__
__all__ += means.__all__

CLASSES, BY_NAME = described.classes(Metric), described.known(Metric)


def get(identifier: str | Metric | type[Metric] | Callable[..., Any], owner: str = "metrics.get") -> Metric:
    """The metric of a name, a class, a function of this module, or of itself.

    "accuracy" and "acc" have a meaning in ``compile`` only, where the outputs are known.

    Raises:
        ValueError: there is no metric of that name.
        TypeError: something else, such as a function that is not one of this module.

    >>> get("mae")
    MeanAbsoluteError(name='mae')
    """
    found = described.get(owner, Metric, identifier, "accuracy", "acc")
    if isinstance(identifier, str):
        found.name = identifier
    return found
