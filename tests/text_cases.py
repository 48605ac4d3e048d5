"""Layers before the network, and models that begin with them, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import nncore
from nncore import utils
from nncore.layers import (
    Dense,
    StringLookup,
    TextVectorization,
)

TEXTS = ["Foo, bar!", "bar  baz", "baz bada boom", "qux"]
LABELS = np.array([0, 1, 1, 0])
WORDS = ["a", "b", "c", "d"]


def adapted(**settings: Any) -> TextVectorization:
    layer = TextVectorization(**settings)
    layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    return layer


def classifier(first: Any, seed: int = 3) -> nncore.Sequential:
    utils.set_random_seed(seed)
    model = nncore.Sequential([first, Dense(4, "tanh"), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def bars(texts: Any) -> Any:
    return [text.split("|") for text in texts]


def shout(texts: Any) -> Any:
    return np.char.upper(texts)


T, S = TextVectorization, StringLookup

LAYERS: list[Callable[[], Any]] = [
    lambda: adapted(output_sequence_length=4),
    lambda: adapted(output_mode="tf_idf", max_tokens=5),
    lambda: T(vocabulary=["f", "a"], ngrams=(1, 2), split="character", output_sequence_length=3),
    lambda: T(vocabulary=["qux"], standardize=None, split=None, output_sequence_length=1),
    lambda: T(vocabulary=["foo"], output_mode="multi_hot", max_tokens=9, pad_to_max_tokens=True),
    lambda: S(vocabulary=TEXTS, output_mode="one_hot", oov_token="?"),
    lambda: S(vocabulary=TEXTS, output_mode="tf_idf", idf_weights=[1, 2, 3, 4]),
]  # fmt: skip
