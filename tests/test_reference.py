"""The written specification against finite differences, plain loops and known values."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest
from op_cases import row_outputs, row_targets
from optimizer_cases import OPTIMIZERS, initial_moments, reference_step

from nncore import reference
from nncore.common.operations import ACTIVATIONS, LAYERS
from nncore.common.rows import LOSSES

pytestmark = pytest.mark.once

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def probabilities(*shape: int) -> np.ndarray:
    return RNG.uniform(0.05, 0.95, size=shape)


def steps(gates: int, *biases: int) -> list[np.ndarray]:
    """x, kernel, recurrent_kernel and bias of a recurrent layer with two units."""
    return [normal(2, 3, 4), normal(4, 2 * gates), normal(2, 2 * gates), normal(*biases, 2 * gates)]


IMAGE = normal(2, 5, 6, 4)
ROWS = normal(3, 5)

# name, arguments that have gradients, other arguments; losses have (target,) between dy and output
FUNCTIONS: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("dense", [normal(3, 4), normal(4, 2)], {}),
    ("dense", [normal(2, 3, 4), normal(4, 2)], {}),
    ("conv2d", [IMAGE, normal(3, 2, 4, 3)], {}),
    ("conv2d", [IMAGE, normal(3, 3, 4, 3)], {"padding": "same"}),
    ("conv2d", [IMAGE, normal(2, 3, 4, 3)], {"strides": (2, 3), "padding": "same"}),
    ("conv2d", [IMAGE, normal(2, 2, 4, 3)], {"strides": 2}),
    ("conv2d", [IMAGE, normal(2, 3, 4, 3)], {"dilation_rate": (3, 2)}),
    ("conv2d", [IMAGE, normal(3, 3, 4, 3)], {"dilation_rate": 2, "padding": "same"}),
    ("conv2d", [IMAGE, normal(2, 2, 2, 6)], {"groups": 2}),
    ("conv2d", [IMAGE, normal(3, 3, 1, 4)], {"groups": 4, "padding": "same", "strides": 2}),
    ("normalize_batch", [ROWS, normal(5)], {}),
    ("normalize_batch", [IMAGE, normal(5)], {"axis": 1, "epsilon": 0.1}),
    ("layer_normalization", [ROWS, normal(5)], {}),
    ("layer_normalization", [IMAGE, normal(4)], {"epsilon": 0.1}),
    ("layer_normalization", [IMAGE, normal(6, 4)], {"axis": [3, 2]}),
    ("layer_normalization", [IMAGE, normal(5, 6, 4)], {"axis": (1, 2, 3), "epsilon": 0.1}),
    ("max_pool2d", [IMAGE], {}),
    ("max_pool2d", [IMAGE], {"pool_size": (3, 2), "strides": 1}),
    ("max_pool2d", [IMAGE], {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("average_pool2d", [IMAGE], {}),
    ("average_pool2d", [IMAGE], {"pool_size": (2, 3), "strides": (1, 2)}),
    ("average_pool2d", [IMAGE], {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("global_average_pool2d", [IMAGE], {}),
    ("global_average_pool2d", [IMAGE], {"keepdims": True}),
    ("global_max_pool2d", [IMAGE], {}),
    ("global_max_pool2d", [IMAGE], {"keepdims": True}),
    ("lstm", steps(4), {}),
    ("lstm", steps(4), {"return_sequences": True, "go_backwards": True, "recurrent_activation": "gelu"}),
    ("gru", steps(3, 2), {"return_sequences": True, "activation": "silu"}),
    ("gru", steps(3, 2), {"go_backwards": True}),
    ("gru", steps(3), {"return_sequences": True, "reset_after": False}),
    ("simple_rnn", steps(1), {"go_backwards": True}),
    ("simple_rnn", steps(1), {"return_sequences": True, "activation": "softplus"}),
    *((name, [ROWS], LAYERS[name].variants[0]) for name in ("rescale", "dropout")),
    *((name, [ROWS], v) for o in ACTIVATIONS.values() for name in o.names for v in ({}, *o.variants)),
    *((name, [normal(2, 3, 4)], {}) for name in ACTIVATIONS),
]
OF_LOSSES: list[tuple[str, np.ndarray, np.ndarray, dict[str, Any]]] = [
    *(
        (
            name,
            row_targets(RNG, o.inputs, shape).astype(float),
            row_outputs(RNG, o.inputs, shape, v.get("from_logits", False)).astype(float),
            v,
        )
        for name, o in LOSSES.items()
        for shape in ((3, 4), (2, 3, 4))
        for v in ({}, *o.variants)
    ),
    ("categorical_crossentropy", probabilities(3, 4), probabilities(3, 4), {"label_smoothing": 0.2}),
    ("categorical_crossentropy", probabilities(3, 4), normal(3, 4), {"from_logits": True}),
    ("sparse_categorical_crossentropy", np.array([[2], [0], [3]]), normal(3, 4), {"from_logits": True}),
]


def differences(f: Any, x: np.ndarray, dy: np.ndarray, h: float = 1e-6) -> np.ndarray:
    """Gradient of sum(dy * f(x)) by x, from central differences."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[index] += h
        low[index] -= h
        gradient[index] = np.sum(dy * (f(high) - f(low))) / (2 * h)
    return gradient


