"""A process that saves again and again is killed: its file is the last complete save, or the one begun.

One that trains is killed as well, and another goes on from what a callback has kept, until the training is
complete: its weights have the bits of a training that was not interrupted.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np

import nncore
from nncore import callbacks, layers, models

from .common import Run, bits, rounds

SIZES = (4, 700)  # units of the models: files of a kilobyte, and of four megabytes with the moments
NOTE = struct.Struct("<cq")  # b"b" before a save and b"d" after it, and the number of the state
LONGEST = 0.1  # seconds from a child's first save to its end


def make(units: int) -> nncore.Sequential:
    model = nncore.Sequential([layers.Input((units,)), layers.Dense(units), layers.Dense(1)])
    model.compile(nncore.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.train_on_batch(np.zeros((1, units)), np.zeros(1))  # from here on there are moments to save
    return model


def put(model: nncore.Sequential, state: int) -> None:
    """Weights and settings that all say the same number."""
    model.set_weights([np.full_like(w, state) for w in model.get_weights()])
    model.optimizer.learning_rate = 1 / (1 + state)


def state_in(path: Path, expected: nncore.Sequential) -> int:
    """The number in a file, which is whole."""
    model = models.load_model(path)
    state = int(model.get_weights()[0].flat[0])
    put(expected, state)
    assert bits(model.get_weights()) == bits(expected.get_weights()), f"{path} mixes states"
    assert model.optimizer.learning_rate == expected.optimizer.learning_rate
    return state


def save_on(model: nncore.Sequential, path: Path, first: int, pipe: int) -> None:
    """The life of a child: saves the states from `first` on, and notes what it does."""
    for state in count(first):
        put(model, state)
        os.write(pipe, NOTE.pack(b"b", state))
        model.save(path)
        os.write(pipe, NOTE.pack(b"d", state))


def one(model: nncore.Sequential, path: Path, begun: int, wait: float) -> tuple[int, int]:
    """(last state complete, last state begun) of a child that saves and is killed after `wait` seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            save_on(model, path, begun + 1, writing)
        finally:
            os._exit(1)  # it only ends by being killed
    os.close(writing)
    with os.fdopen(reading, "rb") as notes:
        said = notes.read(NOTE.size)  # the first save has begun
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        said += notes.read()
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, f"the child that saves ended with status {status}"
    done = begun
    for kind, state in NOTE.iter_unpack(said[: len(said) // NOTE.size * NOTE.size]):
        done, begun = (state, begun) if kind == b"d" else (done, state)
    return done, begun


# ---- trainings

EPOCHS = 30  # of eight steps
X = np.random.default_rng(1).random((250, 20), dtype=np.float32)
Y = X[:, :1] * X[:, 1:2]


def untrained(seed: int) -> nncore.Sequential:
    nncore.utils.set_random_seed(seed)
    first = [layers.Input((20,)), layers.Dense(64, "tanh"), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = nncore.Sequential([*first, layers.Dense(1)])
    model.compile(nncore.optimizers.Adam(0.01, gradient_accumulation_steps=3, use_ema=True), "mse")
    return model


def train(model: nncore.Sequential, *kept: callbacks.Callback, initial_epoch: int = 0) -> None:
    model.fit(X, Y, epochs=EPOCHS, verbose=0, callbacks=list(kept), initial_epoch=initial_epoch)


def with_backup(folder: Path, save_freq: int | str) -> nncore.Sequential:
    """Goes on with a training, at whatever step it was."""
    model = untrained(2 if (folder / "latest.safetensors").exists() else 1)
    train(model, callbacks.BackupAndRestore(folder, save_freq))  # type: ignore[arg-type]
    return model


def with_checkpoint(folder: Path) -> nncore.Sequential:
    """Goes on with a training, at the epoch that it was in."""
    path = folder / "model"
    model = models.load_model(path) if path.exists() else untrained(1)
    train(model, callbacks.ModelCheckpoint(path), initial_epoch=model._net.epochs)
    return model


WAYS: tuple[Callable[[Path], nncore.Sequential], ...] = (
    lambda folder: with_backup(folder, 5),
    lambda folder: with_backup(folder, "epoch"),
    with_checkpoint,
)


def ended(way: Callable[[Path], nncore.Sequential], folder: Path, wait: float) -> bool:
    """Whether a child that goes on with a training has come to its end; else it is killed after a time."""
    child = os.fork()
    if child == 0:
        try:
            way(folder / "kept").save_weights(folder / "result")
            os._exit(0)
        finally:
            os._exit(1)
    end, found = time.monotonic() + wait, (0, 0)
    while found == (0, 0) and time.monotonic() < end:
        time.sleep(0.001)
        found = os.waitpid(child, os.WNOHANG)
    if found == (0, 0):
        os.kill(child, signal.SIGKILL)
        found = os.waitpid(child, 0)
    status = found[1]
    assert status in (0, signal.SIGKILL), f"the child that trains ended with status {status}"
    return status == 0


def trained(folder: Path, rng: np.random.Generator, kills: int) -> int:
    """The number of trainings that are completed as their processes are killed so many times, or more."""
    nncore.set_num_threads(1)  # children are forked from this process
    expected, model = untrained(1), untrained(1)
    train(expected)
    made = done = 0
    while made < kills or not done or (folder / "kept").exists():
        (folder / "kept").mkdir(exist_ok=True)
        way = WAYS[done % len(WAYS)]
        if not ended(way, folder, rng.uniform(0.01, 4 * LONGEST)):
            made += 1
            continue
        model.load_weights(folder / "result")
        assert bits(model.get_weights()) == bits(expected.get_weights()), "a training came to other weights"
        shutil.rmtree(folder / "kept", ignore_errors=True)
        done += 1
    return done


def run(run: Run) -> str:
    rng = np.random.default_rng(run.seed)
    nncore.set_num_threads(1)  # children are forked from this process
    subjects = [(make(units), make(units), run.folder / f"model-{units}") for units in SIZES]
    states = dict.fromkeys(SIZES, 0)
    kills = saves = left = amid = 0
    for model, _, path in subjects:
        put(model, 0)
        model.save(path)
    for kills in rounds(run, run.seconds * 3 / 4):
        units = SIZES[kills % len(SIZES)]
        model, expected, path = subjects[kills % len(SIZES)]
        done, begun = one(model, path, states[units], rng.uniform(0, LONGEST) ** 2 / LONGEST)
        found = state_in(path, expected)
        assert done <= found <= begun, f"{path} has state {found}; {done} was complete, {begun} begun"
        saves, amid = saves + begun - states[units], amid + (done < begun)
        left += len(list(run.folder.iterdir())) - len(SIZES)
        states[units] = begun + 1
        put(model, begun + 1)
        model.save(path)
        assert state_in(path, expected) == begun + 1
        rest = sorted({p.name for p in run.folder.iterdir()} - {p.name for _, _, p in subjects})
        assert not rest, f"temporary files are left after the next save: {rest}"
    others, folder = max(2, int(run.seconds)), run.folder / "trainings"
    folder.mkdir()
    trainings = trained(folder, rng, others)
    return (
        f"{kills + 1} kills, {amid} of them during a save, {saves} saves; every file whole; "
        f"{left} temporary files of killed savers, removed by the next save; "
        f"{trainings} trainings with {others} kills or more, to the same bits"
    )
