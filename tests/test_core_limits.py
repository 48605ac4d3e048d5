"""Errors of the core itself: sizes beyond memory, and corner cases of the plan."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from reference_model import chain, compile_chain

from nncore import _core

LINEAR = {"use_bias": True, "activation": "linear"}
CONV = {"strides": (1, 1), "dilation_rate": (1, 1), "groups": 1, **LINEAR}


def dense(units: int) -> tuple[str, dict[str, Any]]:
    return "dense", {"units": units, **LINEAR}


def test_sizes_that_overflow_are_memory_errors() -> None:
    with pytest.raises(MemoryError, match="not enough memory"):
        chain((2**62,), [dense(1)])
    network = chain((2**31, 2**31, 1), [("global_average_pooling2d", {"keepdims": False})])
    endless = np.broadcast_to(np.uint8(1), (1, 2**31, 2**31, 1))  # one byte, seen many times
    with pytest.raises(MemoryError, match="not enough memory"):
        network.forward(endless, False)
    with pytest.raises(MemoryError, match="not enough memory"):
        network.forward(endless, True)


def test_a_batch_beyond_memory_leaves_the_network_usable() -> None:
    network = chain((1,), [dense(1)])
    compile_chain(network, ("mean_squared_error", {}))
    rows = np.broadcast_to(np.uint8(1), (2**61, 1))
    with pytest.raises(MemoryError, match="not enough memory"):
        network.test(rows, rows, None, 0, 2**61, 2**61, 1.0, _core.Sums())
    x = np.ones((3, 1), np.float32)
    sums = _core.Sums()
    assert network.test(x, x, None, 0, 3, 3, 1.0, sums) == 3
    assert network.results(sums) == [1.0]


@pytest.mark.parametrize(
    ("kernel", "padding", "shape"),
    [
        ((3, 3), "valid", (100_000, 100_000, 3)),
        ((2**20, 2**20), "same", (1, 1, 1)),
        ((3, 3), "same", (9000, 9000, 9)),
    ],
)
def test_convolutions_beyond_reason_are_refused(kernel: Any, padding: str, shape: Any) -> None:
    spec = ("conv2d", {"filters": 1, "kernel_size": kernel, "padding": padding, **CONV})
    with pytest.raises(ValueError, match=r"\[conv2d\] .* has more than \d+ elements"):
        _core.infer(spec, [shape])


@pytest.mark.parametrize(
    ("name", "setting"), [(name, s) for name, (settings, _) in _core.activations().items() for s in settings]
)
def test_settings_outside_their_range_are_refused(name: str, setting: _core.Setting) -> None:
    key, default, least, most, below = setting
    message = re.escape(f"{key} must be in [{least:g}, {most:g}{')' if below else ']'}, got")
    for value in (least - 0.5, most if below else math.nextafter(most, math.inf), math.nan, math.inf):
        with pytest.raises(ValueError, match=message):
            _core.infer(("activation", {"activation": name, key: value}), [(3,)])
    _core.infer(("activation", {"activation": name, key: default}), [(3,)])


@pytest.mark.parametrize(
    ("name", "setting"), [(name, s) for name, (settings, *_) in _core.losses().items() for s in settings]
)
def test_settings_of_losses_outside_their_range_are_refused(name: str, setting: _core.Setting) -> None:
    key, default, least, most, below = setting
    x = np.ones((2, 3), np.float32)
    for value in (least - 0.5, most if below else math.nextafter(most, math.inf), math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"\[{name}\] {key} must be in \[{least:g}, {most:g}.*, got"):
            _core.metric((name, {key: value}), x, x)
    assert (_core.metric((name, {key: default}), x, x) == _core.metric((name, {}), x, x)).all()


def test_empty_and_scalar_samples() -> None:
    empty = np.zeros((3, 0), np.float32)
    relu = ("activation", {"activation": "relu"})
    assert _core.forward(relu, empty, []).shape == (3, 0)
    with pytest.raises(ValueError, match="an axis of the input is empty"):
        _core.forward(dense(2), empty, [np.zeros((0, 2), np.float32), np.zeros(2, np.float32)])
    with pytest.raises(ValueError, match="an axis of classes"):
        compile_chain(chain((), []), None, [("sparse_categorical_accuracy", {})], None, [])
    none = np.zeros((0, 2), np.float32)
    assert _core.backward(relu, none, none, [])[0].shape == (0, 2)
    with pytest.raises(
        ValueError, match=r"\[activation\] expected an array with an axis of samples, got shape"
    ):
        _core.forward(relu, np.float32(1.0), [])
    with pytest.raises(ValueError, match=r"\[activation\] expected an array with 2 axes or more, got shape"):
        _core.forward(relu, np.zeros(3, np.float32), [], False, 0, 2)


def test_gradients_of_frozen_layers_are_zero() -> None:
    network = chain((2,), [dense(2), dense(1)])
    network.write("parameters", np.ones_like(network.read("parameters")))
    loss = ("mean_squared_error", {})
    x, y = np.ones((4, 2), np.float32), np.zeros(4, np.float32)
    compile_chain(network, loss, trainable=[True, True])
    network.gradients(x, y, None)
    (_, _, first, _), *_ = network.layout
    assert network.read("gradients")[first] != 0
    compile_chain(network, loss, trainable=[False, True])
    network.gradients(x, y, None)
    assert network.read("gradients")[first] == 0


def test_unaligned_arrays_are_read_right() -> None:
    network = chain((1,), [dense(1)])
    compile_chain(network, ("mean_squared_error", {}), optimizer=("sgd", {"learning_rate": 0.0}))
    order = np.frombuffer(b"x" + np.array([2, 0, 1]).tobytes(), np.int64, offset=1)
    assert not order.flags.aligned
    x = np.array([[1.0], [2.0], [3.0]], np.float32)
    sums = _core.Sums()
    assert network.train(x, x, None, order, 0, 1, 1, 1.0, sums) == 1
    assert network.results(sums) == [9.0]