@pytest.mark.parametrize(("name", "arrays", "arguments"), FUNCTIONS)
def test_backward_is_the_derivative(name: str, arrays: list[np.ndarray], arguments: dict[str, Any]) -> None:
    forward, backward = getattr(reference, name), getattr(reference, name + "_backward")
    dy = np.random.default_rng(1).normal(size=forward(*arrays, **arguments).shape)
    gradients = backward(dy, *arrays, **arguments)
    for k in range(len(arrays)):
        numeric = differences(
            lambda a, k=k: forward(*arrays[:k], a, *arrays[k + 1 :], **arguments), arrays[k], dy
        )
        analytic = gradients[k] if len(arrays) > 1 else gradients
        np.testing.assert_allclose(analytic, numeric, rtol=1e-7, atol=1e-7)
    if 1 < len(arrays) < len(gradients):
        bias = normal(*gradients[2].shape)
        numeric = differences(lambda b: forward(*arrays, b, **arguments), bias, dy)
        np.testing.assert_allclose(gradients[2], numeric, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("name", "target", "output", "arguments"), OF_LOSSES)
def test_loss_backward_is_the_derivative(
    name: str, target: np.ndarray, output: np.ndarray, arguments: dict[str, Any]
) -> None:
    forward, backward = getattr(reference, name), getattr(reference, name + "_backward")
    dy = np.random.default_rng(1).normal(size=output.shape[:-1])
    numeric = differences(lambda a: forward(target, a, **arguments), output, dy)
    np.testing.assert_allclose(backward(dy, target, output, **arguments), numeric, rtol=1e-6, atol=1e-7)


def test_every_backward_is_checked() -> None:
    checked = {row[0] + "_backward" for row in [*FUNCTIONS, *OF_LOSSES]}
    assert checked == {name for name in reference.__all__ if name.endswith("_backward")}


