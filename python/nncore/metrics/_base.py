"""What metrics share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..common import arrays
from ..common.readings import Reading
from ..common.rows import OfRows

Floats = NDArray[Any]  # float32, and float64 from the reference


_RESULTS = ("mean", "root", "negative")  # in the order of the core


class Metric(OfRows):
    """A running mean over rows. Base class, from which none outside nncore can derive.

    Args:
        name: key in logs and histories; default the name of the class in snake case.
        dtype: None or "float32".

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
        "Use a function of (y_true, y_pred) among the metrics of compile, or compute yours from "
        "model.predict(x) in on_epoch_end of a callback"
    )
    direction: ClassVar[str] = "max"
    _result: ClassVar[str] = "mean"  # what is reported of it, one of _RESULTS

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
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
        y, p = arrays.paired(self.name, y_true, y_pred)
        self._add(self._values(y, p), y, sample_weight)

    def _add(self, values: NDArray[np.float64], y: NDArray[Any], sample_weight: ArrayLike | None) -> None:
        """Takes in values (samples, ...), which targets y have."""
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
        """What it keeps, as it is now: the sum of values, and their number."""
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
