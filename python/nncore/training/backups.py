"""Files of the state of a training: weights, the optimizer's state, and the position in the data.

The format is safetensors, as for models, but without layers: a file is read into the model that wrote it, or
into one that is built and compiled in the same way. Tensors are the flat buffers of the core, and the epoch's
sums of loss and metrics as bits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from ..common.arguments import integer, number
from ..common.content import VERSION, Content, content_of, errors_name, expect, memory
from ..common.seeds import SEEDS
from ..optimizers import MOST


def _layout(course: Any) -> list[Any]:
    return [[number, name, list(sizes)] for number, name, _, sizes in course.network.layout]


def training_bytes(course: Any, epoch: int, batch: int) -> bytes:
    """The state of the running `fit`, to resume at an epoch after a number of its batches."""
    net, optimizer = course.net, course.optimizer
    buffers, iterations = course.network.state()
    tensors = dict(buffers)
    if batch:
        tensors["sums"] = np.array(course.totals()).view(np.float32)
    settings = {
        "version": VERSION,
        "layout": _layout(course),
        "epoch": epoch,
        "batch": batch,
        "position": course.feed.position(),
        "seed": net.seed,
        "epochs": net.epochs,
        "iterations": iterations,
        "learning_rate": None if optimizer.schedule else float(optimizer.learning_rate),
    }
    with memory(3 * sum(tensor.nbytes for tensor in tensors.values())):
        data: bytes = safetensors.numpy.save(tensors, {"nncore": json.dumps(settings, allow_nan=False)})
    return data


def restore_training(course: Any, path: Path) -> None:
    """Makes the running `fit` resume at the state that `training_bytes` wrote.

    ValueError, and no change, if the file is damaged or does not fit.
    """
    data = path.read_bytes()
    with errors_name(str(path)):
        _restore(course, content_of(data))


def _whole(settings: dict[str, Any], name: str, high: int = 2**62) -> int:
    return integer("backup", name, settings[name], low=0, high=high)


def _restore(course: Any, content: Content) -> None:
    settings, tensors = content
    net, network, optimizer = course.net, course.network, course.optimizer
    if settings["layout"] != _layout(course):
        raise ValueError("it is of a model with other weights")
    epoch, batch, epochs, iterations = (
        _whole(settings, name) for name in ("epoch", "batch", "epochs", "iterations")
    )
    seed = _whole(settings, "seed", SEEDS - 1)
    names = [name for name in network.buffers if name != "gradients"]
    wanted = [*names, "sums"] if batch else names
    if sorted(tensors) != sorted(wanted):
        raise ValueError(f"it holds {sorted(tensors)}, and the optimizer needs {sorted(wanted)}")
    sizes = network.read("parameters").shape
    if any(tensors[name].shape != sizes for name in names):
        raise ValueError("its tensors have other sizes")
    totals = tensors["sums"].copy().view(np.float64).tolist() if batch else []
    network.reset(course.sums)
    if batch and len(totals) != len(course.totals()):
        raise ValueError("the model has other metrics")
    rate = settings["learning_rate"]
    if (rate is None) != (optimizer.schedule is not None):
        raise ValueError("the learning rate is a schedule in one of both only")
    if rate is not None:
        rate = number("backup", "learning_rate", rate, 0.0, MOST)
    given = expect(dict, settings["position"], "position")
    position = {name: _whole(given, name) for name in given}
    before, net.seed = net.seed, seed
    try:
        course.go_to(epoch, batch, position, totals, rate)
    except BaseException:
        net.seed = before
        raise
    network.seed, network.iterations, net.epochs = seed, iterations, epochs
    for name in names:
        network.write(name, tensors[name])
    if rate is not None:
        optimizer.learning_rate = rate
