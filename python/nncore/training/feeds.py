"""Feeds, which serve the data of a pass to the network in slices: from arrays, or from a source of batches.

For both feeds: call `start` when a pass begins, then `advance` until `done` is true; do not ask `done` again
after that. `steps` is the number of steps in a pass, if it is known. `position` describes the position of a
feed by named numbers. `restore` moves a feed to such a position, between two passes, or within a pass that is
then not started again. `last` gives the data of the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common import arrays
from ..common.arrays import Array
from ..common.messages import warn

# Seconds of work in one call of the core: Ctrl-C and the progress bar wait this long.
SLICE = 0.1


def rows_of(x: Array | tuple[Array, ...]) -> int:
    """The number of samples in an array, or in a tuple of them."""
    return len(x[0] if isinstance(x, tuple) else x)


class Taken(NamedTuple):
    """What `Samples.x` gave, to be given to it again: arrays that the network takes."""

    x: Any


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

    def cut(self, rows: Any) -> tuple[Any, Any, Any]:
        """Some of the rows: views if `rows` is a slice, else copies."""
        x, y, weight = (
            None
            if part is None
            else tuple(None if one is None else one[rows] for one in part)
            if isinstance(part, tuple)
            else part[rows]
            for part in self
        )
        return x, y, weight


# A call (data, order, start, stop, batch size, seconds) runs rows order[start:stop] in batches, for about
# that many seconds, and returns the row where it stopped.
Work = Callable[[Data, "NDArray[np.int64] | None", int, int, int, float], int]


class Rows:
    """Arrays, cut into batches.

    A pass has `limit` steps, if given. With `resume` each pass starts where the one before stopped.
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
        self._order_of = 0  # which pass
        self.steps = -(-self._rows // batch_size) if limit is None else limit

    def start(self, epoch: int) -> None:
        if self._at >= self._rows or not self._resume:
            self._at = 0
            self._take_order(epoch)
        self._stop = self._rows
        if self._limit is not None:
            self._stop = min(self._rows, self._at + self._limit * self._batch)
            left = -(-(self._stop - self._at) // self._batch)
            if left < self._limit:
                ran_out(left, self._limit)

    def _take_order(self, epoch: int) -> None:
        self._order_of = epoch
        self._order = self._make_order(epoch) if self._make_order else None

    def position(self) -> dict[str, int]:
        return {"at": self._at, "stop": self._stop, "order": self._order_of}

    def restore(self, position: Mapping[str, int], amid: bool) -> None:
        at, stop = position["at"], position["stop"]
        if not 0 <= at <= stop <= self._rows:
            raise ValueError(f"the data have {self._rows} samples, and had at least {stop}")
        self._at, self._stop = at, stop
        if at < self._rows:
            self._take_order(position["order"])

    def last(self) -> Data:
        rows: Any = slice((self._at - 1) // self._batch * self._batch, self._at)
        if self._order is not None:
            rows = self._order[rows]
        return Data(*self._data.cut(rows))

    def done(self) -> bool:
        return self._at >= self._stop

    def advance(self, work: Work, each: bool) -> int:
        """Runs one slice of work, or one step with `each`. Returns the number of steps made."""
        stop = min(self._stop, self._at + self._batch) if each else self._stop
        before, self._at = self._at, work(self._data, self._order, self._at, stop, self._batch, SLICE)
        return -(-self._at // self._batch) - -(-before // self._batch)


class Batches:
    """The batches of a source (see `arrays.is_batches`), which `adapt` converts to arrays and checks.

    A source that can be iterated again starts anew in each pass, or with `resume` when it has ended. An
    iterator continues where it was. `on_epoch_begin` and `on_epoch_end` of the source, if it has them, are
    called around a pass.
    """

    def __init__(
        self, source: Any, limit: int | None, adapt: Callable[[Any], Data], resume: bool = False
    ) -> None:
        self._source, self._limit, self._adapt, self._resume = source, limit, adapt, resume
        self._once = arrays.goes_on(source)
        self._iterator: Iterator[Any] | None = arrays.each(source)
        self._ahead: list[Data] = []
        self._made = self._taken = 0  # steps of the pass, and batches of the iterator
        self._begun = False  # whether `on_epoch_begin` was called for the next pass
        self.steps = arrays.length(source) if limit is None else limit

    def first(self) -> Data:
        """The first batch; the pass still begins with it. ValueError if there is none."""
        self._begin()
        if not self._fetch():
            raise ValueError("the iterator yields no batch")
        return self._ahead[0]

    def _fetch(self) -> bool:
        """Reads a batch ahead, unless one is there. False if there are no more."""
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
            self._iterator, self._ahead, self._taken = arrays.each(self._source), [], 0
        self._made = 0

    def position(self) -> dict[str, int]:
        """The steps made in this pass, and the batches taken from the source: 0 for an iterator, which
        continues where it is.
        """
        ended = self._once or (self._iterator is None and not self._ahead)
        return {"made": self._made, "taken": 0 if ended else self._taken}

    def restore(self, position: Mapping[str, int], amid: bool) -> None:
        while self._taken < position["taken"] and self._fetch():
            self._take()
        self._made = position["made"]
        self._begun = self._begun and not amid

    def last(self) -> Data:
        return self._last

    def _take(self) -> Data:
        self._taken += 1
        self._last = self._ahead.pop()
        return self._last

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
        data = self._take()
        rows = data.rows
        work(data, None, 0, rows, rows, 0.0)
        self._made += 1
        return 1


Feed = Rows | Batches


def ran_out(made: int, wanted: int) -> None:
    warn(f"the data ran out after {made} of {wanted} steps of this pass")
