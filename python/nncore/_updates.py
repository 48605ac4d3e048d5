"""Functions that make one step of an optimizer, written as their NumPy reference: see `_operations`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from . import _core
from ._operations import Floats, Operation, arguments_reader, expect_shape, floats, settings_of
from .optimizers import ROWS, Optimizer

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(eq=False, repr=False)
class Update(Operation):
    """A function that makes a step, and the optimizers that it is the step of."""

    optimizer: type[Optimizer] = Optimizer
    fixed: dict[str, Any] = field(default_factory=dict)  # settings of all of these
    moments: dict[str, str] = field(default_factory=dict)  # what the arguments that are moments are in files

    def belongs_to(self, optimizer: Optimizer) -> bool:
        return isinstance(optimizer, self.optimizer) and all(
            getattr(optimizer, name) == value for name, value in self.fixed.items()
        )


UPDATES: dict[str, Update] = {}


def update(
    optimizer: type[Optimizer], *, fixed: dict[str, Any] | None = None, **moments: str
) -> Callable[[_F], _F]:
    """Makes a step f(w, g, moments..., step, settings...) of its reference; some have no step.

    Args:
        optimizer: the class that has these settings.
        fixed: those that f does not have.
        moments: what each argument that is a moment is called in files. None stands for zeros, and comes
            back where the settings have no such moment.
    """

    def decorate(f: _F) -> _F:
        name, arguments_of = f.__name__, arguments_reader(f)
        settings = {key: value for key, value in settings_of(f).items() if key not in moments}
        defaults = {key: settings_of(optimizer)[key] for key in optimizer._settings} | (fixed or {})
        if any(defaults[key] != value for key, value in settings.items()):
            raise ImportError(f"{name} has the settings {settings}, but {optimizer.__name__} {defaults}")

        @functools.wraps(f)
        def public(*args: Any, **given: Any) -> tuple[Floats | None, ...]:
            of = arguments_of(*args, **given)
            spec = optimizer._spec_of(name, {**defaults, **of})
            held = ROWS[spec[0]][1]
            step = operator.index(of.get("step", 1))
            if step < 1:
                raise ValueError(f"[{name}] expected step to count from 1, got {step}")
            w, g = floats(name, "w", of["w"]), floats(name, "g", of["g"])
            expect_shape(name, "g", g, w.shape)
            before = {}
            for key, moment in moments.items():
                if moment in held:
                    before[moment] = np.zeros_like(w) if of[key] is None else floats(name, key, of[key])
                    expect_shape(name, key, before[moment], w.shape)
                elif of[key] is not None:
                    raise ValueError(f"[{name}] expected {key}=None without {moment}, got an array")
            w, after = _core.update(spec, step, w, g, [before[moment] for moment in held])
            new = dict(zip(held, after))
            return (w, *(new.get(moment) for moment in moments.values()))

        UPDATES[name] = Update(public, f, optimizer=optimizer, fixed=fixed or {}, moments=moments)
        return public  # type: ignore[return-value]

    return decorate
