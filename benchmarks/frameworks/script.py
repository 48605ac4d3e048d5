"""Lesson 3 as a program: python -m benchmarks.frameworks.script {nncore,keras} [--quick]"""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.frameworks import data
from benchmarks.frameworks.run import require_learnt
from benchmarks.workloads import training


def main(name: str, quick: bool) -> None:
    k = importlib.import_module(name)
    layers = k.layers
    of = training("mnist_cnn", quick)
    x_train, y_train, x_test, y_test = data.load(of, quick)
    model = k.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=3, validation_data=(x_test, y_test), verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    found = require_learnt(model.predict(x_test, verbose=0), y_test, of)
    if abs(found - accuracy) > 1e-3:
        raise SystemExit(f"evaluate found the accuracy {accuracy}, and predict {found}")
    print(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main(sys.argv[1], "--quick" in sys.argv[2:])
