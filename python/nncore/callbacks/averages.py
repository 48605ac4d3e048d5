"""Evaluation with the averages of weights that an optimizer keeps."""

from __future__ import annotations

from ..common.arguments import boolean
from ..common.arrays import Floats
from .callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the averages of an optimizer with ``use_ema=True`` in place of the weights.

    Args:
        swap_on_epoch: True puts the averages there also between the end of an epoch and the next epoch,
            so that a `ModelCheckpoint` after this one saves the averages; default False.

    Raises:
        ValueError: in use, if the optimizer has no averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = boolean("SwapEMAWeights", "swap_on_epoch", swap_on_epoch)
        self._weights: list[Floats] | None = None  # the weights, while the averages replace them

    def _take(self) -> None:
        optimizer = self.model.optimizer
        if optimizer is None or not optimizer.use_ema:
            raise ValueError("[SwapEMAWeights] the model needs an optimizer with use_ema=True")
        if self._weights is None:
            self._weights = self.model.get_weights()
            optimizer.finalize_variable_values()

    def _give_back(self) -> None:
        if self._weights is not None:
            self.model.set_weights(self._weights)
            self._weights = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._give_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._take()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._weights = None  # when `fit` ends, the optimizer itself puts the averages in place

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._take()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._give_back()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._take()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._give_back()
