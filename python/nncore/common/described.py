"""Objects that are described by settings and found by name: losses, metrics, optimizers, initializers,
regularizers, constraints."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from .arguments import unknown
from .names import snake_case
from .operations import settings_of
from .overrides import Compiled, outside

_D = TypeVar("_D", bound="Described")


class Described(Compiled):
    """Base of the `_abstract` base class of each family.

    A class of a family is known by its name, also in snake case, and by its `aliases`.
    """

    _known: ClassVar[dict[str, type[Any]]]  # the classes of a family, by all their names
    _function: ClassVar[Any] = None  # of a loss or metric: what is computed for each row
    _settings: ClassVar[tuple[str, ...]] = ()  # arguments that are attributes of the same name

    def __init_subclass__(cls, aliases: tuple[str, ...] = (), **options: Any) -> None:
        super().__init_subclass__(**options)
        if outside(cls):
            return
        if cls._function is not None:
            cls._settings = (*settings_of(cls._function), "name")
        elif "__init__" in vars(cls):
            code = vars(cls)["__init__"].__code__
            cls._settings = tuple(n for n in code.co_varnames[1 : code.co_argcount] if n != "dtype")
        if cls.__name__.startswith("_"):
            return
        if vars(cls).get("_abstract"):
            cls._known = {}
        else:
            cls._known.update(dict.fromkeys((cls.__name__, snake_case(cls.__name__), *aliases), cls))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {name: getattr(self, name) for name in self._settings}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


def classes(family: type[_D]) -> dict[str, type[_D]]:
    """All of a family, by their own names."""
    return {cls.__name__: cls for cls in family._known.values()}


def get(owner: str, family: type[_D], identifier: object, *others: str) -> _D:
    """The object of a name, of a class or its function, or itself; `others` are names known elsewhere.

    Raises:
        ValueError: there is no such name.
        TypeError: something else.
    """
    known, what = family._known, family.__name__.lower()
    if isinstance(identifier, family):
        return identifier
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
