"""Gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._base import Common, Optimizer
from ._schedule import LearningRateSchedule

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if it is above 0.

    Without momentum ``w -= learning_rate * g``; with it ``m = momentum * m - learning_rate * g; w += m``,
    and with nesterov ``w += momentum * m - learning_rate * g`` after the new m.

    Args:
        learning_rate: at least 0, or a schedule; default 0.01.
        momentum: in [0, 1]; default 0.
        nesterov: default False.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "sgd".
        others: the arguments of all optimizers, see `Optimizer`.
    """

    _rows = ("sgd", "sgd_momentum", "sgd_nesterov")
    _variants = ({"learning_rate": 0.1, "momentum": 0.9}, {"momentum": 0.9, "nesterov": True})
    momentum: float
    nesterov: bool

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, others, momentum=momentum, nesterov=nesterov)

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        return cls._rows[1 + settings["nesterov"] if settings["momentum"] else 0]
