"""Code around models in programs for Keras: the backend, arguments without effect, types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import backend
from nncore.layers import Dense, Input, InputLayer

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)
Y = np.arange(8.0, dtype=np.float32)[:, None] / 8


def made(*layers: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(3)
    return nncore.Sequential([*(layers or (Input((3,)),)), Dense(4, activation="tanh"), Dense(1)])


# ---- backend


def test_the_backend_says_what_is_fixed() -> None:
    assert backend.floatx() == "float32"
    assert backend.epsilon() == 1e-7
    assert backend.image_data_format() == "channels_last"
    assert backend.backend() == "nncore"
    backend.set_floatx("float32")
    backend.set_epsilon(1e-7)
    backend.set_image_data_format("channels_last")
    assert backend.clear_session is nncore.utils.clear_session


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("floatx", "float16"),
        ("floatx", "float64"),
        ("epsilon", 1e-5),
        ("image_data_format", "channels_first"),
    ],
)
def test_the_backend_refuses_other_settings(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"\[set_{name}\] .*={value!r} is not available yet: .* only"):
        getattr(backend, f"set_{name}")(value)


# ---- arguments


@pytest.mark.parametrize(
    "first",
    [
        lambda: Input((3,), batch_size=4),
        lambda: Input(batch_shape=(4, 3)),
        lambda: Input((3,), dtype="int32"),
        lambda: Input((3,), dtype=np.uint8),
        lambda: Input((3,), dtype=float),
        lambda: Input((3,), dtype=np.dtype("float64")),
        lambda: InputLayer(input_shape=(3,)),
        lambda: Dense(4, activation="tanh", input_dim=3, dtype="float32"),
    ],
)
def test_a_model_begins_with_any_of_these(first: Callable[[], Any]) -> None:
    expected = made().predict(X)
    layer = first()
    nncore.utils.set_random_seed(3)
    rest = [Dense(1)] if isinstance(layer, Dense) else [Dense(4, activation="tanh"), Dense(1)]
    np.testing.assert_array_equal(nncore.Sequential([layer, *rest]).predict(X), expected)


def test_a_shape_that_another_layer_says_is_passed_over() -> None:
    nncore.utils.set_random_seed(3)
    later = nncore.Sequential(
        [Input((3,)), Dense(4, activation="tanh", input_shape=(7,)), Dense(1, input_dim=9)]
    )
    np.testing.assert_array_equal(later.predict(X), made().predict(X))
    assert Dense(2, input_shape=(5,))(Input((3,))).shape == (None, 2)
    assert Dense(2, input_dim=5)(X).shape == (8, 2)


def test_layers_and_models_say_their_type() -> None:
    for thing in (Dense(2), made()):
        assert (thing.dtype, thing.compute_dtype, thing.variable_dtype) == ("float32",) * 3


def test_arguments_of_compile_without_effect() -> None:
    histories = []
    for options in ({}, {"run_eagerly": True, "steps_per_execution": 4, "jit_compile": False}):
        model = made()
        model.compile(
            "adam", ["mse"], loss_weights=[1.0], metrics={model.layers[-1].name: ["mae"]}, **options
        )
        histories.append(model.fit(X, Y, verbose=0).history)
    assert histories[0] == histories[1]
    assert list(histories[0]) == ["loss", "mae"]
