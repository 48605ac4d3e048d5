"""Layers in several models: one set of variables, one lock, moments of each model's own."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from nncore import Input, Sequential, models
from nncore.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from nncore.optimizers import SGD, Adam

RNG = np.random.default_rng(5)
X = RNG.normal(size=(64, 6)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.float32)
IMAGES = RNG.normal(size=(32, 9, 9, 2)).astype(np.float32)
FIT: Any = {"verbose": 0, "shuffle": False}


def trained(*layers: Any, optimizer: Any = "adam", epochs: int = 2) -> Sequential:
    model = Sequential([Input((6,)), *layers])
    model.compile(optimizer, "mse")
    model.fit(X, Y, epochs=epochs, **FIT)
    return model


def twin(model: Sequential) -> Sequential:
    """A model with the same weights in new layers."""
    return pickle.loads(pickle.dumps(model))


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_change_through_one_model_is_seen_by_all(isa: str) -> None:
    """Also packed weights change: of wide layers, and for their input gradients."""
    first = trained(Dense(130, activation="relu"), Dense(70, activation="relu"), Dense(1))
    features = Sequential(first.layers[:-1])
    assert features.predict(X).shape == (64, 70)
    assert features.input_shape == (None, 6)
    for _ in range(2):
        first.fit(X, Y, **FIT)
        assert np.array_equal(features.predict(X), twin(features).predict(X))
    features.set_weights([w * 0.5 for w in features.get_weights()])
    assert np.array_equal(first.predict(X), twin(first).predict(X))
    first.layers[1].kernel.assign(np.ones((130, 70)))
    assert np.array_equal(features.predict(X), twin(features).predict(X))
    features.compile("sgd", "mse")
    features.fit(X, np.zeros((64, 70)), **FIT)
    assert np.array_equal(first.predict(X), twin(first).predict(X))
    assert same(first.get_weights()[:4], features.get_weights())


def test_models_that_fuse_and_models_that_do_not_share_a_convolution(isa: str) -> None:
    conv = Conv2D(18, 3, activation="relu")
    pooled = Sequential([Input((9, 9, 2)), conv, MaxPooling2D(), Flatten(), Dense(1)])
    plain = Sequential([Input((9, 9, 2)), conv])
    larger = Sequential([Input((12, 11, 2)), conv])
    assert plain.layers[0] is pooled.layers[0]
    pooled.compile("adam", "mse")
    pooled.fit(IMAGES, np.ones(32), batch_size=8, epochs=2, **FIT)
    for model in (plain, pooled):
        assert np.array_equal(model.predict(IMAGES), twin(model).predict(IMAGES))
    plain.compile("adam", "mse")
    plain.fit(IMAGES, np.zeros((32, 7, 7, 18)), **FIT)
    assert np.array_equal(pooled.predict(IMAGES), twin(pooled).predict(IMAGES))
    assert larger.predict(np.ones((1, 12, 11, 2))).shape == (1, 10, 9, 18)
    assert [m.layers[0].name for m in (plain, larger)] == [conv.name] * 2
    texts: list[str] = []
    for model in (plain, larger):
        model.summary(print_fn=texts.append)
    assert "(None, 7, 7, 18)" in texts[0]
    assert "(None, 10, 9, 18)" in texts[1]


def test_training_is_that_of_a_model_alone(isa: str) -> None:
    """Sharing changes no bit: neither the order in memory nor what other models do in between."""
    layers = [Dense(9, activation="tanh"), Dense(5, activation="tanh"), Dense(1)]
    model = Sequential([Input((6,)), *layers])
    alone = twin(model)
    reversed_ = Sequential([Input((5,)), layers[2], Dense(6), layers[0]])  # another order in memory
    for m in (model, alone):
        m.compile(Adam(0.01), "mse")
        m.fit(X, Y, batch_size=16, epochs=3, **FIT)
    assert same(model.get_weights(), alone.get_weights())
    assert same(reversed_.layers[2].get_weights(), alone.layers[0].get_weights())


@pytest.mark.parametrize("batch_size", [4, 64])
def test_frozen_layers_stay_as_they_are(batch_size: int) -> None:
    base = trained(Dense(7, activation="relu"), Dense(1))
    before = base.get_weights()
    base.trainable = False
    front = Sequential([*base.layers, Dense(4, activation="relu"), Dense(1)])
    front.compile(SGD(0.01, momentum=0.9), "mse")
    front.fit(X, Y, batch_size=batch_size, epochs=3, **FIT)
    assert same(before, base.get_weights())
    assert all(np.isfinite(w).all() for w in front.get_weights())


def test_moments_are_each_models_own_and_of_what_trains(tmp_path: Path) -> None:
    base = trained(Dense(7, activation="relu"), Dense(3), Dense(1))
    front = Sequential(base.layers[:2])
    front.layers[0].trainable = False
    front.compile(Adam(0.01), "mse")
    front.fit(X, np.zeros((64, 3)), epochs=2, **FIT)
    front.save(tmp_path / "front.safetensors")
    names = sorted(n for n in load_file(tmp_path / "front.safetensors") if n.startswith("optimizer/"))
    second = front.layers[1].name
    assert names == [
        f"optimizer/{m}/{second}/{v}" for m in ("momentum", "velocity") for v in ("bias", "kernel")
    ]
    loaded, steps = models.load_model(tmp_path / "front.safetensors"), base.optimizer.iterations
    for model in (front, loaded):
        model.fit(X, np.zeros((64, 3)), epochs=2, **FIT)
    assert same(front.get_weights(), loaded.get_weights())
    assert base.optimizer.iterations == steps


def test_a_summary_counts_the_moments_that_the_optimizer_holds() -> None:
    """Not those of what a new compile would train, as another model that holds the layers may need it."""
    model = trained(Dense(4), Dense(1))
    texts: list[str] = []
    for flag in (True, False):
        model.trainable = flag
        model.summary(print_fn=texts.append)
    assert all(f"Optimizer params: {2 * model.count_params() + 2}" in text for text in texts)


def test_files_with_moments_of_frozen_layers_load(tmp_path: Path) -> None:
    """Older versions wrote zeros for them."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    model = trained(Dense(4), Dense(1))
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    model.fit(X, Y, **FIT)
    path = tmp_path / "model.safetensors"
    model.save(path)
    tensors = load_file(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    for moment in ("momentum", "velocity"):
        for w in model.layers[0].weights:
            tensors[f"optimizer/{moment}/{w.path}"] = np.zeros(w.shape, np.float32)
    save_file(tensors, path, metadata)
    loaded = models.load_model(path)
    for m in (model, loaded):
        m.fit(X, Y, **FIT)
    assert same(model.get_weights(), loaded.get_weights())


def test_a_layer_outlives_its_models_and_joins_others() -> None:
    layer = Dense(3)
    layer.build((None, 6))
    values = layer.get_weights()
    model = Sequential([layer, Dense(1)])
    other = Sequential([Dense(6), layer])
    other.build((None, 2))
    del model
    other.set_weights([np.ones(w.shape) for w in other.weights])
    assert not same(values, layer.get_weights())
    popped = other.pop()
    assert popped is layer
    again = Sequential([layer, Dropout(0.5), Dense(2)])
    assert np.array_equal(again.get_weights()[0], np.ones((6, 3)))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_model_whose_layers_cannot_be_joined_is_as_before(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining in a signal handler while a model is running, or in a handler that raises, changes nothing."""
    model = trained(Dense(3), Dense(1))
    before, expected = model.layers, model.predict(X, verbose=0)

    def refuse(*_: Any, **others: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("nncore._core.Network", refuse)
        with pytest.raises(error):
            model.pop()
        with pytest.raises(error):
            model.add(Dense(2, name="more"))
    assert model.layers == before
    assert np.array_equal(twin(model).predict(X, verbose=0), expected)
    last = model.pop()
    model.add(Dense(2, name="more"))
    assert last is before[-1]
    assert model.predict(X, verbose=0).shape == (64, 2)


def test_a_layer_cannot_be_twice_in_a_model_or_share_a_name() -> None:
    layer = Dense(3)
    with pytest.raises(ValueError, match="is in the model already"):
        Sequential([Input((3,)), layer, layer])
    model = Sequential([Input((3,)), layer])
    with pytest.raises(ValueError, match="is built for samples"):
        Sequential([Input((4,)), layer])
    with pytest.raises(ValueError, match="names must differ"):
        Sequential([layer, Dense(2, name=layer.name)])
    assert model.predict(np.ones((1, 3))).shape == (1, 3)


def test_models_that_share_layers_train_in_threads_at_once() -> None:
    shared = [Dense(40, activation="relu"), Dense(20, activation="relu")]
    parts = [Sequential([Input((6,)), *shared, Dense(1)]) for _ in range(3)]
    failures: list[BaseException] = []

    def work(model: Sequential) -> None:
        try:
            model.compile("sgd", "mse")
            for _ in range(15):
                model.fit(X, Y, batch_size=8, **FIT)
                assert model.predict(X).shape == (64, 1)
                model.layers[0].set_weights(model.layers[0].get_weights())
                Sequential([Input((6,)), *model.layers, Dense(1)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(m,)) for m in parts]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not failures
    assert not any(t.is_alive() for t in threads)
    for model in parts:
        assert np.array_equal(model.predict(X), twin(model).predict(X))


def test_stores_of_many_models_become_one() -> None:
    """Models joined in any order: all see one value, whichever writes it."""
    layers = [Dense(3, name=f"d{i}") for i in range(6)]
    chain: list[Sequential] = [Sequential([Input((3,)), layer]) for layer in layers]
    for i in (0, 2, 4, 1, 3):
        chain.append(Sequential([Input((3,)), layers[i], layers[i + 1]]))
    all_layers = Sequential([Input((3,)), *layers])
    for i, layer in enumerate(layers):
        layer.set_weights([np.full((3, 3), i), np.zeros(3)])
    ones = np.ones((1, 3))
    for model in [*chain, all_layers]:
        expected = ones.copy()
        for layer in model.layers:
            expected = expected @ layer.get_weights()[0]
        assert np.array_equal(model.predict(ones), expected.astype(np.float32))


@pytest.mark.once
@pytest.mark.parametrize("declared", [True, False])
def test_threads_that_build_models_of_a_new_layer_at_once_share_it(declared: bool) -> None:
    for _ in range(20):
        shared = Dense(30)
        models_: list[Sequential] = []
        start = threading.Barrier(3)

        def work(shared: Dense, models_: list[Sequential], start: threading.Barrier) -> None:
            start.wait()
            model = Sequential([*([Input((6,))] if declared else []), shared, Dense(1)])
            if not declared:
                model.predict(X, verbose=0)
            models_.append(model)

        threads = [threading.Thread(target=work, args=(shared, models_, start)) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        shared.set_weights([np.ones((6, 30)), np.zeros(30)])
        assert len(models_) == 3
        for model in models_:
            assert np.array_equal(model.get_weights()[0], np.ones((6, 30)))


def run(program: str, seconds: float = 60) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr


@pytest.mark.once
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals")
def test_a_handler_builds_a_model_while_a_thread_joins_the_one_at_work() -> None:
    """Neither waits for the other: the thread for the model at work, the handler for the thread."""
    run(
        """
import signal, sys, threading, time
import numpy as np
from nncore import Input, Sequential
from nncore.layers import Dense

model = Sequential([Input((50,)), Dense(512, activation="relu"), Dense(512), Dense(1)])
model.compile("sgd", "mse")
other = Dense(50)
other.build((None, 50))
handled = []

def handler(*_):
    Sequential([Input((3,)), Dense(2)])
    handled.append(other.get_weights())

def join():
    time.sleep(0.2)
    Sequential([Input((50,)), other, model.layers[0]])

def poke():
    while not handled:
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

signal.signal(signal.SIGUSR1, handler)
threads = [threading.Thread(target=f, daemon=True) for f in (join, poke)]
for t in threads:
    t.start()
x = np.ones((20000, 50), np.float32)
end = time.monotonic() + 20
while not handled and time.monotonic() < end:
    model.train_on_batch(x, np.zeros(len(x)))  # one call of the core, longer than 0.3 s
for t in threads:
    t.join(20)
sys.exit(not handled or any(t.is_alive() for t in threads))
"""
    )


@pytest.mark.full
@pytest.mark.once
def test_a_layer_of_very_many_models_costs_no_more_than_one_of_few() -> None:
    """Each model's new store joins that of the layer; a chain of all would end the small stack here."""
    run(
        """
import threading
from nncore import Input, Sequential
from nncore.layers import Dense

held = [Dense(2)]
for _ in range(8000):
    Sequential([Input((2,)), Dense(2), held[0]])
threading.stack_size(128 * 1024)
thread = threading.Thread(target=held.clear)
thread.start()
thread.join()
"""
    )


@pytest.mark.once
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_heads_of_a_large_base_hold_no_copies_of_it() -> None:
    run(
        """
from nncore import Input, Sequential
from nncore.layers import Dense

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

base = Sequential([Input((500,)), Dense(1000), Dense(500)])
heads = []

def build(count):
    for _ in range(count):
        model = Sequential([Input((500,)), *base.layers, Dense(3)])
        heads.append(model.layers[-1])

build(10)
before = held()
build(100)
assert held() - before < 25 * 4 * base.count_params(), (before, held())
"""
    )
