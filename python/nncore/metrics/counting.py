"""Metrics computed from counts at thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..common import arrays, names
from ..common.arguments import boolean, choice, integer, number, several
from ..common.readings import Reading
from ._base import Floats, Metric

__all__ = [
    "AUC",
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "Recall",
    "TrueNegatives",
    "TruePositives",
]

_CURVES = ("roc", "pr", "prgain")
_METHODS = ("interpolation", "majoring", "minoring")


class Counting(Metric, aliases=None):
    """A formula over the weights of true and false positives and negatives at thresholds.

    The core counts, in double precision and in the order of the samples.
    """

    _abstract = True
    top_k: int | None = None
    class_id: int | None = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: list[float] | None = None
    from_logits: bool = False
    thresholds: list[float]
    _given: list[float] | None = None  # the argument thresholds
    _kept: ClassVar[tuple[str, ...]] = (
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
    )

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(names.automatic(type(self).__name__) if name is None else name, dtype)

    def _checked(self, thresholds: float | Sequence[float] | None) -> list[float] | None:
        if thresholds is None:
            return None
        each = several(thresholds) or (thresholds,)
        return [number(type(self).__name__, "thresholds", t, 0.0, 1.0) for t in each]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {**super().get_config(), "thresholds": self._given}

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._counter = _core.Counter(self.spec())

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Adds samples.

        Args:
            y_true: targets, positive where they are not 0.
            y_pred: predictions of the same shape (samples, ..., labels). One may lack the other's last axis,
                if its length is 1.
            sample_weight: weights of the predictions, or of their first axes; or one for all.

        Raises:
            TypeError: an argument has values that are no real numbers.
            ValueError: the shapes do not fit.
        """
        y, p = (np.asarray(a, np.float32, "C") for a in arrays.paired(self.name, y_true, y_pred))
        if y.shape != p.shape or not p.ndim:
            raise ValueError(
                f"[{self.name}] y_true and y_pred must be of one shape (samples, ...), got {y.shape} and "
                f"{p.shape}"
            )
        apart = self.multi_label or self.class_id is not None or self.label_weights is not None
        if apart and p.ndim < 2:
            raise ValueError(f"[{self.name}] expected y_pred of shape (samples, ..., labels), got {p.shape}")
        columns = p.shape[-1] if apart or self.top_k is not None or p.ndim > 1 else 1
        weights = None
        if sample_weight is not None:
            counted = p if self.class_id is None else p[..., :1]
            given = arrays.weights_of(self.name, sample_weight, counted, y).astype(np.float32)
            rest = (1,) * (counted.ndim - given.ndim)
            weights = np.broadcast_to(given.reshape(given.shape + rest), counted.shape)
        if p.size:
            rows = (-1, columns)
            try:
                self._counter.count(y.reshape(rows), p.reshape(rows), weights)
            except ValueError as error:
                raise ValueError(f"[{self.name}] {error}") from None

    @property
    def variables(self) -> list[Reading]:
        """Copies of the state: weights of true and false positives at each threshold."""
        totals = np.reshape(self._counter.totals, (-1, 2, len(self.thresholds) + 1))
        above = totals[..., ::-1].cumsum(axis=-1)[..., ::-1]  # at least so many thresholds
        place = np.argsort(np.argsort(self.thresholds, kind="stable"), kind="stable") + 1
        tp, fp = above[:, 1].T[place], above[:, 0].T[place]
        counts = {
            "true_positives": tp, "false_positives": fp, "true_negatives": above[:, 0, 0] - fp,
            "false_negatives": above[:, 1, 0] - tp,
        }  # fmt: skip
        apart = self.multi_label or tp.shape[1] > 1
        each = {name: counts[name] if apart else counts[name][:, 0] for name in self._kept}
        return [Reading(f"{self.name}/{name}", value) for name, value in each.items()]

    def result(self) -> Any:
        """The value over all samples so far: a float, or with several thresholds an array."""
        return self._counter.result()

    def spec(self) -> _core.Spec:
        kind = next(names.snake_case(c.__name__) for c in type(self).__mro__ if c in self._known.values())
        return kind, {
            "thresholds": tuple(self.thresholds),
            "top_k": -1 if self.top_k is None else self.top_k,
            "class_id": -1 if self.class_id is None else self.class_id,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels or 0,
            "label_weights": tuple(self.label_weights or ()),
            "from_logits": self.from_logits,
        }

    @staticmethod
    def _ratio(part: Floats, whole: Floats) -> Floats:
        """part / whole, and 0 where the whole is 0."""
        return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        """The formula in NumPy, of arrays (thresholds, labels): (..., labels)."""
        raise NotImplementedError


class _AtThresholds(Counting):
    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        self._given = self._checked(thresholds)
        self.thresholds = self._given or [0.5 if top_k is None else -1e10]  # below all predictions
        self.top_k = None if top_k is None else integer(owner, "top_k", top_k)
        self.class_id = None if class_id is None else integer(owner, "class_id", class_id, low=0)
        super().__init__(name, dtype)


class Precision(_AtThresholds):
    """Share of positive targets among the positive predictions: tp / (tp + fp), 0 without any.

    Args:
        thresholds: predictions above it are positive; default 0.5. Of several in [0, 1] each gives a value.
        top_k: only the k largest predictions of a row can be positive, by default whatever their size.
        class_id: column of targets and predictions that counts; default all.
        name: default "precision", then "precision_1", ...
        dtype: None or "float32".

    >>> Precision()([0, 1, 1, 1], [0.9, 0.3, 0.8, 0.7])
    0.6666666666666666
    """

    _kept = ("true_positives", "false_positives")

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._ratio(tp, tp + fp)


