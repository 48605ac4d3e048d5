"""What several modules of layers use."""

from __future__ import annotations

from typing import Any

from .. import _core
from ..common.arguments import integer
from ._layer import Layer


def axis_of(owner: str, name: str, value: Any) -> int:
    """The index of an axis that is not the batch axis; ValueError for others."""
    axis = integer(owner, name, value, low=-64, high=64)
    if axis == 0:
        raise ValueError(
            f"[{owner}] {name}=0 is the batch axis: give an axis within samples, such as 1 or -1"
        )
    return axis


def without_weights() -> _core.Variables:
    """The variables of a layer that has none."""
    return _core.Variables(("flatten", {}), [(1,)])


class Helper(Layer):
    """A layer of the core without weights, that another layer calls, such as one that makes masks."""

    _abstract = True

    def __init__(self, owner: Layer, kind: str, **attributes: Any) -> None:
        super().__init__({"name": f"{owner.name}_{kind}"})
        self.kind, self.attributes = kind, attributes  # type: ignore[misc]
        self.block = without_weights()

    @property
    def trainable(self) -> bool:
        return False

    @trainable.setter
    def trainable(self, value: bool) -> None:
        pass

    def spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, self.attributes
