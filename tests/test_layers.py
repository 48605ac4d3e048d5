"""Every layer inside a compiled network: one row a layer. A new layer is one more row."""

from __future__ import annotations

from typing import Any, NamedTuple

import image_rows
import numpy as np
import pytest
from op_cases import normal, row_targets
from reference_layers import (
    ACTIVATION_ROWS,
    FLATTEN,
    RECURRENT,
    Spec,
    activation,
    batch_normalization,
    by_channel,
    conv1d,
    conv2d,
    dense,
    each_step,
    jumps,
    layer_backward,
    layer_forward,
    layer_normalization,
    loss_spec,
    of_steps,
    pooling,
    recurrent,
)
from reference_model import ReferenceModel, assert_close, chain, compile_chain, network, of_layers

from nncore import _core, layers
from nncore.common.rows import LOSSES

Shape = tuple[int, ...]
ADAM: Spec = ("adam", {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7})
SGD: Spec = ("sgd_nesterov", {"learning_rate": 0.05, "momentum": 0.9})
BATCH = 9


class Row(NamedTuple):
    spec: Spec
    input: Shape
    output: Shape
    parameters: list[Shape]


IMAGE = (7, 8, 6)
LAYERS: dict[str, Row] = {
    "dense": Row(dense(5), (7,), (5,), [(7, 5), (5,)]),
    "dense without bias": Row(dense(33, use_bias=False), (65,), (33,), [(65, 33)]),
    "dense of images": Row(dense(3, "tanh"), IMAGE, (7, 8, 3), [(6, 3), (3,)]),
    "dense wide": Row(dense(600, "relu"), (50,), (600,), [(50, 600), (600,)]),
    "dense with heads behind": Row(dense(12, heads_of_outputs=3), (70,), (12,), [(70, 3, 4), (3, 4)]),
    "dense with heads before": Row(dense(5, "relu", heads_of_inputs=4), (8, 12), (8, 5), [(4, 3, 5), (5,)]),
    "conv2d": Row(conv2d(5, 3), IMAGE, (5, 6, 5), [(3, 3, 6, 5), (5,)]),
    "conv2d without bias": Row(conv2d(17, (1, 2), use_bias=False), IMAGE, (7, 7, 17), [(1, 2, 6, 17)]),
    "conv2d same": Row(conv2d(4, (2, 3), padding="same"), IMAGE, (7, 8, 4), [(2, 3, 6, 4), (4,)]),
    "conv2d strided": Row(conv2d(4, 3, strides=(2, 3)), IMAGE, (3, 2, 4), [(3, 3, 6, 4), (4,)]),
    "conv2d strided same": Row(
        conv2d(4, 3, strides=2, padding="same"), IMAGE, (4, 4, 4), [(3, 3, 6, 4), (4,)]
    ),
    "conv2d dilated": Row(conv2d(4, 2, dilation_rate=(2, 3)), IMAGE, (5, 5, 4), [(2, 2, 6, 4), (4,)]),
    "conv2d grouped": Row(conv2d(9, 3, groups=3), IMAGE, (5, 6, 9), [(3, 3, 2, 9), (9,)]),
    "conv2d depthwise": Row(conv2d(6, 3, groups=6, padding="same"), IMAGE, (7, 8, 6), [(3, 3, 1, 6), (6,)]),
    "conv2d by channel": Row(by_channel(1, 3, 2), IMAGE, (3, 3, 6), [(3, 3, 6, 1), (6,)]),
    "conv2d by channel, several": Row(
        by_channel(3, (2, 3), padding="same", activation="silu"), IMAGE, (7, 8, 18), [(2, 3, 6, 3), (18,)]
    ),
    "conv2d by channel, of one": Row(by_channel(5, 3), (7, 8, 1), (5, 6, 5), [(3, 3, 1, 5), (5,)]),
    "conv2d winograd": Row(conv2d(33, 3), (10, 11, 32), (8, 9, 33), [(3, 3, 32, 33), (33,)]),
    "conv2d winograd same": Row(
        conv2d(32, 3, padding="same", activation="silu", use_bias=False),
        (7, 11, 35),
        (7, 11, 32),
        [(3, 3, 35, 32)],
    ),
    "max_pooling2d": Row(pooling("max_pooling2d"), IMAGE, (3, 4, 6), []),
    "max_pooling2d same": Row(pooling("max_pooling2d", 3, 2, "same"), IMAGE, (4, 4, 6), []),
    "max_pooling2d overlapping": Row(pooling("max_pooling2d", (3, 2), 1), IMAGE, (5, 7, 6), []),
    "average_pooling2d": Row(pooling("average_pooling2d", (2, 3)), IMAGE, (3, 2, 6), []),
    "average_pooling2d same": Row(pooling("average_pooling2d", 3, 2, "same"), IMAGE, (4, 4, 6), []),
    "global_max_pooling2d": Row(("global_max_pooling2d", {"keepdims": False}), IMAGE, (6,), []),
    "global_average_pooling2d": Row(("global_average_pooling2d", {"keepdims": True}), IMAGE, (1, 1, 6), []),
    "flatten": Row(FLATTEN, IMAGE, (336,), []),
    "reshape": Row(("reshape", {"target_shape": (4, -1, 2)}), IMAGE, (4, 42, 2), []),
    "dropout": Row(("dropout", {"rate": 0.3}), IMAGE, IMAGE, []),
    "batch_normalization": Row(batch_normalization(), (7,), (7,), [(7,)] * 4),
    "batch_normalization of images": Row(
        batch_normalization(activation="relu", center=False), IMAGE, IMAGE, [(6,)] * 3
    ),
    "batch_normalization of an axis": Row(
        batch_normalization(1, scale=False, activation="silu"), IMAGE, IMAGE, [(7,)] * 3
    ),
    "batch_normalization without weights": Row(
        batch_normalization(center=False, scale=False), IMAGE, IMAGE, [(6,)] * 2
    ),
    "layer_normalization": Row(layer_normalization(), IMAGE, IMAGE, [(6,)] * 2),
    "layer_normalization of rows": Row(layer_normalization(3, 2), IMAGE, IMAGE, [(8, 6)] * 2),
    "layer_normalization of images": Row(layer_normalization(1, 2, 3, center=False), IMAGE, IMAGE, [IMAGE]),
    "layer_normalization without gamma": Row(
        layer_normalization(epsilon=0.1, scale=False), (65,), (65,), [(65,)]
    ),
    "layer_normalization without weights": Row(
        layer_normalization(-2, -1, scale=False, center=False), IMAGE, IMAGE, []
    ),
    "masking": Row(("masking", {"mask_value": 0.0}), (5, 3), (5, 3), []),
    "mask": Row(("mask", {"value": 0.0, "of_features": True}), (5, 3), (5,), []),
    "mask of numbers": Row(("mask", {"value": 0.0, "of_features": False}), (5,), (5,), []),
    "repeat_vector": Row(("repeat_vector", {"n": 4}), (6,), (4, 6), []),
    "permute": Row(("permute", {"dims": (3, 1, 2)}), IMAGE, (6, 7, 8), []),
    "dropout of channels": Row(("dropout", {"rate": 0.4, "noise_shape": (-1, 1, 1, -1)}), IMAGE, IMAGE, []),
    "dropout of a batch": Row(("dropout", {"rate": 0.4, "noise_shape": (1, 7, 1, -1)}), IMAGE, IMAGE, []),
    "conv1d": Row(conv1d(5, 3), (9, 6), (7, 5), [(3, 6, 5), (5,)]),
    "conv1d same": Row(conv1d(33, 4, 2, "same", activation="silu"), (9, 6), (5, 33), [(4, 6, 33), (33,)]),
    "conv1d causal": Row(conv1d(4, 3, 1, "causal", 2, 2), (9, 6), (9, 4), [(3, 3, 4), (4,)]),
    "max_pooling1d": Row(of_steps(pooling("max_pooling2d", (1, 2))), (9, 6), (4, 6), []),
    "average_pooling1d": Row(
        of_steps(pooling("average_pooling2d", (1, 3), (1, 2), "same")), (9, 6), (5, 6), []
    ),
    "global_max_pooling1d": Row(of_steps(("global_max_pooling2d", {"keepdims": True})), (9, 6), (1, 6), []),
    "global_average_pooling1d": Row(
        of_steps(("global_average_pooling2d", {"keepdims": False})), (9, 6), (6,), []
    ),
    "time distributed conv2d": Row(
        each_step(conv2d(5, 3, activation="silu")), (3, *IMAGE), (3, 5, 6, 5), [(3, 3, 6, 5), (5,)]
    ),
    "time distributed conv2d winograd": Row(
        each_step(conv2d(33, 3, activation="relu")), (2, 10, 11, 32), (2, 8, 9, 33), [(3, 3, 32, 33), (33,)]
    ),
    "time distributed dense": Row(each_step(dense(3, "tanh")), (4, 6), (4, 3), [(6, 3), (3,)]),
    "time distributed flatten": Row(each_step(FLATTEN), (3, *IMAGE), (3, 336), []),
    "time distributed dropout": Row(each_step(("dropout", {"rate": 0.3})), (3, 6), (3, 6), []),
    **{name: Row(*row) for name, row in image_rows.ROWS.items()},
    "rescaling": Row(("rescaling", {"scale": 0.5, "offset": -1.0}), IMAGE, IMAGE, []),
}
STEPS = (7, 5)  # (steps, inputs); two steps where outputs grow from step to step
for _kind, _gates in (("simple_rnn", 1), ("lstm", 4), ("gru", 3)):
    for _name, _units, _settings in [
        ("", 6, {}),
        ("with sequences", 33, {"return_sequences": True}),
        ("backwards", 17, {"go_backwards": True}),
        ("with sequences backwards", 3, {"return_sequences": True, "go_backwards": True, "use_bias": False}),
        ("with dropout", 6, {"dropout": 0.3}),
        ("with recurrent dropout", 6, {"recurrent_dropout": 0.3, "go_backwards": True}),
        ("with both dropouts", 17, {"dropout": 0.2, "recurrent_dropout": 0.3, "return_sequences": True}),
        ("relu", 8, {"cell_activation": "relu"}),
        ("of inputs", 5, {"cell_activation": "silu", "recurrent_activation": "gelu"}),
        ("over rows", 5, {"cell_activation": "softmax", "recurrent_activation": "softmax"}),
    ]:
        if _kind == "simple_rnn":
            _settings.pop("recurrent_activation", None)
        for _after in (True, False) if _kind == "gru" else (None,):
            _set = _settings if _after is None else {**_settings, "reset_after": _after}
            _columns = _gates * _units
            _weights: list[Shape] = [
                (5, _columns),
                (_units, _columns),
                (2, _columns) if _after else (_columns,),
            ]
            LAYERS[" ".join(filter(None, (_kind, _name, "" if _after is not False else "early")))] = Row(
                recurrent(_kind, _units, **_set),
                (2, 5) if _name == "of inputs" else STEPS,
                (7, _units) if "return_sequences" in _set else (_units,),
                _weights[: 3 - ("use_bias" in _set)],
            )
