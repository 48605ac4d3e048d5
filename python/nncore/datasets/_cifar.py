"""Reads the archives of the CIFAR data sets."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import File, unpickle

Pairs = tuple[tuple[NDArray[np.uint8], NDArray[Any]], tuple[NDArray[np.uint8], NDArray[Any]]]


def load(source: File, folder: str, train: Sequence[str], test: str, labels: str, dtype: type) -> Pairs:
    """Images (count, 32, 32, 3) and labels (count, 1) of `dtype`, from the batches in an archive."""
    with tarfile.open(source.path()) as archive:

        def read(*parts: str) -> tuple[NDArray[np.uint8], NDArray[Any]]:
            files: Any = [archive.extractfile(f"{folder}/{part}") for part in parts]
            batches = [unpickle(io.BytesIO(file.read())) for file in files]
            x = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
            y = np.concatenate([batch[labels.encode()] for batch in batches])
            return np.ascontiguousarray(x.transpose(0, 2, 3, 1)), y.astype(dtype)[:, None]

        return read(*train), read(test)
