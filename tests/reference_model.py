"""A stack of layers in NumPy, with penalties; its compiled twin; and the tolerance for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from penalty_cases import CONSTRAINTS, REGULARIZERS, fits, takes_activities
from reference_images import RANDOM, key_of
from reference_layers import (
    RECURRENT,
    Array,
    Spec,
    layer_backward,
    layer_forward,
    loss_call,
    loss_spec,
    recurrent_masks,
)

from nncore import _core, reference

# ---- penalties


@dataclass
class Penalties:
    """Regularizers of outputs, and regularizers and constraints of weights, by layer and parameter."""

    activities: dict[int, Any] = field(default_factory=dict)
    regularizers: dict[tuple[int, int], Any] = field(default_factory=dict)
    constraints: dict[tuple[int, int], Any] = field(default_factory=dict)

    def draw_activities(self, rng: np.random.Generator, layers: int) -> None:
        known = [made for made in REGULARIZERS.values() if takes_activities(made)]
        self.activities = {i: known[rng.integers(len(known))]() for i in range(layers) if rng.random() < 0.4}

    def draw_weights(self, rng: np.random.Generator, net: _core.Network) -> None:
        for drawn, known in ((self.regularizers, REGULARIZERS), (self.constraints, CONSTRAINTS)):
            seen: dict[int, int] = {}
            for layer, name, _, shape in net.layout:
                index = seen[layer] = seen.get(layer, -1) + 1
                if name.startswith(("moving", "mean", "variance", "count")):
                    continue
                fitting = [made for made in known.values() if fits(made, *shape)]
                if rng.random() < 0.6:
                    drawn[layer, index] = fitting[rng.integers(len(fitting))]()

    def specs(self, net: _core.Network) -> list[list[tuple[int, int, Spec]]]:
        """The penalties in the form of `_core.Network.compile`."""
        shapes: dict[tuple[int, int], tuple[int, ...]] = {}
        for layer, _, _, shape in net.layout:
            shapes[layer, sum(known == layer for known, _ in shapes)] = shape
        return [
            [(*at, one.spec("", shapes[at])) for at, one in given.items()]
            for given in (self.regularizers, self.constraints)
        ]


# ---- a stack of layers


@dataclass
class Result:
    loss: float
    output: Array
    gradients: list[list[Array]]  # of each layer's parameters
    dx: Array


@dataclass
class ReferenceModel:
    """`layers` with `parameters`, one list for each layer, judged by `loss`."""

    layers: list[Spec]
    parameters: list[list[Array]]
    loss: Spec | None = None
    seed: int = 0
    penalties: Penalties = field(default_factory=Penalties)

    def forward(self, x: Array, training: bool = False, step: int = 0) -> list[Array]:
        """The input and the output of each layer."""
        values = [np.asarray(x, dtype=np.float64)]
        for number, (spec, parameters) in enumerate(zip(self.layers, self.parameters)):
            mask = self.mask(number, values[-1].shape, step) if training else None
            values.append(layer_forward(spec, values[-1], parameters, mask))
        return values

    def value(self, target: Array, output: Array, weight: Array | None = None) -> float:
        """The mean over rows of the loss times the weight of the sample."""
        assert self.loss is not None
        name, arguments = loss_call(self.loss)
        rows = getattr(reference, name)(target, output, **arguments)
        return float(np.mean(rows if weight is None else rows * self._per_row(weight, rows)))

    def gradients(self, x: Array, target: Array, weight: Array | None = None, step: int = 0) -> Result:
        assert self.loss is not None
        fused = self.with_loss_from_logits()
        values = fused.forward(x, training=True, step=step)
        assert fused.loss is not None
        name, arguments = loss_call(fused.loss)
        shape = values[-1].shape[:-1]
        dy = np.full(shape, 1.0 / np.prod(shape))
        if weight is not None:
            dy = dy * self._per_row(weight, dy)
        loss = fused.value(target, values[-1], weight) + self.penalty(values)
        d = getattr(reference, name + "_backward")(dy, target, values[-1], **arguments)
        gradients: list[list[Array]] = []
        for number in reversed(range(len(self.layers))):
            x_in, parameters = values[number], self.parameters[number]
            mask = self.mask(number, x_in.shape, step)
            if number in self.penalties.activities:
                d = d + self.penalties.activities[number].slope(values[number + 1]) / len(x)
            d, g = layer_backward(fused.layers[number], d, x_in, parameters, mask)
            gradients.insert(0, g)
        for (number, index), regularizer in self.penalties.regularizers.items():
            gradients[number][index] = gradients[number][index] + regularizer.slope(
                self.parameters[number][index]
            )
        return Result(loss, self.forward(x)[-1], gradients, d)

    def penalty(self, values: list[Array]) -> float:
        """The penalty of the weights, and of the outputs that `forward` returned."""
        weights = (r.value(self.parameters[i][p]) for (i, p), r in self.penalties.regularizers.items())
        activities = (r.value(values[i + 1]) for i, r in self.penalties.activities.items())
        return sum(weights, 0.0) + sum(activities, 0.0) / len(values[0])

    def with_loss_from_logits(self) -> ReferenceModel:
        """The same model with a last sigmoid or softmax moved into the loss, as the core computes it."""
        assert self.loss is not None
        kind, attributes = self.layers[-1]
        name, settings = self.loss
        if _core.losses()[name][2] != attributes.get("activation", "linear"):
            return self
        # The activation is left to the loss where nothing else reads its output, or its input if a layer.
        last_two = range(len(self.layers) - (2 if kind == "activation" else 1), len(self.layers))
        if any(number in self.penalties.activities for number in last_two):
            return self
        last = (kind, {**attributes, "activation": "linear"})
        loss = loss_spec(name, True, **settings)
        return ReferenceModel([*self.layers[:-1], last], self.parameters, loss, self.seed, self.penalties)

    @staticmethod
    def _per_row(weight: Array, rows: Array) -> Array:
        return weight.reshape(-1, *[1] * (rows.ndim - 1))

    def mask(self, number: int, shape: tuple[int, ...], step: int) -> Any:
        """What layer `number` keeps of a batch of this shape if it drops out; the key of another random
        layer; else True.
        """
        kind, attributes = self.layers[number]
        if kind in RECURRENT:
            return recurrent_masks(self.layers[number], shape, self.seed, step, number)
        if attributes.get("layer") == "dropout":
            kind, shape = "dropout", (shape[0] * shape[1], *shape[2:])
        if kind in RANDOM:
            return key_of(attributes, self.seed, step, number)
        if kind != "dropout":
            return True
        noise = attributes.get("noise_shape", (-1,) * len(shape))
        drawn = tuple(n if given == -1 else given for n, given in zip(shape, noise))
        mask = reference.dropout_mask(drawn, attributes["rate"], self.seed, step, number)
        return np.broadcast_to(mask, shape)


# ---- the compiled twin


def chain(
    input_shape: tuple[int, ...], layers: list[Spec], fuse: bool = True, penalties: Penalties | None = None
) -> _core.Network:
    """Layers one after another, not compiled."""
    calls = [(i, [i]) for i in range(len(layers))]
    given = penalties.activities if penalties else {}
    penalized = [(i + 1, one.spec("", ())) for i, one in given.items()]
    return _core.Network([input_shape], layers, calls, [len(layers)], fuse, penalized=penalized)


def compile_chain(
    net: _core.Network,
    loss: Spec | None,
    metrics: Sequence[Spec] = (),
    optimizer: Spec | None = None,
    trainable: Sequence[bool] = (True,),
    penalties: Penalties | None = None,
) -> None:
    regularizers, constraints = (penalties or Penalties()).specs(net)
    given: Any = {"regularizers": regularizers, "constraints": constraints}
    net.compile([loss], [1.0], [metrics], [()], optimizer, trainable, **given)


def network(
    input_shape: tuple[int, ...],
    layers: list[Spec],
    rng: np.random.Generator,
    loss: Spec | None = None,
    optimizer: Spec | None = None,
    metrics: tuple[str, ...] = (),
    fuse: bool = True,
    scale: float = 1.0,
    penalized: bool = False,
) -> tuple[_core.Network, ReferenceModel]:
    """A compiled network with random parameters, and the reference model with the same parameters.

    Weights are normal with deviation scale / sqrt(number of inputs). penalized: with random regularizers and
    constraints.
    """
    penalties = Penalties()
    if penalized:
        penalties.draw_activities(rng, len(layers))
    net = chain(input_shape, layers, fuse, penalties)
    flat = np.zeros_like(net.read("parameters"))
    for _, name, offset, shape in net.layout:
        size = int(np.prod(shape))
        deviation = scale / np.sqrt(max(1, np.prod(shape[:-1]))) if len(shape) > 1 else 0.1
        flat[offset : offset + size] = rng.normal(scale=deviation, size=size)
        if name in ("gamma", "moving_variance", "variance"):
            flat[offset : offset + size] = np.abs(1.0 + flat[offset : offset + size])
    net.write("parameters", flat)
    if penalized:
        penalties.draw_weights(rng, net)
    if loss is not None:
        compile_chain(net, loss, [(name, {}) for name in metrics], optimizer, [True] * len(layers), penalties)
    model = ReferenceModel(list(layers), of_layers(net, len(layers), "parameters"), loss, net.seed, penalties)
    return net, model


def of_layers(net: _core.Network, count: int, buffer: str) -> list[list[Array]]:
    """A flat buffer as one list of arrays for each of `count` layers."""
    flat, arrays = net.read(buffer), [[] for _ in range(count)]
    for layer, _, offset, shape in net.layout:
        arrays[layer].append(flat[offset : offset + int(np.prod(shape))].reshape(shape).astype(np.float64))
    return arrays


# ---- comparison

EPSILON = float(np.finfo(np.float32).eps)


def assert_close(
    actual: Any, expected: Any, length: int = 1, scale: float = 0.0, factor: float = 2.0, name: str = ""
) -> None:
    """float32 against float64: equal up to the rounding of sums of `length` products.

    Errors of a sum grow with the square root of its length and are relative to the largest values, so that
    cancellation in one element is not held against it; `scale` is the size of what was added up, if larger.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, expected {expected.shape}"
    finite = np.abs(expected[np.isfinite(expected)])
    largest = max(float(finite.max()) if finite.size else 0.0, scale)
    tolerance = factor * EPSILON * np.sqrt(length)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * largest, err_msg=name)
