"""Repeats each action for many rounds: memory, objects, files and threads do not grow after a warm-up."""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from op_cases import ALL, OF_METRICS, backward, case_at, forward
from test_saving import X, Y, everything

import nncore
from nncore import callbacks, layers, models, ops

from .common import Run, resident, rounds

WARM = 0.4  # share of the time before memory is looked at
ALLOWED = 1_500_000  # bytes of growth after it: the heap's own breathing, far less than rounds times an array
OBJECTS = 100  # objects of Python that may be there more


def small() -> nncore.Sequential:
    model = nncore.Sequential([layers.Input((8, 8, 2)), layers.Flatten(), layers.Dense(30), layers.Dense(5)])
    model.compile("adam", nncore.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


MODEL = everything()
BROKEN: list[Callable[[], Any]] = [
    lambda: MODEL.predict(np.zeros((3, 7))),
    lambda: MODEL.fit(X, Y[:-1], verbose=0),
    lambda: MODEL.fit(X, Y + 100, verbose=0),
    lambda: MODEL.set_weights([]),
    lambda: nncore.Sequential([layers.Input((2,)), layers.Conv2D(3, 3)]),
    lambda: nncore.Sequential([layers.Input((2**30,)), layers.Dense(2**30)]),
    lambda: MODEL.compile("adam", "no such loss"),
    lambda: ops.dense(np.zeros((2, 3)), np.zeros((4, 5))),
    lambda: ops.conv2d(np.zeros((1, 2, 2, 1)), np.zeros((3, 3, 1, 1))),
    lambda: MODEL.fit(
        X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=lambda e, logs: 1 / 0)]
    ),
    lambda: MODEL.fit(iter([(X, Y), (X, Y[:3])]), verbose=0),
    lambda: models.load_model(__file__),
]


def exceptions(folder: Path) -> None:
    for call in BROKEN:
        with contextlib.suppress(ValueError, TypeError, MemoryError, ZeroDivisionError):
            call()
            raise AssertionError("there should have been an error")


def builds(folder: Path) -> None:
    model = small()
    model.train_on_batch(X, Y)
    model.compile("sgd", "mse")
    model.build((None, 8, 8, 2))
    model.summary(print_fn=lambda text: None)
    everything().predict(X, verbose=0)


def trainings(folder: Path) -> None:
    stop = callbacks.EarlyStopping(monitor="loss", patience=0, restore_best_weights=True)
    MODEL.fit(X, Y, epochs=3, batch_size=5, validation_split=0.2, verbose=0, callbacks=[stop])
    MODEL.fit(((X, Y) for _ in range(3)), epochs=1, verbose=0, validation_data=(X, Y))
    with contextlib.redirect_stdout(io.StringIO()):
        MODEL.fit(
            X, Y, verbose=2, callbacks=[callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: None)]
        )


def predictions(folder: Path) -> None:
    for samples in (1, 3, 24):
        MODEL.predict(X[:samples], verbose=0)
        MODEL.evaluate(X[:samples], Y[:samples], batch_size=4, verbose=0)
    MODEL.predict_on_batch(np.asfortranarray(X.astype(np.float64)))
    MODEL.set_weights(MODEL.get_weights())


def files(folder: Path) -> None:
    MODEL.save(folder / "model")
    models.load_model(folder / "model").train_on_batch(X, Y)
    MODEL.save_weights(folder / "weights")
    MODEL.load_weights(folder / "weights")


def copies(folder: Path) -> None:
    copy.deepcopy(MODEL).predict(X, verbose=0)
    pickle.loads(pickle.dumps(MODEL))


def operations(folder: Path) -> None:
    for name in ALL:
        case = case_at(name, 17)
        forward(ops, case)
        if name not in OF_METRICS:
            backward(ops, case)


def layers_alone(folder: Path) -> None:
    for layer in (layers.Dense(9, "relu"), layers.Conv2D(3, 3), layers.MaxPooling2D(), layers.Dropout(0.5)):
        layer(X, training=True)
        layer.set_weights(layer.get_weights())


def threads(folder: Path) -> None:
    workers = [threading.Thread(target=predictions, args=(folder,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


ROUNDS = (builds, trainings, predictions, files, copies, operations, layers_alone, exceptions, threads)


def state() -> dict[str, int]:
    gc.collect()
    return {
        "bytes": resident(),
        "objects": len(gc.get_objects()),
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
    }


def run(run: Run) -> str:
    said = []
    exceptions(run.folder)
    for one in ROUNDS:
        share = run.seconds / len(ROUNDS)
        for _ in rounds(run, WARM * share):
            one(run.folder)
        before, made = state(), 0
        for _ in rounds(run, (1 - WARM) * share):
            one(run.folder)
            made += 1
        grown = {what: after - before[what] for what, after in state().items()}
        kilobytes = grown["bytes"] / 1e3
        print(f"  {one.__name__}: {kilobytes:+.0f} kB in {made} rounds", flush=True)
        assert grown["bytes"] <= ALLOWED, (
            f"{one.__name__}: memory grew by {kilobytes:.0f} kB in {made} rounds"
        )
        assert grown["objects"] <= OBJECTS, (
            f"{one.__name__}: {grown['objects']} objects more in {made} rounds"
        )
        assert grown["open files"] == grown["threads"] == 0, f"{one.__name__}: {grown}"
        said.append(f"{made} of {one.__name__}")
    return f"rounds: {', '.join(said)}; none grew by more than {ALLOWED / 1e6} MB"
