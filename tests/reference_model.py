"""Specs of layers run through nncore.reference, compiled twins of them, and the tolerance for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from penalty_cases import CONSTRAINTS, REGULARIZERS, fits, takes_activities

from nncore import _core, reference
from nncore._operations import ACTIVATIONS
from nncore._rows import LOSSES

Spec = tuple[str, dict[str, Any]]
Array = np.ndarray[Any, Any]

# ---- specs


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def dense(units: int, activation: str = "linear", use_bias: bool = True, **settings: float) -> Spec:
    return "dense", {"units": units, "use_bias": use_bias, "activation": activation, **settings}


def conv2d(
    filters: int,
    kernel_size: int | tuple[int, int],
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    dilation_rate: int | tuple[int, int] = 1,
    groups: int = 1,
    use_bias: bool = True,
    activation: str = "linear",
    **settings: float,
) -> Spec:
    return "conv2d", {
        "filters": filters,
        "kernel_size": pair(kernel_size),
        "strides": pair(strides),
        "padding": padding,
        "dilation_rate": pair(dilation_rate),
        "groups": groups,
        "use_bias": use_bias,
        "activation": activation,
        **settings,
    }


def pooling(
    kind: str,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "valid",
) -> Spec:
    """kind: max_pooling2d or average_pooling2d."""
    strides = pool_size if strides is None else strides
    return kind, {"pool_size": pair(pool_size), "strides": pair(strides), "padding": padding}


def activation(activation: str, **settings: float) -> Spec:
    return "activation", {"activation": activation, **settings}


def batch_normalization(axis: int = -1, center: bool = True, scale: bool = True, **settings: Any) -> Spec:
    defaults = {"momentum": 0.75, "epsilon": 0.01, "activation": "linear"}
    return "batch_normalization", {"axis": axis, "center": center, "scale": scale, **defaults, **settings}


def loss_spec(name: str, from_logits: bool = False, **settings: float) -> Spec:
    """The row of a function with these arguments."""
    return name + "_logits" * from_logits, settings


def loss_call(loss: Spec) -> tuple[str, dict[str, Any]]:
    """The function of a row, and its arguments."""
    name, settings = loss
    function = name.removesuffix("_logits")
    return function, settings if function == name else {**settings, "from_logits": True}


LOSS_ROWS = [loss_spec(name, **settings) for name, o in LOSSES.items() for settings in ({}, *o.variants)]


FLATTEN: Spec = ("flatten", {})


def layer_normalization(*axis: int, epsilon: float = 1e-3, center: bool = True, scale: bool = True) -> Spec:
    settings = {"epsilon": epsilon, "center": center, "scale": scale}
    return "layer_normalization", {"axis": axis or (-1,), **settings}


# ---- one layer


# Attributes of each row of the table, with its defaults and with other settings; for each row, the function
# that computes it and what selects it there.
ACTIVATION_ROWS: list[dict[str, Any]] = []
_SELECTED: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in ACTIVATIONS}
for _name, _operation in ACTIVATIONS.items():
    for _variant in ({}, *_operation.variants):
        _row, _settings = _operation.row(None, **_variant)
        _SELECTED.setdefault(_row, (_name, _variant))
        ACTIVATION_ROWS.append({"activation": _row, **_settings})


def _activation_arguments(attributes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    row = attributes["activation"]
    name, selected = _SELECTED[row]
    settings = {s: attributes[s] for s, *_ in _core.activations()[row][0] if s in attributes}
    return name, {**selected, **settings}


def activate(attributes: dict[str, Any], z: Array) -> Array:
    name, arguments = _activation_arguments(attributes)
    return z if name == "linear" else getattr(reference, name)(z, **arguments)


def activate_backward(attributes: dict[str, Any], dy: Array, z: Array) -> Array:
    name, arguments = _activation_arguments(attributes)
    return dy if name == "linear" else getattr(reference, name + "_backward")(dy, z, **arguments)


_POOLS = {
    "max_pooling2d": "max_pool2d",
    "average_pooling2d": "average_pool2d",
    "global_max_pooling2d": "global_max_pool2d",
    "global_average_pooling2d": "global_average_pool2d",
}


def _product(spec: Spec) -> tuple[str, dict[str, Any]]:
    names = ("strides", "padding", "dilation_rate", "groups") if spec[0] == "conv2d" else ()
    return spec[0], {name: spec[1][name] for name in names}


def _affine(attributes: dict[str, Any], parameters: list[Array]) -> tuple[dict[str, Any], list[Array]]:
    """Arguments of the reference of a normalization, and its state."""
    given, arguments = list(parameters), {name: attributes[name] for name in ("axis", "epsilon")}
    for name, used in (("gamma", attributes["scale"]), ("beta", attributes["center"])):
        arguments[name] = given.pop(0) if used else None
    return arguments, given


class Affine(NamedTuple):
    """What a normalization makes of its parameters."""

    arguments: dict[str, Any]  # of the reference
    state: list[Array]
    each: tuple[int, ...]  # the shape of one number for each feature

    @classmethod
    def of(cls, spec: Spec, x: Array, parameters: list[Array]) -> Affine:
        arguments, state = _affine(spec[1], parameters)
        axis = arguments["axis"] % x.ndim
        return cls(arguments, state, tuple(n if i == axis else 1 for i, n in enumerate(x.shape)))


def moved_state(spec: Spec, x: Array, parameters: list[Array]) -> list[Array]:
    """The moving statistics of a normalization after a batch."""
    momentum, axis = spec[1]["momentum"], spec[1]["axis"] % x.ndim
    others = tuple(i for i in range(x.ndim) if i != axis)
    old = Affine.of(spec, x, parameters).state
    return [momentum * a + (1 - momentum) * b for a, b in zip(old, (x.mean(others), x.var(others)))]


def _normalized(spec: Spec, x: Array, parameters: list[Array], training: bool) -> Array:
    affine = Affine.of(spec, x, parameters)
    if training:
        return reference.normalize_batch(x, **affine.arguments)
    mean, variance = (values.reshape(affine.each) for values in affine.state)
    gamma, beta = (affine.arguments[name] for name in ("gamma", "beta"))
    y = (x - mean) / np.sqrt(variance + affine.arguments["epsilon"])
    y = y if gamma is None else y * gamma.reshape(affine.each)
    return y if beta is None else y + beta.reshape(affine.each)


def layer_forward(spec: Spec, x: Array, parameters: list[Array], mask: Any = None) -> Array:
    """mask: in training, what a dropout layer keeps, or True; None outside training."""
    kind, attributes = spec
    if kind in ("dense", "conv2d"):
        name, arguments = _product(spec)
        return activate(attributes, getattr(reference, name)(x, *parameters, **arguments))
    if kind == "batch_normalization":
        return activate(attributes, _normalized(spec, x, parameters, mask is not None))
    if kind == "activation":
        return activate(attributes, x)
    if kind in _POOLS:
        return getattr(reference, _POOLS[kind])(x, **attributes)
    if kind == "flatten":
        return x.reshape(len(x), -1)
    if kind == "reshape":
        return x.reshape(len(x), *attributes["target_shape"])
    if kind == "rescaling":
        return reference.rescale(x, **attributes)
    if kind == "layer_normalization":
        return reference.layer_normalization(x, **_affine(attributes, parameters)[0])
    assert kind == "dropout"
    return x if mask is None else np.where(mask, x / (1.0 - attributes["rate"]), 0.0)


def layer_backward(
    spec: Spec, dy: Array, x: Array, parameters: list[Array], mask: Any = None
) -> tuple[Array, list[Array]]:
    """(dx, gradient of each parameter), in training."""
    kind, attributes = spec
    if kind in ("dense", "conv2d"):
        name, arguments = _product(spec)
        z = getattr(reference, name)(x, *parameters, **arguments)
        dz = activate_backward(attributes, dy, z)
        dx, *gradients = getattr(reference, name + "_backward")(dz, x, parameters[0], **arguments)
        return dx, gradients[: len(parameters)]
    if kind == "batch_normalization":
        dz = activate_backward(attributes, dy, _normalized(spec, x, parameters, True))
        arguments = Affine.of(spec, x, parameters).arguments
        del arguments["beta"]
        dx, dgamma, dbeta = reference.normalize_batch_backward(dz, x, **arguments)
        return dx, [dgamma] * attributes["scale"] + [dbeta] * attributes["center"]
    if kind == "activation":
        return activate_backward(attributes, dy, x), []
    if kind in _POOLS:
        return getattr(reference, _POOLS[kind] + "_backward")(dy, x, **attributes), []
    if kind == "rescaling":
        return reference.rescale_backward(dy, x, **attributes), []
    if kind == "layer_normalization":
        arguments = _affine(attributes, parameters)[0]
        del arguments["beta"]
        dx, dgamma, dbeta = reference.layer_normalization_backward(dy, x, **arguments)
        return dx, [dgamma] * attributes["scale"] + [dbeta] * attributes["center"]
    if kind == "dropout":
        return layer_forward(spec, dy, [], mask), []
    return dy.reshape(x.shape), []


# ---- penalties


@dataclass
class Penalties:
    """Regularizers of what layers give, and those and constraints of weights, by layer and parameter."""

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
                if name.startswith("moving"):
                    continue
                fitting = [made for made in known.values() if fits(made, *shape)]
                if rng.random() < 0.6:
                    drawn[layer, index] = fitting[rng.integers(len(fitting))]()

    def specs(self, net: _core.Network) -> list[list[tuple[int, int, Spec]]]:
        """What `_core.Network.compile` takes."""
        shapes: dict[tuple[int, int], tuple[int, ...]] = {}
        for layer, _, _, shape in net.layout:
            shapes[layer, sum(known == layer for known, _ in shapes)] = shape
        return [
            [(*at, one._spec("", shapes[at])) for at, one in given.items()]
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
        """Of the weights, and of what layers give, as `forward` has it."""
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
        """What layer `number` keeps of a batch of this shape, if it is a dropout layer; else True."""
        kind, attributes = self.layers[number]
        if kind != "dropout":
            return True
        return reference.dropout_mask(shape, attributes["rate"], self.seed, step, number)


# ---- the compiled twin


def chain(
    input_shape: tuple[int, ...], layers: list[Spec], fuse: bool = True, penalties: Penalties | None = None
) -> _core.Network:
    """Layers one after another, not compiled."""
    calls = [(i, [i]) for i in range(len(layers))]
    given = penalties.activities if penalties else {}
    penalized = [(i + 1, one._spec("", ())) for i, one in given.items()]
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
        if name in ("gamma", "moving_variance"):
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
