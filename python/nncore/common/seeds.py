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

from . import whole

_LONG = 2**23  # samples
SEEDS = 2**63  # seeds are below this, so that every file format can hold them

_stream: np.random.Generator | None = None
_own = threading.local()
_ZEROS = np.zeros(4, np.uint64)


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
    """For the initial values of one parameter, until this thread asks for other numbers."""
    return _of_this_thread(seed, 2**63 + layer * 2**8 + parameter)


def _of_this_thread(*key: int) -> np.random.Generator:
    """As a new Generator(Philox(key=key)), which takes longer to make than a short order."""
    generator: np.random.Generator | None = getattr(_own, "generator", None)
    if generator is None:
        generator = _own.generator = np.random.Generator(np.random.Philox(key=key))
    generator.bit_generator.state = {
        "bit_generator": "Philox",
        "state": {"counter": _ZEROS, "key": np.array(key, np.uint64)},
        "buffer": _ZEROS,
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }
    return generator


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of `count` samples in an epoch of a model's life."""
    if count < _LONG:
        return _of_this_thread(seed, epoch).permutation(count)
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
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
