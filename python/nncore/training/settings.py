"""The settings of `compile`, and their translation for the core."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import _core, losses, metrics, optimizers
from ..common.arguments import number
from ..common.values import OpenShape
from ..graph.graph import Flat
from ..graph.net import Built
from ..losses import Loss
from ..metrics import Metric
from ..optimizers import Optimizer

_ACCURACY = ("accuracy", "acc")


class Judged:
    """Loss and metrics of one output. A metric "accuracy" stays a string, as the output decides its kind."""

    def __init__(
        self,
        loss: Loss | None,
        weight: float = 1.0,
        metrics: tuple[Metric | str, ...] = (),
        weighted_metrics: tuple[Metric | str, ...] = (),
    ) -> None:
        self.loss, self.weight = loss, weight
        self.metrics, self.weighted_metrics = metrics, weighted_metrics

    def names(self) -> list[str]:
        """Names of the metrics, then of the weighted metrics. A repeated name gets a number."""
        keys: list[str] = []
        seen = {"loss": 1}
        for group, prefix in ((self.metrics, ""), (self.weighted_metrics, "weighted_")):
            for metric in group:
                name = _name(metric)
                if prefix and name in seen:
                    name = prefix + name
                count = seen.get(name, 0)
                seen[name] = count + 1
                keys.append(f"{name}_{count}" if count else name)
        return keys

    def specs(self, group: Sequence[Metric | str], output: OpenShape) -> list[_core.Spec]:
        """Names and settings of the metrics that the core computes.

        "accuracy" is binary for a single value, else categorical; sparse where the loss is.
        """
        if output and (output[-1] or 1) > 1:
            sparse = isinstance(self.loss, losses.SparseCategoricalCrossentropy)
            accuracy = "sparse_categorical_accuracy" if sparse else "categorical_accuracy"
        else:
            accuracy = "binary_accuracy"
        return [
            (accuracy, {}) if isinstance(metric, str) else metric.spec()
            for metric in group
            if not _in_python(metric)
        ]


class Settings:
    """The arguments of `compile`, checked and complete.

    Attributes:
        output_names: empty for a single output.
        frozen: paths of layers that were not trainable when the model was compiled.
        given_loss: the argument `loss` as the user gave it.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        outputs: tuple[Judged, ...],
        output_names: tuple[str, ...],
        frozen: frozenset[str],
        given_loss: Any,
    ) -> None:
        self.optimizer, self.outputs, self.output_names = optimizer, outputs, output_names
        self.frozen, self.given_loss = frozen, given_loss

    @property
    def has_loss(self) -> bool:
        return any(judged.loss is not None for judged in self.outputs)

    @functools.cached_property
    def _results(self) -> list[tuple[str, str]]:
        """Key in the logs and best direction of each result, in the core's order; key "" is left out."""
        keys = [("loss", "min")]
        several = sum(judged.loss is not None for judged in self.outputs) > 1
        for judged, output in zip(self.outputs, self.output_names or ("",)):
            prefix = f"{output}_" if self.output_names else ""
            if self.output_names and judged.loss is not None:
                keys.append((f"{prefix}loss" if several else "", "min"))
            both = (*judged.metrics, *judged.weighted_metrics)
            for name, metric in zip(judged.names(), both):
                keys.append((prefix + name, "max" if isinstance(metric, str) else metric.direction))
        return keys

    @functools.cached_property
    def names(self) -> list[str]:
        """Keys of logs, sorted as in Keras."""
        return sorted(key for key, _ in self._results if key)

    @functools.cached_property
    def _positions(self) -> list[tuple[str, int]]:
        """Each key of logs, with the position of its value in the results of the core."""
        positions = {key: position for position, (key, _) in enumerate(self._results)}
        return [(key, positions[key]) for key in self.names]

    @functools.cached_property
    def returned(self) -> list[str]:
        """Keys in the order in which `evaluate` returns values: losses first; for one output as given."""
        if not self.output_names:
            return [key for key, _ in self._results]
        losses = [key for key in self.names if key == "loss" or key in self._own_losses]
        losses.sort(key=lambda key: -1 if key == "loss" else self._own_losses.index(key))
        return [*losses, *(key for key in self.names if key not in losses)]

    @property
    def _own_losses(self) -> list[str]:
        return [f"{name}_loss" for name in self.output_names]

    @functools.cached_property
    def functions(self) -> list[tuple[int, bool, Metric]]:
        """The metrics that Python computes: number of the output, whether it is weighted, and the metric."""
        return [
            (number, weighted, metric)
            for number, judged in enumerate(self.outputs)
            for weighted, group in ((False, judged.metrics), (True, judged.weighted_metrics))
            for metric in group
            if isinstance(metric, Metric) and metric.in_python
        ]

    def _joined(self, of_core: Sequence[Any], of_functions: Sequence[float]) -> list[Any]:
        """The results of the core and of Python functions, in the order of the metrics."""
        core, functions = iter(of_core), iter(of_functions)
        found = [next(core)]
        for judged in self.outputs:
            found += [next(core)] if self.output_names and judged.loss is not None else []
            for metric in (*judged.metrics, *judged.weighted_metrics):
                found.append(next(functions if _in_python(metric) else core))
        return found

    def logs(self, results: Sequence[Any], of_functions: Sequence[float] = ()) -> dict[str, Any]:
        """Logs from the results of the core and of Python functions. Results may be fewer than names, if
        another thread compiled the model meanwhile.
        """
        if of_functions and results:
            results = self._joined(results, of_functions)
        return {key: results[position] for key, position in self._positions if position < len(results)}

    def _decays(self, network: _core.Network, flat: Flat) -> list[bool]:
        """For each weight of the network, whether weight_decay applies; empty if it applies to all."""
        decays = self.optimizer.decays
        found = [decays(flat.layers[number], name) for number, name, *_ in network.layout]
        return [] if all(found) else found

    def directions(self) -> dict[str, str]:
        """Whether a smaller ("min") or larger ("max") value of each key is better, where that is known."""
        return {key: direction for key, direction in self._results if direction}

    def apply(self, owner: str, built: Built) -> None:
        """Compiles the network of a model. ValueError, and no change, if they do not fit."""
        flat, network = built.flat, built.network
        outputs = [value.sample for value in built.graph.outputs]
        if len(outputs) != len(self.outputs):
            raise ValueError(
                f"[{owner}] was compiled for {len(self.outputs)} outputs, and has {len(outputs)} now"
            )
        for judged, output in zip(self.outputs, outputs):
            if isinstance(judged.loss, losses.SparseCategoricalCrossentropy) and output[-1:] == (1,):
                raise ValueError(
                    f"[{owner}] sparse_categorical_crossentropy needs one output for each class, the model "
                    "has 1"
                )
        both = list(zip(self.outputs, outputs))
        try:
            network.compile(
                [judged.loss.spec() if judged.loss is not None else None for judged in self.outputs],
                [judged.weight for judged in self.outputs],
                [judged.specs(judged.metrics, output) for judged, output in both],
                [judged.specs(judged.weighted_metrics, output) for judged, output in both],
                self.optimizer.spec(),
                [path not in self.frozen for path in flat.paths],
                regularizers=flat.of_weights("regularizer"),
                constraints=flat.of_weights("constraint"),
                rules=self.optimizer.rules(),
                decays=self._decays(network, flat),
            )
        except ValueError as error:
            raise ValueError(f"[{owner}] {error}") from None


def _in_python(metric: Metric | str) -> bool:
    return isinstance(metric, Metric) and metric.in_python


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
            is_accuracy = isinstance(item, str) and item in _ACCURACY
            found.append(item if is_accuracy else metrics.found(item, owner))
    if any(_name(metric) == "loss" for metric in found):
        raise ValueError(f"[{owner}] {argument} must not use the name 'loss'")
    return tuple(found)


def _by_output(owner: str, argument: str, given: Any, names: Sequence[str], is_list: bool) -> list[Any]:
    """One item for each output, from a dict by name, from a list, or from one item for all outputs."""
    if isinstance(given, Mapping):
        if unknown := [key for key in given if key not in names]:
            raise ValueError(
                f"[{owner}] {argument} names the output {unknown[0]!r}, but there are {', '.join(names)}"
            )
        return [given.get(name) for name in names]
    if given is None or (not isinstance(given, (list, tuple)) and not is_list):
        return [given] * len(names)
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise ValueError(
            f"[{owner}] {argument} must be a dict or a list with one item for each of the {len(names)} "
            f"outputs ({', '.join(names)}), got {given!r:.80}"
        )
    return list(given)


def settings_of(
    owner: str,
    optimizer: Any,
    loss: Any,
    loss_weights: Any,
    given_metrics: Any,
    weighted_metrics: Any,
    names: Sequence[str],
    frozen: Iterable[str],
) -> Settings:
    """The arguments of `compile`, checked. names: of the outputs."""
    one = len(names) == 1
    groups = []
    for argument, given in (("metrics", given_metrics), ("weighted_metrics", weighted_metrics)):
        if one and not isinstance(given, Mapping):
            each = [given]
        else:
            each = _by_output(owner, argument, given, names, is_list=True)
            each = [m if m is None or isinstance(m, (list, tuple)) else [m] for m in each]
        groups.append([metric_list(owner, argument, m) for m in each])
    if one and loss_weights is not None and not isinstance(loss_weights, (list, tuple, Mapping)):
        loss_weights = [loss_weights]
    if isinstance(loss_weights, (list, tuple)) and any(isinstance(w, (str, Metric)) for w in loss_weights):
        raise TypeError(
            f"[{owner}] loss_weights must be numbers, got {loss_weights!r} (did you mean metrics=...?)"
        )
    weights = _by_output(owner, "loss_weights", loss_weights, names, is_list=True)
    each_loss = _by_output(owner, "loss", loss, names, is_list=False)
    return Settings(
        optimizer=optimizers.found(optimizer, owner),
        outputs=tuple(
            Judged(
                losses.found(one_loss, owner),
                1.0 if weight is None else number(owner, "loss_weights", weight),
                plain,
                weighted,
            )
            for one_loss, weight, plain, weighted in zip(each_loss, weights, *groups)
        ),
        output_names=() if one else tuple(names),
        frozen=frozenset(frozen),
        given_loss=loss,
    )
