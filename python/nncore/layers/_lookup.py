"""The base class of layers with a vocabulary, and the arrays that they and others make of numbers."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common import arrays
from ..common.arguments import boolean, choice, integer, require_default
from ..common.values import OpenShape
from ._before import BeforeNetwork

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_EARLIER = {"binary": "multi_hot", "tf-idf": "tf_idf"}
SLICE = 2**12  # samples whose tokens are in memory at a time
_ABSENT, _DROPPED = -2, -1  # numbers of tokens that have no place of their own


def mode_of(owner: str, mode: str, modes: Sequence[str]) -> str:
    return choice(owner, "output_mode", _EARLIER.get(mode, mode) if isinstance(mode, str) else mode, modes)


def encoded(
    mode: str, numbers: NDArray[np.int64], rows: NDArray[np.int64], count: int, depth: int
) -> NDArray[np.float32]:
    """(count, depth): how often each number is in each row, or with "multi_hot" whether it is.

    Args:
        numbers, rows: of each token its number, negative where it does not count, and its row.
    """
    out = np.zeros((count, depth), np.float32)
    kept = numbers >= 0
    np.add.at(out, (rows[kept], numbers[kept]), np.float32(1))
    return np.minimum(out, np.float32(1)) if mode == "multi_hot" else out


def shape_after(owner: str, mode: str, sample: OpenShape, depth: int) -> OpenShape:
    """The shape of a sample in a mode other than "int"."""
    if mode == "one_hot":
        return (*(sample[:-1] if sample[-1:] == (1,) else sample), depth)
    if len(sample) != 1:
        raise ValueError(f"[{owner}] expected samples of shape (tokens,) with {mode!r}, got {sample}")
    return (depth,)


def encoded_array(owner: str, mode: str, numbers: NDArray[np.int64], depth: int) -> NDArray[np.float32]:
    """Numbers (samples, ...) in a mode other than "int"."""
    shape = shape_after(owner, mode, numbers.shape[1:], depth)
    count = numbers.size if mode == "one_hot" else len(numbers)
    rows = np.repeat(np.arange(count), numbers.size // max(count, 1))
    return encoded(mode, numbers.reshape(-1), rows, count, depth).reshape(len(numbers), *map(int, shape))  # type: ignore[arg-type]


class Lookup(BeforeNetwork):
    """Base class of layers with a vocabulary: tokens become their places in it.

    With "int" the vocabulary begins with the mask token, if there is one; in all modes the places of unknown
    tokens come before the tokens.
    """

    _abstract = True
    _settings = (
        "max_tokens", "num_oov_indices", "mask_token", "oov_token", "invert", "output_mode",
        "pad_to_max_tokens",
    )  # fmt: skip
    optional = ("mask_token", "oov_token")
    max_tokens: int | None
    num_oov_indices: int = 1
    mask_token: Any
    oov_token: Any
    invert: bool = False
    output_mode: str
    pad_to_max_tokens: bool

    def _set(self, given: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Sets what these layers have in common, from the arguments `given`."""
        options, owner, vocabulary = dict(options), type(self).__name__, given["vocabulary"]
        self._is_fixed = bool(options.pop("has_input_vocabulary", vocabulary is not None))
        size = options.pop("vocabulary_size", None)
        super().__init__({**options, "name": given["name"]})
        most, mode = given["max_tokens"], mode_of(owner, given["output_mode"], _MODES)
        self.max_tokens = None if most is None else integer(owner, "max_tokens", most, low=2)
        self.mask_token, self.oov_token = given.get("mask_token", ""), given.get("oov_token", "[UNK]")
        self.output_mode = mode
        self.pad_to_max_tokens = boolean(owner, "pad_to_max_tokens", given["pad_to_max_tokens"])
        if self.pad_to_max_tokens and most is None:
            raise ValueError(f"[{owner}] pad_to_max_tokens=True needs max_tokens")
        if self.invert and mode != "int":
            raise ValueError(f"[{owner}] invert=True is for output_mode='int', got {mode!r}")
        require_default(owner, "sparse", given["sparse"], False)
        self._tokens: list[Any] = []
        self._places: dict[Any, int] = {}
        self.idf_weights: NDArray[np.float32] | None = None
        # The size of the vocabulary, which may not change once it decides the shape of the output.
        self._size = None if size is None or mode == "int" else integer(owner, "vocabulary_size", size)
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, given["idf_weights"])
        elif given["idf_weights"] is not None:
            raise ValueError(f"[{owner}] idf_weights needs vocabulary")

    # ---- tokens: what the vocabulary holds

    def _keys(self, array: NDArray[Any]) -> list[Any]:
        """The tokens in an array, in order: bytes of strings, or integers."""
        raise NotImplementedError

    def _key(self, token: Any) -> Any:
        return self._keys(np.array([token]))[0]

    def _shown(self, key: Any) -> Any:
        return key.decode() if isinstance(key, bytes) else key

    def _rows(self, array: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
        """The tokens of all samples, one after another, and how many each has."""
        if array.ndim < 2:
            array = array.reshape(1, -1)
        return self._keys(array), np.full(len(array), array[0].size if len(array) else 0)

    # ---- the vocabulary

    @property
    def _first(self) -> int:
        """The place of the first unknown token."""
        return int(self.mask_token is not None and self.output_mode == "int")

    def _special(self) -> list[Any]:
        return [self.mask_token] * self._first + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens by their places; without those for padding and for unknown tokens if False is given."""
        tokens = [self._shown(key) for key in self._tokens]
        return self._special() * bool(include_special_tokens) + tokens

    def vocabulary_size(self) -> int:
        """How many tokens there are, with those for padding and for unknown tokens."""
        return len(self._special()) + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: ArrayLike | None = None) -> None:
        """Sets the vocabulary in place of `adapt`.

        Args:
            vocabulary: the tokens, most frequent first, with or without those for padding and for unknown
                tokens in front; or the path of a text file with a token in each line.
            idf_weights: of each token, for output_mode="tf_idf". Without weights of the tokens in front,
                those get the mean.

        Raises:
            ValueError: it is empty, has a token twice or more than max_tokens, or the size of the output
                would change. The layer is as before then.
        """
        name, is_tf_idf = self.name, self.output_mode == "tf_idf"
        if is_tf_idf == (idf_weights is None):
            raise ValueError(
                f"[{name}] idf_weights must be given with output_mode='tf_idf', and not otherwise"
            )
        if isinstance(vocabulary, (str, os.PathLike)):
            lines = Path(vocabulary).read_text(encoding="utf-8").rstrip("\n").split("\n")
            return self.take_lines(lines, idf_weights)
        given = self._keys(arrays.raw(name, "vocabulary", vocabulary))
        front = [token if token is None else self._key(token) for token in self._special()]
        has_front = given[: len(front)] == front
        tokens = given[len(front) :] if has_front else given
        if not given:
            raise ValueError(f"[{name}] vocabulary is empty")
        if len(set(tokens)) < len(tokens):
            twice = self._shown(next(key for key, count in Counter(tokens).items() if count > 1))
            raise ValueError(f"[{name}] vocabulary has {twice!r} more than once")
        reserved = [self.mask_token, *([self.oov_token] if self.invert else [])]
        for token in reserved:
            if token is not None and self._key(token) in set(tokens):
                raise ValueError(
                    f"[{name}] vocabulary has {token!r}, which is reserved: leave it out, or begin with "
                    f"{self._special()}"
                )
        idf = None
        if is_tf_idf:
            idf = arrays.checked_values(name, idf_weights, (len(given),), "idf_weights")  # type: ignore[arg-type]
            if not has_front:
                idf = np.concatenate([np.full(len(self._special()), idf.mean(), np.float32), idf])
        self._accept(tokens, idf)

    def take_lines(self, lines: Sequence[str], idf_weights: ArrayLike | None) -> None:
        """`set_vocabulary` of the lines of a file, where there may be more weights than tokens."""
        if idf_weights is not None:
            idf_weights = np.asarray(idf_weights)[: len(lines)]
        self.set_vocabulary(list(map(self._of_line, lines)), idf_weights)

    _of_line: Callable[[str], Any] = str

    def _accept(self, tokens: list[Any], idf: NDArray[np.float32] | None) -> None:
        special = self._special()
        size = len(special) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"[{self.name}] vocabulary has {size} tokens, with those for padding and unknown tokens, "
                f"more than max_tokens={self.max_tokens}"
            )
        if self.output_mode != "int" and not self.pad_to_max_tokens:
            if self._size not in (None, size):
                raise ValueError(
                    f"[{self.name}] the vocabulary has {size} tokens, and had {self._size}: the size of the "
                    "output cannot change. Give pad_to_max_tokens=True, or make a new layer"
                )
            self._size = size
        self._tokens, self.idf_weights = tokens, idf
        places = dict(zip(tokens, range(len(special), size)))
        if self.mask_token is not None:
            places[self._key(self.mask_token)] = 0 if self._first else _DROPPED
        self._places = places

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Makes the vocabulary of the tokens in data: the most frequent first, of equals the larger one.

        Args:
            data: an array or list of samples, or batches of them.
            steps: how many batches; default all.

        Raises:
            ValueError: the vocabulary was given when the layer was made, or the size of the output would
                change. The layer is as before then.
            TypeError: something does not hold tokens.
        """
        if self._is_fixed:
            raise ValueError(
                f"[{self.name}] has a vocabulary of its own: adapt is for layers made without one"
            )
        most = None if steps is None else integer(self.name, "steps", steps)
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        samples = 0
        for array in self._batches(data, most):
            keys, lengths = self._rows(array)
            counts.update(keys)
            samples += len(lengths)
            if self.output_mode == "tf_idf":
                at = 0
                for length in lengths.tolist():
                    documents.update(set(keys[at : at + length]))
                    at += length
        for token in (self.mask_token, self.oov_token):
            if token is not None:
                counts.pop(self._key(token), None)
        tokens = sorted(counts, key=lambda key: (counts[key], key), reverse=True)
        if self.max_tokens is not None:
            del tokens[max(0, self.max_tokens - len(self._special())) :]
        idf = None
        if self.output_mode == "tf_idf":
            each = np.log1p(samples / (1.0 + np.array([documents[key] for key in tokens], np.float64)))
            front = np.full(len(self._special()), each.mean() if tokens else 0.0)
            idf = np.concatenate([front, each]).astype(np.float32)
        self._accept(tokens, idf)

    def _batches(self, data: Any, most: int | None) -> Iterator[NDArray[Any]]:
        if not arrays.is_batches(data):
            array = arrays.raw(self.name, "data", data)
            array = array[:, np.newaxis] if array.ndim == 1 else array
            for at in range(0, len(array), SLICE):
                yield array[at : at + SLICE]
            return
        for number, batch in enumerate(arrays.each(data)):
            if number == most:
                return
            if isinstance(batch, tuple):
                raise TypeError(
                    f"[{self.name}] adapt expected batches of samples, got tuples: give it "
                    "data.map(lambda x, y: x)"
                )
            yield arrays.raw(self.name, "data", batch)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, with the vocabulary as it is."""
        config = {**super().get_config(), "vocabulary": None, "idf_weights": None}
        if self._tokens:
            config["vocabulary"] = vocabulary = self.get_vocabulary(None not in self._special())
            config["idf_weights"] = (
                None if self.idf_weights is None else self.idf_weights[-len(vocabulary) :].tolist()
            )
            config["has_input_vocabulary"] = self._is_fixed
        return config

    # ---- numbers

    def _depth(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if self._size is None:
            raise ValueError(
                f"[{self.name}] has no vocabulary yet, which decides the size of the output with "
                f"output_mode={self.output_mode!r}: call adapt before the layer is called, or give vocabulary"
            )
        return self._size

    def _numbers(self, keys: list[Any]) -> NDArray[np.int64]:
        """The places of tokens."""
        unknown = self._first if self.num_oov_indices == 1 else _ABSENT
        find = self._places.get
        found = np.fromiter(map(find, keys, itertools.repeat(unknown)), np.int64, len(keys))
        if unknown == _ABSENT and (absent := np.flatnonzero(found == _ABSENT)).size:
            if not self.num_oov_indices:
                raise ValueError(
                    f"[{self.name}] {self._shown(keys[absent[0]])!r} is not in the vocabulary: "
                    "num_oov_indices=1 gives unknown tokens a place"
                )
            found[absent] = [keys[i] % self.num_oov_indices + self._first for i in absent]
        return found

    def _weighted(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Counts as they are, or times the weights of the tokens with "tf_idf"."""
        if self.idf_weights is None:
            return counts
        return counts * np.pad(self.idf_weights, (0, counts.shape[-1] - len(self.idf_weights)))

    def after(self, sample: OpenShape) -> OpenShape:
        return (
            sample
            if self.output_mode == "int"
            else shape_after(self.name, self.output_mode, sample, self._depth())
        )

    def prepared(self, x: NDArray[Any]) -> NDArray[Any]:
        if self.invert:
            if x.dtype.kind not in "iu":
                raise TypeError(f"[{self.name}] expected integers, as invert=True, got {x.dtype}")
            table = np.array([*self.get_vocabulary(), self.oov_token], self._dtype)
            return table[np.where((x >= 0) & (x < len(table)), x, len(table) - 1)]
        numbers = self._numbers(self._keys(x)).reshape(x.shape)
        if self.output_mode == "int":
            return numbers
        return self._weighted(encoded_array(self.name, self.output_mode, numbers, self._depth()))

    _dtype: ClassVar[Any] = object  # of tokens, with invert


def bytes_of(owner: str, array: NDArray[Any]) -> list[bytes]:
    """Strings in an array as UTF-8.

    Raises:
        TypeError: something else is among them.
    """
    items = array.reshape(-1).tolist()
    try:
        return [item if isinstance(item, bytes) else item.encode() for item in items]
    except AttributeError:
        at, item = next((i, x) for i, x in enumerate(items) if not isinstance(x, (str, bytes)))
        raise TypeError(f"[{owner}] expected strings, got {item!r:.60} at position {at}") from None


def whole_numbers(owner: str, array: NDArray[Any]) -> NDArray[np.int64]:
    """The array as integers. TypeError or ValueError unless all are whole numbers."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"[{owner}] expected integers, got an array of {array.dtype}")
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array % 1 == 0).all()):
        raise ValueError(f"[{owner}] expected integers, got fractions, infinities or NaN")
    return array.astype(np.int64)
