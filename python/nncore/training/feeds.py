"""The data of a pass, served to the network in slices: from arrays, or from a source of batches.

Of both feeds: call `start` at the begin of a pass, then `advance` until `done`, which is not asked again
after it has said so. `steps` is their number in a pass, if it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.arrays import Array, length
from ..common.arrays import each as each_batch
from ..common.messages import warn

# Seconds of work in one call of the core: how long Ctrl-C and the progress bar wait.
SLICE = 0.1


def rows_of(arrays: Array | tuple[Array, ...]) -> int:
    """The number of samples in an array, or in a tuple of them."""
    return len(arrays[0] if isinstance(arrays, tuple) else arrays)


class Data(NamedTuple):
    """Arrays that a network takes: x (n, ...), y (n, ...) or None, weight (n,) or None. Each is a tuple where
    the network has several inputs or outputs.
    """

    x: Any
    y: Any
    weight: Any

    @property
    def rows(self) -> int:
        return rows_of(self.x)

    def cut(self, rows: slice) -> tuple[Any, Any, Any]:
        """Views of some rows."""
        x, y, weight = (
            None
            if part is None
            else tuple(None if one is None else one[rows] for one in part)
            if isinstance(part, tuple)
            else part[rows]
            for part in self
        )
        return x, y, weight


# Works through rows order[start:stop] in batches, for about so many seconds, and tells where it stopped.
Work = Callable[[Data, "NDArray[np.int64] | None", int, int, int, float], int]


class Rows:
    """Arrays, cut into batches.

    With `limit`, a pass has so many steps; with `resume` the next pass goes on where the last one stopped.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        limit: int | None = None,
        order: Callable[[int], NDArray[np.int64]] | None = None,
        resume: bool = False,
    ) -> None:
        self._data, self._batch, self._limit = data, batch_size, limit
        self._make_order, self._resume = order, resume
        self._rows = data.rows
        self._at = self._stop = self._rows
        self._order: NDArray[np.int64] | None = None
        self.steps = -(-self._rows // batch_size) if limit is None else limit

    def start(self, epoch: int) -> None:
        if self._at >= self._rows or not self._resume:
            self._at = 0
            self._order = self._make_order(epoch) if self._make_order else None
        self._stop = self._rows
        if self._limit is not None:
            self._stop = min(self._rows, self._at + self._limit * self._batch)
            left = -(-(self._stop - self._at) // self._batch)
            if left < self._limit:
                ran_out(left, self._limit)

    def done(self) -> bool:
        return self._at >= self._stop

    def advance(self, work: Work, each: bool) -> int:
        """One slice of work, or one step with `each`: the number of steps made."""
        stop = min(self._stop, self._at + self._batch) if each else self._stop
        before, self._at = self._at, work(self._data, self._order, self._at, stop, self._batch, SLICE)
        return -(-self._at // self._batch) - -(-before // self._batch)


class Batches:
    """What a source of batches yields (see `_data.is_batches`). `adapt` makes it into arrays and checks it.

    What can be iterated again starts anew in each pass, or with `resume` when it has ended. An iterator goes
    on where it was. A source's `on_epoch_begin` and `on_epoch_end`, if it has them, are called around a pass.
    """

    def __init__(
        self, source: Any, limit: int | None, adapt: Callable[[Any], Data], resume: bool = False
    ) -> None:
        self._source, self._limit, self._adapt, self._resume = source, limit, adapt, resume
        self._once = hasattr(source, "__next__")
        self._iterator: Iterator[Any] | None = each_batch(source)
        self._ahead: list[Data] = []
        self._made = 0
        self._begun = False  # the source knows already of the pass that is to start
        self.steps = length(source) if limit is None else limit

    def first(self) -> Data:
        """The first batch, which is served again. ValueError if there is none."""
        self._begin()
        if not self._fetch():
            raise ValueError("the iterator yields no batch")
        return self._ahead[0]

    def _fetch(self) -> bool:
        """Has a batch ready, unless there are no more."""
        if not self._ahead and self._iterator is not None:
            for item in self._iterator:
                self._ahead.append(self._adapt(item))
                break
            else:
                self._iterator = None
        return bool(self._ahead)

    def _begin(self) -> None:
        if not self._begun and hasattr(self._source, "on_epoch_begin"):
            self._source.on_epoch_begin()
        self._begun = True

    def start(self, epoch: int) -> None:
        self._begin()
        self._begun = False
        if not self._once and ((self._made and not self._resume) or not self._fetch()):
            self._iterator, self._ahead = each_batch(self._source), []
        self._made = 0

    def done(self) -> bool:
        if self._made != self._limit:
            if self._fetch():
                return False
            if self._limit is not None and self._made:
                ran_out(self._made, self._limit)
        if hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()
        return True

    def advance(self, work: Work, each: bool) -> int:
        """One step."""
        data = self._ahead.pop()
        rows = data.rows
        work(data, None, 0, rows, rows, 0.0)
        self._made += 1
        return 1


Feed = Rows | Batches


def ran_out(made: int, wanted: int) -> None:
    warn(f"the data ran out after {made} of {wanted} steps of this pass")
