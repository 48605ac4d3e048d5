"""Costs of a model file: memory and work are in proportion to its size, whatever its settings say."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers, models
from nncore.layers import Dense, Input

pytestmark = pytest.mark.once

Tensors = dict[str, np.ndarray]


sanitized = pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="memory of its own")

# Loads a small file, so that all that is imported is there, and then another: prints by how many bytes the
# process has grown meanwhile, and what was raised.
LOAD = """
import sys
import nncore
from nncore import models

def peak():  # in KiB
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
models.load_model(sys.argv[1])
before = peak()
try:
    models.load_model(sys.argv[2])
    print("loaded")
except Exception as error:
    print(type(error).__name__, str(error)[:300].encode("ascii", "replace").decode())
print((peak() - before) * 1024)
"""


def small() -> nncore.Sequential:
    model = nncore.Sequential([Input((3,)), Dense(4, "relu", name="a"), Dense(1, name="b")])
    model.compile("adam", "mse")
    return model


def loaded(tmp_path: Path, content: bytes) -> tuple[str, int]:
    """The error of loading such a file, and the most bytes that loading takes."""
    small().save(tmp_path / "small")
    (tmp_path / "m").write_bytes(content)
    command = [sys.executable, "-c", LOAD, str(tmp_path / "small"), str(tmp_path / "m")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said, grown = done.stdout.splitlines()
    return said, int(grown)


def allowed(content: bytes) -> int:
    return 10 * len(content) + 50 * 2**20


def raw(header: str, data: bytes = b"") -> bytes:
    text = header.encode()
    return struct.pack("<Q", len(text)) + text + data


def file_of(settings: str, tensors: Tensors | None = None) -> bytes:
    """A well-formed file; the settings are JSON."""
    header: dict[str, Any] = {"__metadata__": {"nncore": settings}}
    data = b""
    for name, values in (tensors or {}).items():
        end = len(data) + values.nbytes
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), end]}
        data += values.tobytes()
    text = json.dumps(header)
    return raw(text + " " * (-len(text) % 8), data)


def model_of(
    sample: list[int], *configs: tuple[str, dict[str, Any]], tensors: Tensors | None = None, **more: Any
) -> bytes:
    """A file of a built model with these layers, named by their numbers."""
    entries = [
        {"class_name": kind, "config": {"name": str(i), **config}} for i, (kind, config) in enumerate(configs)
    ]
    settings = {
        "version": 1,
        "parameters": [],
        "name": "s",
        "built": True,
        "input_shape": sample,
        "layers": entries,
        "compile": None,
        "seed": 1,
        "epochs": 0,
        **more,
    }
    return file_of(json.dumps(settings), tensors)


# ---- shapes

SIDE = 11585  # squared, just under 2**27
CONV = {"filters": 1, "kernel_size": 1}
POINT = {"0/kernel": np.ones((1, 1, 1, 1), np.float32), "0/bias": np.ones(1, np.float32)}
EXTRA = {"other/kernel": np.ones(1, np.float32)}
SHAPES: dict[str, bytes] = {
    "image": model_of([SIDE, SIDE, 1], ("Conv2D", CONV)),
    "padded image": model_of([SIDE, SIDE, 1], ("Conv2D", {**CONV, "padding": "same"})),
    "kernel": model_of([SIDE, SIDE, 1], ("Conv2D", {"filters": 1, "kernel_size": SIDE})),
    "dilated": model_of([SIDE, SIDE, 1], ("Conv2D", {**CONV, "dilation_rate": 2})),
    "depthwise": model_of([4000, 8000, 4], ("Conv2D", {"filters": 4, "kernel_size": 1, "groups": 4})),
    "many channels": model_of([2000, 512, 128], ("Conv2D", {"filters": 128, "kernel_size": 3})),
    "filters": model_of([8, 8, 2**20], ("Conv2D", {"filters": 2**20, "kernel_size": 8})),
    "pooling": model_of([SIDE, SIDE, 1], ("MaxPooling2D", {"pool_size": SIDE}), ("Dense", {"units": 1})),
    "axes": model_of([1] * 300_000, *[("ReLU", {})] * 300, tensors=EXTRA),
    "axes of Reshape": model_of(
        [4],
        ("Reshape", {"target_shape": [4] + [1] * 300_000}),
        *[("ReLU", {})] * 300,
        tensors=EXTRA,
    ),
    "units": model_of([2**20], ("Dense", {"units": 2**20})),
    # Refused when the network is there already.
    "built": model_of([SIDE, SIDE, 1], ("Conv2D", CONV), tensors=POINT | EXTRA),
    "built with pooling": model_of(
        [SIDE, SIDE, 1], ("Conv2D", CONV), ("MaxPooling2D", {}), tensors=POINT | EXTRA
    ),
}


@pytest.mark.full
@sanitized
@pytest.mark.parametrize("case", SHAPES)
def test_shapes_take_no_memory(case: str, tmp_path: Path) -> None:
    said, grown = loaded(tmp_path, SHAPES[case])
    assert said.startswith("ValueError"), said
    assert grown < allowed(SHAPES[case])


@pytest.mark.full
@sanitized
@pytest.mark.parametrize("pooled", [False, True])
def test_a_model_of_large_images_takes_memory_when_it_works(pooled: bool, tmp_path: Path) -> None:
    """No memory for images is taken when the model is made, compiled, saved or loaded."""
    code = f"""
