"""The base class of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..common import arrays, whole
from ..common.described import outside
from ..common.readings import Held, Reading
from ..common.rows import OfRows

Floats = NDArray[Any]  # float32, and float64 from the reference


_RESULTS = ("mean", "root", "negative")  # as numbered in the core


class Metric(OfRows):
    """A running mean over rows, and the base class of metrics.

    Args:
        name: key in logs and histories; default the name of the class in snake case.
        dtype: None or "float32".

    A class outside nncore that derives from it and defines ``update_state(y_true, y_pred, sample_weight)``
    and ``result()`` runs in Python: a model calls it with the arrays of each batch, see `MeanMetricWrapper`.
    State that is made by `add_weight` is 0 again after `reset_state`, and is kept by `BackupAndRestore`. Each
    pass uses a copy of the metric.

    >>> from nncore.metrics import MeanAbsoluteError
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
        "Define update_state and result, or use a function of (y_true, y_pred) among the metrics of compile"
    )
    in_python: ClassVar[bool] = False  # whether Python computes it, from the arrays of each step
    direction: ClassVar[str] = "max"
    _result: ClassVar[str] = "mean"  # how the mean is reported, one of _RESULTS

    def __init_subclass__(cls, **options: Any) -> None:
        if outside(cls):
            cls.in_python |= any("update_state" in vars(c) for c in cls.__mro__ if outside(c))
            if cls.in_python:
                cls._uncalled = "__call__ add_variable add_weight"
        super().__init_subclass__(**options)

    @classmethod
    def _is_derivable(cls) -> bool:
        return cls.in_python and cls.result is not Metric.result

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self._held: list[Held] = []
        cls: Any = next(c for c in type(self).__mro__ if "reset_state" in vars(c) and not outside(c))
        cls.reset_state(self)  # one of the user's own may need what is not there yet

    def reset_state(self) -> None:
        """Forgets all rows."""
        self._sum = self._count = 0.0
        for variable in self._held:
            variable.assign(np.zeros(variable.shape))

    def add_weight(
        self, shape: Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Held:
        """A variable of a metric that runs in Python.

        Args:
            shape: default a single number.
            initializer: name or object of `nncore.initializers`; default zeros.
            dtype: default "float32".
            name: default "variable".
        """
        with whole:
            from .. import initializers

        found: Any = initializers.get(initializer or "zeros", self.name)
        start = found.sample(tuple(shape), np.random.default_rng(0))
        self._held.append(Held(f"{self.name}/{name or 'variable'}", start, dtype or "float32"))
        return self._held[-1]

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Held:
        """As `add_weight`. aggregation: of no meaning."""
        return self.add_weight(shape, initializer, dtype, name)

    @property
    def totals(self) -> list[float]:
        """The numbers that a metric that runs in Python keeps."""
        return [float(number) for variable in self._held for number in variable.numpy().reshape(-1)]

    @totals.setter
    def totals(self, totals: list[float]) -> None:
        at = 0
        for variable in self._held:
            size = variable.numpy().size
            variable.assign(np.reshape(totals[at : at + size], variable.shape))
            at += size

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Adds samples, each weighted by the mean of its weights.

        Args:
            y_true, y_pred: targets and predictions. One may lack the other's last axis, if its length is 1.
            sample_weight: weights of the values (samples, ...), or of their first axes. With a single weight
                the mean of all values counts as one sample, as in Keras.

        Raises:
            TypeError: an argument has values that are no real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = arrays.paired(self.name, y_true, y_pred)
        self._add(self._values(y, p), y, sample_weight)

    def _add(self, values: NDArray[np.float64], y: NDArray[Any], sample_weight: ArrayLike | None) -> None:
        """Adds values (samples, ...) of targets y."""
        weights = np.ones(values.shape[:1])
        if sample_weight is not None:
            weights = arrays.weights_of(self.name, sample_weight, values, y)
        if not values.size:
            return
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
        weights = np.broadcast_to(weights, values.shape)
        within = tuple(range(1, weights.ndim))
        self._sum += float((values * weights).mean(axis=within).sum())
        self._count += float(weights.mean(axis=within).sum())

    @property
    def variables(self) -> list[Reading]:
        """Copies of the state: the sum of values, and their number."""
        if self._held:
            return [*self._held]
        return [Reading(f"{self.name}/total", self._sum), Reading(f"{self.name}/count", self._count)]

    def result(self) -> float:
        """Mean so far, 0 if there were no rows."""
        mean = self._sum / self._count if self._count else 0.0
        return (
            float(np.sqrt(mean)) if self._result == "root" else -mean if self._result == "negative" else mean
        )

    def spec(self) -> _core.Spec:
        kind, attributes = super().spec()
        return kind, {**attributes, "result": _RESULTS.index(self._result)}

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """`update_state`, then `result`."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()
