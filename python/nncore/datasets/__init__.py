"""Data sets to learn with. Each module has ``load_data() -> ((x_train, y_train), (x_test, y_test))``.

`mnist`: handwritten digits, with `mnist.load_sample` for 5,000 of them that are always at hand.
`fashion_mnist`: the same shapes with pictures of clothes.
"""

from __future__ import annotations

from . import fashion_mnist, mnist

__all__ = ["fashion_mnist", "mnist"]