for _row in ACTIVATION_ROWS:
    _of = " ".join(map(str, _row.values()))
    LAYERS |= {
        f"activation {_of}": Row(activation(**_row), IMAGE, IMAGE, []),
        f"dense {_of}": Row(dense(5, **_row), (7,), (5,), [(7, 5), (5,)]),
        f"conv2d {_of}": Row(conv2d(5, 3, **_row), IMAGE, (5, 6, 5), [(3, 3, 6, 5), (5,)]),
    }
rows = pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in LAYERS.items()])


def surrounded(row: Row) -> list[Spec]:
    """The layer between two with parameters: the first needs its input gradient, the second its output."""
    return [dense(row.input[-1], "tanh"), row.spec, FLATTEN, dense(3)]


def test_every_kind_has_a_row() -> None:
    of_several_inputs = {cls.kind for cls in layers.CLASSES.values() if cls.takes_several}  # test_merging.py
    elsewhere = {"embedding", "masked_average", "select"}  # see test_masks.py and test_embedding.py
    assert {row.spec[0] for row in LAYERS.values()} | of_several_inputs | elsewhere == set(
        _core.layer_kinds()
    )


@rows
def test_shapes(row: Row) -> None:
    output, parameters = _core.infer(row.spec, [row.input])
    assert output == row.output
    assert [shape for _, shape in parameters] == row.parameters
    if "center" in row.spec[1]:
        wanted = [("gamma", row.spec[1]["scale"]), ("beta", row.spec[1]["center"])]
        moving = ["moving_mean", "moving_variance"] * (row.spec[0] == "batch_normalization")
        names = [name for name, used in wanted if used] + moving
    elif row.spec[0] in RECURRENT:
        names = ["kernel", "recurrent_kernel", "bias"][: len(parameters)]
    else:
        of_kind = {"prelu": ["alpha"], "normalization": ["mean", "variance", "count"]}
        names = of_kind.get(row.spec[0], ["kernel", "bias"])[: len(parameters)]
    assert [name for name, _ in parameters] == names


