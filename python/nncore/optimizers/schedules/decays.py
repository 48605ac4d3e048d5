"""Learning rates that fall by powers, quotients or steps."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

from ...common.arguments import boolean, several
from ._base import Formula

__all__ = ["ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay"]


class _Decay(Formula):
    """Base class: the rate is a function of ``p = step / decay_steps``, of its whole part with staircase."""

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool

    def __init__(
        self, initial_learning_rate: Any, decay_steps: Any, decay_rate: Any, staircase: Any, name: str
    ) -> None:
        super().__init__(
            initial_learning_rate=self._number("initial_learning_rate", initial_learning_rate),
            decay_steps=self._steps("decay_steps", decay_steps),
            decay_rate=self._number("decay_rate", decay_rate),
            staircase=boolean(type(self).__name__, "staircase", staircase),
            name=name,
        )

    def _share(self, step: int) -> float:
        p = step / self.decay_steps
        return math.floor(p) if self.staircase else p


class ExponentialDecay(_Decay):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: at least 0.
        decay_steps: above 0; the rate is multiplied by decay_rate in that many steps.
        decay_rate: at least 0.
        staircase: True takes the whole part of the exponent; default False.
        name: default "ExponentialDecay".

    >>> ExponentialDecay(0.5, 10, 0.5, staircase=True)(19)
    0.25
    """

    _variants = (
        {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5},
        {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.9, "staircase": True},
    )

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate * self.decay_rate ** self._share(step))


class InverseTimeDecay(_Decay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: at least 0.
        decay_steps: above 0.
        decay_rate: at least 0.
        staircase: True takes the whole part of step / decay_steps; default False.
        name: default "InverseTimeDecay".

    >>> InverseTimeDecay(0.5, decay_steps=10, decay_rate=1.0)(10)
    0.25
    """

    _variants = (
        {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5},
        {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 2, "staircase": True},
    )

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._share(step))


class PolynomialDecay(Formula):
    """Falls with a power of the remaining fraction of decay_steps:
    ``(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps)**power + end_learning_rate``.

    After decay_steps the rate stays at end_learning_rate. With cycle, decay_steps is replaced by its next
    multiple, so that the rate rises and falls again.

    Args:
        initial_learning_rate: at least 0.
        decay_steps: above 0.
        end_learning_rate: at least 0; default 0.0001.
        power: at least 0; default 1.
        cycle: default False.
        name: default "PolynomialDecay".

    >>> PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)(5)
    0.375
    """

    _variants = (
        {"initial_learning_rate": 0.1, "decay_steps": 6},
        {"initial_learning_rate": 0.1, "decay_steps": 6, "end_learning_rate": 0.01, "power": 0.5},
        {"initial_learning_rate": 0.1, "decay_steps": 4, "power": 2, "cycle": True},
    )
    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float
    power: float
    cycle: bool

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(
            initial_learning_rate=self._number("initial_learning_rate", initial_learning_rate),
            decay_steps=self._steps("decay_steps", decay_steps),
            end_learning_rate=self._number("end_learning_rate", end_learning_rate),
            power=self._number("power", power),
            cycle=boolean(type(self).__name__, "cycle", cycle),
            name=name,
        )

    def __call__(self, step: int) -> float:
        cycles = max(1, math.ceil(step / self.decay_steps)) if self.cycle else 1
        left = 1.0 - min(1.0, step / (self.decay_steps * cycles))
        fall = self.initial_learning_rate - self.end_learning_rate
        return float(fall * left**self.power + self.end_learning_rate)


class PiecewiseConstantDecay(Formula):
    """values[0] up to step boundaries[0] inclusive, then values[1] up to boundaries[1] inclusive, and so on.

    Args:
        boundaries: numbers of steps, ascending.
        values: rates, at least 0, one more than boundaries.
        name: default "PiecewiseConstant".

    >>> steps = PiecewiseConstantDecay([10, 20], [0.5, 0.25, 0.125])
    >>> steps(10), steps(11), steps(21)
    (0.5, 0.25, 0.125)
    """

    _variants = (
        {"boundaries": [3], "values": [0.1, 0.01]},
        {"boundaries": [2, 5, 9], "values": [0.1, 0.2, 0.05, 0.01]},
    )
    boundaries: list[float]
    values: list[float]

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        owner = type(self).__name__
        steps, rates = self._numbers("boundaries", boundaries), self._numbers("values", values)
        if len(rates) != len(steps) + 1:
            raise ValueError(
                f"[{owner}] values must be one more than boundaries, got {len(rates)} and {len(steps)}"
            )
        if steps != sorted(steps):
            raise ValueError(f"[{owner}] boundaries must ascend, got {steps}")
        super().__init__(boundaries=steps, values=rates, name=name)

    @classmethod
    def _numbers(cls, name: str, given: Sequence[float]) -> list[float]:
        if (numbers := several(given)) is None:
            raise TypeError(f"[{cls.__name__}] {name} must be a list of numbers, got {given!r}")
        return [cls._number(name, value) for value in numbers]

    def __call__(self, step: int) -> float:
        return self.values[bisect.bisect_left(self.boundaries, step)]
