"""Search for the first part of a model whose values are not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..graph.net import Net
from .feeds import Data
from .settings import Settings


def _is_finite(array: Any) -> bool:
    return bool(np.isfinite(np.asarray(array, np.float32)).all())


def first_not_finite(net: Net, settings: Settings, network: _core.Network, data: Data) -> str:
    """A sentence that names the first values of a training batch that are not finite.

    The layers run one by one, with the random numbers of the next step.
    """
    xs = data.x if isinstance(data.x, tuple) else (data.x,)
    ys = data.y if isinstance(data.y, tuple) else (data.y,)
    if not all(map(_is_finite, xs)):
        return "The batch has inputs that are not finite"
    flat, graph = net.flat, net.required_graph()
    assert flat is not None
    inputs = [value.sample for value in graph.read]
    values = range(len(inputs), len(inputs) + len(flat.calls))
    specs = [layer.spec() for layer in flat.layers]
    blocks = [layer.block for layer in flat.layers if layer.block is not None]
    probe = _core.Network(inputs, specs, flat.calls, list(values), False, blocks)
    probe.seed, probe.iterations = network.seed, network.iterations
    probe.freeze([path not in settings.frozen for path in flat.paths])
    kept = network.read("parameters")
    try:
        outs = probe.forward(data.x, True)
    finally:
        network.write("parameters", kept)  # running the layers has changed their state
    for (number, _), out in zip(flat.calls, outs if isinstance(outs, tuple) else (outs,)):
        if not _is_finite(out):
            layer, path = flat.layers[number], flat.paths[number]
            sound = all(map(_is_finite, layer.get_weights()))
            of = "" if sound else ", whose weights are not finite: an update before has made them so"
            return f"The first values that are not finite are those of the layer {path!r}{of}"
    if not all(map(_is_finite, ys)):
        return "The batch has targets that are not finite"
    return "The values of all layers are finite: the loss itself is not"
