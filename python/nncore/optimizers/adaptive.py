"""Optimizers that scale the step of each parameter by its past gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._base import Common, Optimizer
from ._schedule import LearningRateSchedule

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Nadam", "RMSprop"]


class Adadelta(Optimizer):
    """Steps scaled by running means of the squares of gradients and of steps (Zeiler, 2012).

    ``v = rho * v + (1 - rho) * g**2; step = sqrt(d + epsilon) / sqrt(v + epsilon) * g;
    d = rho * d + (1 - rho) * step**2; w -= learning_rate * step``. The paper's learning rate is 1.

    Args:
        learning_rate: at least 0, or a schedule; default 0.001.
        rho: in [0, 1); default 0.95.
        epsilon: at least 0; default 1e-7.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "adadelta".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("adadelta",)
    _variants = ({"rho": 0.5, "epsilon": 1e-3},)
    rho: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, others, rho=rho, epsilon=epsilon)


class Adagrad(Optimizer):
    """Steps scaled by the sum of the gradient's squares so far (Duchi and others, 2011).

    ``s += g**2; w -= learning_rate * g / sqrt(s + epsilon)``.

    Args:
        learning_rate: at least 0, or a schedule; default 0.001.
        initial_accumulator_value: s at first, at least 0; default 0.1.
        epsilon: at least 0; default 1e-7.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "adagrad".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("adagrad",)
    _variants = ({"learning_rate": 0.5, "initial_accumulator_value": 0.5, "epsilon": 1e-3},)
    initial_accumulator_value: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        own = {"initial_accumulator_value": initial_accumulator_value, "epsilon": epsilon}
        super().__init__(learning_rate, weight_decay, name, others, **own)


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015).

    ``m += (g - m) * (1 - beta_1); v += (g**2 - v) * (1 - beta_2);
    w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)`` in step t = 1, 2,
    ...

    Args:
        learning_rate: at least 0, or a schedule; default 0.001.
        beta_1: in [0, 1); default 0.9.
        beta_2: in [0, 1); default 0.999.
        epsilon: at least 0; default 1e-7.
        amsgrad: True uses the largest v so far instead of v in the update of w (Reddi and others, 2018);
            default False.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "adam".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("adam", "amsgrad")
    _variants = ({"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, {"amsgrad": True})
    amsgrad: bool
    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        own = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad}
        super().__init__(learning_rate, weight_decay, name, others, **own)

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        return cls._rows[settings["amsgrad"]]


class AdamW(Adam):
    """Adam with weight decay by default, before each update (Loshchilov and Hutter, 2019).

    Args:
        weight_decay: at least 0; default 0.004. None is a ValueError, as in Keras.
        name: default "adam_w".

    The other arguments are those of `Adam`.
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        if weight_decay is None:
            raise ValueError("[AdamW] weight_decay must be a number, got None")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, name=name, **others)


class _WithBetas(Optimizer):
    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        own = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
        super().__init__(learning_rate, weight_decay, name, others, **own)


class Adamax(_WithBetas):
    """Adam with a decaying maximum of gradients in place of their squares' mean (Kingma and Ba, 2015).

    ``m += (g - m) * (1 - beta_1); u = max(beta_2 * u, abs(g));
    w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)`` in step t = 1, 2, ...

    Args:
        learning_rate: at least 0, or a schedule; default 0.001.
        beta_1: in [0, 1); default 0.9.
        beta_2: in [0, 1); default 0.999.
        epsilon: at least 0; default 1e-7.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "adamax".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("adamax",)
    _variants = ({"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},)


class Nadam(_WithBetas):
    """Adam with Nesterov's momentum: the step looks ahead with the current gradient (Dozat, 2016).

    m and v are those of `Adam`. With ``u(t) = beta_1 * (1 - 0.96**t / 2)`` and the product p(t) of u(1) to
    u(t), step t is ``w -= learning_rate * (u(t + 1) * m / (1 - p(t + 1)) + (1 - u(t)) * g / (1 - p(t))) /
    (sqrt(v / (1 - beta_2**t)) + epsilon)``.

    Args:
        learning_rate: at least 0, or a schedule; default 0.001.
        beta_1: in [0, 1); default 0.9.
        beta_2: in [0, 1); default 0.999.
        epsilon: at least 0; default 1e-7.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "nadam".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("nadam",)
    _variants = ({"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},)

    def numbers_behind(self, updates: int) -> list[float]:
        factors = (1.0 - 0.5 * 0.96**t for t in range(1, min(updates, 1024) + 1))  # 1 from there on
        return [self.beta_1**updates * math.prod(factors)]


class RMSprop(Optimizer):
    """Steps scaled by a running mean of the gradient's square (Hinton, 2012), with momentum if it is above 0.

    ``v = rho * v + (1 - rho) * g**2; w -= learning_rate * g / sqrt(v + epsilon)``. Centered, a running mean a
    of g makes it ``sqrt(v - a**2 + epsilon)``. With momentum ``m = momentum * m + step; w -= m``.

    Args:
        learning_rate: at least 0, or a schedule; default 0.001.
        rho: in [0, 1); default 0.9.
        momentum: in [0, 1]; default 0.
        epsilon: at least 0; default 1e-7.
        centered: default False.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "rm_sprop".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("rmsprop", "rmsprop_momentum", "rmsprop_centered", "rmsprop_centered_momentum")
    _variants = ({"rho": 0.8, "momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True})
    rho: float
    momentum: float
    epsilon: float
    centered: bool

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        own = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": centered}
        super().__init__(learning_rate, weight_decay, name, others, **own)

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        return cls._rows[2 * settings["centered"] + (settings["momentum"] > 0)]
