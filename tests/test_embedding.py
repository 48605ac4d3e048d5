"""Embedding: values, gradients by the rows that occur, numbers that name no row, and equal bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference_layers import FLATTEN, Spec, dense, loss_spec
from reference_model import assert_close, compile_chain

import nncore
from nncore import _core, layers
from nncore.layers import Dense, Embedding, Flatten, Input

Array = np.ndarray[Any, Any]


def embedding(rows: int, columns: int) -> Spec:
    return "embedding", {"input_dim": rows, "output_dim": columns, "name": "words"}


def net_of(rows: int, columns: int, steps: int, rng: np.random.Generator) -> _core.Network:
    specs = [embedding(rows, columns), FLATTEN, dense(1)]
    calls = [(i, [i]) for i in range(3)]
    net = _core.Network([(steps,)], specs, calls, [3])
    net.write("parameters", rng.normal(size=net.read("parameters").shape).astype(np.float32) / 8)
    compile_chain(net, loss_spec("mean_squared_error"), (), ("sgd", {"learning_rate": 0.1}), [True] * 3)
    return net


def part(net: _core.Network, buffer: str, number: int) -> Array:
    _, _, at, shape = net.layout[number]
    return net.read(buffer)[at : at + int(np.prod(shape))].reshape(shape).astype(float)


# Numbers of rows and columns, and of samples and steps: several tiles, in both directions; one, two and three
# bytes of a row's number; and rows that occur more than 4,096 times.
SIZES = [
    (1, 3, 4, 2), (7, 5, 9, 3), (256, 40, 30, 20), (257, 40, 30, 20), (70000, 3, 50, 9), (40, 1100, 8, 5),
    (3, 6, 600, 30),
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.usefixtures("isa")
def test_values_and_gradients(size: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    rows, columns, samples, steps = size
    net = net_of(rows, columns, steps, rng)
    x, y = rng.integers(0, rows, (samples, steps)), rng.normal(size=(samples, 1))
    table, kernel, bias = (part(net, "parameters", i) for i in range(3))
    inner = table[x].reshape(samples, -1)
    assert_close(net.forward(x, False), inner @ kernel + bias, steps * columns)
    assert_close(net.gradients(x, y, None), np.mean((inner @ kernel + bias - y) ** 2), steps * columns)
    dy = 2 * (inner @ kernel + bias - y) / samples
    expected = np.zeros(table.shape)
    np.add.at(expected, x, (dy @ kernel.T).reshape(samples, steps, columns))
    assert_close(part(net, "gradients", 0), expected, samples * steps)
    assert (part(net, "gradients", 0)[~np.isin(np.arange(rows), x)] == 0).all()


@pytest.mark.usefixtures("threads")
def test_training_has_the_same_bits_for_any_number_of_threads() -> None:
    def trained(threads: int) -> tuple[bytes, list[float]]:
        _core.set_num_threads(threads)
        rng, sums = np.random.default_rng(3), _core.Sums()
        net = net_of(3000, 48, 30, rng)
        x = (rng.integers(0, 3000, (400, 30)) * (rng.random((400, 30)) < 0.5)).astype(np.int32)
        position = 0
        while position < 400:
            position = net.train(
                x, np.cos(x[:, :1]), None, rng.permutation(400), position, 400, 150, 60.0, sums
            )
        return net.read("parameters").tobytes(), net.results(sums)

    expected = trained(1)
    for threads in (2, 3, 7):
        assert trained(threads) == expected


def model_of(steps: int = 3) -> nncore.Sequential:
    nncore.utils.set_random_seed(1)
    model = nncore.Sequential([Input((steps,)), Embedding(10, 4, name="words"), Flatten(), Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("wrong", [10, -1, 2.5, np.nan, np.inf, 1e9, 2**60])
@pytest.mark.parametrize("way", ["fit", "shuffled", "evaluate", "predict", "train_on_batch", "call", "layer"])
def test_a_number_that_names_no_row(way: str, wrong: float) -> None:
    model = model_of()
    x, y = np.ones((200, 3), dtype=np.float64), np.zeros((200, 1))
    x[150, 1], x[170, 0] = wrong, 11
    before = model.get_weights()
    ways = {
        "fit": lambda: model.fit(x, y, batch_size=200, verbose=0, shuffle=False),
        "shuffled": lambda: model.fit(x[:151], y[:151], batch_size=151, verbose=0),
        "evaluate": lambda: model.evaluate(x, y, verbose=0),
        "predict": lambda: model.predict(x),
        "train_on_batch": lambda: model.train_on_batch(x, y),
        "call": lambda: model(x, training=True),
        "layer": lambda: Embedding(10, 2)(x),
    }
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 9 .*input_dim.* position 1 of sample 150"):
        ways[way]()
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert model.optimizer.iterations == 0
    assert np.isfinite(model.predict(np.zeros((2, 3)))).all()
    assert np.isfinite(model.train_on_batch(np.zeros((2, 3)), np.zeros((2, 1))))


def test_the_error_names_the_layer() -> None:
    with pytest.raises(ValueError, match=r"\[words\] takes whole numbers"):
        model_of().predict([[1, 2, 30]])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool"])
def test_whole_numbers_of_any_type(dtype: str) -> None:
    x = np.array([[0, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(model_of().predict(x.astype(dtype)), model_of().predict(x))


def test_numbers_that_other_layers_compute() -> None:
    """The table of numbers made by a layer; the layer gets no gradient."""
    x = Input((3,))
    whole = layers.Rescaling(2.0, 1.0)(x)
    model = nncore.Model(x, Dense(1)(Flatten()(Embedding(8, 2)(whole))))
    model.compile("sgd", "mse")
    model.fit([[0, 1, 2], [3, 0, 0]], [1, 2], verbose=0)
    with pytest.raises(ValueError, match="got 9 at position 2 of sample 1"):
        model.predict([[0, 1, 2], [3, 0, 4]])


def test_a_table_that_two_inputs_read() -> None:
    shared, a, b = Embedding(6, 3), Input((2,)), Input((4,))
    flat = [Flatten()(shared(a)), Flatten()(shared(b))]
    model = nncore.Model([a, b], Dense(1, use_bias=False)(layers.Concatenate()(flat)))
    model.compile(nncore.optimizers.SGD(0.5), "mse")
    xs = [np.array([[1, 2], [3, 2]]), np.array([[1, 1, 0, 5], [2, 4, 4, 4]])]
    table, kernel = (w.astype(float) for w in model.get_weights())
    inner = np.concatenate([table[x].reshape(2, -1) for x in xs], axis=1)
    slope = (2 * (inner @ kernel - 1) / 2 @ kernel.T).reshape(2, 6, 3)
    np.add.at(table, np.concatenate(xs, axis=1), -0.5 * slope)
    model.train_on_batch(xs, np.ones((2, 1)))
    assert_close(model.get_weights()[0], table, 20)


def test_arguments() -> None:
    table = np.arange(6).reshape(3, 2)
    for weights in (table, [table], [table.tolist()]):
        np.testing.assert_array_equal(Embedding(3, 2, weights=weights).embeddings.numpy(), table)
    with pytest.raises(ValueError, match="expected weights of shape"):
        Embedding(3, 2, weights=np.zeros((2, 2)))
    for name, sizes in {"input_dim": (0, 2), "output_dim": (2, 0)}.items():
        with pytest.raises(ValueError, match=name):
            Embedding(*sizes)
    with pytest.raises(ValueError, match="input_dim"):
        Embedding(2**24 + 1, 1)
    with pytest.warns(UserWarning, match="input_length has no effect"):
        layer = Embedding(3, 2, input_length=4, embeddings_constraint="non_neg", mask_zero=True)
    again = Embedding.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.supports_masking
    initial = Embedding(1000, 8)
    initial.build()
    assert 0.045 < np.abs(initial.get_weights()[0]).max() < 0.05
    with pytest.raises(AttributeError):
        _ = Embedding(3, 2).embeddings


def test_a_frozen_table_and_its_rules() -> None:
    model = nncore.Sequential(
        [
            Input((2,)),
            Embedding(5, 3, embeddings_regularizer="l2", embeddings_constraint="non_neg"),
            Flatten(),
            Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    model.fit([[0, 1], [4, 4]], [1, 2], verbose=0)
    assert (model.get_weights()[0] >= 0).all()
    assert model.losses
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.fit([[0, 1], [4, 4]], [1, 2], verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
