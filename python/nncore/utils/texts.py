"""Texts in folders as batches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..common.absent import explains
from ..common.arguments import choice, integer
from .directories import Kind, datasets_of

_OWNER = "text_dataset_from_directory"


@explains
def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Literal["inferred"] | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Batches of texts from a folder that has a folder for each class, for `TextVectorization`.

    Args:
        directory: the folder. Texts are .txt files at any depth, in UTF-8.
        max_length: bytes of a text that are read; default all.
        labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
            format, verbose: as `image_dataset_from_directory`.

    Returns:
        A `Dataset` of strings (n,), or (strings, labels), with ``class_names`` and ``file_paths``; a list of
        two with subset="both".

    Raises:
        TypeError, ValueError: an argument is none of the above, there are no texts, or other labels than
            files.
        OSError: the folder or a file cannot be read.
        UnicodeDecodeError: a file is not in UTF-8, when its batch is made.

    Example::

        train = nncore.utils.text_dataset_from_directory("reviews/train", validation_split=0.2,
            subset="training", seed=1)
        layer = nncore.layers.TextVectorization(max_tokens=10_000, output_sequence_length=200)
        layer.adapt(train.map(lambda x, y: x))
    """
    choice(_OWNER, "format", format, ("tf", "grain"))
    most = None if max_length is None else integer(_OWNER, "max_length", max_length)

    def read(paths: Sequence[str]) -> NDArray[Any]:
        errors = "strict" if most is None else "ignore"  # the last character may be cut
        return np.array([Path(path).read_bytes()[:most].decode("utf-8", errors) for path in paths], object)

    kind = Kind(_OWNER, "texts", (".txt",), read)
    given = labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset
    return datasets_of(kind, directory, *given, follow_links, verbose)
