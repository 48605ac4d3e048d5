"""Functions over arrays that do what a layer does, written as their NumPy reference: see `_operations`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._operations import _F, Floats, Function, Operation, arguments_reader, expect_shape, floats


class Call(NamedTuple):
    """What the core wants to know. Only what draws random numbers has a seed."""

    spec: _core.Spec
    x: Floats
    parameters: tuple[Floats, ...] = ()
    axes: int | None = None  # of x that are one sample, by default all but the first
    output: tuple[int, ...] | None = None  # the shape of the output, where axes are given
    seed: int | None = None


LAYERS: dict[str, Operation] = {}


def layer(
    prepare: Callable[..., Call], inputs: str = "numbers", variants: tuple[dict[str, Any], ...] = ()
) -> Callable[[_F], _F]:
    """Makes an operation f(x, ...), or behind it its gradient f_backward(dy, x, ...), of its reference.

    Args:
        prepare: prepare(op, x=..., ...), what the core wants of these arguments, which it checks. A gradient
            with a kernel has no bias, and gives that of one.
        inputs: what tests give it: "numbers", or "few" different ones, so that there are equal ones.
        variants: settings with which it is tested besides the defaults.
    """

    def decorate(f: _F) -> _F:
        name, arguments_of = f.__name__, arguments_reader(f)

        @functools.wraps(f)
        def forward(*args: Any, **given: Any) -> Floats:
            spec, x, parameters, axes, _, seed = prepare(name, **arguments_of(*args, **given))
            return _core.forward(spec, x, parameters, seed is not None, seed or 0, axes)

        @functools.wraps(f)
        def backward(*args: Any, **given: Any) -> Floats | tuple[Floats, ...]:
            of = arguments_of(*args, **given)
            dy = of.pop("dy")
            if "kernel" in of:
                of["bias"] = np.zeros(np.shape(of["kernel"])[-1:])
            spec, x, parameters, axes, output, seed = prepare(name, **of)
            dy = floats(name, "dy", dy)
            if output is not None:
                expect_shape(name, "dy", dy, output)
            dx, gradients = _core.backward(spec, dy, x, parameters, True, seed or 0, axes)
            return (dx, *gradients) if gradients else dx

        forward_name = name.removesuffix("_backward")
        public: Function = forward
        if forward_name == name:
            LAYERS[name] = Operation(public, f, variants=variants, inputs=inputs)
        else:
            public, of_both = backward, LAYERS[forward_name]
            LAYERS[forward_name] = dataclasses.replace(of_both, public_backward=public, reference_backward=f)
        return public  # type: ignore[return-value]

    return decorate


def elementwise(op: str, x: ArrayLike, kind: str, seed: int | None = None, **settings: float) -> Call:
    """A layer that works on each element of an array of any shape."""
    a = floats(op, "x", x)
    return Call((kind, {**settings}), a, axes=0, output=a.shape, seed=seed)


def image(op: str, x: ArrayLike) -> Floats:
    a = floats(op, "x", x)
    if a.ndim != 4:
        raise ValueError(f"[{op}] expected x of shape (samples, height, width, channels), got {a.shape}")
    return a
