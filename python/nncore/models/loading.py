"""`load_model`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..common.absent import explains
from ..common.arguments import boolean
from ..common.custom import CustomObjectScope
from . import files
from .model import KINDS, with_net


@explains
def load_model(
    filepath: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, compile: bool = True
) -> Any:
    """The model that `Model.save` wrote: a `Sequential` or a `Model`.

    The file can hold numbers and names of layers, but no code.

    Args:
        filepath: the file.
        custom_objects: functions of one's own among the metrics, by their names; default none but those of
            `nncore.saving.register_keras_serializable`.
        compile: False leaves compile settings and optimizer state out; default True.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a model of nncore, or it is damaged, or it names a function that is not given.
        MemoryError: memory does not suffice.
    """
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(f"[load_model] custom_objects must be a dict, got {custom_objects!r:.80}")
    with CustomObjectScope(custom_objects):
        return files.read(KINDS, with_net, filepath, boolean("load_model", "compile", compile))
