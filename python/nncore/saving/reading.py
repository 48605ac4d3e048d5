"""Models from files. Everything in a file is checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import layers, losses, metrics, optimizers
from ..common import custom, files, names
from ..common.arguments import boolean, integer, shape, text
from ..common.arrays import Floats
from ..common.content import MOST_CALLS, MOST_LAYERS, Content, content_of, errors_name, expect
from ..common.messages import warn
from ..common.values import Form, Shapes, Value
from ..graph.graph import Graph
from ..graph.net import Chain, Net
from ..layers import InputLayer, Layer, outlined, restore
from ..metrics import MeanMetricWrapper
from ..training.settings import settings_of
from ..training.trainer import Trainer
from . import keras_files
from .keras_entries import compile_as
from .keras_from import Kinds, Maker, WithNet
from .writing import weights_of

_OF_KERAS = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")  # the first bytes of zip and HDF5


def _object(value: object, what: str, classes: Mapping[str, Any]) -> Any:
    entry = expect(dict, value, what)
    name, config = entry["class_name"], expect(dict, entry["config"], f"config of {what}")
    if not isinstance(name, str) or name not in classes:
        raise ValueError(f"there is no {what} {name!r:.80}")
    cls = classes[name]
    return cls.from_config(config) if issubclass(cls, (Layer, optimizers.Optimizer)) else cls(**config)


def _take(tensors: dict[str, Floats], name: str, sizes: tuple[int, ...]) -> Floats:
    if name not in tensors:
        raise ValueError(f"the tensor {name!r} is missing")
    if tensors[name].shape != sizes:
        raise ValueError(f"the tensor {name!r} should have the shape {sizes}, but has {tensors[name].shape}")
    return tensors.pop(name)


def _of_version_1(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file of version 1, a Sequential of layers, converted to version 2."""
    entries = [dict(expect(dict, entry, "layer")) for entry in expect(list, settings["layers"], "layers")]
    sample, built = settings["input_shape"], settings["built"]
    model = {name: settings[name] for name in ("name", "input_shape", "built", "seed", "epochs")}
    at = [tuple(expect(list, sample, "input_shape"))] if built and sample is not None else []
    for entry in entries if built else ():
        if not at:
            raise ValueError("input_shape is missing")
        layer = _object(entry, "layer", layers.CLASSES)
        entry |= {"path": layer.name, "shapes": [list(at[0])]}
        at = [layer.infer(at)[0]]
    entries.append({"class_name": "Sequential", "config": model | {"layers": list(range(len(entries)))}})
    saved = settings["compile"]
    if saved is not None:
        judged = ("loss", "metrics", "weighted_metrics")
        one = {name: expect(dict, saved, "compile")[name] for name in judged} | {"weight": 1.0}
        saved = {name: value for name, value in saved.items() if name not in judged} | {"outputs": [one]}
    return settings | {"objects": entries, "compile": saved}


