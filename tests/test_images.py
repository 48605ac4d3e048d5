"""Images as arrays, in files, and in folders as batches."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import utils
from nncore.utils.images import resized

Image = pytest.importorskip("PIL.Image")

pytestmark = pytest.mark.once

PIXELS = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


# ---- one picture


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_arrays_and_pictures(channels: int, mode: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.float32)
    img = utils.array_to_img(x, scale=False)
    assert (img.mode, img.size) == (mode, (7, 5))
    back = utils.img_to_array(img)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(utils.img_to_array(img, "channels_first", "uint8"), x.transpose(2, 0, 1))
    first = utils.array_to_img(x.transpose(2, 0, 1), "channels_first", scale=False)
    np.testing.assert_array_equal(utils.img_to_array(first), x)


def test_scales_of_pictures() -> None:
    x = np.array([[[-1.0], [0.0], [3.0]]])
    assert utils.img_to_array(utils.array_to_img(x))[0, :, 0].tolist() == [0, 63, 255]
    assert utils.img_to_array(utils.array_to_img(np.full((1, 1, 1), 7.0))).tolist() == [[[0]]]
    large = utils.array_to_img(np.array([[[1000.0]]]), scale=False)
    assert (large.mode, utils.img_to_array(large).item()) == ("I", 1000)


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    utils.save_img(path, PIXELS, scale=False)
    for given in (path, str(path), os.fsencode(path), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(utils.img_to_array(utils.load_img(given)), PIXELS)
    assert utils.load_img(path, color_mode="grayscale").mode == "L"
    assert utils.load_img(path, color_mode="rgba").mode == "RGBA"
    nearest = utils.img_to_array(utils.load_img(path, target_size=(3, 4)))
    np.testing.assert_array_equal(nearest, PIXELS[1::2, 1::2])
    middle = utils.img_to_array(utils.load_img(path, target_size=(6, 4), keep_aspect_ratio=True))
    np.testing.assert_array_equal(middle, PIXELS[:, 2:6])
    buffer = io.BytesIO()
    with pytest.warns(UserWarning, match=r"\[save_img\] JPEG has no transparency"):
        utils.save_img(buffer, np.zeros((2, 2, 4)), file_format="jpg", quality=90)
    assert utils.load_img(io.BytesIO(buffer.getvalue())).size == (2, 2)
    utils.save_img(tmp_path / "b.JPG", PIXELS)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: utils.array_to_img(np.zeros((2, 2))),
            ValueError,
            r"\[array_to_img\] x must have three axes",
        ),
        (lambda: utils.array_to_img(np.zeros((2, 2, 2))), ValueError, r"channels, got shape \(2, 2, 2\)"),
        (lambda: utils.img_to_array(np.zeros(2)), ValueError, r"\[img_to_array\] img must have two or three"),
        (
            lambda: utils.img_to_array(PIXELS, "last"),
            ValueError,
            r"\[img_to_array\] data_format must be one of",
        ),
        (lambda: utils.load_img(3), TypeError, r"\[load_img\] path must be a path or an io\.BytesIO, got 3"),
        (lambda: utils.load_img("x", "hsv"), ValueError, r"\[load_img\] color_mode must be one of"),
        (lambda: utils.load_img("x", interpolation="cubic"), ValueError, r"interpolation .* mean 'bicubic'"),
        (lambda: utils.load_img("nowhere.png"), FileNotFoundError, "nowhere"),
        (lambda: utils.load_img(io.BytesIO(b"text")), OSError, "cannot identify image"),
    ],
)
def test_pictures_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"\[load_img\] pictures need Pillow: pip install pillow"):
        utils.load_img("x.png")
    assert utils.img_to_array(PIXELS).shape == (6, 8, 3)


def test_resized() -> None:
    """Values of keras.ops.image.resize 3.15.1 on PyTorch."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    assert resized(x, (2, 2), False, False)[..., 0].tolist() == [[1.5, 3.5], [7.5, 9.5]]
    assert resized(x, (2, 5), True, False)[..., 0].tolist() == [
        [0.0, 1.0, 2.0, 2.0, 3.0],
        [8.0, 9.0, 10.0, 10.0, 11.0],
    ]
    assert resized(x, (2, 2), False, True)[..., 0].tolist() == [[1.25, 2.75], [7.25, 8.75]]


# ---- folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """cats/0.png to 5.png, dogs/deep/0.jpg to 3.png of one grey each, and what is no picture."""
    for count, name in ((6, "cats"), (4, "dogs/deep")):
        (tmp_path / name).mkdir(parents=True)
        for number in range(count):
            utils.save_img(
                tmp_path / name / f"{number}.png", np.full((4, 6, 3), count * 10 + number), scale=False
            )
    (tmp_path / "cats" / "notes.txt").write_text("x")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


GREYS = [60, 61, 62, 63, 64, 65, 40, 41, 42, 43]


def read(folder: Path, **settings: Any) -> Any:
    defaults = {"image_size": (2, 3), "batch_size": 4, "shuffle": False, "verbose": False}
    return utils.image_dataset_from_directory(folder, **{**defaults, **settings})


