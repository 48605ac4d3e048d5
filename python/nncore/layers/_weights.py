"""`Variable`, a view of one weight, and the base class of layers and models, which have weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

from ..common.absent import Explained
from ..common.arrays import Floats, Shape, checked_values
from ..common.messages import visible


class Holder(Protocol):
    """What a variable needs of its layer."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def trainable(self) -> bool: ...
    @property
    def state(self) -> tuple[str, ...]: ...
    def of_weight(self, name: str, what: str) -> Any: ...
    def read(self, first: int, count: int) -> list[Floats]: ...
    def write(self, first: int, values: list[Floats]) -> None: ...


class Variable(Explained):
    """One weight of a layer: a view of values that all models with this layer share.

    Attributes:
        name: of the weight, such as "kernel".
        path: names of the layer and of the weight, such as "dense/kernel".
        shape: as in Keras.
        dtype: always "float32".
    """

    dtype = "float32"

    def __init__(self, layer: Holder, index: int, name: str, shape: Shape) -> None:
        self._layer, self._index = layer, index
        self.name, self.shape = name, shape

    @property
    def path(self) -> str:
        return f"{self._layer.name}/{self.name}"

    @property
    def trainable(self) -> bool:
        """Whether the optimizer updates the weight; False for weights that the layer itself updates."""
        return self._layer.trainable and not self.is_state

    @property
    def layer(self) -> Holder:
        return self._layer

    @property
    def is_state(self) -> bool:
        """Whether the layer itself updates the weight in training, as it does a moving mean."""
        return self.name in self._layer.state

    @property
    def regularizer(self) -> Any:
        """The weight's regularizer, or None."""
        return self._layer.of_weight(self.name, "regularizer")

    @property
    def constraint(self) -> Any:
        """The weight's constraint, or None."""
        return self._layer.of_weight(self.name, "constraint")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def numpy(self) -> Floats:
        """A copy of the values."""
        return self._layer.read(self._index, 1)[0]

    def assign(self, value: ArrayLike) -> None:
        """Sets all values; value has the shape of the weight.

        Raises:
            ValueError: value has another shape.
        """
        self._layer.write(self._index, [checked_values(self.path, value, self.shape)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(
                f"[{self.path}] expected copy=None or True, as a Variable gives copies only, got copy=False"
            )
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype=float32>"


class Weighted(Explained):
    """Base class of layers and models: a name and weights."""

    _name: str
    dtype = compute_dtype = variable_dtype = "float32"  # of values and weights

    @property
    def name(self) -> str:
        return self._name

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        raise NotImplementedError

    @property
    def weights(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def variables(self) -> list[Variable]:
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if weight.trainable]

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if not weight.trainable]

    @property
    def losses(self) -> list[float]:
        """The regularization penalty of each trainable weight that has a regularizer.

        Activity penalties are not among them: `fit` and `evaluate` add those to the loss that they report.
        """
        return [
            weight.regularizer(weight.numpy())
            for weight in self.trainable_weights
            if weight.regularizer is not None
        ]

    def count_params(self) -> int:
        """Number of values in all weights.

        Raises:
            ValueError: the layer or model is not built.
        """
        if not self.built:
            raise ValueError(
                f"[{self.name}] is not built, so its weights cannot be counted: call build(input_shape)"
            )
        return sum(weight.size for weight in self.weights)

    def _values_to_set(self, weights: Sequence[ArrayLike]) -> list[Floats]:
        """The arguments of `set_weights` as float32 arrays. ValueError for a wrong number or shape."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(f"[{self.name}] expected {len(own)} weights, got {len(weights)}")
        return [checked_values(v.path, w, v.shape) for w, v in zip(weights, own)]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={visible(self.name)}, built={self.built}>"
