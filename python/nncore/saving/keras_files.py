"""Keras' files: .keras (a zip of config and weights), .weights.h5, and .h5 of whole models, also of Keras 2.

Reading needs no h5py, see `hdf5`; writing does.
"""

from __future__ import annotations

import datetime
import io
import json
import math
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..common.arrays import Floats
from ..common.content import MOST_TABLES, memory, parsed
from ..common.messages import warn
from ..common.names import snake_case
from ..graph.net import Net
from ..layers import Lookup, Variable
from ..training.trainer import Trainer
from . import hdf5
from .hdf5 import Node
from .keras_entries import compile_as
from .keras_from import Maker
from .keras_state import of_optimizer, restore
from .keras_to import keras_class, keras_entry
from .writing import weights_of

ZIP = b"PK\x03\x04"
_VERSION = "3.15.1"  # the version of Keras whose layout is written
_MOST_TEXT = 2**24  # largest config in bytes
_EXPANSION = 16  # most bytes for one byte of a zip: weights hardly compress
_PART = 60_000  # most bytes in an attribute of HDF5, whose limit is 64 KB
_WEIGHTS = "model.weights.h5"

Pair = tuple[Variable, Floats]


# ---- content of files


def config_of(text: object) -> dict[str, Any]:
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if not isinstance(text, str) or len(text) > _MOST_TEXT:
        raise ValueError("its config is missing, or too long")
    if (tables := text.count("[") + text.count("{")) > MOST_TABLES:
        raise ValueError(f"there are {tables} lists and tables in its config, more than {MOST_TABLES}")
    config = parsed(text)
    if not isinstance(config, dict):
        raise ValueError("its config is no table")
    return config


def _unzipped(data: bytes, name: str, most: int) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if name not in archive.namelist():
                raise ValueError(f"it has no {name}, as Keras' .keras files have")
            size = archive.getinfo(name).file_size
            if size > most:
                raise ValueError(f"its {name} of {size} bytes is larger than {most}")
            with memory(size), archive.open(name) as file:
                return file.read(size)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
    ) as error:
        raise ValueError(f"its zip is damaged: {error}") from error


def _weights(data: bytes) -> Node:
    if data[:4] == ZIP:
        data = _unzipped(data, _WEIGHTS, _EXPANSION * len(data))
    return hdf5.read(data)


def read(maker: Maker, data: bytes, with_compile: bool) -> Any:
    """The model of a .keras or .h5 file."""
    if data[:4] == ZIP:
        entry = config_of(_unzipped(data, "config.json", _MOST_TEXT))
        compiled, root = entry.get("compile_config"), _weights(data)
        stored, state = root.at("layers"), _numbered(root.at("optimizer/vars"))
    else:
        root = hdf5.read(data)
        if "model_config" not in root.attributes:
            raise ValueError("it has weights, but no model: make the model, and load_weights")
        entry = config_of(root.attributes["model_config"])
        compiled = root.attributes.get("training_config")
        compiled = None if compiled is None else config_of(compiled)
        stored, group = root.at("model_weights"), root.at("optimizer_weights")
        state = [_values(group, name) for name in _names(group, "weight_names")] if group else []
    maker.room = 0 if stored is None else stored.size
    model, trainer = maker.model(entry)
    net = trainer.net
    if data[:4] == ZIP:
        _read_vocabularies(net, data, root)
    if found := _merged(net, _pairs(net, root, False)):
        net.required_network().write("parameters", net.joined(found))
    if with_compile and compiled:
        compile_as(trainer, compiled)
        if state:
            restore(trainer, state)
    return model


def read_weights(net: Net, data: bytes, skip: bool) -> list[Floats]:
    """Values for all weights of the model, from the file; with `skip`, its own values where shapes do not
    fit.
    """
    return _merged(net, _pairs(net, _weights(data), skip))


def _merged(net: Net, pairs: Sequence[Pair]) -> list[Floats]:
    found = {(id(w.layer), w.name): values for w, values in pairs}
    weights = [w for _, w, _ in weights_of(net)]
    return [found[key] if (key := (id(w.layer), w.name)) in found else w.numpy() for w in weights]


