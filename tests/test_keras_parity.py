"""nncore against what Keras gave for the same cases (keras_facts.json), and against Keras' signatures."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keras_cases import CASES, FACTS, plain

import nncore
from nncore import callbacks, initializers, layers, metrics

FOUND: dict[str, Any] = json.loads(FACTS.read_text())


def compare(ours: Any, keras: Any, where: str, near: float = 2e-5) -> None:
    if isinstance(keras, dict):
        assert sorted(ours) == sorted(keras), where
        for name in keras:
            compare(ours[name], keras[name], f"{where}[{name!r}]", near)
    elif isinstance(keras, list):
        assert isinstance(ours, list), where
        assert len(ours) == len(keras), where
        for number, (a, b) in enumerate(zip(ours, keras)):
            compare(a, b, f"{where}[{number}]", near)
    elif keras != keras and where.startswith("edges: "):
        assert not np.isfinite(ours), where  # a limit, where Keras has NaN
    elif isinstance(keras, float):
        assert ours == pytest.approx(keras, rel=10 * near, abs=near, nan_ok=True), where
    else:
        assert ours == keras, where


@pytest.mark.parametrize("name", CASES)
def test_same_as_keras(name: str) -> None:
    near = 2e-6 if name.startswith("steps: ") else 2e-5
    with np.errstate(all="ignore"):
        compare(plain(CASES[name](nncore)), FOUND[name], name, near)


def test_every_fact_has_a_case() -> None:
    assert set(FOUND) == {"version of Keras", *CASES}


# Arguments of Keras 3.15 in order, with defaults, as far as nncore names them.
SIGNATURES: dict[str, tuple[Callable[..., Any], str]] = {
    "Dense": (
        layers.Dense,
        "units, activation=None, use_bias=True, kernel_initializer='glorot_uniform', "
        "bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, "
        "activity_regularizer=None, kernel_constraint=None, bias_constraint=None",
    ),
    "Conv2D": (
        layers.Conv2D,
        "filters, kernel_size, strides=(1, 1), padding='valid', data_format=None, dilation_rate=(1, 1), "
        "groups=1, activation=None, use_bias=True, kernel_initializer='glorot_uniform', "
        "bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, "
        "activity_regularizer=None, kernel_constraint=None, bias_constraint=None",
    ),
    "MaxPooling2D": (
        layers.MaxPooling2D,
        "pool_size=(2, 2), strides=None, padding='valid', data_format=None, name=None",
    ),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D, "data_format=None, keepdims=False"),
    "GlobalMaxPooling2D": (layers.GlobalMaxPooling2D, "data_format=None, keepdims=False"),
    "Flatten": (layers.Flatten, "data_format=None"),
    "Reshape": (layers.Reshape, "target_shape"),
    "Dropout": (layers.Dropout, "rate, noise_shape=None, seed=None"),
    "Activation": (layers.Activation, "activation"),
    "ReLU": (layers.ReLU, "max_value=None, negative_slope=0.0, threshold=0.0"),
    "LeakyReLU": (layers.LeakyReLU, "negative_slope=0.3"),
    "ELU": (layers.ELU, "alpha=1.0"),
    "Softmax": (layers.Softmax, "axis=-1"),
    "Rescaling": (layers.Rescaling, "scale, offset=0.0"),
    "BatchNormalization": (
        layers.BatchNormalization,
        "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', "
        "gamma_initializer='ones', moving_mean_initializer='zeros', moving_variance_initializer='ones'",
    ),
    "LayerNormalization": (
        layers.LayerNormalization,
        "axis=-1, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones'",
    ),
    "layer_normalization": (
        nncore.ops.layer_normalization,
        "x, gamma=None, beta=None, axis=-1, epsilon=None",
    ),
    "Concatenate": (layers.Concatenate, "axis=-1"),
    "Dot": (layers.Dot, "axes, normalize=False"),
    "Input": (layers.Input, "shape=None, batch_size=None, dtype=None"),
    "BinaryAccuracy": (metrics.BinaryAccuracy, "name='binary_accuracy', dtype=None, threshold=0.5"),
    "VarianceScaling": (
        initializers.VarianceScaling,
        "scale=1.0, mode='fan_in', distribution='truncated_normal', seed=None",
    ),
    "RandomUniform": (initializers.RandomUniform, "minval=-0.05, maxval=0.05, seed=None"),
    "RandomNormal": (initializers.RandomNormal, "mean=0.0, stddev=0.05, seed=None"),
    "HeNormal": (initializers.HeNormal, "seed=None"),
    "EarlyStopping": (
        callbacks.EarlyStopping,
        "monitor='val_loss', min_delta=0, patience=0, verbose=0, mode='auto', baseline=None, "
        "restore_best_weights=False, start_from_epoch=0",
    ),
    "Sequential": (nncore.Sequential, "layers=None, trainable=True, name=None"),
    "compile": (
        nncore.Sequential.compile,
        "self, optimizer='rmsprop', loss=None, loss_weights=None, metrics=None, weighted_metrics=None, "
        "run_eagerly=False, steps_per_execution=1, jit_compile='auto', auto_scale_loss=True",
    ),
    "fit": (
        nncore.Sequential.fit,
        "self, x=None, y=None, batch_size=None, epochs=1, verbose='auto', callbacks=None, "
        "validation_split=0.0, validation_data=None, shuffle=True, class_weight=None, "
        "sample_weight=None, initial_epoch=0, "
        "steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1",
    ),
    "evaluate": (
        nncore.Sequential.evaluate,
        "self, x=None, y=None, batch_size=None, verbose='auto', sample_weight=None, steps=None, "
        "callbacks=None, return_dict=False",
    ),
    # verbose is 'auto' in Keras: here a prediction is silent.
    "predict": (nncore.Sequential.predict, "self, x, batch_size=None, verbose=0, steps=None, callbacks=None"),
    "train_on_batch": (
        nncore.Sequential.train_on_batch,
        "self, x, y=None, sample_weight=None, class_weight=None, return_dict=False",
    ),
    "test_on_batch": (
        nncore.Sequential.test_on_batch,
        "self, x, y=None, sample_weight=None, return_dict=False",
    ),
    "get_layer": (nncore.Sequential.get_layer, "self, name=None, index=None"),
    "to_categorical": (nncore.utils.to_categorical, "x, num_classes=None"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_are_those_of_keras(name: str) -> None:
    function, expected = SIGNATURES[name]
    parameters = list(inspect.signature(function).parameters.values())
    found = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    assert ", ".join(found).startswith(expected)


@pytest.mark.parametrize(
    ("name", "shape", "low", "high", "deviation"),
    [
        ("glorot_uniform", (300, 100), -(0.015**0.5), 0.015**0.5, 0.005**0.5),
        ("glorot_normal", (300, 100), -0.161, 0.161, 0.005**0.5),
        ("he_uniform", (200, 100), -(0.03**0.5), 0.03**0.5, 0.01**0.5),
        ("he_normal", (200, 100), -0.228, 0.228, 0.01**0.5),
        ("lecun_uniform", (3, 5, 20, 70), -0.1, 0.1, (1 / 300) ** 0.5),
        ("lecun_normal", (3, 5, 20, 70), -0.1313, 0.1313, (1 / 300) ** 0.5),
        ("random_uniform", (200, 100), -0.05, 0.05, 0.05 / 3**0.5),
        ("random_normal", (200, 100), -0.3, 0.3, 0.05),
        ("truncated_normal", (200, 100), -0.1, 0.1, 0.05 * 0.8796),
        ("zeros", (3, 4), 0, 0, 0),
        ("ones", (3, 4), 1, 1, 0),
    ],
)
def test_initial_values_have_the_distribution_of_keras(
    name: str, shape: tuple[int, ...], low: float, high: float, deviation: float
) -> None:
    nncore.utils.set_random_seed(3)
    initializer = initializers.get(name)
    assert initializer is not None
    values = initializer(shape)
    assert values.dtype == np.float32
    assert values.shape == shape
    assert low - 1e-6 <= values.min() <= values.max() <= high + 1e-6
    assert values.std() == pytest.approx(deviation, rel=0.03)
    if deviation:
        assert abs(values.mean()) < 0.05 * deviation
        assert values.max() > 0.9 * high or "random_normal" in name


def test_a_seeded_initializer_gives_the_same_values() -> None:
    one, two = initializers.HeNormal(seed=4), initializers.HeNormal(seed=4)
    np.testing.assert_array_equal(one((5, 6)), two((5, 6)))
    model = nncore.Sequential([layers.Input((6,)), layers.Dense(3, kernel_initializer=one)])
    np.testing.assert_array_equal(model.get_weights()[0], one((6, 3)))
