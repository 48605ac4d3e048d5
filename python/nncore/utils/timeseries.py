"""Windows of a time series as batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.absent import explains
from ..common.arguments import choice, integer
from ..common.arrays import plain
from .batches import Dataset, generator, in_batches


@explains
def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Batches of windows of a series: x[i, j] is data[i * stride + j * rate], y[i] is targets[i * stride].

    Args:
        data: of shape (time steps, ...).
        targets: the target of the window that begins at each time step, or None for x alone.
        sequence_length: time steps of a window.
        sequence_stride: time steps from one window to the next; default 1.
        sampling_rate: time steps between neighbours in a window; default 1.
        batch_size: default 128; None for single windows.
        shuffle: another order of the windows in each pass; default False.
        seed: of that order; default drawn from NumPy's global generator.
        start_index, end_index: the part of the series to take; default all.
        format: "tf" or "grain": both give the same here.

    Returns:
        A `Dataset` of x of shape (n, sequence_length, ...), or of (x, y).

    Raises:
        TypeError, ValueError: an argument is no whole number, or outside of the series.

    >>> for x, y in timeseries_dataset_from_array(np.arange(10), np.arange(10) + 3, 3, sequence_stride=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8]] [3, 5, 7, 9]
    """
    owner = "timeseries_dataset_from_array"
    data = plain(owner, "data", data)
    last, length = len(data) - 1, integer(owner, "sequence_length", sequence_length)
    stride = integer(owner, "sequence_stride", sequence_stride, high=last)
    rate = integer(owner, "sampling_rate", sampling_rate, high=last)
    start = integer(owner, "start_index", start_index or 0, low=0, high=last)
    end = integer(owner, "end_index", end_index, low=start + 1, high=last) if end_index else len(data)
    choice(owner, "format", format, ("tf", "grain"))
    if batch_size is not None:
        batch_size = integer(owner, "batch_size", batch_size)
    windows = end - start - (length - 1) * rate
    if targets is not None:
        targets = plain(owner, "targets", targets)
        windows = min(windows, len(targets))
    begins = np.arange(start, start + max(0, windows), stride)

    def fetch(rows: NDArray[np.int64]) -> Any:
        x = data[begins[rows, None] + np.arange(length) * rate]
        return x if targets is None else (x, targets[begins[rows]])

    return in_batches(len(begins), batch_size, fetch, generator(seed) if shuffle else None)
