"""Settings of layers in types that JSON knows, and what is set for a weight by its name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ..common import described, whole
from ..common.described import Described

# Families of what a weight may have, by the end of the argument's name, as kernel_initializer.
_FAMILIES = ("initializer", "regularizer", "constraint")


def _family(what: str) -> Any:
    with whole:
        return importlib.import_module(f"{__package__.partition('.')[0]}.{what}s")


def is_of_weights(name: str) -> bool:
    """Whether an argument is one that the compiled layer knows nothing of."""
    return name.rpartition("_")[2] in _FAMILIES


def found(name: str, value: object, owner: str) -> Any:
    """What was given for the argument; None for no regularizer or constraint."""
    what = name.rpartition("_")[2]
    if value is None and what == "initializer":
        raise TypeError(f"[{owner}] {name} must be a name or an Initializer, got None")
    return None if value is None else _family(what).get(value, owner)


def entry(value: Any) -> Any:
    """For a config."""
    if isinstance(value, Described):
        return described.entry(value)
    if callable(value):
        return value.__name__
    return list(value) if isinstance(value, tuple) else value


def value(owner: str, name: str, entry: Any) -> Any:
    """What `entry` gave for the argument. ValueError if it did not."""
    if not isinstance(entry, Mapping):
        return entry
    what, settings = name.rpartition("_")[2], entry.get("config")
    known = _family(what).CLASSES.get(str(entry.get("class_name"))) if what in _FAMILIES else None
    if known is None or not isinstance(settings, Mapping):
        article = "an" if what == "initializer" else "a"
        raise ValueError(f"[{owner}] {name} is not {article} {what}: {entry!r:.200}")
    return known(**settings)
