"""The reference of every kernel, in plain float64 NumPy: the specification of what it computes.

For each function, `nncore.ops` has one of the same name and signature that runs the compiled float32 kernel;
tests compare the two. The references are written to be read, not to be fast. Their source is in
`nncore.activations`, `nncore.losses`, `nncore.metrics` and `nncore.ops`:
``inspect.getsource(reference.conv2d)`` shows it.

How to read a backward function: a network ends in one number, the loss L. For an array `a`, the gradient `da`
has the shape of `a` and holds dL/da, element by element. `f_backward(dy, x, ...)` takes `dy`, the gradient of
the output of `f`, applies the chain rule once, and returns the gradient of every input of `f`. Applying this
to the layers of a network, from the last to the first, is backpropagation.

Conventions: images are (samples, height, width, channels); `n`, `h`, `w`, `c`, `f` in shapes are samples,
height, width, channels and filters. A row is a slice along the last axis.

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
    from ..ops.recurrence import *  # noqa: F403

    def __getattr__(name: str) -> Callable[..., Any]: ...
