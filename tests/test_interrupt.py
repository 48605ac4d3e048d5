"""Signals while the core works: training ends after a whole step, with the error of the handler."""

from __future__ import annotations

import signal
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from processes import output

import nncore
from nncore.models.model import net_of

pytestmark = pytest.mark.once


def model_and_data() -> tuple[nncore.Sequential, np.ndarray, np.ndarray]:
    nncore.utils.set_random_seed(3)
    model = nncore.Sequential(
        [nncore.Input((16,)), nncore.layers.Dense(32, activation="relu"), nncore.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(4).normal(size=(64, 16))
    return model, x, x.sum(axis=1)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends a signal")
def test_an_interrupted_training_has_made_whole_steps() -> None:
    model, x, y = model_and_data()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, batch_size=64, epochs=10**9, verbose=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    network = net_of(model).required_network()
    steps = network.iterations
    assert steps > 0
    twin, _, _ = model_and_data()
    twin.fit(x, y, batch_size=64, epochs=steps, verbose=0)
    for a, b in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(model.predict(x)).all()
    model.fit(x, y, epochs=1, verbose=0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends a signal")
def test_predict_passes_on_what_a_handler_raises() -> None:
    model, x, _ = model_and_data()
    x = np.tile(x, (200, *[1] * (x.ndim - 1)))
    model.predict(x)

    def interrupt(signum: int, frame: object) -> None:
        raise ValueError("time is up")

    def predict_for_seconds(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            model.predict(x)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        with pytest.raises(ValueError, match="time is up"):
            predict_for_seconds(5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Each takes minutes if nothing stops it.
ENDLESS = {
    "large steps": """
        model = nn.Sequential([nn.Input((1024,)), *(L.Dense(2048, activation="relu") for _ in range(3))])
        model.compile("sgd", "mse")
        x = np.broadcast_to(np.float32(1), (10_000, 1024))
        y = np.broadcast_to(np.float32(1), (10_000, 2048))
        before = model.get_weights()
        call = lambda: [model.train_on_batch(x, y) for _ in range(1000)]
    """,
    "a product": """
        x, w = np.ones((2**17, 2048), np.float32), np.ones((2048, 2**12), np.float32)
        call = lambda: [nn.ops.dense(x, w) for _ in range(1000)]
    """,
    "batches forward in training": """
        model = nn.Sequential([nn.Input((1024,)), *(L.Dense(2048, activation="relu") for _ in range(3))])
        x = np.broadcast_to(np.float32(1), (10_000, 1024))
        before = model.get_weights()
        call = lambda: [model(x, training=True) for _ in range(1000)]
    """,
    "labels": """
        model = nn.Sequential([nn.Input((1,)), L.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        before = model.get_weights()
        x = np.broadcast_to(np.float32(1), (10**11, 1))
        y = np.broadcast_to(np.int64(1), (10**11,))
        call = lambda: model.fit(x, y, shuffle=False, verbose=0)
    """,
    "an order": """
        model = nn.Sequential([nn.Input((1,)), L.Dense(1)])
        model.compile("sgd", "mse")
        before = model.get_weights()
        x = np.broadcast_to(np.float32(1), (2 * 10**8, 1))
        call = lambda: model.fit(x, x, verbose=0)
    """,
    "class weights": """
        model = nn.Sequential([nn.Input((1,)), L.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        before = model.get_weights()
        x = np.broadcast_to(np.float32(1), (10**9, 1))
        y = np.broadcast_to(np.uint8(1), (10**9,))
        call = lambda: model.fit(x, y, class_weight={1: 2.0}, shuffle=False, verbose=0)
    """,
    "a prediction": """
        model = nn.Sequential([nn.Input((1,)), L.Dense(64), L.Dense(64), L.Dense(1)])
        x = np.broadcast_to(np.float32(1), (4 * 10**8, 1))
        before = model.get_weights()
        call = lambda: [model.predict(x) for _ in range(1000)]
    """,
}


@pytest.mark.full
@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize("what", ENDLESS)
def test_ctrl_c_ends_what_takes_long(what: str, count: str) -> None:
    program = textwrap.dedent(ENDLESS[what]) + textwrap.dedent("""
        model = globals().get("model")
        threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        signal.alarm(60)
        try:
            call()
            print("finished")
        except KeyboardInterrupt:
            signal.alarm(0)
            print("interrupted")
        if model is not None:
            same = all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
            print("weights of a whole step:", same or model.optimizer.iterations > 0)
            shape = (2, *model.input_shape[1:])
            print("predicts:", np.isfinite(model.predict(np.ones(shape))).all())
    """)
    lines = output(program, NNCORE_NUM_THREADS=count).splitlines()
    assert lines[0] == "interrupted"
    assert all(line.endswith("True") for line in lines[1:])


@pytest.mark.full
def test_a_stopped_step_leaves_the_model_as_it_was() -> None:
    program = """
def build():
    nn.utils.set_random_seed(1)
    model = nn.Sequential([nn.Input((600,)), L.Dense(600, activation="relu"), L.Dense(600), L.Dense(1)])
    model.compile("adam", "mse")
    return model
rng = np.random.default_rng(0)
x = rng.normal(size=(10_000, 600)).astype(np.float32)
y = x[:, :1]
class Stop(Exception): pass
def stop(*_): raise Stop
signal.signal(signal.SIGALRM, stop)
model, steps = build(), 0
for milliseconds in range(20, 700, 40):
    signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000)
    try:
        model.train_on_batch(x, y)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Stop:
        pass
steps = model.optimizer.iterations
twin = build()
for _ in range(steps):
    twin.train_on_batch(x, y)
print(steps, all(map(np.array_equal, model.get_weights(), twin.get_weights())))
"""
    for count in ("1", "2"):
        assert output(program, NNCORE_NUM_THREADS=count).endswith("True")


def test_orders_beyond_memory_are_refused() -> None:
    model = nncore.Sequential([nncore.Input((1,)), nncore.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.broadcast_to(np.float32(1), (10**12, 1))
    with pytest.raises(MemoryError, match=r"order of 1000000000000 samples.*shuffle=False"):
        model.fit(x, x)


HANDLERS = """
def build():
    nn.utils.set_random_seed(1)
    model = nn.Sequential([nn.Input((1024,)), L.Dense(2048, activation="relu"), L.Dense(2048), L.Dense(1)])
    model.compile("adam", "mse")
    return model
x = np.random.default_rng(0).normal(size=(10_000, 1024)).astype(np.float32)
y = x[:, :1]
model = build()
def interrupted(handler):
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        for _ in range(1000):
            model.train_on_batch(x, y)
    except Exception as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        twin = build()
        for _ in range(model.optimizer.iterations):
            twin.train_on_batch(x, y)
        same = all(map(np.array_equal, model.get_weights(), twin.get_weights()))
        print(type(error).__name__, str(error)[:60], same)
"""


@pytest.mark.full
@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("nn.ops.relu(x); raise ValueError('stop')", "ValueError stop True"),
        ("trained(); raise ValueError('stop')", "ValueError stop True"),
        (
            "model.save(path); assert nn.models.load_model(path).optimizer.iterations >= 0;"
            "model.get_weights(); model.optimizer.learning_rate = 0.001; raise ValueError('stop')",
            "ValueError stop True",
        ),
        ("model.predict(x[:1])", "RuntimeError the model is running in this thread"),
        ("model.layers[0].set_weights(model.layers[0].get_weights())", "RuntimeError the model is running"),
    ],
)
def test_handlers_of_signals_may_use_models(body: str, expected: str, count: str, tmp_path: Path) -> None:
    program = (
        HANDLERS
        + f"""
path = {str(tmp_path / "model.safetensors")!r}
def handler(*_):
    {body}
interrupted(handler)
"""
    )
    line = output(program, NNCORE_NUM_THREADS=count)
    assert line.startswith(expected.removesuffix(" True"))
    assert line.endswith("True")


@pytest.mark.full
def test_a_handler_that_returns_is_called_again() -> None:
    program = (
        HANDLERS
        + """
calls = []
def handler(*_):
    nn.ops.relu(x[:1])
    calls.append(1)
    if len(calls) == 3:
        raise ValueError("third")
signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
set_timer = signal.setitimer
signal.setitimer = lambda which, seconds: set_timer(which, seconds, seconds)
interrupted(handler)
"""
    )
    assert output(program) == "ValueError third True"
