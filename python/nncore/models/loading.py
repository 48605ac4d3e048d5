"""Models from files and configs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..common.absent import explains
from ..common.arguments import boolean
from ..common.custom import CustomObjectScope
from . import files
from .model import KINDS, with_net


def _scope(owner: str, custom_objects: Mapping[str, Any] | None) -> CustomObjectScope:
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(f"[{owner}] custom_objects must be a dict, got {custom_objects!r:.80}")
    return CustomObjectScope(custom_objects)


@explains
def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model that `Model.save` wrote, or Keras 3 or 2 as .keras or .h5: a `Sequential` or a `Model`.

    The file can hold numbers and names of layers, but no code. Of Keras' files the seeds of dropout are left
    out: masks follow from the model's seed.

    Args:
        filepath: the file.
        custom_objects: functions of one's own among the metrics, by their names; default none but those of
            `nncore.saving.register_keras_serializable`.
        compile: False leaves compile settings and optimizer state out; default True.
        safe_mode: True: code in files is never run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no model, damaged, of Keras with layers that are not available, or names a function
            that is not given.
        MemoryError: memory does not suffice.
    """
    if not boolean("load_model", "safe_mode", safe_mode):
        raise ValueError("[load_model] safe_mode=False is not available: code in files is never run")
    with _scope("load_model", custom_objects):
        return files.read(KINDS, with_net, filepath, boolean("load_model", "compile", compile))


@explains
def save_model(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """As ``model.save(filepath, overwrite)``."""
    model.save(filepath, overwrite)


@explains
def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A model, with new weights, of what `Model.to_json` gave, or that of Keras.

    Args:
        custom_objects: as of `load_model`.

    Raises:
        ValueError: it is no model, or has layers that are not available.

    >>> from nncore import Sequential
    >>> from nncore.layers import Dense, Input
    >>> model_from_json(Sequential([Input((2,)), Dense(3)]).to_json()).output_shape
    (None, 3)
    """
    with _scope("model_from_json", custom_objects):
        return files.from_json(KINDS, with_net, json_string)


@explains
def clone_model(model: Any, input_tensors: None = None, clone_function: None = None) -> Any:
    """A model of new layers with the same settings and names, with new weights, and not compiled.

    ``copy.deepcopy(model)`` has its weights as well.

    Args:
        input_tensors, clone_function: not available, so None.
    """
    if input_tensors is not None or clone_function is not None:
        raise ValueError("[clone_model] input_tensors and clone_function are not available")
    return model.from_config(model.get_config())
