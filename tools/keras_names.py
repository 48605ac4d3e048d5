"""Writes python/nncore/common/keras_names.txt: public names and arguments of Keras 3, as installed.

    KERAS_BACKEND=torch python tools/keras_names.py

A line is a module or an object: its names, and behind a colon its arguments with their defaults. Classes that
programs call or derive from have a line for each attribute, too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import keras._tf_keras.keras as of_tensorflow

FILE = Path(__file__).parents[1] / "python/nncore/common/keras_names.txt"
ROOTS = (keras, of_tensorflow)
CLASSES = ("Layer", "Model", "Sequential", "Optimizer", "Metric", "Loss", "callbacks.Callback", "Variable")
WITHOUT_ARGUMENTS = "applications|config|distribution|dtype_policies|quantizers|random|tree|visualization"


def members(thing: Any, prefix: str, root: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(vars(thing).items()):
        path = f"{prefix}.{name}".lstrip(".")
        if name.startswith("_") or name in ("api", "src"):
            continue
        if isinstance(value, ModuleType):
            if value.__name__.startswith(root.__name__) and "src" not in value.__name__.split("."):
                yield path, value
                yield from members(value, path, root)
        elif type(value).__module__ != "__future__":
            yield path, value


def arguments(path: str, value: Any) -> list[str]:
    if re.match(WITHOUT_ARGUMENTS, path):
        return []
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    named = [p for p in found if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    written = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in named]
    return [text.replace(", ", ",").replace(" ", r"\x20") for text in written]  # words are parted by spaces


def main() -> None:
    objects: dict[Any, tuple[list[str], Any]] = {}
    for root in ROOTS:
        for path, value in members(root, "", root):
            key = id(value) if callable(value) else path
            paths = objects.setdefault(key, ([], value))[0]
            if path not in paths:
                paths.append(path)
    lines = [f"{' '.join(paths)}:{' '.join(arguments(paths[0], value))}" for paths, value in objects.values()]
    seen: set[str] = set()
    for path in CLASSES:
        cls: Any = keras
        for part in path.split("."):
            cls = getattr(cls, part)
        of_keras = (
            c for c in cls.__mro__ if c.__module__.startswith("keras") and ".torch" not in c.__module__
        )
        names = {name for c in of_keras for name in vars(c) if not name.startswith("_")}
        if path in ("Model", "Sequential"):  # after Layer: what it has is not repeated
            names -= seen
        seen |= names
        values = [(f"{path}.{name}", getattr(cls, name)) for name in names]
        lines += [f"{path}:{' '.join(arguments(path, value))}" for path, value in values]
    FILE.write_text("\n".join(sorted(line.rstrip(":") for line in lines)) + "\n")


if __name__ == "__main__":
    main()