class _Reader:
    """Makes the layers and models of a file, and reads their tensors.

    Args:
        kinds: classes of models, by the names that they have in files.
        with_net: makes a new model of a class, and its trainer.
        cls: class of the last model, which is the whole one; None: the class in the file.
    """

    def __init__(self, kinds: Kinds, with_net: WithNet, cls: type[Any] | None, content: Content) -> None:
        self.tensors = dict(content.tensors)
        settings = content.settings
        self.settings = _of_version_1(settings) if settings["version"] == 1 else settings
        entries = expect(list, self.settings["objects"], "objects")
        if len(entries) - 1 > MOST_LAYERS:
            raise ValueError(f"it has {len(entries) - 1} layers, more than {MOST_LAYERS}")
        self._made: list[tuple[Any, Net | None]] = []  # layers, and models with their nets
        trainer: Trainer | None = None
        self._sizes: list[int] = []  # calls of layers in each of them
        self._calls = 0  # calls of layers in all models
        for i, entry in enumerate(entries):
            name = expect(dict, entry, "layer")["class_name"]
            own, trainer = kinds.get(name) if isinstance(name, str) else None, None
            if own is not None:
                if cls is not None and i == len(entries) - 1 and issubclass(cls, own):
                    own = cls
                net = self._net(name, expect(dict, entry["config"], "config of a model"))
                model, trainer = with_net(own, net)
                self._made.append((model, net))
            else:
                self._made.append((self._layer(entry), None))
                self._sizes.append(1)
        if trainer is None:
            raise ValueError("it has no model")
        self.model, self.trainer = self._made[-1][0], trainer

    def _layer(self, entry: dict[str, Any]) -> Layer:
        layer: Layer = _object(entry, "layer", layers.CLASSES)
        if "shapes" not in entry:
            return layer
        before = [
            shape("file", "shapes", expect(list, one, "shapes"), is_open=True)
            for one in expect(list, entry["shapes"], "shapes")
        ]
        if not before:
            raise ValueError(f"the layer {layer.name!r:.80} has no shapes")
        path = text("file", "path", entry["path"])
        options = expect(dict, entry.get("options", {}), "options")
        after, parameters = outlined(layer, before, options)
        values = [_take(self.tensors, f"{path}/{name}", sizes) for name, sizes in parameters]
        restore(layer, Shapes(before, after, options), values)
        return layer

    def _at(self, items: Sequence[Any], number: object, what: str) -> Any:
        return items[integer("file", what, number, low=0, high=len(items) - 1)]

    def _owners(
        self, numbers: Sequence[object], what: str, is_built: bool = True
    ) -> list[tuple[Any, Net | None]]:
        """The layers and models that the next model calls, built, without weights, if the model is built."""
        found = [self._at(range(len(self._made)), number, what) for number in numbers]
        owners = [self._made[i] for i in found]
        if is_built and (missing := next((owner for owner, _ in owners if not owner.built), None)):
            raise ValueError(f"{missing.name!r:.80} has no shapes, but is in a model that has")
        self._sizes.append(sum(self._sizes[i] for i in found) if is_built else 0)
        self._calls += self._sizes[-1]
        if self._calls > MOST_CALLS:
            raise ValueError(f"its models have {self._calls} calls of layers, more than {MOST_CALLS}")
        return owners

    def _net(self, kind: str, config: dict[str, Any]) -> Net:
        name = names.checked("file", config["name"])
        net = Chain(name) if kind == "Sequential" else Net(name)
        if config["seed"] is not None:
            net.seed = integer("file", "seed", config["seed"], low=0, high=2**63 - 1)
        net.epochs = integer("file", "epochs", config["epochs"], low=0, high=2**62)
        if isinstance(net, Chain):
            given = config["input_shape"]
            sample = given and shape("file", "input_shape", expect(list, given, "input_shape"), is_open=True)
            is_built = boolean("file", "built", config["built"])
            owners = self._owners(expect(list, config["layers"], "layers"), "layers", is_built)
            net.resume(None if given is None else tuple(sample), owners, is_built)
            return net
        values: list[Value] = []
        for number in expect(list, config["inputs"], "inputs"):
            layer, _ = self._at(self._made, number, "inputs")
            if not isinstance(layer, InputLayer):
                raise ValueError(f"the input {number} is no InputLayer")
            values.append(layer.output)
        inputs = list(values)
        calls = [expect(list, call, "calls") for call in expect(list, config["calls"], "calls")]
        owners = self._owners([number for number, *_ in calls], "calls")
        for (owner, within), (_, given, *options) in zip(owners, calls):
            read = [self._at(values, i, "calls") for i in expect(list, given, "calls")]
            own = [expect(dict, each, "options") for each in options]
            made = within.called(owner, read) if within else owner.called(read, *own)
            if within is None:
                owner.register(made)
            values += made.values()
        outputs = [self._at(values, i, "outputs") for i in expect(list, config["outputs"], "outputs")]
        in_form, out_form = expect(list, config["forms"], "forms")
        net.take(Graph(name, _packed(in_form, inputs), _packed(out_form, outputs)))
        return net


def _packed(form: object, values: list[Value]) -> Any:
    """Values in the form of an entry of "forms"."""
    keys = tuple(text("file", "forms", key) for key in form) if isinstance(form, list) else ()
    wanted = len(keys) if isinstance(form, list) else 1 if form is None else len(values)
    if len(values) != wanted or len(set(keys)) < len(keys):
        raise ValueError(f"there are {len(values)} inputs or outputs for the form {form!r:.80}")
    kind = dict if keys else {None: None, "list": list, "tuple": tuple}[form]  # type: ignore[index]
    return Form(kind, keys).pack(values)


def _restore(reader: _Reader, with_compile: bool) -> Any:
    tensors, compile_settings = reader.tensors, reader.settings["compile"]
    if with_compile and compile_settings is not None:
        _restore_compile(reader.trainer, expect(dict, compile_settings, "compile"), tensors)
    elif compile_settings is not None:
        tensors = {name: t for name, t in tensors.items() if not name.startswith("optimizer/")}
    if tensors:
        raise ValueError(f"there are tensors that belong to no layer: {sorted(tensors)[:3]}")
    return reader.model


