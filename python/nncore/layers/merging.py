"""Layers that make one value of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._arguments import integer
from ._layer import Layer


class Merge(Layer):
    """A layer that is called on a list of arrays or values."""

    _abstract = True
    _several = True


class Add(Merge):
    """The sum of inputs of one shape: ``Add()([a, b])``.

    Args:
        options: name, trainable, dtype, see `Layer`.

    >>> Add()([[[1, 2]], [[3, 4]]]).tolist()
    [[4.0, 6.0]]
    """

    kind = "add"

    def __init__(self, **options: Any) -> None:
        super().__init__(options)


class Concatenate(Merge):
    """Inputs side by side: ``Concatenate()([a, b])``. They may differ in size along the axis alone.

    Args:
        axis: counted with the batch axis, which it cannot be; default -1, the last.
        options: name, trainable, dtype, see `Layer`.

    >>> Concatenate()([[[1, 2]], [[3]]]).tolist()
    [[1.0, 2.0, 3.0]]
    """

    kind = "concatenate"
    _settings = ("axis",)

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(options)
        self.axis = integer("Concatenate", "axis", axis, low=-64, high=64)
        if self.axis == 0:
            raise ValueError("[Concatenate] axis=0 is the batch axis: give one of a sample, from 1 or -1")

    def _spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, {"axis": self.axis - (self.axis > 0)}


def add(inputs: Sequence[Any], **options: Any) -> Any:
    """As ``Add(**options)(inputs)``."""
    return Add(**options)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Any) -> Any:
    """As ``Concatenate(axis, **options)(inputs)``."""
    return Concatenate(axis, **options)(inputs)
