"""Layers for images (n, height, width, channels)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..common.arguments import boolean, choice, integer, pair, reject_unsupported
from ._layer import Layer
from .core import OF_KERNEL_AND_BIAS, Weighted

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import (
        Activation,
        Constraint,
        DataFormat,
        Initializer,
        Named,
        Options,
        Padding,
        Pair,
        Regularizer,
        Unnamed,
    )

__all__ = [
    "AveragePooling2D",
    "AvgPool2D",
    "Conv2D",
    "Conv2DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "MaxPool2D",
    "MaxPooling2D",
]

MOST = 2**20  # largest size that the compiled core takes


def channels_last(owner: str, data_format: DataFormat) -> None:
    reject_unsupported(owner, {"data_format": data_format}, {"data_format": "channels_last"})


class Windowed(Weighted):
    """Base class of convolutions of images."""

    _abstract = True

    def _set_windows(self, given: Mapping[str, Any]) -> None:
        """Sets what these layers have in common, from the arguments `given`."""
        owner = type(self).__name__
        channels_last(owner, given["data_format"])
        self.kernel_size = pair(owner, "kernel_size", given["kernel_size"], high=MOST)
        self.strides = pair(owner, "strides", given["strides"], high=MOST)
        self.padding = choice(owner, "padding", given["padding"], ["valid", "same"])
        self.dilation_rate = pair(owner, "dilation_rate", given["dilation_rate"], high=MOST)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"[{owner}] only one of strides and dilation_rate may be above 1, got {self.strides} and "
                f"{self.dilation_rate}"
            )
        self._set_common(given)


class Conv2D(Windowed):
    """Convolution and activation: (n, h, w, channels) -> (n, new h, new w, filters).

    With "valid" padding the new height is 1 + (h - ((kernel - 1) * dilation + 1)) // stride, with "same"
    ceil(h / stride). "same" pads the image with zeros on both sides, and by one more at the bottom and right
    if their number is odd. Most 3 x 3 kernels of stride 1 between 32 channels or more are computed by
    Winograd's minimal filtering (Lavin and Gray 2016), with about the rounding errors of direct sums.

    Args:
        filters: number of output channels.
        kernel_size: one number, or (height, width).
        strides: step of the window, one number or (vertical, horizontal); default 1.
        padding: "valid" (default) or "same".
        data_format: None or "channels_last"; others are not available yet.
        dilation_rate: distance of the kernel's taps; default 1. Either strides or dilation_rate must be 1.
        groups: number of groups of channels that are convolved apart; must divide channels and filters;
            default 1.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        kernel_initializer: of the kernel (height, width, channels / groups, filters); default
            "glorot_uniform".
        bias_initializer: of the bias (filters,); default zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the kernel, the bias and
            the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Conv2D(8, 3).compute_output_shape((None, 28, 28, 1))
    (None, 26, 26, 8)
    """

    kind = "conv2d"
    _settings = (
        "filters", "kernel_size", "strides", "padding", "dilation_rate", "groups",
        "activation", "use_bias", *OF_KERNEL_AND_BIAS,
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: Padding = "valid",
        data_format: DataFormat = None,
        dilation_rate: Pair = (1, 1),
        groups: int = 1,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **options: Unpack[Named],
    ) -> None:
        super().__init__({**options, "activity_regularizer": activity_regularizer})
        self.filters = integer("Conv2D", "filters", filters, high=MOST)
        self.groups = integer("Conv2D", "groups", groups, high=MOST)
        self._set_windows(locals())
        if self.filters % self.groups:
            raise ValueError(f"[Conv2D] groups must divide filters, got {self.groups} and {self.filters}")


class Conv2DTranspose(Windowed):
    """Transposed convolution and activation: (n, h, w, channels) -> (n, new h, new w, filters).

    It computes what the input gradient of `Conv2D` with these arguments does: each input pixel adds the
    kernel, times the pixel, to a window of the output. With "valid" padding the new height is
    (h - 1) * stride + max(kernel, stride), with "same" h * stride: what is more is cut off on both sides, an
    odd row or column at the end. output_padding gives other sizes (Dumoulin and Visin 2016).

    Args:
        filters: number of output channels.
        kernel_size: one number, or (height, width).
        strides: distance of the windows, one number or (vertical, horizontal); default 1.
        padding: "valid" (default) or "same".
        output_padding: below strides, one number or two: the new height is (h - 1) * stride + kernel +
            output_padding with "valid", (h - 1) * stride + kernel % 2 + output_padding with "same". Default
            None, the sizes above.
        data_format: None or "channels_last"; others are not available yet.
        dilation_rate: distance of the kernel's taps; default 1. Either strides or dilation_rate must be 1.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        kernel_initializer: of the kernel (height, width, filters, channels); default "glorot_uniform".
        bias_initializer: of the bias (filters,); default zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the kernel, the bias and
            the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Conv2DTranspose(8, 3, strides=2, padding="same").compute_output_shape((None, 7, 7, 16))
    (None, 14, 14, 8)
    """

    kind = "conv2d_transpose"
    _settings = (
        "filters", "kernel_size", "strides", "padding", "output_padding", "dilation_rate", "activation",
        "use_bias", *OF_KERNEL_AND_BIAS,
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: Padding = "valid",
        output_padding: Pair | None = None,
        data_format: DataFormat = None,
        dilation_rate: Pair = (1, 1),
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **options: Unpack[Named],
    ) -> None:
        super().__init__({**options, "activity_regularizer": activity_regularizer})
        owner = "Conv2DTranspose"
        self.filters = integer(owner, "filters", filters, high=MOST)
        self._set_windows(locals())
        more = None if output_padding is None else pair(owner, "output_padding", output_padding, low=0)
        if more is not None and (more[0] >= self.strides[0] or more[1] >= self.strides[1]):
            raise ValueError(
                f"[{owner}] output_padding must be below strides={self.strides}, got {output_padding!r}"
            )
        self.output_padding = more

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, "output_padding": self.output_padding or (-1, -1)}


class _Pooling(Layer):
    _settings = ("pool_size", "strides", "padding")

    def __init__(
        self,
        pool_size: Pair = (2, 2),
        strides: Pair | None = None,
        padding: Padding = "valid",
        data_format: DataFormat = None,
        name: str | None = None,
        **options: Unpack[Unnamed],
    ) -> None:
        super().__init__({"name": name, **options})
        owner = type(self).__name__
        channels_last(owner, data_format)
        self.pool_size = pair(owner, "pool_size", pool_size, high=MOST)
        self.strides = self.pool_size if strides is None else pair(owner, "strides", strides, high=MOST)
        self.padding = choice(owner, "padding", padding, ["valid", "same"])


class MaxPooling2D(_Pooling):
    """The largest value of each window: (n, h, w, channels) -> (n, new h, new w, channels).

    Args:
        pool_size: one number, or (height, width); default 2.
        strides: steps of the window; default pool_size.
        padding: "valid" (default) or "same". Pixels outside the image are left out.
        data_format: None or "channels_last"; others are not available yet.
        name: default "max_pooling2d" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.
    """

    kind = "max_pooling2d"


class AveragePooling2D(_Pooling):
    """The mean of each window: (n, h, w, channels) -> (n, new h, new w, channels).

    Args:
        pool_size: one number, or (height, width); default 2.
        strides: steps of the window; default pool_size.
        padding: "valid" (default) or "same". Pixels outside the image are left out.
        data_format: None or "channels_last"; others are not available yet.
        name: default "average_pooling2d" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.
    """

    kind = "average_pooling2d"


class _GlobalPooling(Layer):
    _settings = ("keepdims",)

    def __init__(
        self, data_format: DataFormat = None, keepdims: bool = False, **options: Unpack[Options]
    ) -> None:
        super().__init__(options)
        channels_last(type(self).__name__, data_format)
        self.keepdims = boolean(type(self).__name__, "keepdims", keepdims)


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel: (n, h, w, channels) -> (n, channels), or (n, 1, 1, channels) with keepdims.

    Args:
        data_format: None or "channels_last"; others are not available yet.
        keepdims: default False.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "global_average_pooling2d"


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each channel: (n, h, w, channels) -> (n, channels), or (n, 1, 1, channels) with
    keepdims.

    Args:
        data_format: None or "channels_last"; others are not available yet.
        keepdims: default False.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "global_max_pooling2d"


# Keras' other names.
AvgPool2D, MaxPool2D = AveragePooling2D, MaxPooling2D
Convolution2D, Convolution2DTranspose = Conv2D, Conv2DTranspose
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
