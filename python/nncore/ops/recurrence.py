"""LSTM, GRU and simple recurrent layers as functions over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..common.arrays import Array as Floats
from ..common.operations import LayerCall, expect_shape, floats, layer, wide
from ._cells import Cell, EarlyGRUCell, GRUCell, LSTMCell, Recurrence, SimpleCell


def _call(op: str, kind: str, cell: type[Cell], x: Any, weights: Sequence[Any], settings: Any) -> LayerCall:
    a, kernel, recurrent = (
        floats(op, name, each) for name, each in zip(("x", "kernel", "recurrent_kernel"), (x, *weights))
    )
    columns = cell.gates
    if recurrent.ndim != 2 or 0 in recurrent.shape or recurrent.shape[1] != columns * len(recurrent):
        times = f"{columns} * units" if columns > 1 else "units"
        raise ValueError(f"[{op}] expected recurrent_kernel of shape (units, {times}), got {recurrent.shape}")
    if a.ndim != 3 or 0 in a.shape[1:]:
        raise ValueError(f"[{op}] expected x of shape (samples, steps, inputs), got {a.shape}")
    units = len(recurrent)
    expect_shape(op, "kernel", kernel, (a.shape[2], columns * units))
    shape = (2, columns * units) if cell is GRUCell else (columns * units,)
    bias = floats(op, "bias", np.zeros(shape) if weights[2] is None else weights[2])
    expect_shape(op, "bias", bias, shape)
    attributes = {"units": units, "use_bias": True, "dropout": 0.0, "recurrent_dropout": 0.0, **settings}
    attributes["cell_activation"] = attributes.pop("activation")
    output = (*a.shape[:2], units) if attributes["return_sequences"] else (len(a), units)
    return LayerCall((kind, attributes), a, (kernel, recurrent, bias), 2, output)


def _recurrence(
    cell: type[Cell], kernel: ArrayLike, recurrent: ArrayLike, bias: ArrayLike | None, *settings: Any
) -> Recurrence:
    columns = np.shape(recurrent)[1]
    zeros = np.zeros((2, columns) if cell is GRUCell else columns)
    of_bias = zeros if bias is None else wide(bias)
    return Recurrence(cell, wide(kernel), wide(recurrent), of_bias, *settings)


def _lstm(
    op: str,
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None,
    **settings: Any,
) -> LayerCall:
    return _call(op, "lstm", LSTMCell, x, (kernel, recurrent_kernel, bias), settings)


@layer(_lstm)
def lstm(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    return_sequences: bool = False,
    go_backwards: bool = False,
) -> Floats:
    """A long short-term memory (Hochreiter and Schmidhuber 1997; with a forget gate, Gers et al. 2000).

    In each step z = x @ kernel + h @ recurrent_kernel + bias has four parts, whose values are the gates i, f,
    g, o: g by the activation, the others by the recurrent activation. Then c = f * c + i * g and
    h = o * activation(c), from h = c = 0 on.

    x (n, steps, inputs), kernel (inputs, 4 * units), recurrent_kernel (units, 4 * units), bias (4 * units,)
    or None -> the last h (n, units), or with return_sequences all (n, steps, units). With go_backwards the
    steps run from the last to the first, and all h stand in that order.

    >>> ones = np.ones((1, 4))
    >>> h = lstm(np.ones((1, 3, 1)), ones, ones, return_sequences=True)
    >>> [round(one, 3) for one in h[0, :, 0].tolist()]
    [0.37, 0.651, 0.789]
    """
    settings = activation, recurrent_activation, return_sequences, go_backwards
    return _recurrence(LSTMCell, kernel, recurrent_kernel, bias, *settings).forward(wide(x))[0]


@layer(_lstm)
def lstm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    return_sequences: bool = False,
    go_backwards: bool = False,
) -> tuple[Floats, Floats, Floats, Floats]:
    """(dx, dkernel, drecurrent_kernel, dbias), by going back through the steps.

    A step that has the gradients of its h and c gives those of x, of its gates, and of the h and c before it:
    dc grows by dh * o * slope of activation(c), the gates get dc * g, dc * (c before), dc * i and
    dh * activation(c), each times its slope, and c before gets dc * f, without a product in between: so
    gradients reach far back where f is near 1.

    >>> ones = np.ones((1, 4))
    >>> dx, *_ = lstm_backward([[1.0]], np.zeros((1, 3, 1)), ones, ones)
    >>> [round(one, 3) for one in dx[0, :, 0].tolist()]
    [0.141, 0.188, 0.25]
    """
    settings = activation, recurrent_activation, return_sequences, go_backwards
    r = _recurrence(LSTMCell, kernel, recurrent_kernel, bias, *settings)
    return r.backward(wide(dy), wide(x), r.forward(wide(x))[1])


def _gru(
    op: str,
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None,
    **settings: Any,
) -> LayerCall:
    cell = GRUCell if settings["reset_after"] else EarlyGRUCell
    return _call(op, "gru", cell, x, (kernel, recurrent_kernel, bias), settings)


@layer(_gru)
def gru(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    return_sequences: bool = False,
    go_backwards: bool = False,
    reset_after: bool = True,
) -> Floats:
    """A gated recurrent unit (Cho et al. 2014).

    The gates z and r are recurrent_activation(x @ kernel + h @ recurrent_kernel + bias), each by columns of
    its own. The candidate is g = activation(x @ kernel + bias + r * (h @ recurrent_kernel + second bias)), or
    without reset_after activation(x @ kernel + (r * h) @ recurrent_kernel + bias). Then
    h = z * h + (1 - z) * g, from h = 0 on.

    x (n, steps, inputs), kernel (inputs, 3 * units), recurrent_kernel (units, 3 * units), bias
    (2, 3 * units), without reset_after (3 * units,), or None -> as `lstm`.

    >>> ones = np.ones((1, 3))
    >>> h = gru(np.ones((1, 3, 1)), ones, ones, return_sequences=True)
    >>> [round(one, 3) for one in h[0, :, 0].tolist()]
    [0.205, 0.347, 0.452]
    """
    settings = activation, recurrent_activation, return_sequences, go_backwards
    cell = GRUCell if reset_after else EarlyGRUCell
    return _recurrence(cell, kernel, recurrent_kernel, bias, *settings).forward(wide(x))[0]


@layer(_gru)
def gru_backward(
    dy: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    return_sequences: bool = False,
    go_backwards: bool = False,
    reset_after: bool = True,
) -> tuple[Floats, Floats, Floats, Floats]:
    """(dx, dkernel, drecurrent_kernel, dbias), by going back through the steps.

    h before a step gets dh * z, without a product in between, and what comes through the gates: z gets
    dh * (h - g), the candidate dh * (1 - z), and r what the candidate gives to it.
    """
    settings = activation, recurrent_activation, return_sequences, go_backwards
    r = _recurrence(GRUCell if reset_after else EarlyGRUCell, kernel, recurrent_kernel, bias, *settings)
    return r.backward(wide(dy), wide(x), r.forward(wide(x))[1])


def _simple_rnn(
    op: str,
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None,
    **settings: Any,
) -> LayerCall:
    return _call(op, "simple_rnn", SimpleCell, x, (kernel, recurrent_kernel, bias), settings)


@layer(_simple_rnn)
def simple_rnn(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "tanh",
    return_sequences: bool = False,
    go_backwards: bool = False,
) -> Floats:
    """h = activation(x @ kernel + h @ recurrent_kernel + bias) in each step, from h = 0 on (Elman 1990).

    x (n, steps, inputs), kernel (inputs, units), recurrent_kernel (units, units), bias (units,) or None -> as
    `lstm`.

    >>> simple_rnn([[[1], [1]]], [[1]], [[0.5]], activation="linear", return_sequences=True)[0, :, 0].tolist()
    [1.0, 1.5]
    """
    settings = activation, "linear", return_sequences, go_backwards
    return _recurrence(SimpleCell, kernel, recurrent_kernel, bias, *settings).forward(wide(x))[0]


@layer(_simple_rnn)
def simple_rnn_backward(
    dy: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "tanh",
    return_sequences: bool = False,
    go_backwards: bool = False,
) -> tuple[Floats, Floats, Floats, Floats]:
    """(dx, dkernel, drecurrent_kernel, dbias): each step is a dense layer of x and of the h before it.

    The gradient of h goes back through one product and one slope a step, so it vanishes or grows as the
    powers of recurrent_kernel do.

    >>> dx, *_ = simple_rnn_backward([[1.0]], [[[1], [1]]], [[1]], [[0.5]], activation="linear")
    >>> dx[0, :, 0].tolist()
    [0.5, 1.0]
    """
    settings = activation, "linear", return_sequences, go_backwards
    r = _recurrence(SimpleCell, kernel, recurrent_kernel, bias, *settings)
    return r.backward(wide(dy), wide(x), r.forward(wide(x))[1])
