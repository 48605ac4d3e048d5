"""The base class of schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class LearningRateSchedule:
    """Base class, also for your own schedules, whose ``__call__(step)`` returns the learning rate.

    ``step`` is an int, the result a real number of at least 0. It is called once for each step, in order, up
    to 256 steps ahead. Models with your own schedules cannot be saved, but their weights can.

    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * min(1.0, step / 100)
    >>> Warmup()(50)
    0.05
    """

    # Settings to test.
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ()

    def __call__(self, step: int) -> Any:
        """The learning rate of step number `step`."""
        raise NotImplementedError(f"[{type(self).__name__}] __call__(step) must be written")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        raise NotImplementedError(f"[{type(self).__name__}] get_config() must be written")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """The schedule for a config that `get_config` returned."""
        return cls(**config)
