"""Interrupted trainings resume from a backup, and end with the bits of one that was not interrupted."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers, metrics, models, optimizers
from nncore.callbacks import BackupAndRestore, Callback, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau
from nncore.optimizers import schedules

pytestmark = pytest.mark.once

ROWS, BATCH, EPOCHS = 44, 8, 4  # six steps an epoch
RNG = np.random.default_rng(5)
X, Y = RNG.random((ROWS, 3), dtype=np.float32), RNG.random((ROWS, 2), dtype=np.float32)


COUNTED = next(cls for cls in metrics.CLASSES.values() if cls._function is None)


class Interrupted(Exception):
    pass


class Breaks(Callback):
    """Raises an error after a number of batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise Interrupted


class Source:
    """The data as batches, the same in each epoch."""

    def __len__(self) -> int:
        return -(-ROWS // BATCH)

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return X[rows], Y[rows]


def make(optimizer: Callable[[], Any] = lambda: "adam") -> nncore.Sequential:
    model = nncore.Sequential(
        [
            nncore.Input((3,)),
            layers.Dense(5, "tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(2),
        ]
    )
    model.compile(optimizer(), "mse", metrics=["mae", COUNTED(name="counted")])
    return model


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: "adam",
    "accumulates": lambda: optimizers.Adam(
        schedules.ExponentialDecay(0.1, 3, 0.9), weight_decay=0.1, use_ema=True, gradient_accumulation_steps=4
    ),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
}
DATA: dict[str, dict[str, Any]] = {
    "rows": {"x": X, "y": (Y > 0.5).astype(np.float32), "batch_size": BATCH},
    "in order": {"x": X, "y": Y, "batch_size": BATCH, "shuffle": False},
    "goes on behind": {"x": X, "y": Y, "batch_size": BATCH, "steps_per_epoch": 4},
    "validated": {"x": X, "y": Y, "batch_size": BATCH, "validation_split": 0.25},
    "source": {"x": Source()},
    "source, goes on behind": {"x": Source(), "steps_per_epoch": 4},
}
QUICK = [("rows", "accumulates", 4), ("validated", "adam", "epoch"), ("goes on behind", "adam", 4)]


def halves(epoch: int, rate: float) -> float:
    return rate / 2


def bits(model: nncore.Sequential) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


def fit(model: nncore.Sequential, data: dict[str, Any], *callbacks: Callback) -> Any:
    return model.fit(**data, epochs=EPOCHS, verbose=0, callbacks=list(callbacks)).history


@pytest.mark.filterwarnings("ignore:the data ran out")
@pytest.mark.parametrize(
    ("data", "optimizer", "save_freq"),
    [
        pytest.param(*case, marks=() if case in QUICK else pytest.mark.full)
        for case in itertools.product(DATA, OPTIMIZERS, ("epoch", 1, 4))
    ],
)
def test_goes_on_to_the_same_bits(data: str, optimizer: str, save_freq: Any, tmp_path: Path) -> None:
    nncore.utils.set_random_seed(3)
    whole = make(OPTIMIZERS[optimizer])
    rates = [] if optimizer == "accumulates" else [nncore.callbacks.LearningRateScheduler(halves)]
    expected = fit(whole, DATA[data], *rates)
    rng, stops = np.random.default_rng(len(data)), 0
    for stop in [*rng.integers(2, 12, 3).tolist(), 1000]:
        nncore.utils.set_random_seed(4 if (tmp_path / "b").exists() else 3)
        model = make(OPTIMIZERS[optimizer])
        rates = [] if optimizer == "accumulates" else [nncore.callbacks.LearningRateScheduler(halves)]
        try:
            found = fit(model, DATA[data], *rates, BackupAndRestore(tmp_path / "b", save_freq), Breaks(stop))
        except Interrupted:
            stops += 1
        else:
            break
    assert stops
    assert bits(model) == bits(whole)
    for name, values in found.items():
        assert values == expected[name][len(expected[name]) - len(values) :]
    assert list(tmp_path.iterdir()) == []


def test_the_same_object_goes_on(tmp_path: Path) -> None:
    """Resumes in one process with the same model and callback, as in the example of Keras."""
    nncore.utils.set_random_seed(3)
    whole, model = make(), make()
    model._net.seed = whole._net.seed
    model.set_weights(whole.get_weights())
    model._net.network.seed = whole._net.seed  # type: ignore[union-attr, assignment]
    fit(whole, DATA["rows"])
    keep = BackupAndRestore(tmp_path / "b", delete_checkpoint=False)
    with pytest.raises(Interrupted):
        fit(model, DATA["rows"], keep, Breaks(15))
    history = model.fit(**DATA["rows"], epochs=EPOCHS, verbose=0, callbacks=[keep])
    assert history.epoch == [2, 3]
    assert bits(model) == bits(whole)
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["latest.safetensors"]
    assert model.fit(**DATA["rows"], epochs=EPOCHS, verbose=0, callbacks=[keep]).epoch == []


def test_what_callbacks_before_it_have_changed_is_kept(tmp_path: Path) -> None:
    nncore.utils.set_random_seed(3)
    lowers = {"monitor": "loss", "patience": 1, "min_delta": 10.0}
    whole = make()
    expected = fit(whole, DATA["rows"], ReduceLROnPlateau(**lowers), Breaks(99))["learning_rate"]
    with pytest.raises(Interrupted):
        fit(make(), DATA["rows"], ReduceLROnPlateau(**lowers), BackupAndRestore(tmp_path), Breaks(13))
    found = fit(make(), DATA["rows"], BackupAndRestore(tmp_path), ReduceLROnPlateau("loss"))
    assert found["learning_rate"][0] == expected[2] != expected[1]


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_damaged_backup(tmp_path: Path) -> None:
    """A damaged backup is an error that leaves the model as it was, or the older backup is used."""
    nncore.utils.set_random_seed(3)
    whole = make()
    fit(whole, DATA["rows"])
    for double in (False, True):
        keep = BackupAndRestore(tmp_path, double_checkpoint=double)
        with pytest.raises(Interrupted):
            fit(make(), DATA["rows"], keep, Breaks(20))
        last, model = tmp_path / "latest.safetensors", make()
        last.write_bytes(last.read_bytes()[:-3])
        before = bits(model), model._net.seed
        if double:
            assert files(tmp_path) == ["latest.safetensors", "previous.safetensors"]
            with pytest.warns(UserWarning, match=r"before the last one: .*latest.safetensors is not"):
                found = model.fit(**DATA["rows"], epochs=EPOCHS, verbose=0, callbacks=[keep])
            assert found.epoch == [2, 3]
        else:
            with pytest.raises(ValueError, match=r"latest.safetensors is not a usable"):
                fit(model, DATA["rows"], keep)
            assert (bits(model), model._net.seed) == before
            last.unlink()


@pytest.mark.parametrize("what", ["layers", "optimizer", "schedule", "metrics", "data", "epoch", "sums"])
def test_a_backup_of_something_else(what: str, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        fit(make(), DATA["rows"], BackupAndRestore(tmp_path, 5), Breaks(15))
    model, data = make(), dict(DATA["rows"])
    if what == "layers":
        model = nncore.Sequential([nncore.Input((3,)), layers.Dense(2)])
        model.compile("adam", "mse")
    elif what == "optimizer":
        model = make(OPTIMIZERS["momentum"])
    elif what == "schedule":
        model = make(lambda: optimizers.Adam(schedules.ExponentialDecay(0.1, 3, 0.9)))
    elif what == "metrics":
        model.compile("adam", "mse")
    elif what == "data":
        data |= {"x": X[:9], "y": Y[:9]}
    else:
        path = tmp_path / "latest.safetensors"
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        settings = json.loads(header["__metadata__"]["nncore"])
        settings |= {"epoch": -1} if what == "epoch" else {"batch": 0}
        header["__metadata__"]["nncore"] = json.dumps(settings)
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    before = bits(model), model._net.seed, model._net.epochs
    with pytest.raises(ValueError, match="is not a usable"):
        fit(model, data, BackupAndRestore(tmp_path))
    assert (bits(model), model._net.seed, model._net.epochs) == before


def test_damage_of_any_kind_is_refused(tmp_path: Path) -> None:
    """Damage is refused, or has changed only numbers such as weights."""
    with pytest.raises(Interrupted):
        fit(make(), DATA["rows"], BackupAndRestore(tmp_path, 5), Breaks(12))
    path, rng = tmp_path / "latest.safetensors", np.random.default_rng(7)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    for case in range(150):
        changed = bytearray(content)
        for at in rng.integers(0, header if case % 3 else len(content), rng.integers(1, 4)):
            changed[at] = rng.choice([rng.integers(256), *b'0129-"{}[],:etn'])
        path.write_bytes(changed[: rng.integers(len(content))] if case % 10 == 0 else changed)
        with contextlib.suppress(ValueError):
            make().fit(**DATA["rows"], epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path, 99)])
        tmp_path.mkdir(exist_ok=True)


