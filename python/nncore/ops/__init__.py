"""The compiled kernels as functions over arrays, in float32.

Each function has a twin of the same name and signature in `nncore.reference`, where its formula and its
gradient are written down in plain NumPy. These accept anything array-like of a real dtype, check shapes first
(ValueError, or TypeError for what is not a number), never change their arguments, and return new float32
arrays.

Images are (n, h, w, c): samples, height, width, channels. A row is everything under one index of all axes but
the last. `f_backward(dy, x, ...)` takes the gradient of the output of f and returns the gradient of its
inputs.

>>> dense([[1, 2]], kernel=[[1, 0], [0, 3]], bias=[0.5, 0]).tolist()
[[1.5, 6.0]]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import activations, metrics  # noqa: F401 (their operations)
from .._operations import ACTIVATIONS, namespace
from .._rows import LOSSES, METRICS
from .._updates import UPDATES
from . import updates as _updates  # noqa: F401
from .pooling import (
    average_pool2d,
    average_pool2d_backward,
    global_average_pool2d,
    global_average_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from .products import (
    conv2d,
    conv2d_backward,
    dense,
    dense_backward,
    dropout,
    dropout_backward,
    rescale,
    rescale_backward,
)

__all__ = [
    "average_pool2d",
    "average_pool2d_backward",
    "conv2d",
    "conv2d_backward",
    "dense",
    "dense_backward",
    "dropout",
    "dropout_backward",
    "global_average_pool2d",
    "global_average_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "rescale",
    "rescale_backward",
]

_TABLE = namespace(
    [*ACTIVATIONS.values(), *LOSSES.values(), *METRICS.values(), *UPDATES.values()],
    of_references=False,
)
globals().update(_TABLE)
__all__ += sorted(_TABLE)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...
