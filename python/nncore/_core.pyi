"""The compiled core. Everything public is wrapped by a Python module; nothing here is a public name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

Attribute = bool | int | float | str | tuple[int, ...] | tuple[float, ...]
Attributes = Mapping[str, Attribute]
Spec = tuple[str, Attributes]  # (kind, attributes), e.g. ("dense", {"units": 10, "use_bias": True})
Shape = tuple[int, ...]  # of one sample, without the batch axis
Floats = NDArray[np.float32]
Arrays = NDArray[Any] | tuple[NDArray[Any], ...]
Weights = Floats | tuple[Floats | None, ...] | None

# ---- runtime
def isa() -> str: ...
def available_isas() -> list[str]: ...
def select_isa(name: str) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def build_info() -> dict[str, str]: ...

# ---- the table of operations
Setting = tuple[str, float, float, float, bool]  # name, default, least, most, whether `most` is excluded

def activations() -> dict[str, tuple[list[Setting], bool]]:
    """Settings of each, and whether it works on rows instead of elements."""

def losses() -> dict[str, tuple[list[Setting], bool, str | None]]:
    """Settings of each, whether targets are class numbers, and the last activation with which it is fused."""

def metrics() -> dict[str, tuple[list[Setting], bool, bool]]:
    """Settings of each, whether its targets are class numbers, and whether it is made of counts."""

def optimizers() -> dict[str, tuple[list[Setting], list[str]]]:
    """Settings of each, the first is the learning rate, and the names of its moments in files."""

# ---- shapes
def layer_kinds() -> list[str]: ...
def infer(spec: Spec, input_shapes: Sequence[Shape]) -> tuple[Shape, list[tuple[str, Shape]]]:
    """Output shape and (name, shape) of each parameter. ValueError if the layer does not take the shapes."""

# ---- single layers and functions over arrays, the engine of nncore.ops. Arguments stay as they are.
# The last `sample_axes` axes of x are one sample, by default all but the first.
def forward(
    spec: Spec,
    x: Floats,
    parameters: Sequence[Floats],
    training: bool = False,
    seed: int = 0,
    sample_axes: int | None = None,
) -> Floats: ...
def backward(
    spec: Spec,
    dy: Floats,
    x: Floats,
    parameters: Sequence[Floats],
    seed: int = 0,
    sample_axes: int | None = None,
) -> tuple[Floats, list[Floats]]:
    """(dx, gradient of each parameter that trains), in training"""

# output (..., columns); target of the same shape, or (...) for a sparse loss or metric
def loss_backward(spec: Spec, dy: Floats, target: Floats, output: Floats) -> Floats:
    """dy (...) times the gradient of each row's value by its outputs: (..., columns)"""

def metric(spec: Spec, target: Floats, output: Floats) -> Floats:
    """(...): the value of each row, of a loss or of a metric that is a mean. NaN for no class of a loss."""

class Counter:
    """A metric made of counts, and what it has counted."""

    def __init__(self, spec: Spec) -> None: ...
    def count(self, target: Floats, output: Floats, weight: Floats | None) -> None:
        """weight: one for each output, or one for each row with a class_id."""

    def merge(self, other: Counter) -> None: ...
    def reset(self) -> None: ...
    def result(self) -> float | NDArray[np.float64]: ...
    @property
    def totals(self) -> list[float]:
        """(labels, whether the target is positive, thresholds exceeded): weights, flat."""

def update(spec: Spec, step: int, gradient: Floats, values: Sequence[Floats]) -> list[Floats]:
    """One optimizer step, `step` counted from 1: new values of the parameter and its moments."""

# ---- the compiled model
class RefusedArray(ValueError):
    """`Network.forward` cannot take the array as it is, and has not begun."""

class Sums:
    """Loss and metrics over what a call has gone through. Empty at first."""

class Variables:
    """The weights of one layer, which networks may share. Thread-safe, as the networks that hold them."""

    def __init__(self, spec: Spec, input_shapes: Sequence[Shape]) -> None:
        """All zero. ValueError if the layer does not accept the shapes."""

    @property
    def shapes(self) -> list[tuple[str, Shape]]: ...
    def read(self, first: int, count: int) -> list[Floats]:
        """Copies of some of them, all of one moment."""

    def write(self, first: int, values: Sequence[Floats]) -> None: ...

