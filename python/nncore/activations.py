"""Activation functions, to give to layers and to call on arrays.

``Dense(8, activation="relu")`` and ``Dense(8, activation=activations.relu)`` are the same. Called on an
array of any real type and shape, a function returns a new float32 array of that shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import boolean, number, only, unknown
from ._forks import whole

__all__ = [
    "elu",
    "gelu",
    "get",
    "leaky_relu",
    "linear",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "swish",
    "tanh",
]

Floats = NDArray[np.float32]
Activation = Callable[..., Floats]


def linear(x: ArrayLike) -> Floats:
    """x itself."""
    return np.array(x, dtype=np.float32)


def relu(
    x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Floats:
    """x where x > 0, else negative_slope * x. max_value and threshold are not available yet.

    >>> relu([-2.0, 0.0, 3.0]).tolist()
    [0.0, 0.0, 3.0]
    """
    with whole:
        from . import ops

    only("relu", "max_value", max_value, None)
    only("relu", "threshold", float(threshold), 0.0)
    slope = number("relu", "negative_slope", negative_slope)
    return ops.leaky_relu(x, negative_slope=slope) if slope else ops.relu(x)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Floats:
    """x where x > 0, else negative_slope * x."""
    with whole:
        from . import ops

    return ops.leaky_relu(x, negative_slope=number("leaky_relu", "negative_slope", negative_slope))


def elu(x: ArrayLike, alpha: float = 1.0) -> Floats:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    with whole:
        from . import ops

    return ops.elu(x, alpha=number("elu", "alpha", alpha))


def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + exp(-x))."""
    with whole:
        from . import ops

    return ops.sigmoid(x)


def tanh(x: ArrayLike) -> Floats:
    """The hyperbolic tangent."""
    with whole:
        from . import ops

    return ops.tanh(x)


def softplus(x: ArrayLike) -> Floats:
    """log(1 + exp(x))."""
    with whole:
        from . import ops

    return ops.softplus(x)


def silu(x: ArrayLike) -> Floats:
    """x * sigmoid(x), also called swish."""
    with whole:
        from . import ops

    return ops.silu(x)


swish = silu


def gelu(x: ArrayLike, approximate: bool = False) -> Floats:
    """x times the normal distribution function of x; with `approximate` by way of tanh."""
    with whole:
        from . import ops

    return ops.gelu(x, approximate=boolean("gelu", "approximate", approximate))


def softmax(x: ArrayLike, axis: int = -1) -> Floats:
    """exp(x) over its sum along the last axis; other axes are not available yet.

    >>> softmax([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    with whole:
        from . import ops

    if axis not in (-1, np.ndim(x) - 1):
        raise ValueError(f"[softmax] axis={axis!r} is not available yet: the last axis only")
    return ops.softmax(x)


_FUNCTIONS: dict[str, Activation] = {
    f.__name__: f for f in (linear, relu, leaky_relu, elu, sigmoid, tanh, softplus, silu, gelu, softmax)
}
_ALIASES = {"swish": "silu"}


def get(identifier: str | Activation | None, owner: str = "activations.get") -> Activation:
    """The function of a name, or of itself; None is `linear`.

    Raises:
        ValueError: there is no function of that name.
        TypeError: a function that is not one of this module: what runs in a network is compiled.

    >>> get("relu") is relu
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        function = _FUNCTIONS.get(_ALIASES.get(identifier, identifier))
        if function is None:
            raise unknown(owner, "activation", identifier, [*_FUNCTIONS, *_ALIASES])
        return function
    name = getattr(identifier, "__name__", "")
    if name in _FUNCTIONS and _FUNCTIONS[name] is identifier:
        return identifier
    raise TypeError(
        f"[{owner}] activation must be a name or a function of nncore.activations, got {identifier!r}. "
        f"There are: {', '.join(sorted([*_FUNCTIONS, *_ALIASES]))}."
    )


def attributes(function: Activation) -> dict[str, str | float]:
    """What the compiled core needs to know: the name, and the parameter of those that have one."""
    return {
        "activation": function.__name__,
        "alpha": {"leaky_relu": 0.2, "elu": 1.0}.get(function.__name__, 0.0),
    }
