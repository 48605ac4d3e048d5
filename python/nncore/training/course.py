"""The state of a running `fit`, for callbacks that save it, resume from it, or inspect the last batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import _core
from ..common import whole
from ..graph.net import Net
from ..optimizers import Optimizer
from .feeds import Feed
from .functions import WithFunctions
from .settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


class Course:
    """The state of one call of `fit`.

    Attributes:
        feed: serves the data.
        sums: loss and metrics of the epoch.
        epoch: the current epoch; before the first one, the epoch to start with.
        made: steps of this epoch that were made before `fit` was called.
        watchers: callbacks that are called when a loss is not finite.
    """

    def __init__(
        self,
        net: Net,
        settings: Settings,
        network: _core.Network,
        feed: Feed,
        sums: _core.Sums,
        epoch: int,
    ) -> None:
        self.net, self.network, self.feed, self.sums, self.epoch = net, network, feed, sums, epoch
        self._settings = settings
        self.made = 0
        self.watchers: list[Any] = []
        self._amid: tuple[int, list[float], float | None] | None = None

    @property
    def optimizer(self) -> Optimizer:
        return self._settings.optimizer

    def totals(self) -> list[float]:
        """The sums as numbers."""
        own = self.sums.totals() if isinstance(self.sums, WithFunctions) else []
        return [*self.network.totals(self.sums), *own]

    def to_bytes(self, epoch: int, batch: int) -> bytes:
        """The state that `restore` takes, to resume at an epoch after a number of its batches."""
        with whole:
            from .backups import training_bytes
        return training_bytes(self, epoch, batch)

    def restore(self, path: Path) -> None:
        """Resumes the training at the state in a file.

        ValueError, and no change, if it is damaged or does not fit; OSError if it cannot be read.
        """
        with whole:
            from .backups import restore_training
        restore_training(self, path)

    def go_to(
        self, epoch: int, batch: int, position: dict[str, int], totals: list[float], rate: float | None
    ) -> None:
        """Sets the epoch to resume at; within an epoch also the batch, the sums and the learning rate."""
        self.epoch = epoch
        self.feed.restore(position, amid=batch > 0)
        self._amid = (batch, totals, rate) if batch else None

    def begin(self, epoch: int) -> None:
        """Begins an epoch, or resumes within it."""
        self.epoch, self.made, amid = epoch, 0, self._amid
        if amid is None:
            self.feed.start(self.net.epochs)
            self.net.epochs += 1
            return
        self._amid = None
        self.made, totals, rate = amid
        if isinstance(self.sums, WithFunctions):
            totals = self.sums.take_totals(totals)
        self.network.set_totals(self.sums, totals)
        if rate is not None:
            self.optimizer.learning_rate = rate  # callbacks may have changed it when the epoch began

    def watch(self, batch: int) -> None:
        """Calls the watchers if the loss of the last batch, which made no update, is not finite."""
        if math.isfinite(loss := self.network.results(self.sums)[0]):
            return
        with whole:
            from .diagnosis import first_not_finite

        why = first_not_finite(self.net, self._settings, self.network, self.feed.last())
        for watcher in self.watchers:
            watcher.loss_is_not_finite(batch, loss, why)
