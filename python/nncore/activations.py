"""Activation functions for layers and arrays.

``Dense(8, activation="relu")`` and ``Dense(8, activation=activations.relu)`` are the same. Called on an array
of any real type and shape, a function returns a new float32 array of that shape. A function's body is its
NumPy reference, which is in `nncore.reference`; the function itself runs a compiled kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .activations_more import *  # noqa: F403
from .common.arguments import boolean, number, unknown
from .common.arrays import Array as Floats
from .common.operations import ACTIVATIONS, activation, wide

Activation = Callable[..., Floats]


_UNBOUNDED = 3.4e38  # as bounded_relu has it


def _row_of_relu(
    x: object, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> tuple[str, dict[str, Any]]:
    if max_value is None and threshold == 0.0:
        return ("leaky_relu", {"negative_slope": negative_slope}) if negative_slope else ("relu", {})
    largest = _UNBOUNDED if max_value is None else number("relu", "max_value", max_value, 0.0)
    if largest <= number("relu", "threshold", threshold, 0.0):
        raise ValueError(
            f"[relu] max_value must be above threshold, got max_value={max_value!r}, threshold={threshold!r}"
        )
    settings = {"negative_slope": negative_slope, "max_value": largest, "threshold": threshold}
    return "bounded_relu", settings


def _row_of_gelu(x: object, approximate: bool = False) -> tuple[str, dict[str, Any]]:
    return "gelu_tanh" if boolean("gelu", "approximate", approximate) else "gelu", {}


def _row_of_softmax(x: ArrayLike, axis: int = -1) -> tuple[str, dict[str, Any]]:
    if axis not in (-1, np.ndim(x) - 1):
        raise ValueError(f"[softmax] axis={axis!r} is not available yet: the last axis only")
    return "softmax", {}


# ---- slopes, and functions that several references use; x is an array of float64


def _logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow, and accurate for small values."""
    return np.exp(-np.logaddexp(0.0, -x))


def _slope_of_linear(x: Floats) -> Floats:
    """1."""
    return np.ones_like(x)


def _slope_of_relu(
    x: Floats, negative_slope: float, max_value: float | None = None, threshold: float = 0.0
) -> Floats:
    """1 where threshold < x < max_value, negative_slope where x <= threshold, else 0."""
    above = 1.0 if max_value is None else np.where(x < max_value, 1.0, 0.0)
    return np.where(x > threshold, above, negative_slope)


def _slope_of_elu(x: Floats, alpha: float) -> Floats:
    """1 where x > 0, else alpha * exp(x)."""
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _slope_of_selu(x: Floats) -> Floats:
    """scale where x > 0, else scale * alpha * exp(x)."""
    return _SELU_SCALE * _slope_of_elu(x, _SELU_ALPHA)


def _slope_of_sigmoid(x: Floats) -> Floats:
    """y * (1 - y), and 1 - y is the sigmoid of -x."""
    return _logistic(x) * _logistic(-x)


def _slope_of_tanh(x: Floats) -> Floats:
    """1 - y^2."""
    return 1.0 - np.tanh(x) ** 2


def _slope_of_softplus(x: Floats) -> Floats:
    """sigmoid(x)."""
    return _logistic(x)


def _slope_of_silu(x: Floats) -> Floats:
    """s * (1 + x * (1 - s)), with s = sigmoid(x): the product rule."""
    return _logistic(x) * (1.0 + x * _logistic(-x))


def _slope_of_mish(x: Floats) -> Floats:
    """u + x * (1 - u^2) * sigmoid(x), with u = tanh(softplus(x)): the product rule."""
    u = np.tanh(np.logaddexp(0.0, x))
    return u + x * (1.0 - u**2) * _logistic(x)


_INNER_SLOPE = math.sqrt(2.0 / math.pi)
_INNER_CUBIC = 0.044715
_erfc = np.frompyfunc(math.erfc, 1, 1)


def _normal_cdf(x: Floats, approximate: bool) -> Floats:
    if approximate:
        return 0.5 * (1.0 + np.tanh(_INNER_SLOPE * (x + _INNER_CUBIC * x**3)))
    # 1 + erf(x) = erfc(-x), which is accurate where erf is close to -1
    return 0.5 * np.asarray(_erfc(-x / math.sqrt(2.0)), dtype=np.float64)


def _slope_of_gelu(x: Floats, approximate: bool) -> Floats:
    """P(x) + x * P'(x), where P'(x) = exp(-x^2 / 2) / sqrt(2 pi), or the slope of the tanh form."""
    if approximate:
        inner = np.tanh(_INNER_SLOPE * (x + _INNER_CUBIC * x**3))
        density = 0.5 * (1.0 - inner**2) * _INNER_SLOPE * (1.0 + 3.0 * _INNER_CUBIC * x**2)
    else:
        density = np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    return _normal_cdf(x, approximate) + x * density


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int) -> Floats:
    """dx = y * (dy - sum of dy * y over the last axis).

    From dy_i/dx_j = y_i * ([i = j] - y_j): raising one input lowers all other outputs.
    """
    dy, y = wide(dy), _softmax(wide(x))
    return np.asarray(y * (dy - (dy * y).sum(axis=-1, keepdims=True)))


# ---- the functions


@activation(_slope_of_linear)
def linear(x: ArrayLike) -> Floats:
    """x itself."""
    return wide(x)


