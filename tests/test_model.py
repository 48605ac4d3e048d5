"""Sequential: structure, weights, training and printed output."""

from __future__ import annotations

import gc
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks, metrics
from nncore.layers import (
    AvgPool2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    Input,
    LeakyReLU,
    MaxPool2D,
    MaxPooling2D,
)

X = np.random.default_rng(5).random((60, 3), dtype=np.float32)
Y = (X.sum(axis=1) > 1.5).astype(int)


def make(optimizer: Any = "adam", **settings: Any) -> nncore.Sequential:
    model = nncore.Sequential([Input((3,)), Dense(8, activation="relu"), Dense(1, activation="sigmoid")])
    model.compile(optimizer, "binary_crossentropy", **{"metrics": ["accuracy"], **settings})
    return model


# ---- structure


def test_layers_can_be_put_together_in_several_ways() -> None:
    shapes = [
        nncore.Sequential([Input((4,)), Dense(3), Dense(2)]),
        nncore.Sequential([Dense(3, input_shape=(4,)), Dense(2)]),
        nncore.Sequential([Dense(3, input_dim=4), Dense(2)]),
        nncore.Sequential((Dense(3, input_shape=(4,)), Dense(2))),
    ]
    added = nncore.Sequential()
    for layer in (Input((4,)), Dense(3), Dense(2)):
        added.add(layer)
    built = nncore.Sequential([Dense(3), Dense(2)])
    built.build((None, 4))
    for model in [*shapes, added, built]:
        assert model.built
        assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
        assert [w.shape for w in model.get_weights()] == [(4, 3), (3,), (3, 2), (2,)]
        assert model.count_params() == 23
        assert [layer.output_shape for layer in model.layers] == [(None, 3), (None, 2)]


def test_other_names_of_the_same_layers() -> None:
    model = nncore.Sequential([Input((8, 8, 1)), Conv2D(4, 3), MaxPool2D(), AvgPool2D(), GlobalMaxPool2D()])
    assert model.output_shape == (None, 4)
    assert GlobalAvgPool2D is nncore.layers.GlobalAveragePooling2D
    assert nncore.layers.Convolution2D is Conv2D
    assert LeakyReLU(alpha=0.1).negative_slope == 0.1


def test_a_model_without_a_shape_is_built_by_its_first_data() -> None:
    for call in ("fit", "evaluate", "train_on_batch", "predict", "__call__"):
        model = nncore.Sequential([Dense(4), Dense(1)])
        model.compile("sgd", "mse")
        assert (model.built, model.weights) == (False, [])
        arguments = (X,) if call in ("predict", "__call__") else (X, Y)
        getattr(model, call)(*arguments, **({"verbose": 0} if call in ("fit", "evaluate") else {}))
        assert model.input_shape == (None, 3)
        assert len(model.weights) == 4


def test_add_and_pop_keep_weights() -> None:
    model = make()
    model.fit(X, Y, verbose=0)
    kept = model.get_weights()
    last = model.pop()
    assert model.output_shape == (None, 8)
    np.testing.assert_array_equal(last.get_weights()[0], kept[2])
    model.add(Dropout(0.5))
    model.add(last)
    for a, b in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.fit(X, Y, verbose=0).epoch == [0]
    while model.layers:
        model.pop()
    assert not model.built
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


def test_layers_can_be_found() -> None:
    model = make()
    assert model.get_layer(index=0) is model.get_layer(model.layers[0].name) is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[1]
    model.layers.clear()
    assert len(model.layers) == 2


