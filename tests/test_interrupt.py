"""Signals while the core works: Ctrl-C leaves whole steps behind, and what a handler raises comes out."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

import nncore


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

    network = model._network
    assert network is not None
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
