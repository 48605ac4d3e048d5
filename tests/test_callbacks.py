"""Callbacks beyond what facts of Keras say of them: when they are called, and what they tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks, layers, models

X, Y = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3), np.linspace(0, 1, 20, dtype=np.float32)
FIT: Any = {"batch_size": 4, "verbose": 0}


def make(optimizer: Any = "sgd", activation: Any = "tanh", **settings: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(1)
    model = nncore.Sequential(
        [
            nncore.Input((3,)),
            layers.Dense(4, activation, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(1, name="last"),
        ]
    )
    model.compile(optimizer, "mse", **settings)
    return model


def parameters(model: nncore.Sequential) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


# ---- when they are called


def test_names_are_loaded_when_they_are_used() -> None:
    code = """
    import sys, nncore
    loaded = {name for name in sys.modules if name.startswith("nncore.callbacks.")}
    assert loaded == {"nncore.callbacks.callback", "nncore.callbacks.callback_list"}, loaded
    assert set(nncore.callbacks.__all__) <= set(dir(nncore.callbacks))
    for name in nncore.callbacks.__all__:
        assert getattr(nncore.callbacks, name).__name__ == name
    """
    code = "\n".join(line[4:] for line in code.split("\n"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- learning rates


def test_an_error_in_a_schedule_is_not_taken_for_one_argument() -> None:
    calls = []

    def schedule(epoch: int, rate: float = 0.1) -> float:
        calls.append(epoch)
        return rate + "a"  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand"):
        make().fit(X, Y, **FIT, callbacks=[callbacks.LearningRateScheduler(schedule)])
    assert calls == [0]


# ---- checkpoints


def test_what_a_checkpoint_writes(tmp_path: Path) -> None:
    model = make(metrics=["mae"])
    save = callbacks.ModelCheckpoint(str(tmp_path / "a/b/{epoch}-{mae:.1f}"), save_weights_only=True)
    model.fit(X, Y, epochs=2, **FIT, callbacks=[save, callbacks.ModelCheckpoint(tmp_path / "{epoch}")])
    (path,) = (tmp_path / "a" / "b").glob("2-0.*")
    other = make()
    other.load_weights(path)
    assert parameters(other) == parameters(model) == parameters(models.load_model(tmp_path / "2"))


@pytest.mark.parametrize("name", ["{gain}", "{batch}"])
def test_a_name_that_is_not_in_the_logs(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=rf"names '{name[1:-1]}', and there are epoch, loss"):
        make().fit(X, Y, **FIT, callbacks=[callbacks.ModelCheckpoint(tmp_path / name)])


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "model"):
        with pytest.raises(OSError, match=r"names a folder|File exists|Not a directory"):
            make().fit(X, Y, **FIT, callbacks=[callbacks.ModelCheckpoint(path)])
