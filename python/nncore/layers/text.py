"""The layer that makes numbers of texts, before the network."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common import custom
from ..common.absent import answer
from ..common.arguments import choice, integer, require_default, several
from ..common.values import OpenShape
from ._lookup import SLICE, Lookup, bytes_of, encoded

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import OfLookup

__all__ = ["TextVectorization"]

answer(__name__)

_PUNCTUATION = string.punctuation.encode()
_STANDARDS = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
_SPLITS = ("whitespace", "character")
Function = Callable[[NDArray[Any]], Any]


def _chosen(name: str, value: Any, choices: Sequence[str]) -> Any:
    """A name, None, a function, or the entry of one in a config."""
    if isinstance(value, Mapping):
        registered = str(value.get("registered_name") or "function")
        return custom.function_of(registered if ">" in registered else str(value.get("config")))
    if value is None or callable(value):
        return value
    return choice("TextVectorization", name, value, choices)


class TextVectorization(Lookup):
    """Texts as numbers of their words: strings (n,) or (n, 1) -> integers (n, words), or float32 (n, tokens).

    A text is made uniform, split into words, these perhaps joined to n-grams, and each is looked up in a
    vocabulary, which `adapt` makes of texts. As the first layer of a model, or called on the value of an
    ``Input((1,), dtype="string")``, it lets the model read texts: Python applies it to the data before the
    network. Arrays are prepared as a whole, batches one by one.

    Args:
        max_tokens: most tokens in the vocabulary, with those for padding and for unknown words; default no
            limit.
        standardize: "lower_and_strip_punctuation" (default), "lower", "strip_punctuation" (of ASCII), None,
            or a function of an array of strings that returns another one.
        split: "whitespace" (default; of ASCII), "character", None, or a function of strings (n,) that returns
            a list of tokens for each.
        ngrams: n: also the tokens of up to n words; a tuple: of so many words. Default None: single words.
        output_mode: "int" (default): the places of the words, where 0 is padding and 1 an unknown word;
            "multi_hot", "count", "tf_idf": (n, tokens), as `StringLookup`, where 0 is an unknown word.
        output_sequence_length: with "int", longer rows are cut, shorter ones padded by 0; default the longest
            of the array or batch.
        pad_to_max_tokens: tokens is max_tokens, and not the size of the vocabulary; default False.
        vocabulary: tokens, or a file of them, see `set_vocabulary`; default those of `adapt`.
        idf_weights: of the tokens, with "tf_idf".
        sparse, ragged, encoding: False, False and "utf-8"; others are not available.
        name: default "text_vectorization" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    >>> layer(["Foo, qux: bar!", "qux baz"]).tolist()
    [[4, 1, 3, 0], [1, 2, 0, 0]]
    """

    _settings = (
        "max_tokens", "standardize", "split", "ngrams", "output_mode", "output_sequence_length",
        "pad_to_max_tokens",
    )  # fmt: skip
    optional = ("standardize", "split")
    reads_text = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Function | None = "lower_and_strip_punctuation",
        split: str | Function | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: ArrayLike | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **options: Unpack[OfLookup],
    ) -> None:
        owner = "TextVectorization"
        require_default(owner, "ragged", ragged, False)
        require_default(owner, "encoding", encoding, "utf-8")
        self.standardize = _chosen("standardize", standardize, _STANDARDS)
        self.split = _chosen("split", split, _SPLITS)
        widths = several(ngrams)
        if widths is None:
            self.ngrams: Any = None if ngrams is None else integer(owner, "ngrams", ngrams)
            self._widths: Sequence[int] = range(1, (self.ngrams or 1) + 1)
        else:
            self._widths = self.ngrams = tuple(integer(owner, "ngrams", width) for width in widths)
        length = output_sequence_length
        self.output_sequence_length = (
            None if length is None else integer(owner, "output_sequence_length", length)
        )
        self._set(locals(), options)
        if length is not None and self.output_mode != "int":
            raise ValueError(
                f"[{owner}] output_sequence_length is for output_mode='int', got {self.output_mode!r}"
            )
        if self.output_mode == "one_hot":
            raise ValueError(
                f"[{owner}] output_mode='one_hot' is not available: give multi_hot, or Embedding"
            )

    def adapt(  # type: ignore[override]
        self, data: Any, batch_size: int | None = None, steps: int | None = None
    ) -> None:
        """Makes the vocabulary of the tokens in data: the most frequent first, of equals the larger one.

        Args:
            data: a list or array of texts, or batches of them.
            batch_size: of no meaning.
            steps: how many batches; default all.

        Raises:
            ValueError: the vocabulary was given when the layer was made, or the size of the output would
                change. The layer is as before then.
            TypeError: something else than texts.
        """
        super().adapt(data, steps)

    def _keys(self, array: NDArray[Any]) -> list[Any]:
        return bytes_of(self.name, array)

    def _standardized(self, array: NDArray[Any]) -> list[bytes]:
        texts = bytes_of(self.name, array)
        if callable(self.standardize):
            made = np.asarray(
                self.standardize(np.array([text.decode() for text in texts], np.str_).reshape(array.shape))
            )
            if made.shape != array.shape:
                raise ValueError(
                    f"[{self.name}] standardize must keep the shape {array.shape}, got {made.shape}"
                )
            return bytes_of(self.name, made)
        how = self.standardize or ""
        if "lower" in how:
            texts = [text.lower() for text in texts]
        if "strip" in how:
            texts = [text.translate(None, _PUNCTUATION) for text in texts]
        return texts

    def _rows(self, array: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
        if array.ndim > 2 or (self.split is not None and array.ndim == 2 and array.shape[1] != 1):
            raise ValueError(f"[{self.name}] expected texts of shape (n,) or (n, 1), got {array.shape}")
        texts = self._standardized(array)
        if self.split is None:
            columns = array.size // max(len(array), 1)
            rows = [texts[at : at + columns] for at in range(0, len(texts), max(columns, 1))]
        elif self.split == "whitespace":
            rows = [text.split() for text in texts]
        elif self.split == "character":
            rows = [[one.encode() for one in text.decode(errors="replace")] for text in texts]
        else:
            made = list(self.split(np.array([text.decode() for text in texts], np.str_)))
            if len(made) != len(texts):
                raise ValueError(
                    f"[{self.name}] split must give {len(texts)} lists of tokens, got {len(made)}"
                )
            rows = [bytes_of(self.name, np.asarray(row, object)) for row in made]
        if self.ngrams is not None:
            rows = [
                [
                    b" ".join(row[at : at + width])
                    for width in self._widths
                    for at in range(len(row) - width + 1)
                ]
                for row in rows
            ]
        return list(itertools.chain.from_iterable(rows)), np.array([len(row) for row in rows], np.int64)

    def after(self, sample: OpenShape) -> OpenShape:
        if len(sample) > 1 or (self.split is not None and sample not in ((), (1,), (None,))):
            raise ValueError(f"[{self.name}] expected samples of shape (1,), one text each, got {sample}")
        return (self.output_sequence_length,) if self.output_mode == "int" else (self._depth(),)

    def prepared(self, x: NDArray[Any]) -> NDArray[Any]:
        parts = [self._prepared(x[at : at + SLICE]) for at in range(0, max(len(x), 1), SLICE)]
        width = max(part.shape[1] for part in parts)
        return np.concatenate([np.pad(part, [(0, 0), (0, width - part.shape[1])]) for part in parts])

    def _prepared(self, x: NDArray[Any]) -> NDArray[Any]:
        keys, lengths = self._rows(x)
        numbers, rows = self._numbers(keys), np.repeat(np.arange(len(lengths)), lengths)
        if self.output_mode != "int":
            counts = encoded(self.output_mode, numbers, rows, len(lengths), self._depth())
            return self._weighted(counts)
        columns = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        longest = int(lengths.max(initial=0))
        width = longest if self.output_sequence_length is None else self.output_sequence_length
        out = np.zeros((len(lengths), width), np.int64)
        kept = columns < width
        out[rows[kept], columns[kept]] = numbers[kept]
        return out

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, with the vocabulary as it is, and functions by name."""
        config = super().get_config()
        for name in ("standardize", "split"):
            if callable(function := getattr(self, name)):
                registered = custom.get_registered_name(function)
                config[name] = {
                    "module": "builtins",
                    "class_name": "function",
                    "config": registered.rpartition(">")[2],
                    "registered_name": registered if ">" in registered else "function",
                }
        return config
