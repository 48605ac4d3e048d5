"""The logs of a training as a CSV file."""

from __future__ import annotations

import csv
import os
from typing import IO, Any

import numpy as np

from ..common.arguments import boolean, text
from ..common.files import path_of
from .callback import Callback, Logs


class CSVLogger(Callback):
    """Writes the logs of each epoch as a line of a CSV file: the epoch, from 0, and the values by name.

    The columns are the names in the first epoch; if it has no validation, columns "val_..." are added for
    later epochs. A missing value is "NA".

    Args:
        filename: the file. Its folder must exist.
        separator: a character; default ",".
        append: True appends to an existing file; False (default) replaces it.

    Raises:
        ValueError: separator is not one character.
        OSError: when training begins, if the file cannot be written.

    Example::

        model.fit(x, y, epochs=10, callbacks=[CSVLogger("log.csv")])
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = path_of(filename)
        self.sep = text("CSVLogger", "separator", separator)
        if len(self.sep) != 1:
            raise ValueError(f"[CSVLogger] separator must be one character, got {separator!r}")
        self.append = boolean("CSVLogger", "append", append)
        self._file: IO[str] | None = None
        self._keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._close()
        self._file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115
        self._keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._file is None:
            return
        logs = logs or {}
        writer = csv.writer(self._file, delimiter=self.sep)
        if self._keys is None:
            self._keys = sorted(logs)
            if not any(key.startswith("val_") for key in self._keys):
                self._keys += [f"val_{key}" for key in self._keys]
            if self._file.tell() == 0:
                writer.writerow(["epoch", *self._keys])
        writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self._keys)])
        self._file.flush()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()


def _cell(value: Any) -> Any:
    return f'"[{", ".join(map(str, value))}]"' if np.ndim(value) else value
