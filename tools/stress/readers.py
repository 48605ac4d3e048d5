"""Readers of untrusted files: each refuses a file with ValueError or MemoryError, or returns usable data."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from keras_file_cases import FIXTURES
from test_saving import X, Y, everything

import nncore
from nncore import layers, models
from nncore.datasets import _idx

from .common import Array

LIMIT = 500  # items of a data file
MANY = 4096  # a model with settings beyond is not run: it may be sound, and take minutes
REFUSALS = (ValueError, MemoryError)

# ---- files to begin with


def saved(model: nncore.Sequential, folder: Path, weights_only: bool = False) -> bytes:
    path = folder / "seed"
    (model.save_weights if weights_only else model.save)(path)
    data = path.read_bytes()
    path.unlink()
    return data


def model_files(folder: Path) -> list[bytes]:
    dense = nncore.Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(1)])
    dense.compile("adam", "mse", metrics=["mae"])
    dense.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    images = nncore.Sequential(
        [
            layers.Input((9, 8, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    images.compile(nncore.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    images.fit(np.ones((4, 9, 8, 2)), np.eye(3)[[0, 1, 2, 0]], verbose=0)
    every = everything()
    every.fit(X, Y, verbose=0)
    unbuilt = nncore.Sequential([layers.Dense(3, kernel_initializer="he_normal"), layers.Dense(1)])
    unbuilt.compile("sgd", "binary_crossentropy")
    pooled = nncore.Sequential([layers.Input((6, 5, 2)), layers.GlobalAveragePooling2D(keepdims=True)])
    found = [saved(m, folder) for m in (dense, images, every, unbuilt, pooled, nncore.Sequential())]
    return [*found, saved(every, folder, weights_only=True)]


def keras_files() -> list[bytes]:
    with zipfile.ZipFile(FIXTURES) as archive:
        names = [name for name in archive.namelist() if name.endswith((".keras", ".h5"))]
        return [archive.read(name) for name in names if ".weights." not in name]


def data_files() -> dict[str, list[bytes]]:
    x = np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28)
    y = np.array([0, 9, 4], np.uint8)
    images = struct.pack(">4I", 0x803, *x.shape) + x.tobytes()
    labels = struct.pack(">2I", 0x801, *y.shape) + y.tobytes()
    archives = []
    for save in (np.savez, np.savez_compressed):
        for label in (y, y.astype(np.int64)):
            file = io.BytesIO()
            save(file, x_train=x, y_train=label)
            archives.append(file.getvalue())
    return {
        "images": [images, gzip.compress(images, mtime=0)],
        "labels": [labels, gzip.compress(labels, mtime=0)],
        "npz": archives,
    }


# ---- readers, each with the use that is made of what it gives; True unless it refuses


def _largest(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int) else 0


def _target(model: nncore.Sequential, shape: tuple[int, ...]) -> Array:
    loss = model.loss if isinstance(model.loss, str) else type(model.loss).__name__
    if loss.lower().startswith("sparse"):
        return np.zeros(shape[:-1], np.int64)
    return np.eye(int(np.prod(shape)) + 1, dtype=np.float32)[0, :-1].reshape(shape)


def _use(model: nncore.Sequential, path: Path) -> None:
    model.summary(print_fn=lambda text: None)
    again = path.with_name("again")
    model.save(again)
    twin = models.load_model(again)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if _largest([layer.get_config() for layer in model.layers]) > MANY:
        return
    shape = [int(n or 0) for n in model.input_shape[1:]] if model.built else [5]
    if math.prod(shape) > MANY:
        return
    x, built = np.ones((2, *shape), np.float32), model.built
    try:
        y = model.predict(x, verbose=0)
    except REFUSALS:
        assert not built  # it may not fit the shape that is tried here
        return
    assert y.shape == (2, *model.output_shape[1:])
    assert y.dtype == np.float32
    if built:
        np.testing.assert_array_equal(y, twin.predict(x, verbose=0))
    if model.loss is not None:
        model.train_on_batch(x, np.stack([_target(model, y.shape[1:])] * 2))
        assert model.predict(x, verbose=0).shape == y.shape


def read_model(path: Path) -> bool:
    try:
        model = models.load_model(path)
    except REFUSALS:
        return False
    _use(model, path)
    assert models.load_model(path, compile=False).optimizer is None
    return True


def read_keras(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*starts anew")
        try:
            model = models.load_model(path)
        except REFUSALS:
            return False
    model.summary(print_fn=lambda text: None)
    shapes = [value.shape[1:] for value in model.inputs] if model.built else []
    settings = [layer.get_config() for layer in model.layers if not isinstance(layer, models.Model)]
    if shapes and _largest(settings) <= MANY and all(math.prod(n or 0 for n in s) <= MANY for s in shapes):
        x = [np.ones((2, *(n or 0 for n in shape)), np.float32) for shape in shapes]
        with contextlib.suppress(*REFUSALS):  # a size that is open here need not be 0
            model.predict(x if len(x) > 1 else x[0], verbose=0)
    return True


def read_weights(path: Path) -> bool:
    model = everything()
    before = model.get_weights()
    try:
        model.load_weights(path)
    except REFUSALS:
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
        return False
    assert [w.shape for w in model.get_weights()] == [w.shape for w in before]
    return True


def _read_arrays(read: Callable[[Path], dict[str, Array]], path: Path) -> bool:
    """Reads images "x_train" and labels "y_train", or one of them."""
    try:
        arrays = read(path)
    except REFUSALS:
        return False
    for name, a in arrays.items():
        assert a.dtype == np.uint8
        assert len(a) <= LIMIT
        assert a.shape[1:] == (28, 28) if name == "x_train" else a.ndim == 1 and a.max() <= 9
    return True


READERS: dict[str, Callable[[Path], bool]] = {
    "model": read_model,
    "weights": read_weights,
    "images": partial(_read_arrays, lambda path: {"x_train": _idx.read(path, True, LIMIT)}),
    "labels": partial(_read_arrays, lambda path: {"y_train": _idx.read(path, False, LIMIT)}),
    "npz": partial(_read_arrays, lambda path: _idx.read_npz(path, {"x_train": LIMIT, "y_train": LIMIT})),
    "keras": read_keras,
}


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """Sound files for each reader."""
    found = model_files(folder)
    return {"model": found[:-1], "weights": [found[2], found[-1]], "keras": keras_files(), **data_files()}
