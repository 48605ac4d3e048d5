"""Every function of nncore.ops on a few shapes, and layers on arrays, in each build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import signature
from itertools import product
from typing import Any

import numpy as np

from .public import Array, all_of, choices, samples, targets
from .public import activations as A
from .public import layers as L
from .public import losses as F
from .public import metrics as M
from .public import ops as P
from .training import Result

Cases = Iterator[tuple[str, Callable[[], Result]]]
Arguments = dict[str, Any]


def settings_of(name: str) -> tuple[Arguments, ...]:
    """The defaults, and each flag set, or number that is not 0 changed."""
    defaults = {p.name: p.default for p in signature(getattr(P, name)).parameters.values()}
    flags = ({key: True} for key, value in defaults.items() if value is False)
    return ({}, *flags, *({k: 2.5 * v} for k, v in defaults.items() if isinstance(v, float) and v))


ELEMENTWISE: dict[str, tuple[Arguments, ...]] = {
    **{name: settings_of(name) for name in all_of(A) if name in all_of(P)},
    "rescale": ({"scale": -0.7, "offset": 0.3},),
    "dropout": ({"rate": 0.3, "seed": 11},),
}
# What the targets are of losses and accuracies, by the first word of their names; of others they are numbers.
KINDS = {"binary": ("binary", "soft"), "categorical": ("one-hot", "soft"), "sparse": ("classes",)}
POOLS: tuple[Arguments, ...] = (
    {},
    {"pool_size": 3, "strides": (2, 1)},
    {"pool_size": (2, 3), "padding": "same"},
)
CONVS: tuple[tuple[tuple[int, ...], tuple[int, ...], Arguments], ...] = (  # x, kernel, arguments
    ((2, 6, 7, 2), (3, 3, 2, 4), {}),
    ((32, 28, 28, 1), (3, 3, 1, 64), {}),
    ((3, 9, 8, 5), (2, 3, 5, 17), {"padding": "same"}),
    ((4, 15, 14, 8), (3, 3, 8, 16), {"strides": 2}),
    ((4, 15, 14, 8), (4, 2, 8, 16), {"strides": (2, 3), "padding": "same"}),
    ((4, 15, 14, 8), (3, 2, 8, 9), {"dilation_rate": (2, 3)}),
    ((4, 13, 11, 6), (2, 2, 2, 9), {"groups": 3}),
    ((4, 13, 11, 24), (3, 3, 1, 24), {"groups": 24, "padding": "same"}),
    ((4, 13, 11, 33), (1, 1, 33, 40), {}),
    ((1, 27, 27, 64), (3, 3, 64, 64), {}),
    ((5, 10, 11, 33), (3, 3, 33, 35), {"padding": "same"}),
)


def normal(*shape: int) -> Array:
    return np.random.default_rng([3, *shape]).normal(scale=2, size=shape).astype(np.float32)


def both_ways(name: str, arrays: list[Array], bias: Array | None = None, **arguments: Any) -> Result:
    """y of an operation and the gradients for a normal dy."""
    y = getattr(P, name)(*arrays, *([] if bias is None else [bias]), **arguments)
    return {"y": y, "gradients": getattr(P, f"{name}_backward")(normal(*y.shape), *arrays, **arguments)}


def called(module: Any, name: str, *arrays: Array, **arguments: Any) -> Result:
    found = getattr(module, name)(*arrays, **arguments)
    return {"y": [a for a in found if a is not None] if isinstance(found, tuple) else found}


def told(arguments: Arguments) -> str:
    return "".join(f", {name}={value}" for name, value in arguments.items())


def kinds_of(name: str) -> tuple[str, ...]:
    return KINDS.get(name.split("_")[0], ("numbers",))


def loss_settings(name: str) -> list[Arguments]:
    """Each flag as it is and set, with each number as it is and changed."""
    defaults = {p.name: p.default for p in signature(getattr(P, name)).parameters.values()}
    others: Arguments = {key: True for key, value in defaults.items() if value is False}
    others |= {key: 2.5 * value or 0.1 for key, value in defaults.items() if isinstance(value, float)}
    ways = product(*(({}, {key: other}) for key, other in others.items()))
    return [{key: other for given in way for key, other in given.items()} for way in ways]


def cases() -> Cases:
    for group in (elementwise, pools, products, rows, updates, layers_alone):
        yield from group()


def elementwise() -> Cases:
    for name, settings in ELEMENTWISE.items():
        for given in settings:
            for shape in ((3, 7), (1, 1), (5, 129), (7, 16, 33), (64, 26, 26, 17)):
                yield f"{P}.{name} {shape}{told(given)}", partial(both_ways, name, [normal(*shape)], **given)


def pools() -> Cases:
    for shape in ((2, 5, 6, 3), (3, 9, 8, 17), (32, 26, 26, 33)):
        for x, kind in ((normal(*shape), ""), (np.round(normal(*shape)), ", ties")):
            for name in ("max_pool2d", "average_pool2d"):
                for given in POOLS:
                    yield f"{P}.{name} {shape}{told(given)}{kind}", partial(both_ways, name, [x], **given)
            for name in ("global_max_pool2d", "global_average_pool2d"):
                yield f"{P}.{name} {shape}{kind}", partial(both_ways, name, [x])


def products() -> Cases:
    for rows, inputs, units in (
        (1, 1, 1), (5, 10, 3), (33, 9, 128), (4, 97, 6), (97, 97, 97), (128, 300, 513), (2, 3000, 10),
        (1, 784, 512), (20_000, 10, 3),
    ):  # fmt: skip
        x, kernel, bias = samples(rows, inputs), normal(inputs, units), normal(units)
        name = f"{P}.dense {rows} x {inputs} to {units}"
        yield name, partial(both_ways, "dense", [x - 0.5, kernel])
        yield f"{name}, bias and blanks", partial(both_ways, "dense", [x, kernel], bias)
    for shape, sizes, given in CONVS:
        x, kernel, bias = normal(*shape), normal(*sizes), normal(sizes[-1])
        name = f"{P}.conv2d {shape} by {sizes}{told(given)}"
        yield name, partial(both_ways, "conv2d", [x, kernel], **given)
        yield (
            f"{name}, bias and blanks",
            partial(both_ways, "conv2d", [samples(*shape), kernel], bias, **given),
        )


def rows() -> Cases:
    """Losses and accuracies."""

    def loss(name: str, target: Array, output: Array, **given: Any) -> Result:
        y = getattr(P, name)(target, output, **given)
        gradient = getattr(P, f"{name}_backward")(normal(*y.shape), target, output, **given)
        return {"y": y, "gradient": gradient}

    for n, columns in ((5, 1), (7, 10), (9, 33), (20_000, 10), (300, 1000)):
        of, logits = f" {n} x {columns}", normal(n, columns)
        p = (1 / (1 + np.exp(-logits))).astype(np.float32)
        for name in (name for name in all_of(F) if name in all_of(P)):
            for target, given in product(kinds_of(name), loss_settings(name)):
                y = targets(target, n, columns)
                output = logits if target == "numbers" or "from_logits" in given else p
                title = f"{name}{of}, {target}{told(given)}"
                yield f"{P}.{title}", partial(loss, name, y, output, **given)
                yield f"{F}.{title}", partial(called, F, name, y, output, **given)
                if name in all_of(M) and not given:
                    yield f"{M}.{title}", partial(called, M, name, y, output)
        for kind in ("binary", "categorical", "sparse_categorical"):
            for target, module in product(kinds_of(kind), (P, M)):
                title = f"{module}.{kind}_accuracy{of}, {target}"
                yield title, partial(called, module, f"{kind}_accuracy", targets(target, n, columns), p)


def updates() -> Cases:
    for n in (1, 17, 1000, 500_000):
        for name in all_of(P):
            if [*signature(getattr(P, name)).parameters][:2] == ["w", "g"]:
                for given in choices(getattr(P, name)):
                    yield f"{P}.{name} {n}{told(given)}", partial(stepped, name, n, given)


def stepped(name: str, n: int, given: Arguments) -> Result:
    """Two steps of an optimizer. Moments that may be None are that at first."""
    step, arrays = getattr(P, name), (normal(n, k)[:, 0] for k in range(1, 99))
    required = [p for p in signature(step).parameters.values() if p.default is p.empty]
    state = [next(arrays) ** (1 + p.name.startswith("v")) for p in required if p.name not in ("g", "step")]
    found = []
    for number in (1, 100):
        count = {"step": number} if "step" in [p.name for p in required] else {}
        state = [*step(state[0], next(arrays), *state[1:], **count, **given)]
        found += [a for a in state if a is not None]
    return {"y": found}


def layers_alone() -> Cases:
    def alone(name: str, *given: Any) -> Result:
        layer = getattr(L, name)(*given)
        return {"y": [layer(samples(9, 13, 11, 8), training=training) for training in (False, True)]}

    arguments = {
        "Dense": (7, "gelu"),
        "Conv2D": (5, 3),
        "MaxPooling2D": (3,),
        "Dropout": (0.4,),
        "Softmax": (),
    }
    for name, given in arguments.items():
        yield f"layer {name} alone", partial(alone, name, *given)
