"""Learning rates that change with the steps. An optimizer takes a schedule instead of a number.

A schedule is called with the number of a step, from 0, and returns its learning rate. A step is a batch of
`fit`, even if several batches make one update (gradient_accumulation_steps).

>>> decay = ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)
>>> decay(0), decay(10), decay(15)
(0.5, 0.125, 0.0625)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...common.absent import answer
from ...common.arguments import unknown
from ...common.described import entry
from .._schedule import LearningRateSchedule
from . import cosines, decays
from .cosines import *  # noqa: F403
from .decays import *  # noqa: F403

__all__ = ["LearningRateSchedule", "deserialize", "serialize"]
__all__ += cosines.__all__
__all__ += decays.__all__

answer(__name__)

CLASSES: dict[str, type[LearningRateSchedule]] = {
    name: vars(module)[name] for module in (cosines, decays) for name in module.__all__
}


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The class name and arguments of a schedule.

    >>> serialize(decays.InverseTimeDecay(0.5, 10, 1.0))["class_name"]
    'InverseTimeDecay'
    """
    return entry(learning_rate_schedule)


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> LearningRateSchedule:
    """The schedule for a config that `serialize` returned.

    Args:
        config: a dict of class_name and config.
        custom_objects: your own classes by their names.

    Raises:
        ValueError: there is no schedule of that name.

    >>> deserialize(serialize(decays.InverseTimeDecay(0.5, 10, 1.0)))(10)
    0.25
    """
    classes = {**CLASSES, **(custom_objects or {})}
    if config["class_name"] not in classes:
        raise unknown("schedules.deserialize", "schedule", str(config["class_name"]), classes)
    found: LearningRateSchedule = classes[config["class_name"]].from_config(config["config"])
    return found
