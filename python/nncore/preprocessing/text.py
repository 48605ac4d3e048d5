"""Texts as sequences of word numbers, with the interface of Keras 2."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.absent import answer, explains
from ..common.arguments import choice, integer, reject_unsupported

__all__ = ["Tokenizer", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

answer(__name__)

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'

Analyzer = Callable[[str], Iterable[str]]


@explains
def text_to_word_sequence(
    input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Args:
        input_text: the text.
        filters: characters that separate words besides `split`; default punctuation, tabs and line ends.
        lower: True converts to lower case (default).
        split: the separator of words; default a space.

    >>> text_to_word_sequence("Time flies; it does.")
    ['time', 'flies', 'it', 'does']
    """
    text = input_text.lower() if lower else input_text
    return [word for word in text.translate(dict.fromkeys(map(ord, filters), split)).split(split) if word]


@explains
def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Analyzer | None = None,
) -> list[int]:
    """A number from 1 to n - 1 for each word, computed from its MD5: the same in each run, unlike in Keras.
    Different words may have the same number.

    Args:
        input_text, filters, lower, split: as in `text_to_word_sequence`.
        n: one more than the largest number.
        analyzer: a function that returns the words of a text, instead of filters, lower and split.

    >>> one_hot("a b a", 100)
    [92, 95, 92]
    """
    n = integer("one_hot", "n", n, low=2)
    words = analyzer(input_text) if analyzer else text_to_word_sequence(input_text, filters, lower, split)
    digests = (hashlib.md5(word.encode(), usedforsecurity=False).hexdigest() for word in words)
    return [int(digest, 16) % (n - 1) + 1 for digest in digests]


class Tokenizer:
    """Numbers words by how often they occur in texts, from 1; 0 is left for padding.

    Args:
        num_words: words with this number or a larger one are left out of results; default None keeps all.
        filters, lower, split: as in `text_to_word_sequence`.
        char_level: each character is a word; default False.
        oov_token: word number 1, which replaces words that are unknown or left out; default None.
        analyzer: a function that returns the words of a text, instead of filters, lower and split.

    Attributes: ``word_counts``, ``word_docs`` (in how many texts a word occurs), ``word_index`` and
    ``index_word`` (its number), ``index_docs``, ``document_count``.

    A text may also be a list of words.

    >>> tokenizer = Tokenizer(oov_token="?")
    >>> tokenizer.fit_on_texts(["the cat", "the dog"])
    >>> tokenizer.word_index
    {'?': 1, 'the': 2, 'cat': 3, 'dog': 4}
    >>> tokenizer.texts_to_sequences(["the bird"])
    [[2, 1]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Analyzer | None = None,
        **kwargs: Any,
    ) -> None:
        num_words = kwargs.pop("nb_words", num_words)
        self.document_count = kwargs.pop("document_count", 0)
        reject_unsupported("Tokenizer", kwargs, {}, Tokenizer.__init__.__annotations__)
        self.num_words = None if num_words is None else integer("Tokenizer", "num_words", num_words)
        self.filters, self.lower, self.split, self.char_level = filters, lower, split, char_level
        self.oov_token, self.analyzer = oov_token, analyzer
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: defaultdict[str, int] = defaultdict(int)
        self.index_docs: defaultdict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: str | list[str]) -> Iterable[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """Counts the words of texts, on top of those counted before, and numbers all of them anew."""
        for text in texts:
            self.document_count += 1
            words = list(self._words(text))
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        order = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        first = [] if self.oov_token is None else [self.oov_token]
        self.word_index = {word: number for number, word in enumerate([*first, *order], 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Counts in how many sequences a number occurs, for `sequences_to_matrix` with "tfidf"."""
        self.document_count += len(sequences)
        for row in sequences:
            for number in set(row):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """The numbers of the words of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | list[str]]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one after another."""
        return (self._kept(self.word_index.get(word) for word in self._words(text)) for text in texts)

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of each sequence of numbers, with spaces between them."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one after another."""
        for row in sequences:
            known = (number if number in self.index_word else None for number in row)
            yield " ".join(self.index_word[number] for number in self._kept(known))

    def _kept(self, numbers: Iterable[int | None]) -> list[int]:
        """The numbers, with those that are None or too large left out or replaced by that of `oov_token`."""
        other = None if self.oov_token is None else self.word_index.get(self.oov_token)
        limit = self.num_words or float("inf")
        kept = (other if number is None or number >= limit else number for number in numbers)
        return [number for number in kept if number is not None]

    def texts_to_matrix(self, texts: Iterable[str | list[str]], mode: str = "binary") -> NDArray[np.float64]:
        """`sequences_to_matrix` of texts."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(
        self, sequences: Sequence[Sequence[int]], mode: str = "binary"
    ) -> NDArray[np.float64]:
        """A row for each sequence and a column for each number below num_words.

        Args:
            sequences: of numbers.
            mode: the value in a column: "binary" (default), whether the number occurs; "count", how often;
                "freq", its share of the sequence; or "tfidf", (1 + ln count) ln(1 + texts / (1 + texts with
                it)).

        Raises:
            ValueError: mode is none of these, or it needs counted texts and there are none.
        """
        owner = "Tokenizer"
        mode = choice(owner, "mode", mode, ("binary", "count", "freq", "tfidf"))
        columns = self.num_words or len(self.word_index) + 1
        if columns == 1 and not self.num_words:
            raise ValueError(f"[{owner}] give num_words, or call fit_on_texts first")
        if mode == "tfidf" and not self.document_count:
            raise ValueError(f"[{owner}] mode='tfidf' needs texts: call fit_on_texts first")
        matrix = np.zeros((len(sequences), columns))
        for values, row in zip(matrix, sequences):
            for number, count in Counter(row).items():
                if number >= columns:
                    continue
                if mode == "tfidf":
                    texts = self.document_count / (1 + self.index_docs.get(number, 0))
                    values[number] = (1 + np.log(count)) * np.log(1 + texts)
                else:
                    values[number] = {"binary": 1, "count": count, "freq": count / len(row)}[mode]
        return matrix

    def get_config(self) -> dict[str, Any]:
        """All settings but the analyzer, with the counts and numbers as JSON."""
        plain = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        tables = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: json.dumps(getattr(self, name)) for name in tables},
        }

    def to_json(self, **kwargs: Any) -> str:
        """Text for `tokenizer_from_json`. `kwargs` go to `json.dumps`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """A `Tokenizer` from what its `to_json` gave.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["a b", "b"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'b': 1, 'a': 2}
    """
    config = json.loads(json_string)["config"]
    names = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
    tables = {name: json.loads(config.pop(name)) for name in names}
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts.update(tables["word_counts"])
    tokenizer.word_docs.update(tables["word_docs"])
    tokenizer.index_docs.update({int(number): count for number, count in tables["index_docs"].items()})
    tokenizer.index_word.update({int(number): word for number, word in tables["index_word"].items()})
    tokenizer.word_index.update(tables["word_index"])
    return tokenizer
