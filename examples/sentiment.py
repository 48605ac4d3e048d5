"""Sentiment of sentences, by an LSTM that reads them word after word.

The sentences are made of a small grammar in which words alone do not tell: "the plot is not good" is bad, and
"far from dull" is good. A network that only counts words is trained for comparison.

    python examples/sentiment.py

The picture, which needs matplotlib (pip install matplotlib), shows how the probability of "good" moves while
a sentence is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nncore
from nncore.callbacks import EarlyStopping
from nncore.layers import LSTM, Dense, Embedding, TextVectorization
from nncore.models import Sequential
from nncore.optimizers import Adam

GOOD = ["good", "great", "moving", "clever", "funny", "brilliant", "charming", "fresh", "touching", "lovely"]
BAD = ["bad", "dull", "weak", "silly", "slow", "boring", "hollow", "stale", "clumsy", "dreadful"]
SUBJECTS = ["the film", "the plot", "this story", "the cast", "the ending", "her acting", "the music"]
NEGATIONS = ["not", "never", "hardly", "far from", "anything but", "no longer"]
FILLERS = ["really", "at times", "they say", "to me", "as before", "in the end", "you know"]
SHOWN = (
    "the plot is not dull",
    "the music is far from good",
    "her acting is bad, the ending is hardly weak, the cast is fresh",
)


def sentences(count: int, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Sentences of one to three clauses, and 1 for those with more good clauses than bad ones, else 0."""
    texts, labels = [], []
    while len(texts) < count:
        clauses, score = [], 0
        for _ in range(rng.integers(1, 4)):
            good = rng.random() < 0.5
            word = str(rng.choice(GOOD if good else BAD))
            if rng.random() < 0.5:
                word, good = f"{rng.choice(NEGATIONS)} {word}", not good
            filler = f" {rng.choice(FILLERS)}" if rng.random() < 0.3 else ""
            clauses.append(f"{rng.choice(SUBJECTS)} is{filler} {word}")
            score += 1 if good else -1
        if score:
            texts.append(", ".join(clauses))
            labels.append(score > 0)
    return np.array(texts), np.array(labels, np.float32)


def train(model: Sequential, x: Any, y: Any) -> Sequential:
    model.compile(Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    stop = EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
    model.fit(x, y, epochs=30, validation_split=0.1, callbacks=[stop], verbose=0)
    return model


def picture(model: Sequential, folder: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.2 * len(SHOWN)), layout="constrained")
    axes = figure.subplots(len(SHOWN))
    for axis, text in zip(axes, SHOWN):
        words = text.split()
        read = np.array([" ".join(words[: i + 1]) for i in range(len(words))])
        axis.plot(model.predict(read, verbose=0)[:, 0], marker="o")
        axis.axhline(0.5, color="gray", linewidth=0.8)
        axis.set(ylim=(-0.05, 1.05), ylabel="probability of good")
        axis.set_xticks(range(len(words)), words)
    figure.savefig(Path(folder, "sentiment.png"), dpi=120)


def main(count: int = 8_000, seed: int = 1, folder: str | None = "sentiment") -> tuple[float, float]:
    """Accuracies on 2,000 other sentences: of the LSTM, and of counted words."""
    nncore.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    (x, y), (x_test, y_test) = sentences(count, rng), sentences(2_000, rng)
    print(f"{count:,} sentences such as {str(x[0])!r}: {'good' if y[0] else 'bad'}")

    to_numbers = TextVectorization()
    to_numbers.adapt(x)
    size = to_numbers.vocabulary_size()
    reader = [to_numbers, Embedding(size, 16, mask_zero=True), LSTM(32), Dense(1, activation="sigmoid")]
    model = train(Sequential(reader), x, y)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"LSTM: test accuracy {accuracy:.2%}")

    to_counts = TextVectorization(output_mode="count")
    to_counts.adapt(x)
    counting = [to_counts, Dense(32, activation="relu"), Dense(1, activation="sigmoid")]
    _, counted = train(Sequential(counting), x, y).evaluate(x_test, y_test, verbose=0)
    print(f"Counted words: test accuracy {counted:.2%}")

    for text, probability in zip(SHOWN, model.predict(np.array(SHOWN), verbose=0)[:, 0]):
        print(f"{probability:6.1%} good: {text}")
    if folder is not None:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            picture(model, folder)
            print(f"Written to {folder}/")
        except ImportError as error:
            print(error)
    return accuracy, counted


if __name__ == "__main__":
    main()
