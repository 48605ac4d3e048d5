"""A case of tests/golden.py."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from op_cases import Array

EPSILON = float(np.finfo(np.float32).eps)


class Golden(NamedTuple):
    """`outputs` are pairs: values, and how far a kernel's may be from each, in roundings of 1."""

    family: str
    name: str
    shape: tuple[int, int]
    settings: list[float]
    inputs: dict[str, Array]
    outputs: dict[str, tuple[Array, Array]]

    def encoded(self) -> bytes:
        words = ["case", self.family, self.name, *self.shape, *(float(x).hex() for x in self.settings)]
        parts = [" ".join(map(str, words)).encode()]
        for seed, (name, a) in enumerate(self.inputs.items()):
            if np.array_equal(a.ravel(), drawn(seed, a.size)):
                parts.append(f"\ndrawn {name} {a.size} {seed}".encode())
                continue
            parts.append(f"\nin {name} {a.size}\n".encode() + np.asarray(a, "<f4").tobytes())
        for name, (values, roundings) in self.outputs.items():
            allowed = np.where(np.isfinite(values), EPSILON * roundings, 0.0)
            numbers = values.astype("<f8").tobytes() + allowed.astype("<f4").tobytes()
            parts.append(f"\nout {name} {values.size}\n".encode() + numbers)
        return b"".join(parts) + b"\n"


def drawn(seed: int, size: int) -> Array:
    """Multiples of 2^-19 from [-1, 1): Array(size, seed, -1, 1) of tests/cpp/harness.hpp."""
    x = np.arange(1, size + 1, dtype=np.uint64) + np.uint64(seed << 32)
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    unit = ((x ^ (x >> np.uint64(32))) >> np.uint64(44)) * 2.0**-20
    return (2 * unit - 1).astype(np.float32)


def drawn_arrays(**shapes: tuple[int, ...]) -> dict[str, Array]:
    """Inputs of a case, which its file holds as seeds."""
    return {
        name: drawn(seed, math.prod(shape)).reshape(shape)
        for seed, (name, shape) in enumerate(shapes.items())
    }
