"""Single steps of the optimizers. All arrays have the shape of w."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..common.arrays import Array as Floats
from ..common.operations import F, Operation, compiled, expect_shape, floats, settings_of, wide
from ..optimizers import ROWS, SGD, Adadelta, Adagrad, Adam, Adamax, Nadam, Optimizer, RMSprop


class Update(Operation):
    """A function that computes a step, and the optimizers whose step it is.

    Attributes:
        fixed: settings that all these optimizers have.
        moments: argument -> name of the moment in files.
    """

    def __init__(
        self,
        public: F,
        reference: F,
        optimizer: type[Optimizer],
        fixed: dict[str, Any],
        moments: dict[str, str],
    ) -> None:
        super().__init__(public, reference)
        self.optimizer, self.fixed, self.moments = optimizer, fixed, moments


UPDATES: dict[str, Update] = {}


def update(
    optimizer: type[Optimizer], *, fixed: dict[str, Any] | None = None, **moments: str
) -> Callable[[F], F]:
    """Decorates the reference f(w, g, moments..., step, settings...); some f have no argument `step`.

    Args:
        optimizer: the class that has these settings.
        fixed: settings of the optimizer that f does not have.
        moments: the name in files of each argument that is a moment. Such an argument may be None for zeros;
            f returns None for a moment that its settings do not need.
    """

    def decorate(f: F) -> F:
        names = [*signature(f).parameters]
        filled = {**settings_of(optimizer.__init__), **(fixed or {}), **dict.fromkeys(moments)}
        if (own := settings_of(f)).items() - filled.items():
            raise ImportError(f"{f.__name__} has the settings {own}, but {optimizer.__name__} {filled}")

        def run(op: str, *args: Any, **given: Any) -> tuple[Floats | None, ...]:
            of = {**filled, **dict(zip(names, args)), **given}
            spec = optimizer.spec_of(op, of)
            held = ROWS[spec[0]][1]
            step = operator.index(of.get("step", 1))
            if step < 1:
                raise ValueError(f"[{op}] expected step to count from 1, got {step}")
            w, g = floats(op, "w", of["w"]), floats(op, "g", of["g"])
            expect_shape(op, "g", g, w.shape)
            before = {}
            for key, moment in moments.items():
                if moment in held:
                    before[moment] = np.zeros_like(w) if of[key] is None else floats(op, key, of[key])
                    expect_shape(op, key, before[moment], w.shape)
                elif of[key] is not None:
                    raise ValueError(f"[{op}] expected {key}=None without {moment}, got an array")
            w, *after = _core.update(spec, step, g, [w, *(before[moment] for moment in held)])
            new = dict(zip(held, after))
            return (w, *(new.get(moment) for moment in moments.values()))

        public = compiled(f, run)
        UPDATES[f.__name__] = Update(public, f, optimizer, fixed or {}, moments)
        return public

    return decorate


@update(SGD, velocity="momentum")
def sgd(
    w: ArrayLike,
    g: ArrayLike,
    velocity: ArrayLike | None = None,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[Floats, Floats | None]:
    """(w, velocity) after a step of gradient descent: w - learning_rate * g.

    With momentum, velocity = momentum * velocity - learning_rate * g, and the new w is w + velocity, or with
    nesterov w + momentum * velocity - learning_rate * g. A velocity of None stands for zeros; without
    momentum it must be None. ValueError for momentum outside [0, 1], and for a velocity without momentum.

    >>> w, velocity = sgd([1.0], [8.0], learning_rate=0.125, momentum=0.5)
    >>> w.tolist(), velocity.tolist()
    ([0.0], [-1.0])
    """
    w, step = wide(w), -learning_rate * wide(g)
    if momentum == 0.0:
        return w + step, None
    v = momentum * (np.zeros_like(w) if velocity is None else wide(velocity)) + step
    return (w + momentum * v + step if nesterov else w + v), v


@update(Adam, fixed={"amsgrad": False}, m="momentum", v="velocity")
def adam(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> tuple[Floats, Floats, Floats]:
    """(w, m, v) after a step of Adam (Kingma and Ba 2015).

    m and v are moving averages of g and g^2, and start as zeros: m += (g - m) * (1 - beta_1),
    v += (g^2 - v) * (1 - beta_2). The new w is w - a * m / (sqrt(v) + epsilon), where the factor
    a = learning_rate * sqrt(1 - beta_2^step) / (1 - beta_1^step) corrects the bias of the start at zero;
    `step` counts from 1. The first step has the length of the learning rate, for gradients of any size:

    >>> w, m, v = adam([1.0, 1.0], [0.01, -500.0], m=[0.0, 0.0], v=[0.0, 0.0], step=1)
    >>> w.round(3).tolist() == np.float32([0.999, 1.001]).tolist()
    True
    """
    w, g, m, v = wide(w), wide(g), wide(m), wide(v)
    m = m + (g - m) * (1.0 - beta_1)
    v = v + (g**2 - v) * (1.0 - beta_2)
    a = learning_rate * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    return w - a * m / (np.sqrt(v) + epsilon), m, v


@update(Adam, fixed={"amsgrad": True}, m="momentum", v="velocity", v_hat="velocity_hat")
def amsgrad(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    v_hat: ArrayLike,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> tuple[Floats, Floats, Floats, Floats]:
    """(w, m, v, v_hat) after a step of Adam with the largest v so far in place of v (Reddi et al. 2018).

    >>> w, m, v, v_hat = amsgrad([1.0], [0.0], [0.0], v=[1.0], v_hat=[4.0], step=1)
    >>> w.tolist(), v_hat.tolist()
    ([1.0], [4.0])
    """
    w, g, m, v = wide(w), wide(g), wide(m), wide(v)
    m = m + (g - m) * (1.0 - beta_1)
    v = v + (g**2 - v) * (1.0 - beta_2)
    v_hat = np.maximum(v, wide(v_hat))
    a = learning_rate * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    return w - a * m / (np.sqrt(v_hat) + epsilon), m, v, v_hat


@update(Nadam, m="momentum", v="velocity")
def nadam(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike,
    v: ArrayLike,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> tuple[Floats, Floats, Floats]:
    """(w, m, v) after a step of `optimizers.Nadam`; arguments as of `adam`.

    >>> w, m, v = nadam([1.0, 1.0], [0.01, -500.0], m=[0.0, 0.0], v=[0.0, 0.0], step=1)
    >>> w.round(4).tolist() == np.float32([0.9989, 1.0011]).tolist()
    True
    """
    w, g, m, v = wide(w), wide(g), wide(m), wide(v)
    m = m + (g - m) * (1.0 - beta_1)
    v = v + (g**2 - v) * (1.0 - beta_2)
    *before, now, after = (beta_1 * (1.0 - 0.5 * 0.96**t) for t in range(1, step + 2))
    product = math.prod(before) * now
    ahead = after * m / (1.0 - product * after) + (1.0 - now) * g / (1.0 - product)
    return w - learning_rate * ahead / (np.sqrt(v / (1.0 - beta_2**step)) + epsilon), m, v


@update(Adadelta, v="accumulated_grad", d="accumulated_delta_var")
def adadelta(
    w: ArrayLike,
    g: ArrayLike,
    v: ArrayLike,
    d: ArrayLike,
    learning_rate: float = 0.001,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> tuple[Floats, Floats, Floats]:
    """(w, v, d) after a step of `optimizers.Adadelta`; v and d are zeros at first.

    >>> w, v, d = adadelta([1.0], [4.0], v=[0.0], d=[0.25], learning_rate=1.0, rho=0.75, epsilon=0.0)
    >>> w.tolist(), v.tolist(), d.tolist()
    ([0.0], [4.0], [0.4375])
    """
    w, g, v, d = wide(w), wide(g), wide(v), wide(d)
    v = rho * v + (1.0 - rho) * g**2
    step = np.sqrt(d + epsilon) / np.sqrt(v + epsilon) * g
    return w - learning_rate * step, v, rho * d + (1.0 - rho) * step**2


@update(Adagrad, s="accumulator")
def adagrad(
    w: ArrayLike, g: ArrayLike, s: ArrayLike, learning_rate: float = 0.001, epsilon: float = 1e-7
) -> tuple[Floats, Floats]:
    """(w, s) after a step of `optimizers.Adagrad`: the sum s of squares starts at 0.1 there.

    >>> w, s = adagrad([1.0], [3.0], s=[7.0], learning_rate=0.5, epsilon=0.0)
    >>> w.tolist(), s.tolist()
    ([0.625], [16.0])
    """
    w, g = wide(w), wide(g)
    s = wide(s) + g**2
    return w - learning_rate * g / np.sqrt(s + epsilon), s


@update(Adamax, m="momentum", u="norm")
def adamax(
    w: ArrayLike,
    g: ArrayLike,
    m: ArrayLike,
    u: ArrayLike,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> tuple[Floats, Floats, Floats]:
    """(w, m, u) after a step of `optimizers.Adamax`: m and u are zeros, and step is 1, at first.

    >>> w, m, u = adamax([1.0], [4.0], m=[0.0], u=[0.0], step=1, learning_rate=0.125, epsilon=0.0)
    >>> w.tolist(), u.tolist()
    ([0.875], [4.0])
    """
    w, g, m = wide(w), wide(g), wide(m)
    m = m + (g - m) * (1.0 - beta_1)
    u = np.maximum(beta_2 * wide(u), np.abs(g))
    return w - learning_rate / (1.0 - beta_1**step) * m / (u + epsilon), m, u


@update(RMSprop, v="velocity", m="momentum", a="average_gradient")
def rmsprop(
    w: ArrayLike,
    g: ArrayLike,
    v: ArrayLike | None = None,
    m: ArrayLike | None = None,
    a: ArrayLike | None = None,
    learning_rate: float = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
) -> tuple[Floats, Floats, Floats | None, Floats | None]:
    """(w, v, m, a) after a step of `optimizers.RMSprop`; m is None without momentum, a unless centered.

    >>> w, v, m, a = rmsprop([1.0], [4.0], learning_rate=0.125, rho=0.75, epsilon=0.0)
    >>> w.tolist(), v.tolist(), m, a
    ([0.75], [4.0], None, None)
    """
    w, g = wide(w), wide(g)
    v, m, a = (np.zeros_like(w) if moment is None else wide(moment) for moment in (v, m, a))
    v = rho * v + (1.0 - rho) * g**2
    a = rho * a + (1.0 - rho) * g if centered else None
    step = learning_rate * g / np.sqrt(v + epsilon if a is None else v - a**2 + epsilon)
    m = momentum * m + step if momentum else None
    return w - (step if m is None else m), v, m, a
