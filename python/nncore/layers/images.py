"""Layers for images (n, height, width, channels)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.arguments import boolean, choice, integer, neutral, pair
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

_MOST = 2**20  # what the compiled core takes as one size


def _channels_last(owner: str, data_format: DataFormat) -> None:
    neutral(owner, {"data_format": data_format}, {"data_format": "channels_last"})


class Conv2D(Weighted):
    """activation of a convolution: (n, h, w, channels) -> (n, new h, new w, filters).

    With "valid" padding the new height is 1 + (h - ((kernel - 1) * dilation + 1)) // stride, with "same"
    ceil(h / stride); missing pixels count as 0, and the odd one is added at the bottom or right. Most 3 x 3
    kernels of stride 1 between 32 channels or more are computed by Winograd's minimal filtering (Lavin and
    Gray 2016), which rounds about as plain sums do.

    Args:
        filters: number of output channels.
        kernel_size: one number, or (height, width).
        strides: steps of the window; default 1.
        padding: "valid" (default) or "same".
        data_format: None or "channels_last"; others are not available yet.
        dilation_rate: steps within the window; default 1. Only one of strides and dilation_rate may be above
            1.
        groups: number of groups of channels that are convolved apart; divides channels and filters; default
            1.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        kernel_initializer: of the kernel (height, width, channels / groups, filters); default Glorot's
            uniform.
        bias_initializer: of the bias (filters,); default zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the kernel, the bias and
            what the layer gives: names or instances of `nncore.regularizers`; default none.
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
        _channels_last("Conv2D", data_format)
        self.filters = integer("Conv2D", "filters", filters, high=_MOST)
        self.kernel_size = pair("Conv2D", "kernel_size", kernel_size, high=_MOST)
        self.strides = pair("Conv2D", "strides", strides, high=_MOST)
        self.padding = choice("Conv2D", "padding", padding, ["valid", "same"])
        self.dilation_rate = pair("Conv2D", "dilation_rate", dilation_rate, high=_MOST)
        self.groups = integer("Conv2D", "groups", groups, high=_MOST)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"[Conv2D] only one of strides and dilation_rate may be above 1, got {self.strides} and "
                f"{self.dilation_rate}"
            )
        if self.filters % self.groups:
            raise ValueError(f"[Conv2D] groups must divide filters, got {self.groups} and {self.filters}")
        self._set_common(
            activation, use_bias,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip


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
        _channels_last(owner, data_format)
        self.pool_size = pair(owner, "pool_size", pool_size, high=_MOST)
        self.strides = self.pool_size if strides is None else pair(owner, "strides", strides, high=_MOST)
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
        _channels_last(type(self).__name__, data_format)
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
