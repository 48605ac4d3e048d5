"""Regularizers: penalties on weights and on the outputs of layers. They can be called on arrays, too.

``Dense(8, kernel_regularizer="l2", activity_regularizer=L1(1e-4))``. Training minimises, and `fit` and
`evaluate` report, the sum of the loss of the outputs, the penalties of all trainable weights as they are
before the update, and for each call of a layer with an `activity_regularizer` the penalty of its output
divided by the number of samples in the batch.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .common import described
from .common.absent import answer
from .common.arguments import choice, number
from .common.arrays import Shape, Wide, numbers
from .common.described import Described


class Regularizer(Described):
    """Base class of regularizers. Subclasses outside nncore raise TypeError: regularizers are compiled."""

    _abstract = True
    _uncalled = "__call__"
    _instead = "Use a regularizer of nncore.regularizers, such as L1L2(l1, l2)"
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ()  # settings to test besides the defaults

    def __call__(self, x: ArrayLike) -> float:
        """The penalty of an array of any shape.

        Raises:
            TypeError: x does not hold real numbers.
        """
        owner = type(self).__name__
        array = numbers(owner, "x", x)
        self.spec(owner, array.shape)
        return float(self.value(array.astype(np.float64)))

    def value(self, x: Wide) -> float:
        """The penalty of x: the reference for the compiled code."""
        raise NotImplementedError

    def slope(self, x: Wide) -> Wide:
        """The gradient of the penalty with respect to x."""
        raise NotImplementedError

    def spec(self, owner: str, shape: Shape) -> tuple[str, dict[str, Any]]:
        """Kind and settings for the compiled core. ValueError if weights of this shape do not fit."""
        raise NotImplementedError

    def check_activity(self, owner: str) -> None:
        """ValueError unless the regularizer can penalize outputs of layers."""


class L1L2(Regularizer, aliases=("l1_l2",)):
    """l1 * sum(|x|) + l2 * sum(x^2); the gradient is l1 * sign(x) + 2 * l2 * x.

    Args:
        l1, l2: factors, at least 0; default 0. None stands for 0.

    >>> L1L2(l1=1, l2=0.5)([1, -2])
    5.5
    """

    _variants: ClassVar[tuple[dict[str, Any], ...]] = ({"l1": 0.03, "l2": 0.02}, {"l2": 0.05})

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = number("L1L2", "l1", 0.0 if l1 is None else l1, low=0.0)
        self.l2 = number("L1L2", "l2", 0.0 if l2 is None else l2, low=0.0)

    def value(self, x: Wide) -> float:
        ones = self.l1 * np.abs(x).sum() if self.l1 else 0.0
        return float(ones + (self.l2 * np.square(x).sum() if self.l2 else 0.0))

    def slope(self, x: Wide) -> Wide:
        return np.asarray(self.l1 * np.sign(x) + 2.0 * self.l2 * x)

    def spec(self, owner: str, shape: Shape) -> tuple[str, dict[str, Any]]:
        if self.l1 and self.l2:
            return "l1_l2", {"l1": self.l1, "l2": self.l2}
        return ("l2", {"l2": self.l2}) if self.l2 else ("l1", {"l1": self.l1})


class L1(L1L2):
    """l1 * sum(|x|) (the lasso, Tibshirani 1996); the gradient is l1 * sign(x).

    Args:
        l1: factor, at least 0; default 0.01, which None stands for too.

    >>> L1(0.5)([1, -3])
    2.0
    """

    _variants = ({"l1": 0.05},)

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1, self.l2 = number("L1", "l1", 0.01 if l1 is None else l1, low=0.0), 0.0


class L2(L1L2):
    """l2 * sum(x^2) (ridge regression, Hoerl and Kennard 1970); the gradient is 2 * l2 * x.

    Args:
        l2: factor, at least 0; default 0.01, which None stands for too.

    >>> L2(0.5)([1, -3])
    5.0
    """

    _variants = ({"l2": 0.05},)

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l1, self.l2 = 0.0, number("L2", "l2", 0.01 if l2 is None else l2, low=0.0)


class OrthogonalRegularizer(Regularizer):
    """Penalizes rows or columns of a matrix, such as a kernel of Dense, that are not orthogonal.

    The penalty is factor times the mean of |n_i . n_j| over all pairs, where n_i are the vectors divided by
    their norms (at least 1e-7). The gradient of a vector of norm 0 is 0; in Keras it is NaN.

    Args:
        factor: at least 0; default 0.01.
        mode: "rows" (default) or "columns".

    >>> round(OrthogonalRegularizer(1)([[1, 0], [3, 4]]), 6)
    0.6
    """

    _variants = ({"factor": 0.3}, {"factor": 0.5, "mode": "columns"})

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = number("OrthogonalRegularizer", "factor", factor, low=0.0)
        self.mode = choice("OrthogonalRegularizer", "mode", mode, ["rows", "columns"])

    def _normalized(self, x: Wide) -> tuple[Wide, Wide, float]:
        """Normalized vectors, the inverse norms, and the number of pairs."""
        vectors = x if self.mode == "rows" else x.T
        squares = np.square(vectors).sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            inverse = np.minimum(1.0 / np.sqrt(squares), 1e7)
        return vectors * inverse, inverse, len(vectors) * (len(vectors) - 1) / 2.0

    def value(self, x: Wide) -> float:
        n, _, pairs = self._normalized(x)
        products = np.abs(n @ n.T)
        np.fill_diagonal(products, 0.0)
        return float(self.factor * 0.5 * products.sum() / pairs)

    def slope(self, x: Wide) -> Wide:
        n, inverse, pairs = self._normalized(x)
        signs = np.sign(n @ n.T)
        np.fill_diagonal(signs, 0.0)
        d = signs @ n
        along = np.where(inverse < 1e7, (d * n).sum(axis=1, keepdims=True), 0.0) * n
        slope = self.factor / pairs * inverse * (d - along)
        return slope if self.mode == "rows" else slope.T

    def spec(self, owner: str, shape: Shape) -> tuple[str, dict[str, Any]]:
        if len(shape) != 2 or shape[self.mode == "columns"] < 2:
            raise ValueError(
                f"[{owner}] OrthogonalRegularizer expects a matrix of 2 {self.mode} or more, got {shape}"
            )
        return "orthogonal_regularizer", {"factor": self.factor, "columns": int(self.mode == "columns")}

    def check_activity(self, owner: str) -> None:
        raise ValueError(
            f"[{owner}] activity_regularizer=OrthogonalRegularizer is not available, as it compares the "
            "samples of a batch: use it as kernel_regularizer"
        )


l1, l2, l1_l2 = L1, L2, L1L2  # as Keras has them
orthogonal_regularizer = OrthogonalRegularizer

CLASSES = described.classes(Regularizer)
__all__ = [*CLASSES, "Regularizer", "get", "l1", "l1_l2", "l2", "orthogonal_regularizer"]
answer(__name__)


def get(
    identifier: str | Regularizer | type[Regularizer] | None, owner: str = "regularizers.get"
) -> Regularizer | None:
    """The regularizer for a name ("l2" or "L2"), a class or an instance; None for None.

    Raises:
        ValueError: there is no regularizer of that name.
        TypeError: the identifier is something else, such as a function.

    >>> get("l2")
    L2(l2=0.01)
    """
    return None if identifier is None else described.get(owner, Regularizer, identifier)
