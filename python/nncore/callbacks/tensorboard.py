"""The logs of a training as event files of TensorBoard.

The package tensorboardX writes them: it is maintained, and needs only NumPy and protobuf, while the package
tensorboard brings a server and its dependencies.
"""

from __future__ import annotations

import itertools
import os
import time
from typing import Any, Literal

import numpy as np

from ..common.arguments import boolean, integer, require_default
from ..common.files import path_of
from .callback import Callback, Logs

_NUMBERS = itertools.count()  # numbers of event files


class TensorBoard(Callback):
    """Writes loss, metrics and learning rate, and histograms of weights, for ``tensorboard --logdir logs``.

    Each epoch writes "epoch_loss" and so on, for training in the folder "train", for validation in the folder
    "validation". Each evaluation also writes "evaluation_loss_vs_iterations" there. For a metric with several
    values the mean is written.

    Needs the package tensorboardX: ``pip install tensorboardX``.

    Args:
        log_dir: the folder, which is created; default "logs".
        histogram_freq: number of epochs after which histograms of all weights are written; 0 (default) writes
            none.
        write_graph: has no effect: `nncore.plot.model` draws graphs.
        write_images: False only.
        write_steps_per_second: True also writes the steps per second; default False.
        update_freq: "epoch" (default), or a number of batches after which "batch_loss" and so on are also
            written; "batch" is 1.
        profile_batch, embeddings_freq: 0 only.
        embeddings_metadata: None only.

    Raises:
        ImportError: there is no tensorboardX.
        ValueError: an argument has a value that is not available.

    Example::

        model.fit(x, y, epochs=10, validation_split=0.1, callbacks=[TensorBoard("logs")])
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Literal["epoch", "batch"] | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        super().__init__()
        owner = "TensorBoard"
        self.log_dir = path_of(log_dir)
        self.histogram_freq = integer(owner, "histogram_freq", histogram_freq, low=0)
        self.write_graph = boolean(owner, "write_graph", write_graph)
        require_default(owner, "write_images", write_images, False)
        self.write_steps_per_second = boolean(owner, "write_steps_per_second", write_steps_per_second)
        if isinstance(update_freq, str) and update_freq not in ("epoch", "batch"):
            raise ValueError(
                f"[{owner}] update_freq must be 'epoch', 'batch' or a number, got {update_freq!r}"
            )
        self.update_freq: str | int = "epoch"
        if update_freq != "epoch":
            self.update_freq = 1 if update_freq == "batch" else integer(owner, "update_freq", update_freq)
        require_default(owner, "profile_batch", profile_batch, 0)
        require_default(owner, "embeddings_freq", embeddings_freq, 0)
        require_default(owner, "embeddings_metadata", embeddings_metadata, None)
        try:
            import tensorboardX
        except ImportError as error:
            raise ImportError(
                f"[{owner}] needs the package tensorboardX: pip install tensorboardX"
            ) from error
        self._new = tensorboardX.SummaryWriter
        self._writers: dict[str, Any] = {}
        self.watches_batches = self.update_freq != "epoch"
        self._trains = False
        self._batches = self._iterations = 0
        self._epoch_began = self._batch_began = 0.0

    def _write(self, folder: str, prefix: str, logs: Logs, step: int, suffix: str = "") -> None:
        writer = self._writer(folder)
        for name, value in logs.items():
            writer.add_scalar(f"{prefix}{name}{suffix}", float(np.mean(value)), step)

    def _writer(self, folder: str) -> Any:
        if folder not in self._writers:
            suffix = f".{os.getpid()}.{next(_NUMBERS)}"  # unique within a second
            path = os.path.join(self.log_dir, folder)
            self._writers[folder] = self._new(path, filename_suffix=suffix)
        return self._writers[folder]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._close()
        self._trains, self._batches = True, 0

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._trains = False
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch_began, self._iterations = time.perf_counter(), self._steps()

    def _steps(self) -> int:
        optimizer = self.model.optimizer
        return optimizer.iterations if optimizer is not None else 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        both = dict(logs or {})
        validation = {name[4:]: both.pop(name) for name in list(both) if name.startswith("val_")}
        if (optimizer := self.model.optimizer) is not None:
            both["learning_rate"] = float(optimizer.learning_rate)
        if self.write_steps_per_second:
            seconds = time.perf_counter() - self._epoch_began
            both["steps_per_second"] = (self._steps() - self._iterations) / seconds
        self._write("train", "epoch_", both, epoch)
        if validation:
            self._write("validation", "epoch_", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for weight, values in zip(self.model.weights, self.model.get_weights()):
                self._writer("train").add_histogram(f"{weight.path}/histogram", values, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if isinstance(self.update_freq, int) and self._batches % self.update_freq == 0:
            values = dict(logs or {})
            if self.write_steps_per_second:
                values["steps_per_second"] = 1 / (time.perf_counter() - self._batch_began)
            self._write("train", "batch_", values, self._batches)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._write("validation", "evaluation_", logs or {}, self._steps(), "_vs_iterations")
        if not self._trains:
            self._close()
