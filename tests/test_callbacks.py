"""Callbacks, beyond the comparison with Keras: when they are called, and their messages."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks, layers, models, optimizers
from nncore.callbacks import Callback, CallbackList, History, LambdaCallback
from nncore.utils import Progbar

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


def test_those_of_epochs_do_not_watch_batches(tmp_path: Path) -> None:
    class Own(callbacks.ModelCheckpoint):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...

    path = tmp_path / "model"
    for item, watches in (
        (callbacks.ModelCheckpoint(path), False),
        (callbacks.ModelCheckpoint(path, save_freq=3), True),
        (Own(path), True),
        (callbacks.BackupAndRestore(path), False),
        (callbacks.BackupAndRestore(path, save_freq=2), True),
        (callbacks.TerminateOnNaN(), False),
        (callbacks.EarlyStopping(), False),
        (callbacks.CSVLogger(path), False),
        (LambdaCallback(on_epoch_end=print), False),
        (LambdaCallback(on_batch_end=print), True),
        (LambdaCallback(on_train_batch_begin=print), True),
        (CallbackList([callbacks.TerminateOnNaN()]), False),
        (CallbackList([Own(path)]), True),
    ):
        assert CallbackList(item).watches("train") is watches, item
        assert not CallbackList(item).watches("test")
        assert not CallbackList(item).watches("predict")


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


def test_a_list_calls_all() -> None:
    model, seen = make(), []  # type: ignore[var-annotated]
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs=None: seen.append((batch, logs)))
    told: dict[str, Any] = {"epochs": 2, "steps": 5, "verbose": 0}
    both = CallbackList([watch], add_history=True, add_progbar=True, model=model, **told)
    kinds = [LambdaCallback, History, callbacks.ProgbarLogger]
    assert [type(item) for item in both.callbacks] == kinds
    assert watch.model is both.callbacks[2].model is model
    assert watch.params == told
    both.on_train_begin()
    both.on_epoch_begin(0)
    both.on_train_batch_begin(0)
    both.on_train_batch_end(0, logs={"loss": 1.0})
    both.on_epoch_end(0, {"loss": 2.0})
    both.on_train_end()
    assert seen == [(0, {"loss": 1.0})]
    assert both.history is both.callbacks[1]
    assert both.history.history == {"loss": [2.0]}
    assert CallbackList([both.history], add_history=True).callbacks == [both.history]


# ---- learning rates


def test_an_error_in_a_schedule_is_not_taken_for_one_argument() -> None:
    calls = []

    def schedule(epoch: int, rate: float = 0.1) -> float:
        calls.append(epoch)
        return rate + "a"  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand"):
        make().fit(X, Y, **FIT, callbacks=[callbacks.LearningRateScheduler(schedule)])
    assert calls == [0]


def test_changes_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    verbose: list[tuple[Callback, str]] = [
        (callbacks.LearningRateScheduler(lambda epoch: 0.5, verbose=1), "Epoch 2: the learning rate is 0.5"),
        (
            callbacks.ReduceLROnPlateau("loss", 0.5, 1, 1, min_delta=9),
            "Epoch 2: the learning rate is lowered",
        ),
        (callbacks.ModelCheckpoint(tmp_path / "m", verbose=1), f"Epoch 2: the model is saved as {tmp_path}"),
        (
            callbacks.ModelCheckpoint(tmp_path / "m", "loss", 1, True, initial_value_threshold=0),
            "Epoch 2: loss is not better than 0",
        ),
        (callbacks.EarlyStopping("loss", min_delta=9, verbose=1), "Epoch 2: early stopping"),
    ]
    for callback, text in verbose:
        make().fit(X, Y, epochs=2, **FIT, callbacks=[callback])
        assert text in capsys.readouterr().out


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


# ---- averages


def averaged() -> nncore.Sequential:
    return make(optimizers.SGD(0.05, use_ema=True, ema_momentum=0.7), metrics=["mae"])


def test_evaluations_with_averages(tmp_path: Path) -> None:
    model, other = averaged(), averaged()
    swap, file = callbacks.SwapEMAWeights(), tmp_path / "{epoch}"
    history = model.fit(X, Y, epochs=3, **FIT, validation_data=(X, Y), callbacks=[swap]).history
    assert model.evaluate(X, Y, verbose=0)[1] == history["val_mae"][-1]
    both = [callbacks.SwapEMAWeights(swap_on_epoch=True), callbacks.ModelCheckpoint(file)]
    other.fit(X, Y, epochs=3, **FIT, validation_data=(X, Y), callbacks=both)
    assert parameters(other) == parameters(model) == parameters(models.load_model(tmp_path / "3"))
    plain = averaged()
    plain.fit(X, Y, epochs=3, **FIT)
    assert parameters(plain) == parameters(model)


def test_averages_come_and_go() -> None:
    model = averaged()
    weights: list[bytes] = []
    keep = LambdaCallback(on_epoch_end=lambda *_: weights.append(parameters(model)))
    model.fit(X, Y, **FIT, callbacks=[keep])
    ends, model = parameters(model), averaged()
    stop = LambdaCallback(on_epoch_end=lambda *_: model.predict(X, callbacks=[callbacks.SwapEMAWeights()]))
    model.fit(X, Y, **FIT, callbacks=[stop])
    assert parameters(model) == ends != weights[0]
    with pytest.raises(ValueError, match="needs an optimizer with use_ema=True"):
        make().evaluate(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


# ---- event files


def events(folder: Path) -> dict[str, list[Any]]:
    """Steps and values by tag: the number of a scalar, or how many values a histogram counts."""
    from tensorboardX.proto import event_pb2

    found: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("events.out.*")):
        data = path.read_bytes()
        while data:
            size = struct.unpack("<Q", data[:8])[0]
            event = event_pb2.Event.FromString(data[12 : 12 + size])
            for value in event.summary.value:
                is_scalar = value.WhichOneof("value") == "simple_value"
                number = value.simple_value if is_scalar else value.histo.num
                found.setdefault(value.tag, []).append((event.step, number))
            data = data[16 + size :]
    return found


def test_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    model = make(optimizers.SGD(0.25), metrics=["mae"])
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, update_freq=2, write_steps_per_second=True)
    for _ in range(2):  # twice with one object
        history = model.fit(X, Y, epochs=3, **FIT, validation_data=(X, Y), callbacks=[board]).history
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    sizes = {f"{w.path}/histogram": a.size for w, a in zip(model.weights, model.get_weights())}
    histograms = {name: [(0, size), (2, size)] * 2 for name, size in sizes.items()}
    names = ["loss", "mae", "steps_per_second"]
    scalars = {f"{when}_{name}" for when in ("epoch", "batch") for name in names} | {"epoch_learning_rate"}
    assert set(train) == scalars | set(histograms)
    assert {name: values for name, values in train.items() if name in histograms} == histograms
    assert train["epoch_learning_rate"] == [(e, 0.25) for _ in "ab" for e in range(3)]
    assert [step for step, _ in train["batch_loss"]] == [*range(2, 16, 2)] * 2
    np.testing.assert_allclose([v for _, v in train["epoch_loss"][3:]], history["loss"], rtol=1e-6)
    np.testing.assert_allclose([v for _, v in validation["epoch_mae"][3:]], history["val_mae"], rtol=1e-6)
    each = {f"evaluation_{name}_vs_iterations" for name in names[:2]} | {"epoch_loss", "epoch_mae"}
    assert set(validation) == each
    assert [step for step, _ in validation["evaluation_loss_vs_iterations"]] == [*range(5, 35, 5)]


def test_event_files_are_made_where_there_is_something(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    board = callbacks.TensorBoard(tmp_path)
    assert not CallbackList(board).watches("train")
    make().fit(X, Y, **FIT, callbacks=[board])
    assert [p.name for p in tmp_path.iterdir()] == ["train"]
    assert set(events(tmp_path / "train")) == {"epoch_loss", "epoch_learning_rate"}
    make().evaluate(X, Y, verbose=0, callbacks=[board])
    assert list(events(tmp_path / "validation")) == ["evaluation_loss_vs_iterations"]


def test_without_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"\[TensorBoard\] needs .* pip install tensorboardX"):
        callbacks.TensorBoard()


# ---- progress


def test_a_bar_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progbar(4, verbose=2, stateful_metrics=["now"], unit_name="file")
    bar.update(1, [("mean", 1.0), ("now", 5)])
    bar.add(2, [("mean", 4.0), ("now", 6)])
    assert capsys.readouterr().out == ""
    bar.finish([])
    text = capsys.readouterr().out
    assert text.startswith("file - 3 steps - 0.0s - ")
    assert text.endswith(" - mean: 3.0000 - now: 6.0000\n")
    bar = Progbar(None, verbose=1, stateless_metrics=["mean"])
    bar.update(1, [("mean", 1.0), ("now", 5)])
    bar.update(2, [("mean", 2.0), ("now", 6)], finalize=True)
    assert capsys.readouterr().out.endswith(" - mean: 2.0000 - now: 6.0000\n")


def test_progress_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    make().fit(X, Y, batch_size=4, verbose=2, callbacks=[callbacks.ProgbarLogger()])
    assert capsys.readouterr().out.count("loss") == 1
    alone = CallbackList(add_progbar=True, steps=2, verbose=2)
    alone.on_train_begin()
    alone.on_epoch_begin(0)
    for batch in range(2):
        alone.on_train_batch_end(batch, {"loss": 1.0})
        alone.on_test_begin()
        alone.on_test_batch_end(0, {"loss": 7.0})
        alone.on_test_end({"loss": 7.0})
    alone.on_epoch_end(0, {"loss": 3.0})
    alone.on_train_end()
    assert capsys.readouterr().out.endswith("loss: 3.0000\n")
    alone.on_predict_begin()
    alone.on_predict_batch_end(0, {"outputs": X})
    alone.on_predict_end()
    assert "step" in capsys.readouterr().out


ERRORS: list[tuple[str, type[Exception], Callable[[], Any]]] = [
    (r"\[ModelCheckpoint\] the format", ValueError, lambda: callbacks.ModelCheckpoint("a.onnx")),
    (r"\[ModelCheckpoint\] filepath='{epoch'", ValueError, lambda: callbacks.ModelCheckpoint("{epoch")),
    ("save_freq must be 'epoch' or", ValueError, lambda: callbacks.ModelCheckpoint("a", save_freq=True)),
    ("save_freq must be at least 1", ValueError, lambda: callbacks.ModelCheckpoint("a", save_freq=0)),
    ("save_freq must be 'epoch' or", ValueError, lambda: callbacks.BackupAndRestore("a", save_freq=False)),
    ("must be a number", TypeError, lambda: callbacks.ModelCheckpoint("a", initial_value_threshold="")),
    ("save_best_only must be True", TypeError, lambda: callbacks.ModelCheckpoint("a", save_best_only=2)),
    ("mode must be one of", ValueError, lambda: callbacks.ModelCheckpoint("a", mode="best")),
    (r"factor must be in \[0, 1\)", ValueError, lambda: callbacks.ReduceLROnPlateau(factor=1.5)),
    ("schedule must be a function", TypeError, lambda: callbacks.LearningRateScheduler(0.1)),
    ("separator must be one character", ValueError, lambda: callbacks.CSVLogger("a", ", ")),
    ("filepath must name a file", ValueError, lambda: callbacks.CSVLogger("")),
    ("write_images=True is not available", ValueError, lambda: callbacks.TensorBoard(write_images=True)),
    ("profile_batch=2 is not available", ValueError, lambda: callbacks.TensorBoard(profile_batch=2)),
    ("embeddings_freq=1 is not", ValueError, lambda: callbacks.TensorBoard(embeddings_freq=1)),
    ("embeddings_metadata='a' is", ValueError, lambda: callbacks.TensorBoard(embeddings_metadata="a")),
    ("update_freq must be 'epoch'", ValueError, lambda: callbacks.TensorBoard(update_freq="step")),
    ("update_freq must be at least 1", ValueError, lambda: callbacks.TensorBoard(update_freq=0)),
    ("only one of stateful", ValueError, lambda: Progbar(1, stateful_metrics=[], stateless_metrics=[])),
    ("verbose must be 0, 1, 2", ValueError, lambda: Progbar(1, verbose=3)),
    (r"\[CallbackList\] callbacks must be", TypeError, lambda: CallbackList([1])),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "act"), ERRORS, ids=[text for text, _, _ in ERRORS])
def test_errors_come_first(text: str, kind: type[Exception], act: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=text):
        act()
