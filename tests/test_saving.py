"""Model files: all that is written is read again."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import nncore
from nncore import initializers, layers, losses, metrics, models, optimizers
from nncore.common.rows import LOSSES
from nncore.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    AveragePooling2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    LayerNormalization,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    SimpleRNN,
    Softmax,
)
from nncore.models.model import net_of

RNG = np.random.default_rng(8)
X = RNG.random((24, 8, 8, 2), dtype=np.float32)
Y = RNG.integers(0, 5, 24)


def everything() -> nncore.Sequential:
    """Every layer, and settings that differ from the defaults."""
    model = nncore.Sequential(
        [
            Rescaling(0.5, 0.1, input_shape=(8, 8, 2)),
            Conv2D(
                4, (3, 2), (1, 2), "same", activation="relu", kernel_initializer="he_normal", name="first"
            ),
            Conv2D(4, 2, dilation_rate=2, groups=2, use_bias=False, trainable=False),
            DepthwiseConv2D(2, depth_multiplier=2, padding="same", depthwise_regularizer="l2"),
            SeparableConv2D(4, (2, 1), padding="same", bias_initializer="ones", trainable=False),
            LeakyReLU(0.1),
            ELU(0.5),
            ReLU(negative_slope=0.2),
            layers.PReLU("ones", shared_axes=[1, 2]),
            layers.GaussianNoise(0.1, seed=4),
            layers.ZeroPadding2D(((0, 1), (2, 0))),
            layers.Cropping2D((1, 0)),
            layers.RandomFlip(seed=3),
            layers.RandomRotation(0.1, "constant", fill_value=0.5),
            layers.RandomZoom((-0.1, 0.2), interpolation="nearest"),
            layers.RandomTranslation(0.1, (0.0, 0.2), "wrap"),
            layers.RandomContrast(0.2, (-2, 2)),
            layers.RandomBrightness((-0.1, 0.2), (-2, 2)),
            layers.RandomCrop(6, 5),
            layers.Normalization(invert=True),
            layers.Normalization([-1, 1], mean=0.5, variance=2.0),
            layers.GaussianDropout(0.1),
            layers.Conv2DTranspose(3, (3, 2), (1, 2), "same", output_padding=(0, 1), activation="tanh"),
            layers.UpSampling2D((2, 1), interpolation="bilinear"),
            layers.Resizing(9, 7, pad_to_aspect_ratio=True, fill_value=0.25),
            layers.CenterCrop(7, 7),
            layers.Softmax([1, 2]),
            layers.ReLU(2.0, 0.1, 0.2),
            layers.AlphaDropout(0.1),
            MaxPooling2D(2, padding="same"),
            AveragePooling2D(1),
            LayerNormalization(epsilon=0.01, beta_initializer="ones", gamma_initializer="random_normal"),
            LayerNormalization([-1, -2], center=False, scale=False),
            Dense(6, bias_initializer=initializers.Constant(0.25)),
            Activation("gelu"),
            GlobalMaxPooling2D(keepdims=True),
            Reshape((1, 1, -1)),
            GlobalAveragePooling2D(),
            Reshape((3, 2)),
            LSTM(5, "relu", None, return_sequences=True, dropout=0.1, unit_forget_bias=False),
            GRU(4, return_sequences=True, go_backwards=True, reset_after=False, recurrent_dropout=0.2),
            SimpleRNN(6, recurrent_initializer="identity", recurrent_regularizer="l2", unroll=True),
            Flatten(),
            Dropout(0.25),
            Dense(5),
            Softmax(),
        ],
        name="all",
    )
    model.compile(
        optimizers.SGD(0.05, momentum=0.5, nesterov=True),
        losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy", metrics.SparseCategoricalAccuracy(name="sure")],
        weighted_metrics=["acc"],
    )
    return model


def sequences() -> nncore.Sequential:
    """Every layer for sequences."""
    model = nncore.Sequential(
        [
            Input((24,)),
            layers.Embedding(30, 6, "normal", embeddings_constraint="max_norm", mask_zero=True),
            layers.SpatialDropout1D(0.2),
            layers.TimeDistributed(Dense(5, "relu", bias_regularizer="l2"), name="each"),
            layers.Masking(0.25),
            Reshape((24, 5)),
            layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
            layers.MaxPooling1D(2),
            layers.AveragePooling1D(2, 1, "same"),
            layers.Permute((2, 1)),
            layers.TimeDistributed(Reshape((4, 3)), trainable=False),
            layers.SpatialDropout2D(0.1),
            Dropout(0.1, (None, 1, 4, 3)),
            Reshape((12, 4)),
            layers.GlobalAveragePooling1D(keepdims=True),
            layers.GlobalMaxPooling1D(),
            layers.RepeatVector(3),
            layers.GlobalAveragePooling1D(),
            Dense(5, "softmax"),
        ],
        name="sequences",
    )
    model.compile("adam", losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return model


def small(optimizer: Any = "adam") -> nncore.Sequential:
    model = nncore.Sequential(
        [Input((3,)), Dense(4, activation="relu", name="a"), Dense(1, name="b")], name="s"
    )
    model.compile(optimizer, "mse")
    return model


def same(one: nncore.Sequential, other: nncore.Sequential) -> None:
    assert one.name == other.name
    assert [type(x) for x in one.layers] == [type(x) for x in other.layers]
    assert [x.get_config() for x in one.layers] == [x.get_config() for x in other.layers]
    assert one.built == other.built
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.metrics_names == other.metrics_names
    assert repr(one.optimizer) == repr(other.optimizer)
    if one.optimizer is not None and other.optimizer is not None:
        assert one.optimizer.iterations == other.optimizer.iterations


WAYS: dict[str, Callable[[nncore.Sequential, Path], nncore.Sequential]] = {
    "file": lambda model, path: (model.save(path / "m"), models.load_model(str(path / "m")))[1],
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "copy": lambda model, path: copy.copy(model),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("epochs", [0, 2])
def test_everything_comes_back(way: str, epochs: int, tmp_path: Path) -> None:
    model = everything()
    model.fit(X, Y, epochs=epochs, verbose=0)
    found = WAYS[way](model, tmp_path)
    same(model, found)
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    again, as_well = (m.fit(X, Y, epochs=2, batch_size=7, verbose=0).history for m in (model, found))
    assert again == as_well
    same(model, found)
    assert not found.layers[2].trainable
    assert found.layers[1].kernel_initializer == initializers.HeNormal()  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.parametrize("way", WAYS)
def test_layers_for_sequences_come_back(way: str, tmp_path: Path) -> None:
    model, x = sequences(), RNG.integers(0, 30, (24, 24))
    model.fit(x, Y, verbose=0)
    found = WAYS[way](model, tmp_path)
    same(model, found)
    np.testing.assert_array_equal(found.predict(x), model.predict(x))
    again, as_well = (m.fit(x, Y, epochs=2, batch_size=7, verbose=0).history for m in (model, found))
    assert again == as_well


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_is_not_built_comes_back(way: str, tmp_path: Path) -> None:
    model = nncore.Sequential([Dense(3, activation="relu"), Dense(1)])
    found = WAYS[way](model, tmp_path)
    same(model, found)
    assert not found.built
    assert found.predict(np.ones((2, 5))).shape == (2, 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_model_without_layers_comes_back(way: str, tmp_path: Path) -> None:
    same(nncore.Sequential(name="empty"), WAYS[way](nncore.Sequential(name="empty"), tmp_path))


def test_the_learning_rate_of_the_moment_comes_back() -> None:
    model = small()
    assert model.optimizer is not None
    model.optimizer.learning_rate = 0.125
    found = copy.deepcopy(model)
    assert found.optimizer is not None
    assert found.optimizer.learning_rate == 0.125
    found.optimizer.learning_rate = 0.5
    assert model.optimizer.learning_rate == 0.125


def test_layers_and_optimizers_can_be_copied() -> None:
    model = small()
    layer = copy.deepcopy(model.layers[0])
    np.testing.assert_array_equal(layer.get_weights()[0], model.get_weights()[0])
    assert nncore.Sequential([layer]).layers == [layer]
    assert repr(copy.deepcopy(model.optimizer)) == repr(model.optimizer)
    history = pickle.loads(pickle.dumps(model.fit(np.ones((4, 3)), np.ones(4), verbose=0)))
    assert list(history.history) == ["loss"]


def test_compile_settings_can_be_left_out(tmp_path: Path) -> None:
    model = small()
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    model.save(tmp_path / "m")
    found = models.load_model(tmp_path / "m", compile=False)
    assert found.optimizer is None
    np.testing.assert_array_equal(found.get_weights()[0], model.get_weights()[0])


def test_a_subclass_stays_one() -> None:
    class Mine(nncore.Sequential):
        def __init__(self, extra: int) -> None:
            super().__init__([Input((2,)), Dense(extra)])

    Mine.__qualname__ = "Mine"
    found = copy.deepcopy(Mine(3))
    assert type(found) is Mine
    assert found.output_shape == (None, 3)


def test_a_file_of_the_first_version_trains_on(tmp_path: Path) -> None:
    """Version 1 has layers instead of objects, one loss, and the moments of frozen layers."""
    parts = [Dense(4, activation="relu", name="a"), Dropout(0.25, name="drop")]
    parts += [Dense(4, name="b", trainable=False), Dense(1, use_bias=False, name="c")]
    model = nncore.Sequential([Input((3,)), *parts], name="s")
    model.compile("adam", losses.MeanSquaredError(), metrics=["mae"], weighted_metrics=["accuracy"])
    x, y = RNG.random((24, 3)), RNG.random((24, 1))
    model.fit(x, y, epochs=2, batch_size=7, verbose=0)
    model.save(tmp_path / "second")

    def dense(name: str, units: int, **settings: Any) -> dict[str, Any]:
        kernel, bias = {"class_name": "GlorotUniform", "config": {"seed": None}}, {"class_name": "Zeros"}
        config = {"name": name, "trainable": True, "units": units, "activation": "linear", "use_bias": True}
        config |= {"kernel_initializer": kernel, "bias_initializer": bias | {"config": {}}}
        return {"class_name": "Dense", "config": config | settings}

    adam = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "name": "adam"}
    drop = {"class_name": "Dropout", "config": {"name": "drop", "trainable": True, "rate": 0.25}}
    sizes = {"a/kernel": [3, 4], "a/bias": [4], "b/kernel": [4, 4], "b/bias": [4], "c/kernel": [4, 1]}
    settings = {
        "version": 1, "parameters": list(sizes.items()), "name": "s", "built": True, "input_shape": [3],
        "layers": [
            dense("a", 4, activation="relu"), drop, dense("b", 4, trainable=False),
            dense("c", 1, use_bias=False),
        ],
        "compile": {
            "optimizer": {"class_name": "Adam", "config": adam},
            "loss": {"class_name": "MeanSquaredError", "config": {"name": "mean_squared_error"}},
            "metrics": [{"class_name": "MeanAbsoluteError", "config": {"name": "mae"}}],
            "weighted_metrics": ["accuracy"], "frozen": ["b"], "iterations": 8,
        },
        "seed": net_of(model).seed, "epochs": 2,
    }  # fmt: skip
    tensors = safetensors.numpy.load_file(tmp_path / "second")
    for moment in ("momentum", "velocity"):
        for name in ("b/kernel", "b/bias"):
            tensors[f"optimizer/{moment}/{name}"] = np.zeros(sizes[name], np.float32)
    safetensors.numpy.save_file(tensors, tmp_path / "first", {"nncore": json.dumps(settings)})

    first, second = (models.load_model(tmp_path / name) for name in ("first", "second"))
    same(first, model)
    for found in (first, second):
        assert found.fit(x, y, epochs=2, batch_size=7, verbose=0).history
    same(first, second)
    assert first.evaluate(x, y, verbose=0) == second.evaluate(x, y, verbose=0)
    assert models.load_model(tmp_path / "first", compile=False).optimizer is None
    first.load_weights(tmp_path / "first")
    np.testing.assert_array_equal(first.predict(x), model.predict(x))


# ---- weights alone


def test_weights_alone_by_order_and_not_by_name(tmp_path: Path) -> None:
    model, other = small(), nncore.Sequential([Input((3,)), Dense(4), Dense(1)])
    for save in (model.save_weights, model.save):
        save(tmp_path / "w")
        other.set_weights([np.zeros_like(w) for w in other.get_weights()])
        other.load_weights(tmp_path / "w")
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    model.save_weights(tmp_path / "w")
    with pytest.raises(ValueError, match="w is not a usable model file"):
        models.load_model(tmp_path / "w")


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([Dense(4)], "it has 4 weights, and the model 't' has 2"),
        ([Dense(4), Dense(2)], "does not fit"),
        ([Dense(4, use_bias=False), Dense(1, use_bias=False)], "it has 4 weights"),
    ],
)
def test_weights_of_another_model_are_refused(layers: list[Any], text: str, tmp_path: Path) -> None:
    small().save_weights(tmp_path / "w")
    model = nncore.Sequential([Input((3,)), *layers], name="t")
    before = model.get_weights()
    with pytest.raises(ValueError, match=text):
        model.load_weights(tmp_path / "w")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- writing


def test_a_class_that_files_do_not_know_is_refused(tmp_path: Path) -> None:
    class Own(Dense):
        pass

    model = nncore.Sequential([Input((3,)), Dense(2), Own(1, name="mine")])
    with pytest.raises(ValueError, match=r"'mine' cannot be saved: its class Own"):
        model.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())
    model.save_weights(tmp_path / "w")


@pytest.mark.parametrize("cls", losses.CLASSES.values())
def test_files_know_every_loss(cls: type[losses.Loss], tmp_path: Path) -> None:
    assert cls.__name__ in losses.__all__
    for settings in ({}, *LOSSES[cls._function.__name__].variants):
        model = nncore.Sequential([Input((3,)), Dense(2)])
        model.compile("sgd", cls(**settings))
        model.save(tmp_path / "m")
        loaded = models.load_model(tmp_path / "m").loss
        assert type(loaded) is cls
        assert loaded.get_config() == {**cls().get_config(), **settings}


def test_files_know_every_layer() -> None:
    def below(cls: type) -> list[type]:
        return [c for sub in cls.__subclasses__() for c in (sub, *below(sub))]

    concrete = {
        c.__name__: c
        for c in below(layers.Layer)
        if c.__module__.startswith("nncore.layers.") and hasattr(c, "kind") and c.__name__[0] != "_"
        if not vars(c).get("_abstract")
    }
    assert concrete == layers.CLASSES
    assert set(concrete) <= set(layers.__all__)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    small().save(path)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="full"):
        small().save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_file_is_not_overwritten_against_the_will(tmp_path: Path) -> None:
    small().save(tmp_path / "m")
    with pytest.raises(FileExistsError, match="overwrite is False"):
        small().save(tmp_path / "m", overwrite=False)


def test_pickles_of_earlier_versions() -> None:
    model = nncore.Sequential([Input((4,)), Dense(2)])
    now = pickle.dumps(model, protocol=0)
    before = now.replace(b"cnncore.models.model\nfrom_bytes", b"cnncore._saving.reading\nfrom_bytes")
    assert before != now
    np.testing.assert_array_equal(pickle.loads(before).get_weights()[0], model.get_weights()[0])
