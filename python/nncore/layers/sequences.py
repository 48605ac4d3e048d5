"""Layers for sequences (n, steps, ...): words as vectors, masks of steps, and layers applied to steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..common.arguments import boolean, integer, number, reject_unsupported, several
from ..common.messages import warn
from ._helper import Helper
from ._layer import Layer, Run
from ._weights import Variable
from .core import Dropout

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Unpack

    from .. import constraints, initializers, regularizers
    from ._options import Constraint, DataFormat, Initializer, OfEmbedding, Options, Regularizer, Unnamed

__all__ = [
    "Embedding",
    "Masking",
    "Permute",
    "RepeatVector",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "TimeDistributed",
]

_T = TypeVar("_T")
_MOST = 2**20  # largest size that the compiled core takes


class Embedding(Layer):
    """Replaces each whole number by a row of a trained table: (n, ...) -> (n, ..., output_dim).

    Numbers that are not whole, or not in 0 to input_dim - 1, raise a ValueError before the step changes
    anything. The gradient of a row is the sum over the places that name it, in the order of the batch.

    Args:
        input_dim: number of rows, at most 2^24: one more than the largest number.
        output_dim: numbers in a row.
        embeddings_initializer: of the table (input_dim, output_dim); default "uniform", in [-0.05, 0.05].
        embeddings_regularizer, embeddings_constraint: of the table; default none.
        mask_zero: with True, steps of number 0 are padding: layers that read masks, losses and metrics leave
            them out. Default False.
        weights: the first values of the table, an array or a list with one; default from the initializer.
        options: name, trainable, input_shape, dtype, see `Layer`. input_length, of earlier versions of Keras,
            has no effect. lora_rank, lora_alpha and quantization_config are not available yet, so None.

    >>> layer = Embedding(3, 2, weights=[[0, 0], [1, 2], [3, 4]])
    >>> layer([[2, 1]]).tolist()
    [[[3.0, 4.0], [1.0, 2.0]]]
    """

    kind = "embedding"
    unavailable: ClassVar[dict[str, Any]] = {
        "lora_rank": None,
        "lora_alpha": None,
        "quantization_config": None,
    }
    _settings = (
        "input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer",
        "embeddings_constraint", "mask_zero",
    )  # fmt: skip
    embeddings_initializer: initializers.Initializer
    embeddings_regularizer: regularizers.Regularizer | None
    embeddings_constraint: constraints.Constraint | None

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Initializer = "uniform",
        embeddings_regularizer: Regularizer = None,
        embeddings_constraint: Constraint = None,
        mask_zero: bool = False,
        weights: ArrayLike | Sequence[ArrayLike] | None = None,
        **options: Unpack[OfEmbedding],
    ) -> None:
        given: dict[str, Any] = {**options}
        if given.pop("input_length", None) is not None:
            warn("[Embedding] input_length has no effect: leave it out, or give an Input((steps,)) before")
        super().__init__(given)
        self.input_dim = integer("Embedding", "input_dim", input_dim, high=2**24)
        self.output_dim = integer("Embedding", "output_dim", output_dim, high=_MOST)
        self.mask_zero = self.supports_masking = boolean("Embedding", "mask_zero", mask_zero)
        self._set_of_weights(locals())
        self._mask = Helper(self, "mask", value=0.0, of_features=False)
        if weights is not None:
            self.build()
            is_list = isinstance(weights, (list, tuple)) and len(weights) == 1
            self.set_weights(weights if is_list else [weights])  # type: ignore[arg-type, list-item]

    def spec(self) -> tuple[str, dict[str, Any]]:
        sizes = {"input_dim": self.input_dim, "output_dim": self.output_dim}
        return self.kind, {**sizes, "name": self.name}

    def build(self, input_shape: Sequence[Any] = (None, None)) -> None:
        """Creates the table, whose size does not depend on the input."""
        super().build(input_shape)

    @property
    def embeddings(self) -> Variable:
        """A view of the table.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._weight("embeddings")

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        return call(self._mask, [inputs[0]]) if self.mask_zero else None


