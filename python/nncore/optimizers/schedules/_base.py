"""The base class of nncore's schedules."""

from __future__ import annotations

import math
from typing import Any

from ...common import names
from ...common.arguments import number
from ...common.described import as_call
from .._schedule import LearningRateSchedule


class Formula(LearningRateSchedule):
    """Base class: the settings are attributes with the names of the arguments."""

    def __init__(self, **settings: Any) -> None:
        names.checked(type(self).__name__, settings["name"])
        vars(self).update(settings)

    @classmethod
    def _number(cls, name: str, value: Any, low: float = 0.0) -> Any:
        """The value as Python's int if it is a whole number, else as float."""
        real = number(cls.__name__, name, value, low)
        return int(real) if hasattr(value, "__index__") else real

    @classmethod
    def _steps(cls, name: str, value: Any) -> Any:
        if (steps := cls._number(name, value, -math.inf)) <= 0:
            raise ValueError(f"[{cls.__name__}] {name} must be above 0, got {value}")
        return steps

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))

    def __repr__(self) -> str:
        return as_call(self, self.get_config())
