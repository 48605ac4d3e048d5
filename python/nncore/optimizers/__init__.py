"""Optimizers: settings of the update that the core makes after each batch.

>>> Adam(learning_rate=0.01)
Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, weight_decay=None)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..common import described
from ..common.absent import answer
from ..common.arguments import unknown
from . import adaptive, descent
from ._base import MOST as MOST
from ._base import ROWS as ROWS
from ._base import Optimizer
from .adaptive import *  # noqa: F403
from .descent import *  # noqa: F403

if TYPE_CHECKING:
    from . import schedules

__all__ = ["Optimizer", "get", "schedules"]
__all__ += adaptive.__all__
__all__ += descent.__all__

CLASSES: dict[str, Callable[..., Optimizer]] = {**described.classes(Optimizer)}
answer(__name__, "schedules")


def get(identifier: Any) -> Optimizer | None:
    """The optimizer for a name, in upper or lower case, with default settings, or for a config. Optimizers
    and None are returned as they are.

    Raises:
        ValueError: there is no optimizer of that name.
        TypeError: the argument is none of these.

    >>> get("sgd")
    SGD(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None)
    """
    return None if identifier is None else found(identifier, "optimizers.get")


def found(identifier: Any, owner: str) -> Optimizer:
    """The optimizer that ``compile`` makes of its argument."""
    if isinstance(identifier, str):
        names = {name.lower(): cls for name, cls in CLASSES.items()}
        if identifier.lower() in names:
            return names[identifier.lower()]()
        raise unknown(owner, "optimizer", identifier, names)
    if identifier in CLASSES.values():
        name = identifier.__name__
        raise TypeError(f"[{owner}] optimizer must be an instance: {name}(), not {name}")
    return described.get(owner, Optimizer, identifier)
