"""Models in files and tables: what methods of `Model` do. What they need is not imported with nncore: that
takes longer than what most programs need of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..common import whole
from ..common.arguments import boolean, integer
from ..training.trainer import Trainer

if TYPE_CHECKING:
    from ..saving.reading import Kinds, WithNet


def _saving() -> Any:
    with whole:
        from .. import saving
    return saving


def summary(
    trainer: Trainer, line_length: int | None = None, print_fn: Any = None, show_trainable: bool = False
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
    """Writes the model into one safetensors file: layers, weights, compile settings and optimizer state.

    A model loaded from it trains on as this one would, bit for bit. The file is complete or not there: a
    failure leaves an older one as it was. A link is followed and kept.

    Args:
        filepath: best a name in ".safetensors". Those of other formats, such as ".keras" and ".h5", raise
            ValueError.
        overwrite: False raises FileExistsError if there is a file; default True.

    Raises:
        ValueError: filepath is empty or names something that is not a regular file, a layer is of a class
            of your own, or there are more layers or settings than a file may have.
        OSError: the file cannot be written there.
        MemoryError: memory does not suffice for a copy of the weights.
    """
    _saving().write("save", trainer, filepath, overwrite, weights_only=False)


def save_weights(trainer: Trainer, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes the weights into one safetensors file. Arguments as `save`."""
    _saving().write("save_weights", trainer, filepath, overwrite, weights_only=True)


def load_weights(trainer: Trainer, filepath: str | os.PathLike[str]) -> None:
    """Sets the weights from a file of `save_weights` or `save`, in order, whatever the layers are called.

    Raises:
        ValueError: the model is not built, or the file is damaged or of a model of other shapes; nothing
            is changed then.
    """
    net = trainer.net
    network = net.required_network()
    network.write("parameters", net.joined(_saving().read_weights(net, filepath)))


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