class Recall(_AtThresholds):
    """Share of positive predictions among the positive targets: tp / (tp + fn), 0 without any.

    Args:
        thresholds: predictions above it are positive; default 0.5. Of several in [0, 1] each gives a value.
        top_k: only the k largest predictions of a row can be positive, by default whatever their size.
        class_id: column of targets and predictions that counts; default all.
        name: default "recall", then "recall_1", ...
        dtype: None or "float32".

    >>> Recall()([0, 1, 1, 1], [0.9, 0.3, 0.8, 0.7])
    0.6666666666666666
    """

    _kept = ("true_positives", "false_negatives")

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return self._ratio(tp, tp + fn)


class _Number(Counting):
    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        self._given = self._checked(thresholds)
        self.thresholds = self._given or [0.5]
        super().__init__(name, dtype)


class TruePositives(_Number):
    """Weight of the predictions above a threshold whose target is not 0.

    Args:
        thresholds: default 0.5. Of several in [0, 1] each gives a value.
        name: default "true_positives", then "true_positives_1", ...
        dtype: None or "float32".

    >>> TruePositives()([0, 1, 1, 1], [0.9, 0.3, 0.8, 0.7])
    2.0
    """

    _kept = ("true_positives",)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return tp


class TrueNegatives(_Number):
    """Weight of the other predictions, whose target is 0. Arguments as `TruePositives`."""

    _kept = ("true_negatives",)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return tn


class FalsePositives(_Number):
    """Weight of the predictions above a threshold whose target is 0. Arguments as `TruePositives`."""

    direction = "min"
    _kept = ("false_positives",)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return fp


class FalseNegatives(_Number):
    """Weight of the other predictions, whose target is not 0. Arguments as `TruePositives`."""

    direction = "min"
    _kept = ("false_negatives",)

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        return fn


class AUC(Counting):
    """Area under a curve through counts at thresholds.

    Args:
        num_thresholds: evenly spaced from 0 to 1, at least 2; default 200.
        curve: "ROC" (default; recall over the share of negative targets that count as positive), "PR"
            (precision over recall) or "PRGAIN" (their gains over a constant prediction; Flach and Kull 2015).
        summation_method: height between two points: "interpolation" (default; with "PR" as Davis and Goadrich
            2006 derive it), "majoring" or "minoring", the higher or the lower of both.
        name: default "auc", then "auc_1", ...
        dtype: None or "float32".
        thresholds: numbers in [0, 1] instead of num_thresholds; 0 and 1 are added at the ends.
        multi_label: True counts each label separately and returns the mean of the areas; default False.
        num_labels: with multi_label; default as many as the predictions have.
        label_weights: of the labels; default 1 for all.
        from_logits: predictions are the sigmoid of y_pred; default False.

    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        last = integer("AUC", "num_thresholds", num_thresholds, low=2) - 1
        self._given = sorted(self._checked(thresholds) or ()) or None
        self.thresholds = [-1e-7, *(self._given or [i / last for i in range(1, last)]), 1.0 + 1e-7]
        self.num_thresholds = len(self.thresholds)
        self.curve = choice("AUC", "curve", curve, _CURVES).upper()
        self.summation_method = choice("AUC", "summation_method", summation_method, _METHODS)
        self.multi_label = boolean("AUC", "multi_label", multi_label)
        if num_labels is not None and not self.multi_label:
            raise ValueError("[AUC] num_labels is for multi_label=True")
        self.num_labels = None if num_labels is None else integer("AUC", "num_labels", num_labels)
        if label_weights is not None:
            self.label_weights = [number("AUC", "label_weights", w, low=0.0) for w in label_weights]
        self.from_logits = boolean("AUC", "from_logits", from_logits)
        super().__init__(name, dtype)

    def spec(self) -> _core.Spec:
        kind, attributes = super().spec()
        curve, method = _CURVES.index(self.curve.lower()), _METHODS.index(self.summation_method)
        return kind, {**attributes, "curve": curve, "summation_method": method}

    def _reference(self, tp: Floats, fp: Floats, tn: Floats, fn: Floats) -> Floats:
        ratio, positives, predicted = self._ratio, tp + fn, tp + fp
        precision, recall = ratio(tp, predicted), ratio(tp, positives)
        if self.curve == "PR" and self.summation_method == "interpolation":
            more, (start, end) = -np.diff(tp, axis=0), (predicted[:-1], predicted[1:])
            slope = ratio(more, start - end)
            widths = np.where(end > 0, np.log(np.maximum(start, 1e-300) / np.where(end > 0, end, 1.0)), 0.0)
            areas = ratio(slope * (more + (tp[1:] - slope * end) * widths), positives[1:])
            return np.asarray(areas.sum(axis=0))
        x, y = (recall, precision) if self.curve == "PR" else (ratio(fp, fp + tn), recall)
        if self.curve == "PRGAIN":
            odds = ratio(positives, tn + fp)
            x = np.where(tp == 0, 0.0, np.maximum(1.0 - odds * ratio(fn, tp), 0.0))
            y = np.where(tp == 0, 1.0, 1.0 - odds * ratio(fp, tp))
        height = {"interpolation": np.add, "majoring": np.maximum, "minoring": np.minimum}[
            self.summation_method
        ]
        heights = height(y[:-1], y[1:]) / (2.0 if height is np.add else 1.0)
        return np.asarray((-np.diff(x, axis=0) * heights).sum(axis=0))
