"""Models in files and tables: what methods of `Model` do. What they need is not imported with nncore: that
takes longer than what most programs need of it.
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
        show_trainable: with a column that tells which layers train; default False.
    """
    with whole:
        from .summary import table

    width = None if line_length is None else integer("summary", "line_length", line_length, low=24)
    with_trainable = boolean("summary", "show_trainable", show_trainable)
    (print_fn or print)(table(trainer, width, with_trainable))


def save(trainer: Trainer, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes the model into a file: layers, weights, compile settings and optimizer state.

    The end of the name decides: ".keras" and ".h5" are files of Keras, which need the extra hdf5; all others
    are one safetensors file, best called so. A model loaded from that trains on as this one would, bit for
    bit. The file is complete or not there: a failure leaves an older one as it was. A link is followed and
    kept.

    Args:
        filepath: names that promise still other formats, such as ".onnx", raise ValueError.
        overwrite: False raises FileExistsError if there is a file; default True.

    Raises:
        ValueError: filepath is empty or names something that is not a regular file, a layer is of a class
            of your own, there are more layers or settings than a file may have, or something that Keras'
            files cannot hold.
        ImportError: h5py is not installed.
        OSError: the file cannot be written there.
        MemoryError: memory does not suffice for a copy of the weights.
    """
    _saving().write("save", trainer, filepath, overwrite, weights_only=False)


def save_weights(trainer: Trainer, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes the weights into a file: as Keras does where the name ends in ".weights.h5", else one
    safetensors file. Arguments as `save`.
    """
    _saving().write("save_weights", trainer, filepath, overwrite, weights_only=True)


def load_weights(trainer: Trainer, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
    """Sets the weights from a file of `save_weights` or `save`, or of Keras, in order, whatever names the
    layers have.

    Args:
        filepath: the file.
        skip_mismatch: leaves what does not fit as it is, with a warning; default False.

    Raises:
        ValueError: the model is not built, or the file is damaged or of a model of other shapes; nothing
            is changed then.
    """
    net = trainer.net
    network = net.required_network()
    skip = boolean(net.name, "skip_mismatch", skip_mismatch)
    network.write("parameters", net.joined(_saving().read_weights(net, filepath, skip)))


def get_config(trainer: Trainer) -> dict[str, Any]:
    """The name and layers of the model, as Keras has them in its files."""
    config: dict[str, Any] = _saving().keras_entry(trainer, with_compile=False)["config"]
    return config


def to_json(trainer: Trainer) -> str:
    """The layers, without weights, and what the model was compiled with, for `models.model_from_json`."""
    import json

    return json.dumps(_saving().keras_entry(trainer, with_compile=True), allow_nan=False)


def to_bytes(trainer: Trainer) -> bytes:
    """The content of a file."""
    data: bytes = _saving().to_bytes(trainer, weights_only=False)
    return data


def from_bytes(kinds: Kinds, with_net: WithNet, cls: type[Any], data: bytes) -> Any:
    """The model of `to_bytes`, of a class."""
    return _saving().from_bytes(kinds, with_net, cls, data)


def read(kinds: Kinds, with_net: WithNet, filepath: str | os.PathLike[str], with_compile: bool) -> Any:
    """The model in a file."""
    return _saving().read(kinds, with_net, filepath, with_compile)


def from_config(kinds: Kinds, with_net: WithNet, config: Mapping[str, Any]) -> Any:
    """A model of what `get_config` gave."""
    return _saving().from_config(kinds, with_net, config)


def from_json(kinds: Kinds, with_net: WithNet, json_string: str) -> Any:
    """A model of what `to_json` gave."""
    return _saving().from_json(kinds, with_net, json_string)
