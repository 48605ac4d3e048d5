"""An autoencoder that removes noise: digits go through a narrow middle and come back clean.

Two convolutions with strides make 28 x 28 pixels to 7 x 7 x 4 numbers, and two transposed convolutions make
an image of these again. It learns from noisy images what the clean ones look like.

    python examples/autoencoder.py

Uses 20,000 images of MNIST if it is at hand or can be downloaded, else the 4,500 digits that come with
nncore. The picture needs matplotlib: pip install matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nncore
from nncore.datasets import mnist
from nncore.layers import Conv2D, Conv2DTranspose, Input
from nncore.models import Sequential

Array = np.ndarray[Any, Any]
NOISE = 0.5  # standard deviation; pixels are from 0 to 1


def build() -> Sequential:
    """Images (28, 28, 1) to images of the same size, through 7 x 7 x 4."""
    model = Sequential(
        [
            Input((28, 28, 1)),
            Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


def noisy(images: Array, seed: int) -> Array:
    noise = np.random.default_rng(seed).normal(0, NOISE, images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32)


def main(
    epochs: int | None = None, sample: bool = False, seed: int = 1, folder: str | None = "autoencoder"
) -> tuple[float, float]:
    """Mean squared distances to the clean test digits: of what comes out, and of what went in."""
    nncore.utils.set_random_seed(seed)
    try:
        (x_train, _), (x_test, _) = mnist.load_sample() if sample else mnist.load_data()
    except OSError as error:
        print(f"The full MNIST cannot be had here. {error}")
        print("Going on with the 4,500 digits that come with nncore.")
        (x_train, _), (x_test, _) = mnist.load_sample()
    x_train = x_train[:20_000]
    epochs = epochs or (3 if len(x_train) > 10_000 else 20)
    clean, wanted = (x[..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    given = noisy(wanted, seed + 1)

    model = build()
    model.fit(noisy(clean, seed), clean, batch_size=64, epochs=epochs, verbose=0)
    restored = model.predict(given, verbose=0)
    before, after = (float(np.mean((images - wanted) ** 2)) for images in (given, restored))
    print(f"Mean squared distance to the clean digits: {before:.4f} with noise, {after:.4f} after")

    if folder is not None:
        try:
            from matplotlib.figure import Figure

            Path(folder).mkdir(parents=True, exist_ok=True)
            rows = {"noisy": given, "restored": restored, "clean": wanted}
            figure = Figure(figsize=(10, 3.2), layout="constrained")
            axes = figure.subplots(3, 10)
            for of_row, (name, images) in zip(axes, rows.items()):
                of_row[0].set_ylabel(name)
                for axis, image in zip(of_row, images):
                    axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
                    axis.set(xticks=[], yticks=[])
            figure.savefig(Path(folder, "autoencoder.png"), dpi=120)
            print(f"Written to {folder}/")
        except ImportError as error:
            print(error)
    return after, before


if __name__ == "__main__":
    main()
