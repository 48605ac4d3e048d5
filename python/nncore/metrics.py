"""Metrics, to give to ``compile`` and to use on arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _data, _names
from ._arguments import neutral, only, unknown
from ._forks import whole
from ._overrides import Compiled
from .losses import mean_absolute_error, mean_squared_error

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "sparse_categorical_accuracy",
]

Floats = NDArray[np.float32]


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Floats:
    """Share of each row in which (y_pred > 0.5) equals y_true; other thresholds are not available yet.

    >>> binary_accuracy([[1, 0]], [[0.9, 0.8]]).tolist()
    [0.5]
    """
    with whole:
        from . import ops

    only("binary_accuracy", "threshold", threshold, 0.5)
    return ops.binary_accuracy(y_true, y_pred)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """1 where the largest value of a row is at the same place in y_true and y_pred, else 0."""
    with whole:
        from . import ops

    return ops.categorical_accuracy(y_true, y_pred)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """1 where the largest value of a row of y_pred is at the place that y_true names, else 0."""
    with whole:
        from . import ops

    return ops.sparse_categorical_accuracy(y_true, y_pred)


class Metric(Compiled):
    """A running mean over rows. Base class, from which none outside nncore can derive.

    Args:
        name: key in logs and histories; default the name of the class in snake case.
        dtype: None or "float32".

    >>> m = MeanAbsoluteError()
    >>> m.update_state([[0], [0]], [[1], [3]])
    >>> m.result()
    2.0
    """

    _abstract = True
    _uncalled = (
        "update_state result reset_state __call__ stateless_update_state stateless_result "
        "stateless_reset_state add_variable add_weight"
    )
    _instead = (
        "Use a metric of nncore.metrics, or compute yours from model.predict(x) in on_epoch_end of a callback"
    )
    _function: ClassVar[Callable[..., Floats]]
    _direction: ClassVar[str] = "max"

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        owner = type(self).__name__
        neutral(owner, {"dtype": dtype}, {"dtype": "float32"})
        self.name = _names.checked(owner, _names.snake_case(owner) if name is None else name)
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets all rows."""
        self._sum = self._count = 0.0

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Takes in more samples, each counted as often as the mean of its weights says.

        Args:
            y_true, y_pred: targets and predictions. One may lack the other's last axis, if its length is 1.
            sample_weight: weights of the values (samples, ...), or of their first axes. A single one counts
                the mean of all as one sample, as in Keras.

        Raises:
            TypeError: something does not hold real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = _data.paired(self.name, y_true, y_pred)
        values = self._values(y, p)
        weights = np.ones(values.shape[:1])
        if sample_weight is not None:
            weights = _data.weights_of(self.name, sample_weight, values, y)
        if not values.size:
            return
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
        weights = np.broadcast_to(weights, values.shape)
        within = tuple(range(1, weights.ndim))
        self._sum += float((values * weights).mean(axis=within).sum())
        self._count += float(weights.mean(axis=within).sum())

    def _values(self, y: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
        """What is averaged, and can be weighted: one value for each row."""
        return type(self)._function(y, p).astype(np.float64)

    def result(self) -> float:
        """Mean so far, 0 if there were no rows."""
        return self._sum / self._count if self._count else 0.0

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """`update_state`, then `result`."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def _core_name(self) -> str:
        return next(_names.snake_case(c.__name__) for c in type(self).__mro__ if c in CLASSES.values())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"name": self.name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


class BinaryAccuracy(Metric):
    """Share of outputs on the right side of 0.5; other thresholds are not available yet."""

    _function = staticmethod(binary_accuracy)

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        only("BinaryAccuracy", "threshold", threshold, 0.5)

    def _values(self, y: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
        """One for each output."""
        return super()._values(y[..., np.newaxis], p[..., np.newaxis])


class CategoricalAccuracy(Metric):
    """Share of rows whose largest output is at the place of the 1 in a one-hot target."""

    _function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(Metric):
    """Share of rows whose largest output is at the place that the class number names."""

    _function = staticmethod(sparse_categorical_accuracy)


class MeanSquaredError(Metric):
    """Mean of (y_pred - y_true)**2."""

    _function = staticmethod(mean_squared_error)
    _direction = "min"


class MeanAbsoluteError(Metric):
    """Mean of |y_pred - y_true|."""

    _function = staticmethod(mean_absolute_error)
    _direction = "min"


CLASSES: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        BinaryAccuracy,
        CategoricalAccuracy,
        SparseCategoricalAccuracy,
        MeanSquaredError,
        MeanAbsoluteError,
    )
}
_BY_NAME: dict[str, type[Metric]] = {
    **CLASSES,
    **{_names.snake_case(name): cls for name, cls in CLASSES.items()},
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
}


def get(identifier: str | Metric | type[Metric] | Callable[..., Any], owner: str = "metrics.get") -> Metric:
    """The metric of a name, a class, a function of this module, or of itself.

    "accuracy" and "acc" have a meaning in ``compile`` only, where the outputs are known.

    Raises:
        ValueError: there is no metric of that name.
        TypeError: something else, such as a function that is not one of this module.

    >>> get("mae")
    MeanAbsoluteError(name='mae')
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise unknown(owner, "metric", identifier, [*_BY_NAME, "accuracy", "acc"])
        return _BY_NAME[identifier](name=identifier)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    for cls in CLASSES.values():
        if cls._function is identifier:
            return cls()
    raise TypeError(
        f"[{owner}] a metric must be a name, a Metric or a function of nncore.metrics, got {identifier!r}. "
        f"There are: {', '.join(sorted([*_BY_NAME, 'accuracy', 'acc']))}."
    )
