"""Sources of batches that `fit`, `evaluate` and `predict` take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.arguments import integer


class PyDataset:
    """Base class of data that Python code makes batch by batch.

    A subclass has ``__getitem__(index)``, which gives batch number index as x, ``(x, y)`` or
    ``(x, y, sample_weight)``, and ``__len__()`` or `num_batches`, the number of batches.
    ``on_epoch_begin()`` and ``on_epoch_end()`` are called around each pass.

    Args:
        workers, use_multiprocessing, max_queue_size: as in Keras. They have no effect: the training thread
            makes the same batches one after another.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((4, 1), index)
    ...         return x, x**2
    >>> [int(y.max()) for x, y in Squares()]
    [0, 1, 4]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] __getitem__(index) must give batch {index}")

    @property
    def num_batches(self) -> int | None:
        """The number of batches, None if they have no end; default `len` of this object."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"[{type(self).__name__}] __len__ or num_batches must tell the batches")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        return (self[index] for index in (itertools.count() if count is None else range(count)))

    def on_epoch_begin(self) -> None:
        """Called before each pass; does nothing."""

    def on_epoch_end(self) -> None:
        """Called after each pass; does nothing."""


Sequence = PyDataset  # its name in Keras 2


class Dataset:
    """Batches of NumPy arrays, made anew in each pass, with the most used methods of ``tf.data``.

    Attributes: ``class_names`` and ``file_paths`` of data from a folder, else None.
    """

    class_names: list[str] | None = None
    file_paths: list[str] | None = None

    def __init__(self, make: Callable[[], Iterator[Any]], length: int | None) -> None:
        self._make, self._length = make, length

    def __iter__(self) -> Iterator[Any]:
        return self._make()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("[Dataset] the number of batches is not known")
        return self._length

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"[Dataset] there is no {name!r}. There are take, skip, map, shuffle, repeat, batch, unbatch, "
            "as_numpy_iterator, cache and prefetch; for more write a generator around the batches"
        )

    def take(self, count: int) -> Dataset:
        """The first `count` items; -1 for all."""
        count = integer("take", "count", count, low=-1)
        most = None if count < 0 else count
        length = most if self._length is None or most is None else min(most, self._length)
        return Dataset(lambda: itertools.islice(self, most), self._length if most is None else length)

    def skip(self, count: int) -> Dataset:
        """All but the first `count` items."""
        count = integer("skip", "count", count, low=0)
        length = None if self._length is None else max(0, self._length - count)
        return Dataset(lambda: itertools.islice(self, count, None), length)

    def map(self, map_func: Callable[..., Any], *_: Any, **__: Any) -> Dataset:
        """A data set of `map_func` applied to each item, whose parts are its arguments."""

        def make() -> Iterator[Any]:
            return (map_func(*item) if isinstance(item, tuple) else map_func(item) for item in self)

        return Dataset(make, self._length)

    def shuffle(self, buffer_size: int, seed: int | None = None, *_: Any, **__: Any) -> Dataset:
        """The items in a new random order in each pass, each drawn from the next `buffer_size` items."""
        buffer_size, rng = integer("shuffle", "buffer_size", buffer_size), generator(seed)

        def make() -> Iterator[Any]:
            held: list[Any] = []
            for item in self:
                if len(held) < buffer_size:
                    held.append(item)
                else:
                    at = rng.integers(buffer_size)
                    yield held[at]
                    held[at] = item
            for at in rng.permutation(len(held)):
                yield held[at]

        return Dataset(make, self._length)

    def repeat(self, count: int | None = None) -> Dataset:
        """The items `count` times; default None, without end."""
        endless = count in (None, -1)
        times = itertools.count() if endless else range(integer("repeat", "count", count, low=0))
        length = None if endless or self._length is None else self._length * len(times)  # type: ignore[arg-type]
        return Dataset(lambda: itertools.chain.from_iterable(self for _ in times), length)

    def batch(self, batch_size: int, drop_remainder: bool = False, *_: Any, **__: Any) -> Dataset:
        """Items put together along a new first axis."""
        batch_size = integer("batch", "batch_size", batch_size)

        def make() -> Iterator[Any]:
            items = iter(self)
            while group := list(itertools.islice(items, batch_size)):
                if len(group) == batch_size or not drop_remainder:
                    yield (
                        tuple(map(np.stack, zip(*group))) if isinstance(group[0], tuple) else np.stack(group)
                    )

        whole, rest = divmod(self._length or 0, batch_size)
        length = whole + (rest > 0 and not drop_remainder)
        return Dataset(make, None if self._length is None else length)

    def unbatch(self) -> Dataset:
        """Single samples."""

        def make() -> Iterator[Any]:
            for item in self:
                yield from zip(*item) if isinstance(item, tuple) else item

        return Dataset(make, None)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """An iterator over the items, which are NumPy arrays already."""
        return iter(self)

    def cache(self, *_: Any, **__: Any) -> Dataset:
        """Returns this object: batches are not cached."""
        return self

    def prefetch(self, *_: Any, **__: Any) -> Dataset:
        """Returns this object: each batch is made when it is needed."""
        return self


def generator(seed: int | None) -> np.random.Generator:
    """A generator seeded by `seed`, or by NumPy's global state, which `set_random_seed` sets."""
    return np.random.default_rng(np.random.randint(2**31) if seed is None else seed)  # noqa: NPY002


def in_batches(
    count: int,
    batch_size: int | None,
    fetch: Callable[[NDArray[np.int64]], Any],
    rng: np.random.Generator | None,
) -> Dataset:
    """A data set of `fetch(numbers)` for batches of the numbers below count. With `rng` each pass has a new
    order. Without batch_size, items are single samples.
    """

    def make() -> Iterator[Any]:
        order = np.arange(count) if rng is None else rng.permutation(count)
        for at in range(0, count, size):
            yield fetch(order[at : at + size])

    size = 1 if batch_size is None else batch_size
    batches = Dataset(make, -(-count // size))
    if batch_size is not None:
        return batches
    singles = batches.unbatch()
    singles._length = count
    return singles
