"""Cases of callbacks for keras_cases.py: their hooks, what they do to a training, and their files."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from keras_graph_cases import FIT, Y1, Case, X, make

# What a value does in the epochs of a training.
VALUES = {
    "falls and rises": [1.0, 0.9, 0.8, 0.9, 0.85, 0.79, 0.81, 0.8, 0.78, 0.9, 0.9, 0.9],
    "slowly": [1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91, 0.9, 0.89],
    "rises": [0.1, 0.2, 0.2, 0.3, 0.25, 0.3, 0.31, 0.2, 0.4, 0.4, 0.4, 0.4],
}
STOPPING: list[dict[str, Any]] = [
    {},
    {"patience": 1},
    {"patience": 2, "min_delta": 0.05},
    {"patience": 3, "mode": "max"},
    {"patience": 2, "baseline": 0.85},
    {"patience": 2, "baseline": 0.05, "restore_best_weights": True},
    {"patience": 1, "start_from_epoch": 3, "restore_best_weights": True},
    {"start_from_epoch": 4, "min_delta": -0.1},
]
PLATEAUS: list[dict[str, Any]] = [
    {"patience": 1},
    {"patience": 2, "factor": 0.5, "min_delta": 0.05},
    {"patience": 1, "cooldown": 2},
    {"patience": 1, "min_lr": 0.002},
    {"patience": 0, "factor": 0.5, "mode": "max"},
]


class Weights:
    """A stand-in for a model, whose weights are the number of the epoch."""

    stop_training = False
    epoch = 0

    def get_weights(self) -> Any:
        return self.epoch

    def set_weights(self, weights: Any) -> None:
        self.epoch = weights


def stopping(k: Any) -> Any:
    found = {}
    for name, values in VALUES.items():
        for settings in STOPPING:
            stop, model = k.callbacks.EarlyStopping(monitor="m", **{"mode": "min", **settings}), Weights()
            stop.set_model(model)
            stop.on_train_begin()
            for epoch, value in enumerate(values):
                model.epoch = epoch
                stop.on_epoch_end(epoch, {"m": value})
                if model.stop_training:
                    break
            stop.on_train_end()
            found[f"{name} {settings}"] = [stop.stopped_epoch, stop.best_epoch, stop.wait, model.epoch]
    return found


def plateau(k: Any) -> Any:
    """The learning rate after each epoch, and the counters."""
    found: dict[str, Any] = {}
    for name, values in VALUES.items():
        for settings in PLATEAUS:
            model = make(k, optimizer=k.optimizers.SGD(0.1))
            lowers = k.callbacks.ReduceLROnPlateau(monitor="m", **{"mode": "min", **settings})
            lowers.set_model(model)
            lowers.on_train_begin()
            steps = []
            for epoch, value in enumerate(values):
                logs = {"m": value}
                lowers.on_epoch_end(epoch, logs)
                steps.append([float(model.optimizer.learning_rate), lowers.wait, lowers.cooldown_counter])
                steps[-1].append(logs["learning_rate"])
            found[f"{name} {settings}"] = steps
    model = make(k, optimizer=k.optimizers.Adam(0.1))
    lowers = k.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=10)
    found["in training"] = model.fit(X, Y1, epochs=4, callbacks=[lowers], **FIT).history
    return found


def rates(k: Any) -> Any:
    """Histories with schedule functions of one and of two arguments."""
    found = []
    for callback in (
        k.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch)),
        k.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        k.callbacks.LearningRateScheduler(lambda epoch, rate: np.float32(0.5)),
    ):
        model = make(k, optimizer=k.optimizers.Adam(0.1))
        history = model.fit(X, Y1, epochs=4, callbacks=[callback], **FIT).history
        found.append([history, float(model.optimizer.learning_rate)])
    return found


def events(k: Any) -> Any:
    """All hooks in order, also those for batches of old, with their numbers and logs, and what they are told
    first, in passes with validation and without.
    """
    log: list[Any] = []

    def hook(name: str) -> Callable[..., None]:
        def called(self: Any, *arguments: Any, **others: Any) -> None:
            given = [*arguments, *others.values()]
            logs = next((sorted(a) for a in given if isinstance(a, dict)), [])
            log.append([name, [a for a in given if isinstance(a, int)], logs])

        return called

    hooks = [n for n in dir(k.callbacks.Callback) if n.startswith("on_") and "_train_batch" not in n]
    kind = type("Watch", (k.callbacks.Callback,), {name: hook(name) for name in hooks})
    params: list[Any] = []

    class Watch(kind):  # type: ignore[misc, valid-type]
        def set_params(self, given: Any) -> None:
            super().set_params(given)
            params.append({n: v for n, v in given.items() if n != "verbose"})
            log.append(["set_params", [], []])

        def set_model(self, model: Any) -> None:
            super().set_model(model)
            log.append(["set_model", [], []])

    watch, model = Watch(), make(k)
    model.fit(X, Y1, epochs=2, batch_size=5, callbacks=[watch], **FIT)
    more = {"initial_epoch": 1, "validation_data": (X, Y1), "validation_freq": 2}
    model.fit(X, Y1, epochs=3, callbacks=[watch], **more, **FIT)
    model.evaluate(X, Y1, batch_size=5, callbacks=[watch], verbose=0)
    model.predict(X, batch_size=5, callbacks=[watch], verbose=0)
    return [log, params]


def checkpoints(k: Any) -> Any:
    """Names of the files, without what they end in, the best value, and weights in the last one."""
    ending = {"keras": (".keras", ".weights.h5")}.get(k.__name__, (".safetensors",) * 2)
    found: dict[str, Any] = {}
    each: list[tuple[str, dict[str, Any]]] = [
        ("plain", {}),
        ("{epoch:02d}-{val_loss:.2f}", {}),
        ("{epoch}-{accuracy:.3f}", {"monitor": "accuracy", "save_best_only": True}),
        ("{epoch}", {"monitor": "loss", "save_best_only": True}),
        ("{epoch}", {"monitor": "val_loss", "save_best_only": True, "mode": "max"}),
        ("{epoch}", {"save_best_only": True, "initial_value_threshold": 0.6}),
        ("{epoch}", {"save_best_only": True, "initial_value_threshold": 0.0}),
        ("{epoch}", {"save_best_only": True, "initial_value_threshold": 9.0}),
        ("{epoch}-{batch}", {"save_freq": 2}),
        ("{epoch}-{batch:03d}-{loss:.2f}", {"save_freq": 4}),
        ("sub/{epoch}", {"monitor": "gone", "save_best_only": True, "mode": "min"}),
    ]
    for name, settings in each:
        for weights_only in (False, True):
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                end = ending[weights_only]
                save = k.callbacks.ModelCheckpoint(
                    f"{folder}/{name}{end}", save_weights_only=weights_only, **settings
                )
                make(k).fit(X, Y1, epochs=4, batch_size=5, validation_data=(X, Y1), callbacks=[save], **FIT)
                files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
                names = [str(p.relative_to(folder)).removesuffix(end) for p in files]
                found[f"{name} {settings} {weights_only}"] = [names, save.best]
    return found


def csv(k: Any) -> Any:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        for settings, fit in (
            ({}, {"validation_data": (X, Y1)}),
            ({"append": True}, {"validation_data": (X, Y1)}),
            ({"separator": ";"}, {"validation_data": (X, Y1), "validation_freq": 2}),
            ({}, {}),
        ):
            log = k.callbacks.CSVLogger(path, **settings)
            make(k).fit(X, Y1, epochs=2, callbacks=[log], **fit, **FIT)
            cells = [line.split(settings.get("separator", ",")) for line in path.read_text().splitlines()]
            found.append([[_number(cell) for cell in line] for line in cells])
        log.on_train_begin()
        log.on_epoch_end(0, {"both": np.array([0.5, 0.25]), "name": "a b"})
        log.on_train_end()
        found.append(path.read_text().splitlines())
    return found


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


def not_a_number(k: Any) -> Any:
    """Epochs and batches that are made until a loss is not finite, and what is called after it."""
    bad, found = np.where(np.arange(12) == 7, np.inf, X[:, 0]), []
    for raises in (False, True):
        seen: list[Any] = []
        watch = k.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs, seen=seen: seen.append(["epoch", epoch]),
            on_train_end=lambda logs, seen=seen: seen.append(["end"]),
            on_train_batch_begin=lambda batch, logs, seen=seen: seen.append(["batch", batch]),
        )
        model = make(k, 1, None, "mse", ())
        ends = [watch, k.callbacks.TerminateOnNaN(raise_error=raises)]
        try:
            model.fit(X, bad, epochs=3, batch_size=4, callbacks=ends, **FIT)
        except RuntimeError:
            seen.append(["RuntimeError"])
        found.append([seen, model.stop_training])
    return found


def backups(k: Any) -> Any:
    """The epochs of a training that was interrupted at an epoch, and weights, with the learning rate."""
    found = []
    for settings in ({}, {"double_checkpoint": True}, {"delete_checkpoint": False}):
        with tempfile.TemporaryDirectory() as folder:
            keep = k.callbacks.BackupAndRestore(f"{folder}/b", **settings)
            model = make(k, optimizer=k.optimizers.Adam(0.1))
            breaks = k.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: 1 // (epoch - 2))
            try:
                model.fit(X, Y1, epochs=5, batch_size=5, callbacks=[breaks, keep], **FIT)
            except ZeroDivisionError:
                found.append(model.get_weights())
            again = make(k, optimizer=k.optimizers.Adam(0.1))
            history = again.fit(X, Y1, epochs=5, batch_size=5, callbacks=[keep], **FIT)
            found.append([history.epoch, history.history, again.get_weights(), Path(folder, "b").exists()])
    return found


ERRORS: list[Callable[[Any], Any]] = [
    lambda c: c.ModelCheckpoint("a.keras" if "keras" in c.__name__ else "a", save_freq="batch"),
    lambda c: c.ModelCheckpoint("a.keras" if "keras" in c.__name__ else "a", save_freq=0.5),
    lambda c: c.BackupAndRestore("a", save_freq="batch"),
    lambda c: c.BackupAndRestore("a", save_freq=0.15),
    lambda c: c.BackupAndRestore(""),
    lambda c: c.BackupAndRestore(None),
    lambda c: c.ReduceLROnPlateau(factor=1.0),
]
IN_TRAINING: list[Callable[[Any], Any]] = [
    lambda c: c.LearningRateScheduler(lambda epoch, rate: "high"),
    lambda c: c.LearningRateScheduler(lambda epoch, rate: 1),
    lambda c: c.EarlyStopping("gain"),
    lambda c: c.ReduceLROnPlateau("gain"),
    lambda c: c.ModelCheckpoint("/nonexistent/{gain}" + (".keras" if "keras" in c.__name__ else ""), "loss"),
]


def errors(k: Any) -> Any:
    """Classes of errors: when a callback is made, in training, and if the optimizer has a schedule."""
    decay = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)

    def kind(act: Callable[[], Any]) -> str:
        try:
            act()
        except Exception as error:
            return type(error).__name__
        return "none"

    def fit(callback: Any, **given: Any) -> Any:
        make(k, **given).fit(X, Y1, epochs=3, callbacks=[callback], **FIT)

    c = k.callbacks
    return [
        [kind(lambda act=act: act(c)) for act in ERRORS],
        [kind(lambda act=act: fit(act(c))) for act in IN_TRAINING],
        [
            kind(lambda: fit(c.LearningRateScheduler(lambda epoch: 0.1), optimizer=k.optimizers.SGD(decay))),
            kind(
                lambda: fit(
                    c.ReduceLROnPlateau("loss", patience=1, min_delta=9), optimizer=k.optimizers.SGD(decay)
                )
            ),
        ],
    ]


CASES: dict[str, Case] = {
    "hooks in order": events,
    "EarlyStopping by values": stopping,
    "ReduceLROnPlateau by values": plateau,
    "LearningRateScheduler": rates,
    "ModelCheckpoint": checkpoints,
    "CSVLogger": csv,
    "TerminateOnNaN": not_a_number,
    "BackupAndRestore": backups,
    "errors of callbacks": errors,
}
