"""CIFAR-100: 60,000 photographs of 100 kinds of things in 20 groups, by A. Krizhevsky."""

from __future__ import annotations

import numpy as np

from ..common.absent import answer
from ..common.arguments import choice
from . import _cifar
from ._files import File

__all__ = ["load_data"]
answer(__name__)

_FILE = File(
    "cifar100",
    ("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)


def load_data(label_mode: str = "fine") -> _cifar.Pairs:
    """CIFAR-100 as ``((x_train, y_train), (x_test, y_test))``.

    ``x_train`` (50000, 32, 32, 3) and ``x_test`` (10000, 32, 32, 3): uint8. ``y_train`` (50000, 1) and
    ``y_test`` (10000, 1): int64.

    Args:
        label_mode: "fine", labels 0 to 99 (default), or "coarse", labels 0 to 19 of the groups.

    ``cifar-100-python.tar.gz`` (169 MB) is found or downloaded as `nncore.datasets.cifar10.load_data` does
    it, in a folder ``cifar100``.

    Raises:
        ValueError: another label_mode; or as `nncore.datasets.cifar10.load_data`.
        ConnectionError, ImportError, OSError: the same.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.cifar100.load_data("coarse")
    """
    labels = f"{choice('cifar100', 'label_mode', label_mode, ('fine', 'coarse'))}_labels"
    return _cifar.load(_FILE, "cifar-100-python", ["train"], "test", labels, np.int64)
