"""Forks while other threads compute. The child uses models: it works, or RuntimeError says why not."""

from __future__ import annotations

import copy
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nncore
from nncore import layers, models, ops

from .common import Run, bits, rounds
from .threads_ import CLASSES, WIDE, wide

PATIENCE = 60.0  # seconds for a child, which has work for a fraction of one
WORKS, REFUSES = 0, 3  # exit status of a child


class Subjects:
    """What parent and children use. `busy` is read, `trained` is written by threads of the parent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.busy, self.trained, self.quiet = wide(), wide(), wide()
        self.output = self.busy.predict(WIDE, verbose=0)
        self.trained.train_on_batch(WIDE, CLASSES)
        self.quiet_output = self.quiet.predict(WIDE, verbose=0)
        self.product = ops.dense(WIDE, WIDE.T)
        twin = copy.deepcopy(self.quiet)
        twin.fit(WIDE, CLASSES, verbose=0)
        self.fitted = bits(twin.get_weights())
        self.running = True

    def parent_threads(self) -> list[threading.Thread]:
        def again_and_again(call: Callable[[], Any]) -> Callable[[], None]:
            def loop() -> None:
                while self.running:
                    call()

            return loop

        calls: list[Callable[[], Any]] = [
            lambda: self.busy.predict(WIDE, verbose=0),
            lambda: self.busy.evaluate(WIDE, CLASSES, verbose=0),
            lambda: self.trained.fit(WIDE, CLASSES, epochs=3, verbose=0),
            lambda: self.trained.save(self.folder / "trained"),
            lambda: ops.dense(WIDE, WIDE.T),
            lambda: wide().predict(WIDE[:5], verbose=0),
        ]
        return [threading.Thread(target=again_and_again(call), daemon=True) for call in calls]

    # ---- what a child does

    def predict_busy(self) -> None:
        np.testing.assert_array_equal(self.busy.predict(WIDE, verbose=0), self.output)

    def read_busy(self) -> None:
        twin = copy.deepcopy(self.busy)
        np.testing.assert_array_equal(twin.predict(WIDE, verbose=0), self.output)

    def train_trained(self) -> None:
        assert np.isfinite(self.trained.fit(WIDE, CLASSES, verbose=0).history["loss"]).all()

    def save_trained(self) -> None:
        path = self.folder / f"child-{os.getpid()}"
        try:
            self.trained.save(path)
            assert np.isfinite(models.load_model(path).predict(WIDE, verbose=0)).all()
        finally:
            path.unlink(missing_ok=True)

    def use_quiet(self) -> None:
        np.testing.assert_array_equal(self.quiet.predict(WIDE, verbose=0), self.quiet_output)
        self.quiet.fit(WIDE, CLASSES, verbose=0)
        assert bits(self.quiet.get_weights()) == self.fitted

    def use_ops(self) -> None:
        np.testing.assert_array_equal(ops.dense(WIDE, WIDE.T), self.product)
        ops.conv2d(np.ones((4, 20, 20, 8)), np.ones((3, 3, 8, 16)))

    def make_new(self) -> None:
        model = nncore.Sequential([layers.Input((300,)), layers.Dense(10, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        assert np.isfinite(model.fit(WIDE, CLASSES, epochs=2, verbose=0).history["loss"]).all()
        nncore.set_num_threads(2)
        np.testing.assert_array_equal(ops.dense(WIDE, WIDE.T), self.product)

    def use_from_a_thread(self) -> None:
        thread = threading.Thread(target=self.use_ops)
        thread.start()
        thread.join()

    def fork_again(self) -> None:
        child = fork(self.use_ops)
        assert ended(child) == WORKS

    def exit(self) -> None:
        sys.exit(WORKS)


MUST_WORK = ("use_quiet", "use_ops", "make_new", "use_from_a_thread", "fork_again", "exit")
ACTIONS = ("predict_busy", "read_busy", "train_trained", "save_trained", *MUST_WORK)


def fork(action: Callable[[], None]) -> int:
    """The child's id; the child acts, and ends with a status."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: that is the point
        child = os.fork()
    if child:
        return child
    try:
        action()
    except SystemExit:
        raise  # through all of the interpreter's end
    except RuntimeError:
        os._exit(REFUSES)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(WORKS)


def ended(child: int) -> int:
    """The exit status of a child; one that hangs is ended and shows where."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGABRT)
    os.waitpid(child, 0)
    raise AssertionError(f"the child hung for {PATIENCE:g} seconds")


def run(run: Run) -> str:
    rng = np.random.default_rng(run.seed)
    nncore.utils.set_random_seed(run.seed)
    subjects = Subjects(run.folder)
    working = subjects.parent_threads()
    for thread in working:
        thread.start()
    forks, refused = Counter[str](), Counter[str]()
    try:
        for number in rounds(run):
            name = ACTIONS[number % len(ACTIONS)]
            time.sleep(rng.uniform(0, 0.01))
            status = ended(fork(getattr(subjects, name)))
            allowed = (WORKS,) if name in MUST_WORK else (WORKS, REFUSES)
            assert status in allowed, f"a child that should {name} ended with status {status}"
            forks[name] += 1
            refused[name] += status == REFUSES
            assert all(thread.is_alive() for thread in working), "a thread of the parent ended"
    finally:
        subjects.running = False
        for thread in working:
            thread.join()
    table = ", ".join(f"{n} to {name} ({refused[name]} refused)" for name, n in forks.items())
    return f"{forks.total()} forks: {table}"
