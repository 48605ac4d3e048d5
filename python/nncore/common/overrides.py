"""Methods of one's own that the compiled core would never call raise where they are written."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from .absent import Explained

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