class Masking(Layer):
    """Masks the steps whose features all equal mask_value, and sets them to 0: (n, ..., features), the same.

    Layers that read masks, losses and metrics leave these steps out.

    Args:
        mask_value: default 0.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Masking(9.0)([[[9, 9], [9, 1]]]).tolist()
    [[[0.0, 0.0], [9.0, 1.0]]]
    """

    kind = "masking"
    supports_masking = True
    _settings = ("mask_value",)

    def __init__(self, mask_value: float = 0.0, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.mask_value = number("Masking", "mask_value", mask_value)
        self._mask = Helper(self, "mask", value=self.mask_value, of_features=True)

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        return call(self._mask, [inputs[0]])


class RepeatVector(Layer):
    """The same vector at each of n steps: (samples, features) -> (samples, n, features).

    Args:
        n: number of steps.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> RepeatVector(2)([[1, 2]]).tolist()
    [[[1.0, 2.0], [1.0, 2.0]]]
    """

    kind = "repeat_vector"
    _settings = ("n",)

    def __init__(self, n: int, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.n = integer("RepeatVector", "n", n, high=_MOST)


class Permute(Layer):
    """Puts the axes of samples into another order: ``Permute((2, 1))`` turns (n, a, b) into (n, b, a).

    Args:
        dims: the axes of the input, counted from 1, in the order of the output.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Permute((2, 1))([[[1, 2], [3, 4]]]).tolist()
    [[[1.0, 3.0], [2.0, 4.0]]]
    """

    kind = "permute"
    _settings = ("dims",)

    def __init__(self, dims: Sequence[int], **options: Unpack[Options]) -> None:
        super().__init__(options)
        given = [integer("Permute", "dims", axis) for axis in several(dims) or ()]
        if sorted(given) != list(range(1, len(given) + 1)) or not given:
            raise ValueError(f"[Permute] dims must hold the numbers from 1 on, each once, got {dims!r}")
        self.dims = tuple(given)


class _SpatialDropout(Dropout):
    _settings = ("rate",)
    _shape: ClassVar[tuple[int, ...]]

    def __init__(
        self, rate: float, seed: None = None, name: str | None = None, **options: Unpack[Unnamed]
    ) -> None:
        super().__init__(rate, None, seed, name=name, **options)

    def spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, {"rate": self.rate, "noise_shape": self._shape}


class SpatialDropout1D(_SpatialDropout):
    """`Dropout` of whole channels: (n, steps, channels), the same.

    Args:
        rate: in [0, 1], the probability that a channel of a sample is 0 at all steps.
        seed: None; other values are not available yet.
        name: default the class in snake case with a running number.
        options: trainable, input_shape, dtype, see `Layer`.
    """

    _shape = (-1, 1, -1)


class SpatialDropout2D(_SpatialDropout):
    """`Dropout` of whole channels: (n, height, width, channels), the same.

    Args:
        rate: in [0, 1], the probability that a channel of a sample is 0 at all positions.
        data_format: None or "channels_last"; others are not available yet.
        seed: None; other values are not available yet.
        name: default the class in snake case with a running number.
        options: trainable, input_shape, dtype, see `Layer`.
    """

    _shape = (-1, 1, 1, -1)

    def __init__(
        self,
        rate: float,
        data_format: DataFormat = None,
        seed: None = None,
        name: str | None = None,
        **options: Unpack[Unnamed],
    ) -> None:
        off = {"data_format": "channels_last"}
        reject_unsupported("SpatialDropout2D", {"data_format": data_format}, off)
        super().__init__(rate, seed, name, **options)


class TimeDistributed(Layer):
    """Applies a layer to each step: (n, steps, ...) -> (n, steps, ...), with the same weights for all.

    Args:
        layer: a layer with one input, that the core computes as one: not `Bidirectional` or another layer of
            parts, no model, and no `BatchNormalization`, whose statistics are of a batch.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> from nncore.layers import Flatten
    >>> TimeDistributed(Flatten())([[[[1], [2]], [[3], [4]]]]).tolist()
    [[[1.0, 2.0], [3.0, 4.0]]]
    """

    kind = "time_distributed"
    supports_masking = True
    _settings = ("layer",)

    def __init__(self, layer: Layer, **options: Unpack[Options]) -> None:
        super().__init__(options)
        if not isinstance(layer, Layer) or layer.parts or layer.takes_several or layer.shapes is not None:
            raise TypeError(
                "[TimeDistributed] layer must be a new layer with one input, that consists of no others, got "
                f"{layer!r}: call such layers on each part of the input instead"
            )
        self.layer = layer

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, attributes = self.layer.spec()
        return self.kind, {"layer": kind, **attributes}

    def of_weight(self, name: str, what: str) -> Any:
        return self.layer.of_weight(name, what)

    def stored(self, path: str) -> Iterator[tuple[str, str, list[Variable]]]:
        yield path, self.name, []
        yield f"{path}/layer", self.layer.name, self.weights
