"""Losses, to give to ``compile`` and to call on arrays.

A loss has one value for each row: everything under one index of all axes but the last. Its mean over all
rows is what training minimises (``sum_over_batch_size``); sample weights multiply the values before the mean.
Probabilities are clipped to [1e-7, 1 - 1e-7], beyond which the slope is 0. A cross-entropy after a matching
last activation (sigmoid for the binary one, softmax for the others) is computed from the logits.

The functions take arrays of any real type, y_true and y_pred of one shape (..., columns), and return a new
float32 array (...). What stands in them is their reference in NumPy, `nncore.reference`, to which the tests
hold the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core, _data, _names
from ._arguments import boolean, neutral, only, unknown
from ._operations import ACTIVATIONS, settings_of, wide
from ._overrides import Compiled
from ._rows import loss, loss_setting, loss_spec

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

Floats = NDArray[Any]  # float32, and float64 from the reference

# The bounds are float32 numbers, so that the compiled kernels use the same.
_LEAST = float(np.float32(1e-7))
_MOST = float(np.float32(1.0 - 1e-7))


# ---- slopes, and what several functions share; t and y are y_true and y_pred as arrays of float64


def _clip(p: Floats) -> Floats:
    return np.clip(p, _LEAST, _MOST)


def _inside(p: Floats) -> Floats:
    """The derivative of _clip: 1 between the bounds, and 0 beyond them, where moving p changes nothing."""
    return ((p >= _LEAST) & (p <= _MOST)).astype(np.float64)


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def _sum(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=-1, keepdims=True))


def _activated(name: str, x: Floats) -> Floats:
    return np.asarray(ACTIVATIONS[name].reference(x))


def _log_softmax(x: Floats) -> Floats:
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(_sum(np.exp(x))))


def _smoothed(t: Floats, label_smoothing: float, classes: int) -> Floats:
    return t * (1.0 - label_smoothing) + label_smoothing / classes


def _one_hot(t: Floats, y: Floats) -> Floats:
    labels = t.reshape(y.shape[:-1])
    return np.asarray(np.arange(y.shape[-1]) == labels[..., np.newaxis], dtype=np.float64)


def _slope_of_squared_error(t: Floats, y: Floats) -> Floats:
    """2 * (y_pred - y_true) / columns."""
    return np.asarray(2.0 * (y - t) / y.shape[-1])


def _slope_of_absolute_error(t: Floats, y: Floats) -> Floats:
    """sign(y_pred - y_true) / columns; 0 where they are equal."""
    return np.asarray(np.sign(y - t) / y.shape[-1])


def _slope_of_binary(t: Floats, y: Floats, from_logits: bool, label_smoothing: float) -> Floats:
    """((1 - t) / (1 - p) - t / p) / columns, 0 where p was clipped; from logits (p - t) / columns.

    That the logits' gradient is the plain error p - t is the reason to compute a loss from logits.
    """
    t = _smoothed(t, label_smoothing, 2)
    if from_logits:
        slope = _activated("sigmoid", y) - t
    else:
        p = _clip(y)
        slope = ((1.0 - t) / (1.0 - p) - t / p) * _inside(y)
    return np.asarray(slope / y.shape[-1])


def _slope_of_categorical(t: Floats, y: Floats, from_logits: bool, label_smoothing: float) -> Floats:
    """(g - sum(g * p)) / sum(y_pred), with g = -t / p (0 where clipped); from logits p * sum(t) - t.

    g is the slope by p, which the division by the sum turns into that by y_pred. The other one is p - t for
    targets that add up to 1.
    """
    t = _smoothed(t, label_smoothing, y.shape[-1])
    if from_logits:
        return _activated("softmax", y) * _sum(t) - t
    total = _sum(y)
    p = y / total
    g = -t / _clip(p) * _inside(p)
    return (g - _sum(g * p)) / total


def _slope_of_sparse(t: Floats, y: Floats, from_logits: bool) -> Floats:
    """1 / sum(o) - t / o, with the one-hot target t and the clipped outputs o; from logits p - t.

    Where outputs were clipped it is 0.
    """
    t = _one_hot(t, y)
    if from_logits:
        return _activated("softmax", y) - t
    o = _clip(y)
    return (1.0 / _sum(o) - t / o) * _inside(y)


_SMOOTHED: tuple[dict[str, Any], ...] = (
    {"from_logits": True},
    {"label_smoothing": 0.2},
    {"from_logits": True, "label_smoothing": 0.2},
)


# ---- the functions


@loss(_slope_of_squared_error)
def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of (y_pred - y_true)^2 over the last axis.

    >>> mean_squared_error([[0, 0]], [[1, 3]]).tolist()
    [5.0]
    """
    return _mean((wide(y_pred) - wide(y_true)) ** 2)


