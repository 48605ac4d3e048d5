"""Weights as users see them, and what has weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

from ..common.absent import Explained
from ..common.arrays import Floats, Shape, checked_values
from ..common.messages import visible


class Holder(Protocol):
    """A layer, as its variables know it."""

    @property
    def name(self) -> str: ...
    @property
    def trainable(self) -> bool: ...
    @property
    def state(self) -> tuple[str, ...]: ...
    def read(self, first: int, count: int) -> list[Floats]: ...
    def write(self, first: int, values: list[Floats]) -> None: ...


class Variable(Explained):
    """One weight of a layer: a view of values that all models with the layer share.

    Attributes:
        name: "kernel" or "bias".
        path: name of the layer and of the weight, "dense/kernel".
        shape: its sizes, as Keras has them.
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
        """Whether training changes it by gradients: not so what the layer itself moves."""
        return self._layer.trainable and not self.is_state

    @property
    def layer(self) -> Holder:
        return self._layer

    @property
    def is_state(self) -> bool:
        """Whether the layer itself moves it in training."""
        return self.name in self._layer.state

    @property
    def regularizer(self) -> Any:
        """What its layer penalizes it by, or None."""
        return vars(self._layer).get(f"{self.name}_regularizer")

    @property
    def constraint(self) -> Any:
        """What its layer brings it back to after updates, or None."""
        return vars(self._layer).get(f"{self.name}_constraint")

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
            ValueError: the shape is another.
        """
        self._layer.write(self._index, [checked_values(self.path, value, self.shape)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values of a Variable cannot be had without a copy")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype=float32>"


class Weighted(Explained):
    """What has a name and weights: a layer, or a model of layers."""

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
        """The penalties of the weights that train, by their regularizers. Those of activities belong to a
        call: `fit` and `evaluate` add them to the loss that they report.
        """
        return [
            weight.regularizer(weight.numpy())
            for weight in self.trainable_weights
            if weight.regularizer is not None
        ]

    def count_params(self) -> int:
        """Number of values in all weights.

        Raises:
            ValueError: it is not built.
        """
        if not self.built:
            raise ValueError(
                f"[{self.name}] is not built, so its parameters cannot be counted: call build(input_shape)"
            )
        return sum(weight.size for weight in self.weights)

    def _values_to_set(self, weights: Sequence[ArrayLike]) -> list[Floats]:
        """What `set_weights` was given, checked."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(f"[{self.name}] expected {len(own)} weights, got {len(weights)}")
        return [checked_values(v.path, w, v.shape) for w, v in zip(weights, own)]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={visible(self.name)}, built={self.built}>"
