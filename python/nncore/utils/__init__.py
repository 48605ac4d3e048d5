"""Helpers around training, and for files, images, sequences and batches, imported at first use."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common import names, seeds
from ..common.absent import answer, explains
from ..common.arguments import integer
from ..common.arrays import plain
from ..common.progress import Progbar

if TYPE_CHECKING:
    from .batches import PyDataset, Sequence
    from .directories import image_dataset_from_directory
    from .downloads import get_file
    from .drawings import model_to_dot, plot_model
    from .images import array_to_img, img_to_array, load_img, save_img
    from .sequences import pad_sequences
    from .texts import text_dataset_from_directory
    from .timeseries import timeseries_dataset_from_array

__all__ = [
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "get_file",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "model_to_dot",
    "normalize",
    "pad_sequences",
    "plot_model",
    "save_img",
    "set_random_seed",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
]
answer(
    __name__,
    PyDataset="batches",
    Sequence="batches",
    array_to_img="images",
    get_file="downloads",
    image_dataset_from_directory="directories",
    img_to_array="images",
    load_img="images",
    model_to_dot="drawings",
    plot_model="drawings",
    pad_sequences="sequences",
    save_img="images",
    text_dataset_from_directory="texts",
    timeseries_dataset_from_array="timeseries",
)


def set_random_seed(seed: int) -> None:
    """Sets the seeds of Python's `random`, of `numpy.random` and of nncore, so that programs are repeatable.

    A model draws its own seed when it is built. Its initial weights, the order of its samples and its dropout
    masks follow from that, so the same program gives the same bits, whatever the number of threads.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    >>> set_random_seed(7)
    """
    seed = integer("set_random_seed", "seed", seed, low=0, high=2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    seeds.start_stream(seed)


@explains
def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float64]:
    """Class numbers as rows of 0 with a single 1 (one-hot).

    Args:
        x: whole numbers from 0, of any shape. A last axis of length 1 is dropped.
        num_classes: length of the new last axis; default the largest number in x, plus 1.

    Returns:
        An array of shape ``(*x.shape, num_classes)``.

    Raises:
        TypeError: x does not hold numbers.
        ValueError: x is empty and num_classes is not given, or x holds numbers that are not whole, negative,
            or not below num_classes.

    >>> to_categorical([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    given = plain("to_categorical", "x", x)
    if given.size and given.dtype.kind not in "biuf":
        raise TypeError(f"[to_categorical] x must hold whole numbers, got an array of {given.dtype}")
    with np.errstate(invalid="ignore"):  # of NaN and infinity, which raise below
        labels = given.astype(np.int64)
    if given.dtype.kind == "f" and not np.array_equal(labels, given):
        raise ValueError("[to_categorical] x must hold whole numbers, got fractions, infinities or NaN")
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    labels = labels.reshape(-1)
    if num_classes is None:
        if not labels.size:
            raise ValueError("[to_categorical] x is empty: num_classes must be given")
        count = int(labels.max()) + 1
    else:
        count = integer("to_categorical", "num_classes", num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= count):
        raise ValueError(
            f"[to_categorical] x must be from 0 to {count - 1}, got {labels.min()} to {labels.max()}"
        )
    rows = np.zeros((labels.size, count))
    rows[np.arange(labels.size), labels] = 1.0
    return rows.reshape(*shape, count)


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> NDArray[Any]:
    """x divided by its norm along an axis. Vectors of norm 0 stay.

    Args:
        x: numbers, with at least one axis.
        axis: default -1. (Keras' own function divides wrongly, or fails, for 0.)
        order: of the norm; default 2, the Euclidean one.

    Raises:
        TypeError, ValueError: as `numpy.linalg.norm`.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = plain("normalize", "x", x)
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norm == 0, 1, norm))


@explains
def clear_session() -> None:
    """Restarts automatic names: the next Dense layer is called ``dense``. Models stay as they are."""
    names.reset()
