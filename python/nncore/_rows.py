"""Functions of targets and outputs (..., columns) that give one value for each row: losses and metrics.

As in `_operations`, a decorator makes them of their NumPy reference.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import boolean
from ._data import plain
from ._operations import (
    _F,
    Floats,
    Function,
    Operation,
    Wide,
    checked,
    described,
    expect_shape,
    floats,
    require_row,
    settings_reader,
    wide,
)

LOSSES: dict[str, Operation] = {}
_ROWS = _core.losses()


def loss_setting(owner: str, of: Function, name: str, value: float) -> float:
    """A setting of a loss, in the range of its row."""
    return checked(owner, _ROWS[of.__name__][0], {name: value})[name]


def loss_spec(owner: str, of: Function, from_logits: bool = False, **settings: float) -> _core.Spec:
    """What the core wants to know of a loss with its settings."""
    kind = of.__name__ + "_logits" * boolean(owner, "from_logits", from_logits)
    return kind, checked(owner, _ROWS[kind][0], settings)


def loss(
    slope: Function, inputs: str = "numbers", variants: tuple[dict[str, Any], ...] = ()
) -> Callable[[_F], _F]:
    """Makes a loss f(y_true, y_pred, settings...) of its reference.

    With an argument from_logits, f has a row for probabilities, and another one, named f_logits, for logits.

    Args:
        slope: slope(y_true, y_pred, settings...), the derivative of a row's value by each of its outputs.
        inputs: what tests give it: "numbers"; or probabilities, with targets that are "bits", "one-hot",
            "classes" or "shares" of 1. With from_logits numbers in place of probabilities.
        variants: settings with which it is tested besides the defaults.
    """

    def decorate(f: _F) -> _F:
        name, signature = f.__name__, inspect.signature(f)
        read = settings_reader(signature, arrays=2)
        sparse = _ROWS[name][1]
        for suffix in ("", "_logits") if "from_logits" in signature.parameters else ("",):
            require_row(f, _ROWS[name + suffix][0], besides=("from_logits",))

        def prepared(
            op: str, y_true: ArrayLike, y_pred: ArrayLike, *args: Any, **given: Any
        ) -> tuple[_core.Spec, Floats, Floats]:
            spec = loss_spec(op, f, **read(*args, **given))
            return spec, *targets_and_outputs(op, y_true, y_pred, sparse)

        @functools.wraps(f)
        def public(y_true: ArrayLike, y_pred: ArrayLike, *args: Any, **settings: Any) -> Floats:
            return _core.metric(*prepared(name, y_true, y_pred, *args, **settings))

        def public_backward(
            dy: ArrayLike, y_true: ArrayLike, y_pred: ArrayLike, *args: Any, **settings: Any
        ) -> Floats:
            op = f"{name}_backward"
            spec, t, o = prepared(op, y_true, y_pred, *args, **settings)
            d = floats(op, "dy", dy)
            expect_shape(op, "dy", d, o.shape[:-1])
            return _core.loss_backward(spec, d, t, o)

        def reference_backward(
            dy: ArrayLike, y_true: ArrayLike, y_pred: ArrayLike, *args: Any, **settings: Any
        ) -> Wide:
            bound = signature.bind(wide(y_true), wide(y_pred), *args, **settings)
            bound.apply_defaults()
            return np.asarray(wide(dy)[..., np.newaxis] * slope(*bound.args))

        text = f"dy[..., None] * slope, the slope of a row by its outputs being {slope.__doc__}"
        LOSSES[name] = Operation(
            public,
            f,
            *described(f"{name}_backward", text, signature, public_backward, reference_backward),
            variants=variants,
            inputs=inputs,
        )
        return public  # type: ignore[return-value]

    return decorate


# ---- metrics

METRICS: dict[str, Operation] = {}
_METRIC_ROWS = _core.metrics()


def metric_spec(owner: str, of: Function, **settings: Any) -> _core.Spec:
    """What the core wants to know of a metric with its settings, or of a loss as a metric."""
    name = of.__name__
    if name in LOSSES:
        return loss_spec(owner, of, **settings)
    return name, checked(owner, _METRIC_ROWS[name][0], settings)


def metric(inputs: str, variants: tuple[dict[str, Any], ...] = ()) -> Callable[[_F], _F]:
    """Makes a metric f(y_true, y_pred, settings...) of its reference. Args: as of `loss`."""

    def decorate(f: _F) -> _F:
        name, read = f.__name__, settings_reader(inspect.signature(f), arrays=2)
        settings, sparse, _ = _METRIC_ROWS[name]
        require_row(f, settings)

        @functools.wraps(f)
        def public(y_true: ArrayLike, y_pred: ArrayLike, *args: Any, **given: Any) -> Floats:
            spec = metric_spec(name, f, **read(*args, **given))
            return _core.metric(spec, *targets_and_outputs(name, y_true, y_pred, sparse))

        METRICS[name] = Operation(public, f, variants=variants, inputs=inputs)
        return public  # type: ignore[return-value]

    return decorate


# ---- both


def targets_and_outputs(op: str, y_true: ArrayLike, y_pred: ArrayLike, sparse: bool) -> tuple[Floats, Floats]:
    """Targets and outputs of one shape (..., columns), or sparse targets (...)."""
    o = floats(op, "y_pred", y_pred)
    if o.ndim < 1 or o.shape[-1] < 1:
        raise ValueError(f"[{op}] expected y_pred of shape (..., columns), got {o.shape}")
    if sparse:
        return _class_numbers(op, y_true, o.shape), o
    t = floats(op, "y_true", y_true)
    if op.startswith("categorical") and t.shape in (o.shape[:-1], (*o.shape[:-1], 1)) and t.shape != o.shape:
        raise ValueError(
            f"[{op}] expected y_true of shape {o.shape}, got {t.shape}: for class numbers use sparse_{op}"
        )
    expect_shape(op, "y_true", t, o.shape)
    return t, o


def _class_numbers(op: str, y_true: ArrayLike, shape: tuple[int, ...]) -> Floats:
    labels = plain(op, "y_true", y_true)
    numbers = floats(op, "y_true", labels)
    if labels.shape not in (shape[:-1], (*shape[:-1], 1)):
        expected = f"{shape[:-1]} or {(*shape[:-1], 1)}"
        hint = f": for one-hot targets use {op.removeprefix('sparse_')}" if labels.shape == shape else ""
        raise ValueError(f"[{op}] expected y_true of shape {expected}, got {labels.shape}{hint}")
    if labels.size and not (labels.min() >= 0 and labels.max() < shape[-1] and _are_whole(labels)):
        wrong = labels[~((labels >= 0) & (labels < shape[-1]) & (labels % 1 == 0))]
        raise ValueError(
            f"[{op}] expected y_true to hold whole numbers from 0 to {shape[-1] - 1}, got {wrong[0]}"
        )
    return numbers.reshape(shape[:-1])


def _are_whole(labels: NDArray[Any]) -> bool:
    return labels.dtype.kind != "f" or bool((labels % 1 == 0).all())
