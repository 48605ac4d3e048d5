"""Convolutions of each channel by itself, alone and with a mix of channels behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..common.absent import answer
from ..common.arguments import integer
from ._layer import Layer
from .images import MOST, Conv2D, Windowed

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Activation, Constraint, DataFormat, Initializer, Named, Padding, Pair, Regularizer
    from ._weights import Variable

__all__ = ["DepthwiseConv2D", "SeparableConv2D", "SeparableConvolution2D"]

answer(__name__)


class DepthwiseConv2D(Windowed):
    """A convolution of each channel with kernels of its own, and activation.

    (n, h, w, channels) -> (n, new h, new w, channels * depth_multiplier). Channel
    ``c * depth_multiplier + m`` of the output is channel c with its kernel m. Sizes and padding are those of
    `Conv2D`.

    Args:
        kernel_size: one number, or (height, width).
        strides: step of the window, one number or (vertical, horizontal); default 1.
        padding: "valid" (default) or "same".
        depth_multiplier: kernels of each channel; default 1.
        data_format: None or "channels_last"; others are not available yet.
        dilation_rate: distance of the kernel's taps; default 1. Either strides or dilation_rate must be 1.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        depthwise_initializer: of the kernel (height, width, channels, depth_multiplier); default
            "glorot_uniform".
        bias_initializer: of the bias (channels * depth_multiplier,); default zeros.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties on the kernel, the bias and
            the output: names or instances of `nncore.regularizers`; default none.
        depthwise_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> layer = DepthwiseConv2D(3, depth_multiplier=2)
    >>> layer.compute_output_shape((None, 28, 28, 4))
    (None, 26, 26, 8)
    """

    kind = "conv2d"
    _kernel: ClassVar[str] = "kernel"  # name of the weight
    _settings = (
        "kernel_size", "strides", "padding", "depth_multiplier", "dilation_rate", "activation", "use_bias",
        "depthwise_initializer", "bias_initializer", "depthwise_regularizer", "bias_regularizer",
        "depthwise_constraint", "bias_constraint",
    )  # fmt: skip

    def __init__(
        self,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: Padding = "valid",
        depth_multiplier: int = 1,
        data_format: DataFormat = None,
        dilation_rate: Pair = (1, 1),
        activation: Activation | None = None,
        use_bias: bool = True,
        depthwise_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        depthwise_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        depthwise_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **options: Unpack[Named],
    ) -> None:
        super().__init__({**options, "activity_regularizer": activity_regularizer})
        self._set_windows(locals())
        self.depth_multiplier = integer(type(self).__name__, "depth_multiplier", depth_multiplier, high=MOST)

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, "kernel_name": self._kernel}

    def of_weight(self, name: str, what: str) -> Any:
        return super().of_weight("depthwise" if name == self._kernel else name, what)


class _Depthwise(DepthwiseConv2D):
    """The first part of a separable convolution."""

    _abstract = True
    _kernel = "depthwise_kernel"


class _Pointwise(Conv2D):
    """The second part of a separable convolution."""

    _abstract = True

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, "kernel_name": "pointwise_kernel"}

    def of_weight(self, name: str, what: str) -> Any:
        return super().of_weight(name.removeprefix("pointwise_"), what)


def _of(layer: Layer, weight: str, name: str) -> dict[str, Any]:
    """The arguments of a layer that belong to a weight, as those of a weight `name`."""
    whats = ("initializer", "regularizer", "constraint")
    return {f"{name}_{what}": vars(layer)[f"{weight}_{what}"] for what in whats}


class SeparableConv2D(Windowed):
    """A convolution of each channel by itself, then a mix of the results at each position, and activation.

    (n, h, w, channels) -> (n, new h, new w, filters). The parts are a `DepthwiseConv2D` without bias and a
    `Conv2D` of one position; Chollet 2017.

    Args:
        filters: number of output channels.
        kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier: of the first part, see
            `DepthwiseConv2D`.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        depthwise_initializer: of depthwise_kernel (height, width, channels, depth_multiplier); default
            "glorot_uniform".
        pointwise_initializer: of pointwise_kernel (1, 1, channels * depth_multiplier, filters); default
            "glorot_uniform".
        bias_initializer: of the bias (filters,); default zeros.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties on the
            weights and the output: names or instances of `nncore.regularizers`; default none.
        depthwise_constraint, pointwise_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> layer = SeparableConv2D(16, 3, padding="same")
    >>> layer.build((None, 8, 8, 4))
    >>> [(weight.name, weight.shape) for weight in layer.weights]
    [('depthwise_kernel', (3, 3, 4, 1)), ('pointwise_kernel', (1, 1, 4, 16)), ('bias', (16,))]
    """

    kind = "separable_conv2d"
    _settings = (
        "filters", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier", "activation",
        "use_bias", "depthwise_initializer", "pointwise_initializer", "bias_initializer",
        "depthwise_regularizer", "pointwise_regularizer", "bias_regularizer", "depthwise_constraint",
        "pointwise_constraint", "bias_constraint",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: Padding = "valid",
        data_format: DataFormat = None,
        dilation_rate: Pair = (1, 1),
        depth_multiplier: int = 1,
        activation: Activation | None = None,
        use_bias: bool = True,
        depthwise_initializer: Initializer = "glorot_uniform",
        pointwise_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        depthwise_regularizer: Regularizer = None,
        pointwise_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        depthwise_constraint: Constraint = None,
        pointwise_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **options: Unpack[Named],
    ) -> None:
        super().__init__({**options, "activity_regularizer": activity_regularizer})
        self._set_windows(locals())
        self.filters = integer("SeparableConv2D", "filters", filters, high=MOST)
        self.depth_multiplier = integer("SeparableConv2D", "depth_multiplier", depth_multiplier, high=MOST)
        first = _Depthwise(
            self.kernel_size,
            self.strides,
            padding,
            self.depth_multiplier,
            dilation_rate=self.dilation_rate,
            use_bias=False,
            name=self.name,
            **_of(self, "depthwise", "depthwise"),
        )
        second = _Pointwise(
            self.filters,
            1,
            activation=self.activation,
            use_bias=self.use_bias,
            activity_regularizer=self.activity_regularizer,
            name=self.name,
            **_of(self, "pointwise", "kernel"),
            **_of(self, "bias", "bias"),
        )
        self._set_parts(first, second)

    def unfold(self, call: Any, x: Any) -> list[Any]:
        first, second = self.parts
        return [call(second, [call(first, [x])])]

    @property
    def depthwise_kernel(self) -> Variable:
        """A view of this weight. This and the next raise AttributeError before the layer is built."""
        return self._weight("depthwise_kernel")

    @property
    def pointwise_kernel(self) -> Variable:
        return self._weight("pointwise_kernel")


# Keras' other name.
SeparableConvolution2D = SeparableConv2D
