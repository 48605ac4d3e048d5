"""The metrics of nncore, with settings and data on which each is tested, and compared with Keras."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from op_cases import row_outputs, row_targets

from nncore import metrics
from nncore.common.rows import LOSSES, METRICS
from nncore.metrics.counting import _Counting

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
]
Settings = dict[str, Any]


def counts(cls: type[metrics.Metric]) -> bool:
    return issubclass(cls, _Counting)


def has(cls: type[metrics.Metric], settings: Settings) -> bool:
    return settings.keys() <= inspect.signature(cls).parameters.keys()


def settings_for(cls: type[metrics.Metric]) -> list[Settings]:
    if not counts(cls):
        function = cls._function
        assert function is not None
        return [{}, *{**LOSSES, **METRICS}[function.__name__].variants]
    return [settings for settings in COUNTING if has(cls, settings)]


def inputs_of(cls: type[metrics.Metric]) -> str:
    function = cls._function
    return {**LOSSES, **METRICS}[function.__name__].inputs if function is not None else "bits"


def data(cls: type[metrics.Metric], settings: Settings, rows: int = 12) -> tuple[Any, Any]:
    """Targets and predictions (rows, 4), some of which are thresholds."""
    rng, inputs = np.random.default_rng(5), inputs_of(cls)
    y = row_targets(rng, inputs, (rows, 4))
    p = row_outputs(rng, inputs, (rows, 4), settings.get("from_logits", False))
    return y, p.round(1)


NAMES = {
    name: sorted(n for n, c in metrics.BY_NAME.items() if c is cls) for name, cls in metrics.CLASSES.items()
}
