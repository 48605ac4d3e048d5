"""Losses and metrics: functions of targets and outputs (..., columns) that return one value for each row.

As in `operations`, decorators make them from their NumPy references.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from . import names
from .arguments import boolean, checked, reject_unsupported
from .arrays import Floats, Wide, plain
from .described import Described
from .operations import (
    F,
    Function,
    Operation,
    expect_shape,
    floats,
    operation,
    require_row,
    settings_of,
    wide,
)

LOSSES: dict[str, Operation] = {}
METRICS: dict[str, Operation] = {}
_ROWS = {**_core.losses(), **_core.metrics()}


def row_spec(owner: str, of: Function, from_logits: bool = False, **settings: float) -> _core.Spec:
    """A loss or metric and its settings, as the compiled core takes them."""
    kind = of.__name__ + "_logits" * boolean(owner, "from_logits", from_logits)
    for name, value in settings.items():
        if isinstance(value, bool) and isinstance(settings_of(of)[name], bool):
            settings[name] = float(value)
    return kind, checked(owner, _ROWS[kind][0], settings)


class RowsCall(NamedTuple):
    """A kernel call of a loss or metric."""

    spec: _core.Spec
    targets: Floats
    outputs: Floats

    @property
    def output(self) -> tuple[int, ...]:
        return self.outputs.shape[:-1]

    def forward(self) -> Floats:
        return _core.metric(*self)

    def backward(self, dy: Floats) -> Floats:
        return _core.loss_backward(self.spec, dy, self.targets, self.outputs)


def loss(
    slope: Function | None, inputs: str = "numbers", variants: tuple[dict[str, Any], ...] = ()
) -> Callable[[F], F]:
    """Decorates the reference f(y_true, y_pred, settings...) of a loss, or without a slope of a metric.

    An f with an argument from_logits has two compiled rows: f for probabilities, and f_logits for logits.

    Args:
        slope: slope(y_true, y_pred, settings...), the derivative of a row's value by each of its outputs.
        inputs: the data that tests use: "numbers", or with targets of 0 and 1 "signs"; or probabilities
            (numbers with from_logits), and targets that are "bits", "one-hot", "classes" or "shares" of 1.
        variants: settings to test besides the defaults.
    """

    def decorate(f: F) -> F:
        name = f.__name__
        for suffix in ("", "_logits") if "from_logits" in settings_of(f) else ("",):
            require_row(f, _ROWS[name + suffix][0])

        def prepare(op: str, y_true: ArrayLike, y_pred: ArrayLike, **settings: Any) -> RowsCall:
            spec = row_spec(op, f, **settings)
            return RowsCall(spec, *targets_and_outputs(op, y_true, y_pred, sparse=_ROWS[name][1]))

        def times_slope(dy: ArrayLike, y_true: ArrayLike, y_pred: ArrayLike, *settings: Any) -> Wide:
            assert slope is not None
            return np.asarray(wide(dy)[..., np.newaxis] * slope(wide(y_true), wide(y_pred), *settings))

        if slope is None:
            return operation(METRICS, f, prepare, inputs=inputs, variants=variants)
        times_slope.__doc__ = (
            f"dy[..., None] * slope, the slope of a row by its outputs being {slope.__doc__}"
        )
        return operation(LOSSES, f, prepare, times_slope, inputs=inputs, variants=variants)

    return decorate


metric = partial(loss, None)


class OfRows(Described):
    """Base class of losses and metrics."""

    _abstract = True
    name: str

    def __init__(self, name: str | None, dtype: Any) -> None:
        owner = type(self).__name__
        reject_unsupported(owner, {"dtype": dtype}, {"dtype": "float32"})
        self.name = names.checked(owner, names.snake_case(owner) if name is None else name)

    def _set(self, **settings: Any) -> None:
        """Checks settings of the function, and sets them as attributes."""
        row = _ROWS[type(self)._function.__name__][0]
        vars(self).update(checked(type(self).__name__, row, settings))

    def _arguments(self) -> dict[str, Any]:
        """The arguments of the function besides targets and outputs."""
        return {name: value for name, value in self.get_config().items() if name not in ("name", "reduction")}

    def _values(self, y: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
        """The value of each row, before weighting and averaging."""
        values: Floats = type(self)._function(y, p, **self._arguments())
        return values.astype(np.float64)

    def spec(self) -> _core.Spec:
        return row_spec(self.name, type(self)._function, **self._arguments())


def targets_and_outputs(op: str, y_true: ArrayLike, y_pred: ArrayLike, sparse: bool) -> tuple[Floats, Floats]:
    """Targets and outputs as float32 of one shape (..., columns); sparse targets have shape (...)."""
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
    fractions = labels.dtype.kind == "f" and (labels % 1 != 0).any()
    if labels.size and (fractions or labels.min() < 0 or labels.max() >= shape[-1]):
        wrong = labels[~((labels >= 0) & (labels < shape[-1]) & (labels % 1 == 0))]
        raise ValueError(
            f"[{op}] expected y_true to hold whole numbers from 0 to {shape[-1] - 1}, got {wrong[0]}"
        )
    return numbers.reshape(shape[:-1])
