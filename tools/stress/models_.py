"""Random networks and operations: the reference's results, the same bits on any number of threads.

Meant for a build with NNCORE_SANITIZE=ON as well, where an access outside an array ends the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from op_cases import ALL, OF_METRICS, Case, backward, forward, normal
from optimizer_cases import OPTIMIZERS
from reference_model import Spec, assert_close, network
from test_random_models import (
    layers_for,
    make_target,
    stacks,
    test_random_evaluations,
    test_random_models,
)

import nncore
from nncore import _core, ops, reference
from nncore.optimizers import Optimizer

from .common import Array, Run, bits, cases, named

ENTROPY = 4096  # bytes from which one example is drawn


def misplaced(a: Array) -> Array:
    """Numbers that lie at odd addresses."""
    raw = np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:]
    return raw.view(a.dtype).reshape(a.shape)


# Ways to hold small whole numbers, from 0 to 9, that any type has
HELD: dict[str, Callable[[Array], Array]] = {
    **{
        name: methodcaller("astype", name)
        for name in ("f2", "f8", "g", ">f4", ">f8", "i1", "u1", "i2", ">u2", "i4", "u4", "i8", "u8")
    },
    "Fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: np.flip(np.flip(a).copy()),
    "one row again and again": lambda a: np.broadcast_to(a[:1], a.shape),
    "misplaced": misplaced,
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}
with_any = settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))
held = st.sampled_from(list(HELD))
seeds = st.integers(0, 2**32)


def whole(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(0, 10, size=shape).astype(np.float32)


@with_any
@given(
    stack=stacks(),
    samples=st.integers(1, 40),
    batch=st.integers(1, 45),
    way=st.sampled_from([way for way in HELD if way != "g"]),  # the core leaves wider floats to Python
    fuse=st.booleans(),
    threads=st.integers(2, 5),
    optimizer=st.sampled_from([*OPTIMIZERS.values()]),
    shuffled=st.booleans(),
    seed=seeds,
)
def same_bits(
    stack: tuple[tuple[int, ...], list[Spec], Spec],
    samples: int,
    batch: int,
    way: str,
    fuse: bool,
    threads: int,
    optimizer: Callable[..., Optimizer],
    shuffled: bool,
    seed: int,
) -> None:
    """Two epochs, evaluation and prediction on one thread and on several, from arrays of any kind."""
    shape, layers, loss = stack
    results = []
    for count, hold in ((1, np.ascontiguousarray), (threads, HELD[way])):
        _core.set_num_threads(count)
        rng = np.random.default_rng(seed)
        net, _ = network(shape, layers, rng, loss, optimizer().spec(), fuse=fuse)
        net.seed = seed
        x = hold(HELD[way](whole(rng, samples, *shape)))
        y = make_target(rng, loss, (samples, *net.output_shapes([shape])[0]))
        order = rng.permutation(samples) if shuffled else None
        sums = _core.Sums()
        for _ in range(2):
            assert net.train(x, y, None, order, 0, samples, batch, 60.0, sums) == samples
        learned, metrics = net.read("parameters"), net.results(sums)
        sums = _core.Sums()
        assert net.test(x, y, None, 0, samples, batch, 60.0, sums) == samples
        out = np.full((samples, *net.output_shapes([shape])[0]), np.nan, np.float32)
        assert net.predict(x, out, 0, samples, 60.0) == samples
        results.append((bits([learned, out]), repr((metrics, net.results(sums)))))
    assert results[0] == results[1]


@with_any
@given(name=st.sampled_from(list(ALL)), n=st.integers(1, 130), threads=st.integers(2, 5), seed=seeds)
def operations(name: str, n: int, threads: int, seed: int) -> None:
    """An operation of the tables, forward and backward, at any size."""
    case = ALL[name](np.random.default_rng(seed), n)
    results = []
    for count in (1, threads):
        _core.set_num_threads(count)
        results.append([forward(ops, case), *(() if name in OF_METRICS else backward(ops, case))])
    assert bits(results[0]) == bits(results[1])
    expected = [forward(reference, case), *(() if name in OF_METRICS else backward(reference, case))]
    for actual, e in zip(results[0], expected, strict=True):
        assert_close(actual, e, 64 * case.length, factor=4, name=name)


images = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 40))


@with_any
@given(data=st.data(), shape=images, samples=st.integers(0, 5), ways=st.tuples(held, held, held), seed=seeds)
def windows(
    data: st.DataObject, shape: tuple[int, ...], samples: int, ways: tuple[str, str, str], seed: int
) -> None:
    """Convolutions and poolings of any geometry, with arguments held in any way."""
    kind, given_ = data.draw(layers_for(shape).filter(lambda spec: spec[0].endswith("2d")))
    rng = np.random.default_rng(seed)
    names = {"strides", "padding", "dilation_rate", "groups", "pool_size", "keepdims"}
    arguments = {name: value for name, value in given_.items() if name in names}
    arrays = [whole(rng, samples, *shape)]
    if kind == "conv2d":
        inputs = shape[2] // given_["groups"]
        arrays += [whole(rng, *given_["kernel_size"], inputs, given_["filters"])]
        arrays += [whole(rng, given_["filters"])]
    op = kind.replace("pooling2d", "pool2d")
    case = Case(op, [HELD[way](a) for way, a in zip(ways, arrays)] if samples else arrays, arguments)
    try:
        y = forward(reference, case)
    except ValueError:
        try:
            forward(ops, case)
        except ValueError:
            return
        raise
    assert_close(forward(ops, case), y, 10_000, name=op)
    for actual, e in zip(backward(ops, case), backward(reference, case), strict=True):
        assert_close(actual, e, 10_000, scale=1.0, name=op)


@with_any
@given(
    shape=images, rows=st.integers(1, 300), inputs=st.integers(1, 300), units=st.integers(1, 300), seed=seeds
)
def extremes(shape: tuple[int, ...], rows: int, inputs: int, units: int, seed: int) -> None:
    """Infinities, NaN and the smallest and largest numbers, anywhere: no error, and NaN where NaN went in."""
    rng = np.random.default_rng(seed)
    odd = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45, -0.0], np.float32)
    x, kernel = normal(rng, rows, inputs), normal(rng, inputs, units)
    for a in (x, kernel):
        a[tuple(rng.integers(0, size) for size in a.shape)] = rng.choice(odd)
    results = []
    for count in (1, 2):
        _core.set_num_threads(count)
        y = ops.dense(x, kernel)
        dx, dkernel, _ = ops.dense_backward(y, x, kernel)
        results.append(bits([y, dx, dkernel]))
        assert np.isnan(y[np.isnan(x).any(axis=1)]).all()
        image = whole(rng, 2, *shape)
        image.flat[rng.integers(image.size)] = rng.choice(odd)
        ops.max_pool2d(image, 1)
        ops.softmax(image)
    assert results[0] == results[1]


TESTS: dict[str, Any] = {
    "networks": test_random_models,
    "evaluations": test_random_evaluations,
    "trainings on several threads": same_bits,
    "operations": operations,
    "windows": windows,
    "extremes": extremes,
}


def run(run: Run) -> str:
    made, threads = Counter[str](), nncore.get_num_threads()
    for number, rng in cases(run):
        name = list(TESTS)[number % len(TESTS)]
        with named(run, number):
            drawn = TESTS[name].hypothesis.fuzz_one_input(rng.bytes(ENTROPY))
        _core.set_num_threads(threads)
        made[name] += drawn is not None  # None where the bytes make no example
    return ", ".join(f"{made[name]} {name}" for name in TESTS)
