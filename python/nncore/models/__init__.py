"""Models: `Sequential` for layers one after another, `Model` for any graph, and `load_model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

if TYPE_CHECKING:
    from .loading import clone_model, load_model, model_from_json, save_model

answer(__name__, **dict.fromkeys(("clone_model", "load_model", "model_from_json", "save_model"), "loading"))
