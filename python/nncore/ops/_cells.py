"""Recurrent layers: a cell that is applied to one time step after another, and the way back through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..common.arrays import Array as Floats
from ..common.operations import ACTIVATIONS

State = tuple[Floats, ...]  # h (n, units), and c of an LSTM
Tape = list[tuple[int, Any]]  # each step's time, and what its way back needs


class Recurrence(NamedTuple):
    """A recurrent layer in NumPy.

    kernel (inputs, gates * units), recurrent_kernel (units, gates * units), bias as the cell has it. keep and
    keep_h: None, or what dropout multiplies the input and h with in all steps, (1, n, size) for all gates or
    (gates, n, size).
    """

    cell: type[Cell]
    kernel: Floats
    recurrent_kernel: Floats
    bias: Floats
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    return_sequences: bool = False
    go_backwards: bool = False
    keep: Floats | None = None
    keep_h: Floats | None = None

    def forward(self, x: Floats, mask: Floats | None = None) -> tuple[Floats, Tape]:
        """The output (n, steps, units) or (n, units), and the tape for `backward`.

        Where the mask (n, steps) is 0, the state stays as it is, so the output is that of the step before.
        """
        n, steps, _ = x.shape
        units = len(self.recurrent_kernel)
        state: State = tuple(np.zeros((n, units)) for _ in range(self.cell.states))
        outputs, tape = [], []
        for t in range(steps)[:: -1 if self.go_backwards else 1]:
            new, saved = self.cell.step(self, x[:, t], *state)
            valid = np.ones((n, 1), bool) if mask is None else mask[:, t, None] != 0
            state = tuple(np.where(valid, a, b) for a, b in zip(new, state))
            outputs.append(state[0])
            tape.append((t, (valid, saved)))
        return (np.stack(outputs, 1) if self.return_sequences else outputs[-1]), tape

    def backward(self, dy: Floats, x: Floats, tape: Tape) -> tuple[Floats, Floats, Floats, Floats]:
        """(dx, dkernel, drecurrent_kernel, dbias): the steps once more, from the last to the first.

        The state after a step is read by the next step, whose way back has told its gradient, and by the
        output. The weights are the same in all steps, so their gradients are sums over the steps.
        """
        dx = np.zeros_like(x)
        of_weights = [np.zeros_like(w) for w in (self.kernel, self.recurrent_kernel, self.bias)]
        shape = (len(x), len(self.recurrent_kernel))
        d_state: State = tuple(np.zeros(shape) for _ in range(self.cell.states))
        for number, (t, (valid, saved)) in reversed([*enumerate(tape)]):
            of_y = dy[:, number] if self.return_sequences else dy if number == len(tape) - 1 else 0.0
            d_state = (d_state[0] + of_y, *d_state[1:])
            # Samples whose step was skipped hand the gradient on, and add nothing to the others.
            given = [np.where(valid, d, 0.0) for d in d_state]
            dx[:, t], before, gradients = self.cell.step_back(self, saved, *given)
            d_state = tuple(np.where(valid, b, d) for b, d in zip(before, d_state))
            for total, gradient in zip(of_weights, gradients):
                total += gradient
        return dx, of_weights[0], of_weights[1], of_weights[2]

    def f(self, name: str, z: Floats) -> Floats:
        return ACTIVATIONS[name].reference(z)  # type: ignore[no-any-return]

    def slope(self, name: str, dy: Floats, z: Floats) -> Floats:
        """The gradient by z of f(z)."""
        backward = ACTIVATIONS[name].reference_backward
        assert backward is not None
        return backward(dy, z)  # type: ignore[no-any-return]


def _product(a: Floats, kernel: Floats, keep: Floats | None) -> Floats:
    """a @ kernel, with the dropout of each gate."""
    if keep is None:
        return a @ kernel
    parts = zip(keep, np.split(kernel, len(keep), axis=1))
    return np.concatenate([(a * kept) @ part for kept, part in parts], axis=1)


def _product_backward(dz: Floats, a: Floats, kernel: Floats, keep: Floats | None) -> tuple[Floats, Floats]:
    """(da, dkernel)"""
    if keep is None:
        return dz @ kernel.T, a.T @ dz
    parts = [*zip(keep, np.split(kernel, len(keep), axis=1), np.split(dz, len(keep), axis=1))]
    da = sum((kept * (d @ part.T) for kept, part, d in parts), np.zeros_like(a))
    return da, np.concatenate([(a * kept).T @ d for kept, _, d in parts], axis=1)


class Cell:
    """One step: the state after it from x (n, inputs) and the state before it; and its way back.

    step returns the new state and what step_back needs. step_back takes that and the gradient of the new
    state, and returns the gradients of x, of the state before, and of (kernel, recurrent_kernel, bias).
    """

    gates = 1
    states = 1

    @staticmethod
    def step(r: Recurrence, x: Floats, *state: Floats) -> tuple[State, Any]:
        raise NotImplementedError

    @staticmethod
    def step_back(r: Recurrence, saved: Any, *d_state: Floats) -> tuple[Floats, State, Sequence[Floats]]:
        raise NotImplementedError


class SimpleCell(Cell):
    """h = f(x @ kernel + h @ recurrent_kernel + bias)"""

    @staticmethod
    def step(r: Recurrence, x: Floats, *state: Floats) -> tuple[State, Any]:
        (h,) = state
        z = _product(x, r.kernel, r.keep) + _product(h, r.recurrent_kernel, r.keep_h) + r.bias
        return (r.f(r.activation, z),), (x, h, z)

    @staticmethod
    def step_back(r: Recurrence, saved: Any, *d_state: Floats) -> tuple[Floats, State, Sequence[Floats]]:
        x, h, z = saved
        dz = r.slope(r.activation, d_state[0], z)
        dx, dkernel = _product_backward(dz, x, r.kernel, r.keep)
        dh, drecurrent = _product_backward(dz, h, r.recurrent_kernel, r.keep_h)
        return dx, (dh,), (dkernel, drecurrent, dz.sum(0))


class LSTMCell(Cell):
    """Gates i, f, g, o: c = f * c + i * g, h = o * activation(c)."""

    gates = 4
    states = 2

    @staticmethod
    def step(r: Recurrence, x: Floats, *state: Floats) -> tuple[State, Any]:
        h, c = state
        z = _product(x, r.kernel, r.keep) + _product(h, r.recurrent_kernel, r.keep_h) + r.bias
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
        i, f, o = (r.f(r.recurrent_activation, gate) for gate in (z_i, z_f, z_o))
        g = r.f(r.activation, z_g)
        new = f * c + i * g
        return (o * r.f(r.activation, new), new), (x, h, c, z, (i, f, g, o), new)

    @staticmethod
    def step_back(r: Recurrence, saved: Any, *d_state: Floats) -> tuple[Floats, State, Sequence[Floats]]:
        x, h, c, z, (i, f, g, o), new = saved
        dh, dc = d_state
        d_o = dh * r.f(r.activation, new)
        dc = dc + r.slope(r.activation, dh * o, new)  # c is read by the next step, and by h
        names = (r.recurrent_activation, r.recurrent_activation, r.activation, r.recurrent_activation)
        of_gates = zip(names, (dc * g, dc * c, dc * i, d_o), np.split(z, 4, axis=1))
        dz = np.concatenate([r.slope(*of_gate) for of_gate in of_gates], axis=1)
        dx, dkernel = _product_backward(dz, x, r.kernel, r.keep)
        dh, drecurrent = _product_backward(dz, h, r.recurrent_kernel, r.keep_h)
        return dx, (dh, dc * f), (dkernel, drecurrent, dz.sum(0))


class GRUCell(Cell):
    """Gates z, r: h = z * h + (1 - z) * g, with the candidate g = f(x part + r * (h @ recurrent part))."""

    gates = 3

    @staticmethod
    def step(r: Recurrence, x: Floats, *state: Floats) -> tuple[State, Any]:
        (h,) = state
        of_x = _product(x, r.kernel, r.keep) + r.bias[0]
        of_h = _product(h, r.recurrent_kernel, r.keep_h) + r.bias[1]
        u = h.shape[1]
        z_zr = of_x[:, : 2 * u] + of_h[:, : 2 * u]
        z, reset = (r.f(r.recurrent_activation, gate) for gate in np.split(z_zr, 2, axis=1))
        z_g = of_x[:, 2 * u :] + reset * of_h[:, 2 * u :]
        g = r.f(r.activation, z_g)
        return (z * h + (1 - z) * g,), (x, h, z_zr, z_g, z, reset, g, of_h[:, 2 * u :])

    @staticmethod
    def step_back(r: Recurrence, saved: Any, *d_state: Floats) -> tuple[Floats, State, Sequence[Floats]]:
        x, h, z_zr, z_g, z, reset, g, inner = saved
        (dh,) = d_state
        d_g = r.slope(r.activation, dh * (1 - z), z_g)
        of_gates = zip((dh * (h - g), d_g * inner), np.split(z_zr, 2, axis=1))
        gates = [r.slope(r.recurrent_activation, d, gate) for d, gate in of_gates]
        of_x, of_h = (np.concatenate([*gates, last], axis=1) for last in (d_g, d_g * reset))
        dx, dkernel = _product_backward(of_x, x, r.kernel, r.keep)
        through, drecurrent = _product_backward(of_h, h, r.recurrent_kernel, r.keep_h)
        return dx, (dh * z + through,), (dkernel, drecurrent, np.stack([of_x.sum(0), of_h.sum(0)]))


class EarlyGRUCell(Cell):
    """A GRU as it was first written: g = f(x part + (r * h) @ recurrent part)."""

    gates = 3

    @staticmethod
    def step(r: Recurrence, x: Floats, *state: Floats) -> tuple[State, Any]:
        (h,) = state
        u = h.shape[1]
        early, late, keep, keep_g = _split(r, u)
        of_x = _product(x, r.kernel, r.keep) + r.bias
        z_zr = of_x[:, : 2 * u] + _product(h, early, keep)
        z, reset = (r.f(r.recurrent_activation, gate) for gate in np.split(z_zr, 2, axis=1))
        z_g = of_x[:, 2 * u :] + _product(reset * h, late, keep_g)
        g = r.f(r.activation, z_g)
        return (z * h + (1 - z) * g,), (x, h, z_zr, z_g, z, reset, g)

    @staticmethod
    def step_back(r: Recurrence, saved: Any, *d_state: Floats) -> tuple[Floats, State, Sequence[Floats]]:
        x, h, z_zr, z_g, z, reset, g = saved
        (dh,) = d_state
        early, late, keep, keep_g = _split(r, h.shape[1])
        d_g = r.slope(r.activation, dh * (1 - z), z_g)
        d_reset, dlate = _product_backward(d_g, reset * h, late, keep_g)
        of_gates = zip((dh * (h - g), d_reset * h), np.split(z_zr, 2, axis=1))
        d_zr = np.concatenate([r.slope(r.recurrent_activation, d, gate) for d, gate in of_gates], axis=1)
        through, dearly = _product_backward(d_zr, h, early, keep)
        dz = np.concatenate([d_zr, d_g], axis=1)
        dx, dkernel = _product_backward(dz, x, r.kernel, r.keep)
        dh = dh * z + through + d_reset * reset
        return dx, (dh,), (dkernel, np.concatenate([dearly, dlate], axis=1), dz.sum(0))


def _split(r: Recurrence, units: int) -> tuple[Floats, Floats, Floats | None, Floats | None]:
    """The recurrent kernel of the gates and of the candidate, and their dropout."""
    early, late = r.recurrent_kernel[:, : 2 * units], r.recurrent_kernel[:, 2 * units :]
    return early, late, None if r.keep_h is None else r.keep_h[:2], None if r.keep_h is None else r.keep_h[2:]
