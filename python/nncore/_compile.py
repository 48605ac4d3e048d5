"""What `compile` was told, and what the compiled core is told about it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from . import _core, losses, metrics, optimizers
from .losses import Loss
from .metrics import Metric
from .optimizers import Optimizer

_ACCURACY = ("accuracy", "acc")


@dataclass(frozen=True)
class Settings:
    """Checked and complete. A metric is a string ("accuracy", "acc") if outputs decide what it is."""

    optimizer: Optimizer
    loss: Loss | None
    metrics: tuple[Metric | str, ...]
    weighted_metrics: tuple[Metric | str, ...]
    frozen: frozenset[str]  # names of layers that did not train at the time
    given_loss: Any  # as the user said it

    @functools.cached_property
    def names(self) -> list[str]:
        """Keys in logs, in the core's order: loss, metrics, weighted metrics. Repeated names get a number."""
        keys, seen = ["loss"], {"loss": 1}
        for group, prefix in ((self.metrics, ""), (self.weighted_metrics, "weighted_")):
            for metric in group:
                name = _name(metric)
                if prefix and name in seen:
                    name = prefix + name
                number = seen.get(name, 0)
                seen[name] = number + 1
                keys.append(f"{name}_{number}" if number else name)
        return keys

    def directions(self) -> dict[str, str]:
        """Whether a smaller ("min") or larger ("max") value of each key is better."""
        both = (*self.metrics, *self.weighted_metrics)
        return dict(zip(self.names, ["min", *("max" if isinstance(m, str) else m._direction for m in both)]))

    def apply(self, network: _core.Network, owner: str, layers: Sequence[str]) -> None:
        """Compiles the network. ValueError, and no change, if outputs, loss and metrics do not fit."""
        spec = self.loss._spec() if self.loss is not None else None
        if isinstance(self.loss, losses.SparseCategoricalCrossentropy) and network.output_shape[-1:] == (1,):
            raise ValueError(
                f"[{owner}] sparse_categorical_crossentropy needs one output for each class, the model has 1"
            )
        plain, weighted = (
            self._resolved(group, network.output_shape) for group in (self.metrics, self.weighted_metrics)
        )
        trainable = [name not in self.frozen for name in layers]
        try:
            network.compile([spec], [1.0], [plain], [weighted], self.optimizer._spec(), trainable)
        except ValueError as error:
            raise ValueError(f"[{owner}] {error}") from None

    def _resolved(self, group: Sequence[Metric | str], output: tuple[int, ...]) -> list[_core.Spec]:
        """Accuracy is what outputs and targets make of it: one output, class numbers, or one-hot rows."""
        if output and output[-1] > 1:
            sparse = isinstance(self.loss, losses.SparseCategoricalCrossentropy)
            accuracy = "sparse_categorical_accuracy" if sparse else "categorical_accuracy"
        else:
            accuracy = "binary_accuracy"
        return [(accuracy, {}) if isinstance(metric, str) else metric._spec() for metric in group]


def _name(metric: Metric | str) -> str:
    return metric if isinstance(metric, str) else metric.name


def metric_list(owner: str, argument: str, given: object) -> tuple[Metric | str, ...]:
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)):
        hint = f": {argument}=[{given!r}]" if isinstance(given, str) else ""
        raise TypeError(f"[{owner}] {argument} must be a list{hint}, got {given!r}")
    found: list[Metric | str] = []
    for item in given:
        if isinstance(item, (list, tuple)):
            found += metric_list(owner, argument, item)
        else:
            found.append(item if isinstance(item, str) and item in _ACCURACY else metrics.get(item, owner))
    if any(_name(metric) == "loss" for metric in found):
        raise ValueError(f"[{owner}] {argument} must not use the name 'loss'")
    return tuple(found)


def settings(
    owner: str, optimizer: Any, loss: Any, given_metrics: Any, weighted_metrics: Any, frozen: Iterable[str]
) -> Settings:
    """The arguments of `compile`, checked."""
    return Settings(
        optimizer=optimizers.get(optimizer, owner),
        loss=losses.get(loss, owner),
        metrics=metric_list(owner, "metrics", given_metrics),
        weighted_metrics=metric_list(owner, "weighted_metrics", weighted_metrics),
        frozen=frozenset(frozen),
        given_loss=loss,
    )
