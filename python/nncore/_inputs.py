"""From what users have to arrays, and from arrays to feeds of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core, _data, _random
from ._arguments import integer, number
from ._data import Array
from ._feeds import Batches, Data, Feed, Rows
from ._stack import Stack

BATCH = 32


class Fed(Stack):
    """Layers that take data. See `nncore.Sequential`."""

    def _x(self, x: object) -> Array:
        array = _data.as_array(self.name, "x", x)
        sample = self._known_sample()
        if sample is None or array.ndim == len(sample) + 1:
            return array
        if isinstance(x, (list, tuple)) and len(x) == 1 and array.ndim == len(sample) + 2:
            array = array[0]  # [x], as for a model with a list of inputs
        fitted = _data.fit_rank(array, sample)
        if fitted is array and (array.shape == sample or (*array.shape, 1) == sample):
            raise ValueError(
                f"[{self.name}] expected samples of shape {sample}, got {array.shape[1:]}: x has no axis of "
                f"samples. {_data.ONE_SAMPLE}"
            )
        return fitted

    def _data(self, x: object, y: object, sample_weight: object, class_weight: object = None) -> Data:
        """Arrays for training or evaluation."""
        array = self._x(x)
        if y is None:
            raise ValueError(f"[{self.name}] y must be given")
        targets = _data.as_array(self.name, "y", y)
        if len(array) == 0:
            raise ValueError(f"[{self.name}] x has no samples: its shape is {array.shape}")
        if len(targets) != len(array):
            raise ValueError(
                f"[{self.name}] x and y must have the same number of samples, got {len(array)} and "
                f"{len(targets)}"
            )
        if sample_weight is not None and class_weight is not None:
            raise ValueError(f"[{self.name}] sample_weight and class_weight must not be given both")
        weights = None
        if sample_weight is not None:
            weights = _data.sample_weights(self.name, sample_weight, len(array))
        elif class_weight is not None:
            weights = _data.class_weights(self.name, class_weight, targets)
        return Data(array, targets, weights)

    def _checked(self, network: _core.Network, data: Data) -> None:
        try:
            network.check(data.x, data.y)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None

    def _feed(
        self,
        x: object,
        y: object,
        sample_weight: object,
        batch_size: int | None,
        steps: int | None,
        class_weight: object = None,
        shuffle: bool = False,
        resume: bool = False,
    ) -> tuple[Feed, Data]:
        """What serves the data, and the first of them, by which the network is built and checked."""
        owner = self.name
        size = None if batch_size is None else integer(owner, "batch_size", batch_size)
        limit = None if steps is None else integer(owner, "steps", steps)
        if not _data.is_batches(x):
            data = self._data(x, y, sample_weight, class_weight)
            rows = len(data.x)
            size = size or (-(-rows // limit) if limit else BATCH)
            order = (lambda epoch: self._order(epoch, rows)) if shuffle else None
            return Rows(data, size, limit, order, resume), data
        for name, value in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
            if value is not None:
                raise ValueError(f"[{owner}] {name} must not be given when x yields batches: they hold it")

        def adapt(item: object) -> Data:
            data = self._data(*_data.unpacked(owner, item), class_weight)
            if self._network is not None:
                self._checked(self._network, data)
            return data

        feed = Batches(x, limit, adapt, resume)
        return feed, feed.first()

    def _validation_feed(self, data: Any, batch_size: int | None, steps: int | None) -> tuple[Feed, Data]:
        if not _data.is_batches(data):
            if not isinstance(data, (tuple, list)):
                raise TypeError(f"[{self.name}] validation_data must be (x, y) or (x, y, sample_weight)")
            return self._feed(*_data.unpacked(self.name, data), batch_size, steps)
        if steps is None and hasattr(data, "__next__"):
            raise ValueError(
                f"[{self.name}] validation_steps must be given with an iterator as validation_data"
            )
        return self._feed(data, None, None, None, steps)

    def _order(self, epoch: int, rows: int) -> NDArray[np.int64]:
        assert self._seed is not None
        # The numbers themselves, and as much room to make them in.
        if 2 * 8 * rows > _data.memory():
            raise MemoryError(
                f"[{self.name}] there is not enough memory for an order of {rows} samples: use "
                "shuffle=False, or give batches"
            )
        return _random.permutation(self._seed, epoch, rows)

    def _split(
        self, x: Any, y: Any, weight: Any, share: object
    ) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
        """All but the last part of the rows, and that part. Views, no copies."""
        part = number(self.name, "validation_split", share, 0.0, 1.0, below=True)
        if _data.is_batches(x):
            raise ValueError(f"[{self.name}] validation_split needs arrays, not an iterator of batches")
        data = self._data(x, y, weight)
        rows = len(data.x)
        at = int(rows * (1.0 - part))
        if not 0 < at < rows:
            raise ValueError(f"[{self.name}] validation_split={part:g} of {rows} samples leaves a part empty")

        def cut(rows: slice) -> tuple[Any, Any, Any]:
            assert data.y is not None
            return data.x[rows], data.y[rows], None if data.weight is None else data.weight[rows]

        return cut(slice(at)), cut(slice(at, None))
