"""Valid files with one to four mutations of their settings, their table of tensors or their bytes."""

from __future__ import annotations

import copy
import io
import json
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from nncore import activations, layers

from .common import Run, cases, limit_addresses, named, resident
from .readers import READERS, seeds

ROOM = 2**30  # bytes of addresses that a case may take
NUMBERS = [0, 1, -1, 2, 3, 7, 255, 4096, 2**20, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**40,
           0.0, -0.0, 0.5, -1.5, 1e-320, 1e308, 4.0]  # fmt: skip
TEXTS = ["", "a", "a/b", "/", "..", "\0", "\ud800", "é" * 300, "x" * 70_000, "os.system", "__class__", "same",
         "valid", "F32", "F64", "BF16", "adam", "mse", "accuracy", "he_normal",
         "sparse_categorical_crossentropy",
         *activations.__all__, *layers.CLASSES]  # fmt: skip
OTHERS: list[Any] = [
    None,
    True,
    False,
    [],
    {},
    [[]],
    [0],
    [None],
    {"": 0},
    {"class_name": "Dense", "config": {}},
]
RAW = ["NaN", "-Infinity", "1e999", "[" * 30_000, "9" * 5000, '"\\ud800"', "{", "", '{"a":1,"a":2}', "\ufeff"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything below a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def pick(rng: np.random.Generator, options: list[Any]) -> Any:
    return options[rng.integers(len(options))]


def another(rng: np.random.Generator, old: Any) -> Any:
    """A replacement for a value: near it, of its type, or of any type."""
    kind = rng.integers(6)
    if kind == 0 and isinstance(old, (int, float)):
        return pick(rng, [old + 1, old - 1, old * 2, -old, float(old), str(old), [old], [old, old]])
    if kind <= 2:
        return pick(rng, TEXTS if isinstance(old, str) else NUMBERS)
    if kind == 3:
        value = old
        for _ in range(rng.integers(1, 60)):
            value = [value] if rng.integers(2) else {"config": value}
        return value
    return copy.deepcopy(pick(rng, pick(rng, [NUMBERS, TEXTS, OTHERS])))


def change(rng: np.random.Generator, tree: Any) -> None:
    """Changes something in a tree of lists and tables."""
    found = list(places(tree))
    if not found:
        return
    at, key = pick(rng, found)
    kind = rng.integers(8)
    if kind == 0:
        del at[key]
    elif kind == 1:
        other, name = pick(rng, found)
        at[key] = copy.deepcopy(other[name])
    elif kind == 2 and isinstance(at, list):
        at.insert(key, copy.deepcopy(at[key]))
    elif kind == 2:
        at[pick(rng, [str(key) + "x", *TEXTS])] = copy.deepcopy(at[key])
    elif kind == 3 and isinstance(at, dict):
        at[pick(rng, TEXTS)] = at.pop(key)
    else:
        at[key] = another(rng, at[key])


def mutate_settings(rng: np.random.Generator, data: bytes) -> bytes:
    """The file with changes in its table of tensors, in its settings, or in the text of one of them."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    settings = json.loads(header["__metadata__"]["nncore"])
    kind = rng.integers(10)
    for _ in range(rng.integers(1, 4)):
        change(rng, header if kind < 2 else settings)
    text = json.dumps(settings)
    if kind == 9:
        begin, end = sorted(rng.integers(0, len(text) + 1, size=2).tolist())
        text = text[:begin] + pick(rng, RAW) + text[end if rng.integers(2) else begin :]
    if kind >= 2:
        header["__metadata__"]["nncore"] = text
    packed = json.dumps(header, ensure_ascii=bool(rng.integers(2))).encode("utf-8", "surrogatepass")
    packed += b" " * (-len(packed) % 8)
    return struct.pack("<Q", len(packed)) + packed + data[8 + size :]


def mutate_offsets(rng: np.random.Generator, data: bytes) -> bytes:
    """The file with other shapes, offsets or types in its table of tensors, or another size of the table."""
    size = struct.unpack("<Q", data[:8])[0]
    if not rng.integers(5):
        size = pick(rng, [size - 1, size + 1, size + 8, 0, 2**26, 2**26 + 1, 2**32, 2**63, 2**64 - 1])
        return struct.pack("<Q", size) + data[8:]
    header = json.loads(data[8 : 8 + size])
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    if tensors:
        entry = pick(rng, tensors)
        field = pick(rng, ["shape", "data_offsets", "dtype"])
        if field == "dtype" or rng.integers(2):
            entry[field] = another(rng, entry[field])
        elif entry[field]:
            at = rng.integers(len(entry[field]))
            entry[field][at] = another(rng, entry[field][at])
        if not rng.integers(3):
            entry.update(copy.deepcopy(pick(rng, tensors)))
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + data[8 + size :]


def mutate_bytes(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    if not data:
        return other
    found = bytearray(data)
    # half of the places near the front, where headers are
    begin = int(rng.integers(len(found) if rng.integers(2) else min(len(found), 400)))
    end = min(len(found), begin + int(rng.choice([1, 1, 2, 4, 8, 64, 1024])))
    kind = rng.integers(8)
    if kind <= 1:
        found[begin] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        found[begin:end] = rng.bytes(end - begin)
    elif kind == 3:
        found[begin:end] = bytes([int(rng.choice([0, 255, 127, 128]))]) * (end - begin)
    elif kind == 4:
        del found[begin:end]
    elif kind == 5:
        found[begin:begin] = found[begin:end] * int(rng.choice([1, 2, 100]))
    elif kind == 6:
        del found[begin:]
    else:
        found[begin:] = other[begin:]
    return bytes(found)


def mutate_zip(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """A .keras file with changes in its config, or in the bytes of its weights."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if rng.integers(3):
        config = json.loads(parts["config.json"])
        for _ in range(rng.integers(1, 4)):
            change(rng, config)
        parts["config.json"] = json.dumps(config).encode("utf-8", "surrogatepass")
    else:
        name = pick(rng, ["model.weights.h5", "config.json"])
        for _ in range(rng.integers(1, 5)):
            parts[name] = mutate_bytes(rng, parts[name], other)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", pick(rng, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def mutated(rng: np.random.Generator, kind: str, data: bytes, other: bytes) -> bytes:
    if kind == "keras" and data[:2] == b"PK" and rng.integers(4):
        return mutate_zip(rng, data, other)
    if kind in ("model", "weights"):
        way = rng.integers(4)
        if way <= 1:
            data = mutate_settings(rng, data)
        elif way == 2:
            data = mutate_offsets(rng, data)
        if way < 3 and rng.integers(4):
            return data
    for _ in range(rng.integers(1, 5)):
        data = mutate_bytes(rng, data, other)
    return data


def run(run: Run) -> str:
    found = seeds(run.folder)
    kinds = ["model"] * 6 + ["keras"] * 4 + ["weights", "images", "labels", "npz"]
    path = run.folder / "file"
    for kind, files in found.items():
        for data in files:
            path.write_bytes(data)
            assert READERS[kind](path), f"a sound file of {kind} is refused"
    limit_addresses(ROOM)
    before, read, usable = resident("VmHWM"), Counter[str](), Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, rng in cases(run):
            kind = pick(rng, kinds)
            path.write_bytes(mutated(rng, kind, pick(rng, found[kind]), pick(rng, found[kind])))
            with named(run, number):
                usable[kind] += READERS[kind](path)
            read[kind] += 1
    grown = (resident("VmHWM") - before) / 1e6
    table = ", ".join(f"{read[kind]} of {kind} ({usable[kind]} usable)" for kind in READERS)
    return f"{read.total()} files: {table}; the peak of memory grew by {grown:.0f} MB"
