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
    """A `Sequential` or `Model` from a file of `Model.save`, or a .keras or .h5 file of Keras 3 or 2.

    The file can hold numbers and names of layers, but no code. Seeds of dropout in Keras' files are ignored:
    masks follow from the model's seed.

    Args:
        filepath: the file.
        custom_objects: your own functions among the metrics, by their names; default only those of
            `nncore.saving.register_keras_serializable`.
        compile: False ignores the settings of `compile` and the optimizer's state; default True.
        safe_mode: True only: code in files is never run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no model or damaged, has layers that are not available, or names a function
            that is not given.
        MemoryError: memory does not suffice.
    """
    if not boolean("load_model", "safe_mode", safe_mode):
        raise ValueError("[load_model] safe_mode=False is not available: code in files is never run")
    with _scope("load_model", custom_objects):
        return files.read(KINDS, with_net, filepath, boolean("load_model", "compile", compile))


@explains
def save_model(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Calls ``model.save(filepath, overwrite)``."""
    model.save(filepath, overwrite)


@explains
def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A model with new weights from the result of `Model.to_json`, of nncore or Keras.

    Args:
        custom_objects: as in `load_model`.

    Raises:
        ValueError: the text is no model, or has layers that are not available.

    >>> from nncore import Sequential
    >>> from nncore.layers import Dense, Input
    >>> model_from_json(Sequential([Input((2,)), Dense(3)]).to_json()).output_shape
    (None, 3)
    """
    with _scope("model_from_json", custom_objects):
        return files.from_json(KINDS, with_net, json_string)


@explains
def clone_model(model: Any, input_tensors: None = None, clone_function: None = None) -> Any:
    """A model of new layers with the same settings and names; its weights are new, and it is not compiled.

    ``copy.deepcopy(model)`` copies the weights as well.

    Args:
        input_tensors, clone_function: not available, so None.
    """
    if input_tensors is not None or clone_function is not None:
        raise ValueError("[clone_model] input_tensors and clone_function are not available")
    return model.from_config(model.get_config())
