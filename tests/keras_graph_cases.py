"""Cases of graphs for keras_cases.py: several inputs and outputs, shared layers, models in models, merges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

X = np.linspace(-1, 1, 36, dtype=np.float32).reshape(12, 3)
Z = np.cos(np.arange(24, dtype=np.float32)).reshape(12, 2)
Y1 = (np.arange(12) % 3 == 0).astype(np.int64)
Y4 = np.arange(12) % 4
HOT = np.eye(4, dtype=np.float32)[Y4]
WEIGHT = np.linspace(0.5, 2, 12).astype(np.float32)
FIT: Any = {"shuffle": False, "verbose": 0}

Case = Callable[[Any], Any]


def set_weights(model: Any) -> Any:
    """Sets the same weights in both libraries."""
    sizes = [w.shape for w in model.get_weights()]
    model.set_weights(
        [
            (np.sin(np.arange(np.prod(s)) + 7 * i) / 2).reshape(s).astype(np.float32)
            for i, s in enumerate(sizes)
        ]
    )
    return model


def make(
    k: Any,
    units: int = 1,
    activation: Any = "sigmoid",
    loss: Any = "binary_crossentropy",
    metrics: Any = ("accuracy",),
    optimizer: Any = "sgd",
    **settings: Any,
) -> Any:
    layers = [
        k.Input((3,)),
        k.layers.Dense(5, activation="relu"),
        k.layers.Dense(units, activation=activation),
    ]
    model = set_weights(k.Sequential(layers))
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics), **settings)
    return model


def told(arrays: Any) -> Any:
    """For each array its shape and a weighted sum of its values."""
    if isinstance(arrays, dict):
        return {name: told(array) for name, array in arrays.items()}
    if isinstance(arrays, (list, tuple)):
        return [told(array) for array in arrays]
    return [list(arrays.shape), float(np.sum(arrays.reshape(-1) * np.cos(np.arange(arrays.size))))]


# ---- several inputs and outputs


def two_by_two(k: Any, form: type = list, last: str | None = "softmax") -> Any:
    """Inputs a (3,) and b (2,), outputs p (1,) and q (4,), which in a dict stand the other way round."""
    n, a, b = k.layers, k.Input((3,), name="a"), k.Input((2,), name="b")
    h = n.Dense(5, activation="tanh", name="h")(n.Concatenate(name="c")([a, b]))
    p, q = n.Dense(1, activation="sigmoid", name="p")(h), n.Dense(4, activation=last, name="q")(h)
    outputs: Any = {"z": p, "y": q} if form is dict else form([p, q])
    return set_weights(k.Model([a, b], outputs))


def trained(model: Any, y: Any, weight: Any = None, x: Any = None, **compiled: Any) -> Any:
    """Results of training and evaluation, with the order of names."""
    model.compile("sgd", **compiled)
    x = [X, Z] if x is None else x
    history = model.fit(
        x, y, epochs=2, batch_size=5, sample_weight=weight, validation_data=(x, y, weight), **FIT
    ).history
    as_dict = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    return [
        history, list(as_dict), as_dict,
        model.evaluate(x, y, sample_weight=weight, verbose=0, batch_size=5),
        told(model.predict(x, verbose=0)),
        model.train_on_batch(x, y, sample_weight=weight),
        model.test_on_batch(x, y, sample_weight=weight),
        told(model.get_weights()),
    ]  # fmt: skip


BINARY, SPARSE, CATEGORICAL = (
    f"{kind}_crossentropy" for kind in ("binary", "sparse_categorical", "categorical")
)
BOTH = [BINARY, SPARSE]
NAMED: dict[str, str] = {"q": CATEGORICAL, "p": "mse"}

SEVERAL: dict[str, Case] = {
    "one loss for all": lambda k: trained(two_by_two(k), [X[:, :1], HOT], loss="mse"),
    "lists": lambda k: trained(
        two_by_two(k), [Y1, Y4], loss=BOTH, loss_weights=[1, 0.25], metrics=[["accuracy"], ["acc"]],
        weighted_metrics=[["mse", "mae"], []],
    ),
    "a metric for each": lambda k: trained(two_by_two(k), (Y1, HOT), loss="mse", metrics=["mae", "mse"]),
    "dicts": lambda k: trained(
        two_by_two(k), {"q": HOT, "p": Y1}, loss=NAMED, loss_weights={"q": 0.5, "p": 2},
        metrics={"q": ["accuracy", "mae"], "p": "mae"}, weighted_metrics={"q": ["mae"]},
    ),
    "weights": lambda k: trained(
        two_by_two(k), [Y1, Y4], [WEIGHT, WEIGHT[::-1]], loss=BOTH, metrics=[["accuracy"], ["accuracy"]],
        weighted_metrics=[["accuracy"], ["accuracy"]],
    ),
    "one weight for all": lambda k: trained(
        two_by_two(k), [Y1, Y4], WEIGHT, loss=BOTH, weighted_metrics=[["accuracy"], ["accuracy"]]
    ),
    "weights in a dict": lambda k: trained(
        two_by_two(k, dict), {"z": Y1, "y": Y4}, {"z": WEIGHT, "y": WEIGHT**2},
        loss={"y": SPARSE, "z": BINARY}, weighted_metrics={"y": ["accuracy"]},
    ),
    "an output without a loss": lambda k: trained(
        two_by_two(k), [Y1, HOT], loss=[BINARY, None], metrics=[["accuracy"], ["mae"]]
    ),
    "a loss by name for one": lambda k: trained(two_by_two(k), [Y1, HOT], loss={"q": CATEGORICAL, "p": None}),
    "outputs in a dict": lambda k: trained(
        two_by_two(k, dict), {"z": Y1, "y": HOT}, loss={"y": CATEGORICAL, "z": BINARY},
        loss_weights={"z": 2.0, "y": 1}, metrics={"y": ["accuracy"], "z": ["mae"]},
    ),
    "outputs in a tuple": lambda k: trained(two_by_two(k, tuple), (Y1, HOT), loss=[BINARY, CATEGORICAL]),
    "inputs by name": lambda k: trained(
        two_by_two(k), [Y1, Y4], x={"b": Z, "a": X}, loss=BOTH, metrics=[["accuracy"], None]
    ),
    "logits": lambda k: trained(
        two_by_two(k, last=None), [Y1, Y4],
        loss=[k.losses.BinaryCrossentropy(), k.losses.SparseCategoricalCrossentropy(from_logits=True)],
    ),
    "names twice": lambda k: trained(
        two_by_two(k), [Y1, HOT], loss="mse", metrics=[["mae", "mae"], ["mae"]],
        weighted_metrics=[["mae"], ["mae", "mae"]],
    ),
}  # fmt: skip


def split(k: Any) -> Any:
    model = two_by_two(k)
    model.compile("adam", BOTH)
    history = model.fit([X, Z], [Y1, Y4], validation_split=0.25, sample_weight=[WEIGHT, WEIGHT], **FIT)
    return [history.history, told(model.predict_on_batch([X, Z]))]


def one_in_a_list(k: Any) -> Any:
    """Lists and dicts of one input and one output."""
    n, x = k.layers, k.Input((3,), name="x")
    y = n.Dense(2, name="y")(x)
    found: list[Any] = []
    for inputs, outputs in (([x], [y]), (x, [y]), ({"x": x}, y)):
        model = set_weights(k.Model(inputs, outputs))
        model.compile("sgd", "mse", metrics=["mae"])
        given = {"x": X} if isinstance(inputs, dict) else [X] if isinstance(inputs, list) else X
        made = model.predict(given, verbose=0)
        found += [model.fit(given, Z, **FIT).history, told(made)]
    return found


# ---- shared layers, models in models, parts of models


def shared(k: Any) -> Any:
    n, a, b = k.layers, k.Input((3,), name="a"), k.Input((3,), name="b")
    layer = n.Dense(4, activation="relu", name="s")
    twice = n.Dense(3, activation="tanh", name="t")
    u, v = layer(a), layer(twice(twice(b)))
    model = set_weights(k.Model([a, b], n.Dense(1, name="d")(n.Subtract(name="m")([u, v]))))
    return [structure(model), trained(model, Y1, x=[X, X[::-1].copy()], loss="mse")]


def nested(k: Any) -> Any:
    """A Sequential and a Model in a Model, the second called twice, trained inside and alone."""
    n, x, z = k.layers, k.Input((3,), name="x"), k.Input((3,), name="z")
    first = k.Sequential([k.Input((3,)), n.Dense(3, activation="relu", name="d")], name="first")
    i = k.Input((3,), name="i")
    pair = k.Model(i, [n.Dense(2, name="l")(i), n.Dense(2, name="r")(i)], name="pair")
    (l1, r1), (l2, r2) = pair(first(x)), pair(z)
    model = set_weights(k.Model([x, z], [n.Add(name="add")([l1, r2]), n.Multiply(name="mul")([l2, r1])]))
    found = [structure(model), trained(model, [Z, Z], x=[X, -X], loss=["mse", "mae"])]
    pair.compile("sgd", "mse")
    found += [pair.fit(X, [Z, -Z], **FIT).history, told(model.predict([X, X], verbose=0))]
    pair.trainable = False
    model.compile("sgd", "mse")
    model.fit([X, -X], [Z, Z], **FIT)
    return [
        *found,
        [w.name for w in model.trainable_weights],
        told(pair.get_weights()),
        told(model.get_weights()),
    ]


def parts(k: Any) -> Any:
    """An encoder and a decoder out of a model that is trained, and another end on its middle."""
    n = k.layers
    model = k.Sequential([k.Input((3,)), n.Dense(2, activation="tanh", name="code"), n.Dense(3, name="out")])
    set_weights(model)
    encoder = k.Model(model.inputs, model.get_layer("code").output)
    decoder = k.Model(model.get_layer("code").output, model.outputs)
    model.compile("sgd", "mse")
    model.fit(X, X, epochs=3, **FIT)
    code = encoder.predict(X, verbose=0)
    found = [told([code, decoder.predict(code, verbose=0)]), encoder.output_shape, decoder.input_shape]
    judge = k.Model(encoder.inputs, n.Dense(1, name="end")(encoder.outputs[0]))
    judge.get_layer("end").set_weights([np.ones((2, 1)) / 2, np.zeros(1)])
    encoder.trainable = False
    judge.compile("sgd", "mse")
    judge.fit(X, Y1, epochs=2, **FIT)
    both = k.Model(model.inputs, [layer.output for layer in model.layers])
    return [*found, told(judge.get_weights()), told(both.predict(X, verbose=0)), both.output_names]


# ---- structure


def structure(model: Any) -> Any:
    return [
        [layer.name for layer in model.layers], [[w.name, list(w.shape)] for w in model.weights],
        [value.name for value in model.inputs], model.input_shape, model.output_names, model.output_shape,
        model.count_params(),
    ]  # fmt: skip


def deep(k: Any) -> Any:
    """Branches of different depth from inputs of different depth, which meet in several places."""
    n, a, b, c = k.layers, *(k.Input((4,), name=name) for name in "abc")
    long = n.Dense(4, name="a3")(n.Dense(4, name="a2")(n.Dense(4, name="a1")(a)))
    short = n.Dense(4, name="b1")(b)
    middle = n.Add(name="m")([short, n.Dense(4, name="a4")(long)])
    side = n.Dense(3, name="s1")(middle)
    late = n.Concatenate(name="cat")([n.Dense(2, name="c1")(c), side, long])
    end, other = n.Dense(2, name="end")(late), n.Dense(1, name="other")(short)
    return [structure(k.Model(*sides)) for sides in (
        ([a, b, c], [end, other]), ([c, b, a], [other, end]), ([b, a], [middle, other]),
        ([a, b, c], [end, middle, long, other]), ([a, b, c], [other, long, end]),
    )]  # fmt: skip


def inception(k: Any) -> Any:
    """Branches from one value, merged in other orders than they were made; a way around two layers."""
    n, x = k.layers, k.Input((8, 8, 3), name="x")
    one = n.Conv2D(2, 1, name="one")(x)
    three = n.Conv2D(3, 3, padding="same", name="three")(n.Conv2D(2, 1, name="before")(x))
    pool = n.Conv2D(2, 1, name="after")(n.MaxPooling2D(3, 1, "same", name="pool")(x))
    both = n.Concatenate(name="cat")([pool, three, one])
    inner = n.Conv2D(7, 3, padding="same", name="in2")(n.Conv2D(7, 3, padding="same", name="in1")(both))
    y = n.GlobalAveragePooling2D(name="mean")(n.Add(name="add")([inner, both]))
    model = set_weights(k.Model(x, n.Dense(2, name="d")(y)))
    images = np.sin(np.arange(2 * 8 * 8 * 3, dtype=np.float32)).reshape(2, 8, 8, 3)
    return [structure(model), trained(model, np.ones((2, 2)), x=images, loss="mse")]


def reused(k: Any) -> Any:
    """Layers that are called twice at different depths; an input that is an output; one that is not read."""
    n, a, b = k.layers, k.Input((4,), name="a"), k.Input((4,), name="b")
    one, two = n.Dense(4, name="one"), n.Dense(4, name="two")
    u = one(a)
    v = two(one(two(u)))
    w = n.Add(name="add")([v, one(b), n.Dense(4, name="three")(b)])
    models = [k.Model([a, b], w), k.Model([b, a], [w, u]), k.Model([a, b], [u, n.Dense(2, name="e")(b)])]
    models += [k.Model([a, b], u), k.Model([b, a], [a, u])]
    return [structure(model) for model in models]


def open_sizes(k: Any) -> Any:
    n, x = k.layers, k.Input((None, None, 3), name="x")
    y = n.Conv2D(4, 3, strides=2, padding="same", name="c")(x)
    values = [
        y, n.MaxPooling2D(2)(y), n.Conv2D(2, 3)(y), n.GlobalMaxPooling2D()(y), n.Dense(5)(y),
        n.Reshape((-1, 2))(y), n.Flatten()(k.Input((None, 4))), n.Add()([y, n.ReLU()(y)]),
        n.Concatenate(1)([x, x]),
        n.Concatenate()([x, x]), n.Concatenate(1)([k.Input((None, 4)), k.Input((3, 4))]),
        n.Add()([k.Input((None, 4)), k.Input((1, 4))]), n.Dot(1)([k.Input((None, 2)), k.Input((None, 3))]),
        n.Dot(2)([k.Input((None, 2)), k.Input((5, 2))]),
    ]  # fmt: skip
    model = set_weights(k.Model(x, n.Dense(2, name="d")(n.GlobalAveragePooling2D(name="mean")(y))))
    model.compile("sgd", "mse")
    found: list[Any] = []
    for size in (5, 8, 6):
        images = np.sin(np.arange(2 * size * (size + 1) * 3, dtype=np.float32)).reshape(2, size, size + 1, 3)
        found += [model.train_on_batch(images, np.ones((2, 2))), told(model.predict(images, verbose=0))]
    return [[list(value.shape) for value in values], structure(model), found]


# ---- merges


def merge(make: Callable[[Any], Any], *shapes: Sequence[int], ties: bool = False) -> Case:
    """Outputs and shape, and the weights of a layer before each input after two steps."""

    def case(k: Any) -> Any:
        inputs = [k.Input(shape) for shape in shapes]
        before = [k.layers.Dense(shape[-1]) for shape in shapes]
        made = make(k.layers)([layer(x) for layer, x in zip(before, inputs)])
        model = set_weights(k.Model(inputs, made))
        rows = [np.sin(np.arange(6 * np.prod(s)) + i).reshape(6, *s) for i, s in enumerate(shapes)]
        if ties:
            rows = [np.round(2 * x) for x in rows]
            for layer in before:
                layer.set_weights([np.eye(layer.units), np.zeros(layer.units)])
        x: Any = [x.astype(np.float32) for x in rows]
        out = model.predict(x, verbose=0)
        model.compile("sgd", "mse")
        model.fit(x, np.full_like(out, 0.5), epochs=2, batch_size=3, **FIT)
        return [list(made.shape), told(out), told(model.get_weights())]

    return case


ELEMENTWISE = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "of one shape": [(2, 3), (2, 3)],
    "size of 1": [(2, 1), (1, 3)],
    "fewer axes": [(2, 3), (3,)],
    "axes in front": [(3,), (2, 2, 3)],
    "three": [(2, 3), (1, 3), (2, 1)],
}

CASES: dict[str, Case] = {
    **{f"several: {name}": case for name, case in SEVERAL.items()},
    "several: split": split,
    "several: one in a list": one_in_a_list,
    "shared layers": shared,
    "models in a model": nested,
    "parts of a model": parts,
    "order of deep branches": deep,
    "order of an inception block": inception,
    "order of layers called twice": reused,
    "open sizes": open_sizes,
    **{
        f"{name}, {shapes}": merge(lambda n, name=name: getattr(n, name)(), *SHAPES[shapes])
        for name in ELEMENTWISE
        for shapes in SHAPES
        if name != "Subtract" or len(SHAPES[shapes]) == 2
    },
    **{
        f"{name}, {count} with ties": merge(
            lambda n, name=name: getattr(n, name)(), *[(5,)] * count, ties=True
        )
        for name in ("Maximum", "Minimum")
        for count in (2, 3)
    },
    "Concatenate": merge(lambda n: n.Concatenate(), (2, 3), (2, 1), (2, 2)),
    "Concatenate, axis 1": merge(lambda n: n.Concatenate(1), (2, 3), (1, 3)),
    "Concatenate, axis -2": merge(lambda n: n.Concatenate(axis=-2), (2, 3), (1, 3)),
    "Dot of vectors": merge(lambda n: n.Dot(1), (4,), (4,)),
    "Dot, axis 1": merge(lambda n: n.Dot(1), (3, 2), (3, 4)),
    "Dot, axis 2": merge(lambda n: n.Dot(axes=2), (3, 2), (4, 2)),
    "Dot, axis -1": merge(lambda n: n.Dot(-1), (3, 2), (2,)),
    "Dot, axes (2, 1)": merge(lambda n: n.Dot((2, 1)), (3, 2), (2, 4)),
    "Dot, axes (1, 2)": merge(lambda n: n.Dot([1, 2]), (2, 3), (4, 2)),
    "Dot of three axes": merge(lambda n: n.Dot((3, 1)), (2, 3, 2), (2, 4)),
    "Dot of vectors and matrices": merge(lambda n: n.Dot((1, 2)), (3,), (2, 3)),
}
