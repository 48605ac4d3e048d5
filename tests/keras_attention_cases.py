"""Cases of layers of parts for keras_cases.py: separable convolutions, attention, Bidirectional."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras_graph_cases import Case, set_weights
from keras_normalization_cases import IMAGES

QUERY = np.sin(np.arange(3 * 5 * 6, dtype=np.float32)).reshape(3, 5, 6)
VALUE = np.cos(np.arange(3 * 7 * 4, dtype=np.float32)).reshape(3, 7, 4)
KEY = np.sin(np.arange(3 * 7 * 8, dtype=np.float32) * 2).reshape(3, 7, 8)
MASK = (np.arange(3 * 5 * 7).reshape(3, 5, 7) % 3 > 0).astype(np.float32)


def separable(k: Any) -> Any:
    """Weights, and steps of a small CNN with penalties and a constraint."""
    n = k.layers
    layers = [
        n.DepthwiseConv2D(
            3, depth_multiplier=2, activation="relu", depthwise_regularizer="l2", bias_constraint="max_norm",
            name="a",
        ),
        n.SeparableConv2D(
            5, (2, 3), depth_multiplier=2, padding="same", activation="tanh", depthwise_regularizer="l1",
            pointwise_regularizer="l2", depthwise_constraint=k.constraints.MaxNorm(0.7, axis=[0, 1]),
            activity_regularizer="l2", name="b",
        ),
        n.SeparableConv2D(4, 2, strides=2, use_bias=False, name="c"),
        n.DepthwiseConv2D(2, dilation_rate=2, use_bias=False, trainable=False, name="d"),
    ]  # fmt: skip
    model = set_weights(k.Sequential([k.Input((9, 8, 4)), *layers, n.GlobalAveragePooling2D()]))
    model.compile(k.optimizers.Adam(0.01), "mse")
    weights = [[w.name, w.shape] for w in model.weights]
    outputs = [model.predict(IMAGES, verbose=0)]
    losses = [model.train_on_batch(IMAGES, IMAGES[:, 0, 0]) for _ in range(5)]
    trained = [len(layer.trainable_weights) for layer in model.layers]
    return [weights, outputs, losses, trained, model.get_weights(), model.count_params()]


def attending(masked: bool, **settings: Any) -> Case:
    """Weights, outputs and steps of a model of one layer, which is called on values."""

    def case(k: Any) -> Any:
        xs = [k.Input(x.shape[1:]) for x in (QUERY, VALUE, KEY, MASK)]
        layer = k.layers.MultiHeadAttention(**settings)
        given = {"attention_mask": xs[3], "use_causal_mask": True} if masked else {}
        used = xs if masked else xs[:3]
        model = set_weights(k.Model(used, layer(*xs[:3], **given)))
        data = [QUERY, VALUE, KEY, MASK][: len(used)]
        model.compile("sgd", "mse")
        found = [[[w.name, w.shape] for w in model.weights], model.output_shape]
        found.append(model.predict(data, verbose=0))
        target = np.zeros((3, *model.output_shape[1:]), np.float32)
        found.append([model.train_on_batch(data, target) for _ in range(5)])
        return [*found, model.get_weights()]

    return case


def dot_attention(k: Any) -> Any:
    layer, xs = k.layers.Attention(), [QUERY, np.tanh(VALUE), VALUE[..., ::-1].copy()]
    mask = [MASK[:, :, 0] > 0, MASK[:, 0] > 0]
    xs[0] = QUERY[..., :4].copy()
    calls = [layer(xs[:2]), layer(xs), layer(xs, use_causal_mask=True), layer(xs[:2], mask=mask)]
    return [np.asarray(y) for y in calls]


def bidirectional(merge_mode: Any) -> Case:
    """Weights, outputs and steps of two layers, the first with all steps."""

    def case(k: Any) -> Any:
        n, x = k.layers, k.Input((7, 4))
        both = n.Bidirectional(n.LSTM(3, return_sequences=True, name="long"), merge_mode, name="both")(x)
        both = n.Concatenate()(both) if merge_mode is None else both
        back = n.GRU(2, "relu", go_backwards=True, recurrent_regularizer="l2")
        last = n.Bidirectional(n.SimpleRNN(2), backward_layer=back, activity_regularizer="l2")(both)
        model = set_weights(k.Model(x, n.Dense(2)(last)))
        model.compile("sgd", "mse")
        found = [[w.shape for w in model.weights], k.Model(x, both).predict(VALUE, verbose=0)]
        found.append([model.train_on_batch(VALUE, VALUE[:, 0, :2]) for _ in range(5)])
        layers = [k.Model(x, both).get_layer("both").forward_layer, model.get_layer("both").backward_layer]
        return [*found, [layer.name for layer in layers], model.get_weights()]

    return case


CASES: dict[str, Case] = {
    **{f"bidirectional, {mode}": bidirectional(mode) for mode in ("concat", "sum", "mul", "ave", None)},
    "separable convolutions": separable,
    "attention": attending(False, num_heads=2, key_dim=3),
    "attention, masked": attending(True, num_heads=3, key_dim=2, value_dim=4, output_shape=5),
    "attention without bias": attending(
        False, num_heads=1, key_dim=3, use_bias=False, kernel_regularizer="l2", activity_regularizer="l2"
    ),
    "attention by dot products": dot_attention,
}
