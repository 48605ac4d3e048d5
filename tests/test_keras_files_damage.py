"""Keras' files that are damaged or doctored: each is refused with its name and a reason. None runs code."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_file_cases import FIXTURES

from nncore import models
from nncore.saving import hdf5

with zipfile.ZipFile(FIXTURES) as _archive:
    GRAPH, IMAGES, OLD = (_archive.read(name) for name in ("graph.keras", "images.keras", "images.h5"))
CODE = {"class_name": "__lambda__", "config": {"code": "4wEA"}}
LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "code", "function": CODE}}


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes], way: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", way) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def doctored(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """The file with a change of its config."""
    parts = unpacked(data)
    config = json.loads(parts["config.json"])
    found = change(config)
    parts["config.json"] = found if isinstance(found, bytes) else json.dumps(config).encode()
    return packed(parts)


def put(*path: Any) -> Callable[[Any], None]:
    """A change of a config: the last argument becomes the value at the path."""
    *keys, last, value = path

    def change(table: Any) -> None:
        for key in keys:
            table = table[key]
        table[last] = value

    return change


def layer(name: str, *path: Any) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        put(*path)(next(each for each in table["config"]["layers"] if each["config"]["name"] == name))

    return change


def node(name: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """A change of the first call of a layer."""

    def find(table: Any) -> None:
        change(next(each for each in table["config"]["layers"] if each["name"] == name)["inbound_nodes"][0])

    return find


def twice(table: Any) -> None:
    table["config"]["layers"].append(table["config"]["layers"][-1])


def nested(depth: int) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        for _ in range(depth):
            table["config"] = {
                "name": "deep",
                "layers": [{"class_name": "Sequential", "config": table["config"]}],
            }

    return change


CHANGES: dict[str, tuple[bytes, str, Callable[[Any], Any]]] = {
    "code": (
        IMAGES,
        "'code' is a Lambda: code in files is never run",
        lambda t: t["config"]["layers"].append(LAMBDA),
    ),
    "code as activation": (
        IMAGES,
        "activation",
        layer("wide", "config", "activation", CODE),
    ),
    "a function of one's own": (
        IMAGES,
        "is a function",
        layer("wide", "config", "kernel_initializer", {"class_name": "function", "config": "mine"}),
    ),
    "a class of one's own": (IMAGES, "a class of your own", layer("wide", "registered_name", "mine>Conv2D")),
    "a module of one's own": (IMAGES, "a class of your own", layer("wide", "module", "os.path")),
    "an operation": (GRAPH, "operation Dense of keras.ops", layer("both", "module", "keras.src.ops.numpy")),
    "an unknown layer": (
        IMAGES,
        "'wide' is a 'ConvLSTM2D', which is not available",
        layer("wide", "class_name", "ConvLSTM2D"),
    ),
    "a layer by its path": (IMAGES, "not available", layer("wide", "class_name", "nncore.layers.Dense")),
    "a class as a list": (IMAGES, "has the class", layer("wide", "class_name", ["Dense"])),
    "half numbers": (
        IMAGES,
        "'wide' computes in 'mixed_float16'",
        layer("wide", "config", "dtype", {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}),
    ),
    "large filters": (IMAGES, "fewer numbers than", layer("wide", "config", "filters", 2**19)),
    "huge filters": (IMAGES, "filters must be at most", layer("wide", "config", "filters", 10**18)),
    "more filters": (
        IMAGES,
        "have the shapes|fewer numbers|is made for|takes",
        layer("wide", "config", "filters", 2),
    ),
    "other channels": (
        IMAGES,
        "unknown|data_format",
        layer("wide", "config", "data_format", "channels_first"),
    ),
    "an unknown setting": (IMAGES, "unexpected argument", layer("wide", "config", "evil", 1)),
    "training": (GRAPH, "training=True is not available", node("both", put("kwargs", "training", True))),
    "two arguments": (
        GRAPH,
        "takes one input, got 2",
        node("both", lambda n: n["args"].append(n["args"][0])),
    ),
    "a circle": (
        GRAPH,
        "circle",
        node("both", put("args", 0, "config", "keras_history", ["narrow", 0, 0])),
    ),
    "no such layer": (
        GRAPH,
        "circle|not there",
        node("both", put("args", 0, "config", "keras_history", ["x", 0, 0])),
    ),
    "no such output": (
        GRAPH,
        "no output 3 of the call 0",
        node("both", put("args", 0, "config", "keras_history", ["a", 0, 3])),
    ),
    "a negative call": (
        GRAPH,
        "at least 0",
        node("both", put("args", 0, "config", "keras_history", ["a", -1, 0])),
    ),
    "a layer twice": (GRAPH, "there twice", twice),
    "outputs as text": (GRAPH, "must be a list", put("config", "output_layers", "wide")),
    "no layers": (IMAGES, "'layers' is missing", lambda t: t["config"].pop("layers")),
    "a layer alone": (IMAGES, "no model", lambda t: json.dumps(t["config"]["layers"][1]).encode()),
    "models in models": (IMAGES, "fewer numbers|have the shapes|usable", nested(200)),
    "no JSON": (IMAGES, "usable", lambda t: b"{"),
    "deep lists": (IMAGES, "usable", lambda t: b"[" * 10**5),
    "many lists": (IMAGES, "lists and tables", lambda t: b"[" * 10**6),
    "a long text": (IMAGES, "larger than", lambda t: b" " * (2**24 + 1)),
    "a number that is none": (IMAGES, "NaN is not allowed", lambda t: b'{"class_name": NaN}'),
    "a key twice": (IMAGES, "there twice", lambda t: b'{"class_name": "Model", "class_name": "Model"}'),
    "an unknown optimizer": (
        IMAGES,
        "the optimizer 'Evil' is not available.*compile=False",
        put("compile_config", "optimizer", {"class_name": "Evil", "config": {}}),
    ),
    "an unknown loss": (IMAGES, "no loss.*compile=False", put("compile_config", "loss", "evil")),
    "a loss of one's own": (
        IMAGES,
        "no loss.*compile=False",
        put("compile_config", "loss", {"module": "builtins", "class_name": "function", "config": "mine"}),
    ),
    "a metric of one's own": (
        IMAGES,
        "a class of your own.*compile=False",
        put("compile_config", "metrics", [{"module": "mine", "class_name": "Own", "config": {}}]),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_doctored_configs_are_refused(change: str, tmp_path: Path) -> None:
    data, text, doctor = CHANGES[change]
    path = tmp_path / "m.keras"
    path.write_bytes(doctored(data, doctor))
    with pytest.raises(ValueError, match=text) as caught:
        models.load_model(path)
    assert str(path) in str(caught.value)


def bomb() -> bytes:
    return packed({**unpacked(IMAGES), "model.weights.h5": bytes(2**26)}, zipfile.ZIP_DEFLATED)


def test_safe_mode_cannot_be_left(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(IMAGES)
    models.load_model(tmp_path / "m.keras", safe_mode=True)
    with pytest.raises(ValueError, match="never run"):
        models.load_model(tmp_path / "m.keras", safe_mode=False)


RAW: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a zip of zeros": ("larger than", bomb),
    "no weights": (
        "it has no model.weights.h5",
        lambda: packed({"config.json": unpacked(IMAGES)["config.json"]}),
    ),
    "no config": ("it has no config.json", lambda: packed({"a": b""})),
    "weights that are none": (
        "no HDF5 file",
        lambda: packed({**unpacked(IMAGES), "model.weights.h5": b"x" * 99}),
    ),
    "half of it": ("zip is damaged", lambda: IMAGES[: len(IMAGES) // 2]),
    "encrypted": (
        "zip is damaged",
        lambda: re.sub(rb"(PK\x01\x02.{4}).", lambda m: m[1] + b"\1", IMAGES, flags=re.S),
    ),
    "half of the weights": ("truncated|damaged|points outside", lambda: OLD[: len(OLD) // 2]),
    "weights alone": ("weights, but no model", lambda: unpacked(IMAGES)["model.weights.h5"]),
}


@pytest.mark.parametrize("case", RAW)
def test_damaged_files_are_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "m"
    text, content = RAW[case]
    path.write_bytes(content())
    with pytest.raises(ValueError, match=text):
        models.load_model(path)


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_changed_bytes_never_crash(kind: str, tmp_path: Path) -> None:
    """Either the file is refused, or only numbers have changed."""
    path, dice = tmp_path / "m", random.Random(4)
    good = {"keras": GRAPH, "h5": OLD}[kind]
    for _ in range(150):
        data = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            model = models.load_model(path)
        except ValueError:
            continue
        x = [np.ones((1, *shape.shape[1:]), np.float32) for shape in model.inputs]
        model.predict(x if len(x) > 1 else x[0])


# ---- what HDF5 can hold besides numbers


def of_hdf5(fill: Callable[[Any, Any], None], **how: Any) -> bytes:
    h5py, buffer = pytest.importorskip("h5py"), io.BytesIO()
    with h5py.File(buffer, "w", **how) as file:
        fill(h5py, file)
    return buffer.getvalue()


def soft_link(h5py: Any, file: Any) -> None:
    file["a"] = h5py.SoftLink("/etc")


def external_link(h5py: Any, file: Any) -> None:
    file["a"] = h5py.ExternalLink("/etc/passwd", "/")


def elsewhere(h5py: Any, file: Any) -> None:
    file.create_dataset("a", (2,), np.float32, external=[("/etc/passwd", 0, 8)])


def virtual(h5py: Any, file: Any) -> None:
    layout = h5py.VirtualLayout((2,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "a", (2,))
    file.create_virtual_dataset("a", layout)


def circle(h5py: Any, file: Any) -> None:
    file.create_group("a")["b"] = file["/"]


def deep(h5py: Any, file: Any) -> None:
    file.create_group("/".join(["a"] * 100))


def huge(h5py: Any, file: Any) -> None:
    file.create_dataset("a", (2**40,), np.float32)


def many(h5py: Any, file: Any) -> None:
    """The same bytes under many names."""
    file["a"] = np.ones(10_000, np.float32)
    for i in range(100):
        file[f"b{i}"] = file["a"]


def copies(h5py: Any, file: Any) -> None:
    """The same small group under many names."""
    file.create_group("a").attrs["b"] = 1
    for i in range(1000):
        file[f"c{i}"] = file["a"]


HAZARDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "link": ("links are not followed", lambda: of_hdf5(soft_link)),
    "link to a file": ("links", lambda: of_hdf5(external_link)),
    "data in a file": ("other files", lambda: of_hdf5(elsewhere)),
    "virtual data": ("layout", lambda: of_hdf5(virtual)),
    "circle": ("within themselves", lambda: of_hdf5(circle)),
    "deep": ("too many in one another", lambda: of_hdf5(deep)),
    "huge": ("bytes for data|points outside", lambda: of_hdf5(huge)),
    "many": ("more than the file has", lambda: of_hdf5(many)),
    "copies": ("more parts than the file can hold", lambda: of_hdf5(copies)),
    "chunks": (
        "compressed|chunks",
        lambda: of_hdf5(lambda h, f: f.create_dataset("a", data=[1.0], chunks=(1,))),
    ),
    "zip": (
        "compressed",
        lambda: of_hdf5(lambda h, f: f.create_dataset("a", data=[1.0], compression="gzip")),
    ),
    "texts": ("no numbers", lambda: of_hdf5(lambda h, f: f.create_dataset("a", data=["x"]))),
    "records": ("no numbers", lambda: of_hdf5(lambda h, f: f.create_dataset("a", data=np.zeros(1, "i4,f4")))),
    "references": ("no numbers", lambda: of_hdf5(lambda h, f: f.create_dataset("a", (1,), h.ref_dtype))),
    "newer": ("newer layout", lambda: of_hdf5(lambda h, f: f.create_group("a"), libver="latest")),
}


@pytest.mark.parametrize("case", HAZARDS)
def test_hazards_in_hdf5_are_refused(case: str) -> None:
    text, content = HAZARDS[case]
    with pytest.raises(ValueError, match=text):
        hdf5.read(content())


def test_hdf5_is_read_as_h5py_writes_it() -> None:
    rng, wanted = np.random.default_rng(2), {}
    types = ["<f4", ">f4", "<f2", "<f8", "i1", "u2", ">i4", "i8"]
    for i in range(400):
        shape = tuple(rng.integers(0, 4, rng.integers(0, 4)))
        wanted[f"g{i % 3}/h{i % 7}/{i}"] = rng.integers(0, 100, shape).astype(types[i % len(types)])
    names = [f"a name {i}".encode() for i in range(900)]

    def fill(h5py: Any, file: Any) -> None:
        for path, values in wanted.items():
            file.create_dataset(path, data=values)
        file.attrs["text"], file.attrs["long"], file.attrs["names"] = "é", "x" * 10**6, names
        file.attrs["number"], file.attrs["other"], file.attrs["none"] = 3, np.zeros(2, "i4,f4"), ""

    root = hdf5.read(of_hdf5(fill))
    for path, values in wanted.items():
        found = root.at(path)
        assert found is not None
        np.testing.assert_array_equal(found.values, values)  # type: ignore[arg-type]
        assert found.values.dtype == values.dtype  # type: ignore[union-attr]
    assert root.size == sum(values.size for values in wanted.values())
    assert root.attributes.pop("number") == 3
    assert root.attributes == {
        "text": "é", "long": "x" * 10**6, "names": [name.decode() for name in names], "none": "",
    }  # fmt: skip
