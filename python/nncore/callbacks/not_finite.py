"""`TerminateOnNaN`."""

from __future__ import annotations

import math

from ..common.arguments import boolean
from ..common.messages import say
from .callback import Callback, Logs


class TerminateOnNaN(Callback):
    """Ends the training after a batch whose loss is NaN or infinite.

    It prints which layer was the first whose values are not finite, which is found by running the layers on
    that batch. The batch makes no update: the model keeps its last weights.

    Args:
        raise_error: True raises RuntimeError at once, and other callbacks are not called at the end; False
            (default) ends the training as ``model.stop_training = True`` does.

    Raises:
        RuntimeError: in training, with raise_error, if the loss is not finite.

    >>> import numpy as np
    >>> from nncore import Sequential, layers
    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.full((4, 2), np.nan)
    >>> history = model.fit(x, np.ones(4), verbose=0, callbacks=[TerminateOnNaN()])
    Batch 0: the loss is nan, so the training ends. The batch has inputs that are not finite
    """

    watches_batches = False  # `fit` calls `loss_is_not_finite`

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = boolean("TerminateOnNaN", "raise_error", raise_error)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.course and (course := self.course()):
            course.watchers.append(self)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Checks the loss in a custom training loop."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss) and not (self.course and self.course()):
            self._end(batch, loss, "")

    def loss_is_not_finite(self, batch: int, loss: float, why: str) -> None:
        """Called by `fit`. why: a sentence on the first values that are not finite."""
        self._end(batch, loss, f". {why}")

    def _end(self, batch: int, loss: float, why: str) -> None:
        text = f"Batch {batch}: the loss is {loss}, so the training ends{why}"
        if self.raise_error:
            raise RuntimeError(f"[TerminateOnNaN] {text}")
        say(text)
        self.model.stop_training = True