def greys(x: np.ndarray) -> list[float]:
    return x[:, 0, 0, 0].tolist()


def test_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = read(folder, verbose=True)
    assert capsys.readouterr().out == "Found 10 files belonging to 2 classes.\n"
    assert (data.class_names, len(data), len(data.file_paths)) == (["cats", "dogs"], 3, 10)
    assert data.file_paths[6] == str(folder / "dogs" / "deep" / "0.png")
    xs, ys = zip(*data)
    assert [x.shape for x in xs] == [(4, 2, 3, 3), (4, 2, 3, 3), (2, 2, 3, 3)]
    assert (xs[0].dtype, ys[0].dtype) == (np.float32, np.int32)
    assert np.concatenate([greys(x) for x in xs]).tolist() == GREYS
    assert np.concatenate(ys).tolist() == [0] * 6 + [1] * 4


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"label_mode": "binary"}, [[1.0]]),
        ({"label_mode": "categorical"}, [[0.0, 1.0]]),
        ({"class_names": ["dogs", "cats"]}, [0]),
        ({"labels": [5, 6, 7, 5, 5, 5, 9, 5, 5, 5]}, [9]),
    ],
    ids=str,
)
def test_labels_of_folders(folder: Path, settings: dict[str, Any], first: list) -> None:
    labels = {grey: y for x, ys in read(folder, batch_size=1, **settings) for grey, y in zip(greys(x), [ys])}
    assert labels[40].tolist() == first
    assert labels[40].dtype == (np.float32 if "label_mode" in settings else np.int32)


def test_pictures_without_labels(folder: Path) -> None:
    for settings in ({"labels": None}, {"label_mode": None}):
        data = read(folder, color_mode="grayscale", data_format="channels_first", **settings)
        assert next(iter(data)).shape == (4, 1, 2, 3)
        assert data.class_names is None
    singles = read(folder, batch_size=None, labels=None, color_mode="rgba")
    assert len(singles) == 10
    assert next(iter(singles)).shape == (2, 3, 4)


def test_order_and_parts_of_folders(folder: Path) -> None:
    settings = {"shuffle": True, "seed": 7, "validation_split": 0.3, "labels": None}
    train, held = read(folder, subset="both", **settings)
    first, second = (np.concatenate([greys(x) for x in train]).tolist() for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second)
    rest = np.concatenate([greys(x) for x in held]).tolist()
    assert (len(first), len(rest)) == (7, 3)
    assert sorted(first + rest) == sorted(GREYS)
    assert read(folder, subset="training", **settings).file_paths == train.file_paths
    assert read(folder, subset="validation", **settings).file_paths == held.file_paths
    order = np.arange(10)
    np.random.RandomState(7).shuffle(order)  # as keras.utils has it
    paths = read(folder).file_paths
    assert train.file_paths + held.file_paths == [paths[at] for at in order]


def test_folders_train(folder: Path) -> None:
    model = nncore.Sequential([nncore.Input((2, 3, 3)), nncore.layers.Flatten(), nncore.layers.Dense(2)])
    model.compile("adam", nncore.losses.SparseCategoricalCrossentropy(from_logits=True))
    train, held = read(folder, shuffle=True, seed=1, validation_split=0.4, subset="both")
    model.fit(train.cache().prefetch(2), validation_data=held, epochs=2, verbose=0)
    assert model.optimizer.iterations == 4
    assert model.predict(held, verbose=0).shape == (4, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_mode": "one"}, "label_mode must be one of"),
        ({"color_mode": "hsv"}, "color_mode must be one of"),
        ({"class_names": ["cats", "birds"]}, "class_names must be folders in"),
        ({"class_names": ["cats"], "labels": [0] * 10}, "class_names go with labels='inferred'"),
        ({"labels": [0, 1]}, "one for each of the 10 files"),
        ({"labels": [5] * 10, "label_mode": "categorical"}, "needs labels below the number of classes"),
        ({"labels": "infer"}, "labels must be 'inferred'"),
        ({"class_names": ["cats"], "label_mode": "binary"}, "needs two classes"),
        ({"validation_split": 0.2}, "must be given together"),
        ({"subset": "training"}, "must be given together"),
        ({"validation_split": 1.5, "subset": "both"}, r"validation_split must be in \[0, 1\)"),
        ({"validation_split": 0.2, "subset": "both", "shuffle": True}, "needs a seed"),
        ({"validation_split": 0.01, "subset": "both"}, "there are no pictures"),
        ({"interpolation": "bicubic"}, "interpolation must be one of"),
        ({"pad_to_aspect_ratio": True}, "pad_to_aspect_ratio=True is not available yet"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"image_size": (2,)}, "image_size must be an integer or a pair"),
    ],
    ids=str,
)
def test_folders_refuse(folder: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"\[image_dataset_from_directory\] .*{message}"):
        read(folder, **settings)


def test_a_file_that_is_no_picture_is_named(folder: Path) -> None:
    (folder / "cats" / "9.png").write_text("text")
    with pytest.raises(OSError, match=r"cannot identify image file .*9\.png"):
        list(read(folder))
