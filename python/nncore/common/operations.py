"""Decorators that make a function over arrays, which runs a compiled kernel, from its NumPy reference.

The public function runs the kernel in float32; the decorated function stays as the reference in float64. The
decorators are `activation` and `layer` here, `loss` and `metric` in `rows`, and `update` in `ops.updates`.
Names and defaults of the settings must equal those of the function's row in the compiled table.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .absent import unexpected
from .arguments import checked
from .arrays import Floats, Wide, plain

Function = Callable[..., Any]
Row = Callable[..., tuple[str, dict[str, Any]]]  # row(x, settings...): the name and the settings of the row
F = TypeVar("F", bound=Function)


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


class Operation:
    """A public function that runs a kernel, its reference, and the gradient of each.

    Attributes:
        variants: settings to test besides the defaults.
        inputs: kind of the inputs in tests.
        aliases: other names.
        row: of an activation: a Row.
        tolerance: relative to each value, for tests.
    """

    def __init__(
        self,
        public: Function,
        reference: Function,
        public_backward: Function | None = None,
        reference_backward: Function | None = None,
        variants: tuple[dict[str, Any], ...] = (),
        inputs: str = "numbers",
        aliases: tuple[str, ...] = (),
        row: Any = None,
        tolerance: float = 1e-6,
    ) -> None:
        self.public, self.reference = public, reference
        self.public_backward, self.reference_backward = public_backward, reference_backward
        self.variants, self.inputs, self.aliases = variants, inputs, aliases
        self.row, self.tolerance = row, tolerance

    @property
    def names(self) -> tuple[str, ...]:
        return (self.public.__name__, *self.aliases)


def settings_of(function: Function) -> dict[str, Any]:
    """The arguments that have a default."""
    function = inspect.unwrap(function)
    code, defaults = (
        function.__code__,
        function.__defaults__ or (),
    )  # inspect.signature takes ten times as long
    return dict(zip(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount], defaults))


def require_row(function: Function, settings: list[_core.Setting]) -> None:
    """ImportError unless the function has the settings of its row in the compiled table.

    The argument from_logits is not a setting: it chooses between two rows.
    """
    own = {name: default for name, default in settings_of(function).items() if name != "from_logits"}
    compiled = {name: default for name, default, *_ in settings}
    if own != compiled:
        raise ImportError(f"{function.__name__} has the settings {own}, but in the compiled table {compiled}")


def compiled(f: F, run: Function) -> F:
    """A function with the signature of f that calls run(name of f, the given arguments)."""
    name, parameters = f.__name__, inspect.signature(f).parameters
    names = (*parameters,)
    needed = {n for n, p in parameters.items() if p.default is p.empty}

    @functools.wraps(f)
    def public(*args: Any, **given: Any) -> Any:
        if not given and len(args) == len(needed):
            return run(name, *args)
        if unknown := given.keys() - names:
            raise unexpected(name, min(unknown), names)
        of = {**dict(zip(names, args)), **given}
        if len(of) < len(args) + len(given) or not needed <= of.keys() <= {*names}:
            f(*args, **given)  # raises TypeError
        return run(name, **of)

    return public  # type: ignore[return-value]


def backward_of(prepare: Function) -> Function:
    """A `run` for `compiled` that computes the gradient; dy must have the `output` shape, if it is known."""

    def run(op: str, dy: ArrayLike, *args: Any, **given: Any) -> Any:
        call = prepare(op, *args, **given)
        dy = floats(op, "dy", dy)
        if call.output is not None:
            expect_shape(op, "dy", dy, call.output)
        return call.backward(dy)

    return run


_DY = inspect.Parameter("dy", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="ArrayLike")


def operation(
    family: dict[str, Operation], f: F, prepare: Function, gradient: Function | None = None, **about: Any
) -> F:
    """Adds the operation with the reference f to a family, and returns its public function.

    Args:
        prepare: prepare(name of f, arguments of f) checks them and returns the kernel call, see `LayerCall`.
        gradient: gradient(dy, arguments of f), the reference of the gradient, if there is one.
        about: further fields of the `Operation`.
    """
    name = f.__name__
    public = compiled(f, lambda *args, **given: prepare(*args, **given).forward())
    family[name] = made = Operation(public, f, **about)
    if gradient is not None:
        signature = inspect.signature(f)
        signature = signature.replace(parameters=[_DY, *signature.parameters.values()])

        def backward(*args: Any, **given: Any) -> Any:
            bound = signature.bind(*args, **given)
            bound.apply_defaults()
            return gradient(*bound.args)

        backward.__name__ = backward.__qualname__ = f"{name}_backward"
        backward.__doc__, backward.__signature__ = gradient.__doc__, signature  # type: ignore[attr-defined]
        made.public_backward, made.reference_backward = compiled(backward, backward_of(prepare)), backward
    return public


def namespace(operations: Iterable[Operation], of_references: bool) -> dict[str, Function]:
    """All public functions, or all references, by name; names of gradients end in _backward."""
    functions: dict[str, Function] = {}
    for o in operations:
        f, backward = (o.reference, o.reference_backward) if of_references else (o.public, o.public_backward)
        for name in o.names:
            functions[name] = f
            if backward:
                functions[f"{name}_backward"] = backward
    return functions


class LayerCall(NamedTuple):
    """A call of a layer's kernel. `seed` is None for kernels that draw no random numbers."""

    spec: _core.Spec
    x: Floats
    parameters: tuple[Floats, ...] = ()
    axes: int | None = None  # number of the last axes that form a sample; default all but the first
    output: tuple[int, ...] | None = None  # shape of the output, where `axes` is given
    seed: int | None = None

    def forward(self) -> Floats:
        on = self.seed is not None
        return _core.forward(self.spec, self.x, self.parameters, on, self.seed or 0, self.axes)

    def backward(self, dy: Floats) -> Floats | tuple[Floats, ...]:
        dx, gradients = _core.backward(self.spec, dy, self.x, self.parameters, self.seed or 0, self.axes)
        return (dx, *gradients) if gradients else dx