@loss(_slope_of_absolute_error)
def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    """Mean of |y_pred - y_true| over the last axis.

    >>> mean_absolute_error([[0, 0]], [[1, -3]]).tolist()
    [2.0]
    """
    return _mean(np.abs(wide(y_pred) - wide(y_true)))


@loss(_slope_of_binary, "bits", _SMOOTHED)
def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """Mean of -t * log(p) - (1 - t) * log(1 - p) over the last axis: the surprise of one who believes in p.

    Args:
        y_true: targets t in [0, 1].
        y_pred: probabilities p, which are clipped, or with from_logits numbers z of any size, with
            p = sigmoid(z). The formula becomes softplus(z) - t * z, which is exact for large z.
        label_smoothing: s in [0, 1] replaces t by t * (1 - s) + s / 2.

    >>> binary_crossentropy([[1, 0]], [[0.9, 0.1]]).round(4).tolist()
    [0.10540000349283218]
    >>> binary_crossentropy([[1]], [[-1000]], from_logits=True).tolist()
    [1000.0]
    """
    t, y = _smoothed(wide(y_true), label_smoothing, 2), wide(y_pred)
    if from_logits:
        # equals softplus(z) - t * z, without the difference of two large numbers
        return _mean((1.0 - t) * _activated("softplus", y) + t * _activated("softplus", -y))
    p = _clip(y)
    return _mean(-t * np.log(p) - (1.0 - t) * np.log(1.0 - p))


@loss(_slope_of_categorical, "one-hot", _SMOOTHED)
def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Floats:
    """-sum(t * log(p)) over the last axis.

    Args:
        y_true: targets t, one-hot or any weights for the classes.
        y_pred: divided by its sum and clipped it is p, or with from_logits p = softmax(y_pred).
        label_smoothing: s in [0, 1] replaces t by t * (1 - s) + s / classes.

    >>> categorical_crossentropy([[0, 1]], [[1000, 0]], from_logits=True).tolist()
    [1000.0]
    """
    y = wide(y_pred)
    t = _smoothed(wide(y_true), label_smoothing, y.shape[-1])
    log_p = _log_softmax(y) if from_logits else np.log(_clip(y / _sum(y)))
    return np.asarray(-(t * log_p).sum(axis=-1))


@loss(_slope_of_sparse, "classes", ({"from_logits": True},))
def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False
) -> Floats:
    """-log(p[y_true]): `categorical_crossentropy` for targets that are class numbers.

    Args:
        y_true: whole numbers from 0 to classes - 1, of shape (...) or (..., 1).
        y_pred: clipped and then divided by its sum it is p: in this order, other than
            `categorical_crossentropy`. With from_logits p = softmax(y_pred).

    >>> sparse_categorical_crossentropy([1], [[1000, 0]], from_logits=True).tolist()
    [1000.0]
    """
    y = wide(y_pred)
    log_p = _log_softmax(y if from_logits else np.log(_clip(y)))
    return np.asarray(-(log_p * _one_hot(wide(y_true), y)).sum(axis=-1))


# ---- the classes

CLASSES: dict[str, type[Loss]] = {}
_BY_NAME: dict[str, type[Loss]] = {}


class Loss(Compiled):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled."""

    _abstract = True
    _uncalled = "call __call__"
    _instead = "Use a loss of nncore.losses, with sample_weight or class_weight in fit"
    _function: ClassVar[Callable[..., Floats]]

    def __init_subclass__(cls, aliases: tuple[str, ...] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__ == __name__ and "_function" in vars(cls):
            CLASSES[cls.__name__] = cls
            names = (cls.__name__, _names.snake_case(cls.__name__), cls._function.__name__, *aliases)
            _BY_NAME.update(dict.fromkeys(names, cls))

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
        y, p = _data.paired(self.name, y_true, y_pred)
        values = type(self)._function(y, p, **self._arguments()).astype(np.float64)
        if sample_weight is not None:
            weights = _data.weights_of(self.name, sample_weight, values, y)
            values *= weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
        return float(np.mean(values)) if values.size else 0.0

    def _setting(self, name: str, value: float) -> float:
        return loss_setting(type(self).__name__, type(self)._function, name, value)

    def _arguments(self) -> dict[str, Any]:
        """Of the function, by the attributes of their names."""
        return {name: getattr(self, name) for name in settings_of(type(self)._function)}

    def _spec(self) -> _core.Spec:
        return loss_spec(self.name, type(self)._function, **self._arguments())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {**self._arguments(), "name": self.name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class MeanSquaredError(Loss, aliases=("mse", "MSE")):
    """As the function `mean_squared_error`, averaged over all rows."""

    _function = staticmethod(mean_squared_error)

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(Loss, aliases=("mae", "MAE")):
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
        self.label_smoothing = self._setting("label_smoothing", label_smoothing)


class BinaryCrossentropy(_Smoothed, aliases=("bce", "BCE")):
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
