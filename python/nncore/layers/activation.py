"""Layers that apply an activation function to arrays of any shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import activations
from ..common.arguments import number, require_default
from ..common.operations import ACTIVATIONS
from ._layer import Layer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Activation as OneActivation
    from ._options import OfLeaky, Options

__all__ = ["ELU", "Activation", "LeakyReLU", "ReLU", "Softmax"]


class Activation(Layer):
    """Applies a function of `nncore.activations`.

    Args:
        activation: the function, or its name.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "activation"
    supports_masking = True
    _settings = ("activation",)

    def __init__(self, activation: OneActivation, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.activation = activations.get(activation, "Activation")


class _Function(Layer):
    """Base class of layers for one function each, with the function's settings as arguments."""

    kind = "activation"
    supports_masking = True
    _function: ClassVar[str]

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        row, numbers = ACTIVATIONS[self._function].row(None, **settings)
        return kind, {"activation": row, **numbers}


class ReLU(_Function):
    """x where x > 0, else negative_slope * x.

    Args:
        max_value: None; others are not available yet.
        negative_slope: at least 0; default 0.
        threshold: 0; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    _function = "relu"
    _settings = ("negative_slope",)

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        self.negative_slope = number("ReLU", "negative_slope", negative_slope, 0.0)
        if max_value is not None or number("ReLU", "threshold", threshold) != 0.0:
            raise ValueError(f"[ReLU] max_value={max_value!r}, threshold={threshold!r} are not available yet")


class LeakyReLU(_Function):
    """x where x > 0, else negative_slope * x.

    Args:
        negative_slope: default 0.3 (0.2 in the function of `nncore.activations`, as in Keras).
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    _function = "leaky_relu"
    _settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **options: Unpack[OfLeaky]) -> None:
        if "alpha" in options:  # its name before Keras 3
            negative_slope = options.pop("alpha")
        super().__init__(options)
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope, 0.0)


class ELU(_Function):
    """x where x > 0, else alpha * (exp(x) - 1).

    Args:
        alpha: default 1.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    _function = "elu"
    _settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.alpha = number("ELU", "alpha", alpha, 0.0)


class Softmax(_Function):
    """exp(x) over its sum along the last axis.

    Args:
        axis: -1; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    _function = "softmax"

    def __init__(self, axis: int = -1, **options: Unpack[Options]) -> None:
        super().__init__(options)
        require_default("Softmax", "axis", axis, -1)
