"""Ops work in chunks on the user's arrays: nothing is read past their end, and no cut shows in results."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from op_cases import ALL, OF_LOSSES, OF_METRICS, SIZES, Array, backward, case_at, forward, grid, normal
from reference_layers import (
    FLATTEN,
    Spec,
    activation,
    conv2d,
    dense,
    layer_backward,
    layer_normalization,
    pooling,
)
from reference_model import ReferenceModel, assert_close, chain

from nncore import _core, ops

# ---- the end of memory


def at_the_end_of_memory(a: Array) -> Array:
    """A copy, as float32, that ends where a page begins that cannot be read."""
    values = np.asarray(a, np.float32)
    size = -(-max(values.nbytes, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + size), mmap.PAGESIZE, 0) == 0
    copy = np.frombuffer(memory, np.float32, values.size, size - values.nbytes).reshape(values.shape)
    copy[...] = values
    return copy


@pytest.mark.parametrize("n", grid([*SIZES, 700]))
@pytest.mark.parametrize("name", ALL)
def test_nothing_past_the_end_is_read(isa: str, name: str, n: int) -> None:
    if n > max(SIZES) and (name.startswith("conv2d") or "everything" in name):
        n = 130
    case = case_at(name, n)
    end = case._replace(arrays=[at_the_end_of_memory(a) for a in case.arrays])
    np.testing.assert_array_equal(forward(ops, end), forward(ops, case))
    if name in OF_METRICS:
        return
    for actual, expected in zip(backward(ops, end, at_the_end_of_memory), backward(ops, case)):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("n", grid([*SIZES, 5000]))
def test_updates_read_nothing_past_the_end(isa: str, rng: np.random.Generator, n: int) -> None:
    w, g, m, v = normal(rng, n), normal(rng, n), normal(rng, n), normal(rng, n) ** 2
    end = [at_the_end_of_memory(a) for a in (w, g, m, v)]
    for actual, expected in zip(ops.adam(*end, 1), ops.adam(w, g, m, v, 1)):
        np.testing.assert_array_equal(actual, expected)
    for actual, expected in zip(ops.sgd(*end[:3], momentum=0.5), ops.sgd(w, g, m, momentum=0.5)):
        np.testing.assert_array_equal(actual, expected)


def test_the_page_behind_cannot_be_read() -> None:
    """The operating system is asked, as reading the page would end the process."""
    a = at_the_end_of_memory(np.ones(3))
    libc = ctypes.CDLL(None, use_errno=True)
    read, write = os.pipe()
    try:
        assert libc.write(write, ctypes.c_void_p(a.ctypes.data), a.nbytes) == a.nbytes
        assert libc.write(write, ctypes.c_void_p(a.ctypes.data + a.nbytes), 1) == -1
        assert ctypes.get_errno() == errno.EFAULT
    finally:
        os.close(read)
        os.close(write)


# ---- results, whose memory serves again when nobody holds them

SIDES = (10, 150, 181, 182, 256, 400)


def test_results_keep_their_values_while_anybody_holds_them() -> None:
    """Also rows of a result that is deleted, and while threads make and delete other results."""

    def make_and_drop(first: int) -> list[tuple[float, Array]]:
        held: list[tuple[float, Array]] = []
        for i in range(first, first + 60):
            side = SIDES[i % len(SIDES)]
            result = ops.relu(np.full((side, side), i, np.float32))
            held.append((i, result if i % 2 else result[3:5]))
            if len(held) > 7:
                del held[i % 7]
        return held

    with ThreadPoolExecutor(4) as pool:
        for part in list(pool.map(make_and_drop, range(1, 400, 50))):
            assert len(part) == 7
            for value, result in part:
                np.testing.assert_array_equal(result, value)


def test_large_results_take_the_memory_of_those_that_are_gone() -> None:
    x = np.ones((300, 300), np.float32)
    where = ops.relu(x).ctypes.data
    assert ops.relu(x).ctypes.data == where
    few = ops.relu(x[:140])  # which would waste most of it
    assert few.ctypes.data != where
    assert ops.relu(x).ctypes.data == where


# ---- cuts

THREADS = (1, 2, 3, 7)
# spec, samples, shape of a sample: all are cut into several chunks
LAYERS: dict[str, tuple[Spec, int, tuple[int, ...]]] = {
    "dense": (dense(129), 301, (70,)),
    "dense tanh": (dense(50, "tanh"), 333, (100,)),
    "dense gelu": (dense(50, "gelu", use_bias=False), 333, (100,)),
    "dense of few outputs": (dense(10), 301, (700,)),
    "dense of few outputs and long rows": (dense(10), 47, (1001,)),
    "dense of one output": (dense(1), 70, (650,)),
    "dense of images": (dense(20), 50, (5, 6, 40)),
    "dense of one row": (dense(700), 1, (600,)),
    "conv2d": (conv2d(40, 3), 33, (13, 11, 4)),
    "conv2d same": (conv2d(20, (2, 3), padding="same", activation="silu"), 33, (13, 11, 4)),
    "conv2d grouped": (conv2d(32, 3, groups=2, strides=2), 33, (13, 11, 4)),
    "conv2d of few filters": (conv2d(10, 3), 8, (29, 29, 16)),
    "conv2d of one image": (conv2d(20, (5, 4), activation="silu"), 1, (40, 50, 4)),
    "conv2d grouped, of two images": (conv2d(32, 5, groups=2, strides=2), 2, (60, 51, 4)),
    "max_pooling2d": (pooling("max_pooling2d"), 65, (14, 16, 20)),
    "average_pooling2d": (pooling("average_pooling2d", 3, 2, "same"), 65, (14, 16, 20)),
    "global_max_pooling2d": (("global_max_pooling2d", {"keepdims": False}), 65, (14, 16, 20)),
    "global_average_pooling2d of one channel": (
        ("global_average_pooling2d", {"keepdims": False}),
        66,
        (50, 40, 1),
    ),
    "dropout": (("dropout", {"rate": 0.3}), 3000, (100,)),
    "rescaling": (("rescaling", {"scale": 0.5, "offset": 1.0}), 3000, (100,)),
    "layer_normalization": (layer_normalization(), 3001, (100,)),
    "layer_normalization of few columns": (layer_normalization(scale=False), 300, (100, 5)),
    "layer_normalization of large samples": (layer_normalization(-2, -1), 3, (300, 101)),
    "layer_normalization of many rows": (layer_normalization(), 3, (5000, 4)),
    "flatten": (FLATTEN, 3000, (10, 20)),
    "relu": (activation("relu"), 30_000, (10,)),
    "softmax": (activation("softmax"), 30_001, (10,)),
    "silu of scalars": (activation("silu"), 300_001, ()),
    "tanh of large samples": (activation("tanh"), 3, (200_001,)),
}
layers = pytest.mark.parametrize(("spec", "samples", "shape"), LAYERS.values(), ids=LAYERS)


def parameters_of(rng: np.random.Generator, spec: Spec, shape: tuple[int, ...]) -> list[Array]:
    return [normal(rng, *sizes) for _, sizes in _core.infer(spec, [shape])[1]]


@pytest.mark.full
@layers
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.usefixtures("threads")
def test_a_layer_alone_computes_the_bits_of_a_model(
    isa: str, rng: np.random.Generator, spec: Spec, samples: int, shape: tuple[int, ...], training: bool
) -> None:
    x, parameters = normal(rng, samples, *shape), parameters_of(rng, spec, shape)
    network = chain(shape, [spec])
    network.seed = 5
    flat = network.read("parameters")
    for (_, _, offset, _), values in zip(network.layout, parameters):
        flat[offset : offset + values.size] = values.reshape(-1)
    network.write("parameters", flat)
    expected = network.forward(x, training).tobytes()
    for count in THREADS:
        _core.set_num_threads(count)
        assert _core.forward(spec, x, parameters, training, 5).tobytes() == expected


@pytest.mark.full
@layers
@pytest.mark.usefixtures("threads")
def test_gradients_of_a_layer_alone(
    isa: str, rng: np.random.Generator, spec: Spec, samples: int, shape: tuple[int, ...]
) -> None:
    """Close to the reference, independent of threads, and those of inputs are made sample by sample."""
    x, parameters = normal(rng, samples, *shape), parameters_of(rng, spec, shape)
    dy = normal(rng, samples, *_core.infer(spec, [shape])[0])
    given = [a.tobytes() for a in (dy, x, *parameters)]
    results = []
    for count in THREADS:
        _core.set_num_threads(count)
        dx, gradients = _core.backward(spec, dy, x, parameters, 5)
        results.append([a.tobytes() for a in (dx, *gradients)])
    assert all(r == results[0] for r in results)
    assert [a.tobytes() for a in (dy, x, *parameters)] == given

    mask = ReferenceModel([spec], [parameters], seed=5).mask(0, x.shape, step=0)
    expected_dx, expected = layer_backward(spec, dy, x.astype(float), parameters, mask)
    length = samples * max(1, *shape, 1)
    assert_close(dx, expected_dx, length, scale=3.0)
    for actual, gradient in zip(gradients, expected):
        assert_close(actual, gradient, length)
    if spec[0] != "dropout":  # whose mask depends on the place in the batch
        for i in (0, samples // 2, samples - 1):
            one = _core.backward(spec, dy[i : i + 1], x[i : i + 1], parameters)[0]
            assert one.tobytes() == dx[i : i + 1].tobytes()


@pytest.mark.parametrize("op", [*dict.fromkeys(case_at(name, 3).op for name in [*OF_LOSSES, *OF_METRICS])])
@pytest.mark.usefixtures("threads")
def test_losses_and_metrics_of_many_rows(isa: str, rng: np.random.Generator, op: str) -> None:
    rows, columns, piece = 30_001, 10, 97
    output = rng.uniform(0.02, 0.98, size=(rows, columns)).astype(np.float32)
    labels = rng.integers(0, columns, size=rows)
    target = labels if op.startswith("sparse") else np.eye(columns, dtype=np.float32)[labels]
    dy = normal(rng, rows)
    for count in THREADS:
        _core.set_num_threads(count)
        values = getattr(ops, op)(target, output)
        backward = getattr(ops, op + "_backward", None)
        slopes = backward(dy, target, output) if backward else None
        for first in (0, rows // 2, rows - piece):
            part = slice(first, first + piece)
            assert getattr(ops, op)(target[part], output[part]).tobytes() == values[part].tobytes()
            if backward:
                assert backward(dy[part], target[part], output[part]).tobytes() == slopes[part].tobytes()


@pytest.mark.usefixtures("threads")
def test_updates_of_many_numbers(isa: str, rng: np.random.Generator) -> None:
    size = 300_001
    w, g, m, v = normal(rng, size), normal(rng, size), normal(rng, size), normal(rng, size) ** 2
    calls: list[Callable[[slice], Any]] = [
        lambda part: ops.adam(w[part], g[part], m[part], v[part], 3),
        lambda part: ops.sgd(w[part], g[part]),
        lambda part: ops.sgd(w[part], g[part], m[part], momentum=0.9, nesterov=True),
    ]
    for call in calls:
        for count in THREADS:
            _core.set_num_threads(count)
            whole = call(slice(None))
            for part in (slice(100), slice(150_000, 150_101), slice(size - 100, None)):
                for a, b in zip(whole, call(part)):
                    assert a is b is None or a[part].tobytes() == b.tobytes()
