"""What losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core, _data, _names
from .._arguments import checked, neutral, only
from .._operations import settings_of
from .._overrides import Compiled, outside
from .._rows import row_of, row_spec

Floats = NDArray[Any]  # float32, and float64 from the reference


def mean(values: Floats) -> Floats:
    """Over the last axis."""
    return np.asarray(values.mean(axis=-1))


CLASSES: dict[str, type[Loss]] = {}
_BY_NAME: dict[str, type[Loss]] = {}


class Loss(Compiled):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled."""

    _abstract = True
    _uncalled = "call __call__"
    _instead = "Use a loss of nncore.losses, with sample_weight or class_weight in fit"
    _function: ClassVar[Callable[..., Floats]]
    _settings: ClassVar[tuple[str, ...]]  # its arguments, which are attributes here

    def __init_subclass__(cls, aliases: tuple[str, ...] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        if not outside(cls) and "_function" in vars(cls):
            CLASSES[cls.__name__] = cls
            cls._settings = (*settings_of(cls._function),)
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
        found: float = checked(type(self).__name__, row_of(type(self)._function), {name: value})[name]
        return found

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._settings}

    def _spec(self) -> _core.Spec:
        return row_spec(self.name, type(self)._function, **self._arguments())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {**self._arguments(), "name": self.name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"
