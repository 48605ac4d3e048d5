"""`EarlyStopping`."""

from __future__ import annotations

from typing import Literal

from ..common.arguments import boolean, integer, number
from ..common.arrays import Floats
from ..common.messages import say
from .callback import Logs
from .monitor import Monitor


class EarlyStopping(Monitor):
    """Ends the training when a value has stopped improving.

    Args:
        monitor: name in the logs; default "val_loss".
        min_delta: least change that counts as better; default 0.
        patience: epochs without a better value after which training ends; default 0.
        verbose: 1 prints a line when training ends; default 0.
        mode: "min", "max" or "auto" (default), which follows from the name. For a model of another library
            the name must be "loss", an accuracy or a metric of nncore.
        baseline: only values better than this count; default none.
        restore_best_weights: True sets the weights of the best epoch at the end; default False.
        start_from_epoch: epochs before this do not count; default 0.

    The model needs only ``get_weights``, ``set_weights`` and ``stop_training``.

    Raises:
        ValueError: before training, if mode is "auto" and does not follow from the name.
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
        super().__init__(monitor, mode, min_delta)
        owner = "EarlyStopping"
        self.patience = integer(owner, "patience", patience, low=0)
        self.verbose = int(verbose)
        self.baseline = None if baseline is None else number(owner, "baseline", baseline)
        self.restore_best_weights = boolean(owner, "restore_best_weights", restore_best_weights)
        self.start_from_epoch = integer(owner, "start_from_epoch", start_from_epoch, low=0)
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: list[Floats] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()
        self._find_direction()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self._current(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self._better(current, self.best):
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
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                say(f"Back to the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
