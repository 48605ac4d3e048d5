"""The command ``python -m nncore bench``: times some operations against plain NumPy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .. import get_num_threads, isa, ops

BLOCKS = 5
PAUSE = 0.15  # seconds, as OpenBLAS' threads spin for about 0.1 s after their last work

Case = tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...]]


def run(seconds: float) -> None:
    """Prints a table with the times of a call in NumPy and in nncore, and their ratio, for each operation.

    seconds: how long each of the two is timed.
    """
    print(
        f"nncore on {get_num_threads()} thread(s), {isa()}; NumPy {np.__version__}. "
        f"Milliseconds per call, the median of {BLOCKS} blocks.\n"
        "Operations of nncore pack or copy their weights at each call.\n"
    )
    print(f"{'operation':<44}{'NumPy':>10}{'nncore':>10}{'ratio':>9}")
    for name, of_numpy, of_nncore, arrays in _cases():
        with_numpy, with_nncore = partial(of_numpy, *arrays), partial(of_nncore, *arrays)
        if not np.allclose(with_numpy(), with_nncore(), rtol=1e-3, atol=1e-3):
            raise ValueError(
                f"[bench] {name}: expected equal results of nncore and NumPy, got different ones"
            )
        theirs, ours = _medians(with_numpy, with_nncore, seconds)
        print(f"{name:<44}{1e3 * theirs:>10.3f}{1e3 * ours:>10.3f}{theirs / ours:>8.1f}x", flush=True)


def _medians(first: Callable[[], Any], second: Callable[[], Any], seconds: float) -> tuple[float, float]:
    """The seconds of a call of each function.

    Blocks of calls alternate, so that other load on the machine affects both. Pauses between them let the
    threads of one go to sleep before the other is timed.
    """
    blocks: tuple[list[float], list[float]] = ([], [])
    for _ in range(BLOCKS):
        for side, function in enumerate((first, second)):
            time.sleep(PAUSE)
            function()  # wakes the threads
            blocks[side].append(_block(function, seconds / BLOCKS))
    return statistics.median(blocks[0]), statistics.median(blocks[1])


def _block(function: Callable[[], Any], seconds: float) -> float:
    """The mean time of a call, over the calls that fit into these seconds, at least one."""
    calls, started = 0, time.perf_counter()
    while True:
        function()
        calls += 1
        spent = time.perf_counter() - started
        if spent >= seconds:
            return spent / calls


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.standard_normal(shape, dtype=np.float32)

    images, kernel, maps = normal(32, 28, 28, 1), normal(3, 3, 1, 64), normal(32, 26, 26, 64)
    deep, deep_kernel, square = normal(32, 14, 14, 32), normal(3, 3, 32, 64), normal(256, 512)
    wide = normal(32, 10816), normal(10816, 10), normal(10)
    return [
        ("conv2d  32 x 28 x 28 x 1, 64 of 3 x 3", _conv2d, ops.conv2d, (images, kernel)),
        ("conv2d  32 x 14 x 14 x 32, 64 of 3 x 3", _conv2d, ops.conv2d, (deep, deep_kernel)),
        ("max_pool2d  32 x 26 x 26 x 64, 2 x 2", _max_pool2d, ops.max_pool2d, (maps,)),
        ("dense  32 x 10816 to 10", _dense, ops.dense, wide),
        ("dense  256 x 512 to 512", _dense, ops.dense, (square, normal(512, 512), normal(512))),
        ("relu  32 x 26 x 26 x 64", lambda x: np.maximum(x, 0), ops.relu, (maps,)),
        ("sigmoid  256 x 512", lambda x: 1 / (1 + np.exp(-x)), ops.sigmoid, (square,)),
        ("softmax  1024 x 10", _softmax, ops.softmax, (normal(1024, 10),)),
    ]


def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    return x @ kernel + bias


def _conv2d(x: Any, kernel: Any) -> Any:
    """(n, h, w, c) * (kh, kw, c, f) -> (n, h - kh + 1, w - kw + 1, f), as one matrix product."""
    windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))  # (n, h', w', c, kh, kw)
    return np.tensordot(windows, kernel, axes=([4, 5, 3], [0, 1, 2]))


def _max_pool2d(x: Any) -> Any:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
