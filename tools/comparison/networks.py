"""The networks that are trained in each build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .operations import told
from .public import Array, all_of, choices, samples, targets
from .public import activations as A
from .public import initializers as I
from .public import layers as L
from .public import losses as F
from .public import metrics as M
from .public import ops as P
from .public import optimizers as O
from .training import Result, Stack, train

Cases = Iterator[tuple[str, Callable[[], Result]]]


def softmax() -> Any:
    return L.Dense(10, activation="softmax")


# Between images (13, 11, 4) and softmax().
STACKS: dict[str, Stack] = {
    "dense": lambda: [L.Flatten(), L.Dense(65, activation="relu"), L.Dense(33, use_bias=False)],
    "dense of pixels": lambda: [L.Dense(7, activation="gelu"), L.Flatten()],
    "convolution": lambda: [L.Conv2D(17, 3, activation="relu"), L.Conv2D(5, (2, 3)), L.Flatten()],
    "strided": lambda: [L.Conv2D(9, 3, strides=2), L.Conv2D(5, 2, strides=(1, 3)), L.Flatten()],
    "padded": lambda: [L.Conv2D(9, 3, padding="same", activation="silu"), L.Flatten()],
    "padded and strided": lambda: [L.Conv2D(9, 4, strides=3, padding="same"), L.Flatten()],
    "dilated": lambda: [L.Conv2D(8, 3, dilation_rate=2, padding="same"), L.Conv2D(3, 2), L.Flatten()],
    "1 x 1": lambda: [L.Conv2D(20, 1, use_bias=False), L.Conv2D(9, 1), L.Flatten()],
    "grouped": lambda: [L.Conv2D(8, 3, groups=2, use_bias=False), L.Conv2D(6, 2, groups=2), L.Flatten()],
    "depthwise": lambda: [L.Conv2D(4, 3, groups=4, padding="same"), L.Conv2D(8, 2, groups=4), L.Flatten()],
    "Winograd": lambda: [
        L.Conv2D(32, 3, activation="relu"), L.Conv2D(35, 3, padding="same"), L.Conv2D(33, 3), L.Flatten()
    ],
    "pooled": lambda: [L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten()],
    "pooled twice": lambda: [
        L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(33, 2, activation="relu"),
        L.MaxPooling2D(), L.Dropout(0.2), L.Flatten(),
    ],
    "pooled without ReLU": lambda: [L.Conv2D(16, (2, 5)), L.MaxPooling2D((1, 2)), L.Flatten()],
    "maximum": lambda: [L.Conv2D(6, 1), L.MaxPooling2D(3, strides=2, padding="same"), L.Flatten()],
    "average": lambda: [L.Conv2D(6, 1), L.AveragePooling2D((2, 3), padding="same"), L.Flatten()],
    "average of all": lambda: [L.Conv2D(33, 3), L.GlobalAveragePooling2D()],
    "maximum of all": lambda: [L.Conv2D(33, 3), L.GlobalMaxPooling2D(keepdims=True), L.Flatten()],
    "reshaped": lambda: [L.Reshape((11, -1, 4)), L.Conv2D(3, 2), L.Reshape((-1,))],
    "rescaled": lambda: [L.Rescaling(0.7, -0.3), L.Flatten()],
    "normalized": lambda: [
        L.Conv2D(9, 3), L.LayerNormalization(), L.Flatten(), L.Dense(33), L.LayerNormalization(scale=False)
    ],
    "dropout": lambda: [L.Dropout(0.3), L.Flatten(), L.Dense(50, activation="relu"), L.Dropout(0.5)],
    "activation layers": lambda: [
        L.Flatten(), L.Dense(40), L.ReLU(), L.Dense(40), L.ReLU(negative_slope=0.1), L.Dense(40),
        L.LeakyReLU(), L.Dense(40), L.ELU(), L.Dense(40), L.Activation("softplus"), L.Dense(40), L.Softmax(),
    ],
    "frozen": lambda: [
        L.Conv2D(6, 3, trainable=False), L.Conv2D(6, 3), L.Flatten(), L.Dense(20, trainable=False), L.Dense(9)
    ],
}  # fmt: skip


def ended(stack: Stack) -> Stack:
    return lambda: [*stack(), softmax()]


def cases() -> Cases:
    for group in (lessons, stacks, functions, losses, fits, sizes, random_networks):
        yield from group()


def lessons() -> Cases:
    x, y = samples(105, 2), targets("binary", 105, 1)
    binary: Stack = lambda: [L.Dense(10, activation="relu"), L.Dense(1, activation="sigmoid")]  # noqa: E731
    yield "lesson 1, 2-10-1", partial(train, x, y, binary, "binary_crossentropy", batch=10, epochs=5)
    yield "lesson 2, by hand", partial(by_hand, x, y)
    images, numbers, one_hot = samples(130, 28, 28, 1), targets("classes", 130), targets("one-hot", 130)
    bytes_ = (255 * images).astype(np.uint8)
    digits: Stack = lambda: [L.Conv2D(64, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), softmax()]  # noqa: E731
    yield "lesson 3, digits", partial(train, images, numbers, digits)
    yield "digits, float64", partial(train, images.astype(np.float64) / 3, numbers, digits)
    yield "digits, uint8", partial(train, bytes_, numbers, digits)
    yield "digits, uint8 rescaled", partial(train, bytes_, numbers, lambda: [L.Rescaling(1 / 255), *digits()])
    yield "digits, Fortran order", partial(train, np.asfortranarray(images), numbers, digits)
    yield "digits without blanks", partial(train, 1 - images, numbers, digits)
    convnet: Stack = lambda: [  # noqa: E731
        L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(64, 3, activation="relu"),
        L.MaxPooling2D(), L.Flatten(), L.Dropout(0.5), softmax(),
    ]  # fmt: skip
    yield "two convolutions", partial(train, images, one_hot, convnet, "categorical_crossentropy", batch=64)
    mlp: Stack = lambda: [L.Dense(512, activation="relu"), L.Dense(512, activation="relu"), softmax()]  # noqa: E731
    yield "784-512-512-10", partial(train, images.reshape(130, 784), numbers, mlp, batch=128)


def by_hand(x: Array, y: Array) -> Result:
    rng = np.random.default_rng(1)
    w = [rng.normal(size=shape).astype(np.float32) for shape in ((2, 10), (10,), (10, 1), (1,))]
    values = []
    for _ in range(20):
        a = P.dense(x, w[0], w[1])
        h = P.relu(a)
        z = P.dense(h, w[2], w[3])
        values.append(P.binary_crossentropy(y, z, from_logits=True))
        dz = P.binary_crossentropy_backward(np.full(len(x), 1 / len(x)), y, z, from_logits=True)
        dh, *of_second = P.dense_backward(dz, h, w[2])
        _, *of_first = P.dense_backward(P.relu_backward(dh, a), x, w[0])
        w = [P.sgd(v, g, learning_rate=0.1)[0] for v, g in zip(w, [*of_first, *of_second])]
    return {"weights": w, "losses": values}


def stacks() -> Cases:
    x, y = samples(103, 13, 11, 4), targets("classes", 103)
    for name, stack in STACKS.items():
        yield name, partial(train, x, y, ended(stack))
    for name in all_of(O):
        optimizer = getattr(O, name)
        for given, of in product(choices(optimizer), ("dense", "convolution", "pooled", "rescaled")):
            made = partial(optimizer, **given)
            yield f"{name}{told(given)}, {of}", partial(train, x, y, ended(STACKS[of]), optimizer=made)


MATRICES = ("Identity", "Orthogonal")  # initializers of two axes or more


def functions() -> Cases:
    """Each activation and initializer that there is."""
    x, y = samples(103, 13, 11, 4), targets("classes", 103)

    def activated(name: str) -> list[Any]:
        f = getattr(A, name)
        return [L.Conv2D(9, 3, activation=f), L.MaxPooling2D(), L.Flatten(), L.Dense(33, activation=f)]

    def initialized(name: str) -> list[Any]:
        make = partial(getattr(I, name), **{"Constant": {"value": 0.1}}.get(name, {}))
        of = {"kernel_initializer": make()}
        image = L.Conv2D(5, 3, **({} if name == "Identity" else of))  # which has two axes
        flat = [L.Dense(9, **of), L.Dense(5, **({} if name in MATRICES else {"bias_initializer": make()}))]
        return [image, L.Flatten(), *flat]

    for name in all_of(A):
        yield f"activation {name}", partial(train, x, y, ended(partial(activated, name)))
    for name in all_of(I):
        yield f"initializer {name}", partial(train, x, y, ended(partial(initialized, name)), epochs=1)


# What the targets are of cross-entropies; of other losses they are numbers.
KINDS = {"Binary": ("binary", "soft"), "Categorical": ("one-hot", "soft"), "SparseCategorical": ("classes",)}


def losses() -> Cases:
    x = samples(103, 20)

    def case(name: str, end: str, kind: str, metric: str, **settings: Any) -> Cases:
        given = "".join(f", {key}={value}" for key, value in settings.items())
        for columns in (2 if kind == "classes" else 1, 10, 33):

            def stack(columns: int = columns) -> list[Any]:
                return [L.Dense(16, activation="relu"), L.Dense(columns, activation=end)]

            yield (
                f"{name} of {columns} {end}, {kind}{given}",
                partial(
                    train, x, targets(kind, 103, columns), stack, lambda: getattr(F, name)(**settings),
                    metric=lambda: getattr(M, metric)(),
                ),
            )  # fmt: skip

    for name in (name for name in all_of(F) if name[0].isupper()):
        of = name.removesuffix("Crossentropy")
        for target in KINDS.get(of, ("numbers",)):
            if of not in KINDS:
                yield from case(name, "linear", target, "MeanAbsoluteError")
                yield from case(name, "tanh", target, "MeanSquaredError")
                continue
            for smooth in ({}, {"label_smoothing": 0.1}) if target != "classes" else ({},):
                for end in ("sigmoid", "softmax"):
                    yield from case(name, end, target, f"{of}Accuracy", **smooth)
                yield from case(name, "linear", target, f"{of}Accuracy", from_logits=True, **smooth)


def fits() -> Cases:
    """Ways of training."""
    x, y = samples(103, 13, 11, 4), targets("classes", 103)
    weights = np.random.default_rng(2).random(103)

    def batches() -> Iterator[Any]:
        for start in [*range(0, 103, 40)] * 2:
            part = slice(start, start + 40)
            yield x[part], y[part], weights[part]

    ways: dict[str, dict[str, Any]] = {
        "sample weights": {"sample_weight": weights},
        "class weights": {"class_weight": {0: 2.0, 3: 0.5, 7: 0.0}},
        "validation split": {"validation_split": 0.3},
        "validation data": {"validation_data": (x[:31], y[:31], weights[:31]), "validation_batch_size": 9},
        "order of the data": {"shuffle": False},
        "batches of 1": {"batch": 1, "epochs": 1},
        "batches of all": {"batch": 103},
        "steps of an epoch": {"steps_per_epoch": 3, "batch": 20, "epochs": 4},
        "an iterator": {"feed": batches, "steps_per_epoch": 3},
    }
    for name, way in ways.items():
        for of in ("dense", "pooled", "dropout"):
            yield f"fit with {name}, {of}", partial(train, x, y, ended(STACKS[of]), **way)


def sizes() -> Cases:
    """On both sides of the work from which threads are used: 400,000 multiply-adds a batch, or half of it."""

    def dense(*widths: int) -> list[Any]:
        return [L.Dense(width, activation="relu") for width in widths]

    for batch in (8, 19, 20, 21, 39, 40, 41, 64, 200):
        x, y = samples(2 * batch + 3, 90), targets("classes", 2 * batch + 3)
        stack = ended(partial(dense, 100))  # 10,000 multiply-adds a sample
        yield f"90-100-10, batches of {batch}", partial(train, x, y, stack, batch=batch)
    for width in (5, 40, 63, 64, 65, 200, 450):
        x, y = samples(103, width), targets("classes", 103)
        yield f"layers {width} wide", partial(train, x, y, ended(partial(dense, width, width)))


def random_networks(count: int = 40) -> Cases:
    """Of layers and sizes drawn by their number, so that meetings occur that nobody thought of."""

    def stack(number: int) -> list[Any]:
        rng = np.random.default_rng([9, number])

        def one_of(*values: Any) -> Any:
            return values[rng.integers(len(values))]

        def convolution() -> Any:
            settings = one_of({}, {"strides": one_of(2, (1, 2))}, {"dilation_rate": 2}, {"groups": 4})
            padding, function = one_of("same", "valid"), one_of("relu", "relu", "tanh", "linear")
            filters, kernel = 4 * int(rng.integers(1, 10)), one_of(1, 2, 3, 3, (2, 3))
            small = one_of({}, {"use_bias": False})
            return L.Conv2D(filters, kernel, padding=padding, activation=function, **settings, **small)

        made: list[Any] = []
        for _ in range(rng.integers(1, 4)):
            layer = one_of(
                convolution, convolution, convolution,
                lambda: L.MaxPooling2D(one_of(2, 3, (1, 2)), padding=one_of("same", "valid")),
                lambda: L.AveragePooling2D(2), lambda: L.Dropout(0.3), lambda: L.Rescaling(0.7, 0.1),
                lambda: L.Activation(one_of("relu", "gelu", "softplus")), lambda: L.Dense(9),
            )()  # fmt: skip
            made.append(layer)
            if one_of(True, False):
                made.append(L.MaxPooling2D(padding="same"))
        made.append(one_of(L.Flatten, L.Flatten, L.GlobalAveragePooling2D, L.GlobalMaxPooling2D)())
        for _ in range(rng.integers(0, 3)):
            function = getattr(A, one_of("relu", "sigmoid", "elu", "linear"))
            made.append(L.Dense(int(rng.integers(2, 90)), activation=function))
        return made

    for number in range(count):
        batch = (7, 16, 32, 50)[number % 4]
        x, y = samples(75, 20, 18, 4), targets("classes", 75)
        yield f"random network {number}", partial(train, x, y, ended(partial(stack, number)), batch=batch)
