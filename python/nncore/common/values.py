"""Symbolic values, which describe a model, and the forms in which several of them are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from .arrays import Shape

OpenShape = tuple[int | None, ...]  # shape of one sample; None stands for any size
Parameters = list[tuple[str, Shape]]  # names and shapes
# Keyword arguments of a call: an integer is the number of an input, a list has several, others are constants.
Options = Mapping[str, Any]
NO_OPTIONS: Options = {}


class Shapes(NamedTuple):
    """Shapes of one sample: of each input and each output of a layer, and the options of that call."""

    before: list[OpenShape]
    after: list[OpenShape]
    options: Options


class Call:
    """One call of a layer or model.

    Attributes:
        owner: the layer or model that is called.
        inputs: the values that the call reads; none for an `Input`.
        shapes: of each output, the shape of one sample.
        net: the net that a called model has at that time; None for a layer.
        options: which inputs are keyword arguments, and further ones, see `arranged`.
    """

    __slots__ = ("__weakref__", "inputs", "net", "options", "owner", "shapes")

    def __init__(
        self,
        owner: Any,
        inputs: Sequence[Value],
        shapes: Sequence[OpenShape],
        net: Any = None,
        options: Options = NO_OPTIONS,
    ) -> None:
        self.owner, self.inputs, self.shapes, self.net = owner, tuple(inputs), tuple(shapes), net
        self.options = options

    def values(self) -> list[Value]:
        return [Value(self, index) for index in range(len(self.shapes))]


class Value:
    """A symbolic value: the output of an `Input` or of a call of a layer, with a shape and without numbers.

    Attributes:
        shape: with None for the batch axis and for open sizes.
        dtype: always "float32".
        name: of the layer or model whose output it is.

    >>> from nncore.layers import Dense, Input
    >>> Dense(3, name="code")(Input((5,)))
    <Value shape=(None, 3), of 'code'>
    """

    __slots__ = ("_call", "_index")
    dtype = "float32"
    __array_ufunc__ = None  # NumPy leaves operators to this class

    def __init__(self, call: Call, index: int) -> None:
        self._call, self._index = call, index

    @property
    def key(self) -> tuple[Call, int]:
        """Identifies the value: two objects for the same value have equal keys."""
        return self._call, self._index

    @property
    def sample(self) -> OpenShape:
        """The shape of one sample."""
        return self._call.shapes[self._index]

    @property
    def shape(self) -> OpenShape:
        return (None, *self.sample)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def name(self) -> str:
        name: str = self._call.owner.name
        return name

    def __repr__(self) -> str:
        return f"<Value shape={self.shape}, of {self.name!r}>"

    def _no_numbers(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(
            f"[{self.name}] {self!r} has no numbers: call layers on it, such as Add()([a, b]) for a + b, and "
            "make a Model(inputs, outputs) that computes it"
        )

    __array__ = __bool__ = __len__ = __iter__ = __getitem__ = __float__ = __int__ = _no_numbers
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_numbers
    __matmul__ = __rmatmul__ = __pow__ = __rpow__ = __neg__ = __abs__ = _no_numbers


def values_in(x: object) -> list[Value] | None:
    """The values, if x is a value, or a list or tuple with at least one; else None.

    Raises:
        TypeError: a list holds values and something else.
    """
    if isinstance(x, Value):
        return [x]
    if not isinstance(x, (list, tuple)) or not any(isinstance(item, Value) for item in x):
        return None
    if not all(isinstance(item, Value) for item in x):
        raise TypeError(
            f"expected a list of values only, as Input and layers return them, got {described(x)}"
        )
    return list(x)


def arranged(inputs: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """All inputs of a call in one list, and its options. Keywords that are None or False are left out."""
    every = list(inputs)
    options: dict[str, Any] = {}
    for name, given in keywords.items():
        if isinstance(given, (bool, str)):
            options |= {name: given} if given else {}
        elif given is not None:
            own = list(given) if isinstance(given, (list, tuple)) else [given]
            numbers = list(range(len(every), len(every) + len(own)))
            options[name] = numbers if isinstance(given, (list, tuple)) else numbers[0]
            every += own
    return every, options


def resolved(inputs: Sequence[Any], options: Options) -> tuple[list[Any], dict[str, Any]]:
    """The inverse of `arranged`."""
    keywords, used = {}, set()
    for name, at in options.items():
        keywords[name] = at
        if isinstance(at, list):
            keywords[name] = [inputs[i] for i in at]
            used.update(at)
        elif type(at) is int:
            keywords[name] = inputs[at]
            used.add(at)
    return [given for i, given in enumerate(inputs) if i not in used], keywords


def described(x: object) -> str:
    """A short description of x, for an error."""
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(described, x[:4]))}{', ...' if len(x) > 4 else ''}]"
    shape = None if isinstance(x, Value) else getattr(x, "shape", None)
    return f"{x!r:.60}" if shape is None else f"{type(x).__name__} of shape {shape}"


def is_named(x: object) -> bool:
    """Whether x is a mapping, and not a sparse matrix, some of which are mappings too."""
    return isinstance(x, Mapping) and not hasattr(x, "toarray")


class Form(NamedTuple):
    """The form in which items are given and returned: one item alone, a list, a tuple, or a dict."""

    kind: type[Any] | None = None
    keys: tuple[str, ...] = ()

    @property
    def is_one(self) -> bool:
        return self.kind is None

    def pack(self, items: Sequence[Any]) -> Any:
        """The items in this form: the inverse of `unpacked`."""
        if self.kind is None:
            return items[0]
        return dict(zip(self.keys, items)) if self.kind is dict else self.kind(items)


def unpacked(given: Any) -> tuple[Form, list[Any]]:
    """The form of what was given, and its items; those of a dict in the order of the sorted keys."""
    if is_named(given):
        keys = tuple(sorted(given, key=str))
        return Form(dict, keys), [given[key] for key in keys]
    if isinstance(given, (list, tuple)):
        return Form(tuple if isinstance(given, tuple) else list), list(given)
    return Form(), [given]


def one_or_list(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def closed(shapes: Sequence[OpenShape], size: int) -> list[Shape]:
    """The shapes with `size` in place of open sizes."""
    return [tuple(size if n is None else n for n in one) for one in shapes]
