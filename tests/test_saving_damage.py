"""Model files that are damaged or doctored: each is refused with its name and a reason."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import models
from nncore.layers import Dense, Input

Settings = dict[str, Any]


def small() -> nncore.Sequential:
    model = nncore.Sequential([Input((3,)), Dense(4, "relu", name="a"), Dense(1, name="b")])
    model.compile("adam", "mse")
    return model


def doctor(path: Path, settings: Callable[[Settings], Any] | None = None, tensors: Any = None) -> None:
    """Changes the settings or the tensors in a file and leaves the rest well-formed."""
    from safetensors.numpy import load_file, save_file

    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    table = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["nncore"])
    found = load_file(path)
    if settings:
        settings(table)
    if tensors:
        tensors(found)
    save_file(found, path, {"nncore": json.dumps(table)})


def put(*path: Any) -> Callable[[Settings], None]:
    """A change of the settings: the last argument becomes the value at the path."""
    *keys, last, value = path

    def change(table: Settings) -> None:
        at: Any = table
        for key in keys:
            at = at[key]
        at[last] = value

    return change


def drop(*path: Any) -> Callable[[Settings], None]:
    *keys, last = path

    def change(table: Settings) -> None:
        at: Any = table
        for key in keys:
            at = at[key]
        del at[last]

    return change


KERNEL, MOMENT = "a/kernel", "optimizer/velocity/a/kernel"
MODEL = ("objects", -1, "config")
CHANGES: dict[str, tuple[str, Any, Any]] = {
    "another version": ("its version is 3", put("version", 3), None),
    "no version": ("'version' is missing", drop("version"), None),
    "no objects": ("'objects' is missing", drop("objects"), None),
    "no layers": ("'layers' is missing", drop(*MODEL, "layers"), None),
    "layers as a number": ("layers must be a list", put(*MODEL, "layers", 3), None),
    "unknown layer": ("there is no layer 'Evil'", put("objects", 0, "class_name", "Evil"), None),
    "layer by path": ("there is no layer", put("objects", 0, "class_name", "os.system"), None),
    "layer as a list": ("there is no layer", put("objects", 0, "class_name", ["Dense"]), None),
    "layer as a text": ("layer must be a table", put("objects", 0, "Dense"), None),
    "other units": ("should have the shape", put("objects", 0, "config", "units", 5), None),
    "huge units": ("units must be at most", put("objects", 0, "config", "units", 10**18), None),
    "large units": ("should have the shape", put("objects", 0, "config", "units", 2**20), None),
    "fractional units": ("units must be an integer", put("objects", 0, "config", "units", 4.0), None),
    "negative units": ("units must be at least", put("objects", 0, "config", "units", -4), None),
    "units as a list": ("units must be an integer", put("objects", 0, "config", "units", [4]), None),
    "no units": ("units", drop("objects", 0, "config", "units"), None),
    "unknown setting": ("unexpected argument 'call'", put("objects", 0, "config", "call", "x"), None),
    "unknown activation": ("no activation", put("objects", 0, "config", "activation", "exec"), None),
    "unknown initializer": (
        "not an initializer",
        put("objects", 0, "config", "kernel_initializer", {"class_name": "eval", "config": {}}),
        None,
    ),
    "the same name twice": ("names must differ", put("objects", 1, "config", "name", "a"), None),
    "other input": ("is built for samples of shape", put(*MODEL, "input_shape", [4]), None),
    "huge input": (
        "is built for samples of shape",
        put(*MODEL, "input_shape", [2**30]),
        None,
    ),
    "endless input": (
        "too many elements|should have",
        put(*MODEL, "input_shape", [2**31 - 1] * 5),
        None,
    ),
    "no input": ("input_shape is missing", put(*MODEL, "input_shape", None), None),
    "input of zero": ("at least 1", put(*MODEL, "input_shape", [0]), None),
    "name as a number": ("name must be a string", put(*MODEL, "name", 3), None),
    "negative seed": ("seed must be at least 0", put(*MODEL, "seed", -1), None),
    "huge seed": ("seed must be at most", put(*MODEL, "seed", 2**64), None),
    "fractional epochs": ("epochs must be an integer", put(*MODEL, "epochs", 1.5), None),
    "huge iterations": ("iterations must be at most", put("compile", "iterations", 2**63), None),
    "unknown optimizer": ("there is no optimizer", put("compile", "optimizer", "class_name", "Evil"), None),
    "learning rate as text": (
        "learning_rate must be a number",
        put("compile", "optimizer", "config", "learning_rate", "a"),
        None,
    ),
    "unknown loss": ("loss .dice. is not available", put("compile", "outputs", 0, "loss", "dice"), None),
    "unknown metric": ("no metric", put("compile", "outputs", 0, "metrics", ["x"]), None),
    "metric of other targets": (
        "same kind of targets",
        put("compile", "outputs", 0, "metrics", ["sparse_categorical_accuracy"]),
        None,
    ),
    "frozen as a number": ("frozen must be a list", put("compile", "frozen", 1), None),
    "compile as a list": ("compile must be a table", put("compile", []), None),
    "kernel missing": ("'a/kernel' is missing", None, lambda t: t.pop(KERNEL)),
    "moment missing": ("velocity/a/kernel' is missing", None, lambda t: t.pop(MOMENT)),
    "kernel of other shape": (
        "should have the shape",
        None,
        lambda t: t.update({KERNEL: t[KERNEL][:2]}),
    ),
    "kernel of doubles": ("is of F64", None, lambda t: t.update({KERNEL: t[KERNEL].astype(np.float64)})),
    "kernel of integers": ("is of I64", None, lambda t: t.update({KERNEL: t[KERNEL].astype(np.int64)})),
    "tensor too many": ("belong to no layer", None, lambda t: t.update({"c/kernel": t[KERNEL]})),
    "moment of another optimizer": (
        "belong to no layer",
        None,
        lambda t: t.update({"optimizer/x/a/kernel": t[KERNEL]}),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_doctored_files_are_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = small()
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    model.save(path)
    text, settings, tensors = CHANGES[change]
    doctor(path, settings, tensors)
    with pytest.raises(ValueError, match=text) as caught:
        models.load_model(path)
    assert str(path) in str(caught.value)


RAW: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": ("truncated", lambda data: b""),
    "seven bytes": ("truncated", lambda data: data[:7]),
    "half a header": ("truncated", lambda data: data[:100]),
    "no tensors": ("usable model file", lambda data: data[: 8 + struct.unpack("<Q", data[:8])[0]]),
    "last byte missing": ("usable model file", lambda data: data[:-1]),
    "a byte more": ("usable model file", lambda data: data + b"\0"),
    "huge header": ("truncated, or no safetensors", lambda data: struct.pack("<Q", 2**62) + data[8:]),
    "header that is no JSON": ("usable model file", lambda data: data[:8] + b"x" + data[9:]),
    "a file of Keras": ("its zip is damaged", lambda data: b"PK\x03\x04" + data),
    "HDF5": ("its HDF5 is of a newer layout", lambda data: b"\x89HDF\r\n\x1a\n" + data),
    "a picture": ("truncated, or no safetensors", lambda data: b"\x89PNG\r\n\x1a\n" + data),
    "no metadata": ("no settings of nncore", lambda data: safetensors_of(None)),
    "metadata of others": ("no settings of nncore", lambda data: safetensors_of({"format": "pt"})),
    "settings that are no JSON": ("usable model file", lambda data: safetensors_of({"nncore": "{"})),
    "settings that are a list": ("settings must be a table", lambda data: safetensors_of({"nncore": "[]"})),
    "settings with NaN": ("NaN is not allowed", lambda data: safetensors_of({"nncore": '{"version": NaN}'})),
    "deep settings": ("usable model file", lambda data: safetensors_of({"nncore": "[" * 10**5})),
    "long number": (
        "usable model file",
        lambda data: safetensors_of({"nncore": '{"version": ' + "9" * 10**4 + "}"}),
    ),
}


def safetensors_of(metadata: dict[str, str] | None) -> bytes:
    from safetensors.numpy import save

    return save({"a": np.zeros(2, np.float32)}, metadata)


@pytest.mark.parametrize("change", RAW)
@pytest.mark.parametrize("what", ["model", "weights"])
def test_damaged_files_are_refused(change: str, what: str, tmp_path: Path) -> None:
    path, model = tmp_path / "m", small()
    model.save(path)
    text, damage = RAW[change]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=text):
        models.load_model(path) if what == "model" else model.load_weights(path)


def test_flipped_bits_never_crash(tmp_path: Path) -> None:
    """Either the file is refused, or only numbers have changed."""
    path, dice = tmp_path / "m", random.Random(4)
    small().save(path)
    good = path.read_bytes()
    size = 8 + struct.unpack("<Q", good[:8])[0]
    for _ in range(400):
        data = bytearray(good)
        data[dice.randrange(size)] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            model = models.load_model(path)
        except ValueError:
            continue
        assert model.predict(np.ones((1, *model.input_shape[1:]))).shape == (1, 1)