import sys
import nncore
from nncore import layers, models
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
def model(side):
    pooling = [layers.MaxPooling2D()] if {pooled} else []
    made = nncore.Sequential([layers.Input((side, side, 1)), layers.Conv2D(1, 1), *pooling])
    made.compile("sgd", "mse")
    made.save(sys.argv[1])
    models.load_model(sys.argv[1])
    layers.Conv2D(1, 1).compute_output_shape((None, side, side, 1))
model(4)
before = peak()
model({SIDE})
print((peak() - before) * 1024)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "m")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 50 * 2**20


# ---- headers

MOST = 2**22  # bytes


def filled(start: str, item: str, end: str, size: int = MOST, **more: str) -> bytes:
    """A header of about `size` bytes, with as many items as fit."""
    encoded = len(item.encode())
    count = (size - len(start.encode()) - len(end.encode())) // encoded
    return raw(start + item * count + end)


def escaped(item: str) -> str:
    return json.dumps(item, ensure_ascii=False)[1:-1]


ITEMS = ("[],", '{"":0},', '"ab",', "1000,", "0.5,", "[[]],", "[0],", '{"a":{}},', '"\U0001f642",', "0,")
HEADERS: dict[str, bytes] = {
    "twenty megabytes": filled('{"a":[', "[],", "0]}", 20 * 2**20),
    "twenty megabytes of settings": filled('{"__metadata__":{"nncore":"[', "[],", '0]"}}', 20 * 2**20),
    **{f"header of {item}": filled('{"a":[', item, "0]}") for item in ITEMS},
    **{
        f"settings of {item}": filled(
            '{"__metadata__":{"nncore":"{\\"\U0001f642\\":[', escaped(item), '0]}"}}'
        )
        for item in ITEMS
    },
    "keys": raw("{" + ",".join(f'"{i}":0' for i in range(400_000)) + "}"),
    "tensors": raw(
        '{"__metadata__":{"nncore":"{\\"version\\":1}"},'
        + ",".join(f'"{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(60_000))
        + "}"
    ),
    "axes": raw(
        '{"__metadata__":{"nncore":"{\\"version\\":1}"},"a":{"dtype":"F32","data_offsets":[0,0],"shape":['
        + "0," * 2_000_000
        + "0]}}"
    ),
    "depth": filled('{"a":', "[", ""),
    "layers": model_of([4], *[("Flatten", {})] * 40_000, tensors=EXTRA),
    "layers without names": model_of(
        [4], layers=[{"class_name": "ReLU", "config": {}}] * 60_000, tensors=EXTRA
    ),
}


@pytest.mark.full
@sanitized
@pytest.mark.parametrize("case", HEADERS)
def test_headers_take_memory_in_proportion(case: str, tmp_path: Path) -> None:
    said, grown = loaded(tmp_path, HEADERS[case])
    assert said.startswith("ValueError"), said
    assert grown < allowed(HEADERS[case])


@pytest.mark.full
@sanitized
@pytest.mark.parametrize("extra", [True, False], ids=["refused", "loaded"])
def test_tensors_take_memory_in_proportion(extra: bool, tmp_path: Path) -> None:
    model = nncore.Sequential([Input((2000,)), Dense(2500, name="a"), Dense(1, name="b")])
    model.compile("adam", "mse")
    model.fit(np.zeros((1, 2000)), np.zeros((1, 1)), verbose=0)
    model.save(tmp_path / "large")
    content = (tmp_path / "large").read_bytes()
    if extra:
        content = content.replace(b'"optimizer/velocity/b/bias":', b'"optimizer/velocity/b/bios":')
    said, grown = loaded(tmp_path, content)
    assert said.startswith("ValueError" if extra else "loaded"), said
    assert grown < 10 * len(content)


@pytest.mark.full
def test_a_model_that_would_be_too_large_to_load_is_not_saved(tmp_path: Path) -> None:
    wide = nncore.Sequential([layers.Flatten(name="n" * 5_000_000)])
    deep = nncore.Sequential([layers.Flatten() for _ in range(2**14 + 1)])
    for model in (wide, deep):
        with pytest.raises(ValueError, match=r"too large to be loaded.*4 MB"):
            model.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


@pytest.mark.full
def test_large_honest_models_come_back(tmp_path: Path) -> None:
    model = nncore.Sequential([Input((1,)), *[Dense(1) for _ in range(3500)]])
    model.compile("adam", "mse")
    model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    model.save(tmp_path / "m")
    found = models.load_model(tmp_path / "m")
    assert len(found.layers) == 3500
    for a, b in zip(found.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- work


def steps_of(action: Callable[[], object]) -> int:
    """The steps that the interpreter makes in nncore's own code."""
    folder, count = str(Path(nncore.__file__).parent), 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(folder):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def built(number: int) -> nncore.Sequential:
    made = nncore.Sequential([Input((2,)), *[Dense(2, "relu", name=f"d{i}") for i in range(number)]])
    made.compile("adam", "mse")
    return made


def reloaded(number: int) -> Callable[[], object]:
    data = built(number).__reduce__()
    return lambda: data[0](*data[1])


def with_built(use: Callable[[nncore.Sequential], object]) -> Callable[[int], Callable[[], object]]:
    def prepare(number: int) -> Callable[[], object]:
        model = built(number)
        return lambda: use(model)

    return prepare


WORK: dict[str, Callable[[int], Callable[[], object]]] = {
    "build": lambda n: lambda: built(n),
    "load": reloaded,
    "save": with_built(lambda model: model.__reduce__()),
    "rebuild": with_built(lambda model: model.add(Dense(2))),
    "summary": with_built(lambda model: model.summary(print_fn=str)),
    "set_weights": with_built(lambda model: model.set_weights(model.get_weights())),
}


@pytest.mark.full
@pytest.mark.parametrize("what", WORK)
def test_work_is_linear_in_the_layers(what: str) -> None:
    steps_of(WORK[what](3))
    few, many = (steps_of(WORK[what](n)) for n in (40, 160))
    assert many < 5 * few


def test_adding_a_layer_reads_the_weights_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from nncore import _core

    reads: list[str] = []
    read = _core.Network.read
    monkeypatch.setattr(_core.Network, "read", lambda self, name: (reads.append(name), read(self, name))[1])
    model = built(30)
    reads.clear()
    model.add(Dense(2))
    assert len(reads) <= 3