@rows
@pytest.mark.parametrize("fuse", [True, False])
def test_forward(isa: str, rng: np.random.Generator, row: Row, fuse: bool) -> None:
    net, model = network(row.input, [row.spec], rng, fuse=fuse)
    x = normal(rng, BATCH, *row.input)
    assert net.output_shapes([row.input]) == [row.output]
    for training in (False, True):
        expected = model.forward(x, training)[-1]
        assert_close(net.forward(x, training), expected, int(np.prod(row.input)))
    model.parameters = of_layers(net, 1, "parameters")  # with the state that a call in training has moved
    out = np.zeros((BATCH, *row.output), np.float32)
    assert net.predict(x, out, 0, BATCH, 60.0) == BATCH
    assert_close(out, model.forward(x)[-1], int(np.prod(row.input)))


@rows
def test_backward(isa: str, rng: np.random.Generator, row: Row) -> None:
    """The layer alone: dx and the gradient of each parameter for a given dy."""
    x, dy = normal(rng, BATCH, *row.input), normal(rng, BATCH, *row.output)
    scale = 0.3 if row.spec[0] in RECURRENT else 1.0  # so that little grows from step to step
    parameters = [np.asarray(normal(rng, *shape, scale=scale)) for shape in row.parameters]
    if row.spec[0] == "normalization":
        parameters = [np.abs(each) for each in parameters]
    dx, gradients = _core.backward(row.spec, dy, x, parameters, seed=4)
    model = ReferenceModel([row.spec], [parameters], seed=4)
    mask = model.mask(0, x.shape, step=0)
    expected_dx, expected = layer_backward(row.spec, dy, x.astype(float), parameters, mask)
    length = BATCH * int(np.prod(row.input))
    assert_close(dx, expected_dx, length, name="dx")
    assert len(gradients) == len(expected)
    for actual, gradient in zip(gradients, expected):
        assert_close(actual, gradient, length)
    y = _core.forward(row.spec, x, parameters, training=True, seed=4)
    assert_close(y, layer_forward(row.spec, x.astype(float), parameters, mask), length)


