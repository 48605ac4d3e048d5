"""Cases of layers for sequences, and of masks, for keras_cases.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras_graph_cases import FIT, WEIGHT, Case, set_weights, told

WORDS = (np.arange(12 * 7).reshape(12, 7) * 5 % 11) * (np.arange(7) < 2 + np.arange(12)[:, None] % 5)
SERIES = (np.sin(np.arange(12 * 7 * 4) * 1.3).reshape(12, 7, 4) * (WORDS > 0)[..., None]).astype(np.float32)
Y = (np.arange(12) % 3 == 0).astype(np.float32)
STEPS = np.cos(np.arange(12 * 7)).reshape(12, 7, 1).astype(np.float32)
CLASSES = np.arange(12 * 7).reshape(12, 7) % 3


def trained(
    model: Any, x: Any, y: Any, loss: Any = "mse", weight: Any = None, of: tuple[str, ...] = ("mae",)
) -> Any:
    """Training, evaluation and prediction of a model with fixed weights."""
    if weight is not None and not type(model).__module__.startswith("nncore"):
        weight = np.repeat(weight[:, None], 7, axis=1)  # Keras broadcasts no weights of samples to steps
    set_weights(model).compile("sgd", loss, metrics=list(of), weighted_metrics=list(of))
    # On PyTorch, Keras changes the weights themselves by the mask of a batch, before metrics read them.
    given: Any = {"sample_weight": weight, "batch_size": 5 if weight is None else 12}
    history = model.fit(x, y, epochs=2, **given, **FIT).history
    return [
        history,
        model.evaluate(x, y, verbose=0, return_dict=True, **given),
        model.train_on_batch(x, y, sample_weight=weight, return_dict=True),
        told(model.predict(x, verbose=0)),
        told(model.get_weights()),
    ]


def words(*layers: Callable[[Any], Any], y: Any = Y, zero: bool = True, **settings: Any) -> Case:
    """A `Sequential` of an Embedding and these layers."""

    def case(k: Any) -> Any:
        first = [k.Input((7,)), k.layers.Embedding(11, 4, mask_zero=zero)]
        return trained(k.Sequential([*first, *(layer(k.layers) for layer in layers)]), WORDS, y, **settings)

    return case


def series(*layers: Callable[[Any], Any], y: Any = None, **settings: Any) -> Case:
    """A `Sequential` of these layers, and a mean over what they give if `y` is None."""

    def case(k: Any) -> Any:
        last = [k.layers.Flatten(), k.layers.Dense(1)] if y is None else []
        model = k.Sequential([k.Input((7, 4)), *(layer(k.layers) for layer in layers), *last])
        return trained(model, SERIES, Y if y is None else y, **settings)

    return case


def merged(name: str, *masks: bool, axis: int | None = None) -> Case:
    """Embeddings, some of them with a mask, joined by a layer; the loss reads the mask of what it makes."""

    def case(k: Any) -> Any:
        n, x, z = k.layers, k.Input((7,)), k.Input((7,))
        values = [
            n.Embedding(11, 3, mask_zero=mask, name=f"e{i}")([x, z][i % 2]) for i, mask in enumerate(masks)
        ]
        layer = getattr(n, name)(**({} if axis is None else {"axis": axis}))
        out = n.Dense(1)(layer(values))
        y = np.concatenate([STEPS] * (len(masks) if axis == 1 else 1), axis=1)
        return trained(k.Model([x, z], out), [WORDS, WORDS[::-1]], y)

    return case


def nested(k: Any) -> Any:
    """A model inside another one, through which the mask goes."""
    n, x = k.layers, k.Input((7,))
    inner_in = k.Input((7, 4))
    inner = k.Model(inner_in, n.Dense(3, "tanh")(n.LayerNormalization()(inner_in)))
    chain = k.Sequential([k.Input((7, 3)), n.Dense(2)])
    out = n.GlobalAveragePooling1D()(chain(inner(n.Embedding(11, 4, mask_zero=True)(x))))
    return trained(k.Model(x, n.Dense(1)(out)), WORDS, Y)


def attended(k: Any) -> Any:
    """Attention that brings its masks along."""
    n, x = k.layers, k.Input((7,))
    e = n.Embedding(11, 4, mask_zero=True)(x)
    out = n.Dense(1)(n.MultiHeadAttention(2, 3)(e, e))
    return trained(k.Model(x, out), WORDS, STEPS)


def reductions(k: Any) -> Any:
    """The sum and the weighted mean of a masked loss."""
    found = []
    for reduction in ("sum", "mean_with_sample_weight", "mean"):
        model = k.Sequential([k.Input((7, 4)), k.layers.Masking(), k.layers.Dense(1)])
        loss = k.losses.MeanSquaredError(reduction=reduction)
        found += [trained(model, SERIES, STEPS, loss, weight) for weight in (None, WEIGHT)]
    return found


def called(k: Any) -> Any:
    """Layers that are called on arrays."""
    n = k.layers
    table = np.arange(22, dtype=np.float32).reshape(11, 2)
    found = [
        n.Embedding(11, 2, weights=[table])(WORDS[:2]),
        n.Masking()(SERIES[:3]),
        n.GlobalAveragePooling1D()(SERIES[:3], mask=(WORDS[:3] > 0)),
        n.RepeatVector(3)(SERIES[:2, 0]),
        n.Permute((2, 1))(SERIES[:2]),
        n.SpatialDropout1D(0.5)(SERIES[:2]),
    ]
    return [y.detach() if hasattr(y, "detach") else y for y in found]


def supports(k: Any) -> Any:
    n = k.layers
    made = [n.Embedding(3, 2), n.Embedding(3, 2, mask_zero=True), n.Masking(), n.Dense(1), n.Conv1D(1, 1)]
    made += [n.GlobalAveragePooling1D(), n.Flatten(), n.Add(), n.Concatenate(), n.Dropout(0.5), n.ReLU()]
    made += [n.LayerNormalization(), n.BatchNormalization(), n.Reshape((1,)), n.Rescaling(2.0), n.Softmax()]
    made += [n.MaxPooling1D(), n.RepeatVector(2), n.SpatialDropout1D(0.5), n.TimeDistributed(n.Dense(1))]
    return [layer.supports_masking for layer in made]


CASES: dict[str, Case] = {
    f"sequences: {name}": case
    for name, case in {
        "embedding": words(lambda n: n.Flatten(), lambda n: n.Dense(1), zero=False),
        "masked mean": words(lambda n: n.GlobalAveragePooling1D(), lambda n: n.Dense(1)),
        "masked loss": words(lambda n: n.Dense(1), y=STEPS),
        "masked loss, weights": words(lambda n: n.Dense(1), y=STEPS, weight=WEIGHT),
        "masked LSTM": words(lambda n: n.LSTM(3), lambda n: n.Dense(1)),
        "masked GRU": words(lambda n: n.GRU(3, return_sequences=True), lambda n: n.Dense(1), y=STEPS),
        "masked attention": attended,
        "masked classes": words(
            lambda n: n.Dense(3, "softmax"),
            y=CLASSES,
            loss="sparse_categorical_crossentropy",
            of=("accuracy",),
        ),
        "masked classes, weights": words(
            lambda n: n.Dropout(0.0),
            lambda n: n.TimeDistributed(n.Dense(3, "softmax")),
            y=CLASSES,
            loss="sparse_categorical_crossentropy",
            of=("accuracy",),
            weight=WEIGHT,
        ),
        "masking": series(lambda n: n.Masking(), lambda n: n.Dense(1), y=STEPS),
        "masking of trained values": series(
            lambda n: n.Dense(3, "relu"), lambda n: n.Masking(), lambda n: n.Dense(1), y=STEPS
        ),
        "reductions": reductions,
        "nested models": nested,
        **{
            f"{name} of masks {masks}": merged(name, *masks)
            for name in ("Add", "Multiply", "Average", "Concatenate")
            for masks in ((True, True), (True, False), (False, True, True))
        },
        **{
            f"Concatenate of steps {m}": merged("Concatenate", *m, axis=1)
            for m in ((True, True), (True, False))
        },
        "called": called,
        "supports_masking": supports,
        "conv1d": series(lambda n: n.Conv1D(3, 3, activation="relu")),
        "conv1d causal": series(lambda n: n.Conv1D(4, 2, padding="causal", dilation_rate=2, groups=2)),
        "conv1d same": series(lambda n: n.Conv1D(3, 3, strides=2, padding="same", use_bias=False)),
        "conv1d and pooling": series(
            lambda n: n.Conv1D(3, 2, activation="relu"), lambda n: n.MaxPooling1D(2), lambda n: n.Dense(2)
        ),
        "max1d": series(lambda n: n.MaxPooling1D(3, 2, "same")),
        "average1d": series(lambda n: n.AveragePooling1D(2)),
        "global1d": series(lambda n: n.GlobalMaxPooling1D(keepdims=True), lambda n: n.Dense(2)),
        "global average1d": series(lambda n: n.GlobalAveragePooling1D(keepdims=True)),
        "repeat": series(lambda n: n.GlobalMaxPooling1D(), lambda n: n.Dense(3), lambda n: n.RepeatVector(4)),
        "permute": series(lambda n: n.Dense(3), lambda n: n.Permute((2, 1))),
        "time distributed": series(
            lambda n: n.Reshape((7, 2, 2, 1)),
            lambda n: n.TimeDistributed(n.Conv2D(3, 2, padding="same", activation="relu")),
            lambda n: n.TimeDistributed(n.MaxPooling2D(2)),
            lambda n: n.TimeDistributed(n.Flatten()),
        ),
    }.items()
}
