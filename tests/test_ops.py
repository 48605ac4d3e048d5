"""Every kernel against its written specification: op x instruction set x awkward size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_cases import (
    ALL,
    CASES,
    OF_LOSSES,
    OF_METRICS,
    SIZES,
    backward,
    case_at,
    forward,
    grid,
    normal,
    over_rows,
)
from optimizer_cases import OPTIMIZERS, SETTINGS, arguments_of, initial_moments, reference_step, update_of
from reference_model import assert_close

from nncore import _core, ops, reference
from nncore.common.operations import ACTIVATIONS
from nncore.common.rows import row_spec


def as_single(value: Any) -> Any:
    return float(np.float32(value)) if isinstance(value, float) else value


@pytest.mark.parametrize("n", grid(SIZES))
@pytest.mark.parametrize("name", ALL)
def test_forward(isa: str, name: str, n: int) -> None:
    case = case_at(name, n)
    y = forward(ops, case)
    assert y.dtype == np.float32
    assert_close(y, forward(reference, case), case.length)


@pytest.mark.parametrize("n", grid(SIZES))
@pytest.mark.parametrize("name", [*CASES, *OF_LOSSES])
def test_backward(isa: str, name: str, n: int) -> None:
    case = case_at(name, n)
    expected = backward(reference, case)
    actual = backward(ops, case)
    assert len(actual) == len(expected)
    for k, (a, b) in enumerate(zip(actual, expected)):
        assert a.dtype == np.float32
        # slopes are sums of numbers of size 1, such as 1 - y^2, times dy, which goes to 3
        assert_close(a, b, case.length, scale=3.0 if name in CASES else 0.0, name=f"gradient {k}")


@pytest.mark.parametrize("n", grid(SIZES))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates(isa: str, rng: np.random.Generator, name: str, n: int) -> None:
    """Steps by the core, by the function of nncore.ops, and by the reference."""
    # The core keeps the learning rate in float32, and 1 - beta too: the difference would show.
    given = {key: as_single(value) for key, value in SETTINGS[name][1].items()}
    optimizer = OPTIMIZERS[name](**{"learning_rate": 0.125, **given})
    kind, numbers = optimizer.spec()
    w = normal(rng, n)
    moments = initial_moments(optimizer, w)
    for step in (1, 2, 3, 1000):
        g = normal(rng, n)
        expected, expected_moments = reference_step(optimizer, w, g, moments, step)
        actual, *after = _core.update((kind, numbers), step, g, [w, *moments.values()])
        assert_close(actual, expected)
        np.testing.assert_allclose(actual - w, expected - w, rtol=1e-4, atol=1e-6)
        for key, moment in zip(moments, after, strict=True):
            assert_close(moment, expected_moments[key], name=key)
        if optimizer.weight_decay is None:
            update = update_of(optimizer)
            by_ops = update.public(w, g, **arguments_of(optimizer, moments, step))
            assert by_ops[0].tobytes() == actual.tobytes()
            for key, moment in zip(update.moments.values(), by_ops[1:], strict=True):
                assert (moment is None) == (key not in moments)
                assert moment is None or moment.tobytes() == after[[*moments].index(key)].tobytes()
        w, moments = actual, dict(zip(moments, after))


@pytest.mark.parametrize("n", grid(SIZES))
@pytest.mark.parametrize("name", OF_LOSSES)
def test_losses_as_metrics(isa: str, name: str, n: int) -> None:
    case = case_at(name, n)
    spec = row_spec(name, getattr(ops, case.op), **case.arguments)
    target, output = (np.asarray(a, np.float32) for a in case.arrays)
    np.testing.assert_array_equal(_core.metric(spec, target, output), forward(ops, case))


FMA = [name for name in _core.available_isas() if name != "baseline"]


@pytest.mark.full
@pytest.mark.skipif(len(FMA) < 2, reason="needs two instruction sets with fused multiply-add")
@pytest.mark.parametrize("name", ALL)
def test_instruction_sets_agree_to_the_bit(name: str) -> None:
    before = _core.isa()
    try:
        for n in SIZES:
            case, results = case_at(name, n), []
            for isa in FMA:
                _core.select_isa(isa)
                arrays = [forward(ops, case), *([] if name in OF_METRICS else backward(ops, case))]
                results.append([a.tobytes() for a in arrays])
            assert all(r == results[0] for r in results), f"{FMA} differ at size {n}"
    finally:
        _core.select_isa(before)


# ---- values at the edges

EXTREMES = np.array(
    [sign * v for v in (0.0, 1e-42, 1e-20, 1, 20, 88, 90, 104, 200, 1e30, 3e38, np.inf) for sign in (1, -1)],
    dtype=np.float32,
)
ELEMENTWISE = [name for name in ACTIVATIONS if not over_rows(name)]


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_activations_of_extreme_values(isa: str, op: str) -> None:
    x = np.append(EXTREMES, np.float32(np.nan))
    with np.errstate(all="ignore"):
        y = getattr(reference, op)(x).astype(np.float32)
    known = ~np.isnan(y) | np.isnan(x)  # of -inf * 0 the reference makes NaN
    np.testing.assert_allclose(getattr(ops, op)(x)[known], y[known], rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_slopes_of_activations_at_extreme_values(isa: str, op: str) -> None:
    x = EXTREMES
    with np.errstate(all="ignore"):
        slope = getattr(reference, op + "_backward")(np.ones_like(x), x).astype(np.float32)
    known = ~np.isnan(slope)
    actual = getattr(ops, op + "_backward")(np.ones_like(x), x)
    np.testing.assert_allclose(actual[known], slope[known], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_activations_are_accurate_everywhere(isa: str, op: str) -> None:
    """Errors are relative to the value itself; in `assert_close` to the largest value."""
    x = np.concatenate([np.linspace(-12, 12, 4801), 10.0 ** np.linspace(-30, 0, 200)]).astype(np.float32)
    expected = getattr(reference, op)(x)
    np.testing.assert_allclose(getattr(ops, op)(x), expected, rtol=ACTIVATIONS[op].tolerance, atol=1e-12)


def test_softmax_of_extreme_rows(isa: str) -> None:
    rows = np.array([[1e4, -1e4, 0], [-1e38, -1e38, -1e38], [3e38, 0, -3e38], [0, -np.inf, 0]], np.float32)
    expected = [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0.5, 0, 0.5]]
    np.testing.assert_allclose(ops.softmax(rows), expected, rtol=1e-6)
    assert np.isnan(ops.softmax([0.0, np.nan])).all()


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("op", ["binary_crossentropy", "categorical_crossentropy"])
def test_crossentropy_of_certain_outputs(isa: str, op: str, from_logits: bool) -> None:
    """Probabilities of exactly 0 and 1, and logits far away: finite, as Keras has it."""
    output = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    output = output * 2000 - 1000 if from_logits else output
    for target in ([[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 0, 0]]):
        value = getattr(ops, op)(target, output, from_logits)
        assert_close(value, getattr(reference, op)(target, output, from_logits))
        gradient = getattr(ops, op + "_backward")([1, 1], target, output, from_logits)
        assert_close(gradient, getattr(reference, op + "_backward")([1, 1], target, output, from_logits))


def test_small_losses_keep_their_digits(isa: str) -> None:
    logits = np.array([[6.0], [12.0], [16.0]], np.float32)
    value = ops.binary_crossentropy(np.ones((3, 1)), logits, from_logits=True)
    np.testing.assert_allclose(value, np.log1p(np.exp(-logits[:, 0].astype(float))), rtol=1e-5)


def test_max_pool2d_of_nan_and_ties(isa: str) -> None:
    x = np.zeros((1, 4, 4, 20), np.float32)
    x[0, 1, 0], x[0, 0, 3], x[0, 3, 3], x[0, 2:, :2] = np.nan, np.inf, np.nan, -np.inf
    for arguments in [{}, {"pool_size": 3, "strides": 1, "padding": "same"}]:
        np.testing.assert_array_equal(ops.max_pool2d(x, **arguments), reference.max_pool2d(x, **arguments))
        dy = np.ones_like(ops.max_pool2d(x, **arguments))
        expected = reference.max_pool2d_backward(dy, x, **arguments)
        np.testing.assert_array_equal(ops.max_pool2d_backward(dy, x, **arguments), expected)


@pytest.mark.parametrize("columns", [1, 7, 16, 63, 64, 65, 130, 257])
@pytest.mark.parametrize("largest", [2.0, np.inf, np.nan])
def test_accuracies_take_the_first_largest_output(
    isa: str, rng: np.random.Generator, columns: int, largest: float
) -> None:
    y = normal(rng, columns, columns).clip(-1, 1)
    at = np.arange(columns)
    y[at, at] = largest
    y[at, -1] = largest  # a tie, which the first of the two wins
    for shift in (0, 1):
        target = (at + shift) % columns
        expected = target == at
        np.testing.assert_array_equal(ops.sparse_categorical_accuracy(target, y), expected)
        np.testing.assert_array_equal(ops.categorical_accuracy(np.eye(columns)[target], y), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_products_carry_what_is_not_a_number(isa: str, bad: float) -> None:
    x, kernel = np.ones((2, 5, 6, 3), np.float32), np.ones((2, 2, 3, 4), np.float32)
    x[1, 2, 3, 1] = bad
    with np.errstate(invalid="ignore"):  # some BLAS warn of infinities that they multiply by padding
        expected_conv2d, expected_dense = reference.conv2d(x, kernel), reference.dense(x, kernel[0, 0])
    np.testing.assert_array_equal(ops.conv2d(x, kernel), expected_conv2d)
    np.testing.assert_array_equal(ops.dense(x, kernel[0, 0]), expected_dense)


@pytest.mark.full
@pytest.mark.parametrize("bad", [None, np.nan, np.inf])
@pytest.mark.parametrize("rows", [50, 130])
def test_dense_of_inputs_that_are_zero_in_many_samples(
    isa: str, rng: np.random.Generator, rows: int, bad: float | None
) -> None:
    """Elements that are zero in neighbouring samples are left out, but not where zero times them is NaN."""
    x, kernel, dy = normal(rng, rows, 300), normal(rng, 300, 192), normal(rng, rows, 192)
    x[:, 10:200] = 0
    x[rows // 2 :, 250:] = 0
    if bad is not None:
        kernel[100, 70] = dy[7, 9] = bad
    arguments = ([x, kernel], [dy, x, kernel])
    with np.errstate(invalid="ignore"):
        expected = [reference.dense(*arguments[0]), *reference.dense_backward(*arguments[1])]
    actual = [ops.dense(*arguments[0]), *ops.dense_backward(*arguments[1])]
    for a, b in zip(actual, expected):
        assert_close(a, b, 300)


@pytest.mark.parametrize("columns", [256, 600])
@pytest.mark.parametrize("rows", [1, 5, 70])
def test_dense_of_few_rows_is_shared_by_columns(
    isa: str, rng: np.random.Generator, rows: int, columns: int
) -> None:
    x, kernel, bias = normal(rng, rows, 300), normal(rng, 300, columns), normal(rng, columns)
    assert_close(ops.dense(x, kernel, bias), reference.dense(x, kernel, bias), 300)


@pytest.mark.parametrize(("seed", "rate"), [(0, 0.5), (1, 0.0), (2**64 - 1, 0.1), (2**40, 0.9)])
def test_dropout_is_the_documented_mask(isa: str, seed: int, rate: float) -> None:
    x = np.ones((7, 11, 13))
    np.testing.assert_allclose(ops.dropout(x, rate, seed), reference.dropout(x, rate, seed), rtol=1e-6)
    assert ops.dropout(x, rate, seed).tobytes() == ops.dropout(x.reshape(-1), rate, seed).tobytes()
