"""One step of an optimizer, over the compiled kernels. All arrays have the shape of w."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._operations import Floats, expect_shape, floats


def sgd(
    w: ArrayLike,
    g: ArrayLike,
    velocity: ArrayLike | None = None,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[Floats, Floats | None]:
    """(w, velocity) after a step of gradient descent; velocity is None at first, and always without momentum.

    Raises ValueError for momentum outside [0, 1], and for a velocity without momentum.

    >>> w, velocity = sgd([1.0], [8.0], learning_rate=0.125, momentum=0.5)
    >>> w.tolist(), velocity.tolist()
    ([0.0], [-1.0])
    """
    attributes = {
        "learning_rate": float(learning_rate),
        "momentum": float(momentum),
        "nesterov": bool(nesterov),
    }
    moments: dict[str, ArrayLike] = {}
    if momentum != 0.0:
        moments["velocity"] = np.zeros(np.shape(w), dtype=np.float32) if velocity is None else velocity
    elif velocity is not None:
        raise ValueError("[sgd] expected velocity=None without momentum, got an array")
    w, new = _update(("sgd", attributes), 1, w, g, moments)
    return w, new[0] if new else None


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
    """(w, m, v) after a step of Adam; m and v are zeros at first, and `step` counts from 1.

    >>> w, m, v = adam([1.0, 1.0], [0.01, -500.0], m=[0.0, 0.0], v=[0.0, 0.0], step=1)
    >>> w.round(3).tolist() == np.float32([0.999, 1.001]).tolist()
    True
    """
    attributes: dict[str, _core.Attribute] = {
        "learning_rate": float(learning_rate),
        "beta_1": float(beta_1),
        "beta_2": float(beta_2),
        "epsilon": float(epsilon),
    }
    w, (m, v) = _update(("adam", attributes), step, w, g, {"m": m, "v": v})
    return w, m, v


def _update(
    spec: _core.Spec, step: int, w: ArrayLike, g: ArrayLike, moments: dict[str, ArrayLike]
) -> tuple[Floats, list[Floats]]:
    op = spec[0]
    if operator.index(step) < 1:
        raise ValueError(f"[{op}] expected step to count from 1, got {step}")
    w = floats(op, "w", w)
    arrays = {name: floats(op, name, a) for name, a in {"g": g, **moments}.items()}
    for name, a in arrays.items():
        expect_shape(op, name, a, w.shape)
    g, *before = arrays.values()
    return _core.update(spec, step, w, g, before)
