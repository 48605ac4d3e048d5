"""Layers that merge several inputs into one output, and a function for each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..common.arguments import boolean
from ._helper import Helper, axis_of
from ._layer import Layer, Run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


_T = TypeVar("_T")


class Merge(Layer):
    """Base class of layers that are called on a list of arrays or values."""

    _abstract = True
    takes_several = True
    supports_masking = reads_mask = True

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self._or = Helper(self, "maximum")

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        return [call(self, list(inputs))]

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        """Steps that count in one of the inputs; all, without a mask, if an input has none."""
        known = [mask for mask in masks if mask is not None]
        if not known or len(known) < len(masks):
            return None
        return call(self._or, known) if len(known) > 1 else known[0]


class Extreme(Merge):
    """Base class of `Maximum` and `Minimum`: where a mask leaves out a step of one of two inputs, the other
    stands in for it, as in Keras.
    """

    _abstract = True

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        mask = named.pop("mask", None)
        if mask is None or len(inputs) < 2:
            return super().unfold(call, *inputs)
        select = Helper(self, "select")
        y, known = inputs[0], mask[0]
        for x, own in zip(inputs[1:], mask[1:]):
            other = x if own is None else call(select, [own, x, y])
            y = y if known is None else call(select, [known, y, other])
            known = None if known is None or own is None else call(self._or, [known, own])
            y = call(self, [y, other])
        return [y]


class Add(Merge):
    """The sum of its inputs: ``Add()([a, b])``. Shapes broadcast within samples, as in NumPy.

    Args:
        options: name, trainable, dtype, see `Layer`.

    >>> Add()([[[1, 2]], [[3, 4]]]).tolist()
    [[4.0, 6.0]]
    """

    kind = "add"


class Subtract(Merge):
    """The first of two inputs minus the second. Shapes and args as of `Add`.

    >>> Subtract()([[[1, 2]], [[3, 5]]]).tolist()
    [[-2.0, -3.0]]
    """

    kind = "subtract"


class Multiply(Merge):
    """The product of its inputs. Shapes and args as of `Add`.

    Steps that the mask of an input leaves out count as 1, and as 0 where all masks do.

    >>> Multiply()([[[1, 2]], [[3, 4]]]).tolist()
    [[3.0, 8.0]]
    """

    kind = "multiply"

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        mask = named.pop("mask", None)
        if mask is None:
            return super().unfold(call, *inputs)
        select = Helper(self, "select")

        def where(own: _T | None, x: _T, other: float) -> _T:
            constant = Helper(self, "rescaling", scale=0.0, offset=other)
            return x if own is None else call(select, [own, x, call(constant, [x])])

        y = call(self, [where(own, x, 1.0) for own, x in zip(mask, inputs)])
        return [where(self.mask_after(call, inputs, mask), y, 0.0)]


class Average(Merge):
    """The mean of its inputs. Shapes and args as of `Add`.

    >>> Average()([[[1, 2]], [[3, 4]]]).tolist()
    [[2.0, 3.0]]
    """

    kind = "average"


class Maximum(Extreme):
    """The largest of its inputs; equal ones share the gradient. Shapes and args as of `Add`.

    >>> Maximum()([[[1, 5]], [[3, 4]]]).tolist()
    [[3.0, 5.0]]
    """

    kind = "maximum"


class Minimum(Extreme):
    """The smallest of its inputs; equal ones share the gradient. Shapes and args as of `Add`.

    >>> Minimum()([[[1, 5]], [[3, 4]]]).tolist()
    [[1.0, 4.0]]
    """

    kind = "minimum"


class Concatenate(Merge):
    """Joins its inputs along an axis: ``Concatenate()([a, b])``. All other sizes must be equal.

    Args:
        axis: counted with the batch axis, and not 0; default -1, the last one.
        options: name, trainable, dtype, see `Layer`.

    >>> Concatenate()([[[1, 2]], [[3]]]).tolist()
    [[1.0, 2.0, 3.0]]
    """

    kind = "concatenate"
    _settings = ("axis",)

    def __init__(self, axis: int = -1, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        self.axis = axis_of("Concatenate", "axis", axis)

    def spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, {"axis": self.axis - (self.axis > 0)}

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        """The masks joined along an axis of steps; inputs without one count. Joined features: as `Add`."""
        axes = len(self._known_shapes().before[0]) + 1
        if self.axis % axes == axes - 1 or not any(mask is not None for mask in masks):
            return super().mask_after(call, inputs, masks)
        every = Helper(self, "mask", value=math.nan, of_features=True)
        joined = Helper(self, "concatenate", axis=self.axis % axes - 1)
        return call(joined, [call(every, [x]) if mask is None else mask for x, mask in zip(inputs, masks)])


class Dot(Merge):
    """Dot products of two inputs along an axis of each: ``Dot(1)([a, b])``, (n, k) and (n, k) -> (n, 1).

    The output has the other axes of the first input, then those of the second.

    Args:
        axes: an axis for both inputs, or a pair; counted with the batch axis, and not 0.
        normalize: False; True is not available yet.
        options: name, trainable, dtype, see `Layer`.

    >>> Dot(1)([[[1, 2]], [[3, 4]]]).tolist()
    [[11.0]]
    """

    kind = "dot"
    _settings = ("axes",)

    def __init__(
        self, axes: int | Sequence[int], normalize: bool = False, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        if boolean("Dot", "normalize", normalize):
            raise ValueError(
                "[Dot] normalize=True is not available yet: divide the rows by their norms before"
            )
        both = (axes, axes) if not isinstance(axes, (list, tuple)) else tuple(axes)
        if len(both) != 2:
            raise ValueError(f"[Dot] axes must be an integer or a pair of them, got {axes!r}")
        self.axes = tuple(axis_of("Dot", "axes", axis) for axis in both)

    def spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, {"axes": tuple(axis - (axis > 0) for axis in self.axes)}

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        return None


def add(inputs: Sequence[Any], **options: Unpack[Options]) -> Any:
    """As ``Add(**options)(inputs)``."""
    return Add(**options)(inputs)


def subtract(inputs: Sequence[Any], **options: Unpack[Options]) -> Any:
    """As ``Subtract(**options)(inputs)``."""
    return Subtract(**options)(inputs)


def multiply(inputs: Sequence[Any], **options: Unpack[Options]) -> Any:
    """As ``Multiply(**options)(inputs)``."""
    return Multiply(**options)(inputs)


def average(inputs: Sequence[Any], **options: Unpack[Options]) -> Any:
    """As ``Average(**options)(inputs)``."""
    return Average(**options)(inputs)


def maximum(inputs: Sequence[Any], **options: Unpack[Options]) -> Any:
    """As ``Maximum(**options)(inputs)``."""
    return Maximum(**options)(inputs)


def minimum(inputs: Sequence[Any], **options: Unpack[Options]) -> Any:
    """As ``Minimum(**options)(inputs)``."""
    return Minimum(**options)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Unpack[Options]) -> Any:
    """As ``Concatenate(axis, **options)(inputs)``."""
    return Concatenate(axis, **options)(inputs)


def dot(
    inputs: Sequence[Any], axes: int | Sequence[int] = -1, normalize: bool = False, **options: Unpack[Options]
) -> Any:
    """As ``Dot(axes, normalize, **options)(inputs)``."""
    return Dot(axes, normalize, **options)(inputs)
