"""Writing of models to files: the suffix of the name decides about the format."""

from __future__ import annotations

import os

from ..common import files
from ..common.arguments import boolean
from ..training.trainer import Trainer
from .keras_files import keras_bytes
from .writing import to_bytes


def write(
    owner: str, trainer: Trainer, filepath: str | os.PathLike[str], overwrite: bool, weights_only: bool
) -> None:
    """Writes a model file by `files.replace`."""
    path = files.model_path(owner, filepath, weights_only)
    if weights_only:
        trainer.net.required_network()
    kind = files.kind_of_keras(path)
    if kind and weights_only:
        kind = ".weights.h5"
    data = keras_bytes(trainer, kind) if kind else to_bytes(trainer, weights_only)
    files.replace(path, lambda file: file.write(data), boolean(owner, "overwrite", overwrite))
