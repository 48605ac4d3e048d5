"""Callbacks that watch whether a value in the logs becomes better."""

from __future__ import annotations

import math
from typing import Any

from .. import metrics
from ..common.arguments import choice, number, text
from ..common.messages import warn
from .callback import Callback, Logs


class Monitor(Callback):
    """Base class of callbacks that compare a value in the logs with the best so far.

    Args:
        monitor: name in the logs.
        mode: "min", "max" or "auto", which follows from the name. For a model of another library the name
            must be "loss", an accuracy or a metric of nncore.
        min_delta: least change that counts as better.
        best: the first value to compare with.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0, best: float | None = None) -> None:
        super().__init__()
        owner = type(self).__name__
        self.monitor = text(owner, "monitor", monitor)
        self.mode = choice(owner, "mode", mode, ["auto", "min", "max"])
        self.min_delta = abs(number(owner, "min_delta", min_delta))
        self.best = best

    def _find_direction(self) -> None:
        """Sets the direction. ValueError if mode is "auto" and does not follow from the name."""
        mode = self._direction() if self.mode == "auto" else self.mode
        self._sign = {"min": -1.0, "max": 1.0}[mode]

    def _direction(self) -> str:
        """The direction of the name: the model's, or for another library's model that of a common name."""
        name = self.monitor.removeprefix("val_")
        known = self.directions
        if known is None:
            known = {"loss": "min", **{key: metric.direction for key, metric in metrics.BY_NAME.items()}}
            higher = {"acc", "accuracy", *(key for key, direction in known.items() if direction == "max")}
            if higher & set(name.lower().split("_")):
                return "max"
        if name not in known:
            raise ValueError(
                f"[{type(self).__name__}] monitor={self.monitor!r} is not among {sorted(known)}, so mode "
                "must be 'min' or 'max'"
            )
        return known[name]

    def _better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another; NaN never is."""
        if math.isnan(value):
            return False
        return than is None or self._sign * value - self.min_delta > self._sign * than

    def _current(self, logs: Logs | None) -> Any:
        """The value in the logs, or None with a warning. ValueError if it is not one number."""
        owner, current = type(self).__name__, (logs or {}).get(self.monitor)
        if current is None:
            warn(f"[{owner}] {self.monitor!r} is not in the logs: there are {', '.join(logs or {})}")
        elif getattr(current, "ndim", 0):
            raise ValueError(f"[{owner}] expected one value of {self.monitor!r}, got {current}")
        return current
