"""Means and sums of values that a program computes itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..common import arrays
from ._base import Metric

__all__ = ["Mean", "Sum"]


class _OfValues(Metric):
    """Base class of `Mean` and `Sum`."""

    _abstract = True
    _reduce: Callable[..., Any]

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Adds values.

        Args:
            values: (samples, ...), or one number.
            sample_weight: weights of the values, or of their first axes; or one for all.

        Raises:
            TypeError: an argument has values that are no real numbers.
            ValueError: the shapes do not fit.
        """
        v = np.asarray(arrays.numbers(self.name, "values", values), np.float64)
        if sample_weight is not None:
            w = np.asarray(arrays.numbers(self.name, "sample_weight", sample_weight), np.float64)
            if w.ndim == v.ndim + 1 and w.shape[-1] == 1:
                w = w[..., 0]
            v = self._over(v, w.ndim)
            try:
                w = np.broadcast_to(w, v.shape)
            except ValueError:
                raise ValueError(
                    f"[{self.name}] sample_weight {w.shape} does not fit values {v.shape}"
                ) from None
            v, w = v * w, self._over(w, 1)
        else:
            w = np.ones(v.shape[:1])
        self._sum += float(self._over(v, 1).sum())
        self._count += float(w.sum())

    def _over(self, values: NDArray[Any], first: int) -> NDArray[Any]:
        """The mean or sum over the axes from `first` on."""
        return np.asarray(type(self)._reduce(values, axis=tuple(range(first, values.ndim))))

    def __call__(self, *args: Any, **given: Any) -> float:
        """`update_state`, then `result`."""
        self.update_state(*args, **given)
        return self.result()

    def spec(self) -> _core.Spec:
        raise TypeError(
            f"[{self.name}] {type(self).__name__} takes values, and no targets and outputs: it cannot be a "
            "metric of compile"
        )


class Mean(_OfValues):
    """Mean of values, weighted if there are weights.

    Args:
        name: default "mean".
        dtype: None or "float32".

    >>> m = Mean()
    >>> m.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> m.result()
    2.0
    """

    _abstract = True
    _reduce = staticmethod(np.mean)


class Sum(_OfValues):
    """Sum of values, weighted if there are weights.

    Args:
        name: default "sum".
        dtype: None or "float32".

    >>> Sum()([1, 3, 5, 7])
    16.0
    """

    _abstract = True
    _reduce = staticmethod(np.sum)

    def result(self) -> float:
        """Sum so far."""
        return self._sum
