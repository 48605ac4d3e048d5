"""Convolution and pooling along the steps of sequences (n, steps, channels): images of height 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..common.arguments import boolean, choice, integer, reject_unsupported, several
from ._helper import Helper, without_weights
from ._layer import Layer, Run
from .core import OF_KERNEL_AND_BIAS, Weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from ._options import (
        Activation,
        Constraint,
        DataFormat,
        Initializer,
        Named,
        Options,
        Padding,
        Padding1D,
        Regularizer,
        Single,
        Unnamed,
    )

__all__ = [
    "AveragePooling1D",
    "AvgPool1D",
    "Conv1D",
    "Convolution1D",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "GlobalMaxPooling1D",
    "MaxPool1D",
    "MaxPooling1D",
]

_T = TypeVar("_T")
_MOST = 2**20  # largest size that the compiled core takes


def _channels_last(owner: str, data_format: DataFormat) -> None:
    reject_unsupported(owner, {"data_format": data_format}, {"data_format": "channels_last"})


def _single(owner: str, name: str, value: Any) -> tuple[int]:
    """A size, given as a number or in a tuple of one."""
    given = several(value)
    if given is not None and len(given) != 1:
        raise ValueError(f"[{owner}] {name} must be an integer, or a tuple of one, got {value!r}")
    return (integer(owner, name, value if given is None else given[0], high=_MOST),)


def _on_rows(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of the layer for images, whose height is 1."""
    sized = ("kernel_size", "strides", "dilation_rate", "pool_size")
    return {name: (1, *v) if name in sized else v for name, v in settings.items()} | {"of_steps": True}


class Conv1D(Weighted):
    """Convolution along steps, and activation: (n, steps, channels) -> (n, new steps, filters).

    With "valid" padding there are 1 + (steps - ((kernel - 1) * dilation + 1)) // stride new steps, with
    "same" and "causal" ceil(steps / stride). "same" pads with zeros on both sides, and by one more at the end
    if their number is odd; "causal" pads at the beginning alone, so that no output reads a later step.

    Args:
        filters: number of output channels.
        kernel_size: number of steps that an output reads.
        strides: step of the window; default 1.
        padding: "valid" (default), "same" or "causal".
        data_format: None or "channels_last"; others are not available yet.
        dilation_rate: distance of the kernel's taps; default 1. Either strides or dilation_rate must be 1.
        groups: number of groups of channels that are convolved apart; must divide channels and filters;
            default 1.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        kernel_initializer: of the kernel (kernel_size, channels / groups, filters); default "glorot_uniform".
        bias_initializer: of the bias (filters,); default zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the kernel, the bias and
            the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Conv1D(8, 5).compute_output_shape((None, 100, 64))
    (None, 96, 8)
    """

    kind = "conv2d"
    _settings = (
        "filters", "kernel_size", "strides", "padding", "dilation_rate", "groups",
        "activation", "use_bias", *OF_KERNEL_AND_BIAS,
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Single,
        strides: Single = 1,
        padding: Padding1D = "valid",
        data_format: DataFormat = None,
        dilation_rate: Single = 1,
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
        _channels_last("Conv1D", data_format)
        self.filters = integer("Conv1D", "filters", filters, high=_MOST)
        self.kernel_size = _single("Conv1D", "kernel_size", kernel_size)
        self.strides = _single("Conv1D", "strides", strides)
        self.padding = choice("Conv1D", "padding", padding, ["valid", "same", "causal"])
        self.dilation_rate = _single("Conv1D", "dilation_rate", dilation_rate)
        self.groups = integer("Conv1D", "groups", groups, high=_MOST)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"[Conv1D] only one of strides and dilation_rate may be above 1, got {self.strides} and "
                f"{self.dilation_rate}"
            )
        if self.filters % self.groups:
            raise ValueError(f"[Conv1D] groups must divide filters, got {self.groups} and {self.filters}")
        self._set_common(locals())

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, _on_rows(settings)


class _Pooling(Layer):
    _settings = ("pool_size", "strides", "padding")

    def __init__(
        self,
        pool_size: Single = 2,
        strides: Single | None = None,
        padding: Padding = "valid",
        data_format: DataFormat = None,
        name: str | None = None,
        **options: Unpack[Unnamed],
    ) -> None:
        super().__init__({"name": name, **options})
        owner = type(self).__name__
        _channels_last(owner, data_format)
        self.pool_size = _single(owner, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else _single(owner, "strides", strides)
        self.padding = choice(owner, "padding", padding, ["valid", "same"])

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, _on_rows(settings)


class MaxPooling1D(_Pooling):
    """The largest value of each window of steps: (n, steps, channels) -> (n, new steps, channels).

    Args:
        pool_size: number of steps; default 2.
        strides: step of the window; default pool_size.
        padding: "valid" (default) or "same". Steps outside the sequence are left out.
        data_format: None or "channels_last"; others are not available yet.
        name: default "max_pooling1d" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.
    """

    kind = "max_pooling2d"


class AveragePooling1D(_Pooling):
    """The mean of each window of steps: (n, steps, channels) -> (n, new steps, channels).

    Args:
        pool_size: number of steps; default 2.
        strides: step of the window; default pool_size.
        padding: "valid" (default) or "same". Steps outside the sequence are left out.
        data_format: None or "channels_last"; others are not available yet.
        name: default "average_pooling1d" with a running number.
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

    def spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, {"keepdims": self.keepdims, "of_steps": True}


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over steps: (n, steps, channels) -> (n, channels), or (n, 1, channels) with keepdims.

    A mask of the input leaves out steps. A sample whose steps are all left out gives NaN.

    Args:
        data_format: None or "channels_last"; others are not available yet.
        keepdims: default False.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "global_average_pooling2d"
    supports_masking = reads_mask = True

    def __init__(
        self, data_format: DataFormat = None, keepdims: bool = False, **options: Unpack[Options]
    ) -> None:
        super().__init__(data_format, keepdims, **options)
        self.block = without_weights()

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        mask = named.pop("mask", None)
        if mask is None:
            return super().unfold(call, *inputs)
        return [call(Helper(self, "masked_average", keepdims=self.keepdims), [*inputs, mask])]

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        return None


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value over steps: (n, steps, channels) -> (n, channels), or (n, 1, channels) with keepdims.

    Args:
        data_format: None or "channels_last"; others are not available yet.
        keepdims: default False.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "global_max_pooling2d"


# Keras' other names.
AvgPool1D, MaxPool1D = AveragePooling1D, MaxPooling1D
Convolution1D = Conv1D
GlobalAvgPool1D, GlobalMaxPool1D = GlobalAveragePooling1D, GlobalMaxPooling1D
