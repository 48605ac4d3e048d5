"""Model files: one safetensors file, its metadata a JSON text of settings. Nothing in it is ever executed.

Tensors, all float32: "dense/kernel" and so on, and "optimizer/velocity/dense/kernel" for the optimizer's
moments. Whatever a file says is checked before memory is taken for it.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from . import _compile, _files, initializers, losses, metrics, optimizers
from . import layers as _layers
from ._arguments import boolean, integer, shape, text
from ._values import Form, Value
from .layers import InputLayer, Layer, Variable
from .models import Model, Sequential

Floats = NDArray[np.float32]
_T = TypeVar("_T", list[Any], dict[str, Any])

_VERSION = 2  # of what is written; version 1 is read as well
# Of the header, which lists and tables make many times as large in memory: some 4,000 convolutions with
# moments, or more layers without weights.
_MOST_BYTES = 2**22
_MOST_TABLES = 2**17
_MOST_LAYERS = 2**14
_MOST_CALLS = 2**17  # of layers, summed over all models: models in models can make few calls many


class Content(NamedTuple):
    settings: dict[str, Any]
    tensors: dict[str, Floats]


# ---- writing


def _named(thing: Any) -> dict[str, Any]:
    for part in (thing, *(v for v in vars(thing).values() if isinstance(v, initializers.Initializer))):
        known = [
            m.CLASSES.get(type(part).__name__) for m in (_layers, initializers, optimizers, losses, metrics)
        ]
        if type(part) not in known:
            raise ValueError(
                f"[save] {thing.name!r} cannot be saved: its class {type(part).__name__} is not one "
                "of nncore. Weights can be saved, with save_weights"
            )
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


class _Objects:
    """Entries of a model and all that it is made of, each once, those in a model before it. Models name them
    by number.

    Attributes:
        calls: of layers, summed over all models.
    """

    def __init__(self, model: Model) -> None:
        self.entries: list[dict[str, Any]] = []
        self.calls = 0
        self._number: dict[int, int] = {}
        self._paths = {id(layer): path for layer, path in model._computing()}
        self._add(model)

    def _put(self, entry: dict[str, Any]) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def _add(self, thing: Any) -> int:
        if id(thing) not in self._number:
            if isinstance(thing, Model):
                entry = self._model(thing)
            else:
                entry = _named(thing)
                if thing._shapes is not None and not isinstance(thing, InputLayer):
                    shapes = [list(one) for one in thing._shapes[0]]
                    entry |= {"path": self._paths[id(thing)], "shapes": shapes}
            self._number[id(thing)] = self._put(entry)
        return self._number[id(thing)]

    def _model(self, model: Model) -> dict[str, Any]:
        common = {"name": model.name, "seed": model._seed, "epochs": model._epochs}
        self.calls += model._graph.size if model._graph else 0
        if isinstance(model, Sequential):
            sample = model._known_sample()
            config: dict[str, Any] = {
                "input_shape": None if sample is None else list(sample),
                "layers": [self._add(layer) for layer in model.layers],
                "built": model.built,
            }
            return {"class_name": "Sequential", "config": common | config}
        graph = model._required_graph()
        inputs, numbers = [], {}
        for i, (value, name) in enumerate(zip(graph.inputs, graph.input_names)):
            owner, numbers[value.key] = value.key[0].owner, i
            # A value of another layer that the model begins with becomes an input of its own.
            made = {"class_name": "InputLayer", "config": {"name": name, "shape": list(value.sample)}}
            inputs.append(self._add(owner) if isinstance(owner, InputLayer) else self._put(made))
        calls, count = [], len(inputs)
        for call in graph.calls:
            calls.append([self._add(call.owner), [numbers[value.key] for value in call.inputs]])
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


def _compile_settings(model: Model, iterations: int) -> dict[str, Any] | None:
    s = model._settings
    if s is None:
        return None
    return {
        "optimizer": _named(s.optimizer),
        "outputs": [
            {
                "loss": s.given_loss if isinstance(s.given_loss, str) else j.loss and _named(j.loss),
                "weight": j.weight,
                "metrics": [m if isinstance(m, str) else _named(m) for m in j.metrics],
                "weighted_metrics": [m if isinstance(m, str) else _named(m) for m in j.weighted_metrics],
            }
            for j in s.outputs
        ],
        "frozen": sorted(s.frozen),
        "iterations": iterations,
    }


def _weights(model: Model) -> list[tuple[str, Variable, str]]:
    """Name in the file, the weight, and the path of its layer."""
    return [(f"{path}/{w.name}", w, path) for layer, path in model._computing() for w in layer.weights]


def to_bytes(model: Model, weights_only: bool) -> bytes:
    """The content of a model file."""
    network = model._network
    if network is None and any(layer.weights for layer, _ in model._computing()):
        raise ValueError(
            f"[{model.name}] is not built, but some of its layers are: call build(input_shape) first"
        )
    weights = _weights(model)
    settings: dict[str, Any] = {
        "version": _VERSION,
        "parameters": [[name, list(weight.shape)] for name, weight, _ in weights],
    }
    buffers, iterations = ([], 0) if network is None else network.state()
    tensors, calls = {}, 0
    if buffers:
        tensors = {name: values for (name, _, _), values in zip(weights, model._parts(buffers[0][1]))}
    if not weights_only:
        trained = network is not None and model._compiled is network
        objects = _Objects(model)
        calls = objects.calls
        settings |= {
            "objects": objects.entries,
            "compile": _compile_settings(model, iterations if trained else 0),
        }
        frozen = model._settings.frozen if model._settings else ()
        for moment, flat in buffers[1:] if trained else ():
            for (name, _, path), values in zip(weights, model._parts(flat)):
                if path not in frozen:
                    tensors[f"optimizer/{moment}/{name}"] = values
    with _memory(3 * sum(tensor.nbytes for tensor in tensors.values())):
        data = safetensors.numpy.save(tensors, {"nncore": json.dumps(settings, allow_nan=False)})
    header = data[8 : 8 + struct.unpack("<Q", data[:8])[0]]
    too_large = len(header) > _MOST_BYTES or header.count(b"[") + header.count(b"{") > _MOST_TABLES
    if too_large or len(settings.get("objects", ())) > _MOST_LAYERS or calls > _MOST_CALLS:
        raise ValueError(
            f"[{model.name:.80}] is too large to be loaded again: a file may have {_MOST_LAYERS} layers, "
            f"{_MOST_CALLS} calls of them and 4 MB of names and settings"
        )
    return data


@contextlib.contextmanager
def _memory(size: int) -> Iterator[None]:
    """MemoryError unless so many bytes can be had: safetensors would end the process, or panic."""
    try:
        mmap.mmap(-1, size + 2**24).close()
    except OSError:
        raise MemoryError(f"there are not {size + 2**24} bytes of memory for a model file") from None
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise MemoryError(f"safetensors ran out of memory: {error}") from None


# Ends of names that promise another format.
_OTHERS = (
    ".keras", ".h5", ".hdf5", ".hdf", ".json", ".onnx", ".npz", ".npy", ".pt", ".pth", ".pkl", ".pickle",
    ".tflite", ".pb", ".zip",
)  # fmt: skip


def write(
    owner: str, model: Model, filepath: str | os.PathLike[str], overwrite: bool, weights_only: bool
) -> None:
    """Puts a model file at filepath, as `_files.replace` does."""
    path = Path(_files.path_of(filepath))
    if path.suffix.lower() in _OTHERS:
        raise ValueError(
            f"[{owner}] the format {path.suffix!r} is not available yet: safetensors is written, so the name "
            f"must say so, as {path.with_suffix('.safetensors').name!r}"
        )
    if weights_only:
        model._built_network()
    data = to_bytes(model, weights_only)
    _files.replace(
        _files.path_of(filepath), lambda file: file.write(data), boolean(owner, "overwrite", overwrite)
    )


# ---- reading


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


def _parsed(json_text: str) -> Any:
    return json.loads(json_text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.80} is there twice")
    return table


def _content(data: bytes) -> Content:
    if data[:4] == b"PK\x03\x04" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise ValueError("it looks like a file of Keras (zip or HDF5), which cannot be read yet")
    if len(data) < 8:
        raise ValueError("it is truncated")
    size = struct.unpack("<Q", data[:8])[0]
    if size > len(data) - 8:
        raise ValueError("it is truncated, or no safetensors file")
    if size > _MOST_BYTES:
        raise ValueError(f"its header of {size} bytes is larger than {_MOST_BYTES}")
    if (tables := data.count(b"[", 8, 8 + size) + data.count(b"{", 8, 8 + size)) > _MOST_TABLES:
        raise ValueError(f"there are {tables} lists and tables in its header, more than {_MOST_TABLES}")
    header = _parsed(data[8 : 8 + size].decode("utf-8"))
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("nncore"), str):
        raise ValueError("it has no settings of nncore")
    settings = _parsed(metadata["nncore"])
    del header, metadata
    _is(dict, settings, "its settings")
    if type(settings["version"]) is not int or not 1 <= settings["version"] <= _VERSION:
        raise ValueError(f"its version is {settings['version']!r}, and this nncore knows up to {_VERSION}")
    tensors: dict[str, Floats] = {}
    with _memory(len(data)):
        found = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    for name, tensor in found:
        if tensor["dtype"] != "F32":
            raise ValueError(f"the tensor {name!r} is of {tensor['dtype']}, not F32")
        tensors[name] = (
            np.frombuffer(tensor["data"], "<f4").astype(np.float32, copy=False).reshape(tensor["shape"])
        )
    return Content(settings, tensors)


def _is(kind: type[_T], value: object, what: str) -> _T:
    if not isinstance(value, kind):
        raise ValueError(f"{what} must be a {'table' if kind is dict else 'list'}, got {value!r:.80}")
    return value


def _object(value: object, what: str, classes: Mapping[str, Any]) -> Any:
    entry = _is(dict, value, what)
    name, config = entry["class_name"], _is(dict, entry["config"], f"config of {what}")
    if not isinstance(name, str) or name not in classes:
        raise ValueError(f"there is no {what} {name!r:.80}")
    cls = classes[name]
    return cls.from_config(config) if issubclass(cls, Layer) else cls(**config)


def _take(tensors: dict[str, Floats], name: str, sizes: tuple[int, ...]) -> Floats:
    if name not in tensors:
        raise ValueError(f"the tensor {name!r} is missing")
    if tensors[name].shape != sizes:
        raise ValueError(f"the tensor {name!r} should have the shape {sizes}, but has {tensors[name].shape}")
    return tensors.pop(name)


def _of_version_1(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file of the first version, a Sequential of layers, as this version has them."""
    entries = [dict(_is(dict, entry, "layer")) for entry in _is(list, settings["layers"], "layers")]
    sample, built = settings["input_shape"], settings["built"]
    model = {name: settings[name] for name in ("name", "input_shape", "built", "seed", "epochs")}
    at = [tuple(_is(list, sample, "input_shape"))] if built and sample is not None else []
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
        one = {name: _is(dict, saved, "compile")[name] for name in judged} | {"weight": 1.0}
        saved = {name: value for name, value in saved.items() if name not in judged} | {"outputs": [one]}
    return settings | {"objects": entries, "compile": saved}


