"""Attention against NumPy: values, masks and gradients; dropout; what calls refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import _core
from nncore.layers import Attention, Dense, Input, LayerNormalization, MultiHeadAttention

Array = np.ndarray[Any, Any]
T, S = 5, 7  # steps of query, and of value


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attended(weights: list[Array], query: Array, value: Array, key: Array, valid: Any = True) -> Array:
    """MultiHeadAttention; valid broadcasts to (n, heads, t, s)."""
    if len(weights) == 4:
        weights = [each for w in weights for each in (w, np.zeros(1))]
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    q, k = np.einsum("ntd,dhk->nhtk", query, wq), np.einsum("nsd,dhk->nhsk", key, wk)
    v = np.einsum("nsd,dhv->nhsv", value, wv)
    q, k, v = (x + b[:, None] if b.ndim == 2 else x for x, b in ((q, bq), (k, bk), (v, bv)))
    scores = np.einsum("nhtk,nhsk->nhts", q, k) / np.sqrt(wq.shape[-1])
    found = np.einsum("nhts,nhsv->nthv", softmax(np.where(valid, scores, -1e9)), v)
    return np.einsum("nthv,hvo->nto", found, wo) + bo


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"num_heads": 2, "key_dim": 3},
    "one head": {"num_heads": 1, "key_dim": 8, "use_bias": False},
    "all": {"num_heads": 3, "key_dim": 2, "value_dim": 5, "output_shape": 4},
    "wide": {"num_heads": 2, "key_dim": 40, "value_dim": 33, "output_shape": (70,)},
}


def made(settings: dict[str, Any], rng: np.random.Generator, *inputs: Array) -> MultiHeadAttention:
    layer = MultiHeadAttention(**settings)
    layer(*inputs)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5).astype(np.float32) for w in layer.weights])
    return layer


def some(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(size=(3, *shape)).astype(np.float32)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_values(isa: str, rng: np.random.Generator, settings: dict[str, Any]) -> None:
    query, value, key = some(rng, T, 6), some(rng, S, 4), some(rng, S, 8)
    layer = made(settings, rng, query, value, key)
    weights = [w.astype(np.float64) for w in layer.get_weights()]
    masks = {
        "attention_mask": rng.integers(2, size=(3, T, S)),
        "key_mask": rng.integers(2, size=(3, S)),
        "value_mask": rng.integers(2, size=(3, S)),
        "query_mask": rng.integers(2, size=(3, T)),
    }
    of_heads = rng.integers(2, size=(3, settings["num_heads"], T, S))
    valid = (masks["attention_mask"] * masks["query_mask"][..., None])[:, None]
    valid = valid * (masks["key_mask"] * masks["value_mask"])[:, None, None] * np.tril(np.ones((T, S)))
    for given, expected in (
        ({}, True),
        ({"use_causal_mask": True}, np.tril(np.ones((T, S), bool))),
        ({"attention_mask": of_heads}, of_heads != 0),
        ({**masks, "use_causal_mask": True}, valid != 0),
    ):
        found = layer(query, value, key, **given)
        np.testing.assert_allclose(
            found, attended(weights, query, value, key, expected), rtol=2e-5, atol=2e-5
        )
    assert layer.compute_output_shape([query.shape, value.shape, key.shape]) == found.shape


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_gradients(rng: np.random.Generator, settings: dict[str, Any]) -> None:
    """Of each weight and, by a bias before it, of each input, against differences of the twin in float64."""
    xs = [some(rng, T, 6), some(rng, S, 4), some(rng, S, 8)]
    mask = np.ones((3, S), np.float32)
    mask[1, 2:4] = mask[2, -1] = 0
    inputs = [Input(x.shape[1:]) for x in [*xs, mask]]
    layer = MultiHeadAttention(**settings)
    before = [Dense(x.shape[-1]) for x in xs]
    values = [dense(x) for dense, x in zip(before, inputs)]
    out = layer(*values, value_mask=inputs[3], use_causal_mask=True)
    model = nncore.Model(inputs, out)
    for dense in before:
        size = dense.units
        dense.set_weights([np.eye(size), rng.normal(size=size)])
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
    y = rng.normal(size=(3, *out.shape[1:])).astype(np.float32)
    model.compile("sgd", "mse")
    found: list[Array] = []
    model.gradients = lambda each: found.extend(g.astype(np.float64) for g in each)
    weights = [w.astype(np.float64) for w in model.get_weights()]
    names = [w.path for w in model.weights]
    loss_before = model.train_on_batch([*xs, mask], y)

    def loss(at: list[Array]) -> float:
        moved = [x @ at[2 * i] + at[2 * i + 1] for i, x in enumerate(xs)]
        valid = (mask[:, None, None] * np.tril(np.ones((T, S)))) != 0
        return float(np.mean((attended(at[6:], *moved, valid) - y) ** 2))

    order = [names.index(f"{dense.name}/{w}") for dense in before for w in ("kernel", "bias")]
    order += [i for i in range(len(names)) if i not in order]
    weights, found = [weights[i] for i in order], [found[i] for i in order]
    assert loss_before == pytest.approx(loss(weights), rel=1e-5)
    for number, weight in enumerate(weights):
        for at in rng.choice(weight.size, min(weight.size, 5), replace=False):
            moved = []
            for step in (1e-6, -1e-6):
                other = [w.copy() for w in weights]
                other[number].reshape(-1)[at] += step
                moved.append(loss(other))
            slope = (moved[0] - moved[1]) / 2e-6
            assert found[number].reshape(-1)[at] == pytest.approx(slope, rel=1e-3, abs=1e-5), (number, at)


def transformer(dropout: float = 0.0) -> nncore.Model:
    x = Input((12, 8))
    layer = MultiHeadAttention(2, 4, dropout=dropout)
    both = nncore.layers.Add()([x, layer(x, x, use_causal_mask=True)])
    normal = LayerNormalization()(both)
    ends = nncore.layers.Flatten()(Dense(4, "relu")(normal))
    return nncore.Model(x, Dense(2, "softmax")(ends))


def test_gradients_with_dropout_are_slopes(rng: np.random.Generator) -> None:
    """The way back has the weights that were dropped on the way forward."""
    model = transformer(0.4)
    model.compile("sgd", "mse")
    network = model._net.required_network()
    x, y = rng.normal(size=(9, 12, 8)).astype(np.float32), rng.normal(size=(9, 2)).astype(np.float32)
    network.gradients(x, y, None)
    gradient, flat = network.read("gradients").astype(float), network.read("parameters").astype(float)
    direction, losses = gradient / np.linalg.norm(gradient), []
    for sign in (1, -1):
        network.write("parameters", (flat + sign * 1e-3 * direction).astype(np.float32))
        losses.append(network.gradients(x, y, None))
    assert (losses[0] - losses[1]) / 2e-3 == pytest.approx(np.linalg.norm(gradient), rel=0.02)


def test_dropout_keeps_the_mean(rng: np.random.Generator) -> None:
    layer = Attention(dropout=0.5)
    query, value = np.zeros((1, 1, 2)), np.ones((1, 400, 2))
    found = layer([query, value], training=True)
    assert found.std() == 0.0
    assert found[0, 0, 0] == pytest.approx(1.0, abs=0.2)
    assert found[0, 0, 0] != 1.0
    np.testing.assert_allclose(layer([query, value]), 1.0, rtol=1e-6)


def test_masks_of_dot_attention(rng: np.random.Generator) -> None:
    query, value = some(rng, T, 4), some(rng, S, 4)
    masks = [rng.integers(2, size=(3, T)), rng.integers(2, size=(3, S))]
    scores = np.where(masks[1][:, None], np.einsum("ntd,nsd->nts", query, value), -1e9)
    expected = np.einsum("nts,nsd->ntd", softmax(scores), value)
    np.testing.assert_allclose(
        Attention()([query, value], mask=[None, masks[1]]), expected, rtol=1e-5, atol=1e-5
    )
    found = Attention()([query, value], mask=masks)
    np.testing.assert_allclose(found, expected * masks[0][..., None], rtol=1e-5, atol=1e-5)
    causal = np.where(np.tril(np.ones((T, S))), np.einsum("ntd,nsd->nts", query, value), -1e9)
    expected = np.einsum("nts,nsd->ntd", softmax(causal), value)
    np.testing.assert_allclose(
        Attention()([query, value], use_causal_mask=True), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.usefixtures("threads")
def test_a_small_transformer_learns_with_the_same_bits_for_any_number_of_threads() -> None:
    """Which half of a sequence has the larger first feature."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 12, 8)).astype(np.float32)
    y = (x[:, :6, 0].sum(1) > x[:, 6:, 0].sum(1)).astype(int)
    found = []
    for threads in (1, 2, 5):
        _core.set_num_threads(threads)
        nncore.utils.set_random_seed(1)
        model = transformer(0.1)
        model.compile(nncore.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, epochs=12, batch_size=32, verbose=0).history
        found.append([w.tobytes() for w in model.get_weights()])
    assert history["accuracy"][-1] > 0.85
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MultiHeadAttention(0, 2), "num_heads"),
        (lambda: MultiHeadAttention(2, 2, attention_axes=2), "attention_axes=2 is not available"),
        (lambda: MultiHeadAttention(2, 2, output_shape=(2, 3)), "output_shape of several axes"),
        (lambda: MultiHeadAttention(2, 2, use_gate=True), "use_gate"),
        (
            lambda: MultiHeadAttention(2, 2)(np.ones((1, 3, 2)), np.ones((1, 4, 2)), np.ones((1, 5, 2))),
            "as many",
        ),
        (lambda: MultiHeadAttention(2, 2)(np.ones((1, 3)), np.ones((1, 3))), r"of shape \(steps, features\)"),
        (
            lambda: MultiHeadAttention(2, 2)(
                np.ones((1, 3, 2)), np.ones((1, 3, 2)), attention_mask=np.ones((1, 3, 4))
            ),
            r"a mask of shape \(3, 3\), or \(2, 3, 3\) for the heads, got \(3, 4\)",
        ),
        (
            lambda: MultiHeadAttention(2, 2)(
                np.ones((1, 3, 2)), np.ones((1, 3, 2)), return_attention_scores=True
            ),
            "return_attention_scores",
        ),
        (lambda: Attention(use_scale=True), "use_scale"),
        (lambda: Attention(score_mode="concat"), "score_mode"),
        (lambda: Attention()([np.ones((1, 3, 2))]), "query, value"),
        (lambda: Attention()([np.ones((1, 3, 2))] * 2, mask=1), "list of two masks"),
        (lambda: Attention()([np.ones((1, 3, 2)), np.ones((1, 4, 3))]), "of one size"),
    ],
)
def test_mistakes(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
