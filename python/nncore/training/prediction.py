"""Predictions in slices, with callbacks and progress, or from a source of batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..callbacks import CallbackList, Logs
from ..common.progress import Progress
from ..layers._weights import Floats
from .feeds import Data, Feed, Rows
from .trainer import Trainable


def freeze_state(model: Trainable, network: _core.Network) -> None:
    """Before a call in training: layers that do not train leave their state alone, as after `compile`."""
    layers, settings = model._computing(), model._settings
    if (settings is None or model._compiled is not network) and any(layer._state for layer, _ in layers):
        trains = [x.trainable if settings is None else path not in settings.frozen for x, path in layers]
        network.freeze(trains)


def predicted(model: Trainable, feed: Feed, first: Data, called: CallbackList, look: int) -> Any:
    """The outputs for what a feed serves, in the form of the model's outputs.

    Args:
        first: the first of the feed's data, by which the model is built.
        look: style of the progress, see `_progress.style`.
    """
    network = model._ready(first, compiled=False)
    xs = first.x if isinstance(first.x, tuple) else (first.x,)
    shapes = [tuple(one) for one in network.output_shapes([array.shape[1:] for array in xs])]
    outs = tuple(np.empty((first.rows, *sizes), np.float32) for sizes in shapes)
    parts: list[tuple[Floats, ...]] = []

    def work(data: Data, order: Any, start: int, stop: int, size: int, seconds: float) -> int:
        if isinstance(feed, Rows):
            stop = network.predict(data.x, outs if len(outs) > 1 else outs[0], start, stop, seconds)
            parts.append(tuple(out[start:stop] for out in outs))
        else:
            made = network.forward(data.x, False)
            parts.append(made if isinstance(made, tuple) else (made,))
            if (other := [array.shape[1:] for array in parts[-1]]) != shapes:
                raise ValueError(
                    f"[{model.name}] batches have outputs of shapes {shapes} and {other}, which cannot be "
                    "one array: use predict_on_batch for each"
                )
        return stop

    def logs() -> Logs:
        return {"outputs": model._packed(parts[-1] if len(outs) > 1 else parts[-1][0])}

    called.start(look, 1, feed.steps)
    model.stop_predicting = False
    with Progress(look).start("Prediction", feed.steps) as progress:
        called.call("on_predict_begin", {})
        feed.start(0)
        model._steps("predict", feed, work, logs, called, progress)
        progress.finish({})
    called.call("on_predict_end", {})
    if isinstance(feed, Rows):
        rows = sum(len(part[0]) for part in parts)
        found = tuple(out[:rows] for out in outs)
    else:
        found = tuple(np.concatenate(each) for each in zip(*parts))
    return model._packed(found if len(found) > 1 else found[0])
