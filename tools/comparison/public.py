"""nncore's public names, some of which a build may lack, and generated data. Runs in each build."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Base classes, what every model has, functions over names, and modules.
PLAIN = (
    *("get", "Input", "InputLayer", "Layer", "Variable", "Loss", "Metric", "Optimizer", "Initializer"),
    "schedules",
)


class Absent(Exception):
    """This build has no such public name."""


class Module:
    """A module of nncore that records which of its names are used."""

    def __init__(self, name: str) -> None:
        self._name, self._module = name, importlib.import_module(f"nncore.{name}")
        self._used: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._module, name):
            raise Absent(f"{self._name}.{name}")
        self._used.append(getattr(self._module, name))
        return self._used[-1]

    def __str__(self) -> str:
        return self._name

    def _public(self) -> list[str]:
        return [name for name in self._module.__all__ if name not in PLAIN]

    def _full_names(self) -> list[str]:
        return [f"{self._name}.{name}" for name in self._public()]

    def _unused(self) -> list[str]:
        """Public names that nothing has asked for, under this name or another one of the same."""
        used = {id(value) for value in self._used}
        return [f"{self._name}.{n}" for n in self._public() if id(getattr(self._module, n)) not in used]


activations, initializers, layers, losses, metrics, ops, optimizers = MODULES = [
    Module(name)
    for name in ("activations", "initializers", "layers", "losses", "metrics", "ops", "optimizers")
]


def names() -> list[str]:
    return [name for module in MODULES for name in module._full_names()]


def unused() -> list[str]:
    return [name for module in MODULES for name in module._unused()]


def all_of(module: Module) -> list[str]:
    return module._public()


def choices(function: Any) -> list[dict[str, Any]]:
    """For an optimizer, or for its step: its defaults, other numbers, and each of what can be switched on."""
    parameters = inspect.signature(function).parameters.values()
    numbers = {p.name: round(0.8 * p.default, 10) or 0.9 for p in parameters if isinstance(p.default, float)}
    switches = [p.name for p in parameters if p.default is False]
    return [{}, numbers, *({**numbers, name: True} for name in switches)]


def samples(n: int, *shape: int) -> Array:
    """(n, *shape) in [0, 1): blank borders, single zeros, and zeros that neighbouring samples share."""
    rng = np.random.default_rng([n, *shape])
    x = rng.random((n, *shape), np.float32)
    x[rng.random(x.shape) < 0.3] = 0
    x[: n // 2, ..., : shape[-1] // 3] = 0
    if len(shape) == 3 and shape[0] > 10:
        x[:, :4] = x[:, -3:] = x[:, :, :5] = 0
    return x


def targets(kind: str, n: int, columns: int = 10) -> Array:
    """(n,) numbers of "classes", or (n, columns): "one-hot", "binary", "soft" or "numbers".

    Products with the zeros and ones of the first two round nothing; soft ones are shares of less than 1.
    """
    rng = np.random.default_rng([n, columns])
    if kind == "classes":
        return rng.integers(0, columns, n)
    if kind == "one-hot":
        return np.eye(columns, dtype=np.float32)[rng.integers(0, columns, n)]
    if kind == "binary":
        return rng.integers(0, 2, (n, columns)).astype(np.float32)
    if kind == "soft":
        return rng.dirichlet(np.ones(columns + 1), n)[:, :columns].astype(np.float32)
    return rng.normal(size=(n, columns)).astype(np.float32)
