"""Functions over arrays that run a kernel, written as their NumPy reference.

A decorator turns the function into one that runs the compiled kernel in float32, and keeps the function
itself as the reference in float64. The names and defaults of its settings are those of its row in the
compiled table.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import number
from ._data import plain

Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
Function = Callable[..., Any]
Row = Callable[..., tuple[str, dict[str, Any]]]  # row(x, settings...): its name and its settings
_F = TypeVar("_F", bound=Function)


def floats(op: str, name: str, x: ArrayLike) -> Floats:
    """x as a contiguous float32 array of the same shape; TypeError unless it holds real numbers."""
    a = plain(op, name, x)
    if a.dtype.kind not in "biuf":
        raise TypeError(f"[{op}] expected {name} to hold real numbers, got dtype {a.dtype}")
    return np.asarray(a, dtype=np.float32, order="C")


def expect_shape(op: str, name: str, a: Floats, shape: tuple[int, ...]) -> None:
    if a.shape != shape:
        raise ValueError(f"[{op}] expected {name} of shape {shape}, got {a.shape}")


def wide(x: ArrayLike) -> Wide:
    """x in float64, as references compute."""
    return np.asarray(x, dtype=np.float64)


def checked(owner: str, row: list[_core.Setting], given: Mapping[str, Any]) -> dict[str, float]:
    """Settings as the row wants them: names, and numbers in their ranges."""
    if not given:
        return {}
    ranges = {name: (least, most, below) for name, _, least, most, below in row}
    return {name: number(owner, name, value, *ranges[name]) for name, value in given.items()}


@dataclass(eq=False, repr=False)
class Operation:
    """A function that runs a kernel, its reference, and the gradients of both."""

    public: Function
    reference: Function
    public_backward: Function | None = None
    reference_backward: Function | None = None
    variants: tuple[dict[str, Any], ...] = ()  # settings with which it is tested besides the defaults
    inputs: str = "numbers"  # what its inputs are in tests
    aliases: tuple[str, ...] = ()
    row: Row | None = None  # of an activation: the row of its arguments
    tolerance: float = 1e-6  # relative to each value, not to the largest of an array

    @property
    def names(self) -> tuple[str, ...]:
        return (self.public.__name__, *self.aliases)


def settings_of(function: Function) -> dict[str, Any]:
    """The arguments of a function or class that have a default."""
    function = inspect.unwrap(function)
    if isinstance(function, type):
        parameters = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}
    code, defaults = function.__code__, function.__defaults__ or ()  # a signature takes ten times as long
    return dict(zip(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount], defaults))


def settings_reader(signature: inspect.Signature, arrays: int) -> Callable[..., dict[str, Any]]:
    """What makes a dict of the arguments behind the first `arrays`; TypeError if there are no such."""
    names = list(signature.parameters)[arrays:]

    def read(*args: Any, **given: Any) -> dict[str, Any]:
        if not args and not given:
            return {}
        if len(args) > len(names) or not given.keys() <= {*names[len(args) :]}:
            signature.bind(*[None] * arrays, *args, **given)  # raises: it takes long, so only then
        return {**dict(zip(names, args)), **given}

    return read


def arguments_reader(function: Function) -> Callable[..., dict[str, Any]]:
    """What makes a dict of all arguments of the function, defaults too; TypeError if it takes no such."""
    names, filled = [*inspect.signature(function).parameters], settings_of(function)
    known = {*names}

    def read(*args: Any, **given: Any) -> dict[str, Any]:
        of = {**filled, **dict(zip(names, args)), **given}
        twice = not given.keys().isdisjoint(names[: len(args)])
        if of.keys() != known or len(args) > len(names) or twice:
            function(*args, **given)  # raises
        return of

    return read


def require_row(function: Function, settings: list[_core.Setting], besides: tuple[str, ...] = ()) -> None:
    """ImportError unless the function has the settings of its row in the compiled table, and `besides`."""
    own = {name: default for name, default in settings_of(function).items() if name not in besides}
    compiled = {name: default for name, default, *_ in settings}
    if own != compiled:
        raise ImportError(f"{function.__name__} has the settings {own}, but in the compiled table {compiled}")


_DY = inspect.Parameter("dy", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="ArrayLike")


def described(
    name: str, text: str, of: inspect.Signature, public: Function, reference: Function
) -> tuple[Function, Function]:
    """Both gradients of a function, with a name, a text, and the arguments of the function behind dy."""
    signature = of.replace(parameters=[_DY, *of.parameters.values()])
    for f in (public, reference):
        f.__name__ = f.__qualname__ = name
        f.__doc__, f.__signature__ = text, signature  # type: ignore[attr-defined]
    return public, reference


def namespace(operations: Iterable[Operation], of_references: bool) -> dict[str, Function]:
    """All functions, or all references, by their names; gradients end in _backward."""
    functions: dict[str, Function] = {}
    for o in operations:
        f, backward = (o.reference, o.reference_backward) if of_references else (o.public, o.public_backward)
        for name in o.names:
            functions[name] = f
            if backward:
                functions[f"{name}_backward"] = backward
    return functions


# ---- activations

ACTIVATIONS: dict[str, Operation] = {}
_ROWS = _core.activations()


def activation(
    slope: Function | None = None,
    backward: Function | None = None,
    row: Row | None = None,
    variants: tuple[dict[str, Any], ...] = (),
    aliases: tuple[str, ...] = (),
    tolerance: float = 1e-6,
) -> Callable[[_F], _F]:
    """Makes an activation f(x, settings...) of its reference.

    Args:
        slope: slope(x, settings...), the derivative of an elementwise f.
        backward: backward(dy, x, settings...), the gradient of another f.
        row: row(x, settings...), the name and the settings of the row, where they are not those of f.
        variants: settings with which it is tested besides the defaults.
        aliases: other names of f.
        tolerance: of its values, relative to each.
    """

    def decorate(f: _F) -> _F:
        name, signature = f.__name__, inspect.signature(f)
        read = settings_reader(signature, arrays=1)
        if row is None:
            require_row(f, _ROWS[name][0])
        row_of: Row = row or (lambda x, **settings: (name, settings))

        def prepared(op: str, x: ArrayLike, *args: Any, **given: Any) -> tuple[_core.Spec, Floats, int]:
            """What the core wants: the kind, x, and the axes of x that it takes together."""
            kind, settings = row_of(x, **read(*args, **given))
            ranges, over_rows = _ROWS[kind]
            a = floats(op, "x", x)
            if over_rows and a.ndim < 1:
                raise ValueError(f"[{op}] expected x of shape (..., classes), got {a.shape}")
            return ("activation", {"activation": kind, **checked(op, ranges, settings)}), a, int(over_rows)

        @functools.wraps(f)
        def public(x: ArrayLike, *args: Any, **settings: Any) -> Floats:
            spec, a, axes = prepared(name, x, *args, **settings)
            return _core.forward(spec, a, (), False, 0, axes)

        def public_backward(dy: ArrayLike, x: ArrayLike, *args: Any, **settings: Any) -> Floats:
            op = f"{name}_backward"
            spec, a, axes = prepared(op, x, *args, **settings)
            d = floats(op, "dy", dy)
            expect_shape(op, "dy", d, a.shape)
            return _core.backward(spec, d, a, (), True, 0, axes)[0]

        def reference_backward(dy: ArrayLike, x: ArrayLike, *args: Any, **settings: Any) -> Wide:
            bound = signature.bind(wide(x), *args, **settings)
            bound.apply_defaults()
            if slope:
                return np.asarray(wide(dy) * slope(*bound.args))
            assert backward is not None
            return np.asarray(backward(wide(dy), *bound.args))

        text = getattr(backward, "__doc__", None) or f"dx = dy * slope, the slope at x being {slope.__doc__}"
        ACTIVATIONS[name] = Operation(
            public,
            f,
            *described(f"{name}_backward", text, signature, public_backward, reference_backward),
            variants=variants,
            aliases=aliases,
            row=row_of,
            tolerance=tolerance,
        )
        return public  # type: ignore[return-value]

    return decorate
