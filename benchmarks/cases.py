"""The timed calls of nncore.ops: every operation, forward and backward, at typical sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from . import numpy_forms, shapes

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """A call op(*arrays, **arguments). `flops` counts the products of dense layers and convolutions."""

    name: str
    op: str
    arrays: list[Array]
    arguments: dict[str, Any]
    flops: float = 0.0


Normal = Callable[..., Array]  # of a shape
TOP = ("top_k_categorical", "sparse_top_k_categorical")


def cases(group: str, quick: bool) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    return GROUPS[group](lambda *shape: rng.standard_normal(shape, np.float32), quick)


def _gemm(normal: Normal, quick: bool) -> Iterator[Case]:
    for g in shapes.gemms(quick):
        x, kernel, dy = normal(g.rows, g.inputs), normal(g.inputs, g.units), normal(g.rows, g.units)
        yield Case(f"dense {g.name}", "dense", [x, kernel], {}, g.flops)
        if not g.origin:
            yield Case(f"backward {g.name}", "dense_backward", [dy, x, kernel], {}, 2 * g.flops)


def _convolution(normal: Normal, quick: bool) -> Iterator[Case]:
    for c in shapes.convs(quick):
        x, kernel = normal(c.n, c.h, c.w, c.c), normal(c.kh, c.kw, c.c // c.groups, c.f)
        arguments = {"strides": c.stride, "padding": c.padding, "groups": c.groups}
        yield Case(f"forward {c.name}", "conv2d", [x, kernel], arguments, c.flops)
        yield Case(
            f"backward {c.name}", "conv2d_backward", [normal(*c.output), x, kernel], arguments, 2 * c.flops
        )


def _image(quick: bool) -> tuple[int, int, int, int]:
    return (2, 6, 6, 4) if quick else (32, 26, 26, 64)


def _elementwise(normal: Normal, quick: bool) -> Iterator[Case]:
    from nncore import _core
    from nncore.common.operations import ACTIVATIONS

    arguments: dict[str, dict[str, Any]] = {
        **{name: {} for op, o in ACTIVATIONS.items() if not _core.activations()[op][1] for name in o.names},
        "gelu": {"approximate": True},  # NumPy has no erf
        "rescale": {"scale": 1 / 255},
        "dropout": {"rate": 0.5, "seed": 1},
    }
    x, dy = normal(*_image(quick)), normal(*_image(quick))
    for op, given in arguments.items():
        yield Case(op, op, [x], given)
        yield Case(f"{op}_backward", f"{op}_backward", [dy, x], given)


def _pooling(normal: Normal, quick: bool) -> Iterator[Case]:
    n, h, w, c = _image(quick)
    x = normal(n, h, w, c)
    for op in ("max_pool2d", "average_pool2d", "global_max_pool2d", "global_average_pool2d"):
        dy = normal(n, c) if "global" in op else normal(n, h // 2, w // 2, c)
        yield Case(op, op, [x], {})
        yield Case(f"{op}_backward", f"{op}_backward", [dy, x], {})


def _rows(normal: Normal, quick: bool) -> Iterator[Case]:
    """Softmax, normalization, losses and accuracies."""
    from nncore import (
        _core,
        losses,  # noqa: F401 (their operations)
    )
    from nncore.common.rows import LOSSES

    for n, classes in [(50, 10)] if quick else [(10_000, 10), (1_000, 1_000)]:
        x, t, dy, size = normal(n, classes), normal(n, classes), normal(n), f" {n} x {classes}"
        p, labels = numpy_forms.softmax(x), np.argmax(normal(n, classes), axis=1)
        one_hot = np.eye(classes, dtype=np.float32)[labels]
        for op in (name for name, (_, of_rows, *_) in _core.activations().items() if of_rows):
            yield Case(op + size, op, [x], {})
            yield Case(f"{op}_backward{size}", f"{op}_backward", [t, x], {})
        gamma, beta = normal(classes), normal(classes)
        yield Case("layer_normalization" + size, "layer_normalization", [x, gamma, beta], {})
        yield Case(f"layer_normalization_backward{size}", "layer_normalization_backward", [t, x, gamma], {})
        yield Case("normalize_batch" + size, "normalize_batch", [x, gamma, beta], {})
        yield Case(f"normalize_batch_backward{size}", "normalize_batch_backward", [t, x, gamma], {})
        for op, loss in LOSSES.items():
            target, output = {"numbers": (t, x), "classes": (labels, p)}.get(loss.inputs, (one_hot, p))
            yield Case(op + size, op, [target, output], {})
            yield Case(f"{op}_backward{size}", f"{op}_backward", [dy, target, output], {})
        for kind in ("binary", "categorical", "sparse_categorical", *TOP):
            target = labels if kind.startswith("sparse") else one_hot
            yield Case(f"{kind}_accuracy{size}", f"{kind}_accuracy", [target, p], {})


def _recurrent(normal: Normal, quick: bool) -> Iterator[Case]:
    n, steps, inputs, units = (2, 3, 4, 4) if quick else (64, 50, 32, 64)
    x, dy = normal(n, steps, inputs), normal(n, units)
    for op, gates in (("simple_rnn", 1), ("lstm", 4), ("gru", 3)):
        kernels = [normal(size, gates * units) / np.float32(size**0.5) for size in (inputs, units)]
        yield Case(op, op, [x, *kernels], {})
        yield Case(f"{op}_backward", f"{op}_backward", [dy, x, *kernels], {})


def _updates(normal: Normal, quick: bool) -> Iterator[Case]:
    from nncore import ops  # noqa: F401 (its operations)
    from nncore.ops.updates import UPDATES
    from nncore.optimizers import ROWS

    n = 1_000 if quick else 1_000_000
    for name, update in UPDATES.items():
        takes = signature(update.reference).parameters
        for given in ({}, *update.optimizer._variants):  # the first settings with all moments
            row = update.optimizer(**{**given, **update.fixed}).spec()[0]
            if len(ROWS[row][1]) == len(update.moments):
                break
        arrays = [normal(n), normal(n)]  # w and g; then moments: means of gradients, or of squares
        arrays += (0.1 * normal(n) if of in ("m", "a") else 1 + normal(n) ** 2 for of in update.moments)
        title = ", ".join(key for key in given if key != "learning_rate")
        step = {"step": 3} if "step" in takes else {}
        yield Case(f"{name} with {title}" if title else name, name, arrays, {**given, **step})


GROUPS: dict[str, Callable[[Normal, bool], Iterator[Case]]] = {
    "gemm": _gemm,
    "convolution": _convolution,
    "elementwise": _elementwise,
    "pooling": _pooling,
    "rows": _rows,
    "recurrent": _recurrent,
    "updates": _updates,
}
TITLES = {
    "gemm": "Dense layers",
    "convolution": "Convolutions",
    "elementwise": "Elementwise, 32 x 26 x 26 x 64",
    "pooling": "Pooling, 32 x 26 x 26 x 64",
    "rows": "Softmax, normalization, losses and accuracies",
    "recurrent": "Recurrent layers, 64 x 50 steps of 32 values, 64 units",
    "updates": "Optimizers, 1,000,000 weights",
}
