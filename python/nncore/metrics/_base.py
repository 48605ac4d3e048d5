"""What metrics share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core, _data, _names
from .._arguments import neutral
from .._operations import settings_of
from .._overrides import Compiled, outside
from .._rows import row_spec

Floats = NDArray[Any]  # float32, and float64 from the reference


CLASSES: dict[str, type[Metric]] = {}
_BY_NAME: dict[str, type[Metric]] = {}


class Metric(Compiled):
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
        "Use a metric of nncore.metrics, or compute yours from model.predict(x) in on_epoch_end of a callback"
    )
    _function: ClassVar[Callable[..., Floats] | None] = None
    _direction: ClassVar[str] = "max"

    def __init_subclass__(cls, aliases: tuple[str, ...] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        if not outside(cls) and not cls.__name__.startswith("_"):
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
        return row_spec(self.name, function, **self._arguments())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {**self._arguments(), "name": self.name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"
