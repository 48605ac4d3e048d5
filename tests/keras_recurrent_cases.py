"""Cases of recurrent layers for keras_cases.py."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from keras_graph_cases import Case, set_weights, told

X = np.sin(np.arange(6 * 5 * 3, dtype=np.float32)).reshape(6, 5, 3)
Y = np.cos(np.arange(12, dtype=np.float32)).reshape(6, 2)
KINDS = {"SimpleRNN": [{}], "LSTM": [{}], "GRU": [{}, {"reset_after": False}]}
SETTINGS: list[dict[str, Any]] = [
    {"return_sequences": sequences, "go_backwards": backwards}
    for sequences, backwards in product((False, True), repeat=2)
]
SETTINGS += [{"activation": "relu", "use_bias": False}, {"activation": None, "return_sequences": True}]
GATES = {"activation": "silu", "recurrent_activation": "softmax"}


def trained(kind: str) -> Case:
    """Weights, predictions and steps of SGD of each setting."""

    def case(k: Any) -> Any:
        found = []
        for of_kind in KINDS[kind]:
            for settings in (*SETTINGS, *([GATES] if kind != "SimpleRNN" else [])):
                layer = getattr(k.layers, kind)(4, **settings, **of_kind)
                model = k.Sequential([k.Input((5, 3)), layer, k.layers.Flatten(), k.layers.Dense(2)])
                set_weights(model).compile(k.optimizers.SGD(0.1), "mse")
                before = model.predict(X, verbose=0)
                losses = [model.train_on_batch(X, Y) for _ in range(4)]
                names = [[w.name, list(w.shape)] for w in layer.weights]
                found.append([names, before, losses, told(model.get_weights())])
        return found

    return case


def initial(k: Any) -> Any:
    """What the initial weights have in common, and configs."""
    found: list[Any] = []
    for kind in KINDS:
        layer = getattr(k.layers, kind)(6)
        layer.build((None, 5, 3))
        _, recurrent, bias = layer.get_weights()
        found.append([np.abs(recurrent @ recurrent.T - np.eye(6)).max() < 1e-5, bias])
        config = layer.get_config()
        names = ("units", "activation", "use_bias", "dropout", "recurrent_dropout", "return_sequences")
        found.append([config[name] for name in (*names, "go_backwards", "unroll")])
    free = k.layers.LSTM(3, unit_forget_bias=False, bias_initializer="ones")
    free.build((None, 5, 3))
    return [*found, free.get_weights()[2]]


def states(k: Any) -> Any:
    """Networks whose second recurrent layer starts with the state of the first: predictions and steps."""
    found = []
    cases = [(getattr(k.layers, kind), each) for kind, every in KINDS.items() for each in every]
    for cls, settings in cases:
        for both in (False, True):
            inputs = [k.Input((5, 3)), k.Input((5, 3))]
            first = cls(4, return_state=True, **settings)
            second = cls(4, return_state=True, return_sequences=True, **settings)
            if both:
                first, second = k.layers.Bidirectional(first), k.layers.Bidirectional(second)
            _, *state = first(inputs[0])
            y, *after = second(inputs[1], initial_state=state)
            joined = k.layers.Concatenate()([k.layers.Flatten()(y), *after])
            model = k.Model(inputs, k.layers.Dense(2)(joined))
            set_weights(model).compile(k.optimizers.SGD(0.1), "mse")
            before = model.predict([X, X[::-1]], verbose=0)
            losses = [model.train_on_batch([X, X[::-1]], Y) for _ in range(3)]
            found.append([before, losses, told(model.get_weights()), len(state)])
    return found


CASES: dict[str, Case] = {
    **{f"layer {kind}": trained(kind) for kind in KINDS},
    "states of recurrent layers": states,
    "initial weights of recurrent layers": initial,
}
