"""Methods of `Model` for files, configs and summaries. Modules that they need are imported at first use, as
most programs do not call them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..common import whole
from ..common.arguments import boolean, integer
from ..training.trainer import Trainer

if TYPE_CHECKING:
    from ..saving.keras_from import Kinds, WithNet


def _saving() -> Any:
    with whole:
        from .. import saving
    return saving


def summary(
    trainer: Trainer, line_length: int | None = None, *, print_fn: Any = None, show_trainable: bool = False
) -> None:
    """Prints a table of the layers, the shapes of their outputs and the numbers of their parameters.

    Args:
        line_length: width of the table; default 88, or less in a narrow terminal.
        print_fn: called once with the whole text, in characters that standard output has; default print.
        show_trainable: True adds a column that tells which layers are trainable; default False.
    """
    with whole:
        from .summary import table

    width = None if line_length is None else integer("summary", "line_length", line_length, low=24)
    with_trainable = boolean("summary", "show_trainable", show_trainable)
    (print_fn or print)(table(trainer, width, with_trainable))


def save(trainer: Trainer, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes the model into a file: layers, weights, compile settings and optimizer state.

    The suffix decides about the format: ".keras" and ".h5" are files of Keras, which need the extra hdf5; all
    others, preferably ".safetensors", are one safetensors file. A model loaded from it continues training as
    this one would, bit for bit. If saving fails, an older file stays as it was. A link is followed and kept.

    Args:
        filepath: name of the file. Suffixes of other formats, such as ".onnx", raise ValueError.
        overwrite: False raises FileExistsError if the file exists; default True.

    Raises:
        ValueError: filepath is empty or not a regular file, a layer's class is your own, there are more
            layers or settings than a file may have, or the format of Keras cannot represent the model.
        ImportError: h5py is not installed.
        OSError: the file cannot be written there.
        MemoryError: memory does not suffice for a copy of the weights.
    """
    _saving().write("save", trainer, filepath, overwrite, weights_only=False)


def save_weights(trainer: Trainer, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes the weights into a file: in Keras' format if the name ends in ".weights.h5", else as
    safetensors. Arguments as `save`.
    """
    _saving().write("save_weights", trainer, filepath, overwrite, weights_only=True)


def load_weights(trainer: Trainer, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
    """Sets the weights from a file of `save_weights`, `save` or Keras, in order. Names of layers do not
    matter.

    Args:
        filepath: the file.
        skip_mismatch: True keeps weights whose shapes do not fit, with a warning; default False.

    Raises:
        ValueError: the model is not built, the file is damaged, or its shapes do not fit; nothing is changed
            then.
    """
    net = trainer.net
    network = net.required_network()
    skip = boolean(net.name, "skip_mismatch", skip_mismatch)
    network.write("parameters", net.joined(_saving().read_weights(net, filepath, skip)))


def get_config(trainer: Trainer) -> dict[str, Any]:
    """The name and layers of the model, in the format of Keras' files."""
    config: dict[str, Any] = _saving().keras_entry(trainer, with_compile=False)["config"]
    return config


def to_json(trainer: Trainer) -> str:
    """The layers, without weights, and the settings of `compile` as JSON, for `models.model_from_json`."""
    import json

    return json.dumps(_saving().keras_entry(trainer, with_compile=True), allow_nan=False)


def to_bytes(trainer: Trainer) -> bytes:
    """The content of a model file."""
    data: bytes = _saving().to_bytes(trainer, weights_only=False)
    return data


def from_bytes(kinds: Kinds, with_net: WithNet, cls: type[Any], data: bytes) -> Any:
    """The model, of the given class, from the result of `to_bytes`."""
    return _saving().from_bytes(kinds, with_net, cls, data)


def read(kinds: Kinds, with_net: WithNet, filepath: str | os.PathLike[str], with_compile: bool) -> Any:
    """The model in a file."""
    return _saving().read(kinds, with_net, filepath, with_compile)


def from_config(kinds: Kinds, with_net: WithNet, config: Mapping[str, Any]) -> Any:
    """A model from the result of `get_config`."""
    return _saving().from_config(kinds, with_net, config)


def from_json(kinds: Kinds, with_net: WithNet, json_string: str) -> Any:
    """A model from the result of `to_json`."""
    return _saving().from_json(kinds, with_net, json_string)
