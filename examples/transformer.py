"""A small transformer that sorts: twelve numbers go in, and the same numbers come out in order.

Each place asks all others by attention (Vaswani et al. 2017) what stands there, so that it can count what is
smaller. Two blocks of attention and dense layers, with sums and layer normalization around them, as in the
paper's encoder.

    python examples/transformer.py

The picture needs matplotlib: pip install matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nncore
from nncore.layers import Add, Dense, Embedding, Input, LayerNormalization, MultiHeadAttention
from nncore.models import Model
from nncore.optimizers import Adam
from nncore.optimizers.schedules import CosineDecay

Array = np.ndarray[Any, Any]
LENGTH, NUMBERS, FEATURES = 12, 20, 48


def block(x: Any) -> Any:
    """Attention of all places to all places, then two dense layers at each place."""
    x = LayerNormalization()(Add()([x, MultiHeadAttention(num_heads=4, key_dim=12)(x, x)]))
    hidden = Dense(4 * FEATURES, activation="relu")(x)
    return LayerNormalization()(Add()([x, Dense(FEATURES)(hidden)]))


def build(steps: int) -> Model:
    """Numbers and their places, each (LENGTH,), to probabilities (LENGTH, NUMBERS)."""
    numbers, places = Input((LENGTH,)), Input((LENGTH,))
    x = Add()([Embedding(NUMBERS, FEATURES)(numbers), Embedding(LENGTH, FEATURES)(places)])
    for _ in range(2):
        x = block(x)
    model = Model([numbers, places], Dense(NUMBERS, activation="softmax")(x))
    rate = CosineDecay(0.0, steps - 100, warmup_target=0.003, warmup_steps=100)
    model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def lists(count: int, rng: np.random.Generator) -> tuple[list[Array], Array]:
    numbers = rng.integers(0, NUMBERS, (count, LENGTH))
    return [numbers, np.tile(np.arange(LENGTH), (count, 1))], np.sort(numbers, axis=1)


def main(
    count: int = 20_000, epochs: int = 6, seed: int = 1, folder: str | None = "transformer"
) -> tuple[float, float]:
    """Of 2,000 other lists: the share of numbers in their place, and of lists that are sorted."""
    nncore.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    (x, y), (x_test, y_test) = lists(count, rng), lists(2_000, rng)
    model = build(epochs * -(-count // 64))
    print(f"{model.count_params():,} weights")
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    probabilities = model.predict(x_test, verbose=0)
    right = probabilities.argmax(axis=-1) == y_test
    of_lists = right.all(axis=1)
    print(f"In their place: {right.mean():.2%} of the numbers; sorted: {of_lists.mean():.2%} of the lists")
    print(f"{x_test[0][0].tolist()} -> {probabilities[0].argmax(axis=-1).tolist()}")

    if folder is not None:
        try:
            from matplotlib.figure import Figure

            Path(folder).mkdir(parents=True, exist_ok=True)
            figure = Figure(figsize=(7, 5), layout="constrained")
            axis = figure.subplots()
            image = axis.imshow(
                probabilities[0].T, origin="lower", cmap="Blues", vmin=0, vmax=1, aspect="auto"
            )
            axis.plot(y_test[0], "r_", markersize=22, label="sorted")
            axis.set_xticks(range(LENGTH), [str(n) for n in x_test[0][0]])
            axis.set_yticks(range(0, NUMBERS, 2))
            axis.set(
                xlabel="numbers as they were given", ylabel="number", title="Probabilities of each place"
            )
            axis.legend(loc="upper left")
            figure.colorbar(image)
            figure.savefig(Path(folder, "transformer.png"), dpi=120)
            print(f"Written to {folder}/")
        except ImportError as error:
            print(error)
    return float(right.mean()), float(of_lists.mean())


if __name__ == "__main__":
    main()