@rows
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fuse", [True, False])
def test_gradients(isa: str, rng: np.random.Generator, row: Row, fuse: bool, weighted: bool) -> None:
    """The layer in a network: the loss and the gradient of every parameter, in front of it and behind it."""
    layers = surrounded(row)
    net, model = network(row.input, layers, rng, loss_spec("mean_squared_error"), ADAM, fuse=fuse)
    x, y = normal(rng, BATCH, *row.input), normal(rng, BATCH, 3)
    weight = rng.uniform(0, 2, size=BATCH).astype(np.float32) if weighted else None
    before = net.read("parameters")
    loss = net.gradients(x, y, weight)
    expected = model.gradients(x, y, weight)
    length = int(np.prod(row.input))
    assert_close(loss, expected.loss, length)
    for layer, arrays in enumerate(of_layers(net, len(layers), "gradients")):
        for actual, gradient in zip(arrays, expected.gradients[layer]):
            assert_close(actual, gradient, BATCH * length, name=f"layer {layer}")
    assert net.read("parameters").tobytes() == before.tobytes()


@rows
def test_gradients_are_slopes_of_the_loss(rng: np.random.Generator, row: Row) -> None:
    """Without the reference: along a random direction, the loss changes as its gradients say."""
    if row.spec[0] == "activation" and jumps(row.spec[1]):
        pytest.skip("a step may cross a jump, of which the slope knows nothing")
    net, _ = network(row.input, surrounded(row), rng, loss_spec("mean_squared_error"), ADAM)
    x, y = normal(rng, BATCH, *row.input), normal(rng, BATCH, 3)
    parameters = net.read("parameters").astype(float)
    loss = net.gradients(x, y, None)
    gradient = net.read("gradients").astype(float)
    direction = gradient / np.linalg.norm(gradient)
    h = 2e-3
    losses = []
    for sign in (1, -1):
        net.write("parameters", (parameters + sign * h * direction).astype(np.float32))
        losses.append(net.gradients(x, y, None))
    slope = (losses[0] - losses[1]) / (2 * h)
    assert slope == pytest.approx(np.linalg.norm(gradient), rel=0.02, abs=1e-4 * (1 + loss))


