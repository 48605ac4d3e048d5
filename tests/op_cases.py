"""The table of ops: for each, how to make arguments in which some size is n."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest

from nncore import _core, reference
from nncore.common.operations import ACTIVATIONS, LAYERS
from nncore.common.rows import LOSSES, METRICS

SIZES = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97]
QUICK = (1, 7, 16, 33)


def grid(sizes: Iterable[int]) -> list[Any]:
    """Parametrizes a test with sizes; most of them run in full runs only."""
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.full) for n in sizes]


Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """An op at one size: `arrays` are its inputs, and `length` is that of the longest sum in it."""

    op: str
    arrays: list[Array]
    arguments: dict[str, Any]
    length: int = 1


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def of_dense(rng: np.random.Generator, rows: int, inputs: int, units: int) -> Case:
    arrays = [normal(rng, rows, inputs), normal(rng, inputs, units), normal(rng, units)]
    return Case("dense", arrays, {}, max(rows, inputs, units))


def of_conv2d(
    rng: np.random.Generator,
    image: tuple[int, int, int],
    kernel_size: tuple[int, int],
    filters: int,
    samples: int = 2,
    **arguments: Any,
) -> Case:
    h, w, c = image
    kernel = normal(rng, *kernel_size, c // arguments.get("groups", 1), filters)
    length = max(kernel[..., 0].size, kernel[:, :, 0].size, samples * h * w)
    return Case("conv2d", [normal(rng, samples, h, w, c), kernel, normal(rng, filters)], arguments, length)


def of_pool(
    op: str, rng: np.random.Generator, image: tuple[int, int, int], samples: int = 2, **arguments: Any
) -> Case:
    few = rng.integers(-3, 4, size=(samples, *image)).astype(np.float32)
    x = few if LAYERS[op].inputs == "few" else normal(rng, samples, *image)
    return Case(op, [x], arguments, 64)


def of_batch(rng: np.random.Generator, *shape: int, axis: int = -1) -> Case:
    features = shape[axis]
    arrays = [3.0 + normal(rng, *shape, scale=2.0), 1.0 + normal(rng, features), normal(rng, features)]
    length = 4 * int(np.prod(shape)) // features
    return Case("normalize_batch", arrays, {"axis": axis, "epsilon": 0.01}, length)


def of_rows_normalized(rng: np.random.Generator, *shape: int, axes: int = 1, **arguments: Any) -> Case:
    """x, gamma and beta. Epsilon limits how much the errors of a short row grow."""
    x, last = normal(rng, *shape, scale=3.0) + np.float32(5), shape[-axes:]
    arrays = [x, normal(rng, *last), normal(rng, *last)]
    return Case("layer_normalization", arrays, {"epsilon": 0.5, **arguments}, x.size)


RECURRENT = {"simple_rnn": 1, "lstm": 4, "gru": 3}  # and their gates


def of_steps(
    op: str, rng: np.random.Generator, samples: int, steps: int, inputs: int, units: int, **arguments: Any
) -> Case:
    columns = RECURRENT[op] * units
    arrays = [
        normal(rng, samples, steps, inputs),
        normal(rng, inputs, columns, scale=inputs**-0.5),
        normal(rng, units, columns, scale=units**-0.5),
        normal(rng, *(2,) * (op == "gru" and arguments.get("reset_after", True)), columns),
    ]
    return Case(op, arrays, arguments, 4 * samples * steps * max(inputs, units))


def elementwise(op: str, **arguments: Any) -> Callable[[np.random.Generator, int], Case]:
    return lambda rng, n: Case(op, [normal(rng, 3, n, scale=3.0)], arguments)


Build = Callable[[np.random.Generator, int], Case]
CASES: dict[str, Build] = {
    "dense of n rows": lambda rng, n: of_dense(rng, n, 10, 3),
    "dense of n rows to whole panels": lambda rng, n: of_dense(rng, n, 9, 128),
    "dense of n inputs": lambda rng, n: of_dense(rng, 4, n, 6),
    "dense of n units": lambda rng, n: of_dense(rng, 4, 5, n),
    "dense of n everything": lambda rng, n: of_dense(rng, n, n, n),
    "conv2d of n columns": lambda rng, n: of_conv2d(rng, (4, n + 2, 2), (3, 3), 4),
    "conv2d of n channels": lambda rng, n: of_conv2d(rng, (5, 4, n), (3, 2), 3),
    "conv2d of n filters": lambda rng, n: of_conv2d(rng, (5, 6, 2), (3, 3), n),
    "conv2d of n samples": lambda rng, n: of_conv2d(rng, (4, 4, 1), (3, 3), 2, samples=n),
    "conv2d 1x1": lambda rng, n: of_conv2d(rng, (3, 3, n), (1, 1), n),
    "conv2d same": lambda rng, n: of_conv2d(rng, (4, n, 3), (3, 4), 5, padding="same"),
    "conv2d same strided": lambda rng, n: of_conv2d(
        rng, (5, n, 2), (3, 3), 4, padding="same", strides=(2, 3)
    ),
    "conv2d strided": lambda rng, n: of_conv2d(rng, (7, n + 3, 2), (2, 3), 4, strides=(3, 2)),
    "conv2d dilated": lambda rng, n: of_conv2d(rng, (7, n + 4, 3), (3, 2), 4, dilation_rate=(2, 3)),
    "conv2d dilated same": lambda rng, n: of_conv2d(
        rng, (5, n, 2), (3, 3), 3, dilation_rate=2, padding="same"
    ),
    "conv2d grouped": lambda rng, n: of_conv2d(rng, (4, 5, 2 * n), (3, 3), 4, groups=2),
    "conv2d of n filters in groups": lambda rng, n: of_conv2d(rng, (4, 5, 6), (2, 2), 3 * n, groups=3),
    "conv2d depthwise": lambda rng, n: of_conv2d(rng, (4, 5, n), (3, 3), n, groups=n, padding="same"),
    "conv2d winograd of n columns": lambda rng, n: of_conv2d(rng, (10, n + 9, 32), (3, 3), 33),
    "conv2d winograd of n channels": lambda rng, n: of_conv2d(
        rng, (9, 8, n + 31), (3, 3), 32, samples=1, padding="same"
    ),
    "conv2d winograd of n filters": lambda rng, n: of_conv2d(rng, (11, 12, 33), (3, 3), n + 31, samples=3),
    "normalize_batch of n features": lambda rng, n: of_batch(rng, 23, n),
    "normalize_batch of n samples": lambda rng, n: of_batch(rng, n + 1, 5),
    "normalize_batch of n rows": lambda rng, n: of_batch(rng, 3, n, 4),
    "normalize_batch of axis 1": lambda rng, n: of_batch(rng, 4, 3, n, axis=1),
    "layer_normalization of n columns": lambda rng, n: of_rows_normalized(rng, 3, n),
    "layer_normalization of n rows": lambda rng, n: of_rows_normalized(rng, n, 33, epsilon=None),
    "layer_normalization of n rows of images": lambda rng, n: of_rows_normalized(
        rng, 2, 3, n, 5, axes=2, axis=[-1, 2]
    ),
    **{name: elementwise(name, **LAYERS[name].variants[0]) for name in ("rescale", "dropout")},
}


for _op in RECURRENT:
    CASES |= {
        f"{_op} of n samples": lambda rng, n, op=_op: of_steps(op, rng, n, 3, 2, 5),
        f"{_op} of n steps": lambda rng, n, op=_op: of_steps(op, rng, 2, n, 3, 4, return_sequences=True),
        f"{_op} of n inputs": lambda rng, n, op=_op: of_steps(op, rng, 3, 2, n, 4, go_backwards=True),
        f"{_op} of n units": lambda rng, n, op=_op: of_steps(op, rng, 3, 4, 5, n),
    }
CASES["gru early of n units"] = lambda rng, n: of_steps("gru", rng, 3, 4, 5, n, reset_after=False)


def over_rows(activation: str) -> bool:
    return _core.activations()[activation][1]


for _name, _operation in ACTIVATIONS.items():
    for _settings in ({}, *_operation.variants):
        CASES[f"{_name} {_settings or ''}".strip()] = elementwise(_name, **_settings)
for _op in ("max_pool2d", "average_pool2d"):
    CASES |= {
        f"{_op} of n channels": lambda rng, n, op=_op: of_pool(op, rng, (4, 5, n)),
        f"{_op} of n columns": lambda rng, n, op=_op: of_pool(op, rng, (5, n + 1, 3)),
        f"{_op} same": lambda rng, n, op=_op: of_pool(op, rng, (5, n, 2), pool_size=3, padding="same"),
        f"{_op} overlapping": lambda rng, n, op=_op: of_pool(
            op, rng, (5, n + 2, 2), pool_size=3, strides=(2, 1)
        ),
        f"{_op} with gaps": lambda rng, n, op=_op: of_pool(op, rng, (7, n, 3), pool_size=(2, 1), strides=3),
    }
for _op in ("global_max_pool2d", "global_average_pool2d"):
    CASES |= {
        f"{_op} of n channels": lambda rng, n, op=_op: of_pool(op, rng, (3, 4, n)),
        f"{_op} of n columns": lambda rng, n, op=_op: of_pool(op, rng, (3, n, 2), keepdims=True),
    }


def row_targets(rng: np.random.Generator, inputs: str, shape: tuple[int, ...]) -> Array:
    """Targets for outputs of a shape, of the kind `inputs` of a loss."""
    if inputs == "numbers":
        return normal(rng, *shape)
    if inputs in ("bits", "signs"):
        return rng.integers(0, 2, size=shape).astype(np.float32)
    if inputs == "shares":
        return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1]).astype(np.float32)
    classes = rng.integers(0, shape[-1], size=shape[:-1])
    return classes if inputs == "classes" else np.eye(shape[-1], dtype=np.float32)[classes]


PLAIN = ("numbers", "signs")  # `inputs` of losses whose outputs are numbers of any size


def row_outputs(
    rng: np.random.Generator, inputs: str, shape: tuple[int, ...], from_logits: bool = False
) -> Array:
    """Outputs of the kind `inputs`: numbers, or probabilities that do not add up to 1."""
    if inputs in PLAIN or from_logits:
        return normal(rng, *shape, scale=3.0)
    return rng.uniform(0.02, 0.98, size=shape).astype(np.float32)


def of_rows(op: str, inputs: str, **arguments: Any) -> Build:
    def build(rng: np.random.Generator, n: int) -> Case:
        output = row_outputs(rng, inputs, (5, n), arguments.get("from_logits", False))
        return Case(op, [row_targets(rng, inputs, (5, n)), output], arguments, n)

    return build


OF_LOSSES, OF_METRICS = (
    {
        f"{name} {settings or ''}".strip(): of_rows(name, operation.inputs, **settings)
        for name, operation in family.items()
        for settings in ({}, *operation.variants)
    }
    for family in (LOSSES, METRICS)
)
ALL = {**CASES, **OF_LOSSES, **OF_METRICS}


def case_at(name: str, n: int) -> Case:
    return ALL[name](np.random.default_rng([n, len(name)]), n)


def forward(module: Any, case: Case) -> Array:
    return getattr(module, case.op)(*case.arrays, **case.arguments)


def backward(module: Any, case: Case, place: Callable[[Array], Array] = np.asarray) -> list[Array]:
    """Gradients for a normal dy, which `place` puts somewhere in memory."""
    dy = place(normal(np.random.default_rng(3), *forward(reference, case).shape))
    # other gradients do not depend on the bias, or beta
    arrays = case.arrays if case.op in RECURRENT else case.arrays[:2]
    gradients = getattr(module, case.op + "_backward")(dy, *arrays, **case.arguments)
    return list(gradients) if isinstance(gradients, tuple) else [gradients]
