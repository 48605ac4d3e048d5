"""What programs for Keras write around their models: the backend, arguments without effect, names of types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import backend
from nncore.layers import Dense, Input

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
    [("floatx", "float16"), ("floatx", "float64"), ("epsilon", 1e-5), ("image_data_format", "channels_first")],
)
def test_the_backend_refuses_other_settings(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"\[set_{name}\] .*={value!r} is not available yet: .* only"):
        getattr(backend, f"set_{name}")(value)
