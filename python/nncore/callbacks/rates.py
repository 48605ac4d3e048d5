"""Callbacks that change the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..common.messages import say
from .callback import Callback, Logs


def _optimizer_of(callback: Callback) -> Any:
    optimizer = callback.model.optimizer
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(f"[{type(callback).__name__}] the model has no optimizer with a learning rate")
    return optimizer


class LearningRateScheduler(Callback):
    """Sets the learning rate at the begin of each epoch. The logs, and so the history, get "learning_rate".

    Args:
        schedule: a function of the epoch, from 0, and the learning rate at that time, or of the epoch alone,
            that gives the new one as a float.
        verbose: 1 tells on the screen; default 0.

    Raises:
        TypeError: schedule is no function, or the optimizer has a schedule already.
        ValueError: in training, if schedule gives no float, or one that no learning rate can be.

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
                raise  # from within the function
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.float32)):
            raise ValueError(f"[LearningRateScheduler] schedule must give a float, got {rate!r}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            say(f"Epoch {epoch + 1}: the learning rate is {rate}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(_optimizer_of(self).learning_rate)
