"""The written specification: what every kernel computes, in plain float64 NumPy.

Each function has a twin of the same name and signature in `nncore.ops`, which runs the compiled float32
kernels; the tests hold the two equal. Here nothing is fast on purpose and everything is meant to be read.
Each is written where its twin is, in `nncore.activations`, `nncore.losses`, `nncore.metrics` or `nncore.ops`:
``inspect.getsource(reference.conv2d)`` shows it.

How to read a backward function. A network ends in one number, the loss L. For an array `a`, the gradient `da`
has the shape of `a` and holds dL/da, element by element. `f_backward(dy, x, ...)` is handed `dy`, the
gradient of the output of `f`, and applies the chain rule once: it returns the gradient of every input of `f`.
Running the layers of a network backward in this way, last one first, is backpropagation.

Conventions: images are (samples, height, width, channels); `n`, `h`, `w`, `c`, `f` in shapes are samples,
height, width, channels and filters. A row is everything under one index of all axes but the last.

>>> import numpy as np
>>> x = np.array([[1.0, 2.0]])                   # one sample with two features
>>> kernel = np.array([[1.0], [-3.0]])
>>> z = dense(x, kernel)                         # forward
>>> y = sigmoid(z)
>>> dz = sigmoid_backward(np.ones_like(y), z)    # backward, with L = y
>>> dx, dkernel, dbias = dense_backward(dz, x, kernel)
>>> dkernel.round(4)
array([[0.0066],
       [0.0133]])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..common.absent import answer
from ..common.operations import namespace
from ..ops import OPERATIONS
from ..ops.randomness import dropout_mask

_TABLE = {**namespace(OPERATIONS, of_references=True), "dropout_mask": dropout_mask}
globals().update(_TABLE)
__all__ = sorted(_TABLE)
answer(__name__)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ops.normalization import *  # noqa: F403
    from ..ops.pooling import *  # noqa: F403
    from ..ops.products import *  # noqa: F403
    from ..ops.randomness import *  # noqa: F403

    def __getattr__(name: str) -> Callable[..., Any]: ...
