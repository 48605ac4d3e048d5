"""Lesson 4: a residual network reads handwritten digits: a graph of layers in place of a chain.

A block adds what two convolutions make of an image to the image itself, so it only has to learn the
difference. Everything between the digits and the time is Keras code; only the imports say nncore.

    python examples/residual.py

Trains on all of MNIST (60,000 digits) if it is at hand or can be downloaded, else on the 4,500 digits that
come with nncore.
"""

from __future__ import annotations

import time
from typing import Any

import nncore
from nncore.datasets import mnist
from nncore.layers import Add, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D, ReLU, Rescaling
from nncore.models import Model


def block(x: Any, filters: int) -> Any:
    """Two convolutions with a skip connection: (n, h, w, filters) -> the same shape."""
    y = Conv2D(filters, 3, padding="same", activation="relu")(x)
    y = Conv2D(filters, 3, padding="same")(y)
    return ReLU()(Add()([x, y]))


def build() -> Model:
    """28 x 28 pixels to ten probabilities, by a block at 14 x 14 and one at 7 x 7."""
    image = Input((28, 28, 1))
    x = Rescaling(1 / 255)(image)
    x = Conv2D(16, 3, padding="same", activation="relu")(x)
    x = block(MaxPooling2D()(x), 16)
    x = Conv2D(32, 3, padding="same", activation="relu")(x)
    x = block(MaxPooling2D()(x), 32)
    x = Dropout(0.5)(Flatten()(x))
    model = Model(image, Dense(10, activation="softmax")(x))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs: int | None = None, sample: bool = False, seed: int = 1) -> float:
    """The accuracy on the test digits."""
    nncore.utils.set_random_seed(seed)
    try:
        (x_train, y_train), (x_test, y_test) = mnist.load_sample() if sample else mnist.load_data()
    except OSError as error:
        print(f"The full MNIST cannot be had here. {error}")
        print("Going on with the 4,500 digits that come with nncore.")
        (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    epochs = epochs or (5 if len(x_train) > 10_000 else 12)
    x_train, x_test = x_train[..., None], x_test[..., None]

    model = build()
    model.summary()
    start = time.perf_counter()
    model.fit(x_train, y_train, epochs=epochs, validation_data=(x_test, y_test))
    seconds = time.perf_counter() - start
    loss, accuracy = model.evaluate(x_test, y_test)
    print(f"Trained for {seconds:.1f} s: test accuracy {accuracy:.2%}, loss {loss:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
