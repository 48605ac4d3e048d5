"""Layers before the network: texts, strings and integers as numbers, alone and in models.

Expected values are those of Keras' documentation. There are no recorded facts, as its layers need TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from text_cases import LAYERS, WORDS, S, T, adapted, bars, classifier, shout

import nncore
from nncore import layers
from nncore.layers import (
    CategoryEncoding,
    Dense,
    Input,
    IntegerLookup,
    StringLookup,
    TextVectorization,
)

# ---- values


def test_words_are_counted_and_ties_go_by_the_larger() -> None:
    layer = adapted()
    assert layer.get_vocabulary() == ["", "[UNK]", "baz", "bar", "foo", "boom", "bada"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["baz", "bar", "foo", "boom", "bada"]
    assert layer.vocabulary_size() == 7
    found = layer([["foo qux bar"], ["qux baz"]])
    assert found.dtype == np.int64
    assert found.tolist() == [[4, 1, 3], [1, 2, 0]]
    assert adapted(max_tokens=4).get_vocabulary() == ["", "[UNK]", "baz", "bar"]


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        ({"vocabulary": ["hello", "world"]}, "Hello, World! it's", [[2, 3, 1]]),
        ({"vocabulary": ["hello,", "world"], "standardize": "lower"}, "Hello, WORLD", [[2, 3]]),
        ({"vocabulary": ["Hello", "its"], "standardize": "strip_punctuation"}, "Hello, it's", [[2, 3]]),
        ({"vocabulary": ["Hello", "world"], "standardize": None}, "Hello hello", [[2, 1]]),
        ({"vocabulary": list("abcé"), "split": "character"}, "abfé", [[2, 3, 1, 5]]),
        ({"vocabulary": ["É", "x y"], "standardize": "lower"}, "É x\u00a0y", [[2, 1]]),
        ({"vocabulary": ["foo bar"], "split": None}, "Foo bar", [[2]]),
        ({"vocabulary": ["a", "b"], "output_sequence_length": 3}, "a b", [[2, 3, 0]]),
        ({"vocabulary": ["a", "b"], "output_sequence_length": 1}, "a b", [[2]]),
        ({"vocabulary": ["a", "a b", "b a b"], "ngrams": 2}, "a b a", [[2, 1, 2, 3, 1]]),
        ({"vocabulary": ["a", "a b", "b a b"], "ngrams": (1, 3)}, "b a b", [[1, 2, 1, 4]]),
        ({"vocabulary": ["a", "b"], "ngrams": (3,)}, "a b", [[]]),
        ({"vocabulary": ["a", "b"], "standardize": shout}, "a b", [[1, 1]]),
        ({"vocabulary": ["a", "b"], "split": bars, "standardize": None}, "a|b|a", [[2, 3, 2]]),
        ({"vocabulary": ["", "[UNK]", "a"]}, "a b", [[2, 1]]),
        ({"vocabulary": ["a", "b"], "output_mode": "multi_hot"}, "b b c", [[1, 0, 1]]),
        ({"vocabulary": ["a", "b"], "output_mode": "binary"}, "b b c", [[1, 0, 1]]),
        ({"vocabulary": ["a", "b"], "output_mode": "count"}, "b b c", [[1, 0, 2]]),
        (
            {"vocabulary": ["a"], "output_mode": "count", "max_tokens": 4, "pad_to_max_tokens": True},
            "a a b",
            [[1, 2, 0, 0]],
        ),
        (
            {"vocabulary": ["foo", "bar", "baz"], "output_mode": "tf_idf", "idf_weights": [0.3, 0.5, 0.2]},
            "baz foo foo",
            [[0, 0.6, 0, 0.2]],
        ),
    ],
    ids=str,
)  # fmt: skip
def test_texts(settings: dict[str, Any], text: str, expected: Any) -> None:
    layer = TextVectorization(**settings)
    for given in ([text], [[text]], np.array([text]), np.array([text.encode()]), np.array([text], object)):
        np.testing.assert_allclose(layer(given), expected, rtol=1e-6)
    np.testing.assert_allclose(layer(text), expected[0], rtol=1e-6)
    assert layer(np.array([], "U1")).shape[0] == 0


def test_weights_of_documents() -> None:
    layer = adapted(output_mode="tf-idf")
    baz, foo = np.log(1 + 3 / 3), np.log(1 + 3 / 2)
    mean = (2 * baz + 3 * foo) / 5
    np.testing.assert_allclose(layer(["baz baz foo qux"]), [[mean, 2 * baz, 0, foo, 0, 0]], rtol=1e-6)
    data = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
    lookup = StringLookup(output_mode="tf_idf", vocabulary=WORDS, idf_weights=[0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(lookup(data), [[0, 0.25, 0, 0.6, 0.8], [1, 0, 0.75, 0, 0.4]], rtol=1e-6)
    lookup = StringLookup(output_mode="tf_idf")
    lookup.set_vocabulary(["[UNK]", *WORDS], idf_weights=[0.9, 0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(lookup(data), [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]], rtol=1e-6)


def test_strings() -> None:
    layer = StringLookup(vocabulary=WORDS)
    assert layer([["a", "c", "d"], ["d", "z", "b"]]).tolist() == [[1, 3, 4], [4, 0, 2]]
    assert layer(["a", "z"]).tolist() == [1, 0]
    masked = StringLookup(vocabulary=WORDS, mask_token="", oov_token="?")
    assert masked.get_vocabulary() == ["", "?", *WORDS]
    assert masked([["a", "", "z"]]).tolist() == [[2, 0, 1]]
    counted = StringLookup(vocabulary=WORDS, mask_token="", output_mode="count")
    assert counted([["a", "", "z", "a"]]).tolist() == [[1, 2, 0, 0, 0]]
    assert StringLookup(vocabulary=["a", "b"], num_oov_indices=0)(["b"]).tolist() == [1]
    one_hot = StringLookup(vocabulary=["a", "b"], output_mode="one_hot")
    assert one_hot([["b"], ["z"]]).tolist() == one_hot(["b", "z"]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot([["b", "z"]]).tolist() == [[[0, 0, 1], [1, 0, 0]]]
    back = StringLookup(vocabulary=WORDS, invert=True)
    assert back([[1, 3, 4], [4, 0, 99]]).tolist() == [["a", "c", "d"], ["d", "[UNK]", "[UNK]"]]
    learnt = StringLookup()
    learnt.adapt(np.array([["b", "a"], ["b", "c"]]))
    assert learnt.get_vocabulary() == ["[UNK]", "b", "c", "a"]


def test_integers() -> None:
    layer = IntegerLookup(vocabulary=[12, 36, 1138, 42])
    assert layer([[12, 1138, 42], [42, 1000, 36]]).tolist() == [[1, 3, 4], [4, 0, 2]]
    assert layer.get_vocabulary() == [-1, 12, 36, 1138, 42]
    back = IntegerLookup(vocabulary=layer.get_vocabulary(), invert=True)
    assert back([[1, 3, 4], [4, 0, 2]]).tolist() == [[12, 1138, 42], [42, -1, 36]]
    several = IntegerLookup(vocabulary=[12, 36], num_oov_indices=2)
    assert several([12.0, 36.0, 7.0, 8.0, -3.0]).tolist() == [2, 3, 1, 0, 1]
    masked = IntegerLookup(mask_token=0, max_tokens=4)
    masked.adapt([[5, 5, 0], [7, 6, 0], [6, 5, 7]])
    assert masked.get_vocabulary() == [0, -1, 5, 7]


def test_categories() -> None:
    pairs = [[0, 1], [0, 0], [1, 2], [3, 1]]
    assert CategoryEncoding(4)(pairs).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]
    assert CategoryEncoding(4, "count")(pairs)[1].tolist() == [2, 0, 0, 0]
    assert CategoryEncoding(num_tokens=3, output_mode="one_hot")([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert CategoryEncoding(3).compute_output_shape((None, 5)) == (None, 3)


def test_many_texts_are_prepared_in_slices() -> None:
    texts = [f"w{i} w{i % 7}" + " more" * (i == 8191) for i in range(9000)]
    layer = TextVectorization()
    layer.adapt(texts)
    found = layer(texts)
    assert found.shape == (9000, 3)
    words = layer.get_vocabulary()
    for row in (0, 4095, 4096, 8191, 8999):
        assert [words[n] for n in found[row] if n] == texts[row].split()


def test_adapt_takes_arrays_and_batches(tmp_path: Path) -> None:
    texts = np.array(["a b", "b c", "only here"])
    expected = TextVectorization()
    expected.adapt(texts)
    for given in (list(texts), texts[:, None], texts.astype(object), (texts[i : i + 2] for i in (0, 2))):
        layer = TextVectorization()
        layer.adapt(given)
        assert layer.get_vocabulary() == expected.get_vocabulary()
    layer.adapt((texts[i : i + 1] for i in range(3)), steps=2)
    assert layer.get_vocabulary() == ["", "[UNK]", "b", "c", "a"]
    file = tmp_path / "words.txt"
    file.write_text("foo\nbar\n", encoding="utf-8")
    assert TextVectorization(vocabulary=str(file))(["foo x bar"]).tolist() == [[2, 1, 3]]


# ---- errors

TEXT = Input((1,), dtype="string")
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: adapted()([1.5]), TypeError, r"expected strings, got 1.5 at position 0"),
    (lambda: adapted()(["a", None]), TypeError, "expected strings, got None at position 1"),
    (lambda: adapted()([["a", "b"]]), ValueError, r"or \(n, 1\), got \(1, 2\)"),
    (lambda: adapted()([["a"], ["b", "c"]]), ValueError, "x must have rows of equal length"),
    (lambda: adapted()(None), TypeError, "x must be an array or a list"),
    (lambda: T(vocabulary=["a"]).adapt(["b"]), ValueError, "has a vocabulary of its own"),
    (lambda: adapted().adapt(iter([(["a"], 1)])), TypeError, r"data.map\(lambda x, y: x\)"),
    (lambda: adapted(output_mode="count").adapt(["x"]), ValueError, "has 2 tokens, and had 6"),
    (lambda: T(vocabulary=["a", "b", "a"]), ValueError, "has 'a' more than once"),
    (lambda: T(vocabulary=["a", ""]), ValueError, "has '', which is reserved"),
    (lambda: T(vocabulary=[]), ValueError, "vocabulary is empty"),
    (lambda: T(vocabulary=["a"], max_tokens=2), ValueError, "more than max_tokens=2"),
    (lambda: T(vocabulary=["a"], output_mode="tf_idf"), ValueError, "idf_weights must be given"),
    (lambda: T(idf_weights=[1]), ValueError, "idf_weights needs vocabulary"),
    (lambda: T(output_mode="many"), ValueError, "output_mode must be one of"),
    (lambda: T(output_mode="count", output_sequence_length=2), ValueError, "is for output_mode='int'"),
    (lambda: T(standardize="up"), ValueError, "standardize must be one of"),
    (lambda: T(ngrams="two"), TypeError, "ngrams must be an integer"),
    (lambda: T(ragged=True), ValueError, "ragged=True is not available"),
    (lambda: T(pad_to_max_tokens=True), ValueError, "needs max_tokens"),
    (lambda: T(activity_regularizer="l2"), ValueError, "activity_regularizer is for layers within"),  # type: ignore[call-arg]
    (lambda: T(vocabulary=["a"], split=lambda x: [])(["a"]), ValueError, "split must give 1 lists"),
    (lambda: T(vocabulary=["a"], standardize=lambda x: x[:0])(["a"]), ValueError, "keep the shape"),
    (lambda: S(vocabulary=["a"], num_oov_indices=0)(["b"]), ValueError, "'b' is not in the vocabulary"),
    (lambda: S(num_oov_indices=2), ValueError, "num_oov_indices must be"),
    (lambda: S(vocabulary=["a"], invert=True)(["a"]), TypeError, "expected integers, as invert=True"),
    (lambda: S(vocabulary=["a"], invert=True, output_mode="count"), ValueError, "invert=True is for"),
    (lambda: S(vocabulary=["a"], output_mode="count")(["a"]), ValueError, r"samples of shape \(tokens,\)"),
    (lambda: IntegerLookup(vocabulary=[1])(["a"]), TypeError, "expected integers, got an array of"),
    (lambda: IntegerLookup(vocabulary=[1])([1.5]), ValueError, "got fractions"),
    (lambda: IntegerLookup(salt=3), ValueError, "salt"),  # type: ignore[arg-type]
    (lambda: CategoryEncoding(), ValueError, "num_tokens must be given"),
    (lambda: CategoryEncoding(3)([[3, 0]]), ValueError, "expected integers from 0 to 2, got 0 to 3"),
    (lambda: nncore.Sequential([Dense(1, input_shape=(1,)), T()]), ValueError, "called on an Input"),
    (lambda: nncore.Model(TEXT, Dense(1)(TEXT)), ValueError, "is of texts, which a network cannot read"),
    (
        lambda: nncore.Sequential([classifier(LAYERS[0]()), Dense(1)]),
        ValueError,
        "cannot be called on a value",
    ),
    (lambda: classifier(T(output_mode="count")), ValueError, "has no vocabulary yet"),
    (lambda: classifier(adapted(output_sequence_length=2)).predict([1.0]), TypeError, "expected strings"),
    (
        lambda: classifier(adapted(output_sequence_length=2)).fit(["a"], [1, 2]),
        ValueError,
        "same number of samples",
    ),
    (lambda: layers.Hashing(3), AttributeError, "Keras has it, nncore not yet"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_fails_leaves_the_vocabulary() -> None:
    layer = adapted(output_mode="count")
    for call in (lambda: layer.adapt(["new"]), lambda: layer.adapt([3]), lambda: layer.set_vocabulary(["a"])):
        before = layer.get_config()
        with pytest.raises((TypeError, ValueError)):
            call()
        assert layer.get_config() == before