class _Reader:
    """Makes the layers and models of a file, and takes their tensors."""

    def __init__(self, cls: type[Model] | None, content: Content) -> None:
        self.tensors = dict(content.tensors)
        settings = content.settings
        self.settings = _of_version_1(settings) if settings["version"] == 1 else settings
        entries = _is(list, self.settings["objects"], "objects")
        if len(entries) - 1 > _MOST_LAYERS:
            raise ValueError(f"it has {len(entries) - 1} layers, more than {_MOST_LAYERS}")
        self._made: list[Any] = []
        self._sizes: list[int] = []  # of what is made, in calls of layers
        self._calls = 0  # of all models
        for i, entry in enumerate(entries):
            name = _is(dict, entry, "layer")["class_name"]
            if name in ("Sequential", "Model"):
                own = {"Sequential": Sequential, "Model": Model}[name]
                if cls is not None and i == len(entries) - 1 and issubclass(cls, own):
                    own = cls
                self._made.append(self._model(own, _is(dict, entry["config"], "config of a model")))
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
            shape("file", "shapes", _is(list, one, "shapes"), is_open=True)
            for one in _is(list, entry["shapes"], "shapes")
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
        if self._calls > _MOST_CALLS:
            raise ValueError(f"its models have {self._calls} calls of layers, more than {_MOST_CALLS}")
        return owners

    def _model(self, cls: type[Model], config: dict[str, Any]) -> Model:
        model = cls.__new__(cls)
        model._begin(text("file", "name", config["name"]))
        if config["seed"] is not None:
            model._seed = integer("file", "seed", config["seed"], low=0, high=2**63 - 1)
        model._epochs = integer("file", "epochs", config["epochs"], low=0, high=2**62)
        if isinstance(model, Sequential):
            given = config["input_shape"]
            sample = given and shape("file", "input_shape", _is(list, given, "input_shape"), is_open=True)
            is_built = boolean("file", "built", config["built"])
            owners = self._owners(_is(list, config["layers"], "layers"), "layers", is_built)
            model._resume(None if given is None else tuple(sample), owners, is_built)
            return model
        values: list[Value] = []
        for number in _is(list, config["inputs"], "inputs"):
            layer = self._at(self._made, number, "inputs")
            if not isinstance(layer, InputLayer):
                raise ValueError(f"the input {number} is no InputLayer")
            values.append(layer.output)
        inputs = list(values)
        calls = [_is(list, call, "calls") for call in _is(list, config["calls"], "calls")]
        owners = self._owners([number for number, _ in calls], "calls")
        for owner, (_, given) in zip(owners, calls):
            made = owner._called([self._at(values, i, "calls") for i in _is(list, given, "calls")])
            if isinstance(owner, Layer):
                owner._register(made)
            values += made.values()
        outputs = [self._at(values, i, "outputs") for i in _is(list, config["outputs"], "outputs")]
        in_form, out_form = _is(list, config["forms"], "forms")
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
        _restore_compile(model, _is(dict, compile_settings, "compile"), tensors)
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

    frozen = {text("file", "frozen", name) for name in _is(list, saved["frozen"], "frozen")}
    judged = [_is(dict, entry, "outputs") for entry in _is(list, saved["outputs"], "outputs")]
    each = {
        name: [[metric(m) for m in _is(list, entry[name], name)] for entry in judged]
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
    iterations = integer("file", "iterations", saved["iterations"], low=0, high=2**62)
    network = model._network
    model._settings.optimizer._bind(model, network)
    if network is None or (not any(name.startswith("optimizer/") for name in tensors) and not iterations):
        return
    model._apply(model._settings, network)
    for moment in network.buffers[2:]:
        parts = []
        for path, w, layer in _weights(model):
            name, is_frozen = f"optimizer/{moment}/{path}", layer in frozen
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
        return _restore(cls, _content(data), with_compile=True)


def _file(filepath: str | os.PathLike[str]) -> tuple[Path, bytes]:
    path = Path(_files.path_of(filepath))
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path, path.read_bytes()


def read(cls: type[Model] | None, filepath: str | os.PathLike[str], with_compile: bool) -> Any:
    """The model in a file."""
    path, data = _file(filepath)
    with _errors_name(str(path)):
        return _restore(cls, _content(data), with_compile)


def read_weights(model: Model, filepath: str | os.PathLike[str]) -> list[Floats]:
    """The weights in a file, in order, if they fit the model."""
    path, data = _file(filepath)
    with _errors_name(str(path)):
        content = _content(data)
        found: list[tuple[str, Floats]] = []
        for entry in _is(list, content.settings["parameters"], "parameters"):
            name, sizes = _is(list, entry, "parameters")
            sizes = tuple(integer("file", "parameters", size) for size in _is(list, sizes, "parameters"))
            found.append((text("file", "parameters", name), _take(content.tensors, name, sizes)))
        wanted = model.weights
        if len(found) != len(wanted):
            raise ValueError(f"it has {len(found)} weights, and the model {model.name!r} has {len(wanted)}")
        for (theirs, values), w in zip(found, wanted):
            if values.shape != w.shape or theirs.rpartition("/")[2] != w.name:
                raise ValueError(f"its {theirs} {values.shape} does not fit {w.path} {w.shape}")
        return [values for _, values in found]
