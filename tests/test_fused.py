"""Fused steps for several layers, compared with the layers one by one."""

from __future__ import annotations

import numpy as np
import pytest
from op_cases import row_targets
from reference_layers import FLATTEN, Spec, activation, conv1d, conv2d, dense, loss_spec, of_steps, pooling
from reference_model import assert_close, network, of_layers
from test_layers import ADAM, BATCH, SGD, Shape, pictures, train

from nncore import _core
from nncore.common.rows import LOSSES

GLOBAL = of_steps(("global_max_pooling2d", {"keepdims": False}))
FUSED: dict[str, tuple[Shape, list[Spec], Spec]] = {
    "conv2d + relu + max_pooling2d": (
        (11, 12, 1),
        [conv2d(16, 3, activation="relu"), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d, relu, max_pooling2d": (
        (11, 13, 3),
        [conv2d(20, (2, 3)), activation("relu"), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + max_pooling2d": (
        (12, 12, 2),
        [conv2d(7, 5), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + relu + max_pooling2d, twice": (
        (28, 28, 1),
        [
            conv2d(32, 3, activation="relu"),
            pooling("max_pooling2d"),
            conv2d(24, 3, activation="relu", use_bias=False),
            pooling("max_pooling2d"),
            FLATTEN,
            dense(10, "softmax"),
        ],
        loss_spec("sparse_categorical_crossentropy"),
    ),
    "conv2d + relu + max_pooling2d by winograd": (
        (13, 13, 32),
        [conv2d(65, 3, activation="relu"), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + max_pooling2d by winograd": (
        (12, 10, 33),
        [conv2d(32, 3, use_bias=False), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + relu + max_pooling2d, 64 columns": (
        (8, 64, 1),
        [conv2d(5, 3, activation="relu"), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + max_pooling2d, 65 columns": (
        (9, 65, 1),
        [conv2d(35, (2, 4)), pooling("max_pooling2d"), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + relu + max_pooling2d of 3": (
        (13, 14, 2),
        [conv2d(9, 2, activation="relu"), pooling("max_pooling2d", 3), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + relu + max_pooling2d of steps": (
        (19, 6),
        [conv1d(21, 4, activation="relu"), of_steps(pooling("max_pooling2d", (1, 3))), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + max_pooling2d of four steps": (
        (19, 1),
        [conv1d(5, 3), of_steps(pooling("max_pooling2d", (1, 4))), FLATTEN, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d + relu + max_pooling2d, global_max_pooling2d": (
        (30, 9),
        [conv1d(35, 5, activation="relu"), GLOBAL, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "conv2d, relu, max_pooling2d, global_max_pooling2d, in two windows": (
        (301, 2),
        [conv1d(5, 2, use_bias=False), activation("relu"), GLOBAL, dense(4)],
        loss_spec("mean_squared_error"),
    ),
    "dense + relu, dense, softmax": (
        (9,),
        [dense(133, "relu"), dense(5), activation("softmax")],
        loss_spec("categorical_crossentropy", label_smoothing=0.1),
    ),
    "dense, tanh, dense + sigmoid": (
        (9,),
        [dense(117), activation("tanh"), dense(3, "sigmoid")],
        loss_spec("binary_crossentropy"),
    ),
    "dense of rows + relu, dense of rows + softmax": (
        (4, 9),
        [dense(64, "relu"), dense(5, "softmax")],
        loss_spec("sparse_categorical_crossentropy"),
    ),
}


@pytest.mark.full
@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("name", FUSED)
def test_threads_and_fused_steps(name: str) -> None:
    expected = train(*FUSED[name], 1, ADAM)
    for threads in (2, 3, 7, 16):
        assert train(*FUSED[name], threads, ADAM) == expected, f"{threads} threads"


@pytest.mark.parametrize("name", FUSED)
def test_fused_steps_equal_separate_ones(isa: str, name: str) -> None:
    shape, layers, loss = FUSED[name]
    results = []
    for fuse in (True, False):
        rng = np.random.default_rng(8)
        net, model = network(shape, layers, rng, loss, SGD, fuse=fuse)
        x = pictures(rng, BATCH, shape)
        y = row_targets(rng, LOSSES[loss[0]].inputs, (BATCH, *net.output_shapes([shape])[0]))
        value = net.gradients(x, y, None)
        gradients = net.read("gradients")
        assert net.train(x, y, None, None, 0, BATCH, BATCH, 60.0, _core.Sums()) == BATCH
        results.append((value, gradients, net.forward(x, False), net.read("parameters"), len(net.steps())))
        expected = model.gradients(x, y)
        assert_close(value, expected.loss, 1000)
        for layer, arrays in enumerate(of_layers(net, len(layers), "gradients")):
            for actual, gradient in zip(arrays, expected.gradients[layer]):
                assert_close(actual, gradient, 10_000, name=f"layer {layer}")
    fused, separate = results
    assert fused[4] < separate[4], "nothing was fused"
    for a, b in zip(fused[:4], separate[:4]):
        assert_close(a, b, 100)
