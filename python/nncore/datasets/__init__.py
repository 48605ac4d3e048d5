"""Data sets. Each module has ``load_data() -> ((x_train, y_train), (x_test, y_test))``.

`mnist`: handwritten digits; `mnist.load_sample` has 4,500 of them without a download. `fashion_mnist`:
pictures of clothes in the same shapes. `cifar10`, `cifar100`: colour photographs. `imdb`, `reuters`: texts as
word numbers. `boston_housing`: a table.

Downloads need `pooch`, and go to the cache folder: ``$XDG_CACHE_HOME/nncore``, or ``~/.cache/nncore`` or its
like on other platforms. Without a network, ``NNCORE_DATA_DIR`` names a folder with a folder for each set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer

if TYPE_CHECKING:
    from . import boston_housing, cifar10, cifar100, fashion_mnist, imdb, mnist, reuters

__all__ = ["boston_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]

answer(__name__, *__all__)
