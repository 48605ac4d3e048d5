"""Cases of layers for images and noise for keras_cases.py. Random layers get ranges of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras_graph_cases import FIT, Case, set_weights, told
from keras_normalization_cases import IMAGES

Make = Callable[[Any], Any]


def through(make: Make) -> Case:
    """The output of a layer between two with weights, and all weights after two epochs."""

    def case(k: Any) -> Any:
        n = k.layers
        model = k.Sequential([k.Input((9, 8, 4)), n.Conv2D(3, 1), make(n), n.Flatten(), n.Dense(2)])
        parts = k.Sequential(set_weights(model).layers[:2])
        before = [model.output_shape, told(parts.predict(IMAGES, verbose=0))]
        model.compile("sgd", "mse")
        history = model.fit(IMAGES, IMAGES[:, 0, 0, :2], epochs=2, batch_size=1, **FIT).history
        return [*before, history, told(model.get_weights())]

    return case


def steps(make: Make) -> Case:
    def case(k: Any) -> Any:
        x = IMAGES.reshape(4, 24, 6)
        y = np.asarray(make(k.layers)(x))
        return [list(y.shape), told(y)]

    return case


def drawn(make: Make) -> Case:
    """A layer that is called on images, in training and outside."""

    def case(k: Any) -> Any:
        layer = make(k.layers)
        return [
            np.asarray(layer(x, training=training)).reshape(-1)[::23]
            for x in (IMAGES, IMAGES[:, :4])
            for training in (True, False)
        ]

    return case


def adapted(k: Any) -> Any:
    """Numbers from data, and the ones that are given."""
    n, found = k.layers, []
    for axis in (-1, (1, 3), None, (-2, 1)):
        for invert in (False, True):
            layer = n.Normalization(axis=axis, invert=invert)
            layer.adapt(3 * IMAGES + 1)
            found.append([told(np.asarray(layer(IMAGES))), [list(w.shape) for w in layer.weights]])
            found.append([w.name for w in layer.weights])
    for mean, variance in ((0.5, 2.0), ([1, 2, 3, 4], [4, 3, 2, 0])):
        layer = n.Normalization(mean=mean, variance=variance)
        config = layer.get_config()
        found.append([told(np.asarray(layer(IMAGES))), {key: config[key] for key in ("mean", "variance")}])
    return found


def autoencoder(k: Any) -> Any:
    n = k.layers
    model = k.Sequential(
        [
            k.Input((8, 8, 1)),
            n.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            n.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            n.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    set_weights(model).compile(k.optimizers.Adam(0.01), "binary_crossentropy")
    x = (np.sin(np.arange(16 * 64)) > 0).astype(np.float32).reshape(16, 8, 8, 1)
    history = model.fit(x, x, epochs=4, batch_size=8, **FIT).history
    return [history, told(model.get_weights())]


FILLS = ("reflect", "constant", "wrap", "nearest")

THROUGH: dict[str, Make] = {
    "ReLU, bounded": lambda n: n.ReLU(0.6, 0.1, 0.2),
    "ReLU, six": lambda n: n.ReLU(max_value=0.5),
    "PReLU": lambda n: n.PReLU("ones"),
    "PReLU, shared": lambda n: n.PReLU(shared_axes=[1, 2], alpha_regularizer="l2"),
    "Softmax, axis": lambda n: n.Softmax(axis=1),
    "Softmax, axes": lambda n: n.Softmax(axis=[2, 1]),
    "ZeroPadding2D": lambda n: n.ZeroPadding2D(),
    "ZeroPadding2D, edges": lambda n: n.ZeroPadding2D(((1, 2), (0, 3))),
    "ZeroPadding2D, pair": lambda n: n.ZeroPadding2D((1, 2)),
    "Cropping2D": lambda n: n.Cropping2D(1),
    "Cropping2D, edges": lambda n: n.Cropping2D(((1, 2), (0, 3))),
    "UpSampling2D": lambda n: n.UpSampling2D((2, 3)),
    "UpSampling2D, bilinear": lambda n: n.UpSampling2D((3, 2), interpolation="bilinear"),
    "Resizing": lambda n: n.Resizing(5, 11),
    "Resizing, nearest": lambda n: n.Resizing(12, 5, interpolation="nearest"),
    "Resizing, cropped": lambda n: n.Resizing(4, 9, crop_to_aspect_ratio=True),
    "Resizing, padded": lambda n: n.Resizing(9, 4, pad_to_aspect_ratio=True, fill_value=0.5),
    "CenterCrop": lambda n: n.CenterCrop(4, 5),
    "CenterCrop, small": lambda n: n.CenterCrop(12, 6),
    "Conv2DTranspose": lambda n: n.Conv2DTranspose(5, 3),
    "Conv2DTranspose, strided": lambda n: n.Conv2DTranspose(4, (2, 3), 2, activation="gelu"),
    "Conv2DTranspose, same": lambda n: n.Conv2DTranspose(5, 3, 2, "same", activation="relu"),
    "Conv2DTranspose, even": lambda n: n.Conv2DTranspose(4, 4, 2, "same", use_bias=False),
    "Conv2DTranspose, gaps": lambda n: n.Conv2DTranspose(4, 2, 3, "same"),
    "Conv2DTranspose, one": lambda n: n.Conv2DTranspose(4, 1, 2, "same"),
    "Conv2DTranspose, padded": lambda n: n.Conv2DTranspose(3, 3, 3, "same", output_padding=(1, 2)),
    "Conv2DTranspose, wide": lambda n: n.Conv2DTranspose(3, 3, 3, output_padding=(2, 1)),
    "Conv2DTranspose, dilated": lambda n: n.Conv2DTranspose(3, 3, dilation_rate=2, padding="same"),
    "RandomTranslation in training": lambda n: n.RandomTranslation((0.2, 0.2), (-0.3, -0.3), "constant"),
    "RandomContrast in training": lambda n: n.RandomContrast((-0.5, 0.5), (-0.3, 0.3)),
    "RandomBrightness in training": lambda n: n.RandomBrightness((0.1, 0.1), (-0.5, 1.0)),
}
STEPS: dict[str, Make] = {
    "ZeroPadding1D": lambda n: n.ZeroPadding1D(),
    "ZeroPadding1D, ends": lambda n: n.ZeroPadding1D((2, 1)),
    "Cropping1D": lambda n: n.Cropping1D(),
    "Cropping1D, ends": lambda n: n.Cropping1D((2, 1)),
    "UpSampling1D": lambda n: n.UpSampling1D(3),
}
DRAWN: dict[str, Make] = {
    **{
        f"RandomRotation, {fill}": lambda n, fill=fill: n.RandomRotation((0.15, 0.15), fill, fill_value=0.5)
        for fill in FILLS
    },
    "RandomRotation, nearest pixels": lambda n: n.RandomRotation((-0.07, -0.07), interpolation="nearest"),
    "RandomZoom": lambda n: n.RandomZoom((0.3, 0.3), fill_mode="constant", fill_value=2.0),
    "RandomZoom, both": lambda n: n.RandomZoom((-0.3, -0.3), (0.6, 0.6)),
    "RandomTranslation": lambda n: n.RandomTranslation((0.3, 0.3), (-0.2, -0.2)),
    "RandomTranslation, wrap": lambda n: n.RandomTranslation((-0.35, -0.35), (0.2, 0.2), "wrap", "nearest"),
    "RandomContrast": lambda n: n.RandomContrast((-0.4, 0.4), (-0.5, 0.8)),
    "RandomBrightness": lambda n: n.RandomBrightness((-0.2, -0.2), (-1, 1)),
    "GaussianNoise, none": lambda n: n.GaussianNoise(0.0),
    "GaussianDropout, none": lambda n: n.GaussianDropout(0.0),
    "AlphaDropout, none": lambda n: n.AlphaDropout(0.0),
}


def factors(k: Any) -> Any:
    """What layers make of their arguments."""
    n = k.layers
    made = [
        n.RandomRotation(0.2),
        n.RandomRotation((0.3, -0.1)),
        n.RandomContrast(0.3),
        n.RandomBrightness(0.4),
    ]
    return [list(layer.get_config()["factor"]) for layer in made]


CASES: dict[str, Case] = {
    **{f"layer {name}": through(make) for name, make in THROUGH.items()},
    **{f"layer {name}": steps(make) for name, make in STEPS.items()},
    **{f"layer {name}": drawn(make) for name, make in DRAWN.items()},
    "Normalization": adapted,
    "autoencoder": autoencoder,
    "factors of random layers": factors,
}
