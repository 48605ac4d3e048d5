"""Recurrent layers: masks, dropout, long sequences and refused arguments. Others: test_layers.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from op_cases import normal
from reference_layers import RECURRENT, Array, Spec, cell_of, dense, recurrence, recurrent, recurrent_masks
from reference_model import assert_close, of_layers

import nncore
from nncore import _core, layers, reference
from nncore.layers import GRU, LSTM, Bidirectional, Dense, Input, SimpleRNN

STEPS, INPUTS, UNITS, SAMPLES = 6, 4, 5, 37
VARIANTS: dict[str, Spec] = {
    f"{kind} {settings or ''}".strip(): recurrent(kind, UNITS, **settings)
    for kind in RECURRENT
    for settings in (
        {"return_sequences": True},
        {"go_backwards": True},
        {"return_sequences": True, "dropout": 0.25, "recurrent_dropout": 0.5},
        {"cell_activation": "silu", "return_sequences": True, "go_backwards": True},
    )
}
VARIANTS["gru early"] = recurrent("gru", UNITS, reset_after=False, return_sequences=True)
VARIANTS["gru early with dropout"] = recurrent("gru", UNITS, reset_after=False, recurrent_dropout=0.5)
variants = pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS)


def masked(spec: Spec, rng: np.random.Generator) -> tuple[_core.Network, list[Array]]:
    """A network of x and a mask, which the layer reads as Dense layers give it; and the layer's weights."""
    specs = [dense(INPUTS), dense(STEPS, use_bias=False), spec]
    net = _core.Network([(STEPS, INPUTS), (STEPS,)], specs, [(0, [0]), (1, [1]), (2, [2, 3])], [4])
    flat = net.read("parameters")
    for layer, name, at, shape in net.layout:
        size = int(np.prod(shape))
        same = layer < 2 and name == "kernel"
        flat[at : at + size] = np.eye(*shape).reshape(-1) if same else normal(rng, size, scale=0.5)
    net.write("parameters", flat)
    net.compile([("mean_squared_error", {})], [1.0], [()], [()], None, [True] * 3)
    return net, of_layers(net, 3, "parameters")


@variants
def test_masks(isa: str, spec: Spec, rng: np.random.Generator) -> None:
    """State and output stay in steps that are skipped, and all gradients go around them."""
    net, weights = masked(spec, rng)
    x, mask = normal(rng, SAMPLES, STEPS, INPUTS), (rng.random((SAMPLES, STEPS)) < 0.6).astype(np.float32)
    mask[:3] = [[0] * 6, [1] * 6, [0, 0, 1, 1, 0, 0]]
    given = x + weights[0][1]
    plain = recurrence(spec, weights[2])
    assert_close(net.forward((x, mask), False), plain.forward(given, mask)[0], 100)

    net.seed = 9
    layer = recurrence(spec, weights[2], recurrent_masks(spec, given.shape, 9, 0, 2))
    output, tape = layer.forward(given, mask)
    y = normal(rng, *output.shape)
    loss = net.gradients((x, mask), y, None)
    assert_close(loss, np.mean((output - y) ** 2), 100)
    dx, *expected = layer.backward(2 * (output - y) / y.size, given, tape)
    found = of_layers(net, 3, "gradients")
    for actual, gradient in zip(found[2], expected, strict=True):
        assert_close(actual, gradient, 1000)
    assert_close(found[0][1], dx.sum((0, 1)), 1000)
    assert not found[1][0].any()


@variants
@pytest.mark.usefixtures("threads")
def test_threads(spec: Spec) -> None:
    found = []
    for threads in (1, 2, 5):
        _core.set_num_threads(threads)
        rng = np.random.default_rng(2)
        net, _ = masked(spec, rng)
        x, mask = normal(rng, 500, STEPS, INPUTS), (rng.random((500, STEPS)) < 0.6).astype(np.float32)
        net.gradients((x, mask), normal(rng, *net.forward((x, mask), False).shape), None)
        found.append((net.read("gradients").tobytes(), net.forward((x, mask), False).tobytes()))
    assert found[1:] == found[:1] * 2


def test_the_chunk_does_not_matter(rng: np.random.Generator) -> None:
    """A sample is computed alone as it is among others, in training as at inference."""
    layer = LSTM(7, return_sequences=True)
    x = normal(rng, 70, STEPS, INPUTS)
    whole = layer(x)
    for n in (1, 2, 15, 33):
        np.testing.assert_array_equal(layer(x[:n]), whole[:n])
        np.testing.assert_array_equal(layer(x[:n], training=True), whole[:n])


@pytest.mark.parametrize("kind", RECURRENT)
def test_sums_over_many_steps(kind: str, rng: np.random.Generator) -> None:
    """Over 4,096 records the gradients are summed in runs."""
    spec = recurrent(kind, 3, return_sequences=True)
    gates = cell_of(spec).gates
    shapes = [(2, 3 * gates), (3, 3 * gates), (2, 3 * gates) if kind == "gru" else (3 * gates,)]
    parameters = [normal(rng, *shape, scale=0.5) for shape in shapes]
    x, dy = normal(rng, 9, 1000, 2), normal(rng, 9, 1000, 3)
    dx, gradients = _core.backward(spec, dy, x, parameters)
    layer = recurrence(spec, [p.astype(float) for p in parameters])
    expected_dx, *expected = layer.backward(dy.astype(float), x.astype(float), layer.forward(x)[1])
    assert_close(dx, expected_dx, 100)
    for actual, gradient in zip(gradients, expected, strict=True):
        assert_close(actual, gradient, 100, scale=100.0)


def test_forgetting_starts_late() -> None:
    layer = LSTM(3)
    layer.build((None, 4, 2))
    assert layer.get_weights()[2].tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6
    for given in ({"unit_forget_bias": False}, {"bias_initializer": "ones", "unit_forget_bias": True}):
        layer = LSTM(3, **given)  # type: ignore[arg-type]
        layer.build((None, 4, 2))
        assert layer.get_weights()[2].tolist() == [float("bias_initializer" in given)] * 12


def test_recurrent_kernels_are_orthogonal() -> None:
    for layer in (LSTM(4), GRU(4), SimpleRNN(4)):
        layer.build((None, 5, 3))
        kernel = layer.recurrent_kernel.numpy()
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-6)


def test_weights_have_their_regularizers_and_constraints() -> None:
    layer = GRU(3, recurrent_regularizer="l2", recurrent_constraint="non_neg", kernel_regularizer="l1")
    model = nncore.Sequential([Input((4, 2)), layer])
    model.compile("sgd", "mse")
    kernel, recurrent_kernel, bias = layer.weights
    assert recurrent_kernel.regularizer is layer.recurrent_regularizer
    assert recurrent_kernel.constraint is layer.recurrent_constraint
    assert kernel.regularizer is layer.kernel_regularizer
    assert bias.regularizer is None
    model.fit(np.ones((8, 4, 2)), np.ones((8, 3)), verbose=0)
    assert (layer.recurrent_kernel.numpy() >= 0).all()


def test_dropout_has_one_mask_for_all_steps() -> None:
    layer = SimpleRNN(8, "linear", use_bias=False, dropout=0.5, return_sequences=True)
    layer.build((None, 5, 8))
    layer.set_weights([np.eye(8), np.zeros((8, 8))])
    x = np.ones((50, 5, 8))
    np.testing.assert_array_equal(layer(x), x)
    y = layer(x, training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y == y[:, :1]).all()
    assert 0.4 < y.mean() / 2 < 0.6
    assert not (layer(x, training=True) == y).all()


def test_any_number_of_steps(rng: np.random.Generator) -> None:
    model = nncore.Sequential([Input((None, 3)), GRU(4, return_sequences=True), LSTM(5), Dense(1)])
    assert model.output_shape == (None, 1)
    assert model.layers[0].output_shape == (None, None, 4)
    for steps in (1, 4, 9):
        x = normal(rng, 5, steps, 3)
        first, second = (layer.get_weights() for layer in model.layers[:2])
        expected = reference.lstm(reference.gru(x, *first, return_sequences=True), *second)
        np.testing.assert_allclose(model.layers[1](model.layers[0](x)), expected, rtol=1e-4, atol=1e-6)
        assert model.predict(x).shape == (5, 1)


def made(kind: str, both: bool, **settings: Any) -> Any:
    cls, early = getattr(layers, kind.partition(" ")[0]), {"reset_after": False} if "early" in kind else {}
    layer = cls(UNITS, return_state=True, name="own", **settings, **early)
    return Bidirectional(layer, name="own") if both else layer


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU", "GRU early"])
def test_states_carry_a_sequence_on(isa: str, kind: str, sequences: bool, rng: np.random.Generator) -> None:
    """Two calls, the second with the state after the first, are one call: outputs, states and gradients."""
    layer = made(kind, False, return_sequences=sequences)
    ends = [Input((2, INPUTS)), Input((4, INPUTS)), Input((6, INPUTS))]
    first, *state = layer(ends[0])
    second, *after = layer(ends[1], initial_state=state)
    whole, *last = layer(ends[2])
    outputs = layers.Concatenate(axis=1)([first, second]) if sequences else second
    parts, alone = nncore.Model(ends[:2], [outputs, *after]), nncore.Model(ends[2], [whole, *last])
    x = normal(rng, SAMPLES, STEPS, INPUTS)
    halves, targets = [x[:, :2], x[:, 2:]], [normal(rng, *y.shape) for y in alone.predict(x, verbose=0)]
    for one, other in zip(parts.predict(halves, verbose=0), alone.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(one, other)
    before = layer.get_weights()
    found = []
    for model, given in ((alone, x), (parts, halves)):
        layer.set_weights(before)
        model.compile("sgd", ["mse"] * len(targets))
        model.train_on_batch(given, targets)
        found.append(layer.get_weights())
    for one, other in zip(*found, strict=True):
        assert_close(one, other, 100)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU", "GRU early"])
def test_states_with_masks_on_arrays_and_in_files(
    kind: str, both: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    layer = made(kind, both)
    x, mask = normal(rng, 3, STEPS, INPUTS), np.array([[1, 1, 0, 0, 0, 0], [1] * 6, [0] * 6])
    count = len(layer(x)) - 1
    state = [normal(rng, 3, UNITS) for _ in range(count)]
    y, *after = layer(x, state, mask)
    alone = [layer(x[i : i + 1, : mask[i].sum()], [part[i : i + 1] for part in state]) for i in range(2)]
    for i, outputs in enumerate(alone):
        for one, other in zip([y, *after], outputs, strict=True):
            np.testing.assert_allclose(one[i : i + 1], other, rtol=1e-5, atol=1e-6)
    for one, other in zip(after, state, strict=True):
        np.testing.assert_array_equal(one[2], other[2])
    ends = [Input((STEPS, INPUTS)), *(Input((UNITS,)) for _ in state)]
    model = nncore.Model(ends, layer(ends[0], initial_state=ends[1:]))
    expected = model.predict([x, *state], verbose=0)
    for name in ("m.safetensors", "m.keras"):
        model.save(tmp_path / name)
        loaded = nncore.models.load_model(tmp_path / name)
        for one, other in zip(loaded.predict([x, *state], verbose=0), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_wrong_states_are_refused() -> None:
    x, h = np.ones((2, 3, 4)), np.ones((2, 5))
    with pytest.raises(
        ValueError, match=r"\[own\] initial_state must be a list of 2 arrays or values \(n, 5\)"
    ):
        LSTM(5, name="own")(x, initial_state=h)
    with pytest.raises(
        ValueError, match=r"\[own\] initial_state must be one array or value \(n, 5\), got \["
    ):
        GRU(5, name="own")(x, [h, h])
    with pytest.raises(ValueError, match=r"a list of 4 arrays or values \(n, 5\)"):
        Bidirectional(LSTM(5))(x, [h, h])
    with pytest.raises(ValueError, match=r"a state of shape \(1, 5\), each at most once, got \(1, 6\)"):
        GRU(5)(x, np.ones((2, 6)))
    with pytest.raises(ValueError, match="must have the same return_state"):
        Bidirectional(LSTM(5), backward_layer=LSTM(5, go_backwards=True, return_state=True))
    with pytest.raises(ValueError, match="the item 'own' has 3 outputs: in a Sequential each item has one"):
        nncore.Sequential([Input((3, 4)), LSTM(5, return_state=True, name="own")])


@pytest.mark.parametrize("cls", [LSTM, GRU, SimpleRNN])
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"units": 0}, ValueError, "units must be"),
        ({"units": 2.5}, TypeError, "units must be"),
        ({"dropout": 1.0}, ValueError, r"dropout must be in \[0, 1\), got 1"),
        ({"recurrent_dropout": -0.1}, ValueError, r"recurrent_dropout must be in \[0, 1\)"),
        (
            {"stateful": True},
            ValueError,
            "not available yet: return_state=True gives the state, which initial",
        ),
        ({"return_state": 1}, TypeError, "return_state"),
        ({"seed": 3}, ValueError, "seed"),
        ({"return_sequences": 1}, TypeError, "return_sequences"),
        ({"activation": "nothing"}, ValueError, "nothing"),
        ({"recurrent_initializer": None}, TypeError, "recurrent_initializer"),
    ],
)
def test_refused_arguments(cls: Any, given: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cls(**{"units": 3, **given})


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_refused_shapes(kind: str) -> None:
    layer = getattr(layers, kind)(3, name="own")
    for shape in ((4, 5), (4, 5, 6, 7)):
        with pytest.raises(ValueError, match=r"\[own\] expected samples of shape \(steps, features\)"):
            layer(np.ones(shape))
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        layer(np.ones((4, 0, 3)))
    with pytest.raises(ValueError, match="the size of its weights is open"):
        nncore.Sequential([Input((3, None)), layer])
    with pytest.raises(ValueError, match="expected a mask of shape"):
        _core.infer(layer.spec(), [(4, 3), (5,)])
