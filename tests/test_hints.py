"""Frequent mistakes: the error says what to do instead."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import losses, metrics, ops
from nncore.layers import Conv2D, Dense, Flatten, Input, InputLayer, Rescaling

pytestmark = pytest.mark.once

X = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
Y, HOT = np.arange(20) % 4, np.eye(4)[np.arange(20) % 4]
IMAGES = np.random.default_rng(1).random((20, 8, 8, 1), np.float32)


def model(loss: str = "mse", units: int = 1, *first: Any) -> nncore.Sequential:
    one = nncore.Sequential(
        [*(first or [Input((3,))]), Dense(units, activation="softmax" if units > 1 else None)]
    )
    one.compile("sgd", loss)
    return one


# ---- sparse matrices

FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
USES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda s: model().fit(s, Y),
    "fit, not built": lambda s: model("mse", 1, Dense(2)).fit(s, Y),
    "fit without targets": lambda s: model().fit(s),
    "fit with a batch size": lambda s: model().fit(s, Y, batch_size=4, shuffle=True, steps_per_epoch=2),
    "targets": lambda s: model("mse", 3).fit(X, s),
    "validation": lambda s: model().fit(X, Y, validation_data=(s, Y)),
    "validation targets": lambda s: model("mse", 3).fit(X, X, validation_data=(X, s)),
    "validation weights": lambda s: model().fit(X, Y, validation_data=(X, Y, s)),
    "validation_split": lambda s: model().fit(s, Y, validation_split=0.5),
    "weights": lambda s: model().fit(X, Y, sample_weight=s),
    "classes": lambda s: model().fit(X, s, class_weight={0: 1}),
    "batches": lambda s: model().fit(iter([(s, Y)])),
    "targets of batches": lambda s: model("mse", 3).fit(iter([(X, s)])),
    "evaluate": lambda s: model().evaluate(s, Y),
    "predict": lambda s: model().predict(s),
    "predict with a batch size": lambda s: model().predict(s, batch_size=2),
    "predict in batches": lambda s: model().predict(iter([s])),
    "predict_on_batch": lambda s: model().predict_on_batch(s),
    "a list of one": lambda s: model().predict([s]),
    "call": lambda s: model()(s),
    "train_on_batch": lambda s: model().train_on_batch(s, Y),
    "test_on_batch": lambda s: model().test_on_batch(X, s),
    "layer": lambda s: Rescaling(2.0)(s),
    "set_weights": lambda s: model().set_weights([s, s]),
    "loss": lambda s: losses.MeanSquaredError()(s, X),
    "loss weights": lambda s: losses.MeanSquaredError()(X, X, s),
    "metric": lambda s: metrics.MeanSquaredError()(X, s),
    "metric weights": lambda s: metrics.MeanSquaredError()(X, X, s),
    "classes of a loss": lambda s: losses.SparseCategoricalCrossentropy()(s, X),
    "ops": lambda s: ops.relu(s),
    "to_categorical": lambda s: nncore.utils.to_categorical(s),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_matrices(use: str, kind: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    for name in FORMATS:
        given = getattr(sparse, f"{name}_{kind}")(X)
        with pytest.raises(TypeError, match=rf"\[.*\] .*{name}_{kind}.*\.toarray\(\)"):
            USES[use](given)


# ---- a sample without the axis of samples


@pytest.mark.parametrize("method", ["predict", "__call__", "predict_on_batch"])
@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist], ids=["array", "list"])
def test_one_sample_without_its_axis(method: str, kind: Any) -> None:
    images = model("mse", 1, Input((8, 8, 1)), Conv2D(2, 3), Flatten())
    for one, sample in [(model(), X[0]), (images, IMAGES[0]), (images, IMAGES[0, ..., 0])]:
        call = getattr(one, method)
        with pytest.raises(ValueError, match=r"\[sequential.*\] .*x\[None\].*np\.expand_dims\(x, 0\)"):
            call(kind(sample))
        assert call(sample[None]).shape == (1, 1)


def test_one_sample_in_training() -> None:
    with pytest.raises(ValueError, match=r"x\[None\]"):
        model().fit(X[0], Y[:3], verbose=0)
    with pytest.raises(ValueError, match=r"x\[None\]"):
        model().train_on_batch(X[0], Y[:3])


def test_one_sample_for_what_is_not_built_or_a_layer() -> None:
    for call in (model("mse", 1, Dense(2)).predict, Dense(2), nncore.Sequential([Dense(2)])):
        with pytest.raises(ValueError, match=r"x\[None\]"):
            call(X[0])
    layer = Dense(2)
    layer(X)
    with pytest.raises(ValueError, match=r"x\[None\]"):
        layer(X[0])


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_one_value_is_one_sample_of_one_value(shape: tuple[int, ...]) -> None:
    one = model("mse", 1, Input(shape), Flatten())
    assert one.predict(np.ones(shape)).shape == (1, 1)


def test_other_wrong_shapes_get_no_such_advice() -> None:
    with pytest.raises(ValueError, match=r"got \(2,\)$"):
        model().predict(X[:, :2])


# ---- targets and losses


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_one_hot_targets_for_the_sparse_loss(method: str) -> None:
    with pytest.raises(ValueError, match=r"one-hot.* use categorical_crossentropy"):
        getattr(model("sparse_categorical_crossentropy", 4), method)(X, HOT)


@pytest.mark.parametrize("labels", [Y, Y[:, None]], ids=["(n,)", "(n, 1)"])
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_class_numbers_for_the_categorical_loss(method: str, labels: Any) -> None:
    with pytest.raises(ValueError, match=r"class numbers use sparse_categorical_crossentropy"):
        getattr(model("categorical_crossentropy", 4), method)(X, labels)


CATEGORICAL: list[Callable[..., Any]] = [
    losses.CategoricalCrossentropy(), losses.categorical_crossentropy, ops.categorical_crossentropy,
    metrics.CategoricalAccuracy(), metrics.categorical_accuracy, ops.categorical_accuracy,
]  # fmt: skip
SPARSE: list[Callable[..., Any]] = [
    losses.SparseCategoricalCrossentropy(), losses.sparse_categorical_crossentropy,
    ops.sparse_categorical_crossentropy, metrics.SparseCategoricalAccuracy(),
    metrics.sparse_categorical_accuracy, ops.sparse_categorical_accuracy,
]  # fmt: skip


@pytest.mark.parametrize(("categorical", "sparse"), list(zip(CATEGORICAL, SPARSE)))
def test_targets_for_the_other_loss_on_arrays(categorical: Any, sparse: Any) -> None:
    word = r"categorical_(crossentropy|accuracy)"
    with pytest.raises(ValueError, match=rf"class numbers use sparse_{word}"):
        categorical(Y, HOT)
    with pytest.raises(ValueError, match=rf"class numbers use sparse_{word}"):
        categorical(Y[:, None], HOT)
    with pytest.raises(ValueError, match=rf"one-hot.* use {word}"):
        sparse(HOT, HOT)


@pytest.mark.parametrize(
    ("loss", "units", "targets"),
    [
        ("sparse_categorical_crossentropy", 4, Y),
        ("sparse_categorical_crossentropy", 4, Y[:, None]),
        ("sparse_categorical_crossentropy", 4, HOT),
        ("categorical_crossentropy", 4, HOT),
        ("categorical_crossentropy", 4, Y),
        ("binary_crossentropy", 1, Y),
        ("mse", 1, Y[:, None]),
        ("mse", 4, HOT),
    ],
)
def test_a_missing_flatten(loss: str, units: int, targets: Any) -> None:
    one = model(loss, units, Input((8, 8, 1)), Conv2D(2, 3))
    with pytest.raises(ValueError, match=rf"outputs of shape \(6, 6, {units}\).*Flatten"):
        one.fit(IMAGES, targets, verbose=0)


def test_no_flatten_is_missing() -> None:
    one = model("mse", 4, Input((8, 8, 1)), Conv2D(2, 3))
    with pytest.raises(ValueError, match=r"got \(5, 5, 4\)$"):
        one.fit(IMAGES, np.zeros((20, 5, 5, 4)), verbose=0)


# ---- others


def test_an_input_is_not_called() -> None:
    with pytest.raises(TypeError, match="call other layers on its output"):
        InputLayer((3,))(X)
    with pytest.raises(TypeError, match=r"got the layer 'a'"):
        Dense(2)(InputLayer((3,), name="a"))


@pytest.mark.parametrize("with_core", [False, True])
def test_import_from_a_zip_file(with_core: bool, tmp_path: Path) -> None:
    package = Path(nncore.__file__).parent
    archive = tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in package.rglob("*.py"):
            file.write(path, Path("nncore") / path.relative_to(package))
        if with_core:
            core = Path(nncore._core.__file__)
            file.write(core, Path("nncore") / core.name)
    code = f"import sys; sys.path.insert(0, {str(archive)!r}); import nncore"
    run = subprocess.run(
        [sys.executable, "-E", "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("ImportError: nncore cannot be imported from a zip file")
    assert str(archive) in run.stderr.splitlines()[-1]
