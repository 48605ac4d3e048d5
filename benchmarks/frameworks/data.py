"""The data that networks learn: MNIST from NNCORE_DATA_DIR, read without nncore, or generated numbers.

    python -m benchmarks.frameworks.data WORKLOAD [--quick]

prints the largest resident memory of a process that has only loaded the data.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Training, training

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array, Array, Array]  # x (n, ...), y (n,) classes or numbers, and both again for the test


def folder() -> Path:
    return Path(os.environ.get("NNCORE_DATA_DIR", "")) / "mnist"


def load(of: Training, quick: bool) -> Data:
    if of.shape == (2,):
        x = np.random.default_rng(0).random((of.samples + 1000, 2)).astype(np.float32)
        y = (x[:, 0] > x[:, 1]).astype(np.int64)
        return x[: of.samples], y[: of.samples], x[of.samples :], y[of.samples :]
    if quick or not of.of_mnist:
        return made_up(of) if of.of_mnist or len(of.shape) == 3 else sequences(of)
    x, x_test = (_images(folder() / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k"))
    y, y_test = (_labels(folder() / f"{part}-labels-idx1-ubyte.gz") for part in ("train", "t10k"))
    return (
        x[: of.samples].reshape(-1, *of.shape),
        y[: of.samples],
        x_test.reshape(-1, *of.shape),
        y_test,
    )


def made_up(of: Training, tests: int = 200) -> Data:
    """Ten patterns with noise, for networks that average over the image of different colours."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, of.samples + tests)
    x = rng.random((10, *of.shape), np.float32)[y] + 0.3 * rng.random((len(y), *of.shape), np.float32)
    if ("average",) in of.layers:
        x += rng.random((10, 1, 1, of.shape[-1]), np.float32)[y]
    return x[: of.samples], y[: of.samples], x[of.samples :], y[of.samples :]


def sequences(of: Training, tests: int = 200) -> Data:
    """Tokens, one in five of which is one of ten that tell the class; or numbers, and what their mean is."""
    rng = np.random.default_rng(0)
    count = of.samples + tests
    x: Array
    if of.tokens:
        y = rng.integers(0, 2, count)
        telling = rng.integers(1, 11, (count, *of.shape)) + 10 * y[:, None]
        others = rng.integers(21, of.tokens, (count, *of.shape))
        x = np.where(rng.random((count, *of.shape)) < 0.2, telling, others).astype(np.int32)
    else:
        x = rng.random((count, *of.shape), np.float32)
        y = 20 * (x.mean(axis=(1, 2)) - 0.5)
    return x[: of.samples], y[: of.samples], x[of.samples :], y[of.samples :]


def _images(path: Path) -> Array:
    """(n, 28, 28, 1) from 0 to 1, read in pieces, so that loading does not raise the peak of memory."""
    with gzip.open(path) as file:
        count = int.from_bytes(file.read(16)[4:8], "big")
        out = np.empty((count, 28, 28, 1), np.float32)
        for part in np.array_split(out, 100):
            pixels = np.frombuffer(file.read(part.size), np.uint8).reshape(part.shape)
            np.divide(pixels, np.float32(255), out=part, dtype=np.float32)
    return out


def _labels(path: Path) -> Array:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=8).astype(np.int64)


def peak_memory() -> float:
    """The peak of memory in MB. ru_maxrss would include the peak of the parent process."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    held = load(training(sys.argv[1], "--quick" in sys.argv), "--quick" in sys.argv)
    print(json.dumps({"memory": peak_memory()}))
