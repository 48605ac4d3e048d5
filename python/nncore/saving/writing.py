"""Model files from models."""

from __future__ import annotations

import json
import struct
from typing import Any

import safetensors.numpy

from .. import constraints, initializers, layers, losses, metrics, optimizers, regularizers
from ..common.content import MOST_BYTES, MOST_CALLS, MOST_LAYERS, MOST_TABLES, VERSION, memory
from ..common.described import Described, entry
from ..common.values import Form
from ..graph.net import Chain, Net
from ..layers import InputLayer, Variable
from ..metrics import MeanMetricWrapper
from ..optimizers import schedules
from ..training.trainer import Trainer

_FAMILIES: Any = (layers, initializers, regularizers, constraints, optimizers, schedules, losses, metrics)


def named(thing: Any) -> dict[str, Any]:
    if isinstance(thing, MeanMetricWrapper):
        return {"class_name": "MeanMetricWrapper", "config": {**thing.get_config(), "fn": thing.fn_name}}
    kinds = (Described, schedules.LearningRateSchedule)
    for part in (thing, *(value for value in vars(thing).values() if isinstance(value, kinds))):
        known = [m.CLASSES.get(type(part).__name__) for m in _FAMILIES]
        if type(part) not in known:
            raise ValueError(
                f"[save] {thing.name!r} cannot be saved: its class {type(part).__name__} is not one "
                "of nncore. Weights can be saved, with save_weights"
            )
    return entry(thing)


class _Objects:
    """Entries of a model, its layers and inner models, each once and before the models that contain it.
    Models refer to them by number.

    Attributes:
        calls: number of calls of layers in all models.
    """

    def __init__(self, net: Net) -> None:
        self.entries: list[dict[str, Any]] = []
        self.calls = 0
        self._number: dict[int, int] = {}
        self._paths = {id(layer): path for layer, path in net.computing()}
        self._add(net, net)

    def _put(self, entry: dict[str, Any]) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def _add(self, thing: Any, net: Net | None) -> int:
        """Adds a layer, or a model with its net."""
        if id(thing) not in self._number:
            if net is not None:
                entry = self._model(net)
            else:
                entry = named(thing)
                if thing.shapes is not None and not isinstance(thing, InputLayer):
                    shapes = [list(one) for one in thing.shapes.before]
                    used = ((self._paths.get(id(leaf)), within) for leaf, within in thing.leaves(""))
                    path = next((at.removesuffix(within) for at, within in used if at), "")
                    entry |= {"path": path, "shapes": shapes}
                    entry |= {"options": dict(thing.shapes.options)} if thing.shapes.options else {}
            self._number[id(thing)] = self._put(entry)
        return self._number[id(thing)]

    def _model(self, net: Net) -> dict[str, Any]:
        common = {"name": net.name, "seed": net.seed, "epochs": net.epochs}
        self.calls += net.graph.size if net.graph else 0
        if isinstance(net, Chain):
            sample = net.known_sample()
            config: dict[str, Any] = {
                "input_shape": None if sample is None else list(sample),
                "layers": [self._add(*item) for item in net.items],
                "built": net.network is not None,
            }
            return {"class_name": "Sequential", "config": common | config}
        graph = net.required_graph()
        inputs, numbers = [], {}
        for i, (value, name) in enumerate(zip(graph.inputs, graph.input_names)):
            owner, numbers[value.key] = value.key[0].owner, i
            # A value of another layer that the model begins with becomes an input of its own.
            made = {"class_name": "InputLayer", "config": {"name": name, "shape": list(value.sample)}}
            inputs.append(self._add(owner, None) if isinstance(owner, InputLayer) else self._put(made))
        calls, count = [], len(inputs)
        for call in graph.calls:
            read = [numbers[value.key] for value in call.inputs]
            options = [dict(call.options)] if call.options else []
            calls.append([self._add(call.owner, call.net), read, *options])
            for value in call.values():
                numbers.setdefault(value.key, count)
                count += 1
        config = {
            "inputs": inputs,
            "calls": calls,
            "outputs": [numbers[value.key] for value in graph.outputs],
            "forms": [_form_entry(graph.in_form), _form_entry(graph.out_form)],
        }
        return {"class_name": "Model", "config": common | config}


def _form_entry(form: Form) -> Any:
    return list(form.keys) if form.keys else form.kind and form.kind.__name__


def _compile_settings(trainer: Trainer, iterations: int) -> dict[str, Any] | None:
    net, s = trainer.net, trainer.settings
    if s is None:
        return None
    trainer.functions()  # raises an error if names are ambiguous
    excluded = s.optimizer.without_decay
    if excluded[1] and net.flat is None:
        raise ValueError(
            f"[{net.name}] is not built, so what exclude_from_weight_decay excludes is not known: call "
            "build(input_shape) first"
        )
    weights = weights_of(net) if any(excluded) else []
    return {
        "optimizer": named(s.optimizer),
        "outputs": [
            {
                "loss": s.given_loss if isinstance(s.given_loss, str) else j.loss and named(j.loss),
                "weight": j.weight,
                "metrics": [m if isinstance(m, str) else named(m) for m in j.metrics],
                "weighted_metrics": [m if isinstance(m, str) else named(m) for m in j.weighted_metrics],
            }
            for j in s.outputs
        ],
        "frozen": sorted(s.frozen),
        "without_decay": [name for name, w, _ in weights if not s.optimizer.decays(w.layer, w.name)],
        "iterations": iterations,
    }


def weights_of(net: Net) -> list[tuple[str, Variable, str]]:
    """For each weight its name in the file, the weight, and the path of its layer."""
    return [(f"{path}/{w.name}", w, path) for layer, path in net.computing() for w in layer.weights]


def to_bytes(trainer: Trainer, weights_only: bool) -> bytes:
    """The content of a model file."""
    net, s = trainer.net, trainer.settings
    network = net.network
    if network is None and any(layer.weights for layer, _ in net.computing()):
        raise ValueError(
            f"[{net.name}] is not built, but some of its layers are: call build(input_shape) first"
        )
    weights = weights_of(net)
    settings: dict[str, Any] = {
        "version": VERSION,
        "parameters": [[name, list(weight.shape)] for name, weight, _ in weights],
    }
    buffers, iterations = ([], 0) if network is None else network.state()
    tensors, calls = {}, 0
    if buffers:
        tensors = {name: values for (name, _, _), values in zip(weights, net.parts(buffers[0][1]))}
    if not weights_only:
        trained = network is not None and trainer.compiled is network
        objects = _Objects(net)
        calls = objects.calls
        settings |= {
            "objects": objects.entries,
            "compile": _compile_settings(trainer, iterations if trained else 0),
        }
        frozen = s.frozen if s else ()
        for moment, flat in buffers[1:] if trained else ():
            for (name, weight, path), values in zip(weights, net.parts(flat)):
                if path not in frozen and not weight.is_state:
                    tensors[f"optimizer/{moment}/{name}"] = values
    with memory(3 * sum(tensor.nbytes for tensor in tensors.values())):
        data = safetensors.numpy.save(tensors, {"nncore": json.dumps(settings, allow_nan=False)})
    header = data[8 : 8 + struct.unpack("<Q", data[:8])[0]]
    too_large = len(header) > MOST_BYTES or header.count(b"[") + header.count(b"{") > MOST_TABLES
    if too_large or len(settings.get("objects", ())) > MOST_LAYERS or calls > MOST_CALLS:
        raise ValueError(
            f"[{net.name:.80}] is too large to be loaded again: a file may have {MOST_LAYERS} layers, "
            f"{MOST_CALLS} calls of them and 4 MB of names and settings"
        )
    return data
