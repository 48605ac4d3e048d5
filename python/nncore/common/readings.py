"""What an optimizer or a metric keeps, as users read it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .absent import Explained


class Reading(Explained):
    """A value as it was when it was asked for, with what Keras' variables have to read it.

    Attributes:
        path: "adam/iteration"; name: its last part.
        shape, dtype: of the value.
    """

    def __init__(self, path: str, value: ArrayLike, dtype: str = "float32") -> None:
        self.path, self.name = path, path.rpartition("/")[2]
        self._value: NDArray[Any] = np.array(value, dtype)
        self.shape, self.dtype = self._value.shape, dtype

    def numpy(self) -> NDArray[Any]:
        """A copy of the value."""
        return self._value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self._value.astype(self._value.dtype if dtype is None else dtype)

    def __float__(self) -> float:
        return float(self._value)

    def __repr__(self) -> str:
        return f"<Reading path={self.path}, shape={self.shape}, dtype={self.dtype}>"


class Held(Reading, np.lib.mixins.NDArrayOperatorsMixin):
    """A variable of a metric that runs in Python, which can be changed. NumPy takes it for its value."""

    @property
    def value(self) -> NDArray[Any]:
        """A copy of the value."""
        return self.numpy()

    def assign(self, value: ArrayLike) -> Held:
        """Sets the value. ValueError if its shape is another one."""
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ValueError(f"[{self.path}] expected a value of shape {self.shape}, got {array.shape}")
        self._value = array.astype(self.dtype)
        return self

    def assign_add(self, value: ArrayLike) -> Held:
        """Adds to the value."""
        return self.assign(self._value + np.asarray(value))

    def assign_sub(self, value: ArrayLike) -> Held:
        """Subtracts from the value."""
        return self.assign(self._value - np.asarray(value))

    def __getitem__(self, at: Any) -> Any:
        return self._value[at]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        given = [each._value if isinstance(each, Held) else each for each in inputs]
        return getattr(ufunc, method)(*given, **options)
