"""The state of optimizers and metrics can be read, and optimizers make steps without a compiled model."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from optimizer_cases import OPTIMIZERS as EVERY

import nncore
from nncore import metrics, optimizers
from nncore.layers import Dense, Input
from nncore.optimizers import schedules

X = np.random.default_rng(0).standard_normal((16, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)


def made() -> nncore.Sequential:
    nncore.utils.set_random_seed(1)
    return nncore.Sequential(
        [Input((3,)), Dense(4, activation="tanh", kernel_constraint="non_neg", name="a"), Dense(1, name="b")]
    )


SCHEDULED = {"a schedule": lambda: optimizers.SGD(schedules.ExponentialDecay(0.1, 1, 0.5), momentum=0.9)}
OPTIMIZERS = {**EVERY, **SCHEDULED}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("excluded", [[], ["bias"]])
def test_steps_by_hand_are_those_of_training(name: str, excluded: list[str]) -> None:
    model, other = made(), made()
    optimizer, by_hand = OPTIMIZERS[name](), OPTIMIZERS[name]()
    for one in (optimizer, by_hand):
        one.exclude_from_weight_decay(var_names=excluded)
    model.compile(optimizer, "mse")
    found: list[Any] = []
    model.gradients = lambda gradients: found.extend([g.copy() for g in gradients])
    for step in range(1, 4):
        found.clear()
        model.train_on_batch(X, Y)
        assert by_hand.apply_gradients(zip(found, other.trainable_variables)) == step == by_hand.iterations
        for one, another in zip(model.get_weights(), other.get_weights()):
            np.testing.assert_allclose(one, another, rtol=1e-6, atol=1e-7)
    assert [(v.path, v.shape, v.dtype) for v in optimizer.variables] == [
        (v.path, v.shape, v.dtype) for v in by_hand.variables
    ]
    for one, another in zip(optimizer.variables, by_hand.variables):
        np.testing.assert_allclose(one.numpy(), another.numpy(), rtol=1e-5, atol=1e-7)


def test_names_and_order_are_those_of_keras() -> None:
    model = made()
    model.compile("adam", "mse")
    model.train_on_batch(X, Y)
    assert [(v.path, v.shape) for v in model.optimizer.variables] == [
        ("adam/iteration", ()),
        ("adam/learning_rate", ()),
        ("adam/a_kernel_momentum", (3, 4)),
        ("adam/a_kernel_velocity", (3, 4)),
        ("adam/a_bias_momentum", (4,)),
        ("adam/a_bias_velocity", (4,)),
        ("adam/b_kernel_momentum", (4, 1)),
        ("adam/b_kernel_velocity", (4, 1)),
        ("adam/b_bias_momentum", (1,)),
        ("adam/b_bias_velocity", (1,)),
    ]
    first, rate = optimizers.SGD(0.5).variables
    assert (int(first.numpy()), first.dtype, float(rate)) == (0, "int32", 0.5)


def test_a_weight_without_a_gradient_stays() -> None:
    layer = Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    optimizer = optimizers.SGD(1.0)
    with pytest.warns(UserWarning, match=r"the gradient of dense.*/bias is None"):
        optimizer.apply_gradients([(np.ones((3, 2)), layer.kernel), (None, layer.bias)])
    np.testing.assert_array_equal(layer.kernel.numpy(), before[0] - 1)
    np.testing.assert_array_equal(layer.bias.numpy(), before[1])
    optimizer.apply([np.ones((3, 2))])
    np.testing.assert_array_equal(layer.kernel.numpy(), before[0] - 2)


def test_errors_of_steps_by_hand_change_nothing() -> None:
    layer = Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    good = (np.ones((3, 2)), layer.kernel)
    with pytest.raises(ValueError, match="expected the gradient of shape"):
        optimizers.SGD().apply_gradients([good, (np.ones(3), layer.bias)])
    with pytest.raises(ValueError, match="None for each weight"):
        optimizers.SGD().apply_gradients([(None, layer.bias)])
    with pytest.raises(TypeError, match="expected weights of layers"):
        optimizers.SGD().apply_gradients([good, (np.ones(3), np.ones(3))])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="expected 0 gradients, got 1"):
        optimizers.SGD().apply([np.ones(3)])
    with pytest.raises(ValueError, match="clipnorm is not available in apply_gradients"):
        optimizers.SGD(clipnorm=1.0).apply_gradients([good])
    model = made()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"\[sgd\] works for a compiled model"):
        model.optimizer.apply_gradients([good])
    for one, another in zip(layer.get_weights(), before):
        np.testing.assert_array_equal(one, another)


# ---- metrics


def test_means_keep_a_sum_and_a_count() -> None:
    metric = metrics.MeanAbsoluteError(name="m")
    metric.update_state([[0], [0]], [[1], [3]])
    assert [(v.path, v.name, float(v)) for v in metric.variables] == [
        ("m/total", "total", 4.0), ("m/count", "count", 2.0),
    ]  # fmt: skip
    assert np.asarray(metric.variables[0]).dtype == np.float32


COUNTED = [cls for cls in metrics.CLASSES.values() if "thresholds" in inspect.signature(cls).parameters]


@pytest.mark.parametrize("cls", COUNTED)
def test_counts_at_thresholds(cls: Any) -> None:
    y, p = np.array([0, 1, 1, 0, 1]), np.array([0.1, 0.4, 0.8, 0.6, 0.2])
    weight = np.array([1.0, 2.0, 1.0, 1.0, 0.5])
    metric = cls(thresholds=[0.5, 0.3], name="m")
    metric.update_state(y, p, weight)
    above = p[:, None] > np.array(metric.thresholds)
    counts = {
        f"{truth}_{side}": weight[y == label] @ are[y == label]
        for side, are in (("positives", above), ("negatives", ~above))
        for truth, label in (("true", side == "positives"), ("false", side != "positives"))
    }
    found = metric.variables
    assert found
    for variable in found:
        assert variable.path == f"m/{variable.name}"
        np.testing.assert_array_equal(variable.numpy(), counts[variable.name])
    if "multi_label" in inspect.signature(cls).parameters:
        several = cls(num_thresholds=5, multi_label=True)
        several.update_state(np.stack([y, 1 - y], 1), np.stack([p, p], 1))
        assert [v.shape for v in several.variables] == [(5, 2)] * 4
