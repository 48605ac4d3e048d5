"""What the compiled core runs is described by settings. Layers and models are `Compiled`; losses, metrics,
optimizers, initializers, regularizers and constraints are found by name as well: `Described`.

Methods of one's own that the core would never call raise where they are written.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .absent import Explained
from .arguments import unknown
from .names import snake_case
from .operations import settings_of

_D = TypeVar("_D", bound="Described")


_WHY = "what runs in a network is compiled, and calls no method written in Python"


def outside(cls: type) -> bool:
    return cls.__module__.partition(".")[0] != "nncore"


@functools.cache
def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Compiled(Explained):
    """Base of what the compiled core runs.

    Classes outside nncore may derive from it and add methods. TypeError is raised by the definition of one
    that overrides a method in `_uncalled` or derives from an `_abstract` class, and by setting an attribute
    that is named in `_uncalled`.
    """

    _uncalled: ClassVar[str] = (
        ""  # names, of Keras' methods too, that users override there and none calls here
    )
    _instead: ClassVar[str] = ""  # what to do
    _abstract: ClassVar[bool] = True  # looked up in the class itself, not inherited

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not outside(cls):
            return
        for name in sorted(_names(cls._uncalled)):
            definer = next((c for c in cls.__mro__ if name in vars(c)), None)
            if definer is not None and outside(definer):
                raise TypeError(f"[{cls.__name__}] {name} would be ignored: {_WHY}. {cls._instead}")
        for base in cls.__bases__:
            if vars(base).get("_abstract"):
                raise TypeError(
                    f"[{cls.__name__}] the base class {base.__name__} cannot be derived from: {_WHY}. "
                    f"{cls._instead}"
                )

    if not TYPE_CHECKING:  # which is to find misspelt names

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _names(self._uncalled):
                owner = getattr(self, "name", type(self).__name__)
                raise TypeError(f"[{owner}] {name} would be ignored: {_WHY}. {self._instead}")
            super().__setattr__(name, value)


class Settings(Compiled):
    """Base of objects whose `_settings` are fixed once given: the compiled network has copies."""

    _settings: ClassVar[tuple[str, ...]] = ()
    _fixed: ClassVar[tuple[str, ...]] = ()  # further ones

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if (name in self._settings or name in self._fixed) and name in self.__dict__:
                kind = type(self).__name__
                raise AttributeError(f"[{kind}] {name} is fixed: make a new {kind}")
            super().__setattr__(name, value)


def as_call(thing: object, config: Mapping[str, Any]) -> str:
    """A thing as the call that makes it."""
    return f"{type(thing).__name__}({', '.join(f'{name}={value!r}' for name, value in config.items())})"


def entry(thing: Any) -> dict[str, Any]:
    """A thing for a config or a file."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


class Described(Compiled):
    """Base of the `_abstract` base class of each family.

    A class of a family is known by its name, also in snake case, and by its `aliases`; a private one, or one
    whose `aliases` are None, is not.
    """

    _known: ClassVar[dict[str, type[Any]]]  # the classes of a family, by all their names
    _function: ClassVar[Any] = None  # of a loss or metric: what is computed for each row
    _settings: ClassVar[tuple[str, ...]] = ()  # arguments that are attributes of the same name

    def __init_subclass__(cls, aliases: tuple[str, ...] | None = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        if outside(cls):
            return
        if cls._function is not None:
            cls._settings = (*settings_of(cls._function), "name")
        elif "__init__" in vars(cls):
            code = vars(cls)["__init__"].__code__
            cls._settings = tuple(n for n in code.co_varnames[1 : code.co_argcount] if n != "dtype")
        if aliases is None or cls.__name__.startswith("_"):
            return
        if vars(cls).get("_abstract"):
            cls._known = {}
        else:
            cls._known.update(dict.fromkeys((cls.__name__, snake_case(cls.__name__), *aliases), cls))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {name: getattr(self, name) for name in self._settings}

    def __repr__(self) -> str:
        return as_call(self, self.get_config())


def known(family: type[_D]) -> dict[str, type[_D]]:
    """All of a family, by all their names."""
    return family._known


def classes(family: type[_D]) -> dict[str, type[_D]]:
    """All of a family, by their own names."""
    return {cls.__name__: cls for cls in family._known.values()}


def get(owner: str, family: type[_D], identifier: object, *others: str) -> _D:
    """The object of a name, of a class or its function, of a config (`entry`), or itself; `others` are names
    known elsewhere.

    Raises:
        ValueError: there is no such name.
        TypeError: something else.
    """
    known, what = family._known, family.__name__.lower()
    if isinstance(identifier, family):
        return identifier
    if isinstance(identifier, Mapping) and {"class_name", "config"} <= identifier.keys():
        name, config = identifier["class_name"], identifier["config"]
        if (named := classes(family).get(name)) is None:
            raise unknown(owner, what, str(name), classes(family))
        return getattr(named, "from_config", lambda given: named(**given))(config)
    if isinstance(identifier, str) and identifier not in known:
        raise unknown(owner, what, identifier, [*known, *others])
    if isinstance(identifier, str):
        return known[identifier]()  # type: ignore[no-any-return]
    if isinstance(identifier, type) and issubclass(identifier, family):
        return identifier()
    for cls in known.values():
        if callable(identifier) and cls._function is identifier:
            return cls()  # type: ignore[no-any-return]
    module = family.__module__.removesuffix("._base")
    one = f"{'an' if what[0] in 'aeiou' else 'a'} {family.__name__}"
    with_functions = any(cls._function for cls in known.values())
    kinds = f", {one} or a function of {module}" if with_functions else f" or {one}"
    raise TypeError(
        f"[{owner}] {what} must be a name{kinds}, got {identifier!r}. "
        f"There are: {', '.join(sorted([*known, *others]))}."
    )
