"""Layers that draw random numbers: their distributions, seeds and calls; the numbers of `Normalization`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers
from nncore.layers import Input

IMAGES = np.random.default_rng(2).random((6, 8, 7, 3), dtype=np.float32)
SAMPLES = 4000

RANDOM: dict[str, Callable[..., layers.Layer]] = {
    "RandomFlip": lambda **o: layers.RandomFlip(**o),
    "RandomRotation": lambda **o: layers.RandomRotation(0.2, **o),
    "RandomZoom": lambda **o: layers.RandomZoom(0.3, **o),
    "RandomTranslation": lambda **o: layers.RandomTranslation(0.2, 0.3, **o),
    "RandomCrop": lambda **o: layers.RandomCrop(5, 4, **o),
    "RandomContrast": lambda **o: layers.RandomContrast(0.4, (-1, 2), **o),
    "RandomBrightness": lambda **o: layers.RandomBrightness(0.3, (-1, 2), **o),
    "GaussianNoise": lambda **o: layers.GaussianNoise(0.2, **o),
    "GaussianDropout": lambda **o: layers.GaussianDropout(0.2, **o),
    "AlphaDropout": lambda **o: layers.AlphaDropout(0.2, **o),
}
each = pytest.mark.parametrize("name", RANDOM)


def drawn(layer: layers.Layer, pixel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A value of each of many equal images, behind the layer."""
    return np.asarray(layer(np.broadcast_to(pixel, (SAMPLES, *pixel.shape)), training=True))


def assert_uniform(values: np.ndarray[Any, Any], low: float, high: float) -> None:
    grid = np.linspace(low, high, 11)[1:-1]
    shares = (values[:, None] < grid).mean(0)
    np.testing.assert_allclose(shares, np.linspace(0, 1, 11)[1:-1], atol=0.035)
    assert low - 1e-5 <= values.min() < values.max() <= high + 1e-5
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.05


@pytest.fixture(autouse=True)
def _seeded() -> None:
    nncore.utils.set_random_seed(5)


def test_flips_come_in_half_of_the_images() -> None:
    pixel = np.arange(4.0).reshape(2, 2, 1)
    found, counts = np.unique(
        drawn(layers.RandomFlip(), pixel).reshape(SAMPLES, 4), axis=0, return_counts=True
    )
    assert found.tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert abs(counts[0] / SAMPLES - 0.5) < 0.03
    for mode, other in (("horizontal", [1, 0, 3, 2]), ("vertical", [2, 3, 0, 1])):
        rows = drawn(layers.RandomFlip(mode), pixel).reshape(SAMPLES, 4)
        assert np.unique(rows, axis=0).tolist() == sorted([[0, 1, 2, 3], other])


def test_translations_are_uniform() -> None:
    ramp = np.arange(20.0).reshape(1, 20, 1)
    moved = drawn(layers.RandomTranslation(0.0, (-0.2, 0.3)), ramp)[:, 0, 10, 0]
    assert_uniform(10 - moved, -4, 6)
    moved = drawn(layers.RandomTranslation((-0.2, 0.3), 0.0), ramp.reshape(20, 1, 1))[:, 10, 0, 0]
    assert_uniform(10 - moved, -4, 6)


def test_zooms_are_uniform_and_keep_the_aspect_unless_told() -> None:
    down, across = np.meshgrid(np.arange(21.0) - 10, np.arange(21.0) - 10, indexing="ij")
    image = np.stack([down, across], -1)
    at = drawn(layers.RandomZoom((-0.5, 0.4)), image)[:, 15, 15]
    np.testing.assert_allclose(at[:, 0], at[:, 1], atol=1e-5)
    assert_uniform(at[:, 0] / 5, 0.5, 1.4)
    at = drawn(layers.RandomZoom((-0.5, 0.4), (0.0, 0.2)), image)[:, 15, 15]
    assert_uniform(at[:, 1] / 5, 1.0, 1.2)
    assert abs(np.corrcoef(at.T)[0, 1]) < 0.05


def test_angles_are_uniform() -> None:
    down, across = np.meshgrid(np.arange(21.0) - 10, np.arange(21.0) - 10, indexing="ij")
    at = drawn(layers.RandomRotation((-0.1, 0.2)), np.stack([down, across], -1))[:, 10, 15]
    np.testing.assert_allclose(np.hypot(*at.T), 5, atol=1e-4)
    assert_uniform(np.arctan2(at[:, 0], at[:, 1]) / (2 * np.pi), -0.1, 0.2)


