"""The input of a model, and Dense, Flatten, Reshape, Dropout and Rescaling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .. import activations, initializers
from ..common import whole
from ..common.absent import answer
from ..common.arguments import boolean, integer, number, reject_unsupported, several
from ..common.arguments import shape as sizes
from ..common.values import Call, Shapes, Value
from ._layer import Layer
from ._weights import Variable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .. import constraints, regularizers
    from ._options import (
        Activation,
        Constraint,
        DataFormat,
        Initializer,
        Named,
        OfInput,
        Options,
        Regularizer,
    )

__all__ = ["Dense", "Dropout", "Flatten", "Input", "InputLayer", "Rescaling", "Reshape"]

answer(__name__)


def _is_read(dtype: Any) -> bool:
    """Whether data of a type, a name or a library's, keep their values as far as float32 holds them."""
    name = str(getattr(dtype, "name", getattr(dtype, "__name__", dtype))).rpartition(".")[2]
    return re.fullmatch(r"float(32|64)?|u?int(8|16|32|64)?|bool_?", name) is not None


class InputLayer(Layer):
    """An input of a model: the first item of a `Sequential`, or the layer behind the value of `Input`.

    Args:
        shape: sizes of one sample, without the batch axis; None for any size.
        batch_size: of no meaning: batches of any size are taken.
        dtype: None (default), or the type of the data: floats of 32 or 64 bits, integers or bool. Data of any
            real type are read as float32; no number is rounded to an integer. "string" for texts, which
            layers such as `TextVectorization` read.
        batch_shape: instead of shape, with the size of batches, or None, first.
        name: default "input_layer" with a running number.
        others: input_shape, an earlier name of shape. sparse, ragged, tensor and optional are not available
            yet: None or False only.
    """

    kind = "input"

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **others: Unpack[OfInput],
    ) -> None:
        off = {"sparse": False, "ragged": False, "input_tensor": None, "tensor": None, "optional": False}
        given: dict[str, Any] = {**others}
        shape = given.pop("input_shape", None) if shape is None else shape
        reject_unsupported("Input", given, off, ("shape", "batch_size", "batch_shape", "dtype", "name"))
        super().__init__({"name": name})
        if (shape is None) == (batch_shape is None):
            which = "neither" if shape is None else "both"
            raise ValueError(
                f"[Input] either shape or batch_shape must be given, e.g. Input((28, 28, 1)), got {which}"
            )
        if batch_shape is None:
            self.shape = sizes("Input", "shape", shape, is_open=True)
        else:
            if batch_size is not None:
                raise ValueError("[Input] batch_size and batch_shape must not be given both")
            self.shape = sizes("Input", "batch_shape", batch_shape, batch_axis=True, is_open=True)
            batch_size = batch_shape[0]
        if batch_size is not None:
            integer("Input", "batch_size", batch_size)
        self.is_text = dtype in (str, "string", "str")
        if dtype is not None and not self.is_text and not _is_read(dtype):
            raise ValueError(
                f"[Input] dtype={dtype!r} is not available yet: values are float32, read from floats of 32 "
                'or 64 bits, integers or bool, or "string"'
            )
        self.shapes = Shapes([self.shape], [self.shape], {})

    @property
    def output(self) -> Value:
        """The value of this input."""
        with whole:  # all threads get the same value
            if (call := self._live_call()) is None:
                self._calls[call := Call(self, (), [self.shape])] = None
        return call.values()[0]

    @property
    def input(self) -> Value:
        """The same as `output`."""
        return self.output

    def own(self) -> None:
        return None

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Raises TypeError: an InputLayer cannot be called."""
        raise TypeError(f"[{self.name}] cannot be called: call other layers on its output")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"shape": list(self.shape), "name": self.name} | ({"dtype": "string"} if self.is_text else {})


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    *,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **others: Unpack[OfInput],
) -> Value:
    """Makes an input of a model. The arguments are those of `InputLayer`.

    Returns:
        A symbolic `Value`: call layers on it, and give it to `nncore.Model` as an input or to `Sequential` as
        the first item.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name, **others)
    return layer.output


# Arguments of layers with a kernel and a bias that belong to one of the two.
OF_KERNEL_AND_BIAS = (
    "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "kernel_constraint",
    "bias_constraint",
)  # fmt: skip


