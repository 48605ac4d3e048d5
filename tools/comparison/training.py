"""One network, trained, and everything that it gives. Runs in each build."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nncore

from .public import Array, layers

Result = dict[str, Any]  # what -> an array, a number, or a list of them
Stack = Callable[[], list[Any]]  # makes layers


def train(
    x: Array,
    y: Array,
    stack: Stack,
    loss: Callable[[], Any] | str = "sparse_categorical_crossentropy",
    optimizer: Callable[[], Any] | str = "adam",
    *,
    metric: Callable[[], Any] | str = "accuracy",
    batch: int = 32,
    epochs: int = 2,
    feed: Callable[[], Any] | None = None,
    **fit: Any,
) -> Result:
    """Trained, evaluated, used, saved, loaded, and trained on. `feed`, if given, makes the data for `fit`."""
    model = nncore.Sequential([layers.Input(x.shape[1:]), *stack()])
    chosen: list[Any] = [named if isinstance(named, str) else named() for named in (optimizer, loss, metric)]
    model.compile(chosen[0], chosen[1], metrics=chosen[2:])
    out: Result = {"first weights": model.get_weights()}
    data = {"x": feed()} if feed else {"x": x, "y": y, "batch_size": batch}
    history = model.fit(**data, epochs=epochs, verbose=0, **fit).history
    out |= {f"history of {name}": values for name, values in history.items()}
    out["weights"] = model.get_weights()
    out["evaluation"] = model.evaluate(x, y, batch_size=batch, verbose=0)
    out["predictions"] = model.predict(x, batch_size=batch, verbose=0)
    out["prediction of one"] = model.predict(x[:1], verbose=0)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.safetensors"
        model.save(file)
        out["moments"] = moments(file, out["weights"])
        loaded = nncore.models.load_model(file)
    for name, m in (("single steps", model), ("steps after loading", loaded)):
        values = [m.train_on_batch(x[:size], y[:size]) for size in (len(x), 1, 7)]
        out[name] = [*values, m.test_on_batch(x, y), m.predict_on_batch(x), *m.get_weights()]
    return out


def moments(file: Path, weights: Sequence[Array]) -> list[Array]:
    """The tensors of a model file that are not its weights, in an order that does not depend on their names.

    Those that are zero everywhere are left out: a frozen weight need not have any.
    """
    from safetensors.numpy import load_file

    known = {digest(w) for w in weights}
    found = [t for t in load_file(file).values() if digest(t) not in known and t.any()]
    return sorted(found, key=lambda t: (t.shape, float(np.abs(t.astype(np.float64)).sum())))


def digest(a: Array) -> str:
    """Of type, shape and bits."""
    return hashlib.sha256(f"{a.dtype.str}{a.shape}".encode() + a.tobytes()).hexdigest()
