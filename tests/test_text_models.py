"""Models that begin with layers before the network: trained, saved, copied, and fed from folders."""

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
from text_cases import LABELS, LAYERS, TEXTS, adapted, classifier, shout

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

pytestmark = pytest.mark.once

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


def test_what_is_built_of_it_again() -> None:
    layer = adapted(output_sequence_length=4)
    model = classifier(layer)
    assert model.layers[0].output.shape == (None, 4)
    head = nncore.Model(model.input, layer.output)
    np.testing.assert_array_equal(head.predict(TEXTS), layer(TEXTS))
    model.pop()
    model.add(Dense(3))
    assert model.predict(TEXTS).shape == (4, 3)
    assert model.count_params() == 4 * 4 + 4 + 4 * 3 + 3
    alone = nncore.Sequential()
    alone.add(layer)
    np.testing.assert_array_equal(alone.predict(TEXTS), layer(TEXTS))


def test_the_layer_whose_values_are_not_finite_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    model = classifier(adapted(output_sequence_length=4))
    model.layers[1].set_weights([np.full((4, 4), np.nan), np.zeros(4)])
    model.fit(TEXTS, LABELS, verbose=0, callbacks=[nncore.callbacks.TerminateOnNaN()])
    assert f"are those of the layer '{model.layers[1].name}'" in "".join(capsys.readouterr())


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


@pytest.mark.parametrize("name", ["m.safetensors", "m.keras", "m.h5"])
def test_words_as_vectors(name: str, tmp_path: Path) -> None:
    """With a mask, which of the parts of the average only some read."""
    text = adapted(output_sequence_length=4)
    inner = [
        text,
        layers.Embedding(7, 3, mask_zero=True),
        layers.GlobalAveragePooling1D(),
        Dense(1, "sigmoid"),
    ]
    model = nncore.Sequential(inner)
    model.compile("adam", "binary_crossentropy")
    before = model.evaluate(TEXTS, LABELS, verbose=0)
    model.fit(TEXTS, LABELS, epochs=20, verbose=0)
    assert model.evaluate(TEXTS, LABELS, verbose=0) < before
    model.save(tmp_path / name)
    np.testing.assert_array_equal(
        nncore.models.load_model(tmp_path / name).predict(TEXTS), model.predict(TEXTS)
    )


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
