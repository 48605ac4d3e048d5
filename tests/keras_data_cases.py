"""Cases of the preparation of data, for keras_cases.py. Recording them needs SciPy and Pillow."""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import numpy as np
from keras_graph_cases import Case

IMAGES = np.round(120 + 120 * np.sin(np.arange(7 * 5 * 4 * 3, dtype=np.float32))).reshape(7, 5, 4, 3)

TEXTS: list[Any] = [
    "It ain't 'over' till it's over. OVER!",
    "the cat, the dog; the end",
    ["Already", "split", "THE"],
    "",
    "tab\tline\nthe",
]

GENERATORS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "rotation": {"rotation_range": 40},
    "shifts by shares": {"width_shift_range": 0.2, "height_shift_range": 0.3},
    "shifts by pixels": {"width_shift_range": 3, "height_shift_range": [-2, 1, 4]},
    "shift by parts of pixels": {"width_shift_range": 2.5, "fill_mode": "wrap"},
    "shear and zoom": {"shear_range": 20, "zoom_range": 0.3, "fill_mode": "reflect"},
    "zoom of two": {"zoom_range": [0.5, 1.5], "fill_mode": "constant", "cval": 7.0},
    "cubic": {"rotation_range": 90, "interpolation_order": 3},
    "flips": {"horizontal_flip": True, "vertical_flip": True, "rescale": 1 / 255},
    "colours": {"channel_shift_range": 30.0, "brightness_range": (0.5, 1.5)},
    "all": {
        "rotation_range": 30, "width_shift_range": 0.4, "shear_range": 5, "zoom_range": 0.1,
        "horizontal_flip": True, "channel_shift_range": 3.0, "samplewise_center": True,
    },
    "samplewise": {"samplewise_std_normalization": True},
    "featurewise": {"featurewise_std_normalization": True, "rescale": 0.5, "rotation_range": 10},
    "whitening": {"zca_whitening": True, "zca_epsilon": 1.0},
    "channels first": {"data_format": "channels_first", "rotation_range": 20, "width_shift_range": 0.3},
    "validation": {"validation_split": 0.5},
}  # fmt: skip

TOKENIZERS: list[dict[str, Any]] = [
    {},
    {"num_words": 4},
    {"num_words": 4, "oov_token": "?"},
    {"oov_token": "?", "lower": False},
    {"char_level": True},
    {"split": ",", "filters": " "},
]


def _module(k: Any, name: str) -> Any:
    """The module preprocessing.<name>, which Keras 3 keeps for programs written for Keras 2."""
    path = f"{k.__name__}.src.legacy" if k.__name__ == "keras" else k.__name__
    return importlib.import_module(f"{path}.preprocessing.{name}")


def generated(settings: dict[str, Any]) -> Case:
    def case(k: Any) -> Any:
        generator = _module(k, "image").ImageDataGenerator(**settings)
        x = IMAGES.transpose(0, 3, 1, 2) if "data_format" in settings else IMAGES
        for augment in (False, True):
            generator.fit(x, augment=augment, rounds=2, seed=3)
        found = []
        for subset in ("training", "validation") if "validation_split" in settings else (None,):
            for shuffle in (True, False):
                weight = np.arange(7) if subset is None else None  # Keras does not cut them
                flow = generator.flow(x, np.arange(7) % 2, 3, shuffle, weight, 11, subset=subset)
                batches = [flow[i] for i in range(len(flow))]
                flow.on_epoch_end()
                batches += [flow[0], *itertools.islice(flow, 4)]
                found.append([[x.shape, float(np.sum(x, dtype=float)), y, w] for x, y, *w in batches])
        return [*found, np.round(np.float64(batches[0][0].ravel()[::7]), 3)]

    return case


def tokenized(k: Any) -> Any:
    text, found = _module(k, "text"), []
    for settings in TOKENIZERS:
        tokenizer = text.Tokenizer(**settings)
        for texts in (TEXTS, TEXTS[:2]):
            tokenizer.fit_on_texts(texts)
        again = text.tokenizer_from_json(tokenizer.to_json())
        rows = again.texts_to_sequences([*TEXTS, "the bird is over"])
        found += [tokenizer.word_counts, again.word_index, tokenizer.document_count, rows]
        found.append(again.sequences_to_texts([*rows, [1, 2, 99, 3, 5], [4, 0]]))
        found += [again.texts_to_matrix(TEXTS, mode) for mode in ("binary", "count", "freq", "tfidf")]
    found.append(
        text.hashing_trick("a b a", 100, "md5")
        if hasattr(text, "hashing_trick")
        else text.one_hot("a b a", 100)
    )
    return [*found, text.text_to_word_sequence("a-b,C", lower=False, filters="-")]


def windowed(k: Any) -> Any:
    make, x = _module(k, "sequence").TimeseriesGenerator, np.arange(50).reshape(25, 2)
    found = []
    for settings in (
        {},
        {"sampling_rate": 2},
        {"stride": 3, "batch_size": 4},
        {"start_index": 4, "end_index": 17, "reverse": True},
    ):
        windows = make(x, np.arange(25), 5, **{"batch_size": 6, **settings})
        found.append([windows[i] for i in range(len(windows))])
    return found


CASES: dict[str, Case] = {
    **{f"ImageDataGenerator {name}": generated(settings) for name, settings in GENERATORS.items()},
    "Tokenizer": tokenized,
    "TimeseriesGenerator": windowed,
}
