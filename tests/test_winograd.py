"""Convolutions in Winograd's form: as plain sums where numbers are not finite, and through frozen layers.

Values and gradients are in the tables of test_ops.py and test_layers.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from op_cases import normal
from reference_layers import FLATTEN, Spec, activation, conv2d, dense, loss_spec, pooling
from reference_model import assert_close, compile_chain, network, of_layers

from nncore import ops, reference

SGD: Spec = ("sgd", {"learning_rate": 0.1})


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38])
def test_infinities_stay(isa: str, rng: np.random.Generator, value: float) -> None:
    x, kernel = normal(rng, 3, 10, 11, 32), np.abs(normal(rng, 3, 3, 32, 32))
    x[1, 4, 5, 6] = value
    y, expected = ops.conv2d(x, kernel), reference.conv2d(x, kernel)
    with np.errstate(over="ignore"):
        expected = expected.astype(np.float32)
    known = np.isfinite(expected)
    assert known[[0, 2]].all()
    assert (~known).any() or value == 3e38
    np.testing.assert_array_equal(y[~known], expected[~known])
    near = known & (np.abs(expected) < 1e30)
    assert_close(y[near], expected[near], 9 * 32)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinities_stay_before_pooling(rng: np.random.Generator, value: float) -> None:
    layers = [conv2d(33, 3, activation="relu"), pooling("max_pooling2d")]
    net, model = network((12, 11, 32), layers, rng)
    x = normal(rng, 3, 12, 11, 32)
    x[1, 5, 4, 7] = value
    y, expected = net.forward(x, False), model.forward(x)[-1]
    known = np.isfinite(expected)
    assert known[[0, 2]].all()
    assert not known[1].all()
    np.testing.assert_array_equal(y[~known], expected[~known])
    assert_close(y[known], expected[known], 9 * 32)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinite_bias_stays_before_pooling(rng: np.random.Generator, value: float, activation: str) -> None:
    layers = [conv2d(33, 3, activation=activation), pooling("max_pooling2d")]
    net, model = network((12, 11, 32), layers, rng)
    flat = net.read("parameters")
    flat[net.layout[1][2] + 5] = model.parameters[0][1][5] = value
    net.write("parameters", flat)
    x = normal(rng, 3, 12, 11, 32)
    with np.errstate(invalid="ignore"):
        expected = model.forward(x)[-1]
    np.testing.assert_array_equal(net.forward(x, False)[..., 5], expected[..., 5])


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("channels", [1, 4, 32])
@pytest.mark.parametrize("pooled", [False, True])
def test_gradients_go_through_a_frozen_layer(rng: np.random.Generator, channels: int, pooled: bool) -> None:
    convolution: list[Spec] = [conv2d(32, 3, padding="same")]
    if pooled:
        convolution = [conv2d(40, 3), activation("relu"), pooling("max_pooling2d")]
    layers = [dense(channels, "tanh"), *convolution, FLATTEN, dense(2)]
    net, _ = network((8, 10, 3), layers, rng, loss_spec("mean_squared_error"), SGD)
    x, y = normal(rng, 5, 8, 10, 3), normal(rng, 5, 2)
    net.gradients(x, y, None)
    expected = of_layers(net, len(layers), "gradients")
    trained = [number != 1 for number in range(len(layers))]
    compile_chain(net, loss_spec("mean_squared_error"), (), SGD, trained)
    net.gradients(x, y, None)
    for number in (0, len(layers) - 1):
        for actual, gradient in zip(of_layers(net, len(layers), "gradients")[number], expected[number]):
            np.testing.assert_array_equal(actual, gradient)
