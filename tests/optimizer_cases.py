"""Settings for tests of every optimizer, and its step by the reference."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np

from nncore import ops as _  # noqa: F401 (its operations)
from nncore import optimizers
from nncore.common.operations import settings_of, wide
from nncore.ops.updates import UPDATES, Update
from nncore.optimizers import ROWS, Optimizer

Array = np.ndarray[Any, Any]

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name} {settings or ''}".strip(): (name, settings)
    for name, made in optimizers.CLASSES.items()
    for variants in [[{}, *made._variants]]  # type: ignore[attr-defined]
    for settings in [*variants, {**variants[-1], "weight_decay": 0.1}]
}
# The arguments that all have, one and several at once.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name} {settings}": (name, settings)
    for name, settings in [
        ("SGD", {"learning_rate": 0.5, "momentum": 0.9, "clipnorm": 0.05}),
        ("Adam", {"learning_rate": 0.1, "clipnorm": 0.01, "epsilon": 0.1}),
        ("SGD", {"learning_rate": 0.5, "clipvalue": 0.02}),
        ("SGD", {"learning_rate": 0.5, "momentum": 0.9, "nesterov": True, "global_clipnorm": 0.1}),
        ("Adam", {"learning_rate": 0.1, "global_clipnorm": 0.05, "epsilon": 0.1}),
        ("SGD", {"learning_rate": 0.5, "clipnorm": 0.0, "use_ema": True, "ema_momentum": 0.7}),
        ("Adam", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}),
        ("SGD", {"learning_rate": 0.5, "momentum": 0.9, "gradient_accumulation_steps": 2}),
        ("Adam", {"learning_rate": 0.1, "weight_decay": 0.1, "gradient_accumulation_steps": 5}),
    ]
    + [
        (
            name,
            {
                "learning_rate": 0.1,
                "weight_decay": 0.1,
                clip: 0.03,
                "use_ema": True,
                "ema_momentum": 0.8,
                "ema_overwrite_frequency": 2,
                "gradient_accumulation_steps": 3,
            },
        )
        for name, clip in [("Adam", "global_clipnorm"), ("SGD", "clipvalue"), ("Adam", "clipnorm")]
    ]
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
    """The names of the moments in files."""
    return ROWS[optimizer.spec()[0]][1]


def initial_moments(optimizer: Optimizer, like: Array) -> dict[str, Array]:
    """The moments before the first step, by their names in files."""
    starts = {name: getattr(optimizer, f"initial_{name}_value", 0.0) for name in moments_of(optimizer)}
    return {name: np.full_like(like, start) for name, start in starts.items()}


def arguments_of(optimizer: Optimizer, moments: dict[str, Array], step: int) -> dict[str, Any]:
    """Arguments of the function of the optimizer's step besides w and g."""
    update = update_of(optimizer)
    names = [*inspect.signature(update.reference).parameters]
    arguments: dict[str, Any] = {name: moments.get(moment) for name, moment in update.moments.items()}
    settings = settings_of(update.reference).keys() - update.moments.keys()
    arguments |= {name: getattr(optimizer, name) for name in settings}
    return {**arguments, "step": step} if "step" in names else arguments


class ReferenceRules:
    """Weights of a model and state of its optimizer in float64, updated by steps with given gradients."""

    def __init__(self, optimizer: Optimizer, weights: list[Array], decays: list[bool] | None = None) -> None:
        self.optimizer, self.weights, self.batches = optimizer, [wide(w) for w in weights], 0
        self.decays = decays or [True] * len(weights)
        zeros = [np.zeros_like(w) for w in self.weights]
        self.sums, self.averages = zeros, zeros
        self.moments = [initial_moments(optimizer, w) for w in self.weights]

    def step(self, gradients: list[Array]) -> None:
        o, count = self.optimizer, self.optimizer.gradient_accumulation_steps or 1
        update, last = self.batches // count, self.batches % count == count - 1
        self.sums = [s + wide(g) for s, g in zip(self.sums, gradients)]
        if last:
            clipped = self.clipped([s / count for s in self.sums])
            for i, g in enumerate(clipped):
                new = reference_step(o, self.weights[i], g, self.moments[i], update + 1, self.decays[i])
                self.weights[i], self.moments[i] = new
            self.sums = [np.zeros_like(s) for s in self.sums]
        if o.use_ema:
            m = o.ema_momentum if update else 0.0
            self.averages = [m * a + (1.0 - m) * w for a, w in zip(self.averages, self.weights)]
            if o.ema_overwrite_frequency and (update + 1) % o.ema_overwrite_frequency == 0:
                self.weights = list(self.averages)
        self.batches += 1

    def clipped(self, gradients: list[Array]) -> list[Array]:
        o = self.optimizer
        norms = [np.sqrt(np.sum(g * g)) for g in gradients]
        if o.global_clipnorm:
            norms = [np.sqrt(sum(norm**2 for norm in norms))] * len(norms)
        if most := o.clipnorm or o.global_clipnorm:
            return [g * (most / max(norm, most)) for g, norm in zip(gradients, norms)]
        return [np.clip(g, -o.clipvalue, o.clipvalue) if o.clipvalue else g for g in gradients]


def reference_step(
    optimizer: Optimizer, w: Array, g: Array, moments: dict[str, Array], step: int, decays: bool = True
) -> tuple[Array, dict[str, Array]]:
    """(w, moments) after a step, in float64."""
    update = update_of(optimizer)
    decay = (optimizer.weight_decay or 0.0) * decays
    w = wide(w) - wide(w) * decay * float(optimizer.learning_rate)
    new, *after = update.reference(w, g, **arguments_of(optimizer, moments, step))
    return new, {name: a for name, a in zip(update.moments.values(), after) if a is not None}
