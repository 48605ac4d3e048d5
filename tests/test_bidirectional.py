"""Bidirectional against its two layers alone: outputs, training, merge modes, files; masks hide steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore.layers import GRU, LSTM, Bidirectional, Dense, Flatten, Input, Layer, SimpleRNN

RNG = np.random.default_rng(6)
X = RNG.normal(size=(9, 5, 3)).astype(np.float32)
MERGES: dict[Any, Callable[[Any, Any], Any]] = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    None: lambda a, b: [a, b],
}


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
@pytest.mark.parametrize("merge_mode", MERGES)
def test_outputs_are_those_of_both(kind: Any, merge_mode: str | None, sequences: bool) -> None:
    layer = Bidirectional(kind(4, return_sequences=sequences, name="one"), merge_mode)
    found = layer(X)
    assert [layer.forward_layer.name, layer.backward_layer.name] == ["forward_one", "backward_one"]
    alone = []
    for back, part in ((False, layer.forward_layer), (True, layer.backward_layer)):
        other = kind(4, return_sequences=sequences, go_backwards=back)
        other.build(X.shape)
        other.set_weights(part.get_weights())
        y = other(X)
        alone.append(y[:, ::-1] if back and sequences else y)
    expected = MERGES[merge_mode](*alone)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6, atol=1e-6)
    shapes = layer.output_shape if merge_mode is None else [layer.output_shape]
    assert [shape[1:] for shape in shapes] == [
        y.shape[1:] for y in (expected if merge_mode is None else [expected])
    ]
    half = len(layer.weights) // 2
    assert [w.shape for w in layer.weights[:half]] == [w.shape for w in layer.weights[half:]]
    assert layer.get_weights()[0].tobytes() != layer.get_weights()[half].tobytes()


def model_of(*layers: Layer) -> nncore.Sequential:
    nncore.utils.set_random_seed(3)
    model = nncore.Sequential([Input((5, 3)), *layers, Flatten(), Dense(1)])
    model.compile(nncore.optimizers.Adam(0.01), "mse")
    return model


@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
def test_gradients_are_slopes(kind: Any) -> None:
    model = model_of(Bidirectional(kind(3, return_sequences=True)), Bidirectional(kind(2), "mul"))
    network = model._net.required_network()
    y = RNG.normal(size=(9, 1)).astype(np.float32)
    network.gradients(X, y, None)
    gradient, flat = network.read("gradients").astype(float), network.read("parameters").astype(float)
    direction, losses = gradient / np.linalg.norm(gradient), []
    for sign in (1, -1):
        network.write("parameters", (flat + sign * 2e-3 * direction).astype(np.float32))
        losses.append(network.gradients(X, y, None))
    assert (losses[0] - losses[1]) / 4e-3 == pytest.approx(np.linalg.norm(gradient), rel=0.02)


def test_masks_hide_steps() -> None:
    """With a mask, each sample gives what it gives without its hidden steps, and 0 at them."""
    mask = np.ones((9, 5), np.float32)
    mask[2, 3:] = mask[4, :2] = 0
    layer = Bidirectional(LSTM(4, return_sequences=True))
    x, given = Input((5, 3)), Input((5,))
    model = nncore.Model([x, given], layer(x, mask=given))
    found = model.predict([X, mask])
    for sample in range(9):
        seen = mask[sample] > 0
        np.testing.assert_allclose(found[sample, seen], layer(X[[sample]][:, seen])[0], rtol=1e-5, atol=1e-6)
        assert not found[sample, ~seen].any()
    model.compile("sgd", "mse")
    network, y = model._net.required_network(), np.ones((9, 5, 8), np.float32)
    network.gradients((X, mask), y, None)
    gradient, flat = network.read("gradients").astype(float), network.read("parameters").astype(float)
    direction, losses = gradient / np.linalg.norm(gradient), []
    for sign in (1, -1):
        network.write("parameters", (flat + sign * 2e-3 * direction).astype(np.float32))
        losses.append(network.gradients((X, mask), y, None))
    assert (losses[0] - losses[1]) / 4e-3 == pytest.approx(np.linalg.norm(gradient), rel=0.02)


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "file": lambda model, path: (model.save(path / "m"), nncore.models.load_model(path / "m"))[1],
    "keras": lambda model, path: (
        model.save(path / "m.keras"), nncore.models.load_model(path / "m.keras")
    )[1],
    "deepcopy": lambda model, path: copy.deepcopy(model),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_models_come_back(way: str, tmp_path: Path) -> None:
    if way == "keras":
        pytest.importorskip("h5py")
    backward = GRU(3, "relu", go_backwards=True, kernel_regularizer="l2")
    model = model_of(
        Bidirectional(LSTM(3, return_sequences=True, recurrent_initializer="he_normal"), "ave"),
        Bidirectional(SimpleRNN(3, bias_regularizer="l1"), "sum", backward_layer=backward),
    )
    y = np.ones((9, 1), np.float32)
    model.train_on_batch(X, y)
    found = WAYS[way](model, tmp_path)
    for a, b in zip(found.layers, model.layers, strict=True):
        assert a.get_config() == b.get_config()
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found.train_on_batch(X, y) == model.train_on_batch(X, y)


def test_keras_sets_that_hidden_steps_are_0() -> None:
    """Its files say so of the layers inside, where it is always so here."""
    text = model_of(Bidirectional(LSTM(3, return_sequences=True))).to_json()
    of_keras = text.replace('"unroll": false', '"unroll": false, "seed": 1, "zero_output_for_mask": true')
    assert of_keras.count("zero_output_for_mask") == 2
    assert nncore.models.model_from_json(of_keras).to_json() == text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bidirectional(Dense(3)), "expected an LSTM, GRU or SimpleRNN"),
        (lambda: Bidirectional(LSTM(3), "max"), "merge_mode"),
        (lambda: Bidirectional(LSTM(3), weights=[]), "weights"),
        (lambda: Bidirectional(LSTM(3), backward_layer=LSTM(3)), "differ in go_backwards"),
        (
            lambda: Bidirectional(LSTM(3), backward_layer=LSTM(3, return_sequences=True, go_backwards=True)),
            "same return_sequences",
        ),
        (lambda: Bidirectional(LSTM(3), None, activity_regularizer="l2"), "needs a merge_mode"),
    ],
)
def test_mistakes(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()
