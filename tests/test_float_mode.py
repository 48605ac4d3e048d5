"""The core computes with subnormal numbers and rounds to nearest, whatever mode the calling thread is in."""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers, ops

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="sets the mode with an instruction of x86-64"
)

FLUSH_TO_ZERO, DENORMALS_ARE_ZERO, ROUND_UP = 1 << 15, 1 << 6, 2 << 13


def code(instructions: bytes) -> Any:
    """A function of a pointer to an unsigned int."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(instructions)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    function.memory = memory
    return function


_read, _write = code(b"\x0f\xae\x1f\xc3"), code(b"\x0f\xae\x17\xc3")  # stmxcsr, ldmxcsr [rdi]; ret


def mode() -> int:
    value = ctypes.c_uint()
    _read(ctypes.byref(value))
    return value.value & ~0x3F  # without the flags of what has happened


def set_mode(value: int) -> None:
    _write(ctypes.byref(ctypes.c_uint(value)))


@contextmanager
def in_mode(bits: int) -> Iterator[None]:
    before = mode()
    set_mode(before | bits)
    try:
        yield
        assert mode() == before | bits, "the mode of the caller was changed"
    finally:
        set_mode(before)


def data(rows: int) -> list[np.ndarray]:
    """x, targets and initial weights, with which outputs and gradients are subnormal."""
    rng = np.random.default_rng(2)
    shapes = (rows, 40), (rows, 3), (40, 200), (200,), (200, 200), (200,), (200, 3), (3,)
    scales = 1e-20, 0.0, 1e-9, 0.0, 1e-9, 0.0, 1e-9, 0.0
    return [(rng.normal(size=s) * scale).astype(np.float32) for s, scale in zip(shapes, scales)]


def trained(x: np.ndarray, y: np.ndarray, *weights: np.ndarray) -> list[np.ndarray]:
    """Weights and outputs after two steps."""
    model = nncore.Sequential(
        [nncore.Input((40,)), layers.Dense(200, activation="relu"), layers.Dense(200), layers.Dense(3)]
    )
    model.set_weights(weights)
    model.compile(nncore.optimizers.SGD(1.0), "mse", metrics=["mae"])
    for _ in range(2):
        model.train_on_batch(x, y)
    return [*model.get_weights(), model.predict(x), np.array(model.evaluate(x, y, verbose=0))]


@pytest.mark.parametrize("bits", [FLUSH_TO_ZERO | DENORMALS_ARE_ZERO, ROUND_UP, FLUSH_TO_ZERO])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("rows", [3, 256])
def test_training_in_another_mode_gives_the_same_bits(
    threads: None, bits: int, count: int, rows: int
) -> None:
    nncore.set_num_threads(count)
    given = data(rows)
    expected = trained(*given)
    output = np.abs(expected[-2])
    assert np.any((output > 0) & (output < 1.17549435e-38))
    with in_mode(bits):
        actual = trained(*given)
    for a, b in zip(expected, actual):
        np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))


@pytest.mark.parametrize("bits", [FLUSH_TO_ZERO | DENORMALS_ARE_ZERO, ROUND_UP])
def test_operations_in_another_mode_give_the_same_bits(rng: np.random.Generator, bits: int) -> None:
    x = (rng.normal(size=(300, 300)) * 1e-20).astype(np.float32)
    calls = {
        "dense": lambda: ops.dense(x, x),
        "dense_backward": lambda: ops.dense_backward(x, x, x)[1],
        "rescale": lambda: ops.rescale(x, 1e-20),
        "mse": lambda: ops.mean_squared_error(x, -x),
        "sgd": lambda: ops.sgd(x, x, learning_rate=1e-20)[0],
    }
    for name, call in calls.items():
        expected = call()
        with in_mode(bits):
            actual = call()
        np.testing.assert_array_equal(expected.view(np.uint32), actual.view(np.uint32), err_msg=name)


def test_threads_that_start_in_another_mode_compute_in_the_default_one() -> None:
    import processes

    program = """
    sys.path.insert(0, {tests!r})
    from test_float_mode import FLUSH_TO_ZERO, DENORMALS_ARE_ZERO, data, in_mode, trained
    import hashlib
    digest = lambda: hashlib.sha256(b"".join(a.tobytes() for a in trained(*given))).hexdigest()
    given = data(256)
    nn.set_num_threads(2)
    with in_mode(FLUSH_TO_ZERO | DENORMALS_ARE_ZERO):
        first = digest()
    nn.set_num_threads(1)
    print(first == digest())
    """
    import os

    assert processes.output(program.replace("{tests!r}", repr(os.path.dirname(__file__)))) == "True"
