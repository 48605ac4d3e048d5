"""Models: `Sequential` for layers one after another, `Model` for any graph, and `load_model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "load_model"]

if TYPE_CHECKING:
    from .loading import load_model

answer(__name__, load_model="loading")
