"""Settings and data for tests of each metric, and for comparisons with Keras."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from op_cases import row_outputs, row_targets

from nncore import metrics
from nncore.common.rows import LOSSES, METRICS
from nncore.metrics.counting import Counting

# Of metrics made of counts, each of those that have them.
COUNTING: list[dict[str, Any]] = [
    {},
    {"thresholds": [0.2, 0.5, 0.9]},
    {"thresholds": [0.8, 0.1]},
    {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]},
    {"top_k": 2},
    {"top_k": 3, "thresholds": 0.4},
    {"class_id": 1},
    {"class_id": 3, "top_k": 2, "thresholds": [0.3, 0.6]},
    {"num_thresholds": 2},
    {"num_thresholds": 5},
    {"curve": "PR"},
    {"curve": "PRGAIN"},
    {"curve": "PR", "summation_method": "minoring"},
    {"curve": "PR", "summation_method": "majoring"},
    {"summation_method": "minoring"},
    {"summation_method": "majoring", "thresholds": [0.7, 0.3]},
    {"multi_label": True},
    {"multi_label": True, "num_labels": 4, "label_weights": [0.5, 1.0, 2.0, 0.0]},
    {"multi_label": True, "curve": "PR", "label_weights": [0.5, 1.0, 2.0, 1.0]},
    {"label_weights": [0.5, 1.0, 2.0, 1.0]},
    {"from_logits": True, "num_thresholds": 20},
    {"average": "micro", "threshold": 0.4},
    {"average": "weighted"},
    {"average": "macro", "threshold": 0.7},
    {"average": None},
    {"average": "macro", "beta": 2.0},
]
Settings = dict[str, Any]


def counts(cls: type[metrics.Metric]) -> bool:
    return issubclass(cls, Counting)


def has(cls: type[metrics.Metric], settings: Settings) -> bool:
    return settings.keys() <= inspect.signature(cls).parameters.keys()


# Of metrics of sums, which run in Python.
SUMMED: dict[str, list[dict[str, Any]]] = {
    "IoU": [
        {"num_classes": 2, "target_class_ids": [1]},
        {"num_classes": 3, "target_class_ids": [0, 2], "ignore_class": 1},
        {"num_classes": 4, "target_class_ids": [1, 3], "sparse_y_true": False, "sparse_y_pred": False},
    ],
    "BinaryIoU": [{}, {"target_class_ids": [0], "threshold": 0.3}],
    "MeanIoU": [{"num_classes": 2}, {"num_classes": 5, "ignore_class": 0}, {"num_classes": 1}],
    "OneHotIoU": [{"num_classes": 4, "target_class_ids": [0, 1]}],
    "OneHotMeanIoU": [{"num_classes": 4}, {"num_classes": 4, "ignore_class": 2}],
    "R2Score": [
        {},
        {"class_aggregation": None},
        {"class_aggregation": "variance_weighted_average", "num_regressors": 3},
    ],
}


def required(cls: type[metrics.Metric]) -> list[str]:
    """Arguments without a default."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.default is p.empty]


def copied(result: Any) -> Any:
    """A copy of a result: in Keras, some results change with the next update."""
    return np.array(result)


def complete(cls: type[metrics.Metric]) -> Callable[..., Any]:
    """A function that makes the metric with settings for a single value."""
    if "average" in inspect.signature(cls).parameters:
        return partial(cls, average="micro", threshold=0.5)
    if cls.in_python:
        return partial(cls, **SUMMED[cls.__name__][0])
    return partial(cls, **dict.fromkeys(required(cls), 0.6)) if required(cls) else cls


def settings_for(cls: type[metrics.Metric]) -> list[Settings]:
    if not counts(cls):
        function = cls._function
        assert function is not None
        return [{}, *{**LOSSES, **METRICS}[function.__name__].variants]
    needed = dict.fromkeys(required(cls), 0.6)
    tried = [{**needed, **settings} for settings in COUNTING if has(cls, settings)]
    return [s for s in tried if s] if has(cls, {"average": None}) else tried


def inputs_of(cls: type[metrics.Metric]) -> str:
    function = cls._function
    return {**LOSSES, **METRICS}[function.__name__].inputs if function is not None else "bits"


def columns(cls: type[metrics.Metric]) -> int:
    """The number of columns: one more than the default k."""
    return 6 if "k" in inspect.signature(cls).parameters else 4


def data(cls: type[metrics.Metric], settings: Settings, rows: int = 12) -> tuple[Any, Any]:
    """Targets and predictions (rows, columns), some of which are thresholds."""
    rng, inputs = np.random.default_rng(5), inputs_of(cls)
    y = row_targets(rng, inputs, (rows, columns(cls)))
    p = row_outputs(rng, inputs, (rows, columns(cls)), settings.get("from_logits", False))
    return y, p.round(1)


NAMES = {
    name: sorted(n for n, c in metrics.BY_NAME.items() if c is cls) for name, cls in metrics.CLASSES.items()
}
