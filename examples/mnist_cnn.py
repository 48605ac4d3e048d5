"""Lesson 3: a convolutional network reads handwritten digits.

Everything between the digits and the pictures is Keras code; only the imports say nncore.

    python examples/mnist_cnn.py

Trains on all of MNIST (60,000 digits) if it is at hand or can be downloaded, else on the 4,500 digits that
come with nncore. The pictures need matplotlib: pip install matplotlib.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nncore
from nncore.datasets import mnist
from nncore.layers import Conv2D, Dense, Flatten, MaxPooling2D
from nncore.models import Sequential
from nncore.utils import to_categorical


def main(
    epochs: int | None = None, sample: bool = False, seed: int = 1, folder: str | None = "mnist_cnn"
) -> float:
    """The accuracy on the test digits. Pictures and the model go into `folder`, if any."""
    nncore.utils.set_random_seed(seed)

    # The digits: 28 x 28 pixels from 0 to 255, and what each one is.
    try:
        (x_train, y_train), (x_test, y_test) = mnist.load_sample() if sample else mnist.load_data()
    except OSError as error:
        print(f"The full MNIST cannot be had here. {error}")
        print("Going on with the 4,500 digits that come with nncore.")
        (x_train, y_train), (x_test, y_test) = mnist.load_sample()
    epochs = epochs or (3 if len(x_train) > 10_000 else 12)

    # A network likes small numbers and wants to know the number of channels: 1, grey.
    x_train = x_train.reshape(-1, 28, 28, 1).astype("float32") / 255
    x_test = x_test.reshape(-1, 28, 28, 1).astype("float32") / 255
    # 3 becomes 0 0 0 1 0 0 0 0 0 0: ten answers, one of them right.
    targets_train = to_categorical(y_train, 10)
    targets_test = to_categorical(y_test, 10)

    # 64 little pictures of 3 x 3 are looked for everywhere; the best match in each 2 x 2 field decides; from
    # all of that, ten probabilities.
    model = Sequential()
    model.add(Conv2D(64, kernel_size=3, activation="relu", input_shape=(28, 28, 1)))
    model.add(MaxPooling2D(pool_size=2))
    model.add(Flatten())
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.summary()

    history = model.fit(x_train, targets_train, epochs=epochs, validation_data=(x_test, targets_test))
    loss, accuracy = model.evaluate(x_test, targets_test)
    print(f"Test accuracy {accuracy:.2%}, loss {loss:.4f}")

    predictions = model.predict(x_test)
    print(f"The first ten test digits: {y_test[:10]}")
    print(f"What the network says:     {predictions[:10].argmax(axis=1)}")

    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        model.save(f"{folder}/model.safetensors")
        wrong = np.flatnonzero(predictions.argmax(axis=1) != y_test)[:20]
        try:
            nncore.plot.history(history).savefig(f"{folder}/history.png")
            nncore.plot.images(x_test[:40], y_test[:40], predictions[:40]).savefig(f"{folder}/digits.png")
            nncore.plot.images(x_test[wrong], y_test[wrong], predictions[wrong]).savefig(
                f"{folder}/mistakes.png"
            )
        except ImportError as error:
            print(error)
        print(f"Written to {folder}/")
    return accuracy


if __name__ == "__main__":
    main()
