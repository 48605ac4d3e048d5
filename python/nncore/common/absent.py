"""Lookup of missing names: Keras' other names for a thing work, and errors for the rest say what to do.

The texts are in `keras_names`, which is imported when the first name is missing.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, TypeVar

from . import whole

_ROOT = __name__.partition(".")[0]
_OF_LAYERS = (
    "advanced_activations convolutional embeddings experimental merge noise pooling preprocessing recurrent "
    "wrappers"
)
# Module names of tf.keras and of earlier versions of Keras, and the module here.
ALIASES = {
    "keras": "",
    "nn": ".activations",
    "objectives": ".losses",
    **{f"optimizers.{name}": ".optimizers" for name in ("adam_v2", "gradient_descent_v2", "legacy")},
    "utils.np_utils": ".utils",
    "utils.vis_utils": ".utils",
    **{f"layers.{name}": ".layers" for name in _OF_LAYERS.split()},
}
_F = TypeVar("_F", bound=Callable[..., Any])


def answer(module: str, *on_demand: str, **within: str) -> None:
    """Gives a module a ``__dir__`` of the names in its ``__all__``, and a ``__getattr__``.

    The latter imports the submodules `on_demand`, and names from the submodules that they are `within`. It
    raises an AttributeError that explains any other name.
    """
    own = vars(sys.modules[module])

    def of_module(name: str) -> Any:
        if name in on_demand:
            with whole:
                return importlib.import_module(f"{module}.{name}")
        if name in within:
            with whole:
                own[name] = getattr(importlib.import_module(f"{module}.{within[name]}"), name)
            return own[name]
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if real(f"{module}.{name}"):
            return importlib.import_module(f"{module}.{name}")
        from . import keras_names

        return keras_names.found(module, name)

    own["__getattr__"] = of_module
    if "__all__" in own:
        own["__dir__"] = own["__all__"].copy
    own.setdefault("__path__", [])  # without it, ``from module import name`` does not ask the finders


def real(name: str) -> str | None:
    """The module that `name` is another name of, or lies in; None if it is none."""
    parts = name.split(".")[1:]
    for count in range(1, len(parts) + 1):
        if (module := ALIASES.get(".".join(parts[:count]))) is not None:
            return ".".join([_ROOT + module, *parts[count:]])
    return None


class Aliases:
    """The first finder, and the loader, of modules by their other names."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        ours = name.startswith(f"{_ROOT}.") and real(name)
        return ModuleSpec(name, cls) if ours else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None: ...

    @staticmethod
    def exec_module(module: Any) -> None:
        sys.modules[module.__name__] = importlib.import_module(real(module.__name__) or "")


class Absent:
    """The last finder: raises an ImportError with advice for modules of Keras, also of earlier versions."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        parent, _, last = name.rpartition(".")
        if name.startswith(f"{_ROOT}.") and not last.startswith("_"):
            from . import keras_names

            if text := keras_names.explained(parent, last):
                raise ImportError(f"nncore has no {name.partition('.')[2]}{text}")


sys.meta_path.insert(0, Aliases)
sys.meta_path.append(Absent)


# ---- arguments and attributes


@functools.cache
def _parameters(f: Any) -> tuple[tuple[str, ...], int, bool]:
    """The parameters' names, how many of them have no default, and whether there is a ``**`` parameter."""
    code = getattr(f, "__code__", None)
    if code is None or not f"{f.__module__}.".startswith(f"{_ROOT}."):
        return (), 0, True
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    is_open = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return names, code.co_argcount - len(f.__defaults__ or ()), is_open


def unexpected(owner: str, name: str, known: Iterable[str], what: str = "") -> TypeError:
    """The error for an argument that is not among `known`. what: the class or function, default the owner."""
    from . import keras_names

    return TypeError(
        f"[{owner}] unexpected argument {name!r}{keras_names.about_argument(what or owner, name, known)}"
    )


def explains(f: _F) -> _F:
    """Makes a function or method raise `unexpected` for arguments that it does not have."""
    known, _, _ = _parameters(f)

    @functools.wraps(f)
    def call(*args: Any, **given: Any) -> Any:
        if given and (unknown := given.keys() - known):
            owner = getattr(args[0], "name", f.__name__) if known[:1] == ("self",) else f.__name__
            raise unexpected(owner, min(unknown), known, f.__name__)
        return f(*args, **given)

    return call  # type: ignore[return-value]


class Explained:
    """Base of public classes: errors about missing arguments and attributes explain what to do."""

    if not TYPE_CHECKING:  # type checkers are to report misspelt names

        def __new__(cls, *args, **given):
            known, needed, is_open = _parameters(cls.__init__)
            missing = known[len(args) + 1 : needed]
            if (unknown := given.keys() - known) and (missing or not is_open):
                from . import keras_names

                for name in sorted(unknown):
                    if not is_open or keras_names.ARGUMENTS.get(name) in missing:
                        raise unexpected(cls.__name__, name, known)
            return super().__new__(cls)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            if hasattr(type(self), name):  # a property raised AttributeError: raise it again
                return object.__getattribute__(self, name)
            from . import keras_names

            raise AttributeError(keras_names.about_attribute(self, name))