def test_a_model_that_is_gone_frees_its_layers_at_once() -> None:
    model = make()
    model.fit(X, Y, verbose=0)
    layers, before, watch = model.layers, model.get_weights(), weakref.ref(model)
    gc.disable()
    try:
        del model
        assert watch() is None
    finally:
        gc.enable()
    again = nncore.Sequential(layers)
    for a, b in zip(again.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_layer_alone() -> None:
    layer = Dense(2, activation="relu")
    x = np.array([[1.0, -2.0]], np.float32)
    assert not layer.built
    y = layer(x)
    assert layer.built
    np.testing.assert_allclose(y, np.maximum(x @ layer.kernel.numpy(), 0), rtol=1e-6)
    assert layer.compute_output_shape((None, 2)) == (None, 2)
    model = nncore.Sequential([layer])
    np.testing.assert_array_equal(model.predict(x), y)
    dropped = Dropout(0.5)(np.ones((100, 10)), training=True)
    assert set(np.unique(dropped)) == {0.0, 2.0}


# ---- weights


def test_weights_are_views() -> None:
    model = make()
    kernel, bias = model.layers[0].weights
    assert (kernel.name, kernel.shape, kernel.size, kernel.ndim, kernel.dtype) == (
        "kernel",
        (3, 8),
        24,
        2,
        "float32",
    )
    assert kernel.path == f"{model.layers[0].name}/kernel"
    kernel.assign(np.full((3, 8), 2))
    bias.assign(np.arange(8))
    np.testing.assert_array_equal(model.get_weights()[0], np.full((3, 8), 2))
    np.testing.assert_array_equal(np.asarray(model.layers[0].bias), np.arange(8))
    values = model.get_weights()
    values[0][:] = 7
    assert model.get_weights()[0].max() == 2
    model.set_weights(values)
    assert kernel.numpy().min() == 7
    assert Dense(2, use_bias=False, input_shape=(2,)).bias is None


def test_frozen_layers_keep_their_weights() -> None:
    model = make()
    model.layers[0].trainable = False
    model.compile("sgd", "binary_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after)] == [True, True, False, False]
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (2, 2)
    model.layers[0].trainable = True
    with pytest.warns(UserWarning, match="call compile again"):
        model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.trainable = False
    model.compile("sgd", "binary_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


# ---- training


def test_a_problem_is_learnt() -> None:
    nncore.utils.set_random_seed(2)
    model = make(nncore.optimizers.Adam(0.05))
    history = model.fit(X, Y, epochs=60, verbose=0)
    assert history.history["accuracy"][-1] > 0.95
    assert list(history.history) == ["accuracy", "loss"]
    assert model.history is history
    assert history.model is model
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert accuracy == ((model.predict(X)[:, 0] > 0.5) == Y).mean()
    assert model.evaluate(X, Y, verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}


def test_the_learning_rate_can_be_changed_during_training() -> None:
    model = make("sgd")
    assert model.optimizer is not None
    rates = []

    class Halve(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            assert self.model.optimizer is not None
            self.model.optimizer.learning_rate = 0.5**epoch
            rates.append(self.model.optimizer.learning_rate)

    model.fit(X, Y, epochs=3, verbose=0, callbacks=[Halve()])
    assert [float(rate.numpy()) for rate in rates] == rates == [1.0, 0.5, 0.25]
    assert model.optimizer.iterations == 6
    model.optimizer.learning_rate.assign(0)
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_training_can_be_stopped_by_a_callback() -> None:
    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = batch == 1

    model = make()
    history = model.fit(X, Y, epochs=5, batch_size=10, verbose=0, callbacks=[Stop()])
    assert (history.epoch, model.optimizer and model.optimizer.iterations) == ([0], 2)


def test_calls_with_training_drop_and_leave_weights() -> None:
    model = nncore.Sequential([Input((100,)), Dropout(0.5)])
    x = np.ones((10, 100), np.float32)
    np.testing.assert_array_equal(model(x), x)
    assert set(np.unique(model(x, training=True))) == {0.0, 2.0}


def test_metrics_by_hand() -> None:
    m = metrics.BinaryAccuracy()
    m.update_state([[1], [0]], [[0.9], [0.9]])
    assert m.result() == 0.5
    assert m([[1], [1]], [[0.9], [0.9]]) == 0.75
    m.reset_state()
    assert m.result() == 0.0
    m.update_state([[1], [0]], [[0.9], [0.9]], sample_weight=[3, 1])
    assert m.result() == 0.75
    loss = nncore.losses.MeanSquaredError()
    assert loss([[0.0], [0.0]], [[1.0], [3.0]]) == 5.0
    assert loss([[0.0], [0.0]], [[1.0], [3.0]], sample_weight=[1, 0]) == 0.5
    assert nncore.losses.BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]]) == pytest.approx(np.log(2))


def test_threads_may_predict_with_one_model() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = make()
    x = np.random.default_rng(1).random((3000, 3), dtype=np.float32)
    expected = model.predict(x)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(model.predict, [x] * 20):
            np.testing.assert_array_equal(result, expected)


# ---- on the screen


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    nncore.utils.clear_session()
    model = nncore.Sequential([Conv2D(64, 3, input_shape=(28, 28, 1)), MaxPooling2D(2), Flatten(), Dense(10)])
    model.summary(line_length=72)
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == 'Model: "sequential"'
    assert lines[1].startswith("┏━")
    assert all(len(line) == len(lines[1]) <= 72 for line in lines[1:-3])
    assert re.search(r"│ conv2d \(Conv2D\) +│ \(None, 26, 26, 64\) +│ +640 │", text)
    assert re.search(r"│ flatten \(Flatten\) +│ \(None, 10816\) +│ +0 │", text)
    assert re.search(r"│ dense \(Dense\) +│ \(None, 10\) +│ +108,170 │", text)
    assert lines[-3:] == [
        " Total params: 108,810 (425.04 KB)",
        " Trainable params: 108,810 (425.04 KB)",
        " Non-trainable params: 0 (0.00 B)",
    ]
    got: list[str] = []
    nncore.Sequential([Dense(2)]).summary(print_fn=got.append)
    assert "? " in got[0]
    assert "0 (unbuilt)" in got[0]
    trained = make("adam")
    trained.fit(X, Y, verbose=0)
    trained.summary(show_trainable=True)
    assert " Optimizer params: 84 (340.00 B)" in capsys.readouterr().out


def test_a_log_file_gets_one_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in ("auto", 1, 2, True):
        model = make()
        model.fit(X, Y, epochs=2, validation_split=0.2, verbose=verbose)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert re.fullmatch(
            r"Epoch 1/2 - 2 steps - [\d.]+s - \d+[mu]s/step - accuracy: [\d.]+ - loss: [\d.]+ - "
            r"val_accuracy: [\d.]+ - val_loss: [\d.]+",
            lines[0],
        )
        model.evaluate(X, Y, verbose=verbose)
        assert capsys.readouterr().out.startswith("Evaluation - 2 steps")


def test_silence(capfd: pytest.CaptureFixture[str]) -> None:
    model = make()
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X)
    assert capfd.readouterr() == ("", "")


