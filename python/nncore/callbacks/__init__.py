"""Callbacks: objects whose methods are called as training, evaluation and prediction go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer
from .callback import Callback, History, LambdaCallback

__all__ = ["Callback", "EarlyStopping", "History", "LambdaCallback"]

if TYPE_CHECKING:
    from .early_stopping import EarlyStopping

answer(__name__, EarlyStopping="early_stopping")
