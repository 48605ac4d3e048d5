"""Layers that change their input at random in training, and give it back outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..common.absent import answer
from ..common.arguments import integer, number, reject_unsupported
from ._layer import Layer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

answer(__name__)


class Random(Layer):
    """Base class of layers that draw random numbers in training."""

    _abstract = True

    def _set_seed(self, seed: int | None) -> None:
        self.seed = None if seed is None else integer(type(self).__name__, "seed", seed, 0, 2**63 - 1)

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {name: value for name, value in settings.items() if value is not None}


class GaussianNoise(Random):
    """Adds numbers of a normal distribution with mean 0 in training.

    Args:
        stddev: the standard deviation, at least 0.
        seed: at least 0, of the numbers in each step; default None: the seed of the model or, outside one,
            `nncore.utils.set_random_seed`.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> GaussianNoise(0.1)([1.0, 2.0]).tolist()
    [1.0, 2.0]
    """

    kind = "gaussian_noise"
    _settings = ("stddev", "seed")

    def __init__(self, stddev: float, seed: int | None = None, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.stddev = number("GaussianNoise", "stddev", stddev, 0.0)
        self._set_seed(seed)


class GaussianDropout(Random):
    """Multiplies by numbers of a normal distribution with mean 1 in training (Srivastava et al. 2014).

    Args:
        rate: at least 0 and below 1: the standard deviation is sqrt(rate / (1 - rate)).
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "gaussian_dropout"
    _settings = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.rate = number("GaussianDropout", "rate", rate, 0.0, 1.0, below=True)
        self._set_seed(seed)


class AlphaDropout(Random):
    """Sets each element to `low` with probability `rate` in training, then maps all so that mean 0 and
    variance 1 are kept (Klambauer et al. 2017).

    y = a * (x or low) + b, with low = -1.7581, the lowest output of the self-normalizing activation,
    a = ((1 - rate) * (1 + rate * low^2))^-0.5 and b = -a * low * rate.

    Args:
        rate: at least 0 and below 1.
        noise_shape: None; other values are not available yet.
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "alpha_dropout"
    _settings = ("rate", "seed")

    def __init__(
        self, rate: float, noise_shape: None = None, seed: int | None = None, **options: Unpack[Options]
    ) -> None:
        super().__init__(options)
        reject_unsupported("AlphaDropout", {"noise_shape": noise_shape}, {"noise_shape": None})
        self.rate = number("AlphaDropout", "rate", rate, 0.0, 1.0, below=True)
        self._set_seed(seed)
