"""Graphs of values in the core: drawn ones against NumPy, several outputs, shared layers, changing shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import normal
from reference_layers import Array, Spec, batch_normalization, conv2d, dense, layer_backward, layer_forward
from reference_model import assert_close, of_layers

from nncore import _core

Calls = list[tuple[int, list[int]]]
MSE: Spec = ("mean_squared_error", {})
WIDTH, SAMPLES = 5, 7


class ReferenceGraph:
    """Values and gradients of a graph in NumPy."""

    def __init__(self, layers: list[Spec], calls: Calls, parameters: list[list[Array]]) -> None:
        self.layers, self.calls, self.parameters = layers, calls, parameters

    def forward(self, inputs: list[Array], training: bool) -> list[Array]:
        values = [np.asarray(x, np.float64) for x in inputs]
        for layer, numbers in self.calls:
            spec, xs = self.layers[layer], [values[n] for n in numbers]
            if spec[0] == "add":
                values.append(np.sum(xs, axis=0))
            elif spec[0] == "multiply":
                values.append(np.prod(xs, axis=0))
            elif spec[0] == "concatenate":
                values.append(np.concatenate(xs, axis=1 + spec[1]["axis"]))
            else:
                values.append(layer_forward(spec, xs[0], self.parameters[layer], training or None))
        return values

    def gradients(self, values: list[Array], slopes: dict[int, Array], inputs: int) -> list[list[Array]]:
        """Gradients of inputs and parameters. slopes: those of the loss by each output, by number."""
        d = [slopes.get(n, np.zeros_like(value)) for n, value in enumerate(values)]
        sums = [[np.zeros_like(p) for p in parameters] for parameters in self.parameters]
        for at in reversed(range(len(self.calls))):
            (layer, numbers), dy = self.calls[at], d[inputs + at]
            spec = self.layers[layer]
            if spec[0] == "add":
                back = [dy] * len(numbers)
            elif spec[0] == "multiply":
                xs = [values[n] for n in numbers]
                back = [
                    dy * np.prod([*xs[:i], *xs[i + 1 :], np.ones_like(dy)], axis=0) for i in range(len(xs))
                ]
            elif spec[0] == "concatenate":
                axis = 1 + spec[1]["axis"]
                ends = np.cumsum([values[n].shape[axis] for n in numbers])
                back = np.split(dy, ends[:-1], axis=axis)
            else:
                dx, gradients = layer_backward(spec, dy, values[numbers[0]], self.parameters[layer])
                back = [dx]
                sums[layer] = [a + b for a, b in zip(sums[layer], gradients)]
            for n, dx in zip(numbers, back):
                d[n] = d[n] + dx
        return sums


def filled(network: _core.Network, rng: np.random.Generator) -> _core.Network:
    flat = normal(rng, len(network.read("parameters"))) * np.float32(0.4)
    for _, name, at, shape in network.layout:
        if name in ("gamma", "moving_variance"):
            flat[at : at + shape[0]] = np.abs(flat[at : at + shape[0]]) + 0.5
    network.write("parameters", flat)
    return network


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[Spec], Calls, list[int]]:
    """Inputs of WIDTH features, and calls of a few layers, each on values made before."""
    inputs = draw(st.integers(1, 3))
    layers: list[Spec] = [
        dense(WIDTH, "tanh"),
        dense(WIDTH),
        ("activation", {"activation": "relu"}),
        ("add", {}),
        ("multiply", {}),
        ("concatenate", {"axis": 0}),
        ("flatten", {}),
        ("dropout", {"rate": 0.0}),
        ("activation", {"activation": "linear"}),
        batch_normalization(epsilon=0.1),
        batch_normalization(epsilon=0.1, scale=False),
    ]
    calls: Calls = []
    widths = [WIDTH] * inputs
    for _ in range(draw(st.integers(1, 10))):
        layer = draw(st.integers(0, len(layers) - 1))
        kind = layers[layer][0]
        fitting = [
            n for n, width in enumerate(widths) if width == WIDTH or kind in ("concatenate", "flatten")
        ]
        count = draw(st.integers(1, 4)) if kind in ("add", "multiply", "concatenate") else 1
        numbers = [draw(st.sampled_from(fitting)) for _ in range(count)]
        calls.append((layer, numbers))
        width = sum(widths[n] for n in numbers) if kind == "concatenate" else widths[numbers[0]]
        widths.append(width)
    outputs = draw(st.lists(st.integers(inputs, len(widths) - 1), min_size=1, max_size=3))
    return inputs, layers, calls, outputs


@given(graphs(), st.booleans(), st.integers(0, 2**32 - 1))
@pytest.mark.usefixtures("threads")
def test_drawn_graphs_have_the_values_and_gradients_of_numpy(
    graph: tuple[int, list[Spec], Calls, list[int]], fuse: bool, seed: int
) -> None:
    inputs, layers, calls, outputs = graph
    rng = np.random.default_rng(seed)
    network = filled(_core.Network([(WIDTH,)] * inputs, layers, calls, outputs, fuse), rng)
    reference = ReferenceGraph(layers, calls, of_layers(network, len(layers), "parameters"))
    xs = [normal(rng, SAMPLES, WIDTH) for _ in range(inputs)]
    values, at_inference = reference.forward(xs, True), reference.forward(xs, False)
    ys = [normal(rng, *values[n].shape) for n in outputs]
    weights = [1.0, 0.5, 2.0][: len(outputs)]
    slopes: dict[int, Array] = {}
    for n, y, weight in zip(outputs, ys, weights):
        slopes[n] = slopes.get(n, 0.0) + weight * 2.0 * (values[n] - y) / y.size
    expected = reference.gradients(values, slopes, inputs)
    losses = [weight * np.mean((values[n] - y) ** 2) for n, y, weight in zip(outputs, ys, weights)]

    network.compile(
        [MSE] * len(outputs), weights, [()] * len(outputs), [()] * len(outputs), None, [True] * len(layers)
    )
    bits = set()
    for count in (1, 3):
        _core.set_num_threads(count)
        loss = network.gradients(tuple(xs), tuple(ys), None)
        assert_close(loss, sum(losses), 64, name="loss")
        predicted = network.forward(tuple(xs), False)
        for n, y in zip(outputs, predicted if len(outputs) > 1 else [predicted]):
            assert_close(y, at_inference[n], 64, scale=1.0, name="output")
        found = of_layers(network, len(layers), "gradients")
        for layer, (actual, wanted) in enumerate(zip(found, expected)):
            for a, b in zip(actual, wanted):
                assert_close(a, b, 256, scale=1.0, name=f"gradients of layer {layer}")
        bits.add(network.read("gradients").tobytes())
    assert len(bits) == 1


# A convolution that is called twice, and what makes two numbers of its output.
TWICE: list[Spec] = [
    conv2d(3, 3, padding="same", activation="relu"),
    ("global_average_pooling2d", {"keepdims": False}),
    dense(2),
]
TWICE_CALLS: Calls = [(0, [0]), (0, [1]), (1, [2]), (2, [3])]


def twice(shape: tuple[int | None, ...], fuse: bool) -> _core.Network:
    """A compiled network for images of this shape."""
    variables = [_core.Variables(spec, [sample]) for spec, sample in zip(TWICE, [(6, 5, 3), (6, 5, 3), (3,)])]
    network = _core.Network([shape], TWICE, TWICE_CALLS, [4], fuse, variables)
    network.compile([MSE], [1.0], [()], [()], ("sgd", {"learning_rate": 0.1}), [True] * 3)
    return network


@pytest.mark.parametrize("fuse", [True, False])
def test_images_of_changing_size(rng: np.random.Generator, fuse: bool) -> None:
    network = filled(twice((None, None, 3), fuse), rng)
    y = normal(rng, 4, 2)
    for size in [(6, 5), (9, 4), (6, 5), (12, 12), (9, 4)]:
        x = normal(rng, 4, *size, 3)
        alone = twice((*size, 3), fuse)  # trained by this step alone
        alone.write("parameters", network.read("parameters"))
        for net in (network, alone):
            net.train(x, y, None, None, 0, 4, 4, 1.0, _core.Sums())
        assert alone.read("parameters").tobytes() == network.read("parameters").tobytes()
        assert alone.forward(x, False).tobytes() == network.forward(x, False).tobytes()
    with pytest.raises(ValueError, match=r"expected samples of shape \(None, None, 3\), got \(4, 4, 2\)"):
        network.forward(np.zeros((1, 4, 4, 2), np.float32), False)


@pytest.mark.parametrize(
    ("calls", "outputs", "message"),
    [
        ([(0, [1])], [1], "calls that read values made before them"),
        ([(1, [0])], [1], "layers that its calls name"),
        ([(0, [])], [1], "calls of 1 input or more"),
        ([(0, [0])], [2], "outputs that are values"),
        ([(0, [0, 0])], [1], r"\[dense\] takes one input, got 2"),
    ],
)
def test_wrong_graphs_are_refused(calls: Any, outputs: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _core.Network([(2,)], [dense(2)], calls, outputs)


@pytest.mark.parametrize("kind", ["add", "maximum", "concatenate", "dot", "dense"])
def test_layers_of_no_inputs_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"\[{kind}\] takes one input or more, got none"):
        _core.infer((kind, {}), [])


def test_wrong_shapes_of_merged_values_are_refused() -> None:
    for spec in (("add", {}), ("concatenate", {"axis": 0})):
        with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
            _core.infer(spec, [(2, 3), (2, 4)])
    with pytest.raises(ValueError, match="there is no axis 2"):
        _core.infer(("concatenate", {"axis": 2}), [(2, 3)])
    assert _core.infer(("concatenate", {"axis": 1}), [(2, 3), (2, 4)])[0] == (2, 7)
