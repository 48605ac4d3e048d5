"""Little memory: each action runs under limits of address space, from too little to more than enough."""

from __future__ import annotations

import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

import nncore
from nncore import layers, models, ops

from .common import SANITIZED, Run, limit_addresses, rounds
from .forks_ import ended

DONE, REFUSED = 0, 3  # exit status of a child
LARGEST = 200_000_000  # bytes beyond what the import needs; all of it fits into this
RNG = np.random.default_rng(6)
X = RNG.random((64, 32, 32, 8), dtype=np.float32)
Y = np.arange(64) % 10
ROWS = RNG.random((1500, 2000), dtype=np.float32)


def make() -> nncore.Sequential:
    model = nncore.Sequential(
        [
            layers.Input((32, 32, 8)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(200, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Actions:
    """What is done; models are made before the limit where making them is not the point."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model, self.trained = make(), make()
        self.trained.train_on_batch(X[:2], Y[:2])
        self.trained.save(folder / "model")

    def build(self) -> None:
        assert make().built

    def fit(self) -> None:
        assert np.isfinite(self.model.fit(X, Y, verbose=0).history["loss"]).all()

    def fit_more(self) -> None:
        self.trained.fit(X, Y, batch_size=64, verbose=0, validation_split=0.5)

    def evaluate(self) -> None:
        self.trained.evaluate(X, Y, verbose=0)

    def predict(self) -> None:
        assert np.isfinite(self.trained.predict(X, verbose=0)).all()

    def save(self) -> None:
        self.trained.save(self.folder / f"saved-{os.getpid()}")

    def load(self) -> None:
        models.load_model(self.folder / "model")

    def weights(self) -> None:
        self.trained.set_weights([w + 1 for w in self.trained.get_weights()])

    def products(self) -> None:
        ops.dense(ROWS, ROWS.T)
        ops.dense_backward(ROWS[:, :1500], ROWS[:, :1000].astype(np.float64), ROWS[:1000, :1500])

    def windows(self) -> None:
        kernel = np.ones((3, 3, 8, 32), np.float32)
        y = ops.conv2d(X, kernel, padding="same")
        ops.conv2d_backward(y, X, kernel, padding="same")
        ops.max_pool2d_backward(y[:, :16, :16], y)

    def elementwise(self) -> None:
        ops.softmax(ops.gelu(ROWS))
        ops.adam(ROWS, ROWS, ROWS, ROWS, 1)


NAMES = [name for name in vars(Actions) if not name.startswith("_")]


def child(action: Callable[[], None], beyond: int, threads: int) -> int:
    """The status with which a child ends that acts under a limit, and acts again where that was refused."""
    sys.stdout.flush()
    started = os.fork()
    if started:
        return ended(started)
    status = 1
    try:
        nncore.set_num_threads(threads)
        limit_addresses(beyond)
        status = DONE
        for _ in range(2):
            try:
                action()
            except MemoryError:
                status = REFUSED
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        os._exit(status)


def limits(rng: np.random.Generator) -> int:
    """Small ones are drawn more often."""
    return int(LARGEST * rng.uniform(0.0, 1.0) ** 3)


def run(run: Run) -> str:
    assert not SANITIZED, "address space cannot be limited under AddressSanitizer"
    rng = np.random.default_rng(run.seed)
    nncore.set_num_threads(1)  # children are forked from this process
    actions = Actions(run.folder)
    found, least = Counter[int](), dict.fromkeys(NAMES, LARGEST)
    for number in rounds(run):
        name = NAMES[number % len(NAMES)]
        # the first round of each has memory for everything
        beyond = LARGEST if number < len(NAMES) else limits(rng)
        threads = 1 + number // len(NAMES) % 2
        status = child(getattr(actions, name), beyond, threads)
        what = f"{name} with {beyond} bytes and {threads} threads"
        assert status in (DONE, REFUSED), f"{what} ended with status {status}"
        assert status == DONE or beyond < LARGEST, f"{what} was refused"
        found[status] += 1
        if status == DONE:
            least[name] = min(least[name], beyond)
        for path in run.folder.glob("*saved-*"):
            path.unlink()
    return f"{found[DONE]} done, {found[REFUSED]} MemoryErrors, nothing else, of {', '.join(NAMES)}"
