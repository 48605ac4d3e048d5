"""Constraints: projections of weights after each update. They can be called on arrays, too.

``Dense(8, kernel_constraint=MaxNorm(3))``. A norm over an axis is sqrt(sum(w^2)) along it. With ``axis=0``
each unit of a Dense kernel (inputs, units) has a norm, with ``axis=(0, 1, 2)`` each filter of a Conv2D
kernel (height, width, channels, filters). Weights are divided by norm + 1e-7: those of norm 0 stay 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .common import described
from .common.absent import answer
from .common.arguments import integer, number, several
from .common.arrays import Floats, Shape, Wide, numbers
from .common.described import Described
from .common.names import snake_case

Axis = int | Sequence[int] | None

_EPSILON = 1e-7


class Constraint(Described):
    """Base class of constraints. Subclasses outside nncore raise TypeError: constraints are compiled."""

    _abstract = True
    _uncalled = "__call__"
    _instead = (
        "Use a constraint of nncore.constraints, or set_weights in a callback of your own after each batch"
    )
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ()  # settings to test besides the defaults

    def __call__(self, w: ArrayLike) -> Floats:
        """A new array: the constrained w.

        Raises:
            TypeError: w does not hold real numbers.
            ValueError: w does not have the axes of the norm.
        """
        owner = type(self).__name__
        array = numbers(owner, "w", w)
        self.spec(owner, array.shape)
        return self.constrained(array.astype(np.float64)).astype(np.float32)

    def constrained(self, w: Wide) -> Wide:
        """The constrained w: the reference for the compiled code."""
        raise NotImplementedError

    def spec(self, owner: str, shape: Shape) -> tuple[str, dict[str, Any]]:
        """Kind and settings for the compiled core. ValueError if weights of this shape lack an axis."""
        return snake_case(type(self).__name__), {}


class NonNeg(Constraint):
    """max(w, 0).

    >>> NonNeg()([-1, 2]).tolist()
    [0.0, 2.0]
    """

    def constrained(self, w: Wide) -> Wide:
        return np.maximum(w, 0.0)


class _Norm(Constraint):
    """w * desired / (1e-7 + norm)."""

    axis: Axis

    def desired(self, norm: Wide) -> Wide:
        raise NotImplementedError

    def _take_axis(self, axis: Axis) -> None:
        owner = type(self).__name__
        given = [axis] if axis is not None and several(axis) is None else several(axis)
        axes = tuple(integer(owner, "axis", one, low=-64, high=63) for one in given or ())
        if given is not None and not axes:
            raise ValueError(f"[{owner}] axis must name an axis, got {axis!r}")
        self.axis = axes[0] if isinstance(axis, int) else None if axis is None else axes

    def _axes(self, owner: str, shape: Shape) -> tuple[int, ...]:
        if self.axis is None:
            return tuple(range(len(shape)))
        axes = (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        found = tuple(axis + len(shape) * (axis < 0) for axis in axes)
        if not all(0 <= axis < len(shape) for axis in found) or len(set(found)) < len(found):
            raise ValueError(
                f"[{owner}] axis={self.axis} of {type(self).__name__} does not fit the shape {shape}"
            )
        return found

    def constrained(self, w: Wide) -> Wide:
        axes = self._axes(type(self).__name__, w.shape)
        norm = np.sqrt(np.square(w).sum(axis=axes, keepdims=True))
        return np.asarray(w * (self.desired(norm) / (_EPSILON + norm)))

    def spec(self, owner: str, shape: Shape) -> tuple[str, dict[str, Any]]:
        settings = {name: value for name, value in self.get_config().items() if name != "axis"}
        return super().spec(owner, shape)[0], {**settings, "axis": self._axes(owner, shape)}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object."""
        config = super().get_config()
        return {**config, "axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis}


class MaxNorm(_Norm):
    """Scales weights with a norm above max_value to the norm max_value (Srivastava et al. 2014).

    Args:
        max_value: at least 0; default 2.
        axis: one or several axes that the norm is taken over; None for all; default 0.

    >>> MaxNorm(1)([[3, 0.1], [4, 0]]).round(2).tolist()
    [[0.6000000238418579, 0.10000000149011612], [0.800000011920929, 0.0]]
    """

    _variants = ({"max_value": 0.7}, {"max_value": 1, "axis": 1}, {"max_value": 0.5, "axis": [0, 1]})

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = number("MaxNorm", "max_value", max_value, low=0.0)
        self._take_axis(axis)

    def desired(self, norm: Wide) -> Wide:
        return np.minimum(norm, self.max_value)


class UnitNorm(_Norm):
    """Scales weights to the norm 1.

    Args:
        axis: one or several axes that the norm is taken over; None for all; default 0.

    >>> UnitNorm()([[3], [4]]).round(2).tolist()
    [[0.6000000238418579], [0.800000011920929]]
    """

    _variants = ({"axis": -1}, {"axis": (0, 1)})

    def __init__(self, axis: Axis = 0) -> None:
        self._take_axis(axis)

    def desired(self, norm: Wide) -> Wide:
        return np.ones_like(norm)


class MinMaxNorm(_Norm):
    """Scales weights to the norm rate * clip(norm, min_value, max_value) + (1 - rate) * norm.

    Args:
        min_value: at least 0; default 0.
        max_value: at least min_value; default 1.
        rate: the share of the way that a norm moves at each update; default 1, a strict constraint.
        axis: one or several axes that the norm is taken over; None for all; default 0.

    >>> MinMaxNorm(2, 3)([[0.6, 3], [0.8, 4]]).round(2).tolist()
    [[1.2000000476837158, 1.7999999523162842], [1.600000023841858, 2.4000000953674316]]
    """

    _variants = (
        {"min_value": 0.5, "max_value": 0.7}, {"min_value": 1, "max_value": 2, "rate": 0.5, "axis": 1},
        {"min_value": 0.3, "axis": [0, 1]},
    )  # fmt: skip

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0
    ) -> None:
        self.min_value = number("MinMaxNorm", "min_value", min_value, low=0.0)
        self.max_value = number("MinMaxNorm", "max_value", max_value, low=self.min_value)
        self.rate = number("MinMaxNorm", "rate", rate)
        self._take_axis(axis)

    def desired(self, norm: Wide) -> Wide:
        return self.rate * np.clip(norm, self.min_value, self.max_value) + (1.0 - self.rate) * norm


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm  # as Keras has them

CLASSES = described.classes(Constraint)
__all__ = [*CLASSES, "Constraint", "get", "max_norm", "min_max_norm", "non_neg", "unit_norm"]
answer(__name__)


def get(
    identifier: str | Constraint | type[Constraint] | None, owner: str = "constraints.get"
) -> Constraint | None:
    """The constraint for a name ("max_norm" or "MaxNorm"), a class or an instance; None for None.

    Raises:
        ValueError: there is no constraint of that name.
        TypeError: the identifier is something else, such as a function.

    >>> get("non_neg")
    NonNeg()
    """
    return None if identifier is None else described.get(owner, Constraint, identifier)
