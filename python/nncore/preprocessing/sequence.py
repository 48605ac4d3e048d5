"""Sequences: `pad_sequences` of `nncore.utils`, and windows of a series by their index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.absent import answer
from ..common.arguments import boolean, integer
from ..common.arrays import plain
from ..utils.batches import PyDataset
from ..utils.sequences import pad_sequences

__all__ = ["TimeseriesGenerator", "pad_sequences"]

answer(__name__)


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a series, each with the target that follows it, with the interface of Keras 2.

    Args:
        data: of shape (time steps, ...).
        targets: one for each time step.
        length: time steps that a window spans.
        sampling_rate: time steps between neighbours in a window; default 1.
        stride: time steps from one window to the next; default 1.
        start_index: first time step to use; default 0.
        end_index: last time step whose target is used; default the last one.
        shuffle: True draws windows at random, with repetitions; default False.
        reverse: time runs backwards within a window; default False.
        batch_size: default 128.

    Raises:
        ValueError: data and targets differ in length, or there is no window.

    >>> x, y = TimeseriesGenerator(np.arange(6), np.arange(6), length=3)[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3], [2, 3, 4]], [3, 4, 5])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        super().__init__()
        owner = "TimeseriesGenerator"
        self.data, self.targets = plain(owner, "data", data), plain(owner, "targets", targets)
        if len(self.data) != len(self.targets):
            raise ValueError(
                f"[{owner}] data and targets must be of one length, got {len(self.data)}, {len(self.targets)}"
            )
        self.length, self.stride = integer(owner, "length", length), integer(owner, "stride", stride)
        self.sampling_rate = integer(owner, "sampling_rate", sampling_rate)
        self.start_index = integer(owner, "start_index", start_index, low=0) + self.length
        self.end_index = len(self.data) - 1 if end_index is None else integer(owner, "end_index", end_index)
        self.shuffle, self.reverse = boolean(owner, "shuffle", shuffle), boolean(owner, "reverse", reverse)
        self.batch_size = integer(owner, "batch_size", batch_size)
        if self.start_index > self.end_index:
            raise ValueError(f"[{owner}] a window of {self.length} and its target need more time steps")

    def __len__(self) -> int:
        steps = self.end_index - self.start_index + self.batch_size * self.stride
        return steps // (self.batch_size * self.stride)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, self.batch_size)  # noqa: NPY002
        else:
            first = self.start_index + self.batch_size * self.stride * index
            stop = min(first + self.batch_size * self.stride, self.end_index + 1)
            rows = np.arange(first, stop, self.stride)
        x = self.data[rows[:, None] + np.arange(-self.length, 0, self.sampling_rate)]
        return x[:, ::-1] if self.reverse else x, self.targets[rows]
