"""Automatic names as Keras gives them: dense, dense_1, ... counted over the whole process."""

from __future__ import annotations

import re
from collections import Counter

from . import whole

_used: Counter[str] = Counter()


def snake_case(name: str) -> str:
    """GlobalMaxPooling2D -> global_max_pooling2d."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def automatic(class_name: str) -> str:
    prefix = snake_case(class_name)
    with whole:
        number = _used[prefix]
        _used[prefix] += 1
    return f"{prefix}_{number}" if number else prefix


def checked(owner: str, name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"[{owner}] name must be a string, got {name!r}")
    if not name or "/" in name:
        raise ValueError(f"[{owner}] name must not be empty or contain '/', got {name!r}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"[{owner}] name must be text that UTF-8 can hold, got {name!r}") from None
    return name


def reset() -> None:
    with whole:
        _used.clear()
