"""Learning rates that fall like a cosine."""

from __future__ import annotations

import math

from ._base import Formula

__all__ = ["CosineDecay", "CosineDecayRestarts"]


class CosineDecay(Formula):
    """Falls along half a wave of a cosine, perhaps after a linear warm-up (Loshchilov and Hutter, 2017; Goyal
    and others, 2017).

    ``rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`` until decay_steps, then
    ``rate * alpha``. Without warmup_target, rate is initial_learning_rate. With it, the learning rate first
    goes linearly from initial_learning_rate to warmup_target in warmup_steps, and then falls from there.

    Args:
        initial_learning_rate: at least 0.
        decay_steps: above 0; the steps of the warm-up are not included.
        alpha: at least 0; default 0.
        name: default "CosineDecay".
        warmup_target: at least 0, or None (default).
        warmup_steps: at least 0; default 0.

    >>> CosineDecay(0.0, 10, warmup_target=0.5, warmup_steps=10)(5)
    0.25
    """

    _variants = (
        {"initial_learning_rate": 0.1, "decay_steps": 6},
        {"initial_learning_rate": 0.1, "decay_steps": 6, "alpha": 0.25},
        {"initial_learning_rate": 0.01, "decay_steps": 5, "warmup_target": 0.1, "warmup_steps": 4},
        {"initial_learning_rate": 0.01, "decay_steps": 9, "warmup_target": 0.1},
    )
    initial_learning_rate: float
    decay_steps: float
    alpha: float
    warmup_target: float | None
    warmup_steps: float

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        super().__init__(
            initial_learning_rate=self._number("initial_learning_rate", initial_learning_rate),
            decay_steps=self._steps("decay_steps", decay_steps),
            alpha=self._number("alpha", alpha),
            name=name,
            warmup_target=None if warmup_target is None else self._number("warmup_target", warmup_target),
            warmup_steps=self._number("warmup_steps", warmup_steps),
        )

    def __call__(self, step: int) -> float:
        rate, at = self.initial_learning_rate, float(step)
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return (self.warmup_target - rate) * (step / self.warmup_steps) + rate
            rate, at = self.warmup_target, step - self.warmup_steps
        return rate * _cosine(min(1.0, at / self.decay_steps), self.alpha)


class CosineDecayRestarts(Formula):
    """Half waves of a cosine, one after the other (Loshchilov and Hutter, 2017).

    The first falls over first_decay_steps, as in `CosineDecay`; each following one takes t_mul times as many
    steps, and starts from m_mul times the rate.

    Args:
        initial_learning_rate: at least 0.
        first_decay_steps: above 0.
        t_mul: at least 1; default 2.
        m_mul: at least 0; default 1.
        alpha: at least 0: the lowest rate, as a fraction of initial_learning_rate; default 0.
        name: default "SGDRDecay".

    >>> restarts = CosineDecayRestarts(0.5, first_decay_steps=10, m_mul=0.5)
    >>> restarts(0), restarts(10), restarts(20), restarts(30)
    (0.5, 0.25, 0.125, 0.125)
    """

    _variants = (
        {"initial_learning_rate": 0.1, "first_decay_steps": 3},
        {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1},
        {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.5, "m_mul": 0.9},
    )
    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float
    m_mul: float
    alpha: float

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        super().__init__(
            initial_learning_rate=self._number("initial_learning_rate", initial_learning_rate),
            first_decay_steps=self._steps("first_decay_steps", first_decay_steps),
            t_mul=self._number("t_mul", t_mul, 1.0),
            m_mul=self._number("m_mul", m_mul),
            alpha=self._number("alpha", alpha),
            name=name,
        )

    def __call__(self, step: int) -> float:
        at, t = step / self.first_decay_steps, self.t_mul  # at in units of the first wave's length
        if t == 1.0:
            wave = math.floor(at)
            p = at - wave
        else:
            wave = math.floor(math.log(1.0 + at * (t - 1.0)) / math.log(t))
            p = (at - (t**wave - 1.0) / (t - 1.0)) / t**wave
            if p >= 1.0:  # one wave too few, by rounding
                wave, p = wave + 1, 0.0
        alpha = self.alpha
        share = (1.0 - alpha) * self.m_mul**wave * _cosine(max(0.0, p)) + alpha
        return float(self.initial_learning_rate * share)


def _cosine(p: float, alpha: float = 0.0) -> float:
    """From 1 at p = 0 to alpha at p = 1."""
    return (1.0 - alpha) * 0.5 * (1.0 + math.cos(math.pi * p)) + alpha
