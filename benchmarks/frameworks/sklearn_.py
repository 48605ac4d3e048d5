"""scikit-learn's MLPClassifier: dense networks only. A call of fit also draws the weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.frameworks.run import Array
from benchmarks.workloads import Training


class Model:
    def __init__(self, of: Training) -> None:
        self.hidden = tuple(units for _, units, activation in of.layers if activation == "relu")

    def arrays(self, x: Array, y: Array) -> tuple[Array, Array]:
        return x, y

    def fits(self) -> dict[str, Callable[[Array, Array, int, int], None]]:
        return {"": self.fit}

    def fit(self, x: Array, y: Array, batch: int, epochs: int) -> None:
        self.model = MLPClassifier(
            self.hidden,
            alpha=0.0,
            batch_size=batch,
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            epsilon=1e-7,
            shuffle=False,
            random_state=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is given
            self.model.fit(x, y)

    def predict(self, x: Array, batch: int) -> Array:
        probabilities: Array = self.model.predict_proba(x)
        return probabilities

    def calls(self) -> dict[str, Callable[[Array], Any]]:
        return {}


make = Model