def padding_before(size: int, window: int, stride: int) -> int:
    """As TensorFlow documents it for "same"."""
    left_over = size % stride or stride
    return max(window - left_over, 0) // 2


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation"), [((3, 2), 1, 1), ((2, 3), 2, 1), ((2, 2), 1, 2)]
)
def test_conv2d_equals_plain_loops(
    kernel_size: tuple[int, int], stride: int, dilation: int, padding: str
) -> None:
    x, (kh, kw) = normal(1, 6, 7, 2), kernel_size
    kernel = normal(kh, kw, 2, 3)
    y = reference.conv2d(x, kernel, None, stride, padding, dilation)
    before = [
        padding_before(size, (k - 1) * dilation + 1, stride) if padding == "same" else 0
        for size, k in zip(x.shape[1:3], kernel_size)
    ]
    for oy, ox, f in np.ndindex(*y.shape[1:]):
        total = 0.0
        for i, j, c in np.ndindex(kh, kw, 2):
            row, column = oy * stride + i * dilation - before[0], ox * stride + j * dilation - before[1]
            if 0 <= row < 6 and 0 <= column < 7:
                total += x[0, row, column, c] * kernel[i, j, c, f]
        assert y[0, oy, ox, f] == pytest.approx(total)
    if padding == "same":
        assert y.shape[1:3] == (-(-6 // stride), -(-7 // stride))
    else:
        extents = [(k - 1) * dilation + 1 for k in kernel_size]
        assert y.shape[1:3] == ((6 - extents[0]) // stride + 1, (7 - extents[1]) // stride + 1)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("pool", "stride"), [(2, 2), (3, 1), (3, 2), (2, 3)])
def test_pooling_equals_plain_loops(pool: int, stride: int, padding: str) -> None:
    x = normal(1, 7, 8, 2) - 5.0  # below zero, so that counting the padding as zeros would show
    y_max = reference.max_pool2d(x, pool, stride, padding)
    y_mean = reference.average_pool2d(x, pool, stride, padding)
    before = [padding_before(size, pool, stride) if padding == "same" else 0 for size in (7, 8)]
    for oy, ox in np.ndindex(*y_max.shape[1:3]):
        top, left = oy * stride - before[0], ox * stride - before[1]
        window = x[0, max(top, 0) : top + pool, max(left, 0) : left + pool]
        np.testing.assert_allclose(y_max[0, oy, ox], window.max(axis=(0, 1)))
        np.testing.assert_allclose(y_mean[0, oy, ox], window.mean(axis=(0, 1)))


def test_max_pool2d_backward_gives_all_to_the_first_maximum() -> None:
    x = np.zeros((1, 2, 4, 1))
    x[0, :, 2:, 0] = [[1.0, np.nan], [np.nan, 2.0]]
    dx = reference.max_pool2d_backward(np.array([[[[3.0], [5.0]]]]), x)
    assert dx[0, :, :, 0].tolist() == [[3.0, 0.0, 0.0, 5.0], [0.0, 0.0, 0.0, 0.0]]


def test_max_pool2d_never_selects_padding() -> None:
    x = np.full((1, 3, 3, 1), -np.inf)
    dx = reference.max_pool2d_backward(np.ones((1, 2, 2, 1)), x, padding="same")
    assert dx.sum() == 4


@pytest.mark.parametrize("padding", ["full", "SAME", 1])
def test_unknown_padding(padding: Any) -> None:
    with pytest.raises(ValueError, match="padding"):
        reference.conv2d(IMAGE, normal(2, 2, 4, 1), padding=padding)


@pytest.mark.parametrize("call", [reference.max_pool2d, reference.average_pool2d])
def test_window_larger_than_the_image(call: Any) -> None:
    with pytest.raises(ValueError, match="at least 7"):
        call(IMAGE, 7)


# Values of Keras 3.15 over TensorFlow, in float32.
@pytest.mark.parametrize(
    ("name", "target", "output", "arguments", "value"),
    [
        ("binary_crossentropy", [[0, 1, 1, 0]], [[0.0, 1.0, 0.0, 1.0]], {}, 8.01512),
        ("binary_crossentropy", [[1, 0]], [[0.7, 0.6]], {"label_smoothing": 0.1}, 0.6475287),
        ("binary_crossentropy", [[1]], [[1000.0]], {"from_logits": True}, 0.0),
        ("categorical_crossentropy", [[0, 1, 0]], [[1.0, 0.0, 0.0]], {}, 16.118095),
        ("categorical_crossentropy", [[0, 1, 0]], [[2.0, 2.0, 4.0]], {}, 1.3862944),
        ("categorical_crossentropy", [[0, 1, 0]], [[0.5, 0.1, 0.2]], {"label_smoothing": 0.1}, 2.002689),
        ("categorical_crossentropy", [[1, 0]], [[0.0, 1000.0]], {"from_logits": True}, 1000.0),
        ("sparse_categorical_crossentropy", [1], [[2.0, 2.0, 4.0]], {}, 1.0986123),
        ("sparse_categorical_crossentropy", [1], [[0.5, 0.1, 0.2]], {}, 2.0794415),
        ("sparse_categorical_crossentropy", [1], [[1.0, 0.0, 0.0]], {}, 16.118095),
    ],
)
def test_losses_of_keras(
    name: str, target: Any, output: Any, arguments: dict[str, Any], value: float
) -> None:
    assert getattr(reference, name)(target, output, **arguments) == pytest.approx([value], rel=1e-6, abs=1e-6)


def test_clipped_probabilities_have_no_gradient() -> None:
    output = np.array([[0.0, 1.0, 0.5]])
    for name, target in [("binary_crossentropy", np.ones((1, 3))), ("sparse_categorical_crossentropy", [0])]:
        gradient = getattr(reference, name + "_backward")(np.ones(1), target, output)
        assert gradient[0, :2].tolist() == [0.0, 0.0]
        assert gradient[0, 2] != 0.0


def test_dropout_mask_has_its_rate_and_its_own_stream() -> None:
    mask = reference.dropout_mask((1000, 100), 0.3, seed=5, step=2, layer=1)
    assert mask.mean() == pytest.approx(0.7, abs=0.01)
    for other in [{"seed": 6}, {"step": 3}, {"layer": 2}]:
        numbers = {"seed": 5, "step": 2, "layer": 1, **other}
        differs = mask != reference.dropout_mask((1000, 100), 0.3, **numbers)
        assert differs.mean() == pytest.approx(2 * 0.7 * 0.3, abs=0.01)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_find_a_minimum(name: str) -> None:
    def left(rate: float) -> float:
        optimizer = OPTIMIZERS[name]()
        w = np.array([1.0, -2.0])
        moments = initial_moments(optimizer, w)
        for step in range(1, 1500):
            optimizer.learning_rate = rate * (1 - step / 1500)
            w, moments = reference_step(optimizer, w, 2 * w * np.array([1.0, 3.0]), moments, step)
        return float(np.abs(w).max())

    assert any(left(rate) < 1e-3 for rate in (0.02, 1.0, 20.0))


def test_the_first_example_runs() -> None:
    assert doctest.testmod(reference).failed == 0