def test_contrast_and_brightness_are_uniform() -> None:
    pixel = np.array([-1.0, 1.0]).reshape(1, 2, 1)
    found = drawn(layers.RandomContrast((0.3, 0.5), (-9, 9)), pixel)
    np.testing.assert_allclose(found.mean((1, 2, 3)), 0, atol=1e-6)
    assert_uniform(found[:, 0, 1, 0], 0.7, 1.5)
    assert_uniform(drawn(layers.RandomBrightness((-0.3, 0.5), (-9, 9)), pixel)[:, 0, 1, 0], 1 - 5.4, 1 + 9.0)


def test_crops_of_a_batch_are_at_one_place_and_come_everywhere() -> None:
    pixels, layer = np.arange(12.0).reshape(3, 4, 1), layers.RandomCrop(2, 2)
    places = set()
    for _ in range(100):
        corners = layer(np.stack([pixels] * 3), training=True)[:, 0, 0, 0]
        assert len(set(corners.tolist())) == 1
        places.add(float(corners[0]))
    assert places == {0.0, 1.0, 2.0, 4.0, 5.0, 6.0}


def test_noise_is_normal() -> None:
    noise = layers.GaussianNoise(2.0)(np.zeros((500, 400)), training=True)
    ratios = layers.GaussianDropout(0.2)(np.ones((500, 400)), training=True)
    for values, mean, deviation in ((noise, 0.0, 2.0), (ratios, 1.0, 0.5)):
        z = (values.astype(float).ravel() - mean) / deviation
        moments = [np.mean(z**power) for power in range(1, 7)]
        np.testing.assert_allclose(moments, [0, 1, 0, 3, 0, 15], atol=0.4)
        np.testing.assert_allclose(moments[:2], [0, 1], atol=0.01)
        inside = [(np.abs(z) < limit).mean() for limit in (0.5, 1, 2, 3)]
        np.testing.assert_allclose(inside, [0.38292, 0.68269, 0.95450, 0.99730], atol=0.004)
        assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 0.01
    assert abs(np.corrcoef(noise.ravel(), ratios.ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate: float) -> None:
    x = np.random.default_rng(3).normal(size=(400, 500))
    y = layers.AlphaDropout(rate)(x, training=True)
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.03
    _, count = np.unique(y, return_counts=True)
    assert count.max() == pytest.approx(rate * y.size, rel=0.02)


@each
def test_seeds_and_calls(name: str) -> None:
    make, x = RANDOM[name], IMAGES

    def calls(layer: layers.Layer) -> list[bytes]:
        return [layer(x, training=True).tobytes() for _ in range(6)]

    nncore.utils.set_random_seed(1)
    one = calls(make(seed=3))
    nncore.utils.set_random_seed(2)
    two = calls(make(seed=3))
    assert one == two  # whatever the global seed
    assert len({*one, *calls(make(seed=4))}) > 6  # each step and each seed has numbers of its own
    nncore.utils.set_random_seed(1)
    one = calls(make())
    nncore.utils.set_random_seed(1)
    assert calls(make()) == one
    assert len(set(one)) > 1


@each
def test_outside_training_nothing_is_random(name: str) -> None:
    layer = RANDOM[name]()
    still = layer(IMAGES, training=False)
    np.testing.assert_array_equal(layer(IMAGES, training=False), still)
    if name != "RandomCrop":
        np.testing.assert_array_equal(still, IMAGES)
    model = nncore.Sequential([Input(IMAGES.shape[1:]), layer])
    np.testing.assert_array_equal(model.predict(IMAGES), still)
    if name.startswith("Random"):  # as in Keras
        assert any((layer(IMAGES) != still).any() for _ in range(9))
        image = layer(IMAGES[0], training=False)
        np.testing.assert_array_equal(image, still[0])
    else:
        np.testing.assert_array_equal(layer(IMAGES), still)


@each
@pytest.mark.usefixtures("threads")
def test_chunks_and_threads_change_nothing(name: str) -> None:
    """A sample's numbers depend on its place in the batch alone."""
    x = np.broadcast_to(IMAGES, (100, *IMAGES.shape)).reshape(-1, *IMAGES.shape[1:])
    found = []
    for threads in (1, 2, 5):
        nncore.set_num_threads(threads)
        found.append(RANDOM[name](seed=3)(x, training=True))
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    np.testing.assert_array_equal(RANDOM[name](seed=3)(x[:7], training=True), found[0][:7])
    if name not in ("RandomCrop", "RandomFlip"):
        assert len({image.tobytes() for image in found[0][::6]}) > 90  # of equal images


def test_a_model_that_only_augments_does_so_when_it_is_called() -> None:
    parts = [layers.Rescaling(2.0), layers.RandomRotation(0.2), layers.Resizing(8, 7)]
    model = nncore.Sequential(parts)
    still = model.predict(IMAGES)
    np.testing.assert_allclose(still, IMAGES * 2, rtol=1e-6)
    assert (model(IMAGES) != still).any()
    for same in (model(IMAGES, training=False), model.predict_on_batch(IMAGES)):
        np.testing.assert_array_equal(same, still)
    model = nncore.Sequential([*parts, layers.Flatten()])
    np.testing.assert_array_equal(model(IMAGES), model(IMAGES, training=False))


def test_a_seeded_layer_is_the_same_in_models_with_other_seeds() -> None:
    def weights(seed: int) -> bytes:
        nncore.utils.set_random_seed(seed)
        parts = [
            layers.RandomRotation(0.2, seed=7),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer="zeros"),
        ]
        model = nncore.Sequential([Input(IMAGES.shape[1:]), *parts])
        model.compile("sgd", "mse")
        model.fit(IMAGES, np.ones(6), epochs=3, shuffle=False, verbose=0)
        return model.get_weights()[0].tobytes()

    assert weights(1) == weights(2)


