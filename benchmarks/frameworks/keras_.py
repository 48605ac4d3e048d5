"""Keras on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from benchmarks.frameworks import keras_api


class Model(keras_api.Model):
    def calls(self) -> dict[str, Callable[[Any], Any]]:
        return {**super().calls(), "model(x)": lambda x: self.model(x).numpy()}


make = partial(Model, keras)
