"""`nncore.preprocessing`: training from generators, folders, loops without end, and what is refused.

test_keras_parity.py compares the resulting images and texts with Keras.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import utils
from nncore.preprocessing import image, sequence, text
from nncore.preprocessing.image import ImageDataGenerator

pytestmark = pytest.mark.once

X = np.arange(10 * 6 * 5 * 3, dtype=np.float32).reshape(10, 6, 5, 3)
Y = np.arange(10)


def test_modules_have_what_programs_import_from_them() -> None:
    assert image.load_img is utils.load_img
    assert image.img_to_array is utils.img_to_array
    assert sequence.pad_sequences is utils.pad_sequences
    assert nncore.preprocessing.image_dataset_from_directory is utils.image_dataset_from_directory
    with pytest.raises(AttributeError, match="random_rotation"):
        image.random_rotation  # type: ignore[attr-defined]  # noqa: B018


def test_modules_load_when_used() -> None:
    code = """
import sys, nncore
names = ("preprocessing", "utils.batches", "utils.images", "utils.downloads", "utils.directories")
assert not [name for name in names if f"nncore.{name}" in sys.modules]
nncore.preprocessing.text.Tokenizer
assert "nncore.preprocessing.image" not in sys.modules
nncore.preprocessing.image.ImageDataGenerator
assert not {"PIL", "scipy", "pooch", "requests"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- ImageDataGenerator


def test_digits_train() -> None:
    (x, y), _ = nncore.datasets.mnist.load_sample()
    x, y = x[:600, ..., None], y[:600]
    generator = ImageDataGenerator(
        rescale=1 / 255, rotation_range=10, width_shift_range=0.1, zoom_range=0.1, validation_split=0.2
    )
    train = generator.flow(x, y, batch_size=32, subset="training", seed=1)
    held = generator.flow(x, y, batch_size=32, subset="validation", shuffle=False)
    utils.set_random_seed(2)
    model = nncore.Sequential([nncore.Input((28, 28, 1)), nncore.layers.Flatten(), nncore.layers.Dense(10)])
    loss = nncore.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nncore.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    history = model.fit(train, epochs=4, validation_data=held, verbose=0).history
    assert model.optimizer.iterations == 4 * 15
    assert history["val_accuracy"][-1] > 0.6
    assert model.predict(held, verbose=0).shape == (120, 10)
    model.fit(train, steps_per_epoch=3, epochs=2, validation_data=held, validation_steps=1, verbose=0)
    assert model.optimizer.iterations == 4 * 15 + 6


def test_each_batch_is_changed_anew_and_x_stays() -> None:
    x = X.copy()
    flow = ImageDataGenerator(rotation_range=40, rescale=2, samplewise_center=True).flow(
        x, shuffle=False, seed=1
    )
    assert (flow[0] != flow[0]).any()
    np.testing.assert_array_equal(x, X)
    assert flow[0].dtype == np.float32


def test_a_seed_leaves_the_generator_of_numpy_alone() -> None:
    flow = ImageDataGenerator(rotation_range=40, zoom_range=0.2).flow(X, Y, seed=1)
    np.random.seed(3)  # noqa: NPY002
    flow[0], next(flow), flow.on_epoch_end()
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert drawn == np.random.random()  # noqa: NPY002


def test_loops_have_no_end() -> None:
    flow = ImageDataGenerator().flow(X, Y, batch_size=4)
    sizes = [len(x) for x, _ in itertools.islice(flow, 7)]
    assert sizes == [4, 4, 2, 4, 4, 2, 4]
    flow.reset()
    assert [len(y) for _, y in itertools.islice(flow, 3)] == [4, 4, 2]
    assert sorted(np.concatenate([y for _, y in itertools.islice(flow, 3)])) == Y.tolist()
    with pytest.raises(IndexError, match=r"\[NumpyArrayIterator\] there are 3 batches, got index 3"):
        flow[3]
    with pytest.raises(IndexError):
        flow[-1]


def test_what_the_user_gives_is_called() -> None:
    seen: list[tuple[int, ...]] = []

    def halved(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape)
        return x / 2

    x = next(ImageDataGenerator(preprocessing_function=halved, dtype="float64").flow(X, shuffle=False))
    np.testing.assert_array_equal(x, X / 2)
    assert (seen, x.dtype) == ([(6, 5, 3)] * 10, np.float64)


def test_single_transforms() -> None:
    generator = ImageDataGenerator(rotation_range=30, brightness_range=(0.5, 2), horizontal_flip=True)
    assert generator.get_random_transform((6, 5, 3), seed=4) == generator.get_random_transform(
        (6, 5, 3), seed=4
    )
    assert generator.random_transform(X[0], seed=4).shape == (6, 5, 3)
    np.testing.assert_array_equal(generator.apply_transform(X[0], {"flip_vertical": True}), X[0, ::-1])
    moved = generator.apply_transform(X[0], {"tx": 1, "ty": -2})
    np.testing.assert_array_equal(moved[2:, :-1], X[0, :-2, 1:])


def test_without_fit_a_warning_says_so() -> None:
    with pytest.warns(UserWarning, match="featurewise_center .* no effect before fit is called"):
        ImageDataGenerator(featurewise_std_normalization=True).flow(X)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for count, name in ((5, "b"), (4, "a/deep"), (1, "c")):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(count):
            picture = np.full((4, 6, 3), 10 * count + number)
            utils.save_img(tmp_path / "in" / name / f"{number}.png", picture, scale=False)
    return tmp_path / "in"


def test_folders(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = ImageDataGenerator(validation_split=0.4)
    flow = generator.flow_from_directory(
        folder, target_size=(2, 3), batch_size=4, shuffle=False, save_to_dir=str(tmp_path), save_prefix="seen"
    )
    assert capsys.readouterr().out == "Found 10 images belonging to 3 classes.\n"
    assert flow.class_indices == {"a": 0, "b": 1, "c": 2}
    assert (flow.samples, flow.num_classes, flow.image_shape, len(flow)) == (10, 3, (2, 3, 3), 3)
    assert flow.filenames[0] == str(Path("a", "deep", "0.png"))
    assert flow.filepaths[-1] == str(folder / "c" / "0.png")
    assert flow.classes.tolist() == flow.labels.tolist() == [0] * 4 + [1] * 5 + [2]
    x, y = flow[1]
    assert x[:, 0, 0, 0].tolist() == [50, 51, 52, 53]
    assert y.tolist() == [[0, 1, 0]] * 4
    assert len(list(tmp_path.glob("seen_*.png"))) == 4
    for subset, names in {
        "training": "1.png 2.png 3.png 2.png 3.png 4.png 0.png",
        "validation": "0.png 0.png 1.png",
    }.items():
        part = generator.flow_from_directory(folder, subset=subset, class_mode=None)
        assert [Path(path).name for path in part.filepaths] == names.split()


@pytest.mark.parametrize(
    ("mode", "color", "y"),
    [("sparse", "rgb", [0, 1, 0]), ("binary", "rgba", [0, 1, 0]), ("input", "grayscale", None)],
)
def test_classes_of_folders(folder: Path, mode: str, color: str, y: list | None) -> None:
    flow = ImageDataGenerator(data_format="channels_first").flow_from_directory(
        str(folder), (4, 6), color, ["b", "c"], mode, seed=2
    )
    assert (flow.class_indices, flow.samples) == ({"b": 0, "c": 1}, 6)
    x, given = next(flow)
    assert (x.shape, given.dtype) == ((6, {"rgb": 3, "rgba": 4, "grayscale": 1}[color], 4, 6), np.float32)
    if mode == "input":
        np.testing.assert_array_equal(x, given)
    else:
        assert given.tolist() == (x[:, 0, 0, 0] == 10).astype(float).tolist()


def test_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [os.path.join("b", "0.png"), os.path.join("b", "1.png"), os.path.join("c", "0.png")]
    table: dict[str, Any] = {"file": [*names, "none.png"], "kind": ["x", "y", "x", "z"]}
    table |= {"one": [1.0, 2.0, 3.0, 4.0], "two": [5, 6, 7, 8]}
    generator = ImageDataGenerator()
    with pytest.warns(UserWarning, match="1 names in the column 'file' are of no picture"):
        flow = generator.flow_from_dataframe(table, folder, "file", "kind", "one", (2, 3), shuffle=False)
    assert capsys.readouterr().out == "Found 3 validated image filenames belonging to 2 classes.\n"
    assert (flow.class_indices, flow.classes, flow.filenames) == ({"x": 0, "y": 1}, [0, 1, 0], names)
    x, y, weights = flow[0]
    of_folder = generator.flow_from_directory(
        folder, (2, 3), classes=["b", "c"], shuffle=False, batch_size=99
    )
    rows = [of_folder.filenames.index(name) for name in names]
    np.testing.assert_array_equal(x, of_folder[0][0][rows])
    assert y.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert weights.tolist() == [1, 2, 3]

    def targets(**settings: Any) -> Any:
        rest = {name: column[:3] for name, column in table.items()}
        made = generator.flow_from_dataframe(rest, folder, "file", shuffle=False, **settings)
        return made[0][1], made

    assert targets(y_col="kind", class_mode="sparse")[0].tolist() == [0, 1, 0]
    assert targets(y_col="kind", class_mode="binary", classes=["y", "x"])[0].tolist() == [1, 0, 1]
    assert targets(y_col="one", class_mode="raw")[0].tolist() == [1, 2, 3]
    assert targets(y_col=["one", "two"], class_mode="raw")[0].tolist() == [[1, 5], [2, 6], [3, 7]]
    several = targets(y_col=["one", "two"], class_mode="multi_output")[0]
    assert [t.tolist() for t in several] == [[1, 2, 3], [5, 6, 7]]
    y, made = targets(y_col="kind", class_mode="categorical", classes=["y"])
    assert (y.tolist(), made.filenames) == ([[1]], names[1:2])
    table["kind"] = [["x", "y"], ["y"], ["x"], []]
    assert targets(y_col="kind")[0].tolist() == [[1, 1], [0, 1], [1, 0]]
    with pytest.raises(TypeError, match="several classes for a picture"):
        targets(y_col="kind", class_mode="sparse")
    with pytest.raises(TypeError, match="classes must be strings, got 5"):
        targets(y_col="two")


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    flow = ImageDataGenerator().flow_from_directory(tmp_path)
    assert (len(flow), list(flow)) == (0, [])


MAKE = ImageDataGenerator
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: MAKE(zoom_range=[1]), ValueError, r"\[ImageDataGenerator\] zoom_range must be two numbers"),
    (lambda: MAKE(brightness_range=0.5), ValueError, "brightness_range must be two numbers"),  # type: ignore[arg-type]
    (lambda: MAKE(fill_mode="mirror"), ValueError, "fill_mode must be one of"),
    (lambda: MAKE(validation_split=1), ValueError, r"validation_split must be in \[0, 1\)"),
    (lambda: MAKE(data_format="last"), ValueError, "data_format must be one of"),
    (lambda: MAKE(rotation_range="x"), TypeError, "rotation_range must be a number"),  # type: ignore[arg-type]
    (lambda: MAKE().flow(X[0]), ValueError, r"\[flow\] x must have four axes, got shape \(6, 5, 3\)"),
    (lambda: MAKE().flow((X, Y)), TypeError, r"\[flow\] x must be one array of pictures"),
    (lambda: MAKE().flow(X, Y[:3]), ValueError, r"\[flow\] x and y must be of one length, got 10, 3"),
    (lambda: MAKE().flow(X, Y, sample_weight=Y[:3]), ValueError, "x and sample_weight must be of one length"),
    (lambda: MAKE().flow(X, Y, subset="test"), ValueError, r"\[flow\] subset must be one of"),
    (lambda: MAKE(validation_split=0.5).flow(X, Y, subset="training"), ValueError, "have different classes"),
    (lambda: MAKE().flow(X, batch_size=0), ValueError, r"\[flow\] batch_size must be at least 1"),
    (lambda: MAKE().flow_from_directory(".", class_mode="one"), ValueError, "class_mode must be one of"),
    (lambda: MAKE().flow_from_directory(".", color_mode="hsv"), ValueError, "color_mode must be one of"),
    (lambda: MAKE().flow_from_directory("nowhere"), FileNotFoundError, "nowhere"),
    (
        lambda: MAKE().flow_from_dataframe({"file": []}),
        ValueError,
        r"\[flow_from_dataframe\] the table has no column 'filename'",
    ),
    (lambda: MAKE().fit(X[0]), ValueError, r"\[ImageDataGenerator.fit\] x must have four axes"),
    (lambda: MAKE(rescaling=2), TypeError, r"\[ImageDataGenerator\] .*'rescaling'. Did you mean 'rescale'"),  # type: ignore[call-arg]
    (lambda: text.Tokenizer(words=3), TypeError, r"\[Tokenizer\] unexpected argument 'words'"),
    (
        lambda: text.Tokenizer().texts_to_matrix(["a"]),
        ValueError,
        r"\[Tokenizer\] give num_words, or call fit",
    ),
    (lambda: text.Tokenizer(3).texts_to_matrix(["a"], "tfidf"), ValueError, "mode='tfidf' needs texts"),
    (lambda: text.Tokenizer(3).texts_to_matrix(["a"], "sum"), ValueError, "mode must be one of"),
    (lambda: text.one_hot("a", 1), ValueError, r"\[one_hot\] n must be at least 2"),
    (lambda: sequence.TimeseriesGenerator(Y, Y[:3], 2), ValueError, "data and targets must be of one length"),
    (lambda: sequence.TimeseriesGenerator(Y, Y, 10), ValueError, "a window of 10 and its target need more"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_odd_channels_are_told() -> None:
    with pytest.warns(UserWarning, match="pictures have 1, 3 or 4 channels; x has 5 on axis 3"):
        MAKE().flow(np.zeros((2, 4, 4, 5)))


@pytest.mark.parametrize(
    ("package", "settings"),
    [("scipy.ndimage", {"rotation_range": 9}), ("PIL", {"brightness_range": (0.5, 2)})],
)
def test_without_packages_the_error_says_what_to_install(
    package: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"\[ImageDataGenerator\] .*pip install (scipy|pillow)"):
        MAKE(**settings).flow(X)[0]
    assert MAKE(horizontal_flip=True, rescale=2, channel_shift_range=3).flow(X)[0].shape == X.shape


# ---- Tokenizer and windows


def test_words_counted_later_are_numbered_with_the_others() -> None:
    tokenizer = text.Tokenizer(nb_words=3)
    tokenizer.fit_on_texts(iter(["b a", "a"]))
    assert tokenizer.index_word == {1: "a", 2: "b"}
    tokenizer.fit_on_texts(["c c c"])
    assert tokenizer.word_index == {"c": 1, "a": 2, "b": 3}
    assert (tokenizer.document_count, dict(tokenizer.word_docs)) == (3, {"a": 2, "b": 1, "c": 1})
    assert tokenizer.texts_to_sequences(["a b c d"]) == [[2, 1]]
    again = text.tokenizer_from_json(tokenizer.to_json(indent=1))
    assert again.to_json() == tokenizer.to_json()
    again.fit_on_sequences([[1, 1], [1, 2]])
    assert again.index_docs[1] == tokenizer.index_docs[1] + 2


def test_an_analyzer_gives_the_words() -> None:
    tokenizer = text.Tokenizer(analyzer=lambda line: line.split("-"))
    tokenizer.fit_on_texts(["A-b", "A"])
    assert tokenizer.word_index == {"A": 1, "b": 2}
    assert text.one_hot("A-b", 50, analyzer=lambda line: line.split("-")) == text.one_hot(
        "A b", 50, lower=False
    )


def test_windows_drawn_by_chance_train() -> None:
    np.random.seed(1)  # noqa: NPY002
    windows = sequence.TimeseriesGenerator(np.arange(20.0), np.arange(20.0), 4, batch_size=6, shuffle=True)
    x, y = windows[0]
    np.testing.assert_array_equal(x[:, -1] + 1, y)
    assert (windows[0][1] != windows[0][1]).any()
    model = nncore.Sequential([nncore.Input((4,)), nncore.layers.Dense(1)])
    model.compile("sgd", "mae")
    model.fit(windows, epochs=2, verbose=0)
    assert model.optimizer.iterations == 2 * len(windows)
