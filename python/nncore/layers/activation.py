"""Layers that apply an activation function, element by element or along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .. import activations, initializers
from ..common.arguments import number, several
from ..common.operations import ACTIVATIONS
from ._helper import axis_of
from ._layer import Layer
from ._weights import Variable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Activation as OneActivation
    from ._options import Constraint, Initializer, OfLeaky, Options, Regularizer

__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


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
    """min(x, max_value) where x > threshold, else negative_slope * (x - threshold).

    Args:
        max_value: above threshold; default None, no bound.
        negative_slope: at least 0; default 0.
        threshold: at least 0; default 0.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> ReLU(max_value=2.0, negative_slope=0.5)([-1.0, 1.0, 3.0]).tolist()
    [-0.5, 1.0, 2.0]
    """

    _function = "relu"
    _settings = ("max_value", "negative_slope", "threshold")

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        self.negative_slope = number("ReLU", "negative_slope", negative_slope, 0.0)
        self.threshold = number("ReLU", "threshold", threshold, 0.0)
        self.max_value = None if max_value is None else number("ReLU", "max_value", max_value, 0.0)
        if self.max_value is not None and self.max_value <= self.threshold:
            raise ValueError(
                f"[ReLU] max_value must be above threshold={self.threshold:g}, got {self.max_value:g}"
            )


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
    """exp(x) over its sum along one axis, or several side by side.

    Args:
        axis: counted with the batch axis, or from the end; a list for several axes. Default -1, the last.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Softmax(axis=1)([[[0.0, 3.0], [0.0, 3.0]]]).tolist()
    [[[0.5, 0.5], [0.5, 0.5]]]
    """

    _function = "softmax"
    _settings = ("axis",)

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[Options]) -> None:
        super().__init__(options)
        axes = several(axis)
        if axes == ():
            raise ValueError(f"[Softmax] axis must name one axis or more, got {axis!r}")
        self.axis = (
            axis_of("Softmax", "axis", axis)
            if axes is None
            else tuple(axis_of("Softmax", "axis", one) for one in axes)
        )

    def spec(self) -> tuple[str, dict[str, Any]]:
        axes = several(self.axis) or (self.axis,)
        return ("activation", {"activation": "softmax"}) if axes == (-1,) else ("softmax", {"axis": axes})


class PReLU(Layer):
    """x where x > 0, else alpha * x, with slopes alpha that are trained (He et al. 2015).

    Args:
        alpha_initializer: of alpha, which has the shape of a sample; default zeros.
        alpha_regularizer: of `nncore.regularizers`; default none.
        alpha_constraint: of `nncore.constraints`; default none.
        shared_axes: axes, counted with the batch axis, along which alpha is the same; its size is 1 there.
            For images [1, 2] gives one slope for each channel. Default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> PReLU(alpha_initializer="ones", shared_axes=[1])([[-1.0, 2.0]]).tolist()
    [[-1.0, 2.0]]
    """

    kind = "prelu"
    alpha_initializer: initializers.Initializer
    _settings = ("alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes")

    def __init__(
        self,
        alpha_initializer: Initializer = "Zeros",
        alpha_regularizer: Regularizer = None,
        alpha_constraint: Constraint = None,
        shared_axes: int | Sequence[int] | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        self._set_of_weights(locals())
        axes = () if shared_axes is None else several(shared_axes)
        axes = (shared_axes,) if axes is None else axes
        self.shared_axes = tuple(axis_of("PReLU", "shared_axes", one) for one in axes)

    @property
    def alpha(self) -> Variable:
        """A view of alpha.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._weight("alpha")
