"""Progress of custom training loops."""

from __future__ import annotations

from ..common.progress import Progbar
from .callback import Callback, Logs


class ProgbarLogger(Callback):
    """Shows the progress of a training loop that calls a `CallbackList`, by `nncore.utils.Progbar`.

    `fit`, `evaluate` and `predict` show their progress without it, as their argument verbose says.
    """

    only_alone = True

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progbar | None = None
        self._trains = False  # True in training, when evaluations are silent

    def _begin(self) -> None:
        self._bar = Progbar(self.params.get("steps"), verbose=self.params.get("verbose", 1))

    def _end(self, logs: Logs | None) -> None:
        if self._bar is not None:
            self._bar.finish((logs or {}).items())

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._trains = True
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._end(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._trains = False

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._trains:
            self._begin()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._trains:
            self._end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end(None)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.update(batch + 1, (logs or {}).items(), finalize=False)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._trains:
            self.on_batch_end(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch)
