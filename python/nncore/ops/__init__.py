"""The compiled kernels as functions over arrays, in float32.

Each function has a reference of the same name and signature in `nncore.reference`, in plain NumPy. The
functions here take anything array-like of a real dtype, check shapes first (ValueError; TypeError for other
dtypes), never change their arguments, and return new float32 arrays.

Images are (n, h, w, c): samples, height, width, channels. A row is a slice along the last axis.
`f_backward(dy, x, ...)` takes the gradient of the output of f and returns the gradients of its inputs.

>>> dense([[1, 2]], kernel=[[1, 0], [0, 3]], bias=[0.5, 0]).tolist()
[[1.5, 6.0]]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import activations, metrics  # noqa: F401 (their operations)
from ..common.absent import answer
from ..common.operations import ACTIVATIONS, LAYERS, namespace
from ..common.rows import LOSSES, METRICS
from . import normalization, pooling, products, randomness, recurrence  # noqa: F401
from .updates import UPDATES

OPERATIONS = [o for family in (ACTIVATIONS, LAYERS, LOSSES, METRICS, UPDATES) for o in family.values()]
_TABLE = namespace(OPERATIONS, of_references=False)
globals().update(_TABLE)
__all__ = sorted(_TABLE)
answer(__name__)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .normalization import *  # noqa: F403
    from .pooling import *  # noqa: F403
    from .products import *  # noqa: F403
    from .randomness import *  # noqa: F403
    from .recurrence import *  # noqa: F403

    def __getattr__(name: str) -> Callable[..., Any]: ...
