"""Seeds, and the random numbers that Python draws: initial weights and the order of samples.

Everything is drawn from Philox, a counter-based generator, keyed by (seed of the model, purpose). So each
parameter and each epoch has its own numbers, whatever was drawn before.
"""

from __future__ import annotations

import contextlib
import os
import threading

import numpy as np
from numpy.typing import NDArray

from ._forks import whole

_LONG = 2**23  # samples
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
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    if count < _LONG:
        return generator.permutation(count)
    # A second or more, in which NumPy would leave Ctrl-C waiting.
    made: list[NDArray[np.int64]] = []

    def work() -> None:
        with contextlib.suppress(MemoryError):
            made.append(generator.permutation(count))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if not made:
        raise MemoryError(f"there is not enough memory for an order of {count} samples")
    return made[0]
