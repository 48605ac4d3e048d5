"""Python threads that use models and operations at once: the results of each alone, no error, no deadlock."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from op_cases import ALL, case_at, forward
from test_saving import X, Y, everything

import nncore
from nncore import layers, models, ops

from .common import Run, bits, rounds

WORKERS = 6
WIDE = np.random.default_rng(5).random((200, 300), dtype=np.float32)  # enough work for the team of threads
CLASSES = np.arange(200) % 10


def wide() -> nncore.Sequential:
    model = nncore.Sequential(
        [layers.Input((300,)), layers.Dense(200, "relu"), layers.Dropout(0.3), layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def together(works: list[Callable[[], None]]) -> None:
    """Runs all at the same moment, and raises the first error of any."""
    barrier, errors = threading.Barrier(len(works)), list[BaseException]()

    def one(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    started = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if errors:
        raise errors[0]


def training(model: nncore.Sequential, x: Any, y: Any, path: Path) -> bytes:
    """Everything that a training gives, as bytes."""
    history = model.fit(x, y, batch_size=16, epochs=2, validation_split=0.25, verbose=0).history
    found = [repr(history), repr(model.evaluate(x, y, verbose=0))]
    model.save(path)
    loaded = models.load_model(path)
    return (
        bits([*model.get_weights(), model.predict(x, verbose=0), loaded.predict(x, verbose=0)])
        + "".join(found).encode()
    )


def models_apart(folder: Path) -> None:
    """Each thread trains a model of its own, as it would alone."""
    kinds: list[tuple[Any, Any, Any]] = [(everything, X, Y), (wide, WIDE, CLASSES)] * (WORKERS // 2)
    subjects = [(make(), x, y) for make, x, y in kinds]
    copies = [copy.deepcopy(model) for model, _, _ in subjects]
    alone = [training(m, x, y, folder / "alone") for m, (_, x, y) in zip(copies, subjects)]
    found = [b""] * len(subjects)

    def work(i: int) -> None:
        model, x, y = subjects[i]
        found[i] = training(model, x, y, folder / f"model-{i}")

    together([partial(work, i) for i in range(len(subjects))])
    assert found == alone, "a model trained beside others differs from one trained alone"


def one_model_read(folder: Path) -> None:
    """Threads that only read one model: each gets what it would get alone."""
    model = wide()
    model.fit(WIDE, CLASSES, verbose=0)
    predicted, scores = model.predict(WIDE, verbose=0), model.evaluate(WIDE, CLASSES, verbose=0)
    few = model.test_on_batch(WIDE[:50], CLASSES[:50])
    weights = bits(model.get_weights())

    def predict() -> None:
        for _ in range(5):
            np.testing.assert_array_equal(model.predict(WIDE, verbose=0), predicted)
            assert bits(model.get_weights()) == weights

    def evaluate() -> None:
        for _ in range(5):
            assert model.evaluate(WIDE, CLASSES, verbose=0) == scores
            assert model.test_on_batch(WIDE[:50], CLASSES[:50]) == few

    def save() -> None:
        path = folder / f"read-{threading.get_ident()}"
        for _ in range(3):
            model.save(path)
            np.testing.assert_array_equal(models.load_model(path).predict(WIDE, verbose=0), predicted)

    together([predict, predict, evaluate, evaluate, evaluate, save])


def one_model_written(folder: Path) -> None:
    """Threads that set the weights of one model and read them: always those of one call."""
    model = wide()
    values = [float(i) for i in range(WORKERS)]

    def whole(weights: list[np.ndarray[Any, Any]]) -> None:
        found = {float(v) for w in weights for v in (w.min(), w.max())}
        assert len(found) == 1, f"weights of several calls at once: {found}"
        assert found <= set(values)

    model.set_weights([np.zeros_like(w) for w in model.get_weights()])

    def write(value: float) -> None:
        for _ in range(10):
            model.set_weights([np.full_like(w, value) for w in model.get_weights()])
            whole(model.get_weights())

    def read() -> None:
        path = folder / f"written-{threading.get_ident()}"
        for _ in range(10):
            whole(model.get_weights())
            model.save(path)
            whole(models.load_model(path).get_weights())

    together([*(partial(write, value) for value in values[:3]), read, read, read])


def one_model_everything(folder: Path) -> None:
    """Threads that train one model while others use it in every way: no error, finite numbers."""
    model = wide()

    def shrink() -> float:
        model.set_weights([w * 0.9 for w in model.get_weights()])
        return 0.0

    def save() -> float:
        model.save(folder / "everything")
        return 0.0

    calls: list[Callable[[], Any]] = [
        lambda: model.fit(WIDE, CLASSES, epochs=3, verbose=0).history["loss"],
        lambda: model.fit(WIDE, CLASSES, epochs=3, verbose=0, validation_split=0.2).history["val_loss"],
        lambda: [model.train_on_batch(WIDE[:20], CLASSES[:20])[0] for _ in range(10)],
        lambda: [model.evaluate(WIDE, CLASSES, verbose=0)[0] for _ in range(5)],
        lambda: [np.abs(model.predict(WIDE, verbose=0)).max() for _ in range(5)],
        lambda: [np.abs(w).max() for _ in range(10) for w in model.get_weights()],
        shrink,
        lambda: [copy.deepcopy(model).predict(WIDE[:3], verbose=0).max()],
        save,
    ]

    def work(call: Callable[[], Any]) -> None:
        assert np.isfinite(call()).all()

    together([partial(work, call) for call in calls])
    assert model.optimizer is not None
    steps = 2 * 3 * 7 - 3 * 2 + 10  # of 200 and of 160 samples, by 32
    assert model.optimizer.iterations == steps, f"{model.optimizer.iterations} steps, expected {steps}"
    assert models.load_model(folder / "everything").predict(WIDE).shape == (200, 10)


def operations(folder: Path) -> None:
    """Operations, and layers on their own, in all threads."""
    cases = [case_at(name, 33) for name in ALL]
    alone = [forward(ops, case).tobytes() for case in cases]
    product = ops.dense(WIDE, WIDE.T).tobytes()
    layer = layers.Dense(40, "relu")
    output = layer(WIDE).tobytes()

    def work(first: int) -> None:
        for i in range(first, first + len(cases)):
            assert forward(ops, cases[i % len(cases)]).tobytes() == alone[i % len(cases)]
            if i % 10 == 0:
                assert ops.dense(WIDE, WIDE.T).tobytes() == product
                assert layer(WIDE).tobytes() == output
                nncore.set_num_threads(1 + i % 3)

    threads = nncore.get_num_threads()
    together([partial(work, i * 13) for i in range(WORKERS)])
    nncore.set_num_threads(threads)


ENDING = """
import threading, time
import numpy as np
from nncore import Sequential, layers, ops

x = np.ones((300, 400), np.float32)
model = Sequential([layers.Input((400,)), layers.Dense(200), layers.Dense(1)])
model.compile("sgd", "mse")

def again_and_again(call):
    while True:
        call()

for call in (lambda: ops.dense(x, x.T), lambda: model.predict(x), lambda: model.fit(x, x[:, 0], verbose=0)):
    threading.Thread(target=again_and_again, args=(call,), daemon=True).start()
time.sleep(0.2)
"""


def the_end(folder: Path) -> None:
    """A process that ends while daemon threads compute: its exit status is 0."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"


SCENES = (models_apart, one_model_read, one_model_written, one_model_everything, operations, the_end)


def scenes(run: Run) -> Iterator[Callable[[Path], None]]:
    for number in rounds(run):
        yield SCENES[number % len(SCENES)]


def run(run: Run) -> str:
    made = Counter[str]()
    for scene in scenes(run):
        nncore.utils.set_random_seed(run.seed + made.total())
        scene(run.folder)
        made[scene.__name__] += 1
    return ", ".join(f"{n} of {name}" for name, n in made.items()) + f", with {WORKERS} threads or more each"
