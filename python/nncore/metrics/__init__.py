"""Metrics, to give to ``compile`` and to use on arrays.

The functions take y_true and y_pred of one shape (..., columns), and return a new float32 array (...) with
one value for each row. What stands in them is their reference in NumPy, `nncore.reference`, to which the
tests hold the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._arguments import unknown
from . import counting, means
from ._base import _BY_NAME as _BY_NAME
from ._base import CLASSES as CLASSES
from ._base import Metric
from .counting import *  # noqa: F403
from .means import *  # noqa: F403

__all__ = ["Metric", "get"]
__all__ += counting.__all__
__all__ += means.__all__


def get(identifier: str | Metric | type[Metric] | Callable[..., Any], owner: str = "metrics.get") -> Metric:
    """The metric of a name, a class, a function of this module, or of itself.

    "accuracy" and "acc" have a meaning in ``compile`` only, where the outputs are known.

    Raises:
        ValueError: there is no metric of that name.
        TypeError: something else, such as a function that is not one of this module.

    >>> get("mae")
    MeanAbsoluteError(name='mae')
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise unknown(owner, "metric", identifier, [*_BY_NAME, "accuracy", "acc"])
        found = _BY_NAME[identifier]()
        found.name = identifier
        return found
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    for cls in CLASSES.values():
        if callable(identifier) and cls._function is identifier:
            return cls()
    raise TypeError(
        f"[{owner}] a metric must be a name, a Metric or a function of nncore.metrics, got {identifier!r}. "
        f"There are: {', '.join(sorted([*_BY_NAME, 'accuracy', 'acc']))}."
    )