@activation(
    _slope_of_relu,
    row=_row_of_relu,
    variants=(
        {"negative_slope": 0.3},
        {"negative_slope": 0.25, "max_value": 2.0, "threshold": 0.5},
        {"threshold": 1.0},
    ),
)
def relu(
    x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Floats:
    """min(x, max_value) where x > threshold, else negative_slope * (x - threshold).

    negative_slope and threshold are at least 0; max_value is above threshold, or None for no bound.

    >>> relu([-2.0, 0.0, 3.0]).tolist()
    [0.0, 0.0, 3.0]
    >>> relu([-2.0, 0.5, 3.0], negative_slope=0.5, max_value=2.0, threshold=1.0).tolist()
    [-1.5, -0.25, 2.0]
    """
    x = wide(x)
    above = x if max_value is None else np.minimum(x, max_value)
    return np.where(x <= threshold, negative_slope * (x - threshold) if negative_slope else 0.0, above)


@activation(_slope_of_relu, variants=({"negative_slope": 0.9},))
def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Floats:
    """x where x > 0, else negative_slope * x.

    >>> leaky_relu([-2, 3], negative_slope=0.5).tolist()
    [-1.0, 3.0]
    """
    x = wide(x)
    return np.where(x > 0, x, negative_slope * x)


@activation(_slope_of_elu, variants=({"alpha": 2.5},))
def elu(x: ArrayLike, alpha: float = 1.0) -> Floats:
    """x where x > 0, else alpha * (exp(x) - 1), which tends to -alpha (Clevert et al. 2015).

    >>> elu([-1000, 3]).tolist()
    [-1.0, 3.0]
    """
    x = wide(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


@activation(_slope_of_selu)
def selu(x: ArrayLike) -> Floats:
    """scale * x where x > 0, else scale * alpha * (exp(x) - 1): alpha = 1.67326324, scale = 1.05070099.

    With these constants, layers with `lecun_normal` kernels keep their outputs near mean 0 and variance 1
    (Klambauer et al. 2017).

    >>> selu([-1000, 0, 1000]).round().tolist()
    [-2.0, 0.0, 1051.0]
    """
    x = wide(x)
    return _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


@activation(_slope_of_sigmoid)
def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + exp(-x)).

    >>> sigmoid([-1000, 0, 1000]).tolist()
    [0.0, 0.5, 1.0]
    """
    return _logistic(wide(x))


@activation(_slope_of_tanh)
def tanh(x: ArrayLike) -> Floats:
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    >>> tanh([-1000, 0, 1000]).tolist()
    [-1.0, 0.0, 1.0]
    """
    return np.tanh(wide(x))


@activation(_slope_of_softplus)
def softplus(x: ArrayLike) -> Floats:
    """log(1 + exp(x)), a smooth relu.

    >>> softplus([-1000, 1000]).tolist()
    [0.0, 1000.0]
    """
    return np.logaddexp(0.0, wide(x))


@activation(_slope_of_silu, aliases=("swish",))
def silu(x: ArrayLike) -> Floats:
    """x * sigmoid(x), also called swish (Elfwing et al. 2017).

    >>> silu([0, 1000]).tolist()
    [0.0, 1000.0]
    """
    x = wide(x)
    return x * _logistic(x)


swish = silu


@activation(_slope_of_mish)
def mish(x: ArrayLike) -> Floats:
    """x * tanh(softplus(x)), with softplus(x) = log(1 + exp(x)) (Misra 2019).

    >>> mish([0, 1000]).tolist()
    [0.0, 1000.0]
    """
    x = wide(x)
    return x * np.tanh(np.logaddexp(0.0, x))


@activation(_slope_of_gelu, row=_row_of_gelu, variants=({"approximate": True},), tolerance=3e-6)
def gelu(x: ArrayLike, approximate: bool = False) -> Floats:
    """x * P(x), with the normal distribution function P(x) = (1 + erf(x / sqrt(2))) / 2.

    From Hendrycks and Gimpel 2016. approximate: P(x) = (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2
    instead.

    >>> gelu([-1000, 0, 1000]).tolist()
    [-0.0, 0.0, 1000.0]
    """
    x = wide(x)
    return x * _normal_cdf(x, approximate)


@activation(backward=_softmax_backward, row=_row_of_softmax)
def softmax(x: ArrayLike, axis: int = -1) -> Floats:
    """exp(x) over its sum along the last axis: x (..., classes). Other axes are not available yet.

    The largest value is subtracted first, which prevents overflow and does not change the result.

    >>> softmax([[0, 0], [0, 1000]]).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    return _softmax(wide(x))


_FUNCTIONS: dict[str, Activation] = {
    name: operation.public for operation in ACTIVATIONS.values() for name in operation.names
}
__all__ = sorted(["get", *_FUNCTIONS])


def _agree(own: Activation, other: Activation) -> bool:
    """Whether both functions return the same for an array; True if the other one raises."""
    x = np.linspace(-3.0, 3.0, 12, dtype=np.float32).reshape(3, 4)
    try:
        return np.allclose(np.asarray(other(x)), own(x), rtol=1e-3, atol=1e-4)
    except Exception:  # it may take tensors only, and raise anything
        return True


def get(identifier: str | Activation | None, owner: str = "activations.get") -> Activation:
    """The function for a name, or the function itself; `linear` for None.

    A function of another library stands for the one of the same name here, unless it returns other values.

    Raises:
        ValueError: there is no function of that name.
        TypeError: a function has another name or returns other values; networks run compiled functions only.

    >>> get("relu") is relu
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        if identifier not in _FUNCTIONS:
            raise unknown(owner, "activation", identifier, _FUNCTIONS)
        return _FUNCTIONS[identifier]
    named = None if isinstance(identifier, type) else _FUNCTIONS.get(getattr(identifier, "__name__", ""))
    if named is not None and (named is identifier or _agree(named, identifier)):
        return named
    raise TypeError(
        f"[{owner}] activation must be a name or a function of nncore.activations, got {identifier!r}. "
        f"There are: {', '.join(sorted(_FUNCTIONS))}."
    )