TRAIN = """
import numpy as np, nncore
from nncore.layers import Dense, Input
x = np.zeros(({rows}, 64), np.float32)
model = nncore.Sequential([Input((64,)), Dense(256), Dense(1)])
model.compile("sgd", "mse")
"""


def in_terminal(code: str) -> str:
    """The output of a program on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=slave,
        stderr=slave,
        cwd=Path(sys.executable).parent,
    )
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(master)
    assert process.wait(60) == 0, text.decode()
    return text.decode()


def test_a_terminal_gets_a_bar() -> None:
    text = in_terminal(
        TRAIN.format(rows=6400)
        + "model.fit(x, x[:, 0], epochs=2, validation_split=0.5)\nmodel.predict(x, verbose=1)"
    )
    assert "\r" in text
    last = [line.split("\r")[-1] for line in text.replace("\r\n", "\n").strip("\n").split("\n")]
    assert len(last) == 3
    assert re.search(r"Epoch 1/2 100/100 .*val_loss: [\d.]+", last[0])
    assert re.search(r"Epoch 2/2 100/100 .*loss: [\d.]+", last[1])
    assert "Prediction 200/200" in last[2]


@pytest.mark.full
@pytest.mark.parametrize("what", ["fit", "predict"])
def test_ctrl_c_stops_within_half_a_second(what: str) -> None:
    code = TRAIN.format(rows=200_000) + textwrap.dedent(f"""
        import signal, sys, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
        print("ready", flush=True)
        try:
            if {what == "fit"}:
                model.fit(x, x[:, 0], epochs=1000, verbose=0)
            while True:
                model.predict(x)
        except KeyboardInterrupt:
            print(time.time(), flush=True)
        steps = model.optimizer.iterations
        weights = model.get_weights()
        model.fit(x[:32], x[:32, 0], verbose=0)
        print(np.isfinite(weights[0]).all(), model.optimizer.iterations - steps)
        """)
    folder = Path(sys.executable).parent
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.7)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        stopped = float(process.stdout.readline())
        assert stopped - sent < 0.5
        assert process.stdout.readline() == "True 1\n"
    assert process.returncode == 0
