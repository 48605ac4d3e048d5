"""Losses, to give to ``compile`` and to call on arrays.

A loss has one value for each row: everything under one index of all axes but the last. Its mean over all
rows is what training minimises (``sum_over_batch_size``); sample weights multiply the values before the mean.
Probabilities are clipped to [1e-7, 1 - 1e-7]. A cross-entropy after a matching last activation (sigmoid for
the binary one, softmax for the others) is computed from the logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _data, _names
from ._arguments import boolean, neutral, number, only, unknown
from ._forks import whole
from ._overrides import Compiled

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "sparse_categorical_crossentropy",
]

Floats = NDArray[np.float32]


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of (y_pred - y_true)**2 over the last axis.

    >>> mean_squared_error([[0, 0]], [[1, 3]]).tolist()
    [5.0]
    """
    with whole:
        from . import ops

    return ops.mean_squared_error(y_true, y_pred)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of |y_pred - y_true| over the last axis."""
    with whole:
        from . import ops

    return ops.mean_absolute_error(y_true, y_pred)


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """Mean of -t log(p) - (1 - t) log(1 - p) over the last axis. Smoothing moves targets towards 0.5."""
    with whole:
        from . import ops

    return ops.binary_crossentropy(y_true, y_pred, from_logits, label_smoothing)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """-sum(t log(p)) over the last axis, for one-hot targets. Smoothing moves targets towards 1 / classes."""
    with whole:
        from . import ops

    return ops.categorical_crossentropy(y_true, y_pred, from_logits, label_smoothing)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False
) -> Floats:
    """-log(p) of the class that each number in y_true names."""
    with whole:
        from . import ops

    return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits)


class Loss(Compiled):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled."""

    _abstract = True
    _uncalled = "call __call__"
    _instead = "Use a loss of nncore.losses, with sample_weight or class_weight in fit"
    _function: ClassVar[Callable[..., Floats]]
    from_logits: bool = False
    label_smoothing: float = 0.0

    def __init__(
        self, name: str | None = None, reduction: str = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        owner = type(self).__name__
        only(owner, "reduction", reduction, "sum_over_batch_size")
        neutral(owner, {"dtype": dtype}, {"dtype": "float32"})
        self.name = _names.checked(owner, _names.snake_case(owner) if name is None else name)
        self.reduction = reduction

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Mean of the weighted values of all rows.

        Args:
            y_true, y_pred: targets and predictions. One may lack the other's last axis, if its length is 1.
            sample_weight: weights of the values (samples, ...), or of their first axes; or one for all.

        Raises:
            TypeError: something does not hold real numbers.
            ValueError: the shapes do not fit.
        """
        settings = self._spec()[1]
        arguments = {name: value for name, value in settings.items() if value}
        y, p = _data.paired(self.name, y_true, y_pred)
        values = type(self)._function(y, p, **arguments).astype(np.float64)
        if sample_weight is not None:
            weights = _data.weights_of(self.name, sample_weight, values, y)
            values *= weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
        return float(np.mean(values)) if values.size else 0.0

    def _spec(self) -> tuple[str, dict[str, bool | float]]:
        kind = next(_names.snake_case(c.__name__) for c in type(self).__mro__ if c in CLASSES.values())
        return kind, {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"name": self.name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class MeanSquaredError(Loss):
    """As the function `mean_squared_error`, averaged over all rows."""

    _function = staticmethod(mean_squared_error)

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(Loss):
    """As the function `mean_absolute_error`, averaged over all rows."""

    _function = staticmethod(mean_absolute_error)

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class _Smoothed(Loss):
    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        super().__init__(name, reduction, dtype)
        only(owner, "axis", axis, -1)
        self.from_logits = boolean(owner, "from_logits", from_logits)
        self.label_smoothing = number(owner, "label_smoothing", label_smoothing, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "name": self.name}


class BinaryCrossentropy(_Smoothed):
    """As the function `binary_crossentropy`, averaged over all rows.

    Args:
        from_logits: the outputs are logits (before a sigmoid), not probabilities; default False.
        label_smoothing: share in [0, 1] by which targets move towards 0.5; default 0.
        axis: -1; others are not available yet.
        reduction: "sum_over_batch_size"; others are not available yet.
        name: default "binary_crossentropy".
        dtype: None or "float32".
    """

    _function = staticmethod(binary_crossentropy)


class CategoricalCrossentropy(_Smoothed):
    """As the function `categorical_crossentropy`, over all rows. Arguments as `BinaryCrossentropy`."""

    _function = staticmethod(categorical_crossentropy)


class SparseCategoricalCrossentropy(Loss):
    """As the function `sparse_categorical_crossentropy`, averaged over all rows.

    Args:
        from_logits: the outputs are logits (before a softmax), not probabilities; default False.
        ignore_class: None; others are not available yet.
        reduction: "sum_over_batch_size"; others are not available yet.
        axis: -1; others are not available yet.
        name: default "sparse_categorical_crossentropy".
        dtype: None or "float32".
    """

    _function = staticmethod(sparse_categorical_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        super().__init__(name, reduction, dtype)
        only(owner, "ignore_class", ignore_class, None)
        only(owner, "axis", axis, -1)
        self.from_logits = boolean(owner, "from_logits", from_logits)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"from_logits": self.from_logits, "name": self.name}


CLASSES: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        MeanSquaredError,
        MeanAbsoluteError,
        BinaryCrossentropy,
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
    )
}
_BY_NAME: dict[str, type[Loss]] = {
    **CLASSES,
    **{_names.snake_case(name): cls for name, cls in CLASSES.items()},
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
}


def get(
    identifier: str | Loss | type[Loss] | Callable[..., Any] | None, owner: str = "losses.get"
) -> Loss | None:
    """The loss of a name, a class, a function of this module, or of itself; None stays None.

    Raises:
        ValueError: there is no loss of that name.
        TypeError: something else, such as a function that is not one of this module.

    >>> get("mse")
    MeanSquaredError(name='mean_squared_error')
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise unknown(owner, "loss", identifier, _BY_NAME)
        return _BY_NAME[identifier]()
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    for cls in CLASSES.values():
        if cls._function is identifier:
            return cls()
    raise TypeError(
        f"[{owner}] loss must be a name, a Loss or a function of nncore.losses, got {identifier!r}. "
        f"There are: {', '.join(sorted(_BY_NAME))}."
    )