def pictures(rng: np.random.Generator, samples: int, shape: Shape) -> np.ndarray[Any, Any]:
    """Images are blank above, some all over; -0 is not taken for +0."""
    x = normal(rng, samples, *shape)
    if len(shape) == 3:
        x[:, : shape[0] // 2] = x[::5] = 0.0
        x[1, 0] = -0.0
    return x


def train(
    shape: Shape, layers: list[Spec], loss: Spec, threads: int, optimizer: Spec
) -> tuple[bytes, list[float], bytes]:
    """Parameters, metrics and predictions after two epochs with the given number of threads."""
    _core.set_num_threads(threads)
    rng = np.random.default_rng(5)
    net, _ = network(shape, layers, rng, loss, optimizer)
    # enough work for a second thread in every row, and a last batch that is smaller
    batch, samples = 301, 310
    x = pictures(rng, samples, shape)
    y = row_targets(rng, LOSSES[loss[0]].inputs, (samples, *net.output_shapes([shape])[0]))
    order = rng.permutation(samples).astype(np.int64)
    sums = _core.Sums()
    for _ in range(2):
        position = 0
        while position < samples:
            position = net.train(x, y, None, order, position, samples, batch, 60.0, sums)
    out = np.zeros((samples, *net.output_shapes([shape])[0]), np.float32)
    net.predict(x, out, 0, samples, 60.0)
    assert np.isfinite(net.results(sums)).all()
    return net.read("parameters").tobytes(), net.results(sums), out.tobytes()


def many_rows(row: Row) -> tuple[Shape, list[Spec], Spec]:
    """Vectors become 40 rows a sample, for more work, where the layer takes rows."""
    takes_rows = len(row.input) == 1 and row.spec[0] != "repeat_vector"
    shape = (40, *row.input) if takes_rows else row.input
    return shape, surrounded(row), loss_spec("mean_absolute_error")


@rows
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("optimizer", [ADAM, SGD], ids=["adam", "sgd"])
def test_training_has_the_same_bits_for_any_number_of_threads(row: Row, optimizer: Spec) -> None:
    expected = train(*many_rows(row), 1, optimizer)
    for threads in (2, 3, 7, 16):
        assert train(*many_rows(row), threads, optimizer) == expected, f"{threads} threads"


@pytest.mark.full
@rows
@pytest.mark.usefixtures("isa", "threads")
def test_threads_on_each_instruction_set(row: Row) -> None:
    assert train(*many_rows(row), 3, ADAM) == train(*many_rows(row), 1, ADAM)


@pytest.mark.parametrize(
    ("last", "loss"), [("sigmoid", "binary_crossentropy"), ("softmax", "categorical_crossentropy")]
)
@pytest.mark.parametrize("fuse", [True, False])
def test_crossentropy_after_its_activation_is_exact_far_away(fuse: bool, last: str, loss: str) -> None:
    """Computed from logits: where a probability is 0 in float32, loss and gradient are not clipped."""
    net = chain((2,), [dense(2, last, use_bias=False)], fuse)
    compile_chain(net, loss_spec(loss), (), SGD)
    flat = net.read("parameters")
    flat[:4] = [1, 0, 0, 1]
    net.write("parameters", flat)
    x, y = np.array([[200.0, -200.0]]), np.array([[0.0, 1.0]])
    expected = 200.0 if last == "sigmoid" else 400.0
    assert net.gradients(x, y, None) == pytest.approx(expected)
    assert np.abs(net.read("gradients")).max() > 50
    np.testing.assert_allclose(net.forward(x, False), [[1.0, 0.0]], atol=1e-7)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("fuse", [True, False])
def test_blank_images_hide_no_nan(fuse: bool) -> None:
    layers: list[Spec] = [conv2d(3, 3, use_bias=False), pooling("max_pooling2d"), FLATTEN, dense(2)]
    net = chain((6, 6, 1), layers, fuse)
    compile_chain(net, loss_spec("mean_squared_error"), (), SGD, [True] * 4)
    net.gradients(np.zeros((1, 6, 6, 1)), np.full((1, 2), np.nan), None)
    assert np.isnan(net.read("gradients")[:27]).all()


def test_dropout_moves_on_with_the_steps(rng: np.random.Generator) -> None:
    layers: list[Spec] = [("dropout", {"rate": 0.5}), dense(1)]
    net, model = network((50,), layers, rng, loss_spec("mean_squared_error"), SGD)
    net.seed = model.seed = 123
    x, y = np.ones((8, 50), np.float32), np.zeros((8, 1), np.float32)
    for step in range(3):
        assert net.iterations == step
        model.parameters = of_layers(net, 2, "parameters")
        assert_close(net.gradients(x, y, None), model.gradients(x, y, step=step).loss, 50)
        net.train(x, y, None, None, 0, 8, 8, 60.0, _core.Sums())


def test_frozen_layers_stay(rng: np.random.Generator) -> None:
    layers = [dense(4, "tanh"), dense(4, "tanh"), dense(2)]
    net, _ = network((3,), layers, rng, loss_spec("mean_squared_error"), ADAM)
    compile_chain(net, loss_spec("mean_squared_error"), (), ADAM, [True, False, True])
    before = of_layers(net, 3, "parameters")
    net.train(normal(rng, 8, 3), normal(rng, 8, 2), None, None, 0, 8, 4, 60.0, _core.Sums())
    after = of_layers(net, 3, "parameters")
    changed = [any((a != b).any() for a, b in zip(x, y)) for x, y in zip(before, after)]
    assert changed == [True, False, True]
