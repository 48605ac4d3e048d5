"""Arguments that ops accept and refuse, and equal signatures of ops and reference."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_cases import ALL, CASES, OF_METRICS, Array, backward, case_at, forward, normal
from reference_model import assert_close

from nncore import ops, reference
from nncore.common.operations import ACTIVATIONS
from nncore.common.rows import LOSSES
from nncore.ops.updates import UPDATES

# ---- arguments

CONVERTED: dict[str, Callable[[Array], Any]] = {
    "list": lambda a: a.tolist(),
    "float64": lambda a: a.astype(np.float64),
    "float16": lambda a: a.astype(np.float16),
    "int64": lambda a: a.astype(np.int64),
    "uint8": lambda a: a.astype(np.uint8),
    "big-endian": lambda a: a.astype(">f4"),
    "Fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
}


@pytest.mark.parametrize("kind", CONVERTED)
def test_any_real_array_is_accepted(rng: np.random.Generator, kind: str) -> None:
    x = rng.integers(0, 9, size=(2, 5, 5, 3)).astype(np.float32)
    kernel = rng.integers(0, 9, size=(2, 2, 3, 4)).astype(np.float32)
    convert = CONVERTED[kind]
    y = ops.conv2d(x, kernel)
    np.testing.assert_array_equal(ops.conv2d(convert(x), convert(kernel)), y)
    for actual, expected in zip(
        ops.conv2d_backward(convert(y), convert(x), convert(kernel))
        if kind not in ("uint8", "float16")
        else (),
        ops.conv2d_backward(y, x, kernel),
    ):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("name", ALL)
def test_arguments_stay_as_they_are(name: str) -> None:
    case = case_at(name, 9)
    for a in case.arrays:
        a.flags.writeable = False
    before = [a.copy() for a in case.arrays]
    results = [forward(ops, case)]
    if name not in OF_METRICS:
        results += backward(ops, case)
    for a, b in zip(case.arrays, before):
        np.testing.assert_array_equal(a, b)
    for r in results:
        assert r.flags.writeable
        assert not any(np.shares_memory(r, a) for a in case.arrays)


@pytest.mark.parametrize("name", CASES)
def test_no_samples(name: str) -> None:
    case = case_at(name, 3)
    empty = case._replace(arrays=[case.arrays[0][:0], *case.arrays[1:]])
    assert forward(ops, empty).shape == (0, *forward(ops, case).shape[1:])
    for gradient, a in zip(backward(ops, empty), empty.arrays):
        assert gradient.shape == a.shape
        assert not gradient.any()


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4), (0,), (2, 0, 3)])
def test_elementwise_ops_keep_the_shape(shape: tuple[int, ...]) -> None:
    x = np.full(shape, -2.0)
    assert ops.relu(x).shape == shape
    assert ops.relu_backward(x, x).shape == shape


def test_rows_are_all_leading_axes(rng: np.random.Generator) -> None:
    x = normal(rng, 2, 3, 4)
    kernel = normal(rng, 4, 5)
    assert_close(ops.dense(x, kernel), reference.dense(x, kernel), 4)
    assert ops.dense(x[0, 0], kernel).shape == (5,)
    assert ops.mean_squared_error(x, x + 1).tolist() == np.ones((2, 3)).tolist()
    assert ops.mean_squared_error(x[0, 0], x[0, 0]).shape == ()
    target = rng.integers(0, 4, size=(2, 3))
    expected = reference.sparse_categorical_crossentropy(target, x, from_logits=True)
    for t in (target, target[..., None]):
        assert_close(ops.sparse_categorical_crossentropy(t, x, from_logits=True), expected, 4)


IMAGES = np.zeros((2, 4, 5, 3))
KERNEL = np.zeros((2, 2, 3, 4))
ROWS = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.dense(ROWS, np.zeros((4, 2))), ValueError, r"\[dense\] .*\(\.\.\., 4\), got \(2, 3\)"),
        (lambda: ops.dense(1.0, np.zeros((1, 2))), ValueError, r"\[dense\] .*got \(\)"),
        (lambda: ops.dense(ROWS, np.zeros(3)), ValueError, r"\[dense\] .*\(inputs, units\), got \(3,\)"),
        (lambda: ops.dense(ROWS, np.zeros((3, 2)), [1]), ValueError, r"bias of shape \(2,\), got \(1,\)"),
        (lambda: ops.dense(["a"], [[1]]), TypeError, r"\[dense\] expected x to hold real numbers"),
        (lambda: ops.dense([1j], [[1]]), TypeError, "complex128"),
        (lambda: ops.dense([None], [[1]]), TypeError, "object"),
        (lambda: ops.dense_backward(ROWS, ROWS, np.eye(3)[:, :2]), ValueError, r"dy of shape \(2, 2\)"),
        (lambda: ops.conv2d(ROWS, KERNEL), ValueError, r"\[conv2d\] .*height, width.*got \(2, 3\)"),
        (lambda: ops.conv2d(IMAGES, KERNEL[0]), ValueError, r"\[conv2d\] .*\(kh, kw"),
        (lambda: ops.conv2d(IMAGES[..., :2], KERNEL), ValueError, r"\[conv2d\] .*with 3 channels"),
        (lambda: ops.conv2d(IMAGES, np.zeros((5, 2, 3, 1))), ValueError, r"\[conv2d\] .*does not fit"),
        (lambda: ops.conv2d(IMAGES, KERNEL, padding="full"), ValueError, "'full'"),
        (lambda: ops.conv2d(IMAGES, KERNEL, strides=0), ValueError, "strides.*got 0"),
        (lambda: ops.conv2d(IMAGES, KERNEL, strides=(1, 2, 3)), ValueError, "strides"),
        (lambda: ops.conv2d(IMAGES, KERNEL, strides=1.5), TypeError, "strides.*got 1.5"),
        (lambda: ops.conv2d(IMAGES, KERNEL, dilation_rate=-1), ValueError, "dilation_rate"),
        (lambda: ops.conv2d(IMAGES, KERNEL, groups=3), ValueError, "groups"),
        (lambda: ops.conv2d(IMAGES, KERNEL, groups=2), ValueError, "2 groups"),
        (lambda: ops.conv2d_backward(IMAGES, IMAGES, KERNEL), ValueError, r"dy of shape \(2, 3, 4, 4\)"),
        (lambda: ops.max_pool2d(ROWS), ValueError, r"\[max_pool2d\]"),
        (lambda: ops.max_pool2d(IMAGES, 5), ValueError, "does not fit"),
        (lambda: ops.max_pool2d(IMAGES, 0), ValueError, "pool_size"),
        (lambda: ops.average_pool2d(IMAGES[:, :0]), ValueError, "empty"),
        (lambda: ops.global_max_pool2d_backward(ROWS, IMAGES, True), ValueError, r"\(2, 1, 1, 3\)"),
        (lambda: ops.relu_backward(ROWS, ROWS.T), ValueError, r"dy of shape \(3, 2\), got \(2, 3\)"),
        (lambda: ops.dropout(ROWS, 1.5, 0), ValueError, r"\[dropout\] .*rate.*got 1.5"),
        (lambda: ops.dropout(ROWS, 0.5, -1), ValueError, "seed"),
        (lambda: ops.mean_squared_error(ROWS, ROWS.T), ValueError, r"y_true of shape \(3, 2\)"),
        (lambda: ops.mean_squared_error(1.0, 1.0), ValueError, r"\(\.\.\., columns\)"),
        (lambda: ops.mean_squared_error_backward(ROWS, ROWS, ROWS), ValueError, r"dy of shape \(2,\)"),
        (lambda: ops.binary_crossentropy(ROWS, ROWS, label_smoothing=2), ValueError, "label_smoothing"),
        (lambda: ops.sparse_categorical_crossentropy([0, 3], ROWS), ValueError, "0 to 2, got 3"),
        (lambda: ops.sparse_categorical_crossentropy([0, -1], ROWS), ValueError, "got -1"),
        (lambda: ops.sparse_categorical_crossentropy([0, 0.5], ROWS), ValueError, "got 0.5"),
        (lambda: ops.sparse_categorical_crossentropy([0, np.nan], ROWS), ValueError, "got nan"),
        (lambda: ops.sparse_categorical_accuracy([0], ROWS), ValueError, r"y_true of shape \(2,\) or"),
        (lambda: ops.sgd([1], [1, 2]), ValueError, r"\[sgd\] expected g of shape \(1,\)"),
        (lambda: ops.sgd([1], [1], [1]), ValueError, "without momentum"),
        (lambda: ops.sgd([1], [1], momentum=1.5), ValueError, "momentum"),
        (lambda: ops.adam([1], [1], [0], [0], step=0), ValueError, r"\[adam\] .*step"),
        (lambda: ops.adam([1], [1], [0], [0], step=1, beta_1=1.0), ValueError, "beta_1"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# ---- twins

FUNCTIONS = sorted(ops.__all__)


def test_reference_has_the_same_names() -> None:
    assert set(reference.__all__) - set(ops.__all__) == {"dropout_mask"}
    assert set(ops.__all__) <= set(reference.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twins_have_the_same_signature(name: str) -> None:
    assert [*inspect.signature(getattr(ops, name)).parameters.values()] == [
        *inspect.signature(getattr(reference, name)).parameters.values()
    ]
    assert getattr(ops, name).__doc__


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LOSSES])
def test_gradients_have_the_arguments_of_their_function(name: str) -> None:
    of, backward = (inspect.signature(getattr(ops, n)).parameters for n in (name, f"{name}_backward"))
    assert [*backward] == ["dy", *of]
    assert all(backward[argument] == of[argument] for argument in of)


def test_every_op_is_in_the_tables() -> None:
    aliases = {name for o in ACTIVATIONS.values() for name in o.aliases}
    tested = {case_at(name, 3).op for name in ALL} | aliases | UPDATES.keys()
    assert tested == {name for name in FUNCTIONS if not name.endswith("_backward")}


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(ops.__path__)])
def test_examples_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"nncore.ops.{module}")).failed == 0


def test_the_first_example_runs() -> None:
    assert doctest.testmod(ops).failed == 0