class Weighted(Layer):
    """Base class of layers with a kernel and, with ``use_bias=True``, a bias."""

    activation: activations.Activation
    use_bias: bool
    kernel_initializer: initializers.Initializer
    bias_initializer: initializers.Initializer
    kernel_regularizer: regularizers.Regularizer | None
    bias_regularizer: regularizers.Regularizer | None
    kernel_constraint: constraints.Constraint | None
    bias_constraint: constraints.Constraint | None

    def _set_common(self, given: Mapping[str, Any]) -> None:
        """Sets what these layers have in common, from the arguments `given`."""
        owner = type(self).__name__
        self.activation = activations.get(given["activation"], owner)
        self.use_bias = boolean(owner, "use_bias", given["use_bias"])
        self._set_of_weights(given)

    @property
    def kernel(self) -> Variable:
        """A view of the kernel.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._weight("kernel")

    @property
    def bias(self) -> Variable | None:
        """A view of the bias; None with ``use_bias=False``.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._weight("bias") if self.use_bias else None


class Dense(Weighted):
    """activation(x @ kernel + bias) over the last axis: (n, ..., inputs) -> (n, ..., units).

    Args:
        units: number of outputs.
        activation: name or function of `nncore.activations`; default linear.
        use_bias: default True.
        kernel_initializer: of the kernel (inputs, units); default "glorot_uniform".
        bias_initializer: of the bias (units,); default zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the kernel, the bias and
            the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, input_dim, dtype, see `Layer`. lora_rank and
            quantization_config are not available yet, so None.

    >>> Dense(3, activation="relu").compute_output_shape((None, 5))
    (None, 3)
    """

    kind = "dense"
    supports_masking = True
    unavailable: ClassVar[Mapping[str, Any]] = {
        "lora_rank": None,
        "lora_alpha": None,
        "quantization_config": None,
    }
    _settings = ("units", "activation", "use_bias", *OF_KERNEL_AND_BIAS)

    def __init__(
        self,
        units: int,
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
        self.units = integer("Dense", "units", units, high=2**20)
        self._set_common(locals())


class Flatten(Layer):
    """(n, a, b, ...) -> (n, a * b * ...), in row-major (C) order.

    Args:
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "flatten"

    def __init__(self, data_format: DataFormat = None, **options: Unpack[Options]) -> None:
        reject_unsupported("Flatten", {"data_format": data_format}, {"data_format": "channels_last"})
        super().__init__(options)


class Reshape(Layer):
    """Gives each sample another shape, in row-major (C) order.

    Args:
        target_shape: without the batch axis. One size may be -1, and is inferred from the others.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Reshape((-1, 2)).compute_output_shape((None, 6))
    (None, 3, 2)
    """

    kind = "reshape"
    _settings = ("target_shape",)

    def __init__(self, target_shape: Sequence[int], **options: Unpack[Options]) -> None:
        super().__init__(options)
        if (given := several(target_shape)) is None:
            raise TypeError(f"[Reshape] target_shape must be a tuple of integers, got {target_shape!r}")
        target = tuple(integer("Reshape", "target_shape", size, low=-1) for size in given)
        if 0 in target or target.count(-1) > 1:
            raise ValueError(
                f"[Reshape] target_shape must hold positive sizes, and -1 at most once, got {target}"
            )
        self.target_shape = target


class Dropout(Layer):
    """In training, sets each element to 0 with probability `rate`, and divides the others by 1 - rate.

    Outside training the output is x. The masks depend on the model's seed: `nncore.utils.set_random_seed`.

    Args:
        rate: in [0, 1]; with 1, the output is 0 in training.
        noise_shape: shape of the random numbers, with the batch first: None for the size of x, 1 where
            elements share a number. Default: a number for each element.
        seed: None; other values are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "dropout"
    supports_masking = True
    _settings: ClassVar[tuple[str, ...]] = ("rate", "noise_shape")
    noise_shape: tuple[int | None, ...] | None

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        owner = type(self).__name__
        self.rate = number(owner, "rate", rate, 0.0, 1.0)
        reject_unsupported(owner, {"seed": seed}, {"seed": None})
        given = None if noise_shape is None else several(noise_shape) or ("none",)
        if given and given[0] not in (None, 1):
            raise ValueError(
                f"[{owner}] noise_shape must be a tuple that begins with None or 1, for the batch, got "
                f"{noise_shape!r}"
            )
        self.noise_shape = given and tuple(n and integer(owner, "noise_shape", n) for n in given)

    def spec(self) -> tuple[str, dict[str, Any]]:
        if self.noise_shape is None:
            return self.kind, {"rate": self.rate}
        return self.kind, {
            "rate": self.rate,
            "noise_shape": [-1 if n is None else n for n in self.noise_shape],
        }


class Rescaling(Layer):
    """x * scale + offset. ``Rescaling(1 / 255)`` as first layer lets a model read 8-bit images.

    Args:
        scale: a number.
        offset: a number; default 0.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "rescaling"
    supports_masking = True
    _settings = ("scale", "offset")

    def __init__(self, scale: float, offset: float = 0.0, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.scale = number("Rescaling", "scale", scale)
        self.offset = number("Rescaling", "offset", offset)
