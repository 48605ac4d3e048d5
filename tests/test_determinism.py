"""The same seed gives the same bits: for any number of threads, any slices of an epoch, and after saving."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimizer_cases import OPTIMIZERS

import nncore
from nncore import layers
from nncore.common.operations import ACTIVATIONS
from nncore.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    LayerNormalization,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)

THREADS = (1, 2, 3, 7, 16)
SAMPLES = 200
IMAGE = (13, 11, 4)

# One row a layer, all between images (13, 11, 4) and a classifier.
STACKS: dict[str, Callable[[], list[Any]]] = {
    "dense": lambda: [Flatten(), Dense(65, activation="relu"), Dense(33, activation="tanh", use_bias=False)],
    "dense of images": lambda: [Dense(7, activation="gelu"), Flatten()],
    "conv2d": lambda: [Conv2D(17, 3, activation="relu"), Conv2D(5, (2, 3), strides=2), Flatten()],
    "conv2d same": lambda: [Conv2D(9, 3, padding="same", activation="silu"), Flatten()],
    "conv2d dilated": lambda: [Conv2D(8, 3, dilation_rate=2, padding="same"), Flatten()],
    "conv2d groups": lambda: [Conv2D(8, 3, groups=2, use_bias=False), Flatten()],
    "conv2d and max_pooling2d": lambda: [Conv2D(16, 3, activation="relu"), MaxPooling2D(2), Flatten()],
    "max_pooling2d": lambda: [Conv2D(6, 1), MaxPooling2D(3, strides=2, padding="same"), Flatten()],
    "average_pooling2d": lambda: [Conv2D(6, 1), AveragePooling2D((2, 3), padding="same"), Flatten()],
    "global_average_pooling2d": lambda: [Conv2D(33, 3), GlobalAveragePooling2D()],
    "global_max_pooling2d": lambda: [Conv2D(33, 3), GlobalMaxPooling2D()],
    "reshape": lambda: [Reshape((11, -1, 4)), Conv2D(3, 2), Reshape((-1,))],
    "rescaling": lambda: [Rescaling(2.0, -1.0), Flatten()],
    "layer_normalization": lambda: [
        LayerNormalization(), Conv2D(5, 3), LayerNormalization([1, 2, 3], scale=False), Flatten(), Dense(33),
        LayerNormalization(center=False),
    ],
    "conv2d_transpose": lambda: [
        Conv2D(8, 3, strides=2), layers.Conv2DTranspose(5, 3, 2, activation="relu"), layers.PReLU(),
        Flatten(),
    ],
    "random images": lambda: [
        layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.2),
        layers.RandomContrast(0.2, (0, 1)), layers.RandomTranslation(0.1, 0.1),
        layers.RandomCrop(10, 9), Conv2D(8, 3), layers.GaussianNoise(0.1), Flatten(),
    ],
    "sizes of images": lambda: [
        layers.Resizing(9, 9), Conv2D(5, 3), layers.UpSampling2D(), layers.ZeroPadding2D(),
        layers.Cropping2D(2), Flatten(),
    ],
    "dropout": lambda: [Dropout(0.3), Flatten(), Dense(50, activation="relu"), Dropout(0.5)],
    "activations": lambda: [Flatten(), *chain(*([Dense(40), Activation(name)] for name in ACTIVATIONS))],
    "layers of activations": lambda: [
        Flatten(), Dense(40), ReLU(), Dense(40), LeakyReLU(), Dense(40), ELU(), Dense(40), Softmax(), Dense(4)
    ],
}  # fmt: skip


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    return rng.integers(0, 255, (SAMPLES, *IMAGE)).astype(np.uint8), rng.integers(0, 10, SAMPLES)


def make(stack: str, optimizer: str = "Adam") -> nncore.Sequential:
    nncore.utils.set_random_seed(11)
    layers = [Input(IMAGE), Rescaling(1 / 255), *STACKS[stack](), Dense(10, activation="softmax")]
    model = nncore.Sequential(layers)
    model.compile(OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def bits(model: nncore.Sequential) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


def trained(
    stack: str, optimizer: str = "Adam", epochs: int = 2
) -> tuple[bytes, dict[str, list[float]], bytes]:
    x, y = data()
    model = make(stack, optimizer)
    history = model.fit(x, y, batch_size=90, epochs=2, validation_split=0.1, verbose=0)
    return bits(model), history.history, model.predict(x).tobytes()


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("stack", STACKS)
def test_any_number_of_threads_gives_the_same_bits(stack: str) -> None:
    results = []
    for threads in THREADS:
        nncore.set_num_threads(threads)
        results.append(trained(stack))
    assert all(result == results[0] for result in results[1:])
    assert np.isfinite(results[0][1]["loss"]).all()


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_optimizer_gives_the_same_bits(optimizer: str) -> None:
    results = []
    for threads in THREADS:
        nncore.set_num_threads(threads)
        results.append(trained("conv2d and max_pooling2d", optimizer))
    assert all(result == results[0] for result in results[1:])


@pytest.mark.parametrize("stack", ["dense", "conv2d and max_pooling2d", "dropout"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_after_saving_as_if_nothing_had_happened(
    stack: str, optimizer: str, tmp_path: Path
) -> None:
    x, y = data()
    whole, halves = make(stack, optimizer), make(stack, optimizer)
    expected = whole.fit(x, y, epochs=4, verbose=0).history
    first = halves.fit(x, y, epochs=2, verbose=0).history
    halves.save(tmp_path / "model.safetensors")
    loaded = nncore.models.load_model(tmp_path / "model.safetensors")
    second = loaded.fit(x, y, epochs=2, verbose=0).history
    assert bits(loaded) == bits(whole)
    assert {name: first[name] + second[name] for name in expected} == expected


def test_steps_of_single_batches_are_the_same_as_fit() -> None:
    x, y = data()
    one, other = make("dropout"), make("dropout")
    one.fit(x, y, batch_size=32, shuffle=False, verbose=0)
    for start in range(0, SAMPLES, 32):
        other.train_on_batch(x[start : start + 32], y[start : start + 32])
    assert bits(one) == bits(other)


def test_callbacks_for_batches_change_nothing() -> None:
    x, y = data()
    seen: list[int] = []
    watch = nncore.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    one, other = make("dropout"), make("dropout")
    one.fit(x, y, epochs=2, verbose=0)
    other.fit(x, y, epochs=2, verbose=0, callbacks=[watch])
    assert seen == [*range(7), *range(7)]
    assert bits(one) == bits(other)


def test_a_generator_of_the_same_batches_gives_the_same_bits() -> None:
    x, y = data()
    one, other = make("dropout"), make("dropout")
    one.fit(x, y, batch_size=50, shuffle=False, verbose=0)
    other.fit(((x[i : i + 50], y[i : i + 50]) for i in range(0, SAMPLES, 50)), verbose=0)
    assert bits(one) == bits(other)


def test_the_seed_decides_everything() -> None:
    assert trained("dropout") == trained("dropout")
    one = make("dropout")
    nncore.utils.set_random_seed(12)
    other = nncore.Sequential([Input(IMAGE), *STACKS["dropout"](), Dense(10, activation="softmax")])
    assert [w.shape for w in other.get_weights()] == [w.shape for w in one.get_weights()]
    assert bits(other) != bits(one)


def test_adding_layers_one_by_one_gives_the_same_weights() -> None:
    nncore.utils.set_random_seed(11)
    model = nncore.Sequential()
    for layer in [Input(IMAGE), Rescaling(1 / 255), *STACKS["conv2d"](), Dense(10, activation="softmax")]:
        model.add(layer)
    assert bits(model) == bits(make("conv2d"))


def test_the_seed_of_python_and_numpy_is_set_too() -> None:
    nncore.utils.set_random_seed(5)
    first = random.random(), np.random.rand()  # noqa: NPY002
    nncore.utils.set_random_seed(5)
    assert first == (random.random(), np.random.rand())  # noqa: NPY002


def test_models_without_a_seed_differ() -> None:
    code_free = [nncore.Sequential([Input((3,)), Dense(4)]).get_weights()[0] for _ in range(2)]
    assert not np.array_equal(*code_free)


def test_every_weight_starts_from_numbers_of_its_own() -> None:
    for seed in range(3):
        nncore.utils.set_random_seed(seed)
        kernels = nncore.Sequential([Input((5,)), Dense(5), Dense(5), Dense(5)]).get_weights()[::2]
        assert len({kernel.tobytes() for kernel in kernels}) == 3
    normal: dict[str, Any] = {f"{name}_initializer": "random_normal" for name in ("kernel", "bias")}
    weights = nncore.Sequential([Input((6,)), *(Dense(6, **normal) for _ in range(40))]).get_weights()
    first = np.stack([weight.reshape(-1)[:6] for weight in weights])
    assert first.shape == (80, 6)
    assert np.unique(first).size == first.size


def test_every_epoch_has_an_order_of_its_own() -> None:
    """The loss of the first batch, of one sample, shows the order."""
    x, y = data()
    model = make("rescaling", "SGD")
    model.optimizer.learning_rate = 0.0  # type: ignore[union-attr]
    orders: list[list[float]] = []
    losses: list[float] = []
    watch = nncore.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: losses.clear(),
        on_train_batch_end=lambda batch, logs: losses.append(logs["loss"] * (batch + 1)),
        on_epoch_end=lambda epoch, logs: orders.append(list(losses)),
    )
    model.fit(x[:40], y[:40], batch_size=1, epochs=3, verbose=0, callbacks=[watch])
    assert orders[0][:5] != orders[1][:5] != orders[2][:5]
    singles = [np.sort(np.diff(order, prepend=0.0)) for order in orders]
    np.testing.assert_allclose(singles[0], singles[1], atol=1e-4)
    orders.clear()
    model.fit(x[:40], y[:40], batch_size=1, epochs=2, verbose=0, callbacks=[watch], shuffle=False)
    np.testing.assert_array_equal(orders[0], orders[1])


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("key", [[0, 0], [3, 4], [2**63 - 1, 2**62]])
def test_orders_are_those_of_a_new_generator(count: int, key: list[int]) -> None:
    from nncore.common import seeds

    for _ in range(2):
        expected = np.random.Generator(np.random.Philox(key=key)).permutation(count)
        np.testing.assert_array_equal(seeds.permutation(*key, count), expected)


def test_long_orders_are_those_of_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    from nncore.common import seeds

    expected = seeds.permutation(3, 4, 1000)
    monkeypatch.setattr(seeds, "_LONG", 10)
    np.testing.assert_array_equal(seeds.permutation(3, 4, 1000), expected)
