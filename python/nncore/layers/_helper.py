"""Layers of the core that layers of Python call besides themselves."""

from __future__ import annotations

from typing import Any

from .. import _core
from ._layer import Layer


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
