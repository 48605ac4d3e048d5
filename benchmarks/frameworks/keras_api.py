"""Keras and nncore run the same lines; only the module `k` differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.frameworks.run import Array
from benchmarks.workloads import NUMBER, ONE_HOT, Training


class Model:
    def __init__(self, k: Any, of: Training) -> None:
        layers = k.layers
        makers: dict[str, Callable[..., Any]] = {
            "conv": lambda filters: layers.Conv2D(filters, 3, activation="relu"),
            "same": lambda filters: layers.Conv2D(filters, 3, padding="same", activation="relu"),
            "separable": lambda filters: layers.SeparableConv2D(
                filters, 3, padding="same", activation="relu"
            ),
            "average": layers.GlobalAveragePooling2D,
            "embedding": layers.Embedding,
            "lstm": layers.LSTM,
            "both": lambda units: layers.Bidirectional(layers.LSTM(units)),
            "gru": layers.GRU,
            "conv1d": lambda filters: layers.Conv1D(filters, 5, activation="relu"),
            "largest": layers.GlobalMaxPooling1D,
            "normalized": lambda filters: self.normalized(k, filters),
            "pool": layers.MaxPooling2D,
            "flatten": layers.Flatten,
            "dropout": layers.Dropout,
            "dense": lambda units, activation: layers.Dense(units, activation=activation),
        }
        k.utils.set_random_seed(1)
        made = [makers[kind](*settings) for kind, *settings in of.layers]
        flat = [one for each in made for one in (each if isinstance(each, list) else [each])]
        self.model = k.models.Sequential([layers.Input(of.shape), *flat])
        metrics = None if of.loss == NUMBER else ["accuracy"]
        self.model.compile(optimizer="adam", loss=of.loss, metrics=metrics)
        self.encode = k.utils.to_categorical if of.loss == ONE_HOT else lambda y: y

    @staticmethod
    def normalized(k: Any, filters: int) -> list[Any]:
        return [
            k.layers.Conv2D(filters, 3, padding="same"),
            k.layers.BatchNormalization(),
            k.layers.Activation("relu"),
        ]

    def arrays(self, x: Array, y: Array) -> tuple[Array, Array]:
        return x, self.encode(y)

    def fits(self) -> dict[str, Callable[[Array, Array, int, int], Any]]:
        return {
            "": lambda x, y, batch, epochs: self.model.fit(
                x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0
            )
        }

    def predict(self, x: Array, batch: int) -> Array:
        probabilities: Array = self.model.predict(x, batch_size=batch, verbose=0)
        return probabilities

    def calls(self) -> dict[str, Callable[[Array], Any]]:
        return {"": lambda x: self.model.predict(x, verbose=0)}
