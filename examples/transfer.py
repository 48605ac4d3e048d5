"""Transfer learning. What a network has learnt of the digits 0 to 4 helps it to read 5 to 9.

Its last layer is taken off, the others are frozen, and a new last layer learns from ten images of each new
digit. The same network with new weights learns from the same images, for comparison. Everything between the
digits and the picture is Keras code; only the imports say nncore.

    python examples/transfer.py

Uses all of MNIST if it is at hand or can be downloaded, else the 4,500 digits that come with nncore. The
picture needs matplotlib: pip install matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nncore
from nncore.datasets import mnist
from nncore.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Rescaling
from nncore.models import Sequential, clone_model

EACH = 10  # images of each new digit


def build() -> Sequential:
    """28 x 28 pixels to five probabilities."""
    layers = [Input((28, 28, 1)), Rescaling(1 / 255)]
    layers += [Conv2D(16, 3, activation="relu"), MaxPooling2D(), Conv2D(32, 3, activation="relu")]
    return Sequential([*layers, MaxPooling2D(), Flatten(), Dense(5, activation="softmax")])


def train(model: Sequential, x: Any, y: Any, epochs: int, batch_size: int) -> None:
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0)


def main(
    epochs: int | None = None, sample: bool = False, seed: int = 1, folder: str | None = "transfer"
) -> tuple[float, float]:
    """Accuracies on the test digits 5 to 9: with what 0 to 4 taught, and without. The picture goes into
    `folder`, if any.
    """
    nncore.utils.set_random_seed(seed)
    try:
        (x_train, y_train), (x_test, y_test) = mnist.load_sample() if sample else mnist.load_data()
    except OSError as error:
        print(f"The full MNIST cannot be had here. {error}")
        print("Going on with the 4,500 digits that come with nncore.")
        (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    epochs = epochs or (2 if len(x_train) > 10_000 else 12)
    x_train, x_test = x_train[..., None], x_test[..., None]

    old = y_train < 5
    model = build()
    train(model, x_train[old], y_train[old], epochs, batch_size=32)
    _, accuracy = model.evaluate(x_test[y_test < 5], y_test[y_test < 5], verbose=0)
    print(f"Digits 0 to 4, learnt from {old.sum():,} images: test accuracy {accuracy:.2%}")

    few = np.concatenate([np.flatnonzero(y_train == digit)[:EACH] for digit in range(5, 10)])
    x_few, y_few = x_train[few], y_train[few] - 5
    x_new, y_new = x_test[y_test >= 5], y_test[y_test >= 5] - 5

    untrained = clone_model(model)  # the same layers with new weights
    train(untrained, x_few, y_few, epochs=60, batch_size=10)
    _, without = untrained.evaluate(x_new, y_new, verbose=0)

    model.pop()
    for layer in model.layers:
        layer.trainable = False
    model.add(Dense(5, activation="softmax"))
    train(model, x_few, y_few, epochs=60, batch_size=10)
    _, transferred = model.evaluate(x_new, y_new, verbose=0)
    print(f"Digits 5 to 9, learnt from {len(few)} images: test accuracy {transferred:.2%}")
    print(f"Digits 5 to 9, from the same images without what 0 to 4 taught: {without:.2%}")

    if folder is not None:
        names = [str(digit) for digit in range(5, 10)]
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            figure = nncore.plot.images(x_new[:40], y_new[:40], model.predict(x_new[:40]), class_names=names)
            figure.savefig(f"{folder}/digits.png")
            print(f"Written to {folder}/")
        except ImportError as error:
            print(error)
    return transferred, without


if __name__ == "__main__":
    main()
