"""Types of arguments, for type checkers alone."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from .. import activations, constraints, initializers, regularizers
from ..common import choices

Activation = choices.Activation | activations.Activation
Constraint = choices.Constraint | constraints.Constraint | None
DataFormat = Literal["channels_last", "channels_first"] | None
Initializer = choices.Initializer | initializers.Initializer
Padding = Literal["valid", "same"]
Padding1D = Literal["valid", "same", "causal"]
Pair = int | Sequence[int]
Single = int | Sequence[int]
Regularizer = choices.Regularizer | regularizers.Regularizer | None

class _All(TypedDict, total=False):
    """Keyword arguments of every layer, see `Layer`, but those that some layers have in their signatures."""

    trainable: bool
    input_shape: Sequence[int | None]
    input_dim: int
    dtype: Any
    autocast: bool

class Named(_All, total=False):
    name: str | None

class Unnamed(_All, total=False):
    activity_regularizer: Regularizer

class Options(Unnamed, Named, total=False): ...

class OfEmbedding(TypedDict, total=False):
    """As `Options`, without input_dim."""

    name: str | None
    trainable: bool
    input_shape: Sequence[int | None]
    activity_regularizer: Regularizer
    dtype: Any
    autocast: bool
    input_length: int | None

class OfLeaky(Options, total=False):
    alpha: float

class OfLookup(_All, total=False):
    has_input_vocabulary: bool
    vocabulary_size: int | None

class OfInput(TypedDict, total=False):
    input_shape: Sequence[int | None]
    sparse: bool
    ragged: bool
    optional: bool
    tensor: None
    input_tensor: None
