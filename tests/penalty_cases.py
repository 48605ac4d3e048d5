"""Settings for tests of every regularizer and constraint."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from keras_graph_cases import FIT, WEIGHT, Y1, Y4, Case, X, set_weights, told, trained

from nncore import constraints, regularizers

Made = Any  # makes one

SETTINGS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    family.__name__.rpartition(".")[2]: {
        f"{name} {given or ''}".strip(): (name, given)
        for name, cls in family.CLASSES.items()
        for given in ({}, *cls._variants)
    }
    for family in (regularizers, constraints)
}
REGULARIZERS, CONSTRAINTS = (
    {key: partial(family.CLASSES[name], **given) for key, (name, given) in SETTINGS[what].items()}
    for what, family in (("regularizers", regularizers), ("constraints", constraints))
)


def fits(made: Made, *shape: int) -> bool:
    """Whether the regularizer or constraint applies to weights of this shape."""
    try:
        made().spec("", shape)
    except ValueError:
        return False
    return True


def takes_activities(made: Made) -> bool:
    try:
        made().check_activity("")
    except ValueError:
        return False
    return True


# ---- what Keras does


def _trained(k: Any, first: dict[str, Any], last: dict[str, Any]) -> Any:
    layers = [k.layers.Dense(5, activation="tanh", **first), k.layers.Dense(2, **last)]
    model = set_weights(k.Sequential([k.Input((3,)), *layers]))
    model.compile(k.optimizers.SGD(0.1, momentum=0.5), "mse", metrics=["mae"])
    data = X, X[:, :2]
    history = model.fit(*data, epochs=4, batch_size=5, validation_data=data, **FIT).history
    scores = [model.evaluate(*data, batch_size=5, verbose=0), model.train_on_batch(*data)]
    return [list(history), history, scores, model.test_on_batch(*data), model.get_weights()]


def _case(argument: str, key: str, ours: Made) -> Case:
    """Values and settings, and training with each argument of a layer that takes it."""
    family = f"{argument}s"
    name, given = SETTINGS[family][key]

    def case(k: Any) -> Any:
        cls = getattr(getattr(k, family), name)
        made = partial(cls, **given)
        x = getattr(k.ops, "convert_to_tensor", np.asarray)(X[:4] * 2)  # Keras' own take tensors alone
        found: dict[str, Any] = {"config": made().get_config(), "value": told_of(made()(x))}
        weights = [what for what, size in (("kernel", (3, 5)), ("bias", (5,))) if fits(ours, *size)]
        for what in weights:
            found[what] = _trained(k, {f"{what}_{argument}": made()}, {f"{what}_{argument}": made()})
        if argument == "regularizer" and takes_activities(ours):
            both = ({"activity_regularizer": made()} for _ in range(2))
            found["activity"] = _trained(k, *both)
        return found

    return case


def told_of(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _images(k: Any) -> Any:
    """A small CNN with all kinds of penalties and constraints."""
    n, r, c = k.layers, k.regularizers, k.constraints
    layers = [
        n.Conv2D(
            4, 3, activation="relu", kernel_regularizer="l1", bias_regularizer=r.L2(0.1),
            activity_regularizer=r.L1L2(1e-3, 1e-4), kernel_constraint=c.MaxNorm(1, axis=[0, 1, 2]),
            bias_constraint="non_neg",
        ),
        n.MaxPooling2D(activity_regularizer="l2"),
        n.BatchNormalization(
            beta_regularizer="l1", gamma_regularizer="l2", beta_constraint="non_neg",
            gamma_constraint=c.MaxNorm(1.5),
        ),
        n.Conv2D(3, 2, use_bias=False, bias_regularizer="l2", kernel_constraint="unit_norm"),
        n.LayerNormalization(gamma_regularizer="l1", beta_regularizer="l2", gamma_constraint="unit_norm"),
        n.Flatten(activity_regularizer=r.L1(1e-4)),
        n.Dense(3, activation="softmax", kernel_regularizer=r.l2(0.02), activity_regularizer="l2"),
    ]  # fmt: skip
    model = set_weights(k.Sequential([k.Input((8, 7, 2)), *layers]))
    # The moving variance is not negative.
    model.set_weights([abs(w) for w in model.get_weights()])
    x = np.sin(np.arange(12 * 8 * 7 * 2, dtype=np.float32)).reshape(12, 8, 7, 2)
    model.compile(k.optimizers.SGD(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    y = Y4 % 3
    given: Any = {"sample_weight": WEIGHT, "validation_data": (x, y), **FIT}
    history = model.fit(x, y, epochs=5, batch_size=6, **given).history
    scores = model.evaluate(x, y, verbose=0)
    return [history, scores, told(model.predict(x, verbose=0)), told(model.get_weights())]


def _frozen(k: Any) -> Any:
    """Weights that do not train have no penalty, but the outputs of their layer have."""
    n = k.layers
    frozen = n.Dense(4, kernel_regularizer="l2", activity_regularizer="l2", kernel_constraint="unit_norm")
    model = set_weights(k.Sequential([k.Input((3,)), frozen, n.Dense(1, kernel_regularizer="l1")]))
    frozen.trainable = False
    model.compile("sgd", "mse")
    found = [model.fit(X, Y1, epochs=2, **FIT).history, model.get_weights()]
    frozen.trainable = True
    model.compile("sgd", "mse")
    return [*found, model.fit(X, Y1, epochs=2, **FIT).history, model.get_weights()]


def _shared(k: Any) -> Any:
    """Each call of a layer has a penalty, its weights one; also in a model within, whose first output nothing
    reads.
    """
    n, x, inner_x = k.layers, k.Input((3,)), k.Input((3,))
    dense = n.Dense(3, activation="tanh", kernel_regularizer="l2", activity_regularizer="l1", name="shared")
    unread = n.Dense(2, kernel_regularizer="l1", kernel_constraint="unit_norm", name="unread")(dense(inner_x))
    counted = n.Dense(2, activity_regularizer="l2", name="counted")(inner_x)
    inner = k.Model(inner_x, [unread, counted, n.Dense(3, name="last")(dense(inner_x))])
    h = dense(x)
    model = set_weights(k.Model(x, n.Dense(1, name="out")(n.Add()([x, dense(inner(h)[2])]))))
    model.compile(k.optimizers.SGD(0.05, momentum=0.9), "mse")
    found = [model.fit(X, Y1, epochs=5, **FIT).history, model.get_weights()]
    part = k.Model(x, h)
    part.compile("adam", "mse")
    found += [part.fit(X, X, epochs=2, **FIT).history, part.get_weights()]
    return [*found, model.evaluate(X, Y1, verbose=0)]


def _outputs(k: Any) -> Any:
    """Losses of single outputs do not contain penalties."""
    n, a, b = k.layers, k.Input((3,), name="a"), k.Input((2,), name="b")
    h = n.Dense(5, activation="relu", kernel_regularizer="l2", activity_regularizer="l1", name="h")(
        n.Concatenate(name="c", activity_regularizer="l2")([a, b])
    )
    p = n.Dense(1, activation="sigmoid", activity_regularizer="l2", name="p")(h)
    q = n.Dense(4, activation="softmax", bias_regularizer="l2", name="q")(h)
    model = set_weights(k.Model([a, b], [p, q, h]))
    losses = ["binary_crossentropy", "sparse_categorical_crossentropy", None]
    y = [Y1, Y4, X[:, [0, 1, 2, 0, 1]]]
    return trained(model, y, loss=losses, loss_weights=[1, 0.5, 1])


def _ruled(k: Any) -> Any:
    """Penalties are part of the gradients that are added up and clipped; each batch ends with constraints."""
    found = []
    for given in (
        {"gradient_accumulation_steps": 2, "global_clipnorm": 0.1},
        {"clipvalue": 0.01, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
        {"weight_decay": 0.1, "clipnorm": 0.05, "gradient_accumulation_steps": 3},
    ):
        options = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "kernel_constraint": "unit_norm"}
        layers = [k.layers.Dense(4, "tanh", activity_regularizer="l2", **options), k.layers.Dense(1)]
        model = set_weights(k.Sequential([k.Input((3,)), *layers]))
        model.compile(k.optimizers.SGD(0.3, momentum=0.5, **given), "mse")
        history = model.fit(X, Y1, batch_size=2, epochs=2, **FIT).history
        found.append([history, model.get_weights(), model.evaluate(X, Y1, verbose=0)])
    return found


CASES: dict[str, Case] = {
    **{f"regularizer {key}": _case("regularizer", key, made) for key, made in REGULARIZERS.items()},
    **{f"constraint {key}": _case("constraint", key, made) for key, made in CONSTRAINTS.items()},
    "penalties of images": _images,
    "penalties of frozen layers": _frozen,
    "penalties of shared layers": _shared,
    "penalties of several outputs": _outputs,
    "penalties with the rules of optimizers": _ruled,
}
