"""The base classes of layers that prepare data, and of those that do so in Python, before the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..common.arguments import training as in_training
from ..common.arrays import raw
from ..common.values import OpenShape, Parameters, values_in
from ._layer import Layer
from .core import InputLayer, Rescaling


class BeforeNetwork(Layer):
    """A layer without weights that stands between an `Input` and the network.

    The network begins with what these layers make, and does not know them: `Graph.prepared` applies them.
    """

    _abstract = True
    kind = "before"
    reads_text: ClassVar[bool] = False
    optional: ClassVar[tuple[str, ...]] = ()  # arguments that may be None, which is not their default

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if self.activity_regularizer is not None:
            raise ValueError(f"[{self.name}] activity_regularizer is for layers within the network")
        if self.declared is None:
            self.declared = (1,)  # as the first layer of a Sequential

    def prepared(self, x: NDArray[Any]) -> NDArray[Any]:
        """What the layer makes of an array (samples, ...) of any type."""
        raise NotImplementedError

    def after(self, sample: OpenShape) -> OpenShape:
        """Shape of what is made of a sample of a shape."""
        raise NotImplementedError

    def infer(self, before: Sequence[OpenShape]) -> tuple[OpenShape, Parameters]:
        return self.after(before[0]), []

    def own(self) -> None:
        return None

    def leaves(self, path: str) -> Iterator[tuple[Layer, str]]:
        """None: the core does not know the layer."""
        return iter(())

    def __call__(self, x: Any, training: bool | None = None, mask: None = None) -> Any:
        """Calls the layer on an array or list (samples, ...), or on the value of an `Input`; mask is None."""
        if isinstance(x, Layer) or values_in(x) is not None:
            return super().__call__(x, training, mask)
        if mask is not None:
            raise ValueError(f"[{self.name}] reads no mask")
        in_training(self.name, training)
        array = raw(self.name, "x", x)
        return self.prepared(array) if array.ndim else self.prepared(array[np.newaxis])[0]


class Prepares(Layer):
    """Base class of layers that prepare images. An array (h, w, channels) is a single image."""

    _abstract = True
    at_random = False  # whether images change at random: in training, and in calls on arrays

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """As `Layer.__call__`, also on one image."""
        if values_in(x) is None and np.ndim(x) == 3:
            return super().__call__(np.asarray(x)[None], training)[0]
        return super().__call__(x, training, mask)


def augments(given: Iterable[object]) -> bool:
    """Whether layers change images at random and do nothing else but prepare them."""
    every = list(given)
    prepare = all(isinstance(layer, (Prepares, Rescaling, InputLayer)) for layer in every)
    return prepare and any(getattr(layer, "at_random", False) for layer in every)
