"""Keras' configs of models. Names, arguments and defaults are the same; this module adds their
surroundings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common.content import MOST_LAYERS
from ..common.values import Form, Value, resolved
from ..graph.net import Chain, Net
from ..layers import BeforeNetwork, InputLayer, Layer
from ..layers.merging import Merge
from ..metrics import MeanMetricWrapper
from ..training.trainer import Trainer
from .writing import named

_POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}


def _entry(module: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": None}


def keras_class(owner: Any, net: Any) -> str:
    """The name of Keras' class for a layer, or for a model with its net."""
    return type(owner).__name__ if net is None else "Sequential" if isinstance(net, Chain) else "Functional"


def _with_modules(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a layer, with the modules in Keras of its initializers, regularizers and constraints."""
    return {
        name: _entry(f"keras.{name.rpartition('_')[2]}s", value["class_name"], _with_modules(value["config"]))
        if isinstance(value, Mapping) and "module" not in value
        else value
        for name, value in config.items()
    }


def _input_entry(name: str, sample: Any, is_text: bool = False) -> dict[str, Any]:
    dtype = "string" if is_text else "float32"
    config = {"batch_shape": [None, *sample], "dtype": dtype, "sparse": False, "name": name}
    return _entry("keras.layers", "InputLayer", config)


def _listed(shape: Any) -> Any:
    return [_listed(each) for each in shape] if isinstance(shape, (list, tuple)) else shape


class Writer:
    """Makes the entries of a model and its layers."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def _of(self, owner: Any, net: Net | None) -> dict[str, Any]:
        if isinstance(owner, InputLayer):
            return _input_entry(owner.name, owner.shape, owner.is_text)
        if id(owner) in self._seen:
            raise ValueError(
                f"[save] the layer {owner.name!r} is in several of the models here, which Keras' files and "
                "configs cannot say: save it in a name that ends in .safetensors, or use copy.deepcopy"
            )
        self._seen.add(id(owner))
        if len(self._seen) > MOST_LAYERS:
            raise ValueError(f"[save] there are more than {MOST_LAYERS} layers")
        return self._layer(owner) if net is None else self.model(net)

    @staticmethod
    def _layer(layer: Layer) -> dict[str, Any]:
        own = named(layer)
        entry = _entry("keras.layers", own["class_name"], _with_modules(own["config"]))
        if own["class_name"].startswith("SpatialDropout"):
            del entry["config"]["trainable"]  # which Keras does not take there
        if not isinstance(layer, BeforeNetwork):
            entry["config"]["dtype"] = _POLICY
        if layer.built and (isinstance(layer, Merge) or not isinstance(layer.input_shape, list)):
            entry["build_config"] = {"input_shape": _listed(layer.input_shape)}
        return entry

    def model(self, net: Net) -> dict[str, Any]:
        """The entry of a model with this net."""
        if isinstance(net, Chain):
            layers = [self._of(*item) for item in net.items]
            config = {"name": net.name, "trainable": True, "dtype": _POLICY, "layers": layers}
            entry = _entry("keras", "Sequential", config)
            if (sample := net.known_sample()) is not None:
                name = net.graph.inputs[0].name if net.graph else "input_layer"
                is_text = any(getattr(item, "reads_text", False) for item, _ in net.items[:1])
                layers.insert(0, _input_entry(name, sample, is_text))
                if net.graph:
                    config = entry["config"]
                    config["build_input_shape"] = [None, *sample]
                    entry["build_config"] = {"input_shape": [None, *sample]}
            return entry
        entry = _entry("keras.src.models.functional", "Functional", self._graph(net))
        return entry | {"registered_name": "Functional", "build_config": {"input_shape": None}}

    def _graph(self, net: Net) -> dict[str, Any]:
        graph = net.required_graph()
        history: dict[Any, list[Any]] = {}  # name of a layer, number of its call, and of what that made
        entries: dict[int, dict[str, Any]] = {}
        for value, name in zip(graph.inputs, graph.input_names):
            owner = value.key[0].owner
            history[value.key] = [name, 0, 0]
            # A value of another layer that the model begins with becomes an input of its own.
            if not isinstance(owner, InputLayer):
                entries[-1 - len(entries)] = _input_entry(name, value.sample)
        for owner, inner in net.members():
            entries[id(owner)] = self._of(owner, inner)
        for entry in entries.values():
            entry |= {"name": entry["config"]["name"], "inbound_nodes": []}

        def tensor(value: Value) -> dict[str, Any]:
            config = {"shape": list(value.shape), "dtype": "float32", "keras_history": history[value.key]}
            return {"class_name": "__keras_tensor__", "config": config}

        for call in graph.calls:
            owner, tensors = call.owner, [tensor(value) for value in call.inputs]
            nodes = entries[id(owner)]["inbound_nodes"]
            form = Form(list) if isinstance(owner, Merge) else Form()
            if call.net is not None:
                form = call.net.required_graph().in_form
            for value in call.values():
                history.setdefault(value.key, [owner.name, len(nodes), value.key[1]])
            positional, keywords = resolved(tensors, call.options)
            is_separate = call.net is None and not isinstance(owner, Merge)
            args = positional if is_separate else [_listed(form.pack(positional))]
            nodes.append({"args": args, "kwargs": keywords})

        def end(value: Value) -> list[Any]:
            """Here, calls of a model of a graph count from 1."""
            name, node, index = history[value.key]
            call = value.key[0]
            return [name, node + (keras_class(call.owner, call.net) == "Functional"), index]

        return {
            "name": net.name,
            "trainable": True,
            "layers": list(entries.values()),
            "input_layers": _listed(graph.in_form.pack([history[value.key] for value in graph.inputs])),
            "output_layers": _listed(graph.out_form.pack([end(value) for value in graph.outputs])),
        }


def _optimizer(optimizer: Any) -> dict[str, Any]:
    entry = named(optimizer)
    config = dict(entry["config"])
    if isinstance(rate := config["learning_rate"], Mapping):
        schedule = _entry("keras.optimizers.schedules", rate["class_name"], rate["config"])
        config["learning_rate"] = schedule
    return _entry("keras.optimizers", entry["class_name"], config)


def _metric(metric: Any) -> Any:
    if isinstance(metric, str):
        return metric
    config = named(metric)["config"]
    if isinstance(metric, MeanMetricWrapper):
        name = config["fn"]
        function = _entry("builtins", "function", {})
        function |= {
            "config": name.rpartition(">")[2],
            "registered_name": name if ">" in name else "function",
        }
        config = config | {"fn": function}
    if isinstance(config.get("thresholds"), list) and "num_thresholds" in config:
        config = config | {"thresholds": config["thresholds"][1:-1]}
    return _entry("keras.metrics", type(metric).__name__, config)


def _loss(loss: Any) -> Any:
    return loss and _entry("keras.losses", type(loss).__name__, named(loss)["config"])


def keras_entry(trainer: Trainer, with_compile: bool, with_names: bool = True) -> dict[str, Any]:
    """The entry of a model in Keras' files, perhaps with its settings of `compile`.

    with_names: a loss that was given by its name stays a name, which Keras does not read from .h5 files.
    """
    entry = Writer().model(trainer.net)
    return entry | {"compile_config": _compile_config(trainer, with_names)} if with_compile else entry


def _compile_config(trainer: Trainer, with_names: bool) -> dict[str, Any] | None:
    net, settings = trainer.net, trainer.settings
    if settings is None:
        return None
    if any(settings.optimizer.without_decay):
        raise ValueError(
            f"[{net.name}] Keras' files do not hold what exclude_from_weight_decay excludes: save it in "
            "a name that ends in .safetensors"
        )
    form = net.graph.out_form if net.graph is not None and len(settings.outputs) > 1 else Form()
    each = settings.outputs

    def packed(items: list[Any]) -> Any:
        return form.pack(items) if len(items) > 1 else items[0]

    given = settings.given_loss
    found = [given if with_names and isinstance(given, str) else _loss(judged.loss) for judged in each]
    return {
        "optimizer": _optimizer(settings.optimizer),
        "loss": packed(found),
        "loss_weights": None if all(j.weight == 1 for j in each) else packed([j.weight for j in each]),
        "metrics": packed([[_metric(m) for m in judged.metrics] for judged in each]),
        "weighted_metrics": packed([[_metric(m) for m in judged.weighted_metrics] for judged in each]),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }
