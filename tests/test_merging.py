"""Layers of several inputs against NumPy: values, and gradients by differences; shapes broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nncore import Model, _core, layers
from nncore.layers import Dense, Input, Layer
from nncore.layers.merging import Merge

Arrays = list[np.ndarray[Any, Any]]

SAME = [(3, 4), (3, 4)]
FUNCTIONS: dict[str, Callable[[Arrays], Any]] = {
    "Add": lambda xs: sum(xs[1:], xs[0]),
    "Subtract": lambda xs: xs[0] - xs[1],
    "Multiply": lambda xs: np.prod(np.broadcast_arrays(*xs), axis=0),
    "Average": lambda xs: sum(xs[1:], xs[0]) / len(xs),
    "Maximum": lambda xs: np.max(np.broadcast_arrays(*xs), axis=0),
    "Minimum": lambda xs: np.min(np.broadcast_arrays(*xs), axis=0),
}
SHAPES = {
    "of one shape": SAME,
    "large": [(40, 30), (40, 30)],
    "size of 1": [(3, 1), (1, 4)],
    "fewer axes": [(3, 4), (4,)],
    "axes in front": [(4,), (2, 3, 4)],
    "three": [(3, 4), (1, 4), (3, 1)],
    "four of one shape": [(5,)] * 4,
}


def attention(xs: Arrays) -> Any:
    q, v, k = xs[0], xs[1], xs[-1]
    scores = np.einsum("ntd,nsd->nts", q, k)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("nts,nsd->ntd", weights / weights.sum(-1, keepdims=True), v)


CASES: list[tuple[str, Layer, list[tuple[int, ...]], Callable[[Arrays], Any]]] = [
    *(
        (f"{name}, {shapes}", getattr(layers, name)(), SHAPES[shapes], function)
        for name, function in FUNCTIONS.items()
        for shapes in SHAPES
        if name != "Subtract" or len(SHAPES[shapes]) == 2
    ),
    ("Concatenate", layers.Concatenate(), [(3, 4), (3, 2)], lambda xs: np.concatenate(xs, -1)),
    ("Concatenate, axis 1", layers.Concatenate(1), [(3, 4), (1, 4)], lambda xs: np.concatenate(xs, 1)),
    ("Concatenate, axis -2", layers.Concatenate(-2), [(3, 4), (1, 4)], lambda xs: np.concatenate(xs, -2)),
    ("Dot of vectors", layers.Dot(1), [(6,), (6,)], lambda xs: np.einsum("nk,nk->n", *xs)[:, None]),
    ("Dot of matrices", layers.Dot((2, 1)), [(3, 4), (4, 5)], lambda xs: np.einsum("nik,nkj->nij", *xs)),
    ("Dot of first axes", layers.Dot(1), [(4, 2), (4, 3)], lambda xs: np.einsum("nki,nkj->nij", *xs)),
    (
        "Dot of last axes",
        layers.Dot(-1),
        [(2, 4), (4,)],
        lambda xs: np.einsum("nik,nk->ni", xs[0], xs[1].reshape(-1, 4)),
    ),
    ("Attention", layers.Attention(), [(3, 4), (5, 4)], attention),
    ("Attention, with a key", layers.Attention(), [(5, 4), (70, 3), (70, 4)], attention),
]
cases = pytest.mark.parametrize(
    ("layer", "shapes", "function"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)


def test_every_layer_has_a_case() -> None:
    merges = {name for name in layers.CLASSES if issubclass(layers.CLASSES[name], Merge)}
    assert merges == {type(case[1]).__name__ for case in CASES}


@cases
def test_values(layer: Layer, shapes: list[tuple[int, ...]], function: Any, rng: np.random.Generator) -> None:
    for samples in (1, 7):
        xs = [rng.normal(size=(samples, *shape)).astype(np.float32) for shape in shapes]
        expected = function(aligned(xs))
        found = layer(xs)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert layer.compute_output_shape([x.shape for x in xs]) == expected.shape


def aligned(xs: Arrays) -> Arrays:
    """The arrays with axes of size 1 after the batch axis, so that NumPy broadcasts within samples."""
    axes = max(x.ndim for x in xs)
    return [x.reshape(len(x), *(1,) * (axes - x.ndim), *x.shape[1:]) for x in xs]


@cases
def test_gradients(
    layer: Layer, shapes: list[tuple[int, ...]], function: Any, rng: np.random.Generator
) -> None:
    """Each input is a Dense layer's output, whose bias gets its gradient, summed up to the last axis."""
    samples, xs = 3, [rng.normal(size=(3, *shape)).astype(np.float32) for shape in shapes]
    inputs = [Input(shape) for shape in shapes]
    net = Model(inputs, layer([Dense(x.shape[-1])(x) for x in inputs]))._net
    network, flat_layers = net.required_network(), net.as_built().flat.layers
    flat = network.read("parameters")
    for _, name, at, sizes in network.layout:
        values = np.eye(sizes[0]) if name == "kernel" else rng.normal(size=sizes)
        flat[at : at + values.size] = values.reshape(-1)
    network.write("parameters", flat)
    biases = [(at, sizes[0]) for _, name, at, sizes in network.layout if name == "bias"]
    shape = network.output_shapes(list(shapes))[0]
    y = rng.normal(size=(samples, *shape)).astype(np.float32)
    network.compile([("mean_squared_error", {})], [1.0], [()], [()], None, [True] * len(flat_layers))

    def loss(parameters: Any) -> float:
        moved = [x + parameters[at : at + n] for x, (at, n) in zip(xs, biases)]
        return float(np.mean((function(aligned([m.astype(np.float64) for m in moved])) - y) ** 2))

    assert network.gradients(tuple(xs), y, None) == pytest.approx(loss(flat.astype(np.float64)), rel=1e-4)
    found = network.read("gradients")
    for at, count in biases:
        for i in range(at, at + min(count, 6)):
            step = np.zeros_like(flat, np.float64)
            step[i] = 1e-6
            slope = (loss(flat + step) - loss(flat - step)) / 2e-6
            assert found[i] == pytest.approx(slope, rel=2e-3, abs=2e-5)


def test_equal_inputs_share_the_gradient() -> None:
    for kind in ("maximum", "minimum"):
        spec = Dense(2).spec()
        calls = [(0, [0]), (1, [0]), (2, [1, 2])]
        network = _core.Network([(2,)], [spec, spec, (kind, {})], calls, [3])
        network.compile([("mean_squared_error", {})], [1.0], [()], [()], None, [True] * 3)
        network.gradients(np.ones((1, 2), np.float32), np.full((1, 2), -1.0, np.float32), None)
        gradients = network.read("gradients")
        biases = [gradients[at : at + 2] for _, name, at, _ in network.layout if name == "bias"]
        np.testing.assert_allclose(biases, [[0.5, 0.5], [0.5, 0.5]])


def test_nan_wins() -> None:
    nan, one = np.full((1, 1), np.nan), np.ones((1, 1))
    for merge in (layers.Maximum(), layers.Minimum()):
        assert np.isnan(merge([nan, one])).all()
        assert np.isnan(merge([one, nan])).all()


@pytest.mark.parametrize("name", sorted({name for name in layers.CLASSES if name.lower() in layers.__all__}))
def test_functions_are_the_layers(name: str) -> None:
    a, b = np.ones((2, 3)), np.full((2, 3), 2.0)
    arguments = {"axes": 1} if name == "Dot" else {}
    made = getattr(layers, name)(**arguments)([a, b])
    np.testing.assert_array_equal(getattr(layers, name.lower())([a, b], **arguments), made)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Subtract()([np.ones((1, 2))] * 3), r"takes 2 inputs, got 3"),
        (
            lambda: layers.Add()([np.ones((1, 2)), np.ones((1, 3))]),
            r"one shape, or with sizes of 1, got \(2,\)",
        ),
        (lambda: layers.Dot(1)([np.ones((1, 2)), np.ones((1, 3))]), r"axes of one size, got 2 and 3"),
        (lambda: layers.Dot(3)([np.ones((1, 2)), np.ones((1, 2))]), r"no axis 2 in samples of shape \(2,\)"),
        (lambda: layers.Dot((1, 2, 3)), r"axes must be an integer or a pair"),
        (lambda: layers.Dot(1, normalize=True), r"normalize=True is not available yet"),
        (lambda: layers.Dot(0), r"axes=0 is the batch axis"),
        (lambda: layers.Dot(1)([np.ones((1, 2))] * 3), r"takes two inputs"),
    ],
)
def test_mistakes(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
