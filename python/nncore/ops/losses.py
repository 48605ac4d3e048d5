"""Losses over the compiled kernels: one value for each row of outputs (..., columns) -> (...).

The backward functions take dy (...), one number for each row, and return the gradient of the outputs.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._data import plain
from .._operations import Floats, expect_shape, floats
from ._arrays import Shape


def mean_squared_error(target: ArrayLike, output: ArrayLike) -> Floats:
    """mean over the row of (output - target)^2.

    >>> mean_squared_error([[0, 0]], [[1, 3]]).tolist()
    [5.0]
    """
    return loss("mean_squared_error", target, output)


def mean_squared_error_backward(dy: ArrayLike, target: ArrayLike, output: ArrayLike) -> Floats:
    """dy * 2 * (output - target) / columns."""
    return loss_backward("mean_squared_error", dy, target, output)


def mean_absolute_error(target: ArrayLike, output: ArrayLike) -> Floats:
    """mean over the row of |output - target|.

    >>> mean_absolute_error([[0, 0]], [[1, -3]]).tolist()
    [2.0]
    """
    return loss("mean_absolute_error", target, output)


def mean_absolute_error_backward(dy: ArrayLike, target: ArrayLike, output: ArrayLike) -> Floats:
    """dy * sign(output - target) / columns."""
    return loss_backward("mean_absolute_error", dy, target, output)


def binary_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """mean over the row of -t * log(p) - (1 - t) * log(1 - p), with probabilities or logits as outputs.

    >>> binary_crossentropy([[1]], [[-1000]], from_logits=True).tolist()
    [1000.0]
    """
    return loss("binary_crossentropy", target, output, from_logits, label_smoothing)


def binary_crossentropy_backward(
    dy: ArrayLike,
    target: ArrayLike,
    output: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """dy times the slope of `binary_crossentropy`; 0 where a probability was clipped."""
    return loss_backward("binary_crossentropy", dy, target, output, from_logits, label_smoothing)


def categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """-(sum over the classes of t * log(p)), with probabilities or logits as outputs.

    >>> categorical_crossentropy([[0, 1]], [[1000, 0]], from_logits=True).tolist()
    [1000.0]
    """
    return loss("categorical_crossentropy", target, output, from_logits, label_smoothing)


def categorical_crossentropy_backward(
    dy: ArrayLike,
    target: ArrayLike,
    output: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    """dy times the slope of `categorical_crossentropy`."""
    return loss_backward("categorical_crossentropy", dy, target, output, from_logits, label_smoothing)


def sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """-log(p[target]) for class numbers: target (...) or (..., 1), whole numbers from 0 to classes - 1.

    >>> sparse_categorical_crossentropy([1], [[1000, 0]], from_logits=True).tolist()
    [1000.0]
    """
    return loss("sparse_categorical_crossentropy", target, output, from_logits)


def sparse_categorical_crossentropy_backward(
    dy: ArrayLike, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """dy times the slope of `sparse_categorical_crossentropy`."""
    return loss_backward("sparse_categorical_crossentropy", dy, target, output, from_logits)


def loss(
    op: str, target: ArrayLike, output: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    name = _name(op, op, from_logits, label_smoothing)
    t, o = target_and_output(op, target, output, op.startswith("sparse"))
    return _core.loss(name, t, o, label_smoothing)


def loss_backward(
    of: str,
    dy: ArrayLike,
    target: ArrayLike,
    output: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Floats:
    op = of + "_backward"
    name = _name(op, of, from_logits, label_smoothing)
    t, o = target_and_output(op, target, output, of.startswith("sparse"))
    dy = floats(op, "dy", dy)
    expect_shape(op, "dy", dy, o.shape[:-1])
    return _core.loss_backward(name, dy, t, o, label_smoothing)


def _name(op: str, name: str, from_logits: bool, label_smoothing: float) -> str:
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"[{op}] expected label_smoothing in [0, 1], got {label_smoothing}")
    return name + "_logits" if from_logits else name


def target_and_output(op: str, target: ArrayLike, output: ArrayLike, sparse: bool) -> tuple[Floats, Floats]:
    """Target and output of one shape (..., columns), or a sparse target (...)."""
    o = floats(op, "output", output)
    if o.ndim < 1 or o.shape[-1] < 1:
        raise ValueError(f"[{op}] expected output of shape (..., columns), got {o.shape}")
    if sparse:
        return _class_numbers(op, target, o.shape), o
    t = floats(op, "target", target)
    if op.startswith("categorical") and t.shape in (o.shape[:-1], (*o.shape[:-1], 1)) and t.shape != o.shape:
        raise ValueError(
            f"[{op}] expected target of shape {o.shape}, got {t.shape}: for class numbers use sparse_{op}"
        )
    expect_shape(op, "target", t, o.shape)
    return t, o


def _class_numbers(op: str, target: ArrayLike, shape: Shape) -> Floats:
    labels = plain(op, "target", target)
    numbers = floats(op, "target", labels)
    if labels.shape not in (shape[:-1], (*shape[:-1], 1)):
        expected = f"{shape[:-1]} or {(*shape[:-1], 1)}"
        hint = f": for one-hot targets use {op.removeprefix('sparse_')}" if labels.shape == shape else ""
        raise ValueError(f"[{op}] expected target of shape {expected}, got {labels.shape}{hint}")
    if labels.size and not (labels.min() >= 0 and labels.max() < shape[-1] and _are_whole(labels)):
        wrong = labels[~((labels >= 0) & (labels < shape[-1]) & (labels % 1 == 0))]
        raise ValueError(
            f"[{op}] expected target to hold whole numbers from 0 to {shape[-1] - 1}, got {wrong[0]}"
        )
    return numbers.reshape(shape[:-1])


def _are_whole(labels: NDArray[Any]) -> bool:
    return labels.dtype.kind != "f" or bool((labels % 1 == 0).all())
