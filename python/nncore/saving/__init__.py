"""Model files: one safetensors file, its metadata a JSON text of settings. Nothing in it is ever executed.

Tensors, all float32: "dense/kernel" and so on, and "optimizer/velocity/dense/kernel" for the optimizer's
moments. Whatever a file says is checked before memory is taken for it.
"""

from ..common.absent import answer
from .reading import from_bytes, read, read_weights
from .writing import to_bytes, write

__all__ = ["from_bytes", "read", "read_weights", "to_bytes", "write"]

answer(__name__)