def test_it_works_in_fit_alone(tmp_path: Path) -> None:
    alone = nncore.callbacks.CallbackList([BackupAndRestore(tmp_path)], model=make())
    with pytest.raises(ValueError, match=r"\[BackupAndRestore\] works in `fit` alone"):
        alone.on_train_begin()
    outer, inner = make(), make()
    nested = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: outer.fit(X, Y, verbose=0) and inner.fit(X, Y, verbose=0)
    )
    fit(outer, DATA["rows"], nested, BackupAndRestore(tmp_path / "b", 3))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_trains_on_to_the_same_bits(tmp_path: Path) -> None:
    nncore.utils.set_random_seed(3)
    whole = make(OPTIMIZERS["momentum"])
    fit(whole, DATA["rows"], ModelCheckpoint(tmp_path / "{epoch}.safetensors"))
    for epoch in range(1, EPOCHS):
        model = models.load_model(tmp_path / f"{epoch}.safetensors")
        model.fit(**DATA["rows"], epochs=EPOCHS, initial_epoch=epoch, verbose=0)
        assert bits(model) == bits(whole)


ROOT = Path(__file__).parent.parent
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from tools.stress import kills_
print(kills_.trained(Path(sys.argv[1]), np.random.default_rng(1), int(sys.argv[2])))
"""


@pytest.mark.skipif(not (ROOT / "tools" / "stress").is_dir(), reason="not in a clone of the repository")
@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_processes_go_on_to_the_same_bits(kills: int, tmp_path: Path) -> None:
    """Processes are killed at random moments, and resume from files of either callback."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(kills)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60 + 3 * kills,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
