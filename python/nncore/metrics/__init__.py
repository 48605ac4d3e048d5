"""Metrics, to give to ``compile`` and to use on arrays.

The functions take y_true and y_pred of one shape (..., columns), and return a new float32 array (...) with
one value for each row. Their bodies are the reference in NumPy, `nncore.reference`, with which the tests
compare the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..common import custom, described
from . import counting, functions, means, probabilistic, rates, sums, values
from ._base import Metric
from .counting import *  # noqa: F403
from .functions import *  # noqa: F403
from .means import *  # noqa: F403
from .probabilistic import *  # noqa: F403
from .rates import *  # noqa: F403
from .sums import *  # noqa: F403
from .values import *  # noqa: F403

__all__ = ["Metric", "get"]
__all__ += counting.__all__
__all__ += functions.__all__
__all__ += means.__all__
__all__ += probabilistic.__all__
__all__ += rates.__all__
__all__ += sums.__all__
__all__ += values.__all__

CLASSES, BY_NAME = described.classes(Metric), described.known(Metric)


def get(
    identifier: str | Metric | type[Metric] | Callable[..., Any] | None, owner: str = "metrics.get"
) -> Metric | Callable[..., Any] | None:
    """The metric of a name or a class; a metric or function as it is; None stays None.

    "accuracy" and "acc" have a meaning in ``compile`` only, where the outputs are known.

    Raises:
        ValueError: there is no metric of that name.
        TypeError: the argument is no name, class, metric, function of this module or None.

    >>> get("mae")
    MeanAbsoluteError(name='mean_absolute_error')
    """
    if identifier is None or (callable(identifier) and not isinstance(identifier, type)):
        return identifier
    return described.get(owner, Metric, identifier, "accuracy", "acc")


def found(identifier: Any, owner: str) -> Metric:
    """The metric that ``compile`` makes of an item: it has the given name; a function is wrapped."""
    of_ours = any(cls._function is identifier for cls in CLASSES.values())
    if callable(identifier) and not isinstance(identifier, type | Metric) and not of_ours:
        return functions.of_function(identifier)
    if isinstance(identifier, str) and identifier not in BY_NAME and custom.get_registered_object(identifier):
        return functions.of_function(custom.function_of(identifier))
    metric = described.get(owner, Metric, identifier, "accuracy", "acc")
    if isinstance(identifier, str):
        metric.name = identifier
    return metric
