"""nncore against the results of Keras for the same cases (keras_facts.json)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from keras_cases import CASES, FACTS, plain

import nncore
from nncore import initializers, layers

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
        assert ours == 0 or not np.isfinite(ours), where  # a limit, where Keras has NaN
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
