"""Callbacks that save a model to files while it trains."""

from __future__ import annotations

import contextlib
import os
import string
from pathlib import Path
from typing import Literal

import numpy as np

from ..common import files
from ..common.arguments import boolean, integer, number
from ..common.messages import say, warn
from .callback import Callback, Logs
from .monitor import Monitor


class _Frequency:
    """Counts batches, to save after every save_freq of them."""

    def __init__(self, owner: str, save_freq: object) -> None:
        self.each_epoch = save_freq == "epoch"
        self._every = self._unsaved = 0
        if not self.each_epoch:
            if isinstance(save_freq, bool) or not hasattr(save_freq, "__index__"):
                raise ValueError(
                    f"[{owner}] save_freq must be 'epoch' or a number of batches, got {save_freq!r}"
                )
            self._every = integer(owner, "save_freq", save_freq)

    def due(self) -> bool:
        """Counts a batch, and returns whether to save now."""
        self._unsaved += 1
        if self.each_epoch or self._unsaved < self._every:
            return False
        self._unsaved = 0
        return True


class ModelCheckpoint(Monitor):
    """Saves the model during training, at the end of each epoch or after every save_freq batches.

    If the process ends while saving, the file before is still complete. A model loaded from a file continues
    training as this model would, bit for bit.

    Args:
        filepath: name of the file, as in `Model.save`. Names in braces are replaced by the number of the
            epoch, from 1, by values of the logs and, if save_freq is a number, by the number of the batch,
            from 1: ``"{epoch:02d}-{val_loss:.2f}.safetensors"``. Missing folders are created.
        monitor: name in the logs, for save_best_only; default "val_loss".
        verbose: 1 prints what is saved; default 0.
        save_best_only: True saves only if the value is the best so far; default False.
        save_weights_only: True calls `Model.save_weights` instead of `Model.save`; default False.
        mode: "min", "max" or "auto" (default), which follows from the name.
        save_freq: "epoch" (default), or a number of batches.
        initial_value_threshold: only values better than this are saved; default none.

    Raises:
        ValueError: filepath has a format that is not available or wrong braces, or save_freq is neither
            "epoch" nor a number of batches; before training, if mode is "auto" and does not follow from the
            name.
        KeyError: in training, if filepath names a value that is not in the logs.
        OSError: in training, if the file cannot be written.

    Example::

        best = ModelCheckpoint("best.safetensors", monitor="val_accuracy", save_best_only=True)
        model.fit(x, y, epochs=10, validation_split=0.1, callbacks=[best])
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Literal["auto", "min", "max"] = "auto",
        save_freq: Literal["epoch"] | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        owner = "ModelCheckpoint"
        if initial_value_threshold is not None:
            number(owner, "initial_value_threshold", initial_value_threshold)
        super().__init__(monitor, mode, best=initial_value_threshold)
        weights_only = boolean(owner, "save_weights_only", save_weights_only)
        self.filepath = files.model_path(owner, filepath, weights_only)
        try:
            list(string.Formatter().parse(self.filepath))
        except ValueError as error:
            raise ValueError(f"[{owner}] filepath={self.filepath!r}: {error}") from None
        self.verbose = int(verbose)
        self.save_best_only = boolean(owner, "save_best_only", save_best_only)
        self.save_weights_only = weights_only
        self.save_freq = save_freq
        self._frequency = _Frequency(owner, save_freq)
        self.watches_batches = not self._frequency.each_epoch
        self._epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.save_best_only:
            self._find_direction()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._frequency.due():
            self._save(self._epoch, logs or {}, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._frequency.each_epoch:
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: Logs, **batch: int) -> None:
        values = {**logs, "epoch": epoch + 1, **batch}
        try:
            path = self.filepath.format(**values)
        except KeyError as error:
            raise KeyError(
                f"[ModelCheckpoint] filepath={self.filepath!r} names {error}, and there are "
                f"{', '.join(sorted(values))}"
            ) from None
        if self.save_best_only and not self._is_best(logs):
            if self.verbose:
                say(f"Epoch {epoch + 1}: {self.monitor} is not better than {self.best}")
            return
        if folder := os.path.dirname(path):
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            say(f"Epoch {epoch + 1}: the model is saved as {path}")

    def _is_best(self, logs: Logs) -> bool:
        """Whether the value is the best so far; True with a warning if it is missing or no single number."""
        current = logs.get(self.monitor)
        if current is None or np.ndim(current):
            warn(
                f"[ModelCheckpoint] saves without regard to {self.monitor!r}, which "
                + ("is not in the logs" if current is None else f"is not one value: {current}")
            )
            return True
        if not self._better(current, self.best):
            return False
        self.best = current
        return True


class BackupAndRestore(Callback):
    """Backs up the state of a training, so that an interrupted training resumes and ends with the same bits.

    If there is a backup when `fit` begins, the model gets its weights, the optimizer's state, the learning
    rate and the seed from it, and training resumes after the batch where the backup was made. The program
    must build and compile the model and call `fit` as before. A source of batches is read again up to that
    batch, but an iterator continues where it is.

    Put it last among the callbacks, so that the backup contains the changes of others at the end of an epoch.
    It does not contain what they count: `EarlyStopping`, for example, starts again.

    Args:
        backup_dir: a folder for this backup alone, which is created. If the process ends while saving, the
            file before is still complete.
        save_freq: "epoch" (default), or a number of batches.
        double_checkpoint: True keeps the last two backups, and resumes from the older one if the newer one is
            damaged; default False.
        delete_checkpoint: True (default) removes the backup at the end of the training.

    Raises:
        ValueError: backup_dir is empty, or save_freq is neither "epoch" nor a number of batches; when a
            training begins, if the backup is damaged or of another model. The model then stays as it was.
        OSError: in training, if the backup cannot be written.

    Example::

        model.fit(x, y, epochs=100, callbacks=[BackupAndRestore("backup", save_freq=1000)])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Literal["epoch"] | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        owner = "BackupAndRestore"
        if not backup_dir:
            raise ValueError(f"[{owner}] backup_dir must be the name of a folder, got {backup_dir!r}")
        self.backup_dir = files.path_of(backup_dir)
        self.save_freq = save_freq
        self._frequency = _Frequency(owner, save_freq)
        self.watches_batches = not self._frequency.each_epoch
        self.double_checkpoint = boolean(owner, "double_checkpoint", double_checkpoint)
        self.delete_checkpoint = boolean(owner, "delete_checkpoint", delete_checkpoint)
        self._file = Path(self.backup_dir) / "latest.safetensors"
        self._previous = Path(self.backup_dir) / "previous.safetensors"
        self._epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self.course or self.course() is None:
            raise ValueError("[BackupAndRestore] works in `fit` alone: save the model in a loop of your own")
        found = [path for path in (self._file, self._previous) if path.is_file()]
        for path in found:
            try:
                self.course().restore(path)
                return
            except (ValueError, OSError) as error:
                if path is found[-1]:
                    raise
                warn(f"[BackupAndRestore] goes on from the backup before the last one: {error}")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._frequency.due():
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._frequency.each_epoch:
            self._save(epoch + 1, 0)

    def _save(self, epoch: int, batch: int) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and self._file.is_file():
            last = self._file.read_bytes()
            files.replace(str(self._previous), lambda file: file.write(last))
        data = self.course().to_bytes(epoch, batch)
        files.replace(str(self._file), lambda file: file.write(data))

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            for path in (self._file, self._previous):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the folder is not empty, or does not exist
                os.rmdir(self.backup_dir)
