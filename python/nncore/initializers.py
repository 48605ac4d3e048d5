"""Initializers of weights, with Keras' names, defaults and formulas.

An initializer that is called with a shape returns values: ``HeNormal(seed=1)((64, 32))``. In a model each
weight has its own random stream, keyed by the model's seed. An initializer with a seed of its own returns the
same values wherever it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .common import described, seeds
from .common.arguments import choice, integer, number, reject_unsupported
from .common.arrays import Floats
from .common.described import Described

# Standard deviation of the standard normal distribution truncated at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer(Described):
    """Base class of initializers. Subclasses outside nncore raise TypeError: files cannot name them."""

    _abstract = True
    _uncalled = "__call__"
    _instead = "Use an initializer of nncore.initializers, or set_weights of the layer or model"

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Floats:
        """New float32 values of a shape."""
        reject_unsupported(type(self).__name__, {"dtype": dtype}, {"dtype": "float32"})
        return self.sample(tuple(shape), np.random.Generator(np.random.Philox(seeds.draw_seed())))

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """New float32 values of a shape; random ones are drawn from rng."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), *self.get_config().values()))


class Zeros(Initializer, aliases=("zero",)):
    """Zeros."""

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        return np.zeros(shape, np.float32)


class Ones(Initializer, aliases=("one",)):
    """Ones."""

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        return np.ones(shape, np.float32)


class Constant(Initializer):
    """The same value everywhere, by default 0."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = number("Constant", "value", value)

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        return np.full(shape, self.value, np.float32)


class _Random(Initializer):
    def __init__(self, seed: int | None) -> None:
        owner = type(self).__name__
        self.seed = None if seed is None else integer(owner, "seed", seed, 0, seeds.SEEDS - 1)

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        if self.seed is not None:
            rng = np.random.Generator(np.random.Philox(self.seed))
        return self.draw(shape, rng).astype(np.float32)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        raise NotImplementedError


def _truncated(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Standard normal values; values outside [-2, 2] are drawn again."""
    values = rng.standard_normal(math.prod(shape))
    while (outside := np.flatnonzero(np.abs(values) > 2.0)).size:
        values[outside] = rng.standard_normal(outside.size)
    return values.reshape(shape)


class RandomUniform(_Random, aliases=("uniform",)):
    """Uniform in [minval, maxval), by default from -0.05 to 0.05."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = number("RandomUniform", "minval", minval)
        self.maxval = number("RandomUniform", "maxval", maxval, low=self.minval)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.uniform(self.minval, self.maxval, shape)


class RandomNormal(_Random, aliases=("normal",)):
    """Normal distribution with `mean` and `stddev`, by default 0 and 0.05."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = number(type(self).__name__, "mean", mean)
        self.stddev = number(type(self).__name__, "stddev", stddev, low=0.0)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """As `RandomNormal`, but values more than two standard deviations from the mean are drawn again."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return self.mean + self.stddev * _truncated(shape, rng)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out of a dense kernel (in, out) or a convolution kernel (..., in, out)."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


class VarianceScaling(_Random):
    """Values of mean 0 and variance scale / n, where n is the fan-in, the fan-out or the mean of both.

    Args:
        scale: positive; default 1.
        mode: "fan_in" (default), "fan_out" or "fan_avg".
        distribution: "truncated_normal" (default), "untruncated_normal" or "uniform".
        seed: default None, a stream of the model's seed.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        owner = type(self).__name__
        self.scale = number(owner, "scale", scale, low=np.finfo(np.float64).tiny)
        self.mode = choice(owner, "mode", mode, ["fan_in", "fan_out", "fan_avg"])
        kinds = ["truncated_normal", "untruncated_normal", "uniform", "normal"]
        kind = choice(owner, "distribution", distribution, kinds)
        self.distribution = "truncated_normal" if kind == "normal" else kind

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.normal(0.0, math.sqrt(variance), shape)
        return _truncated(shape, rng) * (math.sqrt(variance) / _TRUNCATED_STDDEV)


class _Named(VarianceScaling):
    _arguments: ClassVar[tuple[float, str, str]]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._arguments, seed=seed)


class GlorotUniform(_Named):
    """Uniform with variance 1 over the mean of fan-in and fan-out (Glorot and Bengio, 2010)."""

    _arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal with variance 1 over the mean of fan-in and fan-out (Glorot and Bengio, 2010)."""

    _arguments = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Named):
    """Uniform with variance 2 / fan-in (He et al., 2015)."""

    _arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal with variance 2 / fan-in (He et al., 2015)."""

    _arguments = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform with variance 1 / fan-in (LeCun et al., 1998)."""

    _arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal with variance 1 / fan-in (LeCun et al., 1998)."""

    _arguments = (1.0, "fan_in", "truncated_normal")


class Orthogonal(_Random, aliases=("OrthogonalInitializer",)):
    """A matrix with orthonormal rows or columns, times `gain` (Saxe et al., 2014), from normal values.

    Of a shape (..., out) all axes but the last are its rows.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = number("Orthogonal", "gain", gain)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        if len(shape) < 2:
            raise ValueError(f"[Orthogonal] expected a shape with at least two axes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


class Identity(Initializer, aliases=("IdentityInitializer",)):
    """`gain`, by default 1, on the diagonal of a matrix, and 0 elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = number("Identity", "gain", gain)

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        if len(shape) != 2:
            raise ValueError(f"[Identity] expected a shape with two axes, got {shape}")
        return self.gain * np.eye(*shape, dtype=np.float32)


CLASSES = described.classes(Initializer)
__all__ = [*CLASSES, "Initializer", "get"]


def get(
    identifier: str | Initializer | type[Initializer] | None, owner: str = "initializers.get"
) -> Initializer | None:
    """The initializer for a name ("he_normal" or "HeNormal"), a class or an instance; None for None.

    >>> get("he_normal")
    HeNormal(seed=None)
    """
    return None if identifier is None else described.get(owner, Initializer, identifier)
