"""`EarlyStopping`."""

from __future__ import annotations

import math
from typing import Literal

from .. import metrics
from ..common.arguments import boolean, choice, integer, number
from ..common.arrays import Floats
from ..common.messages import warn
from .callback import Callback, Logs


class EarlyStopping(Callback):
    """Ends the training when a value has stopped to improve.

    Args:
        monitor: name in the logs; default "val_loss".
        min_delta: least change that counts as better; default 0.
        patience: epochs without a better value after which training ends; default 0.
        verbose: 1 tells on the screen when it ends; default 0.
        mode: "min", "max" or "auto" (default): known from the name, also that of another library's model if
            it is "loss", an accuracy or a metric of nncore.
        baseline: only values better than this count; default none.
        restore_best_weights: back to the weights of the best epoch at the end; default False.
        start_from_epoch: epochs before this do not count; default 0.

    Of the model it needs ``get_weights``, ``set_weights`` and ``stop_training`` alone.

    Raises:
        ValueError: before training, if mode is "auto" and the name does not tell.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: Literal["auto", "min", "max"] = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        owner = "EarlyStopping"
        if not isinstance(monitor, str):
            raise TypeError(f"[{owner}] monitor must be a string, got {monitor!r}")
        self.monitor = monitor
        self.min_delta = abs(number(owner, "min_delta", min_delta))
        self.patience = integer(owner, "patience", patience, low=0)
        self.verbose = int(verbose)
        self.mode = choice(owner, "mode", mode, ["auto", "min", "max"])
        self.baseline = None if baseline is None else number(owner, "baseline", baseline)
        self.restore_best_weights = boolean(owner, "restore_best_weights", restore_best_weights)
        self.start_from_epoch = integer(owner, "start_from_epoch", start_from_epoch, low=0)
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Floats] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()
        mode = self._direction() if self.mode == "auto" else self.mode
        self._sign = {"min": -1.0, "max": 1.0}[mode]

    def _direction(self) -> str:
        """What the model says of the name. If it is not one of nncore, only names known to all tell."""
        name = self.monitor.removeprefix("val_")
        known = self.directions
        if known is None:
            known = {"loss": "min", **{key: metric.direction for key, metric in metrics.BY_NAME.items()}}
            higher = {"acc", "accuracy", *(key for key, direction in known.items() if direction == "max")}
            if higher & set(name.lower().split("_")):
                return "max"
        if name not in known:
            raise ValueError(
                f"[EarlyStopping] monitor={self.monitor!r} is not among {sorted(known)}, so mode must "
                "be 'min' or 'max'"
            )
        return known[name]

    def _better(self, value: float, than: float | None) -> bool:
        return than is None or self._sign * (value - than) > self.min_delta

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = (logs or {}).get(self.monitor)
        if current is None:
            warn(f"[EarlyStopping] {self.monitor!r} is not in the logs: there are {', '.join(logs or {})}")
            return
        if getattr(current, "ndim", 0):
            raise ValueError(f"[EarlyStopping] expected one value of {self.monitor!r}, got {current}")
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if not math.isnan(current) and self._better(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self._better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Back to the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
