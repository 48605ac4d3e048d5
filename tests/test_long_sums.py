"""Sums over many samples or positions keep the accuracy of float32, and short ones their bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers, ops, reference
from nncore.models.model import net_of

LIMIT = 1e-6  # of the error, relative to the sum of absolute values


def mixed(rng: np.random.Generator, *shape: int, sign: bool = True) -> np.ndarray:
    """Values of several orders of magnitude."""
    values = rng.normal(size=shape).astype(np.float32)
    values *= np.float32(10.0) ** rng.integers(-3, 4, shape, dtype=np.int8)
    return values if sign else np.abs(values)


def assert_sums(actual: Any, terms: Callable[[Any], Any]) -> None:
    """terms(f): sums in float64 of f applied to the factors of each term."""
    exact, size = terms(lambda a: a.astype(np.float64)), terms(lambda a: np.abs(a.astype(np.float64)))
    assert np.max(np.abs(np.asarray(actual, np.float64) - exact) / size) < LIMIT


@pytest.mark.full
@pytest.mark.parametrize("rows", [5_000, 100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("sign", [True, False])
def test_gradients_of_dense(rng: np.random.Generator, rows: int, sign: bool) -> None:
    dy, x = mixed(rng, rows, 1, sign=sign), mixed(rng, rows, 2, sign=sign)
    _, dw, db = ops.dense_backward(dy, x, np.ones((2, 1)))
    assert_sums(dw, lambda f: f(x).T @ f(dy))
    assert_sums(db, lambda f: f(dy).sum(axis=0))


@pytest.mark.parametrize(("inputs", "units"), [(70, 3), (3, 40)])
def test_gradients_of_dense_of_other_shapes(rng: np.random.Generator, inputs: int, units: int) -> None:
    dy, x = mixed(rng, 50_000, units), mixed(rng, 50_000, inputs)
    _, dw, db = ops.dense_backward(dy, x, np.ones((inputs, units)))
    assert_sums(dw, lambda f: f(x).T @ f(dy))
    assert_sums(db, lambda f: f(dy).sum(axis=0))


@pytest.mark.full
@pytest.mark.parametrize(
    ("images", "height", "width", "channels", "filters", "groups"),
    [
        (3000, 6, 7, 1, 2, 1),  # many images
        (2, 1000, 300, 2, 3, 1),  # many rows
        (1, 3, 1_000_000, 1, 1, 1),  # long rows
        (40, 70, 90, 3, 3, 3),  # depthwise
        (1, 700, 800, 4, 4, 4),
        (1, 40, 3000, 4, 6, 2),  # groups
    ],
)
def test_gradients_of_conv2d(
    rng: np.random.Generator, images: int, height: int, width: int, channels: int, filters: int, groups: int
) -> None:
    x = mixed(rng, images, height, width, channels)
    dy = mixed(rng, images, height - 2, width - 1, filters)
    w = np.ones((3, 2, channels // groups, filters))
    _, dw, db = ops.conv2d_backward(dy, x, w, groups=groups)
    assert_sums(db, lambda f: f(dy).sum(axis=(0, 1, 2)))
    inputs, outputs = channels // groups, filters // groups
    for g in range(groups):
        x_g, dy_g = x[..., g * inputs : (g + 1) * inputs], dy[..., g * outputs : (g + 1) * outputs]
        for i, j in np.ndindex(3, 2):
            window = x_g[:, i : i + height - 2, j : j + width - 1].reshape(-1, inputs)
            gradient = dy_g.reshape(-1, outputs)
            assert_sums(
                dw[i, j, :, g * outputs : (g + 1) * outputs],
                lambda f, a=window, b=gradient: f(a).T @ f(b),
            )


def test_gradients_of_conv2d_by_winograd(rng: np.random.Generator) -> None:
    # A sum over 5,600 tiles of transformed values.
    x = rng.normal(size=(1, 700, 34, 32)).astype(np.float32)
    dy = rng.normal(size=(1, 698, 32, 32)).astype(np.float32)
    _, dw, db = ops.conv2d_backward(dy, x, np.ones((3, 3, 32, 32)))
    assert_sums(db, lambda f: f(dy).sum(axis=(0, 1, 2)))
    flat = dy.reshape(-1, 32)
    for i, j in ((0, 0), (1, 2)):
        window = x[:, i : i + 698, j : j + 32].reshape(-1, 32)
        assert_sums(dw[i, j], lambda f, a=window: f(a).T @ f(flat))


def gradients_of(model: nncore.Sequential, x: Any, y: Any) -> list[np.ndarray]:
    """Gradients, from a step of SGD with learning rate 1."""
    model.compile(nncore.optimizers.SGD(1.0), "mse")
    before = model.get_weights()
    model.train_on_batch(x, y)
    return [old.astype(np.float64) - new for old, new in zip(before, model.get_weights())]


@pytest.mark.parametrize(
    ("shape", "channels", "kernel", "pool"),
    [
        ((20_000, 4, 4), 1, 1, 2),  # windows of one channel, many images
        ((1, 600, 500), 1, 1, 2),  # and many windows
        ((20_000, 3, 3), 2, 1, 3),  # the general form
        ((1, 900, 600), 2, 1, 3),
    ],
)
def test_gradients_of_a_pooled_convolution(
    rng: np.random.Generator, shape: tuple[int, int, int], channels: int, kernel: int, pool: int
) -> None:
    model = nncore.Sequential(
        [
            nncore.Input((*shape[1:], channels)),
            layers.Conv2D(2, kernel),
            layers.MaxPooling2D(pool),
        ]
    )
    assert net_of(model).required_network().steps() == ["conv2d+max_pooling2d"]
    # All weights are 0, so the first position of each window is its maximum.
    model.set_weights([np.zeros((kernel, kernel, channels, 2)), np.zeros(2)])
    x = mixed(rng, *shape, channels, sign=False)
    y = mixed(rng, *shape[:1], *model.output_shape[1:], sign=False)  # type: ignore[arg-type]
    dw, db = gradients_of(model, x, y)
    dy = (y * np.float32(-2 / y.size)).reshape(-1, 2)
    windows = x[:, ::pool, ::pool].reshape(-1, channels)
    assert_sums(dw[0, 0], lambda f: f(windows).T @ f(dy))
    assert_sums(db, lambda f: f(dy).sum(axis=0))


@pytest.mark.parametrize("rows", [1_000_000, 4_000_000])
def test_a_large_batch_of_ones(rows: int) -> None:
    model = nncore.Sequential([nncore.Input((1,)), layers.Dense(1)])
    model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    ones = np.broadcast_to(np.float32(1), (rows, 1))
    kernel, bias = gradients_of(model, ones, ones)
    # Of equal terms, all roundings of a run may go the same way.
    np.testing.assert_allclose(kernel, -2.0, rtol=5e-6)
    np.testing.assert_allclose(bias, -2.0, rtol=LIMIT)


@pytest.mark.parametrize("channels", [1, 5])
def test_means_of_large_windows(rng: np.random.Generator, channels: int) -> None:
    x = mixed(rng, 1, 3000, 400, channels)
    mean = ops.average_pool2d(x, (3000, 400))
    assert_sums(mean[0, 0, 0] * x[..., 0].size, lambda f: f(x).sum(axis=(0, 1, 2)))
    model = nncore.Sequential([nncore.Input((1, 3_000_000, 1)), layers.GlobalAveragePooling2D()])
    np.testing.assert_allclose(
        model.predict(np.broadcast_to(np.float32(0.1), (1, 1, 3_000_000, 1))), 0.1, rtol=5e-6
    )


@pytest.mark.parametrize(("rows", "columns"), [(3, 1_000_000), (300_000, 3)])
def test_normalization_of_long_rows_and_of_many(rng: np.random.Generator, rows: int, columns: int) -> None:
    x, dy = (rng.normal(size=(rows, columns)).astype(np.float32) for _ in range(2))
    x += np.float32(3)
    gamma = rng.normal(size=columns).astype(np.float32)
    settings = {"axis": -1, "epsilon": 0.5}
    actual = (
        ops.layer_normalization(x, gamma, **settings),
        *ops.layer_normalization_backward(dy, x, gamma, **settings),
    )
    expected = (
        reference.layer_normalization(x, gamma, **settings),
        *reference.layer_normalization_backward(dy, x, gamma, **settings),
    )
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, rtol=LIMIT, atol=LIMIT * np.abs(b).max())


@pytest.mark.parametrize("offset", [0.1, 1e4, -3e6])
def test_normalization_of_values_far_from_0(rng: np.random.Generator, offset: float) -> None:
    """The remainder from rounding the mean is not lost."""
    x = (rng.normal(size=(7, 5000)) + offset).astype(np.float32)
    np.testing.assert_allclose(
        ops.layer_normalization(x), reference.layer_normalization(x), rtol=0, atol=4e-6
    )
    equal = np.full((3, 5000), offset)
    assert np.abs(ops.layer_normalization(equal, epsilon=1e-12)).max() == 0.0


def test_loss_and_metrics_of_many_rows(rng: np.random.Generator) -> None:
    rows = 2_000_000
    model = nncore.Sequential([nncore.Input((1,)), layers.Flatten()])
    model.compile("sgd", "mse", metrics=["mae", "binary_accuracy"], weighted_metrics=["mse"])
    x, weight = mixed(rng, rows, 1), np.abs(mixed(rng, rows))
    loss, mae, accuracy, weighted = model.evaluate(
        x, np.zeros((rows, 1)), batch_size=rows, sample_weight=weight, verbose=0
    )
    squares = x[:, 0].astype(np.float64) ** 2
    assert loss == pytest.approx(np.mean(squares * weight), rel=LIMIT)
    assert mae == pytest.approx(np.abs(x.astype(np.float64)).mean(), rel=LIMIT)
    assert accuracy == pytest.approx(np.mean(x <= 0.5), rel=LIMIT)
    assert weighted == pytest.approx(np.average(squares, weights=weight), rel=LIMIT)


def test_the_order_of_a_long_sum_depends_on_shapes_alone(rng: np.random.Generator, threads: None) -> None:
    x = rng.normal(size=(9_001, 6, 6, 3)).astype(np.float32)
    y = rng.normal(size=(9_001, 2)).astype(np.float32)
    results = []
    for count in (1, 2, 7):
        nncore.set_num_threads(count)
        nncore.utils.set_random_seed(3)
        model = nncore.Sequential(
            [
                nncore.Input((6, 6, 3)),
                layers.Conv2D(4, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(4, 2, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        results.append(gradients_of(model, x, y))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)
