"""`load_model`."""

from __future__ import annotations

import os
from typing import Any

from ..common.absent import explains
from ..common.arguments import boolean
from . import files
from .model import KINDS, with_net


@explains
def load_model(filepath: str | os.PathLike[str], custom_objects: None = None, compile: bool = True) -> Any:
    """The model that `Model.save` wrote: a `Sequential` or a `Model`.

    The file can hold numbers and names of layers, but no code.

    Args:
        filepath: the file.
        custom_objects: None; others are not available yet.
        compile: False leaves compile settings and optimizer state out; default True.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a model of nncore, or it is damaged.
        MemoryError: memory does not suffice.
    """
    if custom_objects is not None:
        raise ValueError("[load_model] custom_objects are not available")
    return files.read(KINDS, with_net, filepath, boolean("load_model", "compile", compile))
