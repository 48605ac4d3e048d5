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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from . import _compile, _files, initializers, losses, metrics, optimizers
from . import layers as _layers
from ._arguments import boolean, integer, shape, text
from .layers._layer import Layer
from .models import Sequential

Floats = NDArray[np.float32]
_S = TypeVar("_S", bound=Sequential)
_T = TypeVar("_T", list[Any], dict[str, Any])

_VERSION = 1
# Of the header, which lists and tables make many times as large in memory: some 4,000 convolutions with
# moments, or more layers without weights.
_MOST_BYTES = 2**22
_MOST_TABLES = 2**17
_MOST_LAYERS = 2**14


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


def _compile_settings(model: Sequential, iterations: int) -> dict[str, Any] | None:
    s = model._settings
    if s is None:
        return None
    return {
        "optimizer": _named(s.optimizer),
        "loss": s.given_loss if isinstance(s.given_loss, str) else s.loss and _named(s.loss),
        "metrics": [m if isinstance(m, str) else _named(m) for m in s.metrics],
        "weighted_metrics": [m if isinstance(m, str) else _named(m) for m in s.weighted_metrics],
        "frozen": sorted(s.frozen),
        "iterations": iterations,
    }


def to_bytes(model: Sequential, weights_only: bool) -> bytes:
    """The content of a model file."""
    network = model._network
    if network is None and any(layer.weights for layer in model.layers):
        raise ValueError(
            f"[{model.name}] is not built, but some of its layers are: call build(input_shape) first"
        )
    weights = model.weights
    settings: dict[str, Any] = {
        "version": _VERSION,
        "parameters": [[weight.path, list(weight.shape)] for weight in weights],
    }
    buffers, iterations = ([], 0) if network is None else network.state()
    tensors = {w.path: values for w, values in zip(weights, model._parts(buffers[0][1]))} if buffers else {}
    if not weights_only:
        trained = network is not None and model._compiled is network
        sample = model._known_sample()
        settings |= {
            "name": model.name,
            "built": network is not None,
            "input_shape": None if sample is None else list(sample),
            "layers": [_named(layer) for layer in model.layers],
            "compile": _compile_settings(model, iterations if trained else 0),
            "seed": model._seed,
            "epochs": model._epochs,
        }
        frozen = model._settings.frozen if model._settings else ()
        for moment, flat in buffers[1:] if trained else ():
            for w, values in zip(weights, model._parts(flat)):
                if w._layer.name not in frozen:
                    tensors[f"optimizer/{moment}/{w.path}"] = values
    with _memory(3 * sum(tensor.nbytes for tensor in tensors.values())):
        data = safetensors.numpy.save(tensors, {"nncore": json.dumps(settings, allow_nan=False)})
    header = data[8 : 8 + struct.unpack("<Q", data[:8])[0]]
    too_large = len(header) > _MOST_BYTES or header.count(b"[") + header.count(b"{") > _MOST_TABLES
    if too_large or len(model.layers) > _MOST_LAYERS:
        raise ValueError(
            f"[{model.name:.80}] is too large to be loaded again: a file may have {_MOST_LAYERS} layers, and "
            "4 MB of names and settings"
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
    owner: str, model: Sequential, filepath: str | os.PathLike[str], overwrite: bool, weights_only: bool
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
    ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
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
    if type(settings["version"]) is not int or settings["version"] != _VERSION:
        raise ValueError(f"its version is {settings['version']!r}, and this nncore knows {_VERSION}")
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


def _restore(cls: type[_S], content: Content, with_compile: bool) -> _S:
    settings, tensors = content.settings, dict(content.tensors)
    model = cls.__new__(cls)
    Sequential.__init__(model, name=text("file", "name", settings["name"]))
    given = settings["input_shape"]
    model._sample = None if given is None else shape("file", "input_shape", _is(list, given, "input_shape"))
    at = model._sample
    built = boolean("file", "built", settings["built"])
    if len(entries := _is(list, settings["layers"], "layers")) > _MOST_LAYERS:
        raise ValueError(f"it has {len(entries)} layers, more than {_MOST_LAYERS}")
    for entry in entries:
        layer = _object(entry, "layer", _layers.CLASSES)
        model._append(layer)
        if built:
            if at is None:
                raise ValueError("input_shape is missing")
            after, parameters = layer._infer(at)
            values = [_take(tensors, f"{layer.name}/{name}", sizes) for name, sizes in parameters]
            layer._become_built(at, after, layer._made(at, values))
            at = after
    if settings["seed"] is not None:
        model._seed = integer("file", "seed", settings["seed"], low=0, high=2**63 - 1)
    model._epochs = integer("file", "epochs", settings["epochs"], low=0, high=2**62)
    if built:
        model._adopt(*model._candidate(model._sample))
    compile_settings = settings["compile"]
    if with_compile and compile_settings is not None:
        _restore_compile(model, _is(dict, compile_settings, "compile"), tensors)
    elif compile_settings is not None:
        tensors = {name: t for name, t in tensors.items() if not name.startswith("optimizer/")}
    if tensors:
        raise ValueError(f"there are tensors that belong to no layer: {sorted(tensors)[:3]}")
    return model


def _restore_compile(model: Sequential, saved: Mapping[str, Any], tensors: dict[str, Floats]) -> None:
    def metric(entry: object) -> Any:
        return entry if isinstance(entry, str) else _object(entry, "metric", metrics.CLASSES)

    frozen = {text("file", "frozen", name) for name in _is(list, saved["frozen"], "frozen")}
    loss = saved["loss"]
    model._settings = _compile.settings(
        "file",
        _object(saved["optimizer"], "optimizer", optimizers.CLASSES),
        loss if loss is None or isinstance(loss, str) else _object(loss, "loss", losses.CLASSES),
        [metric(entry) for entry in _is(list, saved["metrics"], "metrics")],
        [metric(entry) for entry in _is(list, saved["weighted_metrics"], "weighted_metrics")],
        frozen,
    )
    iterations = integer("file", "iterations", saved["iterations"], low=0, high=2**62)
    network = model._network
    model._settings.optimizer._bind(model, network)
    if network is None or (not any(name.startswith("optimizer/") for name in tensors) and not iterations):
        return
    model._settings.apply(network, "file", [layer.name for layer in model.layers])
    for moment in network.buffers[2:]:
        parts = []
        for w in model.weights:
            name, is_frozen = f"optimizer/{moment}/{w.path}", w._layer.name in frozen
            if is_frozen and name not in tensors:
                parts.append(np.zeros(w.shape, np.float32))
            else:  # also of frozen layers, whose moments older files hold
                parts.append(_take(tensors, name, w.shape))
        network.write(moment, model._joined(parts))
    network.iterations = iterations
    model._compiled = network


def from_bytes(cls: type[_S], data: bytes) -> _S:
    """The model of `to_bytes`."""
    with _errors_name("what was pickled"):
        return _restore(cls, _content(data), with_compile=True)


def _file(filepath: str | os.PathLike[str]) -> tuple[Path, bytes]:
    path = Path(_files.path_of(filepath))
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path, path.read_bytes()


def read(cls: type[_S], filepath: str | os.PathLike[str], with_compile: bool) -> _S:
    """The model in a file."""
    path, data = _file(filepath)
    with _errors_name(str(path)):
        return _restore(cls, _content(data), with_compile)


def read_weights(model: Sequential, filepath: str | os.PathLike[str]) -> list[Floats]:
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
