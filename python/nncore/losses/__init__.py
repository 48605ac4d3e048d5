"""Losses, to give to ``compile`` and to call on arrays.

A loss has one value for each row: everything under one index of all axes but the last. Its mean over all
rows is what training minimises (``sum_over_batch_size``); sample weights multiply the values before the mean.
Probabilities are clipped to [1e-7, 1 - 1e-7], beyond which the slope is 0. A cross-entropy after a matching
last activation (sigmoid for the binary one, softmax for the others) is computed from the logits.

The functions take arrays of any real type, y_true and y_pred of one shape (..., columns), and return a new
float32 array (...). Their bodies are the reference in NumPy, `nncore.reference`, with which the tests compare
the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..common import described
from . import focal, margins, probabilistic, regression
from ._base import Loss
from .focal import *  # noqa: F403
from .margins import *  # noqa: F403
from .probabilistic import *  # noqa: F403
from .regression import *  # noqa: F403

__all__ = ["Loss", "get"]
__all__ += focal.__all__
__all__ += margins.__all__
__all__ += probabilistic.__all__
__all__ += regression.__all__

CLASSES, BY_NAME = described.classes(Loss), described.known(Loss)


def get(
    identifier: str | Loss | type[Loss] | Callable[..., Any] | None, owner: str = "losses.get"
) -> Loss | Callable[..., Any] | None:
    """A function for a name such as "mse", or a loss for the name of a class; None, losses and functions of
    this module are returned as they are.

    Raises:
        ValueError: there is no loss of that name.
        TypeError: the argument is no name, loss, function of this module or None.

    >>> get("mse") is mean_squared_error, get("MeanSquaredError")
    (True, MeanSquaredError(name='mean_squared_error'))
    """
    loss = found(identifier, owner)
    of_function = callable(identifier) and not isinstance(identifier, type | Loss)
    if loss and (of_function or (isinstance(identifier, str) and identifier not in CLASSES)):
        return type(loss)._function  # type: ignore[no-any-return]
    return loss


def found(identifier: Any, owner: str) -> Loss | None:
    """The loss that ``compile`` makes of its argument."""
    return None if identifier is None else described.get(owner, Loss, identifier)
