"""Functions and classes of one's own, found by the names that files and ``compile`` have of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")
_objects: dict[str, Any] = {}
_names: dict[Any, str] = {}
_scope = threading.local()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[_T], _T]:
    """A decorator that registers a function or class under "package>name".

    Args:
        package: default "Custom".
        name: default that of the function or class.

    Raises:
        ValueError: the class has no get_config().

    >>> @register_keras_serializable("mine")
    ... def error(y_true, y_pred):
    ...     return abs(y_true - y_pred)
    >>> get_registered_name(error)
    'mine>error'
    """

    def register(thing: _T) -> _T:
        own: Any = thing
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ValueError(f"[register_keras_serializable] {own.__name__} has no get_config()")
        registered = f"{package}>{own.__name__ if name is None else name}"
        _objects[registered] = thing
        _names[thing] = registered
        return thing

    return register


def get_custom_objects() -> dict[str, Any]:
    """The registered objects by their names, which may be changed."""
    return _objects


def get_registered_name(obj: Any) -> str:
    """The name under which it is registered, or else its own."""
    name: str = _names.get(obj) or obj.__name__
    return name


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The object of this name: in the scope around, registered, or in one of the two mappings; else None."""
    for known in (getattr(_scope, "objects", None), _objects, custom_objects, module_objects):
        if known and name in known:
            return known[name]
    return None


class CustomObjectScope:
    """Names for objects within a ``with`` block.

    Args:
        custom_objects: objects by their names.

    >>> with CustomObjectScope({"error": abs}):
    ...     get_registered_object("error")
    <built-in function abs>
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self._objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        self._before = getattr(_scope, "objects", {})
        _scope.objects = self._objects
        return self

    def __exit__(self, *_: object) -> None:
        _scope.objects = self._before


custom_object_scope = CustomObjectScope


def function_of(name: str) -> Callable[..., Any]:
    """What a file calls by a name, with or without its package.

    Raises:
        ValueError: there is no such function.
    """
    found = get_registered_object(name)
    found = get_registered_object(name.rpartition(">")[2]) if found is None else found
    if not callable(found):
        raise ValueError(
            f"{name!r} is a function: give custom_objects={{{name!r}: ...}}, or compile=False for a metric"
        )
    return found  # type: ignore[no-any-return]
