"""Preparation of data for models: `image`, `sequence` and `text` of Keras 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer
from ..utils import image_dataset_from_directory, timeseries_dataset_from_array

if TYPE_CHECKING:
    from . import image, sequence, text

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "timeseries_dataset_from_array",
]

answer(__name__, "image", "sequence", "text")
