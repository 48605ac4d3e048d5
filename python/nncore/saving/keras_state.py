"""The state of an optimizer in Keras' files: variables in a fixed order, without names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.arrays import Floats
from ..common.messages import warn
from ..training.trainer import Trainer
from .writing import weights_of

# Moments that Keras stores together for each weight; others are stored for all weights one after another.
_PAIRS = [("momentum", "velocity"), ("accumulated_grad", "accumulated_delta_var"), ("momentum", "norm")]


def _order(trainer: Trainer) -> list[tuple[str, int]]:
    """Moment and number of the weight of each variable, in Keras' order, after the scalar variables."""
    network = trainer.net.network
    names: list[str] = [] if network is None else network.buffers[2:]
    trained = [i for i, (_, w, _) in enumerate(weights_of(trainer.net)) if w.trainable]
    rules: list[str] = [name for name in ("average", "gradient_accumulator") if name in names]
    moments = [name for name in names if name not in rules]
    order = [(name, i) for name in rules for i in trained]
    if tuple(moments[:2]) in _PAIRS:
        order += [(name, i) for i in trained for name in moments[:2]]
        moments = moments[2:]
    return order + [(name, i) for name in moments for i in trained]


def _numbers(trainer: Trainer, iterations: int) -> list[Any]:
    """The scalar variables: iterations, and the learning rate if it is no schedule."""
    assert trainer.settings is not None
    optimizer, kind = trainer.settings.optimizer, np.int32 if iterations < 2**31 else np.int64
    is_schedule = isinstance(optimizer.get_config()["learning_rate"], dict)
    return [np.array(iterations, kind), *([] if is_schedule else [np.float32(optimizer.learning_rate)])]


def restore(trainer: Trainer, found: list[Any]) -> None:
    """Sets the state of an optimizer from the variables of a file."""
    net, order, first = trainer.net, _order(trainer), len(_numbers(trainer, 0))
    network, weights = net.network, [w for _, w, _ in weights_of(net)]
    if network is None or len(found) < first + bool(order):
        return
    shapes = [values.shape for values in found[first:]]
    if shapes[: len(order)] != [weights[i].shape for _, i in order]:
        return warn(f"[{net.name}] the file has another kind of state for the optimizer, which starts anew")
    if any(values.shape for values in found[:first]):
        raise ValueError("the first variables of its optimizer are no single numbers")
    values_of: dict[tuple[str, int], Floats] = dict(zip(order, found[first:]))
    for moment in network.buffers[2:]:
        parts = [values_of.get((moment, i), np.zeros(w.shape, np.float32)) for i, w in enumerate(weights)]
        network.write(moment, net.joined(parts))
    network.iterations = min(max(int(found[0]), 0), 2**62)


def of_optimizer(trainer: Trainer) -> list[Any]:
    """The variables of an optimizer, in Keras' order."""
    net, network = trainer.net, trainer.net.network
    if network is None or trainer.compiled is not network:
        return [] if trainer.settings is None else _numbers(trainer, 0)
    buffers, iterations = network.state()
    values_of = {name: net.parts(flat) for name, flat in buffers[1:]}
    steps = trainer.settings.optimizer.gradient_accumulation_steps if trainer.settings else None
    if steps and iterations % steps == 0:  # Keras stores 0 here, as the next step starts the count again
        values_of["gradient_accumulator"] = [np.zeros_like(v) for v in values_of["gradient_accumulator"]]
    moments = [values_of[name][i] for name, i in _order(trainer)]
    last = trainer.settings.optimizer.numbers_behind(iterations // (steps or 1)) if trainer.settings else []
    return [*_numbers(trainer, iterations), *moments, *map(np.float32, last)]
