"""Checks of arguments, with errors that name the owner, what was expected and what was given."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

from .absent import unexpected

_MOST = 2**31 - 1


def unknown(owner: str, what: str, name: str, names: Iterable[str]) -> ValueError:
    """The error for a name that is not among `names`, with the nearest of them."""
    from . import keras_names

    names = sorted(names)
    there_are = f" There are: {', '.join(names)}."
    if said := keras_names.about_name(what, name):
        return ValueError(f"[{owner}] the {what} {name!r} is not available yet: {said}.{there_are}")
    return ValueError(f"[{owner}] there is no {what} {name!r}.{keras_names.near(name, names, there_are)}")


def choice(owner: str, name: str, value: object, choices: Iterable[str]) -> str:
    """One of some strings, in any case."""
    choices = list(choices)
    if not isinstance(value, str):
        raise TypeError(f"[{owner}] {name} must be one of {choices}, got {value!r}")
    if value.lower() not in choices:
        from .keras_names import near

        raise ValueError(f"[{owner}] {name} must be one of {choices}, got {value!r}.{near(value, choices)}")
    return value.lower()


def integer(owner: str, name: str, value: object, low: int = 1, high: int = _MOST) -> int:
    """A whole number from low to high; NumPy's integers too, bool and float not."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"[{owner}] {name} must be an integer, got {value!r}") from None
    if not low <= number <= high:
        bound = f"at least {low}" if number < low else f"at most {high}"
        raise ValueError(f"[{owner}] {name} must be {bound}, got {number}")
    return number


def number(
    owner: str, name: str, value: object, low: float = -math.inf, high: float = math.inf, below: bool = False
) -> float:
    """A finite real number in [low, high], or [low, high) with `below`."""
    try:
        if isinstance(value, (bool, str, bytes)) or _is_numpy_bool(value):
            raise TypeError
        real = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"[{owner}] {name} must be a number, got {value!r}") from None
    if not math.isfinite(real) or not low <= real <= high or (below and real >= high):
        unbounded = low == -math.inf and high == math.inf
        limits = (
            "finite" if unbounded else f"in [{low:g}, {high:g}{')' if below or high == math.inf else ']'}"
        )
        raise ValueError(f"[{owner}] {name} must be {limits}, got {real:g}")
    return real


def checked(
    owner: str, row: Iterable[tuple[str, float, float, float, bool]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings as a row of the compiled table wants them: numbers in their ranges, and what it has not True
    or False.
    """
    if not given:
        return {}
    ranges = {name: (least, most, below) for name, _, least, most, below in row}
    return {
        name: number(owner, name, value, *ranges[name]) if name in ranges else boolean(owner, name, value)
        for name, value in given.items()
    }


def boolean(owner: str, name: str, value: object) -> bool:
    if not isinstance(value, bool) and not _is_numpy_bool(value):
        raise TypeError(f"[{owner}] {name} must be True or False, got {value!r}")
    return bool(value)


def _is_numpy_bool(value: object) -> bool:
    return getattr(value, "shape", None) == () and str(getattr(value, "dtype", "")) == "bool"


def training(owner: str, value: object) -> bool:
    """The argument of calls: None is False, and 0 and 1 will do, as in Keras."""
    if value is None or (hasattr(value, "__index__") and several(value) is None and value in (0, 1)):
        return bool(value)
    return boolean(owner, "training", value)


def several(value: object) -> tuple[Any, ...] | None:
    """What an iterable holds; None for text and for what is not iterable, as an array without axes."""
    try:
        return None if isinstance(value, (str, bytes)) else tuple(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def pair(owner: str, name: str, value: object, high: int = _MOST) -> tuple[int, int]:
    """An integer for both, or two."""
    if (items := several(value)) is not None:
        if len(items) != 2:
            raise ValueError(f"[{owner}] {name} must be an integer or a pair of them, got {value!r}")
        return integer(owner, name, items[0], high=high), integer(owner, name, items[1], high=high)
    both = integer(owner, name, value, high=high)
    return both, both


def text(owner: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"[{owner}] {name} must be a string, got {value!r}")
    return value


def shape(
    owner: str, name: str, value: object, batch_axis: bool = False, is_open: bool = False
) -> tuple[Any, ...]:
    """Sizes of the axes of one sample. With batch_axis the first axis is the batch, and is left out; with
    is_open a size may be None, for any.
    """
    sizes = several(value)
    if sizes is None:
        raise TypeError(f"[{owner}] {name} must be a tuple of integers, got {value!r}")
    if batch_axis:
        if not sizes:
            raise ValueError(f"[{owner}] {name} must begin with the batch axis, got ()")
        sizes = sizes[1:]
    if not is_open and any(size is None for size in sizes):
        raise ValueError(
            f"[{owner}] {name} must have known sizes (None stands for the batch only), got {value!r}"
        )
    return tuple(None if size is None else integer(owner, name, size) for size in sizes)


def _same(value: Any, default: object) -> bool:
    """Whether value is the default: also as a scalar of NumPy, or as a type or dtype of that name."""
    if default == "float32" and not isinstance(value, str):
        value = getattr(value, "name", getattr(value, "__name__", value))
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    return type(value) is type(default) and bool(value == default)


def neutral(
    owner: str, given: Mapping[str, Any], defaults: Mapping[str, Any], known: Iterable[str] = ()
) -> None:
    """Lets through what Keras has and nncore has not, as long as it is switched off.

    Args:
        given: keyword arguments that the signature does not name.
        defaults: the name of each such argument of Keras, with the value that switches it off.
        known: further names that a misspelt one may have meant.

    Raises:
        ValueError: an argument of Keras is used that is not available.
        TypeError: there is no such argument.
    """
    for name, value in given.items():
        if name not in defaults:
            raise unexpected(owner, name, [*known, *defaults])
        default = defaults[name]
        if value is not None and not _same(value, default):
            from .keras_names import about_value

            raise ValueError(f"[{owner}] {name}={value!r} is not available yet: {about_value(name)}")


def only(owner: str, name: str, value: object, default: object) -> None:
    """Lets through one value of an argument of Keras whose others are not available."""
    if not _same(value, default):
        raise ValueError(f"[{owner}] {name}={value!r} is not available yet: {default!r} only")
