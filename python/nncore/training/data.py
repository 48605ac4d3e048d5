"""Conversion of the users' data to arrays that the core takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common import arrays, seeds
from ..common.arguments import integer, number
from ..common.arrays import Array
from ..common.values import OpenShape, is_named
from ..graph.graph import Graph
from .feeds import Batches, Data, Feed, Rows, Taken, rows_of
from .settings import Judged

BATCH = 32  # samples in a step by default


def require_all(owner: str, names: Sequence[str], given: Sequence[object]) -> None:
    """ValueError if one of the inputs is not given."""
    if missing := [name for name, one in zip(names, given) if one is None]:
        raise ValueError(f"[{owner}] x has nothing for the input {missing[0]!r}")


class Samples(NamedTuple):
    """The data that a model expects, to check and convert what users give.

    Attributes:
        owner: the model's name.
        graph: None before the model is built.
        sample: the shape of a sample of the first input, if it is known.
        judged: loss and metrics of each output; none before `compile`.
        takes_names: whether a dict of data is accepted even for a single input.
    """

    owner: str
    graph: Graph | None
    sample: OpenShape | None
    judged: Sequence[Judged]
    takes_names: bool

    def x(self, x: object) -> Array | tuple[Array, ...]:
        """An array for the core, or a tuple of one for each value that the network reads."""
        if isinstance(x, Taken):
            return x.x  # type: ignore[no-any-return]
        given, graph = self._inputs(x), self.graph
        if graph is None or not graph.before:
            return given
        made = graph.prepared(given if isinstance(given, tuple) else (given,))
        return tuple(made) if len(made) > 1 else made[0]

    def _inputs(self, x: object) -> Array | tuple[Array, ...]:
        """An array, or a tuple of one for each input."""
        graph = self.graph
        if graph is None or (len(graph.inputs) == 1 and not (self.takes_names and is_named(x))):
            return self._fitted("x", x, self.sample)
        given = graph.arranged(self.owner, "x", x, graph.in_form, graph.input_names)
        require_all(self.owner, graph.input_names, given)
        samples = [value.sample for value in graph.inputs]
        named = list(zip(graph.input_names, given, samples))
        if len(given) == 1:
            return self._fitted(*named[0])
        found = [self._fitted(*each) for each in named]
        if len({len(array) for array in found}) > 1:
            rows = ", ".join(f"{len(a)} of {n!r}" for a, (n, _, _) in zip(found, named))
            raise ValueError(f"[{self.owner}] all inputs must have the same number of samples, got {rows}")
        return tuple(found)

    def _fitted(self, what: str, x: object, sample: OpenShape | None) -> Array:
        take = arrays.raw if self.graph and self.graph.before else arrays.as_array
        array = take(self.owner, what, x)
        if sample is None or array.ndim == len(sample) + 1:
            return array
        if isinstance(x, (list, tuple)) and len(x) == 1 and array.ndim == len(sample) + 2:
            array = array[0]  # [x] stands for x, as if the model had a list of inputs
        fitted = arrays.fit_rank(array, sample)
        if fitted is array and (arrays.same(array.shape, sample) or arrays.same((*array.shape, 1), sample)):
            raise ValueError(
                f"[{self.owner}] expected samples of shape {sample}, got {array.shape[1:]}: {what} has no "
                f"axis of samples. {arrays.ONE_SAMPLE}"
            )
        return fitted

    def data(self, x: object, y: object, sample_weight: object = None, class_weight: object = None) -> Data:
        """Arrays for training or evaluation."""
        owner, taken = self.owner, self.x(x)
        if y is None:
            raise ValueError(f"[{owner}] y must be given")
        rows = rows_of(taken)
        if rows == 0:
            first = taken[0] if isinstance(taken, tuple) else taken
            raise ValueError(f"[{owner}] x has no samples: its shape is {first.shape}")
        if sample_weight is not None and class_weight is not None:
            raise ValueError(f"[{owner}] sample_weight and class_weight must not be given both")
        graph = self.graph
        if graph is not None and (len(graph.outputs) > 1 or (self.takes_names and is_named(y))):
            return self._data_of_several(graph, taken, y, sample_weight, class_weight)
        if graph is not None and not graph.out_form.is_one and isinstance(y, (list, tuple)) and len(y) == 1:
            y = y[0]
        targets, weights = self._targets("y", y, rows), None
        if sample_weight is not None:
            weights = arrays.sample_weights(owner, sample_weight, rows)
        elif class_weight is not None:
            weights = arrays.class_weights(owner, class_weight, targets)
        return Data(taken, targets, weights)

    def _targets(self, what: str, y: object, rows: int) -> Array:
        targets = arrays.as_array(self.owner, what, y)
        if len(targets) != rows:
            raise ValueError(
                f"[{self.owner}] x and {what} must have the same number of samples, got {rows} and "
                f"{len(targets)}"
            )
        return targets

    def _data_of_several(
        self, graph: Graph, x: Array | tuple[Array, ...], y: object, weight: object, class_weight: object
    ) -> Data:
        owner, rows, names = self.owner, rows_of(x), graph.output_names()
        if class_weight is not None and len(names) > 1:
            raise ValueError(
                f"[{owner}] class_weight is for one output, and the model has {len(names)}: give "
                "sample_weight"
            )
        given = graph.arranged(owner, "y", y, graph.out_form, names)
        targets = []
        for name, value, one, judges in zip(names, graph.outputs, given, self.judged):
            if one is not None:
                targets.append(self._targets(name, one, rows))
            elif judges.loss is None and not judges.names():
                targets.append(np.broadcast_to(np.float32(0), (rows, *(n or 1 for n in value.sample))))
            else:
                raise ValueError(f"[{owner}] y has nothing for the output {name!r}")
        if is_named(weight) or (isinstance(weight, (list, tuple)) and len(names) > 1):
            each = graph.arranged(owner, "sample_weight", weight, graph.out_form, names)
        else:
            each = [weight] * len(names)
        weights = [None if one is None else arrays.sample_weights(owner, one, rows) for one in each]
        if len(names) == 1:
            if class_weight is not None:
                weights = [arrays.class_weights(owner, class_weight, targets[0])]
            return Data(x, targets[0], weights[0])
        return Data(x, tuple(targets), None if all(w is None for w in weights) else tuple(weights))


def order_of(owner: str, seed: int, epoch: int, rows: int) -> NDArray[np.int64]:
    """The shuffled order of the samples in an epoch."""
    # The permutation, and as much memory again to make it.
    if 2 * 8 * rows > arrays.memory():
        raise MemoryError(
            f"[{owner}] there is not enough memory for an order of {rows} samples: use "
            "shuffle=False, or give batches"
        )
    return seeds.permutation(seed, epoch, rows)


def feed_of(
    owner: str,
    given: tuple[Any, Any, Any],
    batch_size: int | None,
    steps: int | None,
    adapt: Callable[..., Data],
    check: Callable[[Data], None],
    order: Callable[[int, int], NDArray[np.int64]] | None = None,
    resume: bool = False,
) -> tuple[Feed, Data]:
    """The feed of the data, and the first data that it serves, which build and check the network.

    Args:
        given: x, y and sample_weight.
        adapt: converts them to arrays.
        check: called with each batch of an iterator.
        order: gives the order of the samples for an epoch and a number of rows; None keeps the order.
    """
    x, size = given[0], None if batch_size is None else integer(owner, "batch_size", batch_size)
    limit = None if steps is None else integer(owner, "steps", steps)
    if not arrays.is_batches(x):
        data = adapt(*given)
        rows = data.rows
        size = size or (-(-rows // limit) if limit else BATCH)
        return Rows(data, size, limit, order and (lambda epoch: order(epoch, rows)), resume), data
    for name, value in zip(("y", "sample_weight", "batch_size"), (*given[1:], batch_size)):
        if value is not None:
            raise ValueError(f"[{owner}] {name} must not be given when x yields batches: they hold it")

    def batch(item: object) -> Data:
        data = adapt(*arrays.unpacked(owner, item))
        check(data)
        return data

    feed = Batches(x, limit, batch, resume)
    return feed, feed.first()


def validation_of(owner: str, data: Any, steps: int | None) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of validation_data."""
    if not arrays.is_batches(data):
        if not isinstance(data, (tuple, list)):
            raise TypeError(f"[{owner}] validation_data must be (x, y) or (x, y, sample_weight)")
        return arrays.unpacked(owner, data)
    if steps is None and arrays.goes_on(data):
        raise ValueError(f"[{owner}] validation_steps must be given with an iterator as validation_data")
    return data, None, None


def split(
    owner: str, given: tuple[Any, Any, Any], adapt: Callable[..., Data], share: object
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """The rows for training, and the last rows, a share of all, for validation. Both are views."""
    part = number(owner, "validation_split", share, 0.0, 1.0, below=True)
    if arrays.is_batches(given[0]):
        raise ValueError(f"[{owner}] validation_split needs arrays, not an iterator of batches")
    data = adapt(*given)
    at = int(data.rows * (1.0 - part))
    if not 0 < at < data.rows:
        raise ValueError(f"[{owner}] validation_split={part:g} of {data.rows} samples leaves a part empty")
    (x, *others), (held, *held_others) = data.cut(slice(at)), data.cut(slice(at, None))
    return (Taken(x), *others), (Taken(held), *held_others)
