"""Data sets to learn with. Each module has ``load_data() -> ((x_train, y_train), (x_test, y_test))``.

`mnist`: handwritten digits, with `mnist.load_sample` for 5,000 of them that are always at hand.
`fashion_mnist`: the same shapes with pictures of clothes. `cifar10`, `cifar100`: coloured photographs.
`imdb`, `reuters`: texts as word numbers. `boston_housing`: a table.

Downloads need `pooch`, and go into the cache folder: ``$XDG_CACHE_HOME/nncore``, ``~/.cache/nncore`` or as
the platform has it. Without a network, ``NNCORE_DATA_DIR`` names a folder that has one folder for each set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer

if TYPE_CHECKING:
    from . import boston_housing, cifar10, cifar100, fashion_mnist, imdb, mnist, reuters

__all__ = ["boston_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]

answer(__name__, *__all__)
