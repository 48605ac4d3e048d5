"""Every optimizer, with each group of settings with which it is tested, and its step by the reference."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np

from nncore import ops as _  # noqa: F401 (its operations)
from nncore import optimizers
from nncore._operations import settings_of, wide
from nncore.ops.updates import UPDATES, Update
from nncore.optimizers import ROWS, Optimizer

Array = np.ndarray[Any, Any]

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name} {settings or ''}".strip(): (name, settings)
    for name, made in optimizers.CLASSES.items()
    for variants in [[{}, *made._variants]]  # type: ignore[attr-defined]
    for settings in [*variants, {**variants[-1], "weight_decay": 0.1}]
}
OPTIMIZERS = {key: partial(optimizers.CLASSES[name], **given) for key, (name, given) in SETTINGS.items()}


def update_of(optimizer: Optimizer) -> Update:
    (found,) = [
        update
        for update in UPDATES.values()
        if isinstance(optimizer, update.optimizer)
        and all(getattr(optimizer, name) == value for name, value in update.fixed.items())
    ]
    return found


def moments_of(optimizer: Optimizer) -> list[str]:
    """Their names in files."""
    return ROWS[optimizer._spec()[0]][1]


def arguments_of(optimizer: Optimizer, moments: dict[str, Array], step: int) -> dict[str, Any]:
    """What the function of the optimizer's step takes besides w and g."""
    update = update_of(optimizer)
    names = [*inspect.signature(update.reference).parameters]
    arguments: dict[str, Any] = {name: moments.get(moment) for name, moment in update.moments.items()}
    settings = settings_of(update.reference).keys() - update.moments.keys()
    arguments |= {name: getattr(optimizer, name) for name in settings}
    return {**arguments, "step": step} if "step" in names else arguments


def reference_step(
    optimizer: Optimizer, w: Array, g: Array, moments: dict[str, Array], step: int
) -> tuple[Array, dict[str, Array]]:
    """(w, moments) after a step, in float64."""
    update = update_of(optimizer)
    w = wide(w) - wide(w) * (optimizer.weight_decay or 0.0) * float(optimizer.learning_rate)
    new, *after = update.reference(w, g, **arguments_of(optimizer, moments, step))
    return new, {name: a for name, a in zip(update.moments.values(), after) if a is not None}
