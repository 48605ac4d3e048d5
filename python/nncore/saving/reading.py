"""Files as models. Whatever a file says is checked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from .. import layers as _layers
from .. import losses, metrics, optimizers
from ..common import files
from ..common.arguments import boolean, integer, shape, text
from ..common.values import Form, Value
from ..layers import InputLayer, Layer
from ..models import Model, Sequential
from ..training import settings as _compile
from .content import MOST_CALLS, MOST_LAYERS, Content, Floats, content_of, expect
from .writing import weights_of

_DAMAGE = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
    safetensors.SafetensorError,
)  # fmt: skip


@contextlib.contextmanager
def _errors_name(where: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise ValueError(f"{where} is not a usable model file of nncore: {what:.500}") from error


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
    """The settings of a file of the first version, a Sequential of layers, as this version has them."""
    entries = [dict(expect(dict, entry, "layer")) for entry in expect(list, settings["layers"], "layers")]
    sample, built = settings["input_shape"], settings["built"]
    model = {name: settings[name] for name in ("name", "input_shape", "built", "seed", "epochs")}
    at = [tuple(expect(list, sample, "input_shape"))] if built and sample is not None else []
    for entry in entries if built else ():
        if not at:
            raise ValueError("input_shape is missing")
        layer = _object(entry, "layer", _layers.CLASSES)
        entry |= {"path": layer.name, "shapes": [list(at[0])]}
        at = [layer._infer(at)[0]]
    entries.append({"class_name": "Sequential", "config": model | {"layers": list(range(len(entries)))}})
    saved = settings["compile"]
    if saved is not None:
        judged = ("loss", "metrics", "weighted_metrics")
        one = {name: expect(dict, saved, "compile")[name] for name in judged} | {"weight": 1.0}
        saved = {name: value for name, value in saved.items() if name not in judged} | {"outputs": [one]}
    return settings | {"objects": entries, "compile": saved}


class _Reader:
    """Makes the layers and models of a file, and takes their tensors."""

    def __init__(self, cls: type[Model] | None, content: Content) -> None:
        self.tensors = dict(content.tensors)
        settings = content.settings
        self.settings = _of_version_1(settings) if settings["version"] == 1 else settings
        entries = expect(list, self.settings["objects"], "objects")
        if len(entries) - 1 > MOST_LAYERS:
            raise ValueError(f"it has {len(entries) - 1} layers, more than {MOST_LAYERS}")
        self._made: list[Any] = []
        self._sizes: list[int] = []  # of what is made, in calls of layers
        self._calls = 0  # of all models
        for i, entry in enumerate(entries):
            name = expect(dict, entry, "layer")["class_name"]
            if name in ("Sequential", "Model"):
                own = {"Sequential": Sequential, "Model": Model}[name]
                if cls is not None and i == len(entries) - 1 and issubclass(cls, own):
                    own = cls
                self._made.append(self._model(own, expect(dict, entry["config"], "config of a model")))
            else:
                self._made.append(self._layer(entry))
                self._sizes.append(1)
        if not self._made or not isinstance(self._made[-1], Model):
            raise ValueError("it has no model")

    @property
    def model(self) -> Model:
        model: Model = self._made[-1]
        return model

    def _layer(self, entry: dict[str, Any]) -> Layer:
        layer: Layer = _object(entry, "layer", _layers.CLASSES)
        if "shapes" not in entry:
            return layer
        before = [
            shape("file", "shapes", expect(list, one, "shapes"), is_open=True)
            for one in expect(list, entry["shapes"], "shapes")
        ]
        if not before:
            raise ValueError(f"the layer {layer.name!r:.80} has no shapes")
        path = text("file", "path", entry["path"])
        after, parameters = layer._infer(before)
        values = [_take(self.tensors, f"{path}/{name}", sizes) for name, sizes in parameters]
        layer._take_shapes(before, after)
        layer._variables = layer._made(before, values)
        return layer

    def _at(self, items: Sequence[Any], number: object, what: str) -> Any:
        return items[integer("file", what, number, low=0, high=len(items) - 1)]

    def _owners(self, numbers: Sequence[object], what: str, is_built: bool = True) -> list[Any]:
        """The layers and models that the next model calls. They are built if it is: no weights are made."""
        found = [self._at(range(len(self._made)), number, what) for number in numbers]
        owners = [self._made[i] for i in found]
        if is_built and (missing := next((owner for owner in owners if not owner.built), None)):
            raise ValueError(f"{missing.name!r:.80} has no shapes, but is in a model that has")
        self._sizes.append(sum(self._sizes[i] for i in found) if is_built else 0)
        self._calls += self._sizes[-1]
        if self._calls > MOST_CALLS:
            raise ValueError(f"its models have {self._calls} calls of layers, more than {MOST_CALLS}")
        return owners

    def _model(self, cls: type[Model], config: dict[str, Any]) -> Model:
        model = cls.__new__(cls)
        model._begin(text("file", "name", config["name"]))
        if config["seed"] is not None:
            model._seed = integer("file", "seed", config["seed"], low=0, high=2**63 - 1)
        model._epochs = integer("file", "epochs", config["epochs"], low=0, high=2**62)
        if isinstance(model, Sequential):
            given = config["input_shape"]
            sample = given and shape("file", "input_shape", expect(list, given, "input_shape"), is_open=True)
            is_built = boolean("file", "built", config["built"])
            owners = self._owners(expect(list, config["layers"], "layers"), "layers", is_built)
            model._resume(None if given is None else tuple(sample), owners, is_built)
            return model
        values: list[Value] = []
        for number in expect(list, config["inputs"], "inputs"):
            layer = self._at(self._made, number, "inputs")
            if not isinstance(layer, InputLayer):
                raise ValueError(f"the input {number} is no InputLayer")
            values.append(layer.output)
        inputs = list(values)
        calls = [expect(list, call, "calls") for call in expect(list, config["calls"], "calls")]
        owners = self._owners([number for number, _ in calls], "calls")
        for owner, (_, given) in zip(owners, calls):
            made = owner._called([self._at(values, i, "calls") for i in expect(list, given, "calls")])
            if isinstance(owner, Layer):
                owner._register(made)
            values += made.values()
        outputs = [self._at(values, i, "outputs") for i in expect(list, config["outputs"], "outputs")]
        in_form, out_form = expect(list, config["forms"], "forms")
        model._take(_packed(in_form, inputs), _packed(out_form, outputs))
        return model


def _packed(form: object, values: list[Value]) -> Any:
    """Values in the form of an entry of "forms"."""
    keys = tuple(text("file", "forms", key) for key in form) if isinstance(form, list) else ()
    wanted = len(keys) if isinstance(form, list) else 1 if form is None else len(values)
    if len(values) != wanted or len(set(keys)) < len(keys):
        raise ValueError(f"there are {len(values)} inputs or outputs for the form {form!r:.80}")
    kind = dict if keys else {None: None, "list": list, "tuple": tuple}[form]  # type: ignore[index]
    return Form(kind, keys).pack(values)


def _restore(cls: type[Model] | None, content: Content, with_compile: bool) -> Any:
    reader = _Reader(cls, content)
    model, tensors, compile_settings = reader.model, reader.tensors, reader.settings["compile"]
    if with_compile and compile_settings is not None:
        _restore_compile(model, expect(dict, compile_settings, "compile"), tensors)
    elif compile_settings is not None:
        tensors = {name: t for name, t in tensors.items() if not name.startswith("optimizer/")}
    if tensors:
        raise ValueError(f"there are tensors that belong to no layer: {sorted(tensors)[:3]}")
    return model


def _restore_compile(model: Model, saved: Mapping[str, Any], tensors: dict[str, Floats]) -> None:
    def metric(entry: object) -> Any:
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
    model._settings = _compile.settings(
        "file",
        _object(saved["optimizer"], "optimizer", optimizers.CLASSES),
        found[0] if one else found,
        [entry["weight"] for entry in judged],
        plain[0] if one else plain,
        weighted[0] if one else weighted,
        model.output_names if model._graph else ["output"],
        frozen,
    )
    without = expect(list, saved.get("without_decay", []), "without_decay")
    if without:
        by_name = {name: w for name, w, _ in weights_of(model)}
        model._settings.optimizer.exclude_from_weight_decay([by_name[name] for name in without])
    iterations = integer("file", "iterations", saved["iterations"], low=0, high=2**62)
    network = model._network
    model._settings.optimizer._bind(model, network)
    if network is None or (not any(name.startswith("optimizer/") for name in tensors) and not iterations):
        return
    model._apply(model._settings, network)
    for moment in network.buffers[2:]:
        parts = []
        for path, w, layer in weights_of(model):
            name, is_frozen = f"optimizer/{moment}/{path}", layer in frozen or w._is_state
            if is_frozen and name not in tensors:
                parts.append(np.zeros(w.shape, np.float32))
            else:  # also of frozen layers, whose moments older files hold
                parts.append(_take(tensors, name, w.shape))
        network.write(moment, model._joined(parts))
    network.iterations = iterations
    model._compiled = network


def from_bytes(cls: type[Model], data: bytes) -> Any:
    """The model of `to_bytes`."""
    with _errors_name("what was pickled"):
        return _restore(cls, content_of(data), with_compile=True)


def _file(filepath: str | os.PathLike[str]) -> tuple[Path, bytes]:
    path = Path(files.path_of(filepath))
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path, path.read_bytes()


def read(cls: type[Model] | None, filepath: str | os.PathLike[str], with_compile: bool) -> Any:
    """The model in a file."""
    path, data = _file(filepath)
    with _errors_name(str(path)):
        return _restore(cls, content_of(data), with_compile)


def read_weights(model: Model, filepath: str | os.PathLike[str]) -> list[Floats]:
    """The weights in a file, in order, if they fit the model."""
    path, data = _file(filepath)
    with _errors_name(str(path)):
        content = content_of(data)
        found: list[tuple[str, Floats]] = []
        for entry in expect(list, content.settings["parameters"], "parameters"):
            name, sizes = expect(list, entry, "parameters")
            sizes = tuple(integer("file", "parameters", size) for size in expect(list, sizes, "parameters"))
            found.append((text("file", "parameters", name), _take(content.tensors, name, sizes)))
        wanted = model.weights
        if len(found) != len(wanted):
            raise ValueError(f"it has {len(found)} weights, and the model {model.name!r} has {len(wanted)}")
        for (theirs, values), w in zip(found, wanted):
            if values.shape != w.shape or theirs.rpartition("/")[2] != w.name:
                raise ValueError(f"its {theirs} {values.shape} does not fit {w.path} {w.shape}")
        return [values for _, values in found]
