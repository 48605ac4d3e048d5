"""Layers before the network that make numbers of strings or integers: by a vocabulary, or one-hot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.absent import answer
from ..common.arguments import boolean, integer, reject_unsupported, require_default
from ..common.values import OpenShape
from ._before import BeforeNetwork
from ._lookup import Lookup, bytes_of, encoded_array, mode_of, shape_after, whole_numbers

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import OfLookup, Options

__all__ = ["CategoryEncoding", "IntegerLookup", "StringLookup"]

answer(__name__)


class StringLookup(Lookup):
    """The places of strings in a vocabulary: an array of strings -> one of integers, or of float32.

    As the first layer of a model, or called on the value of an ``Input(..., dtype="string")``, it lets the
    model read strings: Python applies it to the data before the network. Arrays are prepared as a whole,
    batches one by one.

    Args:
        max_tokens: most tokens in the vocabulary, with those for padding and for unknown strings.
        num_oov_indices: 1 (default), or 0, for which unknown strings raise ValueError.
        mask_token: a string that is 0 with "int", and is left out otherwise; default none.
        oov_token: what `get_vocabulary` has for unknown strings; default "[UNK]".
        vocabulary: tokens, or a file of them, see `set_vocabulary`; default those of `adapt`.
        idf_weights: of the tokens, with "tf_idf".
        invert: reads places and gives strings; default False.
        output_mode: "int" (default): places, of the input's shape; "one_hot": (..., tokens); "multi_hot",
            "count" and "tf_idf" of samples (n, k): (n, tokens), with 1 where a string is in the sample, its
            count, or that times log(1 + samples / (1 + samples that have it)).
        pad_to_max_tokens: the last axis has the size max_tokens; default False.
        sparse, encoding, salt: False, "utf-8" and None; others are not available.
        name: default "string_lookup" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.

    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer([["b", "c"]]).tolist()
    [[2, 0]]
    """

    reads_text = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: None = None,
        **options: Unpack[OfLookup],
    ) -> None:
        reject_unsupported(
            "StringLookup", {"salt": salt, "encoding": encoding}, {"salt": None, "encoding": "utf-8"}
        )
        self.num_oov_indices = integer("StringLookup", "num_oov_indices", num_oov_indices, low=0, high=1)
        self.invert = boolean("StringLookup", "invert", invert)
        self._set(locals(), options)

    def _keys(self, array: NDArray[Any]) -> list[Any]:
        return bytes_of(self.name, array)


class IntegerLookup(Lookup):
    """The places of integers in a vocabulary: as `StringLookup`, of arrays of integers.

    Args:
        max_tokens, vocabulary, idf_weights, invert, output_mode, pad_to_max_tokens: as `StringLookup`.
        num_oov_indices: n places for unknown integers, of which x gets the place x modulo n; default 1. With
            0 unknown integers raise ValueError.
        mask_token: an integer that is 0 with "int", and is left out otherwise; default none.
        oov_token: what `get_vocabulary` has for unknown integers; default -1.
        vocabulary_dtype, sparse, oov_method, salt: "int64", False, "floormod" and None; others are not
            available.
        name: default "integer_lookup" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.

    >>> layer = IntegerLookup(vocabulary=[12, 36], output_mode="multi_hot")
    >>> layer([[36, 7], [12, 12]]).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """

    _dtype = np.int64
    _of_line = int

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: None = None,
        name: str | None = None,
        **options: Unpack[OfLookup],
    ) -> None:
        others = {"vocabulary_dtype": "int64", "oov_method": "floormod", "salt": None}
        given = {"vocabulary_dtype": vocabulary_dtype, "oov_method": oov_method, "salt": salt}
        reject_unsupported("IntegerLookup", given, others)
        self.num_oov_indices = integer("IntegerLookup", "num_oov_indices", num_oov_indices, low=0)
        self.invert = boolean("IntegerLookup", "invert", invert)
        self._set(locals(), options)

    def _keys(self, array: NDArray[Any]) -> list[Any]:
        return whole_numbers(self.name, array).reshape(-1).tolist()


class CategoryEncoding(BeforeNetwork):
    """Integers below num_tokens as rows of 0 and 1, or of counts.

    It reads integers before the network, as `StringLookup` reads strings.

    Args:
        num_tokens: the size of the last axis.
        output_mode: "multi_hot" (default) or "count": samples (n, k) -> (n, num_tokens); "one_hot": (...) or
            (..., 1) -> (..., num_tokens).
        sparse: False; True is not available.
        options: name, trainable, input_shape, dtype, see `Layer`.

    Raises:
        ValueError: an integer is negative or not below num_tokens.

    >>> CategoryEncoding(4, output_mode="count")([[0, 1], [2, 2]]).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]
    """

    _settings = ("num_tokens", "output_mode")

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        if num_tokens is None:
            raise ValueError(
                "[CategoryEncoding] num_tokens must be given: IntegerLookup can learn it from data"
            )
        self.num_tokens = integer("CategoryEncoding", "num_tokens", num_tokens)
        self.output_mode = mode_of("CategoryEncoding", output_mode, ("multi_hot", "one_hot", "count"))
        require_default("CategoryEncoding", "sparse", sparse, False)

    def after(self, sample: OpenShape) -> OpenShape:
        return shape_after(self.name, self.output_mode, sample, self.num_tokens)

    def prepared(self, x: NDArray[Any]) -> NDArray[Any]:
        numbers = whole_numbers(self.name, x)
        if x.size and not 0 <= numbers.min() <= numbers.max() < self.num_tokens:
            raise ValueError(
                f"[{self.name}] expected integers from 0 to {self.num_tokens - 1}, got {numbers.min()} to "
                f"{numbers.max()}"
            )
        return encoded_array(self.name, self.output_mode, numbers, self.num_tokens)