class Network:
    """A graph of calls of layers, over variables that other networks may hold as well.

    Values are numbered: the inputs, then what each call makes. Where the graph has one input, x is an array,
    else a tuple of arrays; y, sample_weight, out and results alike for its outputs.

    Thread-safe: calls on networks that share a variable take turns.
    """

    def __init__(
        self,
        input_shapes: Sequence[tuple[int | None, ...]],
        layers: Sequence[Spec],
        calls: Sequence[tuple[int, Sequence[int]]],
        outputs: Sequence[int],
        fuse: bool = True,
        variables: Sequence[Variables] = (),
        penalized: Sequence[tuple[int, Spec]] = (),
        masks: Sequence[int | None] = (),
    ) -> None:
        """A graph for samples of these shapes, in which None may be any size.

        Args:
            calls: the number of a layer and of the values that it reads, which are made before.
            variables: of each layer; none for new ones, which needs all sizes.
            penalized: numbers of values, and what regularizes them.
            masks: for each output the number of the value that masks its rows, or None; empty for no masks.
        """

    def output_shapes(self, input_shapes: Sequence[Shape]) -> list[Shape]: ...
    @property
    def layout(self) -> list[tuple[int, str, int, Shape]]:
        """(layer index, name, offset, shape) of each parameter in flat copies, which have gaps."""

    def steps(self, inference: bool = False) -> list[str]:
        """What the last plan runs, one line a step, e.g. 'conv2d+relu+max_pooling2d'."""

    @property
    def buffers(self) -> list[str]:
        """Names for read and write: 'parameters', 'gradients', the optimizer's moments, and what its rules
        keep."""

    def read(self, buffer: str) -> Floats:
        """A flat copy, each parameter in its canonical (Keras) layout at its offset.

        Gradients and moments of what does not train are 0, and are not written by `write`.
        """

    def write(self, buffer: str, values: Floats) -> None: ...
    def compile(
        self,
        losses: Sequence[Spec | None],
        loss_weights: Sequence[float],
        metrics: Sequence[Sequence[Spec]],
        weighted_metrics: Sequence[Sequence[Spec]],
        optimizer: Spec | None,
        trainable: Sequence[bool],
        regularizers: Sequence[tuple[int, int, Spec]] = (),
        constraints: Sequence[tuple[int, int, Spec]] = (),
        rules: Mapping[str, float] = ...,
        decays: Sequence[bool] = ...,
    ) -> None:
        """One item for each output; trainable: one flag a layer. Clears the moments and `iterations`, leaves
        the parameters.

        Args:
            regularizers, constraints: layer, number of its parameter, and which.
            rules: the arguments that all optimizers have; 0 and absent: off.
            decays: one flag a parameter, whether the optimizer's weight_decay applies; none: to all.
        """

    def freeze(self, trainable: Sequence[bool]) -> None:
        """What trains, where no optimizer has been compiled: layers that do not leave their state alone."""

    seed: int  # of dropout masks, together with `iterations`
    iterations: int  # steps so far
    learning_rate: float

    # x, y: arrays of any real dtype but longdouble, any strides and byte order, read row by row and never
    # copied whole. sample_weight: (samples,) float32, or None. order: int64 rows, or None for 0, 1, ...
    # A call works through order[start:stop] in batches until `seconds` have passed, one batch at least, and
    # returns the position it reached: call again from there.
    def check(self, x: Arrays, y: Arrays | None) -> None:
        """ValueError unless x and y have the rows, shapes and (for a sparse loss) labels it needs."""

    def train(
        self,
        x: Arrays,
        y: Arrays,
        sample_weight: Weights,
        order: NDArray[np.int64] | None,
        start: int,
        stop: int,
        batch_size: int,
        seconds: float,
        sums: Sums,
        rates: Floats | None = None,
        only_finite: bool = False,
        out: Arrays | None = None,
    ) -> int:
        """
        Args:
            rates: learning rates of the steps, if they change.
            only_finite: ends with a batch whose loss is not finite, without its update.
            out: of each output (stop - start, ...), where the outputs go as well if that is one batch.
        """

    def test(
        self,
        x: Arrays,
        y: Arrays,
        sample_weight: Weights,
        start: int,
        stop: int,
        batch_size: int,
        seconds: float,
        sums: Sums,
        out: Arrays | None = None,
    ) -> int: ...
    def predict(self, x: Arrays, out: Arrays, start: int, stop: int, seconds: float) -> int: ...
    def gradients(
        self,
        x: Arrays,
        y: Arrays,
        sample_weight: Weights,
        order: NDArray[np.int64] | None = None,
        start: int = 0,
        stop: int | None = None,
        sums: Sums | None = None,
        out: Arrays | None = None,
    ) -> float:
        """Forward and backward of one batch without an update: the loss. Then read('gradients')."""

    def apply(self, gradients: Floats) -> None:
        """A step with these gradients, a flat copy."""

    def take_averages(self) -> None:
        """The averages of the optimizer's rules, if there are any, become the parameters."""

    def forward(self, x: Arrays, training: bool) -> Any:
        """A float32 array, or a tuple of one for each output."""

    def results(self, sums: Sums) -> list[float | NDArray[np.float64]]:
        """The loss; of each output, its own loss if there are several, then metrics and weighted metrics.
        None of an empty Sums."""

    def reset(self, sums: Sums) -> None: ...
    def totals(self, sums: Sums) -> list[float]:
        """All numbers in `sums`, for set_totals."""

    def set_totals(self, sums: Sums, totals: Sequence[float]) -> None:
        """ValueError unless there are as many as `totals` gives."""

    def state(self) -> tuple[list[tuple[str, Floats]], int]:
        """Name and values of the parameters, then of the moments, and `iterations`: all of one moment."""
