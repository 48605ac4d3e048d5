"""Fashion-MNIST: 70,000 pictures of clothes in 28 x 28 grey pixels, by Zalando Research (MIT licence)."""

from __future__ import annotations

import os

from ..common.absent import answer
from ._source import Source, Split

__all__ = ["CLASS_NAMES", "load_data"]
answer(__name__)

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""The name of each label, 0 to 9."""

_SOURCE = Source(
    name="fashion-mnist",
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    sha256={
        "x_train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "y_train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "x_test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "y_test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)


def load_data(path: str | os.PathLike[str] | None = None) -> Split:
    """Fashion-MNIST as ``((x_train, y_train), (x_test, y_test))``.

    ``x_train`` (60000, 28, 28) and ``x_test`` (10000, 28, 28): uint8, 0 = background. ``y_train`` (60000,)
    and ``y_test`` (10000,): uint8, 0 to 9; `CLASS_NAMES` names them.

    The files are looked for as `nncore.datasets.mnist.load_data` does it: `path`, the folder
    ``fashion-mnist`` under ``NNCORE_DATA_DIR``, the cache folder, and last a download of 31 MB from public
    mirrors, checked by sha256.

    Raises:
        FileNotFoundError: `path` does not exist, or the folder lacks one of the files.
        ValueError: a file is damaged or holds something else.
        ConnectionError: no mirror delivered the files; the text says what to do without a network.
        OSError: the cache folder cannot be written.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.fashion_mnist.load_data()
        nncore.plot.images(x_test[:20], [fashion_mnist.CLASS_NAMES[y] for y in y_test[:20]])
    """
    return _SOURCE.load(path)
