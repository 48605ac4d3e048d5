"""What an optimizer knows of schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class LearningRateSchedule:
    """Base class. Derive from it for a schedule of one's own, whose ``__call__(step)`` gives the rate.

    ``step`` is an int, the result any real number at least 0. Up to 256 steps ahead of time it is called once
    for each step, in order. Models with a schedule of one's own cannot be saved, their weights can.

    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * min(1.0, step / 100)
    >>> Warmup()(50)
    0.05
    """

    # Settings with which it is tested.
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ()

    def __call__(self, step: int) -> Any:
        """The learning rate of step number `step`."""
        raise NotImplementedError(f"[{type(self).__name__}] __call__(step) must be written")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        raise NotImplementedError(f"[{type(self).__name__}] get_config() must be written")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """The schedule of what `get_config` has returned."""
        return cls(**config)
