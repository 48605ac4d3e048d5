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
