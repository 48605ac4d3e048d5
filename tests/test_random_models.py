"""Random stacks of layers: forward, loss, all gradients and an update against the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from op_cases import PLAIN, row_targets
from optimizer_cases import OPTIMIZERS, initial_moments, reference_step
from reference_layers import (
    ACTIVATION_ROWS,
    FLATTEN,
    LOSS_ROWS,
    RECURRENT,
    Spec,
    activate,
    activation,
    batch_normalization,
    conv2d,
    conv2d_transpose,
    dense,
    layer_normalization,
    loss_call,
    moved_state,
    pooling,
    recurrent,
)
from reference_model import assert_close, network, of_layers

from nncore import _core, reference
from nncore.common.rows import LOSSES, METRICS
from nncore.optimizers import Optimizer

# Not those that grow faster than their input: rounding grows with them, from layer to layer.
activations = st.sampled_from(
    [row for row in ACTIVATION_ROWS if activate(row, np.full((1, 2), 10.0)).max() <= 20.0]
)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.sampled_from(["valid", "same"])


@st.composite
def layers_for(draw: st.DrawFn, shape: tuple[int, ...]) -> Spec:
    """A layer that accepts samples of this shape."""
    kinds = ["dense", "activation", "dropout", "rescaling", "reshape", "batch_normalization"]
    kinds += ["layer_normalization", "prelu", "softmax", "gaussian_noise"]
    if len(shape) == 3:
        kinds += ["zero_padding", "cropping", "random_translation", "resizing"]
        if shape[0] * shape[1] <= 100:
            kinds += ["conv2d_transpose", "up_sampling"]
        kinds += ["conv2d", "conv2d", "conv2d", "max_pooling2d", "max_pooling2d", "average_pooling2d"]
        kinds += ["global_max_pooling2d", "global_average_pooling2d"]
    if len(shape) == 2:
        kinds += [*RECURRENT, *RECURRENT]
    if len(shape) > 1:
        kinds += ["flatten"]
    kind = draw(st.sampled_from(kinds))
    if kind == "dense":
        return dense(draw(st.integers(1, 20)), **draw(activations), use_bias=draw(st.booleans()))
    if kind == "batch_normalization":
        flags = {name: draw(st.booleans()) for name in ("center", "scale")}
        return batch_normalization(draw(st.integers(1, len(shape))), **flags, epsilon=0.1)
    if kind == "activation":
        return activation(**draw(activations))
    if kind == "dropout":
        return kind, {"rate": draw(st.sampled_from([0.0, 0.2, 0.5]))}
    if kind == "rescaling":
        return kind, {"scale": draw(st.sampled_from([-1.0, 0.5, 2.0])), "offset": 0.25}
    if kind == "layer_normalization":
        axes = range(-draw(st.integers(1, len(shape))), 0)
        return layer_normalization(*axes, epsilon=0.5, center=draw(st.booleans()), scale=draw(st.booleans()))
    if kind == "prelu":
        return kind, {"shared_axes": tuple(draw(st.sets(st.integers(1, len(shape)))))}
    if kind == "softmax":
        return kind, {"axis": (draw(st.integers(1, len(shape))),)}
    if kind == "gaussian_noise":
        return kind, {"stddev": 0.25}
    if kind in ("zero_padding", "cropping"):
        return kind, {kind.removeprefix("zero_"): tuple(draw(st.integers(0, 2)) for _ in range(4))}
    if kind == "random_translation":
        factors = {"height_factor": (-0.4, 0.4), "width_factor": (0.1, 0.3)}
        fill = draw(st.sampled_from(["constant", "nearest", "wrap", "reflect"]))
        return kind, {**factors, "fill_mode": fill, "fill_value": 0.5, "interpolation": "bilinear"}
    if kind == "resizing":
        sizes = {"height": draw(st.integers(1, 9)), "width": draw(st.integers(1, 9)), "fill_value": 0.5}
        fit = draw(st.sampled_from(["stretch", "crop", "pad"]))
        return kind, {**sizes, "fit": fit, "interpolation": draw(st.sampled_from(["nearest", "bilinear"]))}
    if kind == "up_sampling":
        return kind, {"size": draw(pairs), "interpolation": draw(st.sampled_from(["nearest", "bilinear"]))}
    if kind == "conv2d_transpose":
        strides = draw(pairs)
        more = tuple(draw(st.integers(-1, step - 1)) for step in strides)
        settings = {"use_bias": draw(st.booleans()), **draw(activations)}
        dilation = draw(pairs) if strides == (1, 1) else 1
        return conv2d_transpose(
            draw(st.integers(1, 9)), draw(pairs), strides, draw(paddings), more, dilation, **settings
        )
    if kind in RECURRENT:
        names = ("return_sequences", "go_backwards", "use_bias", "reset_after")
        flags = {name: draw(st.booleans()) for name in names[: None if kind == "gru" else 3]}
        rates = {name: draw(st.sampled_from([0.0, 0.3])) for name in ("dropout", "recurrent_dropout")}
        return recurrent(kind, draw(st.integers(1, 18)), **flags, **rates)
    if kind == "reshape":
        return kind, {"target_shape": draw(st.permutations(shape).map(tuple))}
    if kind == "conv2d":
        groups = draw(st.sampled_from([g for g in range(1, shape[2] + 1) if shape[2] % g == 0]))
        return conv2d(
            groups * draw(st.integers(1, max(1, 17 // groups))),
            draw(pairs),
            strides=draw(pairs),
            padding=draw(paddings),
            dilation_rate=draw(pairs),
            groups=groups,
            use_bias=draw(st.booleans()),
            **draw(activations),
        )
    if kind.endswith("pooling2d") and kind.startswith("global"):
        return kind, {"keepdims": draw(st.booleans())}
    if kind.endswith("pooling2d"):
        return pooling(kind, draw(pairs), draw(st.none() | pairs), draw(paddings))
    return FLATTEN


@st.composite
def stacks(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Spec], Spec]:
    """(input shape, layers, loss) with an output that suits the loss."""
    image = st.tuples(st.integers(1, 10), st.integers(1, 10), st.integers(1, 6))
    series = st.tuples(st.integers(1, 8), st.integers(1, 12))
    shape: tuple[int, ...] = draw(st.one_of(image, image, series, st.tuples(st.integers(1, 40))))
    start, layers = shape, []
    for _ in range(draw(st.integers(0, 6))):
        spec = draw(layers_for(shape))
        try:
            shape = _core.infer(spec, [shape])[0]
        except ValueError:  # a window that does not fit
            continue
        layers.append(spec)
    if len(shape) == 3:
        layers.append(FLATTEN)
    loss = draw(st.sampled_from([row for row in LOSS_ROWS if not is_ill_conditioned(row)]))
    name, arguments = loss_call(loss)
    inputs = inputs_of(loss)
    plain = inputs in PLAIN or arguments.get("from_logits", False)
    last = "linear" if plain else _core.losses()[name][2] or "softmax"
    units = draw(st.integers(1 if inputs in (*PLAIN, "bits") else 2, 12))
    if draw(st.booleans()):
        layers.append(dense(units, last))
    else:
        layers += [dense(units), activation(last)]
    return start, layers, loss


def is_ill_conditioned(loss: Spec) -> bool:
    """Whether 1 - p is computed from a probability p, whose rounding near 1 is larger than the tolerance."""
    name, arguments = loss_call(loss)
    from_logits = arguments.get("from_logits", False) or _core.losses()[name][2]
    return inputs_of(loss) == "bits" and not from_logits


def inputs_of(loss: Spec) -> str:
    return LOSSES[loss_call(loss)[0]].inputs


def make_target(rng: np.random.Generator, loss: Spec, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    inputs = inputs_of(loss)
    if inputs != "numbers":
        return row_targets(rng, inputs, shape)
    # far from most outputs: the rounding of a small difference would be larger than the tolerance
    return (rng.choice([-3.0, 3.0], size=shape) + rng.normal(scale=0.3, size=shape)).astype(np.float32)


@pytest.mark.usefixtures("threads")
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    stack=stacks(),
    samples=st.integers(1, 20),
    weighted=st.booleans(),
    fuse=st.booleans(),
    isa=st.sampled_from(_core.available_isas()),
    threads_=st.integers(1, 4),
    optimizer=st.sampled_from([*OPTIMIZERS.values()]),
    penalized=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_random_models(
    stack: tuple[tuple[int, ...], list[Spec], Spec],
    samples: int,
    weighted: bool,
    fuse: bool,
    isa: str,
    threads_: int,
    optimizer: Callable[..., Optimizer],
    penalized: bool,
    seed: int,
) -> None:
    shape, layers, loss = stack
    rng = np.random.default_rng(seed)
    before = _core.isa()
    _core.select_isa(isa)
    _core.set_num_threads(threads_)
    try:
        made = optimizer(learning_rate=0.1)
        net, model = network(shape, layers, rng, loss, made.spec(), fuse=fuse, penalized=penalized)
    finally:
        _core.select_isa(before)
    note(f"steps: {net.steps()}")
    net.seed = model.seed = seed
    x = rng.normal(size=(samples, *shape)).astype(np.float32)
    y = make_target(rng, loss, (samples, *net.output_shapes([shape])[0]))
    weight = rng.uniform(0, 2, size=samples).astype(np.float32) if weighted else None
    length = 1000  # of the longest sum, roughly, over all layers

    expected = model.gradients(x, y, weight)
    assert_close(net.forward(x, False), expected.output, length, name="output")
    assert_close(net.gradients(x, y, weight), expected.loss, length, scale=1.0, name="loss")
    gradients = of_layers(net, len(layers), "gradients")
    # p - t carries the rounding of 1, however small it is
    largest = max(0.05, *(np.abs(g).max() for layer in expected.gradients for g in layer))
    for number, layer in enumerate(expected.gradients):
        for actual, gradient in zip(gradients[number], layer):
            assert_close(actual, gradient, length, scale=largest, name=f"gradient of layer {number}")

    inputs = model.forward(x, training=True)
    sums = _core.Sums()
    assert net.train(x, y, weight, None, 0, samples, samples, 60.0, sums) == samples
    assert net.iterations == 1
    assert_close(net.results(sums)[0], expected.loss, length, scale=1.0, name="loss of the step")
    constraints = model.penalties.constraints
    for number, layer in enumerate(of_layers(net, len(layers), "parameters")):
        count = len(expected.gradients[number])  # what follows is state
        if layer[count:]:
            state = moved_state(layers[number], inputs[number], model.parameters[number])
            assert not np.any(gradients[number][count:])
            assert_close(layer[count:], state, length, scale=1.0, name=f"state of layer {number}")
        trained = zip(layer, model.parameters[number][:count], gradients[number])
        for i, (actual, w, g) in enumerate(trained):
            moments = initial_moments(made, w)
            expected_w, _ = reference_step(made, w, g, moments, 1)
            if (number, i) in constraints:
                expected_w = constraints[number, i].constrained(expected_w)
            size = float(np.abs(w).max(initial=0.0))  # of which a step may leave little
            assert_close(actual, expected_w, factor=40, scale=size, name=f"layer {number}")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    stack=stacks(),
    samples=st.integers(1, 20),
    batch=st.integers(1, 25),
    penalized=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_random_evaluations(
    stack: tuple[tuple[int, ...], list[Spec], Spec], samples: int, batch: int, penalized: bool, seed: int
) -> None:
    """The loss and the metrics of `test`, whatever the batches, and the rows of `predict`."""
    shape, layers, loss = stack
    rng = np.random.default_rng(seed)
    fitting = [name for name, operation in METRICS.items() if operation.inputs == inputs_of(loss)]
    metric = [*fitting, "mean_absolute_error"][0]
    net, model = network(shape, layers, rng, loss, None, (metric,), penalized=penalized)
    x = rng.normal(size=(samples, *shape)).astype(np.float32)
    y = make_target(rng, loss, (samples, *net.output_shapes([shape])[0]))
    sums = _core.Sums()
    position = 0
    while position < samples:
        position = net.test(x, y, None, position, samples, batch, 60.0, sums)
    output = net.forward(x, False)
    fused = model.with_loss_from_logits()
    values = fused.forward(x)
    expected = fused.value(y, values[-1]) + fused.penalty(values)
    assert_close(net.results(sums)[0], expected, 1000, scale=1.0, name="loss")
    expected = getattr(reference, metric)(y, output).mean()
    assert_close(net.results(sums)[1], expected, 1000, name=metric)
    out = np.zeros_like(output)
    position = 0
    while position < samples:
        position = net.predict(x, out, position, samples, 60.0)
    assert_close(out, output)