def _pairs(net: Net, root: Node, skip: bool) -> list[Pair]:
    group = root.items.get("model_weights", root)
    if any(name.startswith("layer_names") for name in group.attributes):
        return list(_legacy_pairs(net, group, skip))
    return list(_numbered_pairs(net, root, skip))


def _read_vocabularies(net: Net, data: bytes, root: Node) -> None:
    """Gives layers the vocabularies that Keras keeps beside the config: those that `adapt` made."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
    for path, owner, _ in _paths(net):
        if isinstance(owner, Lookup) and (name := f"assets/{path}/vocabulary.txt") in names:
            lines = _unzipped(data, name, _MOST_TEXT).decode("utf-8").rstrip("\n").split("\n")
            node = root.at(f"{path}/vars/idf_weights")
            owner.take_lines(lines, None if node is None or node.values is None else node.values)


# ---- weights numbered by layer: .keras and .weights.h5


def _paths(net: Net, above: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any, Net | None]]:
    """The paths of layers and models in files: their classes, with numbers from the second on. The path of a
    layer in several models is that of its first place.
    """
    seen = set() if seen is None else seen
    count: Counter[str] = Counter()
    for owner, inner in net.members():
        kind = snake_case(keras_class(owner, inner))
        path = f"{above}layers/{kind}" + (f"_{count[kind]}" if count[kind] else "")
        count[kind] += 1
        if id(owner) not in seen:
            seen.add(id(owner))
            yield path, owner, inner
            if inner is not None:
                yield from _paths(inner, f"{path}/", seen)


def _numbered(node: Node | None) -> list[Any]:
    """The data sets named 0, 1, ..., in order."""
    items = {} if node is None else node.items
    found = [items[str(i)].values for i in range(len(items)) if str(i) in items]
    if len(found) < len(items) or any(values is None for values in found):
        raise ValueError(f"its weights are not numbered from 0: {sorted(items)[:3]}")
    return found


def _numbered_pairs(net: Net, root: Node, skip: bool) -> Iterator[Pair]:
    for path, owner, inner in _paths(net):
        if inner is not None or not owner.weights:
            continue
        for place, _, weights in owner.stored(path):
            found, wanted = _numbered(root.at(f"{place}/vars")), [w.shape for w in weights]
            if (shapes := [values.shape for values in found]) == wanted:
                yield from zip(weights, found)
            else:
                yield from _mismatch(skip, owner.name, f"at {place}, {shapes}", wanted)


def _mismatch(skip: bool, name: str, found: str, wanted: Any) -> Sequence[Pair]:
    text = f"the weights of the layer {name!r} have the shapes {wanted}, but there are, {found}"
    if not skip:
        raise ValueError(text)
    warn(f"{text}: they stay as they are")
    return ()


# ---- weights by the names of layers: .h5


def _names(group: Node, name: str) -> list[str]:
    """A list of names in an attribute, or in several: name0, name1, ..."""
    found = group.attributes.get(name)
    if found is None:
        found, part = [], 0
        while f"{name}{part}" in group.attributes:
            found += list(group.attributes[f"{name}{part}"])
            part += 1
    found = list(found)
    if not all(isinstance(each, str) for each in found):
        raise ValueError(f"its {name} are no names")
    return found


def _values(group: Node, name: str) -> Floats:
    node = group.at(name)
    if node is None or node.values is None:
        raise ValueError(f"its {name!r:.80} is missing")
    return node.values


def _in_order(owner: Any) -> list[Variable]:
    """The weights of a layer or model in the order of .h5 files."""
    return [*owner.trainable_weights, *owner.non_trainable_weights]


def _legacy_pairs(net: Net, group: Node, skip: bool) -> Iterator[Pair]:
    owners = [owner for owner in net.layers if owner.weights]
    found = []
    for name in _names(group, "layer_names"):
        if (layer := group.items.get(name)) is None:
            raise ValueError(f"its layer {name!r:.80} is missing")
        if names := _names(layer, "weight_names"):
            found.append((name, [_values(layer, each) for each in names]))
    if len(found) != len(owners):
        raise ValueError(
            f"it has {len(found)} layers with weights, and the model {net.name!r} has {len(owners)}"
        )
    for owner, (name, values) in zip(owners, found):
        variables = _in_order(owner)
        if len(values) != len(variables):
            yield from _mismatch(
                skip, owner.name, f"in {name!r}, {len(values)}", [w.shape for w in variables]
            )
            continue
        for variable, one in zip(variables, values):
            if one.shape == variable.shape:
                yield variable, one
            else:
                yield from _mismatch(skip, owner.name, f"in {name!r}, {one.shape}", variable.shape)


# ---- writing


def _as_keras_has_it(weight: Variable) -> Any:
    """The values; those of the count of a Normalization are whole."""
    return weight.numpy().astype(np.int32) if weight.name == "count" else weight.numpy()


def _weights_file(h5py: Any, trainer: Trainer) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:

        def put(path: str, name: str, values: Sequence[Any]) -> None:
            group = file.create_group(f"{path}vars")
            group.attrs["name"] = name
            for i, one in enumerate(values):
                group.create_dataset(str(i), data=one)

        for path, owner, inner in _paths(trainer.net):
            for place, name, weights in owner.stored(path) if inner is None else [(path, owner.name, [])]:
                put(f"{place}/", name, [_as_keras_has_it(w) for w in weights])
            if isinstance(owner, Lookup) and owner.idf_weights is not None:
                file.create_dataset(f"{path}/vars/idf_weights", data=owner.idf_weights)
        if trainer.settings is not None:
            put("optimizer/", trainer.settings.optimizer.name, of_optimizer(trainer))
        put("", trainer.net.name, [])
    return buffer.getvalue()


def _put_names(group: Any, name: str, values: Sequence[str]) -> None:
    """Writes names as one attribute, or as several if they are too long for one."""
    array = np.array([value.encode() for value in values], "S") if values else np.zeros(0)
    if array.nbytes <= _PART:
        group.attrs[name] = array
        return
    for i, part in enumerate(np.array_split(array, -(-array.nbytes // _PART))):
        group.attrs[f"{name}{i}"] = part


def _legacy_file(h5py: Any, trainer: Trainer) -> bytes:
    net, buffer = trainer.net, io.BytesIO()
    entry = keras_entry(trainer, with_compile=True, with_names=False)
    compiled = entry.pop("compile_config")
    with h5py.File(buffer, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = "torch", _VERSION
        config = {"class_name": entry["class_name"], "config": entry["config"]}
        file.attrs["model_config"] = json.dumps(config)
        weights = file.create_group("model_weights")
        weights.attrs["backend"], weights.attrs["keras_version"] = "torch", _VERSION
        _put_names(weights, "layer_names", [owner.name for owner in net.layers])
        paths = {(id(w.layer), w.name): path for path, w, _ in weights_of(net)}
        for owner in net.layers:
            variables = _in_order(owner)
            names = [paths[id(w.layer), w.name] for w in variables]
            _legacy_group(weights.create_group(owner.name), names, [_as_keras_has_it(w) for w in variables])
        _legacy_group(weights.create_group("top_level_model_weights"), [], [])
        if compiled is not None:
            optimizer = compiled.pop("optimizer")
            compiled["optimizer_config"] = {name: optimizer[name] for name in ("class_name", "config")}
            file.attrs["training_config"] = json.dumps(compiled)
            state = of_optimizer(trainer)
            names = [f"{optimizer['config']['name']}/{i}" for i in range(len(state))]
            _legacy_group(file.create_group("optimizer_weights"), names, state)
    return buffer.getvalue()


def _legacy_group(group: Any, names: Sequence[str], values: Sequence[Any]) -> None:
    _put_names(group, "weight_names", names)
    for name, one in zip(names, values):
        group.create_dataset(name, data=one)


def keras_bytes(trainer: Trainer, kind: str) -> bytes:
    """The content of a file with the suffix `kind`: ".keras", ".h5", or ".weights.h5"."""
    import h5py

    with memory(3 * 4 * sum(math.prod(w.shape) for _, w, _ in weights_of(trainer.net))):
        if kind == ".weights.h5":
            return _weights_file(h5py, trainer)
        if kind != ".keras":
            return _legacy_file(h5py, trainer)
        saved = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": _VERSION, "date_saved": saved}))
            archive.writestr(
                "config.json", json.dumps(keras_entry(trainer, with_compile=True), allow_nan=False)
            )
            archive.writestr(_WEIGHTS, _weights_file(h5py, trainer))
        return buffer.getvalue()
