"""Metrics computed from counts at thresholds: rates where another rate reaches a limit, and F scores."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..common.arguments import choice, integer, number
from ._base import Floats
from .counting import Counting

__all__ = [
    "F1Score",
    "FBetaScore",
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
]

_AVERAGES = ("macro", "weighted", "none", "micro")


class _Best(Counting):
    """The largest rate at evenly spaced thresholds where another rate is at least a limit, else 0."""

    _limit: ClassVar[str]  # the name of the argument

    def __init__(
        self, limit: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any
    ) -> None:
        owner = type(self).__name__
        setattr(self, self._limit, number(owner, self._limit, limit, 0.0, 1.0))
        self.num_thresholds = integer(owner, "num_thresholds", num_thresholds)
        last = self.num_thresholds - 1
        self.thresholds = [i / last for i in range(last + 1)] if last else [0.5]
        self.class_id = None if class_id is None else integer(owner, "class_id", class_id, low=0)
        super().__init__(name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {name: value for name, value in super().get_config().items() if name != "thresholds"}

    def spec(self) -> _core.Spec:
        kind, attributes = super().spec()
        return kind, {**attributes, self._limit: getattr(self, self._limit)}

    def _best(self, limited: Floats, rates: Floats) -> Floats:
        limit = np.float32(getattr(self, self._limit))
        found = np.where(limited.astype(np.float32) >= limit, rates, 0.0)
        return np.asarray(found.max(axis=0, initial=0.0))


class SensitivityAtSpecificity(_Best):
    """Largest sensitivity tp / (tp + fn) where the specificity tn / (tn + fp) is at least a limit.

    Args:
        specificity: the limit, in [0, 1].
        num_thresholds: evenly spaced from 0 to 1; default 200. Of 1 it is 0.5.
        class_id: column of targets and predictions that counts; default all.
        name: default "sensitivity_at_specificity", then "sensitivity_at_specificity_1", ...
        dtype: None or "float32".

    >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    _limit = "specificity"
    specificity: float

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._best(self._ratio(tn, tn + fp), self._ratio(tp, tp + fn))


class SpecificityAtSensitivity(_Best):
    """Largest specificity tn / (tn + fp) where the sensitivity tp / (tp + fn) is at least a limit.

    Args:
        sensitivity: the limit, in [0, 1].
        num_thresholds: evenly spaced from 0 to 1; default 200. Of 1 it is 0.5.
        class_id: column of targets and predictions that counts; default all.
        name: default "specificity_at_sensitivity", then "specificity_at_sensitivity_1", ...
        dtype: None or "float32".
    """

    _limit = "sensitivity"
    sensitivity: float

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._best(self._ratio(tp, tp + fn), self._ratio(tn, tn + fp))


class PrecisionAtRecall(_Best):
    """Largest precision tp / (tp + fp) where the recall tp / (tp + fn) is at least a limit.

    Args:
        recall: the limit, in [0, 1].
        num_thresholds: evenly spaced from 0 to 1; default 200. Of 1 it is 0.5.
        class_id: column of targets and predictions that counts; default all.
        name: default "precision_at_recall", then "precision_at_recall_1", ...
        dtype: None or "float32".
    """

    _limit = "recall"
    recall: float

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._best(self._ratio(tp, tp + fn), self._ratio(tp, tp + fp))


class RecallAtPrecision(_Best):
    """Largest recall tp / (tp + fn) where the precision tp / (tp + fp) is at least a limit.

    Args:
        precision: the limit, in [0, 1].
        num_thresholds: evenly spaced from 0 to 1; default 200. Of 1 it is 0.5.
        class_id: column of targets and predictions that counts; default all.
        name: default "recall_at_precision", then "recall_at_precision_1", ...
        dtype: None or "float32".
    """

    _limit = "precision"
    precision: float

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._best(self._ratio(tp, tp + fp), self._ratio(tp, tp + fn))


class FBetaScore(Counting):
    """(1 + beta^2) * precision * recall / (beta^2 * precision + recall) of each label, or their mean.

    Args:
        average: None (default) gives an array with a value for each label; "macro" their mean; "weighted"
            their mean weighted by the positive targets of the labels; "micro" one value of all labels counted
            together.
        beta: positive; the weight of recall relative to precision; default 1.
        threshold: in (0, 1]; predictions above it are positive. None (default): the largest of each row is.
        name: default "fbeta_score".
        dtype: None or "float32".

    >>> FBetaScore(average="macro")([[1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    0.6666666666666666
    """

    _kept = ("true_positives", "false_positives", "false_negatives")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        self.average = None if average is None else choice(owner, "average", average, _AVERAGES)
        self.beta = number(owner, "beta", beta, low=1e-30)
        self.threshold = None if threshold is None else number(owner, "threshold", threshold, 0.0, 1.0)
        self.multi_label = self.average != "micro"
        self.top_k = 1 if self.threshold is None else None
        self.thresholds = [-1e10 if self.threshold is None else self.threshold]
        super().__init__(name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {name: value for name, value in super().get_config().items() if name != "thresholds"}

    def spec(self) -> _core.Spec:
        _, attributes = super().spec()
        average = 0 if self.average == "micro" else _AVERAGES.index(self.average or "none")
        return "f_beta_score", {**attributes, "beta": self.beta, "average": average, "ties": True}

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        precision, recall = self._ratio(tp, tp + fp), self._ratio(tp, tp + fn)
        return (1.0 + self.beta**2) * self._ratio(precision * recall, self.beta**2 * precision + recall)


class F1Score(FBetaScore):
    """`FBetaScore` with beta 1, the harmonic mean of precision and recall. The other arguments are the same.

    >>> F1Score("micro", 0.5)([[1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    0.6666666666666666
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
