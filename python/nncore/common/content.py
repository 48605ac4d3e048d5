"""What a model file holds, taken apart: settings and tensors, within limits."""

from __future__ import annotations

import contextlib
import json
import mmap
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import safetensors.numpy

from ..common.arrays import Floats

_T = TypeVar("_T", list[Any], dict[str, Any])

VERSION = 2  # of what is written; version 1 is read as well
# Of the header, which lists and tables make many times as large in memory: some 4,000 convolutions with
# moments, or more layers without weights.
MOST_BYTES = 2**22
MOST_TABLES = 2**17
MOST_LAYERS = 2**14
MOST_CALLS = 2**17  # of layers, summed over all models: models in models can make few calls many


class Content(NamedTuple):
    settings: dict[str, Any]
    tensors: dict[str, Floats]


@contextlib.contextmanager
def memory(size: int) -> Iterator[None]:
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


def parsed(json_text: str) -> Any:
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


def content_of(data: bytes) -> Content:
    if len(data) < 8:
        raise ValueError("it is truncated")
    size = struct.unpack("<Q", data[:8])[0]
    if size > len(data) - 8:
        raise ValueError("it is truncated, or no safetensors file")
    if size > MOST_BYTES:
        raise ValueError(f"its header of {size} bytes is larger than {MOST_BYTES}")
    if (tables := data.count(b"[", 8, 8 + size) + data.count(b"{", 8, 8 + size)) > MOST_TABLES:
        raise ValueError(f"there are {tables} lists and tables in its header, more than {MOST_TABLES}")
    header = parsed(data[8 : 8 + size].decode("utf-8"))
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("nncore"), str):
        raise ValueError("it has no settings of nncore")
    settings = parsed(metadata["nncore"])
    del header, metadata
    expect(dict, settings, "its settings")
    if type(settings["version"]) is not int or not 1 <= settings["version"] <= VERSION:
        raise ValueError(f"its version is {settings['version']!r}, and this nncore knows up to {VERSION}")
    tensors: dict[str, Floats] = {}
    with memory(len(data)):
        found = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    for name, tensor in found:
        if tensor["dtype"] != "F32":
            raise ValueError(f"the tensor {name!r} is of {tensor['dtype']}, not F32")
        tensors[name] = (
            np.frombuffer(tensor["data"], "<f4").astype(np.float32, copy=False).reshape(tensor["shape"])
        )
    return Content(settings, tensors)


_DAMAGE = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
    safetensors.SafetensorError,
)  # fmt: skip


@contextlib.contextmanager
def errors_name(where: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise ValueError(f"{where} is not a usable model file: {what:.500}") from error


def expect(kind: type[_T], value: object, what: str) -> _T:
    if not isinstance(value, kind):
        raise ValueError(f"{what} must be a {'table' if kind is dict else 'list'}, got {value!r:.80}")
    return value
