"""Data of models: whatever users give, as arrays that the core takes, one for each input and output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..common import arrays as _data
from ..common.arrays import Array
from ..common.values import OpenShape, is_named
from ..graph.graph import Graph
from .feeds import Data, rows_of
from .settings import Judged


def require_all(owner: str, names: Sequence[str], given: Sequence[object]) -> None:
    """ValueError if one of the inputs is not given."""
    if missing := [name for name, one in zip(names, given) if one is None]:
        raise ValueError(f"[{owner}] x has nothing for the input {missing[0]!r}")


class Samples(NamedTuple):
    """What a model expects of its data.

    Attributes:
        owner: its name.
        graph: None before it is built.
        sample: the shape of a sample of the first input, if it is known.
        judged: of each output; none before `compile`.
        takes_names: dicts of data, even where there is one input.
    """

    owner: str
    graph: Graph | None
    sample: OpenShape | None
    judged: Sequence[Judged]
    takes_names: bool

    def x(self, x: object) -> Array | tuple[Array, ...]:
        """An array for the core, or a tuple of one for each input."""
        graph = self.graph
        if graph is None or (len(graph.inputs) == 1 and not (self.takes_names and is_named(x))):
            return self._fitted("x", x, self.sample)
        given = graph.arranged(self.owner, "x", x, graph.in_form, graph.input_names)
        require_all(self.owner, graph.input_names, given)
        samples = [value.sample for value in graph.inputs]
        named = list(zip(graph.input_names, given, samples))
        if len(given) == 1:
            return self._fitted(*named[0])
        arrays = [self._fitted(*each) for each in named]
        if len({len(array) for array in arrays}) > 1:
            rows = ", ".join(f"{len(a)} of {n!r}" for a, (n, _, _) in zip(arrays, named))
            raise ValueError(f"[{self.owner}] all inputs must have the same number of samples, got {rows}")
        return tuple(arrays)

    def _fitted(self, what: str, x: object, sample: OpenShape | None) -> Array:
        array = _data.as_array(self.owner, what, x)
        if sample is None or array.ndim == len(sample) + 1:
            return array
        if isinstance(x, (list, tuple)) and len(x) == 1 and array.ndim == len(sample) + 2:
            array = array[0]  # [x], as for a model with a list of inputs
        fitted = _data.fit_rank(array, sample)
        if fitted is array and (_data.same(array.shape, sample) or _data.same((*array.shape, 1), sample)):
            raise ValueError(
                f"[{self.owner}] expected samples of shape {sample}, got {array.shape[1:]}: {what} has no "
                f"axis of samples. {_data.ONE_SAMPLE}"
            )
        return fitted

    def data(self, x: object, y: object, sample_weight: object = None, class_weight: object = None) -> Data:
        """Arrays for training or evaluation."""
        owner, arrays = self.owner, self.x(x)
        if y is None:
            raise ValueError(f"[{owner}] y must be given")
        rows = rows_of(arrays)
        if rows == 0:
            first = arrays[0] if isinstance(arrays, tuple) else arrays
            raise ValueError(f"[{owner}] x has no samples: its shape is {first.shape}")
        if sample_weight is not None and class_weight is not None:
            raise ValueError(f"[{owner}] sample_weight and class_weight must not be given both")
        graph = self.graph
        if graph is not None and (len(graph.outputs) > 1 or (self.takes_names and is_named(y))):
            return self._data_of_several(graph, arrays, y, sample_weight, class_weight)
        if graph is not None and not graph.out_form.is_one and isinstance(y, (list, tuple)) and len(y) == 1:
            y = y[0]
        targets, weights = self._targets("y", y, rows), None
        if sample_weight is not None:
            weights = _data.sample_weights(owner, sample_weight, rows)
        elif class_weight is not None:
            weights = _data.class_weights(owner, class_weight, targets)
        return Data(arrays, targets, weights)

    def _targets(self, what: str, y: object, rows: int) -> Array:
        targets = _data.as_array(self.owner, what, y)
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
        weights = [None if one is None else _data.sample_weights(owner, one, rows) for one in each]
        if len(names) == 1:
            if class_weight is not None:
                weights = [_data.class_weights(owner, class_weight, targets[0])]
            return Data(x, targets[0], weights[0])
        return Data(x, tuple(targets), None if all(w is None for w in weights) else tuple(weights))
