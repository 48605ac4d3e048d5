"""Names that are not there: what Keras calls otherwise is found, and errors about the rest say what to do.

What they say is in `keras_names`, which is loaded with the first of them.
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
# Other names of modules: for programs that were written for TensorFlow, or for earlier versions of Keras.
_ALIASES = {
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
    """Makes a module show the names in its ``__all__``, and gives it a ``__getattr__`` that imports the
    submodules `on_demand`, and names from the submodules that they are `within`, and explains other names.
    """
    own = vars(sys.modules[module])

    def of_module(name: str) -> Any:
        if name in on_demand:
            with whole:
                return importlib.import_module(f"{module}.{name}")
        if name in within:
            with whole:
                return getattr(importlib.import_module(f"{module}.{within[name]}"), name)
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if real(f"{module}.{name}"):
            return importlib.import_module(f"{module}.{name}")
        from . import keras_names

        return keras_names.found(module, name)

    own["__getattr__"] = of_module
    if "__all__" in own:
        own["__dir__"] = own["__all__"].copy
    own.setdefault("__path__", [])  # ``from module import name`` asks finders if it is a package


def real(name: str) -> str | None:
    """The own name of a module that has another one, or is in one that has."""
    parts = name.split(".")[1:]
    for count in range(1, len(parts) + 1):
        if (module := _ALIASES.get(".".join(parts[:count]))) is not None:
            return ".".join([_ROOT + module, *parts[count:]])
    return None


class Aliases:
    """Finds modules by their other names, before other finders do, and is their loader."""

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
    """The last of the finders: raises ImportError for modules of Keras, and for what they were called."""

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
    """The names, how many of them have no default, and whether further names may be given."""
    code = getattr(f, "__code__", None)
    if code is None or not f"{f.__module__}.".startswith(f"{_ROOT}."):
        return (), 0, True
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    is_open = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return names, code.co_argcount - len(f.__defaults__ or ()), is_open


def unexpected(owner: str, name: str, known: Iterable[str], what: str = "") -> TypeError:
    """The error for an argument that is not among `known`. what: the class or function, if not the owner."""
    from . import keras_names

    return TypeError(
        f"[{owner}] unexpected argument {name!r}{keras_names.about_argument(what or owner, name, known)}"
    )


def explains(f: _F) -> _F:
    """Lets a function or method explain arguments that it does not have."""
    known, _, _ = _parameters(f)

    @functools.wraps(f)
    def call(*args: Any, **given: Any) -> Any:
        if given and (unknown := given.keys() - known):
            owner = getattr(args[0], "name", f.__name__) if known[0] == "self" else f.__name__
            raise unexpected(owner, min(unknown), known, f.__name__)
        return f(*args, **given)

    return call  # type: ignore[return-value]


class Explained:
    """Base of public classes: they explain arguments and attributes that they do not have."""

    if not TYPE_CHECKING:  # which is to find misspelt names

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
            if hasattr(type(self), name):  # a property has raised AttributeError
                return object.__getattribute__(self, name)
            from . import keras_names

            raise AttributeError(keras_names.about_attribute(self, name))
