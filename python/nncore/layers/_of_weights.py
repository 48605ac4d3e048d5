"""Arguments of layers that belong to one weight, such as kernel_initializer, or are layers; and entries of
configs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ..common import described, whole
from ..common.described import Described

# The last part of such an argument's name.
_FAMILIES = ("initializer", "regularizer", "constraint", "layer")


def _family(what: str) -> Any:
    with whole:
        return importlib.import_module(f"{__package__.partition('.')[0]}.{what}s")


def is_of_weights(name: str) -> bool:
    """Whether an argument belongs to a weight, or is a layer; the compiled layer does not get it."""
    return name.rpartition("_")[2] in _FAMILIES


def found(name: str, value: object, owner: str) -> Any:
    """The object for an argument's value; None for no regularizer or constraint."""
    what = name.rpartition("_")[2]
    if value is None and what == "initializer":
        raise TypeError(f"[{owner}] {name} must be a name or an Initializer, got None")
    return None if value is None else _family(what).get(value, owner)


def entry(value: Any) -> Any:
    """An argument's value in types that JSON can hold, for a config."""
    if isinstance(value, Described):
        return described.entry(value)
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if callable(value):
        return value.__name__
    return list(value) if isinstance(value, tuple) else value


def value(owner: str, name: str, entry: Any) -> Any:
    """The argument's value, from its `entry` in a config. ValueError if the entry is not valid."""
    if not isinstance(entry, Mapping) or entry.get("class_name") == "function":
        return entry
    what, settings = name.rpartition("_")[2], entry.get("config")
    known = _family(what).CLASSES.get(str(entry.get("class_name"))) if what in _FAMILIES else None
    if known is None or not isinstance(settings, Mapping):
        article = "an" if what == "initializer" else "a"
        raise ValueError(f"[{owner}] {name} is not {article} {what}: {entry!r:.200}")
    return known.from_config(settings) if what == "layer" else known(**settings)
