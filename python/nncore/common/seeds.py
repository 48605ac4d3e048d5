"""Seeds, and the random numbers that are drawn in Python: initial weights and the order of samples.

All are drawn from Philox, a counter-based generator, with the key (seed of the model, purpose). So the
numbers of each weight and each epoch do not depend on what was drawn before.
"""

from __future__ import annotations

import contextlib
import os
import threading

import numpy as np
from numpy.typing import NDArray

from . import whole

_LONG = 2**23  # samples
SEEDS = 2**63  # upper limit of seeds: every file format can hold smaller ones

_stream: np.random.Generator | None = None
_own = threading.local()
_ZEROS = np.zeros(4, np.uint64)


def start_stream(seed: int) -> None:
    """Makes `draw_seed` return a sequence of seeds that depends on `seed` alone."""
    global _stream
    with whole:
        _stream = np.random.Generator(np.random.Philox(seed))


def draw_seed() -> int:
    with whole:
        if _stream is None:
            return int.from_bytes(os.urandom(8), "little") % SEEDS
        return int(_stream.integers(SEEDS))


def of_parameter(seed: int, layer: int, parameter: int) -> np.random.Generator:
    """The generator of one weight's initial values, valid until this thread asks for another one."""
    return _of_this_thread(seed, 2**63 + layer * 2**8 + parameter)


def _of_this_thread(*key: int) -> np.random.Generator:
    """The thread's generator in the state of a new Generator(Philox(key=key)), which is slow to create."""
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
    """The order of `count` samples in an epoch, which is counted from the model's first training."""
    if count < _LONG:
        return _of_this_thread(seed, epoch).permutation(count)
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    # In a thread: it takes a second or more, in which NumPy would not handle Ctrl-C.
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
