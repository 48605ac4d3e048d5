"""One workload of one framework in one process: prints a line of JSON with seconds and what was learnt.

    python benchmarks/workloads.py FRAMEWORK WORKLOAD     e.g. nncore mnist_cnn

Keras and nncore run the same lines; only the module differs. Times leave out import, data and the first,
warming epoch.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 2  # one to warm up, one to time


def mnist() -> tuple[Any, Any, Any, Any]:
    folder = Path(os.environ["NNCORE_DATA_DIR"]) / "mnist"

    def read(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=header)

    return (
        read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype("float32") / 255,
        read("train-labels-idx1-ubyte.gz", 8),
        read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype("float32") / 255,
        read("t10k-labels-idx1-ubyte.gz", 8),
    )


def timed_fit(model: Any, x: Any, y: Any, batch_size: int) -> float:
    for _ in range(EPOCHS):
        start = time.perf_counter()
        model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)
        seconds = time.perf_counter() - start
    return seconds


def mnist_cnn(k: Any) -> dict[str, float]:
    """Lesson 3: one epoch of 60,000 images at batch 32, then test accuracy, and one image predicted."""
    x, y, x_test, y_test = mnist()
    model = k.Sequential(
        [
            k.layers.Input((28, 28, 1)),
            k.layers.Conv2D(64, 3, activation="relu"),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    seconds = timed_fit(model, x, y, 32)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    return {"epoch seconds": seconds, "accuracy": accuracy, **predictions(model, x_test)}


def predictions(model: Any, x: Any) -> dict[str, float]:
    model.predict(x[:1], verbose=0)
    one = []
    for i in range(30):
        start = time.perf_counter()
        model.predict(x[i : i + 1], verbose=0)
        one.append(time.perf_counter() - start)
    start = time.perf_counter()
    model.predict(x, batch_size=32, verbose=0)
    return {"predict one seconds": float(np.median(one)), "predict all seconds": time.perf_counter() - start}


def binary(k: Any) -> dict[str, float]:
    """Lesson 1: 1,000 rows of two columns, 20 epochs at batch 10."""
    rng = np.random.default_rng(0)
    x = rng.random((1000, 2))
    y = (x.sum(axis=1) > 1).astype("int64")
    model = k.Sequential(
        [k.layers.Input((2,)), k.layers.Dense(10, activation="relu"), k.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=1, batch_size=10, verbose=0)
    start = time.perf_counter()
    model.fit(x, y, epochs=20, batch_size=10, verbose=0)
    return {"20 epochs seconds": time.perf_counter() - start, "accuracy": model.evaluate(x, y, verbose=0)[1]}


WORKLOADS = {"mnist_cnn": mnist_cnn, "binary": binary}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", choices=["nncore", "keras"])
    parser.add_argument("workload", choices=sorted(WORKLOADS))
    arguments = parser.parse_args()
    start = time.perf_counter()
    framework = importlib.import_module(arguments.framework)
    imported = time.perf_counter() - start
    print(json.dumps({"import seconds": imported, **WORKLOADS[arguments.workload](framework)}))


if __name__ == "__main__":
    main()
