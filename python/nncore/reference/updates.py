"""Optimizers: one step of a parameter against its gradient."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ._windows import Floats, floats


def sgd(
    w: ArrayLike,
    g: ArrayLike,
    velocity: ArrayLike | None = None,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[Floats, Floats | None]:
    """(w, velocity) after one step of gradient descent: w - learning_rate * g.

    With momentum, velocity = momentum * velocity - learning_rate * g, and w + velocity, or with nesterov w +
    momentum * velocity - learning_rate * g. The velocity starts as None, which stands for zeros; without
    momentum it stays None. All arrays have the shape of w.

    >>> w, velocity = sgd([1.0], [10.0], momentum=0.9)
    >>> w, velocity
    (array([0.9]), array([-0.1]))
    >>> w, velocity = sgd(w, [0.0], velocity, momentum=0.9)
    >>> w.round(4), velocity.round(4)
    (array([0.81]), array([-0.09]))
    """
    w, step = floats(w), -learning_rate * floats(g)
    if momentum == 0.0:
        return w + step, None
    v = momentum * (np.zeros_like(w) if velocity is None else floats(velocity)) + step
    return (w + momentum * v + step if nesterov else w + v), v


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
    """(w, m, v) after one step of Adam (Kingma and Ba 2014).

    m and v, zeros at first, are running means of g and g^2: m += (g - m) * (1 - beta_1), v += (g^2 - v) * (1
    - beta_2). The step is a * m / (sqrt(v) + epsilon), and a = learning_rate * sqrt(1 - beta_2^step) / (1 -
    beta_1^step) makes up for the start from zero; `step` counts from 1. All arrays have the shape of w.

    The first step has the length of the learning rate, whatever the size of the gradient:

    >>> w, m, v = adam([1.0, 1.0], [0.01, -500.0], m=[0.0, 0.0], v=[0.0, 0.0], step=1)
    >>> w.round(5)
    array([0.999, 1.001])
    """
    w, g, m, v = floats(w), floats(g), floats(m), floats(v)
    m = m + (g - m) * (1.0 - beta_1)
    v = v + (g**2 - v) * (1.0 - beta_2)
    a = learning_rate * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    return w - a * m / (np.sqrt(v) + epsilon), m, v
