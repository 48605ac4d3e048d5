"""Models: `Sequential` for layers one after another, `Model` for any graph, and `load_model`."""

from ..common.absent import explains
from .files import load_model
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "load_model"]

for _name in ("compile", "evaluate", "fit", "save", "summary"):
    setattr(Model, _name, explains(getattr(Model, _name)))
