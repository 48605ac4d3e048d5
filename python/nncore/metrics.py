"""Metrics, to give to ``compile`` and to use on arrays.

The functions take y_true and y_pred of one shape (..., columns), and return a new float32 array (...) with
one value for each row. What stands in them is their reference in NumPy, `nncore.reference`, to which the
tests hold the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core, _data, _names
from ._arguments import integer, neutral, number, several, unknown
from ._operations import settings_of, wide
from ._overrides import Compiled
from ._rows import metric, metric_spec
from .losses import mean_absolute_error, mean_squared_error

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "SparseCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "sparse_categorical_accuracy",
]

Floats = NDArray[Any]  # float32, and float64 from the reference


@metric("bits", ({"threshold": 0.3},))
def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Floats:
    """Share of each row in which (y_pred > threshold) equals y_true.

    >>> binary_accuracy([[1, 0]], [[0.9, 0.8]]).tolist()
    [0.5]
    """
    return np.asarray(((wide(y_pred) > threshold) == wide(y_true)).mean(axis=-1))


@metric("one-hot")
def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """1 where the largest value of a row is at the same place in y_true and y_pred, else 0.

    The first of equals counts.

    >>> categorical_accuracy([[0, 1], [0, 1]], [[0.2, 0.8], [0.7, 0.3]]).tolist()
    [1.0, 0.0]
    """
    return wide(np.argmax(wide(y_true), axis=-1) == np.argmax(wide(y_pred), axis=-1))


@metric("classes")
def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """1 where the largest value of a row of y_pred is at the place that y_true names, else 0.

    The first of equals counts. y_true holds whole numbers from 0 to classes - 1: (...) or (..., 1).

    >>> sparse_categorical_accuracy([1, 1], [[0.2, 0.8], [0.7, 0.3]]).tolist()
    [1.0, 0.0]
    """
    y = wide(y_pred)
    return wide(np.reshape(y_true, y.shape[:-1]) == np.argmax(y, axis=-1))


def value_of(found: float | list[float]) -> Any:
    """What the core found, in Python: a float, or an array with a value for each threshold."""
    return found if isinstance(found, float) else np.array(found)


CLASSES: dict[str, type[Metric]] = {}
_BY_NAME: dict[str, type[Metric]] = {}


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
    _function: ClassVar[Callable[..., Floats] | None] = None
    _direction: ClassVar[str] = "max"

    def __init_subclass__(cls, aliases: tuple[str, ...] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__ == __name__ and not cls.__name__.startswith("_"):
            CLASSES[cls.__name__] = cls
            _BY_NAME.update(dict.fromkeys((cls.__name__, _names.snake_case(cls.__name__), *aliases), cls))

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
        function = type(self)._function
        assert function is not None
        return function(y, p, **self._arguments()).astype(np.float64)

    def result(self) -> float:
        """Mean so far, 0 if there were no rows."""
        return self._sum / self._count if self._count else 0.0

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """`update_state`, then `result`."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def _arguments(self) -> dict[str, Any]:
        """Of the function, by the attributes of their names."""
        function = type(self)._function
        return {name: getattr(self, name) for name in settings_of(function)} if function else {}

    def _spec(self) -> _core.Spec:
        function = type(self)._function
        assert function is not None
        return metric_spec(self.name, function, **self._arguments())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {**self._arguments(), "name": self.name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class BinaryAccuracy(Metric):
    """Share of outputs on the right side of a threshold.

    Args:
        name: default "binary_accuracy".
        dtype: None or "float32".
        threshold: outputs above it count as 1, others as 0; default 0.5.
    """

    _function = staticmethod(binary_accuracy)

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        self.threshold = number("BinaryAccuracy", "threshold", threshold)
        super().__init__(name, dtype)

    def _values(self, y: NDArray[Any], p: NDArray[Any]) -> NDArray[np.float64]:
        """One for each output."""
        return super()._values(y[..., np.newaxis], p[..., np.newaxis])


class CategoricalAccuracy(Metric):
    """Share of rows whose largest output is at the place of the 1 in a one-hot target."""

    _function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(Metric):
    """Share of rows whose largest output is at the place that the class number names."""

    _function = staticmethod(sparse_categorical_accuracy)


class MeanSquaredError(Metric, aliases=("mse", "MSE")):
    """Mean of (y_pred - y_true)**2."""

    _function = staticmethod(mean_squared_error)
    _direction = "min"


class MeanAbsoluteError(Metric, aliases=("mae", "MAE")):
    """Mean of |y_pred - y_true|."""

    _function = staticmethod(mean_absolute_error)
    _direction = "min"


# ---- metrics made of counts


class _Counting(Metric):
    """A formula over the weights of true and false positives and negatives at thresholds.

    The core counts, in double precision and in the order of the samples.
    """

    _abstract = True
    top_k: int | None = None
    class_id: int | None = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: list[float] | None = None
    from_logits: bool = False
    thresholds: list[float]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(_names.automatic(type(self).__name__) if name is None else name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._counter = _core.Counter(self._spec())

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Takes in more samples.

        Args:
            y_true: targets, positive where they are not 0.
            y_pred: predictions of the same shape (samples, ..., labels). One may lack the other's last axis,
                if its length is 1.
            sample_weight: weights of the predictions, or of their first axes; or one for all.

        Raises:
            TypeError: something does not hold real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = (np.asarray(a, np.float32, "C") for a in _data.paired(self.name, y_true, y_pred))
        if y.shape != p.shape or not p.ndim:
            raise ValueError(
                f"[{self.name}] y_true and y_pred must be of one shape (samples, ...), got {y.shape} and "
                f"{p.shape}"
            )
        apart = self.multi_label or self.class_id is not None or self.label_weights is not None
        if apart and p.ndim < 2:
            raise ValueError(f"[{self.name}] expected y_pred of shape (samples, ..., labels), got {p.shape}")
        columns = p.shape[-1] if apart or self.top_k is not None or p.ndim > 1 else 1
        weights = None
        if sample_weight is not None:
            counted = p if self.class_id is None else p[..., :1]
            given = _data.weights_of(self.name, sample_weight, counted, y).astype(np.float32)
            rest = (1,) * (counted.ndim - given.ndim)
            weights = np.broadcast_to(given.reshape(given.shape + rest), counted.shape)
        if p.size:
            rows = (-1, columns)
            try:
                self._counter.count(y.reshape(rows), p.reshape(rows), weights)
            except ValueError as error:
                raise ValueError(f"[{self.name}] {error}") from None

    def result(self) -> Any:
        """The value over all samples so far: a float, or with several thresholds an array."""
        return value_of(self._counter.result())

    def _spec(self) -> _core.Spec:
        kind = next(_names.snake_case(c.__name__) for c in type(self).__mro__ if c in CLASSES.values())
        return kind, {
            "thresholds": tuple(self.thresholds),
            "top_k": -1 if self.top_k is None else self.top_k,
            "class_id": -1 if self.class_id is None else self.class_id,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels or 0,
            "label_weights": tuple(self.label_weights or ()),
            "from_logits": self.from_logits,
            **self._settings(),
        }

    def _settings(self) -> dict[str, float]:
        """Of the row in the compiled table."""
        return {}

    @staticmethod
    def _ratio(part: Floats, whole: Floats) -> Floats:
        """part / whole, and 0 where the whole is 0."""
        return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        """The formula in NumPy, of arrays (thresholds, labels): (..., labels)."""
        raise NotImplementedError


class _AtThresholds(_Counting):
    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        self._given = thresholds is not None
        self.thresholds = [0.5 if top_k is None else -1e10]  # below all predictions
        if self._given:
            each = several(thresholds) or (thresholds,)
            self.thresholds = [number(owner, "thresholds", t, 0.0, 1.0) for t in each]
        self.top_k = None if top_k is None else integer(owner, "top_k", top_k)
        self.class_id = None if class_id is None else integer(owner, "class_id", class_id, low=0)
        super().__init__(name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        thresholds = self.thresholds if self._given else None
        return {"thresholds": thresholds, "top_k": self.top_k, "class_id": self.class_id, "name": self.name}


class Precision(_AtThresholds):
    """Share of positive targets among the positive predictions: tp / (tp + fp), 0 without any.

    Args:
        thresholds: predictions above it are positive; default 0.5. Of several in [0, 1] each gives a value.
        top_k: only the k largest predictions of a row can be positive, by default whatever their size.
        class_id: column of targets and predictions that counts; default all.
        name: default "precision", then "precision_1", ...
        dtype: None or "float32".

    >>> Precision()([0, 1, 1, 1], [0.9, 0.3, 0.8, 0.7])
    0.6666666666666666
    """

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._ratio(tp, tp + fp)


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
        found = _BY_NAME[identifier]()
        found.name = identifier
        return found
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    for cls in CLASSES.values():
        if callable(identifier) and cls._function is identifier:
            return cls()
    raise TypeError(
        f"[{owner}] a metric must be a name, a Metric or a function of nncore.metrics, got {identifier!r}. "
        f"There are: {', '.join(sorted([*_BY_NAME, 'accuracy', 'acc']))}."
    )
