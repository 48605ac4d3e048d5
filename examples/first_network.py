"""Lesson 1: a first network, from a table of two columns to a yes or no.

Everything below is Keras code; only the imports say nncore. The table is one of pandas (pip install pandas).

    python examples/first_network.py
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import nncore
from nncore.layers import Dense
from nncore.models import Sequential


def build() -> Sequential:
    """Two inputs, ten hidden neurons, one output between 0 and 1: 41 numbers to learn."""
    model = Sequential(
        [
            Dense(10, activation="relu", input_shape=(2,)),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def random_answers(rows: int) -> tuple[pd.DataFrame, pd.Series]:
    """Labels drawn without a look at the columns: there is nothing to learn."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.random((rows, 2)), columns=["x1", "x2"])
    return data, pd.Series(rng.integers(0, 2, rows), name="y")


def inside_a_circle(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """1 inside a circle that holds half of the square, 0 outside: no straight line can separate them."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.uniform(-1, 1, (rows, 2)), columns=["x1", "x2"])
    inside = data["x1"] ** 2 + data["x2"] ** 2 < 2 / np.pi
    return data, inside.astype(int)


def main(epochs: int = 100, verbose: int = 1) -> tuple[float, float]:
    """The accuracy on random answers, and on new points of the circle."""
    nncore.utils.set_random_seed(1)

    print("Random answers: the network can only learn a few of them by heart.")
    x, y = random_answers(1000)
    model = build()
    model.summary()
    model.fit(x, y, epochs=epochs, batch_size=10, verbose=verbose)
    _, by_heart = model.evaluate(x, y, verbose=0)
    print(f"Accuracy {by_heart:.1%} on what it has seen, of which half is luck.\n")

    print("Inside a circle or not: here the columns do tell the answer.")
    x, y = inside_a_circle(1000)
    model = build()
    model.fit(x, y, epochs=epochs, batch_size=10, validation_split=0.2, verbose=verbose)
    x_new, y_new = inside_a_circle(1000, seed=1)
    _, accuracy = model.evaluate(x_new, y_new, verbose=0)
    print(f"Accuracy {accuracy:.1%} on 1,000 points that it has never seen.")

    centre, corner = model.predict(pd.DataFrame({"x1": [0.0, 0.95], "x2": [0.0, -0.95]}))
    print(f"The centre is inside with probability {centre[0]:.3f}, a corner with {corner[0]:.3f}.")
    return by_heart, accuracy


if __name__ == "__main__":
    main()
