"""Metrics of values, initializers of matrices, and reductions of losses: parts that the table does not
test.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncore
from nncore import initializers, layers, losses, metrics


def test_mean_and_sum() -> None:
    values, mean, total = np.arange(12.0).reshape(3, 4), metrics.Mean(), metrics.Sum()
    assert [mean.result(), total.result()] == [0.0, 0.0]
    assert [mean(values), total(values)] == [5.5, 66.0]
    assert [mean(5.5), total(1)] == [5.5, 67.0]
    mean.reset_state()
    assert mean(values, [1.0, 0.0, 3.0]) == pytest.approx((1.5 + 3 * 9.5) / 4)
    mean.reset_state()
    assert mean(values, np.eye(3, 4)) == pytest.approx((0 + 5 + 10) / 3)
    assert [mean.name, total.name, metrics.Mean("loss").name] == ["mean", "sum", "loss"]
    with pytest.raises(ValueError, match=r"\[mean\] sample_weight \(2,\) does not fit values \(3,\)"):
        mean.update_state(values, [1.0, 2.0])
    model = nncore.Sequential([layers.Input((2,)), layers.Dense(1)])
    with pytest.raises(TypeError, match=r"\[mean\] Mean takes values"):
        model.compile("sgd", "mse", metrics=[mean])


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 3, 4)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    values = initializers.Orthogonal(gain=2.0, seed=1)(shape)
    assert values.dtype == np.float32
    w = values.reshape(-1, shape[-1]).astype(float) / 2
    product = w.T @ w if len(w) >= shape[-1] else w @ w.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)
    np.testing.assert_array_equal(values, initializers.Orthogonal(2.0, 1)(shape))
    with pytest.raises(ValueError, match="at least two axes"):
        initializers.Orthogonal()((3,))


def test_identity() -> None:
    np.testing.assert_array_equal(initializers.Identity(3)((2, 3)), [[3, 0, 0], [0, 3, 0]])
    with pytest.raises(ValueError, match="two axes"):
        initializers.get("identity")((3,))  # type: ignore[misc]


def test_a_reduction_that_leaves_an_array_is_no_goal() -> None:
    loss = losses.MeanSquaredError(None)
    found: Any = loss([[0.0, 0.0], [1.0, 1.0]], [[1.0, 3.0], [1.0, 1.0]], [2.0, 1.0])
    np.testing.assert_array_equal(found, np.float32([10.0, 0.0]))
    model = nncore.Sequential([layers.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="reduction must not be None"):
        model.compile("sgd", loss)
    with pytest.raises(ValueError, match="reduction must be one of"):
        losses.MeanSquaredError("median")