def test_adapting_to_batches_is_adapting_to_all() -> None:
    data = (IMAGES * 50 + 1000).astype(np.float32)
    whole, parts = layers.Normalization([1, -1]), layers.Normalization([1, -1])
    whole.adapt(data)
    parts.adapt(batch for batch in (data[:1], (data[1:4], np.ones(3)), data[4:]))
    for a, b in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    np.testing.assert_allclose(whole.get_weights()[0], data.mean((0, 2), np.float64), rtol=1e-7)
    np.testing.assert_allclose(whole.get_weights()[1], data.var((0, 2), np.float64), rtol=1e-6)
    again = whole(data)
    np.testing.assert_allclose(again.mean((0, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(again.std((0, 2)), 1, atol=1e-4)
    whole.adapt(data[:2])  # a second time
    np.testing.assert_allclose(whole.mean.numpy(), data[:2].mean((0, 2), np.float64), rtol=1e-7)
    with pytest.raises(ValueError, match="built for samples of shape"):
        whole.adapt(data[:, :5])


def test_training_leaves_the_numbers_of_normalization_alone() -> None:
    layer = layers.Normalization()
    layer.adapt(IMAGES)
    model = nncore.Sequential([Input(IMAGES.shape[1:]), layer, layers.Flatten(), layers.Dense(1)])
    before = layer.get_weights()
    model.compile("adam", "mse")
    model.fit(IMAGES, np.ones(6), epochs=2, verbose=0)
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert [w.name for w in model.trainable_weights] == ["kernel", "bias"]
    assert model.count_params() == 8 * 7 * 3 + 1 + 7


def test_one_mean_of_numbers_without_an_axis() -> None:
    layer = layers.Normalization(axis=None)
    layer.adapt(np.arange(5.0))
    model = nncore.Sequential([Input((1,)), layer, layers.Dense(1)])
    assert model.predict(np.arange(5.0)).shape == (5, 1)
    np.testing.assert_allclose(layer(np.arange(5.0)), (np.arange(5.0) - 2) / 2**0.5, rtol=1e-6)


def test_an_autoencoder_trains() -> None:
    rng = np.random.default_rng(6)
    x = np.kron(rng.integers(0, 2, (200, 3, 3, 1)), np.ones((1, 4, 4, 1)))  # blocks of 4 x 4 pixels
    parts = [
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
    ]
    model = nncore.Sequential([Input((12, 12, 1)), *parts])
    model.compile(nncore.optimizers.Adam(0.01), "binary_crossentropy")
    loss = model.fit(x, x, epochs=15, verbose=0).history["loss"]
    assert loss[-1] < 0.1 < loss[0]
