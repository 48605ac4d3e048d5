"""Specs of layers and losses, and each layer run through nncore.reference."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import reference_images as images

from nncore import _core, reference
from nncore.common.operations import ACTIVATIONS
from nncore.common.rows import LOSSES
from nncore.ops._cells import Cell, EarlyGRUCell, GRUCell, LSTMCell, Recurrence, SimpleCell

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


def by_channel(depth_multiplier: int, *arguments: Any, **settings: Any) -> Spec:
    """A convolution of each channel by itself; arguments from kernel_size on as of `conv2d`."""
    kind, attributes = conv2d(1, *arguments, **settings)
    del attributes["filters"], attributes["groups"]
    return kind, {**attributes, "depth_multiplier": depth_multiplier}


def conv2d_transpose(
    filters: int,
    kernel_size: int | tuple[int, int],
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    output_padding: tuple[int, int] = (-1, -1),
    dilation_rate: int | tuple[int, int] = 1,
    use_bias: bool = True,
    activation: str = "linear",
    **settings: float,
) -> Spec:
    spec = conv2d(filters, kernel_size, strides, padding, dilation_rate, 1, use_bias, activation, **settings)
    del spec[1]["groups"]
    return "conv2d_transpose", {**spec[1], "output_padding": output_padding}


def pooling(
    kind: str,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "valid",
) -> Spec:
    """The spec of a pooling layer. kind: max_pooling2d or average_pooling2d."""
    strides = pool_size if strides is None else strides
    return kind, {"pool_size": pair(pool_size), "strides": pair(strides), "padding": padding}


def of_steps(spec: Spec) -> Spec:
    """A layer for images of height 1 as one for (n, steps, channels)."""
    return spec[0], {**spec[1], "of_steps": True}


def conv1d(
    filters: int,
    kernel_size: int,
    strides: int = 1,
    padding: str = "valid",
    dilation_rate: int = 1,
    groups: int = 1,
    **settings: Any,
) -> Spec:
    sizes = (1, kernel_size), (1, strides), padding, (1, dilation_rate), groups
    return of_steps(conv2d(filters, *sizes, **settings))


def each_step(spec: Spec) -> Spec:
    """A layer applied to each step."""
    return "time_distributed", {"layer": spec[0], **spec[1]}


def activation(activation: str, **settings: float) -> Spec:
    return "activation", {"activation": activation, **settings}


def batch_normalization(axis: int = -1, center: bool = True, scale: bool = True, **settings: Any) -> Spec:
    defaults = {"momentum": 0.75, "epsilon": 0.01, "activation": "linear"}
    return "batch_normalization", {"axis": axis, "center": center, "scale": scale, **defaults, **settings}


def loss_spec(name: str, from_logits: bool = False, **settings: float) -> Spec:
    """The spec of a loss: the row of a function with these arguments."""
    numbers = {key: float(value) if value is True else value for key, value in settings.items()}
    return name + "_logits" * from_logits, numbers


def loss_call(loss: Spec) -> tuple[str, dict[str, Any]]:
    """The function for a spec, and its arguments."""
    name, settings = loss
    function = name.removesuffix("_logits")
    return function, settings if function == name else {**settings, "from_logits": True}


LOSS_ROWS = [loss_spec(name, **settings) for name, o in LOSSES.items() for settings in ({}, *o.variants)]


FLATTEN: Spec = ("flatten", {})


def layer_normalization(*axis: int, epsilon: float = 1e-3, center: bool = True, scale: bool = True) -> Spec:
    settings = {"epsilon": epsilon, "center": center, "scale": scale}
    return "layer_normalization", {"axis": axis or (-1,), **settings}


def recurrent(kind: str, units: int, **settings: Any) -> Spec:
    """kind: simple_rnn, lstm or gru."""
    defaults: dict[str, Any] = {"cell_activation": "tanh", "use_bias": True, "return_sequences": False}
    defaults |= {"go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}
    if kind != "simple_rnn":
        defaults["recurrent_activation"] = "sigmoid"
    if kind == "gru":
        defaults["reset_after"] = True
    return kind, {"units": units, **defaults, **settings}


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


def jumps(attributes: dict[str, Any]) -> bool:
    """Whether an activation is not continuous."""
    return ACTIVATIONS[_activation_arguments(attributes)[0]].inputs == "away from jumps"


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


def _product(spec: Spec, x: Array, parameters: list[Array]) -> tuple[str, dict[str, Any], list[Array]]:
    """The function of a product, its settings, and the parameters as it takes them."""
    kind, attributes = spec
    names = ("strides", "padding", "dilation_rate") if kind == "conv2d" else ()
    arguments, kernel = {name: attributes[name] for name in names}, parameters[0]
    if "depth_multiplier" in attributes:
        arguments["groups"], kernel = x.shape[-1], kernel.reshape(*kernel.shape[:2], 1, -1)
    elif kind == "conv2d":
        arguments["groups"] = attributes["groups"]
    else:
        kernel = kernel.reshape(x.shape[-1], -1)
    return kind, arguments, [kernel, *(bias.reshape(-1) for bias in parameters[1:])]


def _affine(attributes: dict[str, Any], parameters: list[Array]) -> tuple[dict[str, Any], list[Array]]:
    """Arguments of the reference of a normalization, and its moving statistics."""
    given, arguments = list(parameters), {name: attributes[name] for name in ("axis", "epsilon")}
    for name, used in (("gamma", attributes["scale"]), ("beta", attributes["center"])):
        arguments[name] = given.pop(0) if used else None
    return arguments, given


class Affine(NamedTuple):
    """Values that a normalization computes from its parameters."""

    arguments: dict[str, Any]  # of the reference
    state: list[Array]
    each: tuple[int, ...]  # the shape of one number for each feature

    @classmethod
    def of(cls, spec: Spec, x: Array, parameters: list[Array]) -> Affine:
        arguments, state = _affine(spec[1], parameters)
        axis = arguments["axis"] % x.ndim
        return cls(arguments, state, tuple(n if i == axis else 1 for i, n in enumerate(x.shape)))


def moved_state(spec: Spec, x: Array, parameters: list[Array]) -> list[Array]:
    """The moving statistics of a normalization after a batch, or the numbers that `adapt` has set."""
    if spec[0] == "normalization":
        return parameters
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


RECURRENT = ("simple_rnn", "lstm", "gru")


def cell_of(spec: Spec) -> type[Cell]:
    gru = GRUCell if spec[1].get("reset_after") else EarlyGRUCell
    return {"simple_rnn": SimpleCell, "lstm": LSTMCell, "gru": gru}[spec[0]]


def recurrent_masks(spec: Spec, shape: tuple[int, ...], *key: int) -> tuple[Array | None, Array | None]:
    """What the input and h are multiplied with in training; key: seed, step and number of the layer."""
    attributes, gates = spec[1], cell_of(spec).gates
    count = gates if attributes["recurrent_dropout"] > 0 else 1

    def keep(rate: float, size: int, first: int) -> Array | None:
        if rate == 0:
            return None
        masks = [reference.dropout_mask((shape[0], size), rate, *key, first + i) for i in range(count)]
        return np.stack(masks) / (1.0 - rate)

    return (
        keep(attributes["dropout"], shape[2], 0),
        keep(attributes["recurrent_dropout"], attributes["units"], gates),
    )


def recurrence(spec: Spec, parameters: list[Array], mask: Any = None) -> Recurrence:
    attributes, cell = spec[1], cell_of(spec)
    columns = parameters[1].shape[1]
    bias = parameters[2] if len(parameters) > 2 else np.zeros((2, columns) if cell is GRUCell else columns)
    return Recurrence(
        cell,
        *parameters[:2],
        bias,
        attributes["cell_activation"],
        attributes.get("recurrent_activation", "linear"),
        attributes["return_sequences"],
        attributes["go_backwards"],
        *(mask if isinstance(mask, tuple) else ()),
    )


def _as_image(spec: Spec, x: Array, parameters: list[Array]) -> tuple[Spec, Array, list[Array]]:
    """A layer for (n, steps, channels), as one for images of height 1; "causal" is zeros in front."""
    attributes = {name: value for name, value in spec[1].items() if name != "of_steps"}
    x = np.pad(x, ((0, 0), (_zeros_in_front(attributes), 0), (0, 0)))
    if attributes.get("padding") == "causal":
        attributes["padding"] = "valid"
    return (spec[0], attributes), x[:, None], [p[None] if p.ndim == 3 else p for p in parameters]


def _zeros_in_front(attributes: dict[str, Any]) -> int:
    if attributes.get("padding") != "causal":
        return 0
    return int((attributes["kernel_size"][1] - 1) * attributes["dilation_rate"][1])


def _of_steps(x: Array) -> Array:
    """The steps of all samples, one after the other."""
    return x.reshape(-1, *x.shape[2:])


def _counts(x: Array, value: float) -> Array:
    """Which steps (..., features) have a feature that is not `value`."""
    return np.any(x != value, axis=-1)


def layer_forward(spec: Spec, x: Array, parameters: list[Array], mask: Any = None) -> Array:
    """The outputs of a layer. mask: in training, the elements that dropout keeps, the key of another random
    layer, or True; else None.
    """
    kind, attributes = spec
    if "of_steps" in attributes:
        y = layer_forward(*_as_image(spec, x, parameters))
        return y[:, 0] if y.ndim == 4 else y
    if kind in images.KINDS:
        return images.forward(kind, attributes, x, mask)
    if kind == "prelu":
        return images.prelu(x, parameters[0])
    if kind == "softmax":
        return images.softmax(x, attributes["axis"])
    if kind == "normalization":
        return images.normalization(attributes, x, parameters)[0]
    if kind == "conv2d_transpose":
        return activate(attributes, images.conv2d_transpose(attributes, x, parameters))
    if kind in ("dense", "conv2d"):
        name, arguments, plain = _product(spec, x, parameters)
        return activate(attributes, getattr(reference, name)(x, *plain, **arguments))
    if kind == "batch_normalization":
        return activate(attributes, _normalized(spec, x, parameters, mask is not None))
    if kind in RECURRENT:
        return recurrence(spec, parameters, mask).forward(x)[0]
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
    if kind == "masking":
        return x * _counts(x, attributes["mask_value"])[..., None]
    if kind == "mask":
        return 1.0 * _counts(x if attributes["of_features"] else x[..., None], attributes["value"])
    if kind == "repeat_vector":
        return np.repeat(x[:, None], attributes["n"], axis=1)
    if kind == "permute":
        return np.transpose(x, (0, *attributes["dims"]))
    if kind == "time_distributed":
        y = layer_forward((attributes["layer"], attributes), _of_steps(x), parameters, mask)
        return y.reshape(*x.shape[:2], *y.shape[1:])
    if kind == "layer_normalization":
        return reference.layer_normalization(x, **_affine(attributes, parameters)[0])
    assert kind == "dropout"
    return x if mask is None else np.where(mask, x / (1.0 - attributes["rate"]), 0.0)


def layer_backward(
    spec: Spec, dy: Array, x: Array, parameters: list[Array], mask: Any = None
) -> tuple[Array, list[Array]]:
    """(dx, gradient of each parameter), in training."""
    kind, attributes = spec
    if "of_steps" in attributes:
        image, x_image, kernel = _as_image(spec, x, parameters)
        dx, gradients = layer_backward(image, dy[:, None] if dy.ndim == 3 else dy, x_image, kernel)
        return dx[:, 0, _zeros_in_front(attributes) :], [g[0] if g.ndim == 4 else g for g in gradients]
    if kind in images.KINDS:
        return images.backward(kind, attributes, dy, x, mask), []
    if kind == "prelu":
        dx, dalpha = images.prelu_backward(dy, x, parameters[0])
        return dx, [dalpha]
    if kind == "softmax":
        return images.softmax_backward(dy, x, attributes["axis"]), []
    if kind == "normalization":
        return dy * images.normalization(attributes, x, parameters)[1], []
    if kind == "conv2d_transpose":
        dz = activate_backward(attributes, dy, images.conv2d_transpose(attributes, x, parameters))
        return images.conv2d_transpose_backward(attributes, dz, x, parameters)
    if kind in ("dense", "conv2d"):
        name, arguments, plain = _product(spec, x, parameters)
        z = getattr(reference, name)(x, *plain, **arguments)
        dz = activate_backward(attributes, dy, z)
        dx, *gradients = getattr(reference, name + "_backward")(dz, x, plain[0], **arguments)
        return dx, [g.reshape(p.shape) for g, p in zip(gradients, parameters)]
    if kind == "batch_normalization":
        dz = activate_backward(attributes, dy, _normalized(spec, x, parameters, True))
        arguments = Affine.of(spec, x, parameters).arguments
        del arguments["beta"]
        dx, dgamma, dbeta = reference.normalize_batch_backward(dz, x, **arguments)
        return dx, [dgamma] * attributes["scale"] + [dbeta] * attributes["center"]
    if kind in RECURRENT:
        layer = recurrence(spec, parameters, mask)
        dx, *gradients = layer.backward(dy, x, layer.forward(x)[1])
        return dx, gradients[: len(parameters)]
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
    if kind == "masking":
        return dy * _counts(x, attributes["mask_value"])[..., None], []
    if kind == "mask":
        return np.zeros(x.shape), []
    if kind == "repeat_vector":
        return dy.sum(1), []
    if kind == "permute":
        return np.transpose(dy, (0, *(1 + np.argsort(attributes["dims"])))), []
    if kind == "time_distributed":
        inner = attributes["layer"], attributes
        dx, gradients = layer_backward(inner, _of_steps(dy), _of_steps(x), parameters, mask)
        return dx.reshape(x.shape), gradients
    return dy.reshape(x.shape), []
