"""Cases that run with Keras and with nncore: each returns plain numbers and texts, which should be equal.

`python tests/keras_cases.py`, with Keras and nncore installed, adds Keras' results to keras_facts.json for
cases that are not there; to record one again, delete its line first. The test test_keras_parity.py
compares nncore with that file, and needs no Keras. Cases of activations are made from the table of nncore.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_attention_cases as attention
import keras_callback_cases as callbacks
import keras_data_cases as data
import keras_graph_cases as graphs
import keras_image_cases as images
import keras_normalization_cases as normalizations
import keras_optimizer_cases as optimizers
import keras_recurrent_cases as recurrent
import keras_sequence_cases as sequences
import keras_step_cases as steps
import metric_cases
import numpy as np
import penalty_cases as penalties
from keras_graph_cases import FIT, HOT, WEIGHT, Y1, Y4, Case, X, make, set_weights
from keras_normalization_cases import IMAGES
from op_cases import PLAIN, row_outputs, row_targets

from nncore import losses, metrics
from nncore.common.operations import ACTIVATIONS
from nncore.common.rows import LOSSES

FACTS = Path(__file__).with_name("keras_facts.json")

ROW = np.linspace(-4, 4, 9, dtype=np.float32).reshape(1, 9)


SPARSE, CATEGORICAL = "sparse_categorical_crossentropy", "categorical_crossentropy"

HISTORIES: dict[str, Case] = {
    "binary": lambda k: make(k).fit(X, Y1, epochs=3, batch_size=5, **FIT),
    "binary, bool column": lambda k: make(k).fit(X, Y1[:, None].astype(bool), epochs=2, **FIT),
    "sparse": lambda k: make(k, 4, "softmax", SPARSE).fit(X, Y4, epochs=3, batch_size=5, **FIT),
    "sparse column": lambda k: make(k, 4, "softmax", SPARSE).fit(X, Y4[:, None], **FIT),
    "categorical": lambda k: make(k, 4, "softmax", CATEGORICAL).fit(X, HOT, epochs=3, batch_size=5, **FIT),
    "categorical logits": lambda k: make(
        k, 4, None, k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    ).fit(X, HOT, epochs=2, **FIT),
    "binary logits": lambda k: make(
        k, 1, None, k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    ).fit(X, Y1, epochs=2, **FIT),
    "several labels": lambda k: make(k, 4).fit(X, HOT, epochs=2, **FIT),
    "mse": lambda k: make(k, 2, None, "mse", ("mae", "mse")).fit(X, X[:, :2], epochs=2, **FIT),
    "mae": lambda k: make(k, 2, None, "mae", ("mae",)).fit(X, X[:, :2], epochs=2, **FIT),
    "mse of one": lambda k: make(k, 1, None, "mse", ("mae",)).fit(X, X[:, 0], epochs=2, **FIT),
    "sample weights": lambda k: make(
        k, metrics=["accuracy", "mae"], weighted_metrics=["accuracy", "mse"]
    ).fit(X, Y1, epochs=2, batch_size=5, sample_weight=WEIGHT, validation_data=(X, Y1, WEIGHT), **FIT),
    "class weights": lambda k: make(k, weighted_metrics=["acc"]).fit(
        X, Y1, epochs=2, batch_size=5, class_weight={0: 2.0, 1: 0.5}, **FIT
    ),
    "class weights, one-hot": lambda k: make(k, 4, "softmax", CATEGORICAL).fit(
        X, HOT, epochs=2, batch_size=5, class_weight={0: 2.0, 3: 0.5}, **FIT
    ),
    "class weights, some": lambda k: make(k, 4, "softmax", SPARSE).fit(X, Y4, class_weight={0: 2.0}, **FIT),
    "split": lambda k: make(k).fit(X, Y1, epochs=2, validation_split=0.3, batch_size=4, **FIT),
    "split with weights": lambda k: make(k).fit(
        X, Y1, validation_split=0.3, batch_size=4, sample_weight=WEIGHT, **FIT
    ),
    "every second": lambda k: make(k).fit(X, Y1, epochs=4, validation_data=(X, Y1), validation_freq=2, **FIT),
    "some epochs": lambda k: make(k).fit(
        X, Y1, epochs=4, validation_data=(X, Y1), validation_freq=[1, 4], **FIT
    ),
    "steps go on": lambda k: make(k).fit(X, Y1, epochs=3, batch_size=4, steps_per_epoch=1, **FIT),
    "steps without a batch size": lambda k: make(k).fit(X, Y1, epochs=2, steps_per_epoch=3, **FIT),
    "generator": lambda k: make(k).fit(
        endless(), epochs=2, steps_per_epoch=3, verbose=0, validation_data=endless(), validation_steps=2
    ),
    "repeated names": lambda k: make(
        k,
        metrics=["accuracy", "accuracy", "mae", k.metrics.MeanAbsoluteError(name="mae")],
        weighted_metrics=["accuracy", "mae", "accuracy"],
    ).fit(X, Y1, **FIT),
    "named metrics": lambda k: make(
        k, metrics=["MeanSquaredError", "mse", k.metrics.BinaryAccuracy(), k.losses.mean_absolute_error]
    ).fit(X, Y1, **FIT),
}


def endless() -> Iterator[Any]:
    while True:
        yield X[:5], Y1[:5]
        yield X[5:], Y1[5:]


def values(k: Any) -> Any:
    model = make(k)
    return [
        model.evaluate(X, Y1, verbose=0),
        model.evaluate(X, Y1, verbose=0, return_dict=True),
        model.evaluate(X, Y1, sample_weight=WEIGHT, batch_size=5, verbose=0),
        model.evaluate(X, Y1, steps=1, batch_size=5, verbose=0),
        model.train_on_batch(X, Y1),
        model.train_on_batch(X, Y1, sample_weight=WEIGHT),
        model.train_on_batch(X, Y1, class_weight={0: 2.0}),
        model.train_on_batch(X, Y1, return_dict=True),
        model.test_on_batch(X, Y1),
        model.predict_on_batch(X),
        model.predict(X, batch_size=5, steps=2, verbose=0),
        make(k, metrics=()).evaluate(X, Y1, verbose=0),
        make(k, metrics=()).train_on_batch(X, Y1),
        make(k, 4, "tanh", CATEGORICAL).evaluate(X, HOT, verbose=0),
    ]


def image(*layers: Callable[[Any], Any]) -> Case:
    def case(k: Any) -> Any:
        model = k.Sequential([k.Input((9, 8, 4)), *(layer(k.layers) for layer in layers)])
        outputs = set_weights(model).predict(IMAGES, verbose=0)
        return [outputs.shape, outputs.reshape(-1)[:: max(1, outputs.size // 40)], model.count_params()]

    return case


def row(layer: Callable[[Any], Any]) -> Case:
    return lambda k: k.Sequential([k.Input((9,)), layer(k.layers)]).predict(ROW, verbose=0)


def names(k: Any) -> Any:
    n = k.layers
    k.utils.clear_session()
    layers = [n.Dense(1), n.Dense(1), n.Conv2D(1, 1), n.MaxPooling2D(), n.GlobalMaxPooling2D(), n.ReLU()]
    layers += [n.LeakyReLU(), n.ELU(), n.AveragePooling2D(2), n.Dense(1, name="own"), n.Dense(1), n.Flatten()]
    return [layer.name for layer in layers] + [k.Sequential().name for _ in range(3)]


def events(k: Any) -> Any:
    """Names of the hooks in order, with their number and the names in their logs."""
    log: list[Any] = []

    def hook(name: str) -> Callable[..., None]:
        def called(self: Any, *arguments: Any, **others: Any) -> None:
            given = [*arguments, *others.values()]
            logs = next((sorted(a) for a in given if isinstance(a, dict)), [])
            log.append([name, [a for a in given if isinstance(a, int)], logs])

        return called

    hooks = [n for n in dir(k.callbacks.Callback) if n.startswith("on_") and not n.startswith("on_batch")]
    watch = type("Watch", (k.callbacks.Callback,), {name: hook(name) for name in hooks})()
    model = make(k)
    model.fit(X, Y1, epochs=2, batch_size=5, validation_data=(X, Y1), callbacks=[watch], **FIT)
    model.evaluate(X, Y1, callbacks=[watch], verbose=0)
    model.predict(X, batch_size=5, callbacks=[watch], verbose=0)
    return log


def stopping(**settings: Any) -> Case:
    def case(k: Any) -> Any:
        model, stop = make(k), k.callbacks.EarlyStopping(**settings)
        history = model.fit(X, Y1, epochs=8, validation_data=(X, Y1), callbacks=[stop], **FIT)
        return [history.epoch, stop.stopped_epoch, stop.best_epoch, model.get_weights()]

    return case


def epochs(k: Any) -> Any:
    history = make(k).fit(X, Y1, epochs=4, initial_epoch=2, batch_size=5, **FIT)
    return [history.epoch, history.params["epochs"], history.params["steps"]]


def weights(k: Any) -> Any:
    """Shapes and counts, with a frozen layer."""
    model = make(k)
    model.layers[0].trainable = False
    lists = [model.weights, model.trainable_weights, model.non_trainable_weights, model.layers[0].weights]
    frozen = model.layers[0].get_weights()
    model.compile("sgd", "mse")
    model.fit(X, Y1, **FIT)
    kept = all(np.array_equal(a, b) for a, b in zip(frozen, model.layers[0].get_weights()))
    return [[[w.name for w in group] for group in lists], model.input_shape, model.output_shape, kept]


def gan(k: Any) -> Any:
    """A discriminator that trains alone, and frozen behind a generator with which it shares its layers."""
    judge = make(k, optimizer=k.optimizers.Adam(0.01), metrics=())
    generator = set_weights(k.Sequential([k.Input((2,)), k.layers.Dense(3, activation="tanh")]))
    judge.trainable = False
    both = k.Sequential([k.Input((2,)), *generator.layers, *judge.layers])
    both.compile("sgd", "binary_crossentropy")
    noise, scores = X[:, :2], []
    for _ in range(3):
        made = generator.predict(noise, verbose=0)
        judge.trainable = True
        scores.append(judge.train_on_batch(np.concatenate([X, made]), np.repeat([1, 0], 12)))
        judge.trainable = False
        scores.append(both.train_on_batch(noise, np.ones(12)))
    return [scores, judge.get_weights(), generator.get_weights(), both.predict(noise, verbose=0)]


def features(k: Any) -> Any:
    """A model of the first layers of a trained model, and new layers after them."""
    model = make(k, 4, "softmax", "sparse_categorical_crossentropy")
    model.fit(X, Y4, epochs=2, **FIT)
    extractor = k.Sequential(model.layers[:-1])
    before = extractor.predict(X, verbose=0)
    extractor.trainable = False
    tuned = k.Sequential([*extractor.layers, k.layers.Dense(1)])
    tuned.build((None, 3))
    tuned.layers[-1].set_weights([np.ones((5, 1)) / 4, np.zeros(1)])
    tuned.compile("sgd", "mse")
    tuned.fit(X, Y1, epochs=2, **FIT)
    extractor.trainable = True
    tuned.compile("adam", "mse")
    tuned.fit(X, Y1, epochs=2, **FIT)
    after = extractor.predict(X, verbose=0)
    return [before, tuned.get_weights(), after, model.predict(X, verbose=0)]


def loss(name: str) -> Case:
    """The arguments of a class, and values: with several settings, by its names, and in training."""
    operation = LOSSES[losses.CLASSES[name]._function.__name__]
    inputs = operation.inputs

    def case(k: Any) -> Any:
        cls, found = getattr(k.losses, name), {}
        found["arguments"] = [
            [p.name, cls().name if p.name == "name" else p.default]
            for p in inspect.signature(cls).parameters.values()
        ]
        for settings in ({}, *operation.variants):
            rng, plain = np.random.default_rng(4), inputs in PLAIN or "from_logits" in settings
            y, p = row_targets(rng, inputs, (12, 4)), row_outputs(rng, inputs, (12, 4), plain)
            model = make(k, 4, None if plain else "softmax", cls(**settings), ())
            found[str(settings)] = [cls(**settings)(y, p), model.fit(X, y, epochs=3, **FIT).history["loss"]]
            if not settings:
                found["names"] = {n: np.mean(np.asarray(k.losses.get(n)(y, p))) for n in names_of(name)}
        return found

    return case


def names_of(loss: str) -> list[str]:
    return sorted(name for name, cls in losses.BY_NAME.items() if cls is losses.CLASSES[loss])


def metric(name: str) -> Case:
    """As `loss`: results of a stream with and without weights, and in training, also by its names."""
    ours = metrics.CLASSES[name]
    inputs = metric_cases.inputs_of(ours)
    last = "softmax" if inputs in ("one-hot", "classes") else "sigmoid"
    of = {"bits": "binary_crossentropy", "one-hot": CATEGORICAL, "classes": SPARSE}.get(inputs, "mse")

    def case(k: Any) -> Any:
        k.utils.clear_session()
        cls, found = getattr(k.metrics, name), {}
        needed, columns = dict.fromkeys(metric_cases.required(ours), 0.6), metric_cases.columns(ours)
        found["arguments"] = [
            [p.name, cls(**needed).name if p.name == "name" else None if p.default is p.empty else p.default]
            for p in inspect.signature(cls).parameters.values()
        ]
        for settings in metric_cases.settings_for(ours):
            y, p = metric_cases.data(ours, settings)
            alone = cls(**settings)
            stream = [metric_cases.copied(alone(y[:5], p[:5]))]
            stream.append(metric_cases.copied(alone(y[5:], p[5:], WEIGHT[5:])))
            alone.reset_state()
            stream.append(alone(y, p, WEIGHT if "average" in settings else WEIGHT[:, None]))
            logits = settings.get("from_logits", False)
            goals = {"one-hot": "CategoricalCrossentropy", "classes": "SparseCategoricalCrossentropy"}
            kind = goals.get(inputs, "BinaryCrossentropy")
            goal = getattr(k.losses, kind)(from_logits=True) if logits else of
            both = [cls(name="plain", **settings)], [cls(name="weighted", **settings)]
            model = make(k, columns, None if logits else last, goal, both[0], weighted_metrics=both[1])
            history = model.fit(X, y, epochs=2, batch_size=5, sample_weight=WEIGHT, **FIT).history
            found[str(settings)] = [stream, history]
        y, _ = metric_cases.data(ours, {})
        for given in (metric_cases.NAMES[name], [cls]) if not needed else ():
            k.utils.clear_session()
            values = make(k, columns, last, of, given).evaluate(X, y, verbose=0, return_dict=True)
            found["names" if given[0] is not cls else "class"] = [values, cls().name]
        return found

    return case


def summed(name: str) -> Case:
    """As `metric`, of those that run in Python, with whole weights, by which Keras counts overlaps."""
    ours = metrics.CLASSES[name]

    def case(k: Any) -> Any:
        k.utils.clear_session()
        found = {}
        for settings in metric_cases.SUMMED[name]:
            y, p = metric_cases.data(ours, settings)
            alone = getattr(k.metrics, name)(**settings)
            rows = y[:, 0] if "Hot" in name or not settings.get("sparse_y_true", True) else y
            weights = np.arange(rows.size, dtype=np.int32).reshape(rows.shape) % 3
            stream = [alone(y[:5], p[:5]), alone(y[5:], p[5:]), alone(y, p, weights), alone.name]
            model = make(k, metric_cases.columns(ours), "sigmoid", "mse", [alone])
            found[str(settings)] = [stream, model.fit(X, y, epochs=2, batch_size=5, **FIT).history]
        return found

    return case


CASES: dict[str, Case] = {
    **graphs.CASES,
    **penalties.CASES,
    **{f"fit: {name}": (lambda k, case=case: case(k).history) for name, case in HISTORIES.items()},
    **{f"loss {name}": loss(name) for name in losses.CLASSES},
    **{f"metric {n}": (summed if cls.in_python else metric)(n) for n, cls in metrics.CLASSES.items()},
    "values": values,
    "names": names,
    "events": events,
    "epochs": epochs,
    "weights": weights,
    "BatchNormalization in training": normalizations.batch_normalized,
    "LayerNormalization in training": normalizations.normalized,
    "the function layer_normalization": normalizations.normalization,
    **attention.CASES,
    **recurrent.CASES,
    **optimizers.CASES,
    **callbacks.CASES,
    **images.CASES,
    **data.CASES,
    **sequences.CASES,
    **steps.CASES,
    "models that share layers": gan,
    "first layers of a trained model": features,
    "stops at once": stopping(monitor="loss", min_delta=10),
    "stops with patience": stopping(monitor="loss", patience=1, min_delta=0.01),
    "stops and restores": stopping(monitor="val_accuracy", patience=1, restore_best_weights=True),
    "stops by a baseline": stopping(monitor="loss", baseline=0.1, patience=2),
    "stops late": stopping(monitor="loss", start_from_epoch=3, min_delta=10),
    "conv2d": image(lambda n: n.Conv2D(3, 3)),
    "conv2d same": image(lambda n: n.Conv2D(3, (2, 3), strides=2, padding="same", activation="gelu")),
    "conv2d dilated": image(lambda n: n.Conv2D(4, 3, dilation_rate=2, groups=2, use_bias=False)),
    "max": image(lambda n: n.MaxPooling2D()),
    "max same": image(lambda n: n.MaxPooling2D(3, 2, "same")),
    "average same": image(lambda n: n.AveragePooling2D((2, 3), padding="same")),
    "global average": image(lambda n: n.GlobalAveragePooling2D()),
    "global max": image(lambda n: n.GlobalMaxPooling2D(keepdims=True)),
    "reshape": image(lambda n: n.Reshape((-1, 2))),
    "flatten": image(lambda n: n.Flatten(), lambda n: n.Dense(3)),
    "dense of images": image(lambda n: n.Dense(2)),
    "layer_normalization": image(lambda n: n.LayerNormalization()),
    "layer_normalization of two axes": image(lambda n: n.LayerNormalization(axis=[3, 2], center=False)),
    "rescaling": image(lambda n: n.Rescaling(2.0, 1.0)),
    "dropout": image(lambda n: n.Dropout(0.5)),
    **{
        f"activation {name}": row(lambda n, name=name: n.Activation(name))
        for operation in ACTIVATIONS.values()
        for name in operation.names
    },
    **{
        f"activation {name} {settings}": lambda k, name=name, settings=settings: getattr(k.activations, name)(
            ROW, **settings
        )
        for name, operation in ACTIVATIONS.items()
        for settings in operation.variants
    },
    **{
        f"layer {name}": row(lambda n, name=name: getattr(n, name)())
        for name in ("ReLU", "LeakyReLU", "ELU", "Softmax")
    },
}


def plain(value: Any) -> Any:
    """Numbers, texts, lists and dicts only."""
    if isinstance(value, dict):
        return {name: plain(v) for name, v in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    import keras

    found = json.loads(FACTS.read_text())
    if found["version of Keras"] != keras.__version__:
        raise SystemExit(f"the facts are of Keras {found['version of Keras']}, not of {keras.__version__}")
    new = {name: plain(case(keras)) for name, case in CASES.items() if name not in found}
    facts = {name: {**found, **new}[name] for name in ("version of Keras", *CASES)}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in facts.items())
    FACTS.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
