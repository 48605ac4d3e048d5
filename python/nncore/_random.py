"""Seeds, and the random numbers that Python draws: initial weights and the order of samples.

Everything is drawn from Philox, a counter-based generator, keyed by (seed of the model, purpose). So each
parameter and each epoch has its own numbers, whatever was drawn before.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from ._forks import whole

SEEDS = 2**63  # seeds are below this, so that every file format can hold them

_stream: np.random.Generator | None = None


def start_stream(seed: int) -> None:
    """From now on `draw_seed` gives the same seeds after the same `seed`."""
    global _stream
    with whole:
        _stream = np.random.Generator(np.random.Philox(seed))


def draw_seed() -> int:
    with whole:
        if _stream is None:
            return int.from_bytes(os.urandom(8), "little") % SEEDS
        return int(_stream.integers(SEEDS))


def of_parameter(seed: int, layer: int, parameter: int) -> np.random.Generator:
    """For the initial values of one parameter."""
    return np.random.Generator(np.random.Philox(key=[seed, 2**63 + layer * 2**8 + parameter]))


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of `count` samples in an epoch of a model's life."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)
