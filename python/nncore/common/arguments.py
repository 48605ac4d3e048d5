"""Checks of arguments, with errors that name the owner, what was expected and what was given."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

from .absent import unexpected

_MOST = 2**31 - 1


def unknown(owner: str, what: str, name: str, names: Iterable[str]) -> ValueError:
    """The error for a name that is not among `names`; it suggests the nearest of them."""
    from . import keras_names

    names = sorted(names)
    there_are = f" There are: {', '.join(names)}."
    if said := keras_names.about_name(what, name):
        return ValueError(f"[{owner}] the {what} {name!r} is not available yet: {said}.{there_are}")
    return ValueError(f"[{owner}] there is no {what} {name!r}.{keras_names.near(name, names, there_are)}")


def choice(owner: str, name: str, value: object, choices: Iterable[str]) -> str:
    """The value in lower case, which must be one of the choices."""
    choices = list(choices)
    if not isinstance(value, str):
        raise TypeError(f"[{owner}] {name} must be one of {choices}, got {value!r}")
    if value.lower() not in choices:
        from .keras_names import near

        raise ValueError(f"[{owner}] {name} must be one of {choices}, got {value!r}.{near(value, choices)}")
    return value.lower()


def integer(owner: str, name: str, value: object, low: int = 1, high: int = _MOST) -> int:
    """An integer from low to high, also one of NumPy; bool and float raise TypeError."""
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
    """Settings for a row of the compiled table: numbers in the row's ranges; others must be True or False."""
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
    """The argument `training` of calls. None is False; 0 and 1 are accepted, as in Keras."""
    if value is None or (hasattr(value, "__index__") and several(value) is None and value in (0, 1)):
        return bool(value)
    return boolean(owner, "training", value)


def several(value: object) -> tuple[Any, ...] | None:
    """The items of an iterable; None for text, and for what is not iterable."""
    try:
        return None if isinstance(value, (str, bytes)) else tuple(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def pair(owner: str, name: str, value: object, high: int = _MOST, low: int = 1) -> tuple[int, int]:
    """Two integers, from a pair or from one integer for both."""
    if (items := several(value)) is not None:
        if len(items) != 2:
            raise ValueError(f"[{owner}] {name} must be an integer or a pair of them, got {value!r}")
        return integer(owner, name, items[0], low, high), integer(owner, name, items[1], low, high)
    both = integer(owner, name, value, low, high)
    return both, both


def text(owner: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"[{owner}] {name} must be a string, got {value!r}")
    return value


def shape(
    owner: str, name: str, value: object, batch_axis: bool = False, is_open: bool = False
) -> tuple[Any, ...]:
    """Sizes of the axes of one sample.

    Args:
        batch_axis: whether `value` begins with the batch axis, which the result leaves out.
        is_open: whether a size may be None, which stands for any size.
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
    """Whether value equals the default, also as a NumPy scalar, or as the type or dtype "float32"."""
    if default == "float32" and not isinstance(value, str):
        value = getattr(value, "name", getattr(value, "__name__", value))
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    return type(value) is type(default) and bool(value == default)


def reject_unsupported(
    owner: str, given: Mapping[str, Any], defaults: Mapping[str, Any], known: Iterable[str] = ()
) -> None:
    """Raises for arguments that Keras has and nncore does not, unless they have their default or are None.

    Args:
        given: keyword arguments that nncore does not support.
        defaults: Keras' arguments that are not supported, with the value that is accepted.
        known: names of supported arguments, to suggest one for a misspelt name.

    Raises:
        ValueError: an unsupported argument of Keras has another value.
        TypeError: Keras has no such argument either.
    """
    for name, value in given.items():
        if name not in defaults:
            raise unexpected(owner, name, [*known, *defaults])
        default = defaults[name]
        if value is not None and not _same(value, default):
            from .keras_names import about_value

            raise ValueError(f"[{owner}] {name}={value!r} is not available yet: {about_value(name)}")


def require_default(owner: str, name: str, value: object, default: object) -> None:
    """ValueError unless an argument has its default, the only value that is available yet."""
    if not _same(value, default):
        raise ValueError(f"[{owner}] {name}={value!r} is not available yet: {default!r} only")
