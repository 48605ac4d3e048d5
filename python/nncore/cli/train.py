"""The command ``python -m nncore train``: trains a CNN on MNIST, and writes the model and pictures."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import get_num_threads, isa, layers, utils
from ..callbacks import History
from ..common.arrays import Floats
from ..common.messages import say, told
from ..datasets import mnist
from ..models import Sequential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bytes = NDArray[Any]
Split = tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]

SAMPLE_EPOCHS, FULL_EPOCHS = 12, 3
GRID = 40
MISTAKES = 20


def run(data: str, epochs: int | None, batch_size: int, seed: int, out: Path, verbose: bool = False) -> None:
    """Trains and evaluates, and writes the model and (with matplotlib) the pictures into the folder `out`.

    Raises:
        OSError: `out` cannot be written, which is checked first, or the digits cannot be read.
        ValueError: the digits are not valid.
    """
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    TemporaryFile(dir=existing).close()  # raises before the training if the folder cannot be written
    split, what, small = _digits(data, verbose)
    (x_train, y_train), (x_test, y_test) = split
    if epochs is None:
        epochs = SAMPLE_EPOCHS if small else FULL_EPOCHS
    out.mkdir(parents=True, exist_ok=True)
    say(f"Data: {what}: {len(x_train):,} digits to train on, {len(x_test):,} to test.")
    say(f"Runs on {get_num_threads()} thread(s), {isa()}; {epochs} epoch(s), batches of {batch_size}.")

    utils.set_random_seed(seed)
    model = _build()
    model.summary()
    started = time.perf_counter()
    history = model.fit(
        x_train[..., None], y_train, batch_size, epochs, validation_data=(x_test[..., None], y_test)
    )
    seconds = time.perf_counter() - started
    values = model.evaluate(x_test[..., None], y_test, verbose=0, return_dict=True)
    loss, accuracy = values["loss"], values["accuracy"]
    say(f"Test accuracy {100 * accuracy:.2f} %, loss {loss:.4f}, after {seconds:.1f} seconds of training.")
    model.save(out / "model.safetensors")
    figures = _figures(history, x_test, y_test, model.predict(x_test[..., None]))
    for name, figure in figures.items():
        figure.savefig(out / name)
    say(f"Written to {out}: {', '.join(['model.safetensors', *figures])}")


def _digits(data: str, verbose: bool) -> tuple[Split, str, bool]:
    """(the digits, their description, whether they are few)."""
    sample = "the 4,500 real digits that come with nncore"
    if data == "sample":
        return mnist.load_sample(), sample, True
    if data in ("full", "auto"):
        try:
            return mnist.load_data(), "MNIST", False
        except (OSError, ImportError) as error:
            if data == "full":
                raise
            say(f"The full MNIST is not available: {told(error, verbose)}.")
            return mnist.load_sample(), f"{sample}, instead of the full MNIST", True
    split = mnist.load_data(data)
    return split, data, len(split[0][0]) < 20_000


def _build() -> Sequential:
    """The model takes pixels from 0 to 255, as the files have them; its first layer scales them."""
    model = Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _figures(history: History, x: Bytes, labels: Bytes, predictions: Floats) -> dict[str, Figure]:
    """File name -> figure; empty without matplotlib."""
    if find_spec("matplotlib") is None:
        print("No pictures: they need matplotlib, pip install matplotlib.")
        return {}
    from .. import plot

    figures = {
        "history.png": plot.history(history, title="Training of the MNIST CNN (validation: the test digits)"),
        "digits.png": plot.images(
            x[:GRID], labels[:GRID], predictions[:GRID], columns=8, title="Digits of the test set"
        ),
    }
    worst = _worst_mistakes(labels, predictions)
    if len(worst):
        title = "The most confident mistakes"
        figures["mistakes.png"] = plot.images(x[worst], labels[worst], predictions[worst], title=title)
    return figures


def _worst_mistakes(labels: Bytes, predictions: Floats) -> NDArray[np.intp]:
    """The indices of up to MISTAKES wrong predictions, the most confident first."""
    wrong = np.flatnonzero(predictions.argmax(axis=1) != labels)
    return wrong[np.argsort(-predictions[wrong].max(axis=1), kind="stable")][:MISTAKES]
