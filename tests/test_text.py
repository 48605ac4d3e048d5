"""Layers before the network: texts, strings and integers as numbers, alone and in models.

Expected values are those of Keras' documentation. There are no recorded facts, as its layers need TensorFlow.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers, utils
from nncore.layers import (
    CategoryEncoding,
    Concatenate,
    Dense,
    Input,
    IntegerLookup,
    StringLookup,
    TextVectorization,
)

TEXTS = ["Foo, bar!", "bar  baz", "baz bada boom", "qux"]
LABELS = np.array([0, 1, 1, 0])
WORDS = ["a", "b", "c", "d"]


def adapted(**settings: Any) -> TextVectorization:
    layer = TextVectorization(**settings)
    layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    return layer


def classifier(first: Any, seed: int = 3) -> nncore.Sequential:
    utils.set_random_seed(seed)
    model = nncore.Sequential([first, Dense(4, "tanh"), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def bars(texts: Any) -> Any:
    return [text.split("|") for text in texts]


def shout(texts: Any) -> Any:
    return np.char.upper(texts)


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


# ---- models


def test_a_model_reads_texts(tmp_path: Path) -> None:
    layer = adapted(output_sequence_length=4)
    model = classifier(layer)
    assert model.input_shape == (None, 1)
    assert model.output_shape == (None, 1)
    assert len(model.weights) == 4
    alone = classifier(Input((4,)))
    numbers = layer(TEXTS)
    options: Any = {"epochs": 3, "batch_size": 2, "verbose": 0}
    expected = alone.fit(numbers, LABELS, validation_data=(numbers, LABELS), **options).history
    columns = np.array(TEXTS)[:, None]
    assert model.fit(TEXTS, LABELS, validation_data=(columns, LABELS), **options).history == expected
    out = alone.predict(numbers)
    batches = [(np.array(TEXTS[:3]), LABELS[:3]), (np.array(TEXTS[3:]), LABELS[3:])]
    for given in (TEXTS, columns, np.array(TEXTS, object), np.array(TEXTS).astype("S")):
        np.testing.assert_array_equal(model.predict(given), out)
        np.testing.assert_array_equal(model(given), out)
        np.testing.assert_array_equal(model.predict(given, batch_size=3, steps=2), out)
        np.testing.assert_array_equal(model.predict_on_batch(given), out)
    np.testing.assert_array_equal(model.predict(iter(batches)), out)
    assert model.evaluate(TEXTS, LABELS, verbose=0) == alone.evaluate(numbers, LABELS, verbose=0)
    assert model.train_on_batch(TEXTS, LABELS) == alone.train_on_batch(numbers, LABELS)
    assert model.test_on_batch(TEXTS, LABELS) == alone.test_on_batch(numbers, LABELS)


def test_shuffled_and_split_texts_train_as_their_numbers() -> None:
    layer = adapted(output_mode="count")
    model, alone = classifier(layer), classifier(Input((6,)))
    x, y = TEXTS * 5, np.tile(LABELS, 5)
    options: Any = {"epochs": 2, "batch_size": 3, "verbose": 0, "validation_split": 0.3}
    assert model.fit(x, y, **options).history == alone.fit(layer(x), y, **options).history


def test_inputs_of_several_kinds(tmp_path: Path) -> None:
    kind, number, size = (
        Input((1,), dtype="string", name="kind"),
        Input((1,), name="number"),
        Input((2,), name="size"),
    )
    encoded = StringLookup(vocabulary=["x", "y"], output_mode="one_hot")(kind)
    hot = CategoryEncoding(3, "one_hot")(IntegerLookup(vocabulary=[7, 8])(number))
    model = nncore.Model([kind, number, size], Dense(2)(Concatenate()([encoded, hot, size])))
    given = {"kind": np.array(["x", "q"]), "number": np.array([8, 9]), "size": np.ones((2, 2))}
    kernel, bias = model.get_weights()
    rows = np.array([[0, 1, 0, 0, 0, 1, 1, 1], [1, 0, 0, 1, 0, 0, 1, 1]])
    np.testing.assert_allclose(model.predict(given), rows @ kernel + bias, rtol=1e-5)
    np.testing.assert_allclose(model.predict(list(given.values())), rows @ kernel + bias, rtol=1e-5)
    model.compile("sgd", "mse")
    model.fit(given, np.zeros((2, 2)), epochs=2, verbose=0)
    for name in ("m.safetensors", "m.keras", "m.h5"):
        model.save(tmp_path / name)
        twin = nncore.models.load_model(tmp_path / name)
        np.testing.assert_array_equal(twin.predict(given), model.predict(given))
    assert "string_lookup" in json.dumps(model.get_config())


def test_an_input_that_layers_and_the_network_read() -> None:
    x = Input((1,))
    model = nncore.Model(x, Concatenate()([IntegerLookup(vocabulary=[5, 6])(x), x]))
    assert model.predict(np.array([[6], [9]])).tolist() == [[2, 6], [0, 9]]
    only = nncore.Model(x, IntegerLookup(vocabulary=[5, 6])(x))
    assert only.predict([5, 6, 7]).tolist() == [[1], [2], [0]]


def test_a_vocabulary_before_a_trained_model() -> None:
    layer, inner = adapted(output_sequence_length=4), classifier(Input((4,)))
    both = nncore.Sequential([layer, inner])
    np.testing.assert_array_equal(both.predict(TEXTS), inner.predict(layer(TEXTS)))
    text = Input(shape=(1,), dtype="string")
    graph = nncore.Model(text, inner(layer(text)))
    np.testing.assert_array_equal(graph.predict(np.array(TEXTS)), inner.predict(layer(TEXTS)))


# ---- saving

T, S = TextVectorization, StringLookup

LAYERS: list[Callable[[], Any]] = [
    lambda: adapted(output_sequence_length=4),
    lambda: adapted(output_mode="tf_idf", max_tokens=5),
    lambda: T(vocabulary=["f", "a"], ngrams=(1, 2), split="character", output_sequence_length=3),
    lambda: T(vocabulary=["qux"], standardize=None, split=None, output_sequence_length=1),
    lambda: T(vocabulary=["foo"], output_mode="multi_hot", max_tokens=9, pad_to_max_tokens=True),
    lambda: S(vocabulary=TEXTS, output_mode="one_hot", oov_token="?"),
    lambda: S(vocabulary=TEXTS, output_mode="tf_idf", idf_weights=[1, 2, 3, 4]),
]  # fmt: skip


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("name", ["m.safetensors", "m.keras", "m.h5"])
def test_saved_with_their_vocabulary(make: Callable[[], Any], name: str, tmp_path: Path) -> None:
    model = classifier(make())
    model.fit(TEXTS, LABELS, verbose=0)
    model.save(tmp_path / name)
    twin = nncore.models.load_model(tmp_path / name)
    np.testing.assert_array_equal(twin.predict(TEXTS), model.predict(TEXTS))
    assert twin.layers[0].get_config() == model.layers[0].get_config()
    assert twin.train_on_batch(TEXTS, LABELS) == model.train_on_batch(TEXTS, LABELS)


@pytest.mark.parametrize("make", LAYERS)
def test_copied_with_their_vocabulary(make: Callable[[], Any]) -> None:
    layer, columns = make(), np.array(TEXTS)[:, None]
    twins = [
        type(layer).from_config(layer.get_config()),
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
    ]
    for twin in twins:
        np.testing.assert_array_equal(twin(columns), layer(columns))
    model = classifier(layer)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(TEXTS), model.predict(TEXTS))
    assert nncore.models.clone_model(model).predict(TEXTS).shape == (4, 1)


@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
def test_a_vocabulary_that_keras_keeps_beside_the_config(mode: str, tmp_path: Path) -> None:
    """Keras has what adapt made in assets, and weights of documents among the variables of the layer."""
    length = {"output_sequence_length": 4} if mode == "int" else {}
    model = classifier(adapted(output_mode=mode, **length))
    model.save(tmp_path / "own.keras")
    words = model.layers[0].get_vocabulary()
    with zipfile.ZipFile(tmp_path / "own.keras") as own, zipfile.ZipFile(tmp_path / "k.keras", "w") as other:
        for name in own.namelist():
            content = own.read(name)
            if name == "config.json":
                entry = json.loads(content)
                config = entry["config"]["layers"][1]["config"]
                config |= {"vocabulary": None, "idf_weights": None, "vocabulary_size": len(words)}
                config |= {"sparse": False, "ragged": False, "encoding": "utf-8"}
                config["dtype"] = {"class_name": "DTypePolicy", "config": {"name": "float32"}}
                del config["has_input_vocabulary"]
                content = json.dumps(entry).encode()
            other.writestr(name, content)
        other.writestr("assets/layers/text_vectorization/vocabulary.txt", "\n".join(words))
    twin = nncore.models.load_model(tmp_path / "k.keras")
    assert twin.layers[0].get_vocabulary() == words
    np.testing.assert_array_equal(twin.predict(TEXTS), model.predict(TEXTS))


def test_functions_are_named(tmp_path: Path) -> None:
    model = classifier(TextVectorization(standardize=shout, vocabulary=["A", "B"], output_sequence_length=2))
    for name in ("m.safetensors", "m.keras"):
        model.save(tmp_path / name)
        with pytest.raises(ValueError, match="'shout'"):
            nncore.models.load_model(tmp_path / name)
        twin = nncore.models.load_model(tmp_path / name, custom_objects={"shout": shout})
        np.testing.assert_array_equal(twin.predict(["a b", "b"]), model.predict(["a b", "b"]))


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


# ---- folders of texts


def test_texts_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, texts in (("neg", ["bad é", "awful"]), ("pos", ["good", "fine film", "great"])):
        (tmp_path / kind).mkdir()
        for number, text in enumerate(texts):
            (tmp_path / kind / f"{number}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "pos" / "notes.md").write_text("not read")
    data = utils.text_dataset_from_directory(tmp_path, batch_size=2, shuffle=False)
    assert "Found 5 files belonging to 2 classes." in capsys.readouterr().out
    assert data.class_names == ["neg", "pos"]
    assert [(x.tolist(), y.tolist()) for x, y in data] == [
        (["bad é", "awful"], [0, 0]), (["good", "fine film"], [1, 1]), (["great"], [1]),
    ]  # fmt: skip
    cut = utils.text_dataset_from_directory(tmp_path, labels=None, shuffle=False, max_length=5, verbose=False)
    assert next(iter(cut)).tolist() == ["bad ", "awful", "good", "fine ", "great"]
    settings: Any = {
        "validation_split": 0.4,
        "subset": "both",
        "seed": 1,
        "label_mode": "binary",
        "verbose": False,
    }
    train, test = utils.text_dataset_from_directory(tmp_path, **settings)
    assert sorted(p for part in (train, test) for p in part.file_paths) == sorted(
        map(str, tmp_path.rglob("*.txt"))
    )
    layer = TextVectorization(output_sequence_length=2)
    layer.adapt(train.map(lambda x, y: x))
    model = classifier(layer)
    assert np.isfinite(model.fit(train, validation_data=test, verbose=0).history["val_loss"]).all()
    with pytest.raises(ValueError, match=r"\[text_dataset_from_directory\] there are no texts \(\.txt\)"):
        utils.text_dataset_from_directory(
            tmp_path / "pos" / "..", labels=None, subset="validation", validation_split=0.01, seed=1
        )


def test_the_bytes_of_a_model_are_those_of_its_layers() -> None:
    """A file holds the vocabulary once, as text."""
    model = classifier(adapted(output_sequence_length=2))
    assert io.BytesIO(pickle.dumps(model)).getvalue().count(b"bada") == 1
