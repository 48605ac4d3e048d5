"""Metrics of sums over all samples that are no means: overlaps of classes, and R2. They run in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common import arrays
from ..common.arguments import boolean, choice, integer, number, require_default, several
from ..common.messages import warn
from ..common.names import automatic
from ..common.readings import Reading
from ._base import Metric

__all__ = ["BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "R2Score"]

_LEAST = 1e-7


class IoU(Metric):
    """Mean over some classes of tp / (tp + fp + fn): how far targets and predictions of a class overlap.

    Classes without targets and predictions are left out. Pairs are counted, with their weights, in a table of
    targets and predictions.

    Args:
        num_classes: pairs with a number that is negative or not below it do not count.
        target_class_ids: the classes whose mean is taken.
        name: default "io_u" with a running number.
        dtype: None, "float32" or "int32", all the same here.
        ignore_class: targets of this class do not count; default none.
        sparse_y_true: targets are class numbers (default); False: the largest of a last axis says the class.
        sparse_y_pred: the same of predictions; fractions of class numbers are cut off.
        axis: -1; others are not available.

    >>> m = IoU(num_classes=2, target_class_ids=[0])
    >>> round(m([0, 0, 1, 1], [0, 1, 0, 1]), 3)
    0.333
    """

    in_python = True
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    ignore_class: int | None = None
    axis: int = -1

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        owner = type(self).__name__
        self.num_classes = integer(owner, "num_classes", num_classes, high=2**15)
        if not (given := several(target_class_ids)):
            raise ValueError(
                f"[{owner}] target_class_ids must be a list of classes, got {target_class_ids!r}"
            )
        last = self.num_classes - 1
        self.target_class_ids = [integer(owner, "target_class_ids", i, 0, last) for i in given]
        if ignore_class is not None:
            self.ignore_class = integer(owner, "ignore_class", ignore_class, low=-(2**31))
        self.sparse_y_true = boolean(owner, "sparse_y_true", sparse_y_true)
        self.sparse_y_pred = boolean(owner, "sparse_y_pred", sparse_y_pred)
        require_default(owner, "axis", axis, -1)
        dtype = None if dtype in ("int", "int32", "int64") else dtype
        super().__init__(automatic(owner) if name is None else name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._table = np.zeros((self.num_classes, self.num_classes))

    @property
    def variables(self) -> list[Reading]:
        """The weights of pairs (targets, predictions) so far."""
        return [Reading(f"{self.name}/total_confusion_matrix", self._table)]

    @property
    def totals(self) -> list[float]:
        """The numbers of `variables`."""
        return self._table.reshape(-1).tolist()

    @totals.setter
    def totals(self, totals: list[float]) -> None:
        self._table = np.reshape(totals, self._table.shape)

    def _classes(self, what: str, given: Any, is_sparse: bool) -> NDArray[np.int64]:
        array = arrays.numbers(self.name, what, given)
        if not is_sparse:
            if not array.ndim:
                raise ValueError(f"[{self.name}] {what} must have an axis of classes")
            return np.asarray(array.argmax(axis=-1), np.int64)
        return np.nan_to_num(np.asarray(array, np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0).astype(
            np.int64
        )

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Takes in more samples.

        Args:
            y_true, y_pred: classes, as sparse_y_true and sparse_y_pred say.
            sample_weight: weights of the targets, or of their first axes; or one for all. (Keras takes the
                whole part of each weight.)

        Raises:
            TypeError: something does not hold real numbers.
            ValueError: the numbers of targets, predictions and weights do not fit.
        """
        y = self._classes("y_true", y_true, self.sparse_y_true)
        p = self._classes("y_pred", y_pred, self.sparse_y_pred).reshape(-1)
        if y.size != p.size:
            raise ValueError(f"[{self.name}] there are {y.size} targets and {p.size} predictions")
        weights: NDArray[Any] = np.ones(y.shape)
        if sample_weight is not None:
            given = arrays.weights_of(self.name, sample_weight, y, y)
            weights = np.broadcast_to(given.reshape(given.shape + (1,) * (y.ndim - given.ndim)), y.shape)
        y, weights = y.reshape(-1), weights.reshape(-1)
        kept = (y >= 0) & (y < self.num_classes) & (p >= 0) & (p < self.num_classes)
        if self.ignore_class is not None:
            kept &= y != self.ignore_class
        pairs = y[kept] * self.num_classes + p[kept]
        counted = np.bincount(pairs, weights[kept], self.num_classes**2)
        self._table = self._table + counted.reshape(self._table.shape)

    def result(self) -> float:
        """The mean so far, 0 if there were no samples of these classes."""
        hits = np.diag(self._table)
        union = (self._table.sum(axis=0) + self._table.sum(axis=1) - hits)[self.target_class_ids]
        there = union > 1e-9
        overlaps = np.where(there, hits[self.target_class_ids] / (union + _LEAST), 0.0)
        return float(overlaps.sum() / (there.sum() + _LEAST))