def _restore_compile(trainer: Trainer, saved: Mapping[str, Any], tensors: dict[str, Floats]) -> None:
    def metric(entry: object) -> Any:
        if isinstance(entry, dict) and entry.get("class_name") == "MeanMetricWrapper":
            config = dict(expect(dict, entry["config"], "metric"))
            return MeanMetricWrapper(custom.function_of(text("file", "fn", config.pop("fn"))), **config)
        return entry if isinstance(entry, str) else _object(entry, "metric", metrics.CLASSES)

    def loss(entry: object) -> Any:
        return entry if entry is None or isinstance(entry, str) else _object(entry, "loss", losses.CLASSES)

    frozen = {text("file", "frozen", name) for name in expect(list, saved["frozen"], "frozen")}
    judged = [expect(dict, entry, "outputs") for entry in expect(list, saved["outputs"], "outputs")]
    each = {
        name: [[metric(m) for m in expect(list, entry[name], name)] for entry in judged]
        for name in ("metrics", "weighted_metrics")
    }
    found = [loss(entry["loss"]) for entry in judged]
    plain, weighted = each["metrics"], each["weighted_metrics"]
    one = len(judged) == 1
    net = trainer.net
    trainer.settings = settings = settings_of(
        "file",
        _object(saved["optimizer"], "optimizer", optimizers.CLASSES),
        found[0] if one else found,
        [entry["weight"] for entry in judged],
        plain[0] if one else plain,
        weighted[0] if one else weighted,
        net.graph.output_names() if net.graph else ["output"],
        frozen,
    )
    without = expect(list, saved.get("without_decay", []), "without_decay")
    if without:
        by_name = {name: w for name, w, _ in weights_of(net)}
        settings.optimizer.exclude_from_weight_decay([by_name[name] for name in without])
    iterations = integer("file", "iterations", saved["iterations"], low=0, high=2**62)
    network = net.network
    settings.optimizer.bind(net, network)
    if network is None or (not any(name.startswith("optimizer/") for name in tensors) and not iterations):
        return
    settings.apply(net.name, net.as_built())
    for moment in network.buffers[2:]:
        parts = []
        for path, w, layer in weights_of(net):
            name, is_frozen = f"optimizer/{moment}/{path}", layer in frozen or w.is_state
            if is_frozen and name not in tensors:
                parts.append(np.zeros(w.shape, np.float32))
            else:  # also for frozen layers, whose moments older files have
                parts.append(_take(tensors, name, w.shape))
        network.write(moment, net.joined(parts))
    network.iterations = iterations
    trainer.compiled = network


def from_bytes(kinds: Kinds, with_net: WithNet, cls: type[Any], data: bytes) -> Any:
    """The model from the result of `to_bytes`."""
    with errors_name("what was pickled"):
        return _restore(_Reader(kinds, with_net, cls, content_of(data)), with_compile=True)


def _file(filepath: str | os.PathLike[str]) -> tuple[Path, bytes]:
    path = Path(files.path_of(filepath))
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path, path.read_bytes()


def read(kinds: Kinds, with_net: WithNet, filepath: str | os.PathLike[str], with_compile: bool) -> Any:
    """The model in a file."""
    path, data = _file(filepath)
    with errors_name(str(path)):
        if data.startswith(_OF_KERAS):
            return keras_files.read(Maker(kinds, with_net), data, with_compile)
        return _restore(_Reader(kinds, with_net, None, content_of(data)), with_compile)


def from_config(kinds: Kinds, with_net: WithNet, config: Mapping[str, Any]) -> Any:
    """The model from a config of Keras."""
    with errors_name("the config"):
        kind = "Functional" if "input_layers" in config else "Sequential"
        return Maker(kinds, with_net).model({"class_name": kind, "config": dict(config)})[0]


def from_json(kinds: Kinds, with_net: WithNet, json_string: str) -> Any:
    """The model from a JSON text of Keras, compiled if the text has settings of `compile`."""
    with errors_name("the JSON text"):
        entry = keras_files.config_of(json_string)
        model, trainer = Maker(kinds, with_net).model(entry)
        if entry.get("compile_config"):
            compile_as(trainer, entry["compile_config"])
        return model


def read_weights(net: Net, filepath: str | os.PathLike[str], skip: bool) -> list[Floats]:
    """The weights in a file, in order, if they fit the model; with `skip`, its own where they do not."""
    path, data = _file(filepath)
    with errors_name(str(path)):
        if data.startswith(_OF_KERAS):
            return keras_files.read_weights(net, data, skip)
        content = content_of(data)
        found: list[tuple[str, Floats]] = []
        for entry in expect(list, content.settings["parameters"], "parameters"):
            name, sizes = expect(list, entry, "parameters")
            sizes = tuple(integer("file", "parameters", size) for size in expect(list, sizes, "parameters"))
            found.append((text("file", "parameters", name), _take(content.tensors, name, sizes)))
        wanted = [w for _, w, _ in weights_of(net)]
        if len(found) != len(wanted):
            raise ValueError(f"it has {len(found)} weights, and the model {net.name!r} has {len(wanted)}")
        fitting = []
        for (theirs, values), w in zip(found, wanted):
            if values.shape != w.shape or theirs.rpartition("/")[2] != w.name:
                misfit = f"its {theirs} {values.shape} does not fit {w.path} {w.shape}"
                if not skip:
                    raise ValueError(misfit)
                warn(f"[{net.name}] {misfit}, which stays as it is")
                values = w.numpy()
            fitting.append(values)
        return fitting
