"""Cases of optimizers for keras_cases.py: their settings, common arguments, and schedules."""

from __future__ import annotations

import inspect
from typing import Any

from keras_graph_cases import FIT, Y1, Case, X, make, set_weights
from optimizer_cases import RULES, SETTINGS

from nncore.optimizers._base import COMMON
from nncore.optimizers.schedules import CLASSES as SCHEDULES


def optimizer(name: str, **settings: Any) -> Case:
    def case(k: Any) -> Any:
        model = make(k, optimizer=getattr(k.optimizers, name)(**settings))
        return [model.fit(X, Y1, epochs=4, batch_size=5, **FIT).history["loss"], model.get_weights()]

    return case


def counted(k: Any) -> Any:
    """Learning rate by a schedule, and number of updates, of an optimizer that accumulates gradients."""
    decay = k.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    own = k.optimizers.Adam(decay, gradient_accumulation_steps=2, use_ema=True, weight_decay=0.1)
    model, found = make(k, optimizer=own), []
    for _ in range(2):
        model.fit(X, Y1, batch_size=5, **FIT)
        found.append([float(own.learning_rate), int(own.iterations), model.get_weights()])
    return found


def without_decay(k: Any) -> Any:
    found = []
    for which in ({"var_names": ["bi"]}, {"var_list": [1, 2]}, {"var_list": [0], "var_names": ["bias$"]}, {}):
        own, model = k.optimizers.Adam(0.1, weight_decay=2.0), make(k)
        numbers = which.get("var_list", [])
        own.exclude_from_weight_decay(**{**which, "var_list": [model.weights[int(i)] for i in numbers]})
        model.compile(own, "mse")
        model.fit(X, Y1, **FIT)
        found.append(model.get_weights())
    return found


def penalized(k: Any) -> Any:
    """Regularizers before accumulation and clipping, constraints after averages, in each batch."""
    found = []
    for rules in ({"clipnorm": 0.1}, {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 1}):
        dense = k.layers.Dense(5, kernel_regularizer="l2", kernel_constraint=k.constraints.UnitNorm())
        last = k.layers.Dense(1, bias_constraint="non_neg")
        model = set_weights(k.Sequential([k.Input((3,)), dense, last]))
        own = k.optimizers.Adam(0.1, weight_decay=0.1, gradient_accumulation_steps=2, **rules)
        model.compile(own, "mse")
        for _ in range(3):
            found.append([model.fit(X, Y1, batch_size=5, **FIT).history["loss"], model.get_weights()])
            found.append([model.train_on_batch(X, Y1), model.get_weights()])
    return found


def schedule(name: str) -> Case:
    """The arguments of a class, its values, and a training."""
    cls = SCHEDULES[name]

    def case(k: Any) -> Any:
        theirs = getattr(k.optimizers.schedules, name)
        parameters = inspect.signature(theirs).parameters.values()
        found: list[Any] = [[[p.name, None if p.default is p.empty else p.default] for p in parameters]]
        for settings in cls._variants:
            made = theirs(**settings)
            found.append([[float(made(step)) for step in range(25)], made.get_config()])
            model = make(k, optimizer=k.optimizers.SGD(made, momentum=0.5))
            found.append(model.fit(X, Y1, epochs=4, batch_size=5, **FIT).history["loss"])
        return found

    return case


CASES: dict[str, Case] = {
    **{f"optimizer: {case}": optimizer(name, **given) for case, (name, given) in SETTINGS.items()},
    **{f"rules: {case}": optimizer(name, **given) for case, (name, given) in RULES.items()},
    "arguments of all optimizers": lambda k: {
        n: value for n, value in k.optimizers.SGD().get_config().items() if n in COMMON
    },
    "steps, updates and schedules": counted,
    "weights that do not decay": without_decay,
    "rules with regularizers and constraints": penalized,
    **{f"schedule {name}": schedule(name) for name in SCHEDULES},
}
