"""Callbacks that change the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..common.arguments import integer, number
from ..common.messages import say
from .callback import Callback, Logs
from .monitor import Monitor


def _optimizer_of(callback: Callback) -> Any:
    optimizer = callback.model.optimizer
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(f"[{type(callback).__name__}] the model has no optimizer with a learning rate")
    return optimizer


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch, and adds "learning_rate" to the logs.

    Args:
        schedule: a function of the epoch, from 0, and the current learning rate, or of the epoch alone, that
            returns the new learning rate as a float.
        verbose: 1 prints the learning rate; default 0.

    Raises:
        TypeError: schedule is no function, or the optimizer has a schedule already.
        ValueError: in training, if schedule returns no float, or an invalid learning rate.

    >>> from nncore import Sequential, layers
    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> halves = LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0, callbacks=[halves])
    >>> [round(rate, 6) for rate in history.history["learning_rate"]]
    [0.005, 0.0025]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"[LearningRateScheduler] schedule must be a function, got {schedule!r}")
        self.schedule = schedule
        self.verbose = int(verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = _optimizer_of(self)
        try:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # the error comes from within the function
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.float32)):
            raise ValueError(f"[LearningRateScheduler] schedule must give a float, got {rate!r}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            say(f"Epoch {epoch + 1}: the learning rate is {rate}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(_optimizer_of(self).learning_rate)


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a value has stopped improving, and adds "learning_rate" to the logs.

    Args:
        monitor: name in the logs; default "val_loss".
        factor: below 1, default 0.1: the new learning rate is ``rate * factor``.
        patience: epochs without a better value after which the rate is lowered; default 10.
        verbose: 1 prints the new learning rate; default 0.
        mode: "min", "max" or "auto" (default), which follows from the name.
        min_delta: least change that counts as better; default 1e-4.
        cooldown: epochs after a change that do not count for patience; default 0.
        min_lr: least learning rate; default 0.

    Raises:
        ValueError: factor is not below 1; before training, if mode is "auto" and does not follow from the
            name.
        TypeError: in training, if the optimizer has a schedule.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: Literal["auto", "min", "max"] = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        owner = "ReduceLROnPlateau"
        self.factor = number(owner, "factor", factor, 0.0, 1.0, below=True)
        self.patience = integer(owner, "patience", patience, low=0)
        self.verbose = int(verbose)
        self.cooldown = integer(owner, "cooldown", cooldown, low=0)
        self.min_lr = number(owner, "min_lr", min_lr, low=0.0)
        self.wait = self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None
        self.wait = self.cooldown_counter = 0
        self._find_direction()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer, logs = _optimizer_of(self), {} if logs is None else logs
        rate = logs["learning_rate"] = float(optimizer.learning_rate)
        current = self._current(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._better(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    say(f"Epoch {epoch + 1}: the learning rate is lowered to {optimizer.learning_rate}")
