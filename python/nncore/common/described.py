"""Base classes of objects that the compiled core runs: their settings describe them to the core.

Layers and models are `Compiled`. Losses, metrics, optimizers, initializers, regularizers and constraints are
`Described`: they also have names. A subclass that overrides a method that the core never calls raises
TypeError when it is defined.
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

    Classes outside nncore may derive from it and add methods. A class that overrides a method in `_uncalled`
    or derives from an `_abstract` class raises TypeError when it is defined. Setting an attribute named in
    `_uncalled` raises it too.
    """

    _uncalled: ClassVar[str] = ""  # methods that may be overridden in Keras, and that nncore never calls
    _instead: ClassVar[str] = ""  # the end of the errors: what to do instead
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
            if vars(base).get("_abstract") and not cls._is_derivable():
                raise TypeError(
                    f"[{cls.__name__}] the base class {base.__name__} cannot be derived from: {_WHY}. "
                    f"{cls._instead}"
                )

    @classmethod
    def _is_derivable(cls) -> bool:
        """Whether a class outside nncore may derive from abstract ones: it replaces all that they lack."""
        return False

    if not TYPE_CHECKING:  # type checkers are to report misspelt names

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _names(self._uncalled):
                owner = getattr(self, "name", type(self).__name__)
                raise TypeError(f"[{owner}] {name} would be ignored: {_WHY}. {self._instead}")
            super().__setattr__(name, value)


class Settings(Compiled):
    """Base of objects whose `_settings` cannot be changed, as compiled networks have copies of them."""

    _settings: ClassVar[tuple[str, ...]] = ()
    _fixed: ClassVar[tuple[str, ...]] = ()  # further attributes that cannot be changed

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if (name in self._settings or name in self._fixed) and name in self.__dict__:
                kind = type(self).__name__
                raise AttributeError(f"[{kind}] {name} is fixed: make a new {kind}")
            super().__setattr__(name, value)


def as_call(thing: object, config: Mapping[str, Any]) -> str:
    """The call that makes a thing, as a repr shows it."""
    return f"{type(thing).__name__}({', '.join(f'{name}={value!r}' for name, value in config.items())})"


def entry(thing: Any) -> dict[str, Any]:
    """A thing's class and config, as configs and files hold them."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


class Described(Compiled):
    """Base of the `_abstract` base class of each family.

    `get` finds a class by its name, also in snake case, and by its `aliases`, unless it is private or its
    `aliases` are None.
    """

    _known: ClassVar[dict[str, type[Any]]]  # of a family: its classes by each of their names
    _function: ClassVar[Any] = None  # of a loss or metric: the function of rows
    _settings: ClassVar[tuple[str, ...]] = ()  # arguments, each an attribute of the same name

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
        """The arguments that make an equal object."""
        return {name: getattr(self, name) for name in self._settings}

    def __repr__(self) -> str:
        return as_call(self, self.get_config())


def known(family: type[_D]) -> dict[str, type[_D]]:
    """The classes of a family by each of their names."""
    return family._known


def classes(family: type[_D]) -> dict[str, type[_D]]:
    """The classes of a family by their class names."""
    return {cls.__name__: cls for cls in family._known.values()}


def get(owner: str, family: type[_D], identifier: object, *others: str) -> _D:
    """An object of a family, from a name, a class, the function of a class, a config (`entry`), or itself.

    Args:
        others: names that the caller knows besides, for the error.

    Raises:
        ValueError: there is no such name.
        TypeError: the identifier is none of these.
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
    instead = f" {family._instead}." if callable(identifier) and family._instead else ""
    raise TypeError(
        f"[{owner}] {what} must be a name{kinds}, got {identifier!r}.{instead} "
        f"There are: {', '.join(sorted([*known, *others]))}."
    )