# ---- activations

ACTIVATIONS: dict[str, Operation] = {}
_ROWS = _core.activations()


def activation(
    slope: Function | None = None, backward: Function | None = None, row: Row | None = None, **about: Any
) -> Callable[[F], F]:
    """Decorates the reference f(x, settings...) of an activation.

    Args:
        slope: slope(x, settings...), the derivative of f, if f is elementwise.
        backward: backward(dy, x, settings...), the gradient of f, if f is not elementwise.
        row: row(x, settings...), name and settings of the compiled row; default those of f.
        about: variants, aliases and tolerance of the `Operation`.
    """

    def decorate(f: F) -> F:
        if row is None:
            require_row(f, _ROWS[f.__name__][0])
        row_of: Row = row or (lambda x, **settings: (f.__name__, settings))

        def prepare(op: str, x: ArrayLike, **arguments: Any) -> LayerCall:
            kind, settings = row_of(x, **arguments)
            ranges, over_rows = _ROWS[kind]
            a = floats(op, "x", x)
            if over_rows and a.ndim < 1:
                raise ValueError(f"[{op}] expected x of shape (..., classes), got {a.shape}")
            spec = "activation", {"activation": kind, **checked(op, ranges, settings)}
            return LayerCall(spec, a, (), int(over_rows), a.shape)

        def times_slope(dy: ArrayLike, x: ArrayLike, *settings: Any) -> Wide:
            assert slope is not None
            return np.asarray(wide(dy) * slope(wide(x), *settings))

        if slope:
            times_slope.__doc__ = f"dx = dy * slope, the slope at x being {slope.__doc__}"
        return operation(ACTIVATIONS, f, prepare, backward or times_slope, row=row_of, **about)

    return decorate


# ---- layers

LAYERS: dict[str, Operation] = {}


class Prepared(Protocol):
    """A kernel call with checked arguments."""

    def forward(self) -> Floats: ...
    def backward(self, dy: Floats) -> Floats | tuple[Floats, ...]: ...


def layer(prepare: Callable[..., Prepared], **about: Any) -> Callable[[F], F]:
    """Decorates the reference f(x, ...) of an operation, or after it the reference f_backward(dy, x, ...).

    Args:
        prepare: prepare(op, x=..., ...) checks the arguments and returns the kernel call.
        about: variants and inputs of the `Operation`.
    """

    def decorate(f: F) -> F:
        name = f.__name__.removesuffix("_backward")
        complete = functools.partial(prepare, **settings_of(f))
        if name == f.__name__:
            return operation(LAYERS, f, complete, **about)
        public = compiled(f, backward_of(complete))
        LAYERS[name].public_backward, LAYERS[name].reference_backward = public, f
        return public

    return decorate


def elementwise(op: str, x: ArrayLike, kind: str, seed: int | None = None, **settings: float) -> LayerCall:
    """The call of an elementwise layer on an array of any shape."""
    a = floats(op, "x", x)
    return LayerCall((kind, {**settings}), a, axes=0, output=a.shape, seed=seed)


def image(op: str, x: ArrayLike) -> Floats:
    a = floats(op, "x", x)
    if a.ndim != 4:
        raise ValueError(f"[{op}] expected x of shape (samples, height, width, channels), got {a.shape}")
    return a