class BinaryIoU(IoU):
    """As `IoU` of two classes, of predictions that are 1 where they are at least a threshold.

    Args:
        target_class_ids: of 0 and 1; default both.
        threshold: default 0.5.
        name: default "binary_io_u" with a running number.
        dtype: None or "float32".

    >>> round(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 3)
    0.333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.threshold = number("BinaryIoU", "threshold", threshold)
        super().__init__(2, target_class_ids, name, dtype)

    def _classes(self, what: str, given: Any, is_sparse: bool) -> NDArray[np.int64]:
        if what == "y_pred":
            given = arrays.numbers(self.name, what, given) >= self.threshold
        return super()._classes(what, given, is_sparse)


class MeanIoU(IoU):
    """As `IoU` of all classes.

    Args:
        num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis, dtype: as `IoU`.
        name: default "mean_io_u" with a running number.

    >>> round(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 3)
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        count = integer(type(self).__name__, "num_classes", num_classes, high=2**15)
        super().__init__(count, range(count), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """As `IoU`, of one-hot targets, and of predictions whose largest says the class.

    Args:
        num_classes, target_class_ids, ignore_class, sparse_y_pred, axis, dtype: as `IoU`, but sparse_y_pred
            is False by default.
        name: default "one_hot_io_u" with a running number.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """As `MeanIoU`, of one-hot targets, and of predictions whose largest says the class.

    Args:
        num_classes, ignore_class, sparse_y_pred, axis, dtype: as `OneHotIoU`.
        name: default "one_hot_mean_io_u" with a running number.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)


_AGGREGATIONS = ("uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 - sum((y_true - y_pred)^2) / sum((y_true - mean)^2) of each output: the coefficient of determination.

    Args:
        class_aggregation: "uniform_average" (default): the mean over outputs; "variance_weighted_average":
            each weighted by its sum((y_true - mean)^2); None: an array of all.
        num_regressors: p gives the adjusted score 1 - (1 - score) * (n - 1) / (n - p - 1) of n targets;
            default 0.
        name: default "r2_score".
        dtype: None or "float32".

    >>> round(R2Score()([[1], [4], [3]], [[2], [4], [4]]), 4)
    0.5714
    """

    in_python = True

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        if class_aggregation is not None:
            class_aggregation = choice("R2Score", "class_aggregation", class_aggregation, _AGGREGATIONS)
        self.class_aggregation = class_aggregation
        self.num_regressors = integer("R2Score", "num_regressors", num_regressors, low=0)
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._targets = 0  # how many
        # Of each output: squares of targets, targets, squared errors, weights. No columns before the first.
        self._sums = np.zeros((4, 0))

    @property
    def variables(self) -> list[Reading]:
        """The number of targets, and sums over them for each output."""
        names = ["squared_sum", "sum", "residual", "count"] if self._sums.size else []
        found = [Reading(f"{self.name}/num_samples", self._targets)]
        return [*found, *(Reading(f"{self.name}/{name}", each) for name, each in zip(names, self._sums))]

    @property
    def totals(self) -> list[float]:
        """The numbers of `variables`."""
        return [float(self._targets), *self._sums.reshape(-1).tolist()]

    @totals.setter
    def totals(self, totals: list[float]) -> None:
        self._targets, self._sums = int(totals[0]), np.reshape(totals[1:], (4, -1))

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Takes in more samples.

        Args:
            y_true, y_pred: (samples, outputs). One may lack the other's last axis, if its length is 1.
            sample_weight: (samples,) or (samples, outputs), or one for all.

        Raises:
            TypeError: something does not hold real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = (np.asarray(a, np.float64) for a in arrays.paired(self.name, y_true, y_pred))
        known = self._sums.shape[1]
        if y.ndim != 2 or y.shape != p.shape or known not in (0, y.shape[1]):
            expected = f"(samples, {known or 'outputs'})"
            raise ValueError(
                f"[{self.name}] expected y_true and y_pred of shape {expected}, got {y.shape} and {p.shape}"
            )
        w = np.ones(y.shape)
        if sample_weight is not None:
            given = arrays.weights_of(self.name, sample_weight, y, y)
            w = np.broadcast_to(given[:, np.newaxis] if given.ndim == 1 else given, y.shape)
        found = np.stack([part.sum(axis=0) for part in (w * y * y, w * y, w * (y - p) ** 2, w)])
        self._sums = found if not known else self._sums + found
        self._targets += y.size

    def result(self) -> Any:
        """The score so far: a float, or with class_aggregation=None an array."""
        squares, sums, residuals, weights = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            total = squares - sums * (sums / weights)
            scores: Any = 1.0 - residuals / total
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "variance_weighted_average":
                scores = (total * scores).sum() / total.sum()
            elif self.class_aggregation is not None:
                scores = scores.mean() if scores.size else np.nan
        n, p = self._targets, self.num_regressors
        if p and n - p - 1 <= 0:
            warn(f"[{self.name}] has {n} targets for {p} regressors: the score is not adjusted")
        elif p:
            scores = 1.0 - (1.0 - scores) * (n - 1.0) / (n - p - 1.0)
        return float(scores) if np.ndim(scores) == 0 else scores.astype(np.float32)
