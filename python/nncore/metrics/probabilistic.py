"""Cross-entropies and the divergence as metrics."""

from __future__ import annotations

from typing import Any

from ..common.arguments import require_default
from ..losses import (
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    sparse_categorical_crossentropy,
)
from ._base import Metric

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "KLDivergence",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "kl_divergence",
    "sparse_categorical_crossentropy",
]


class BinaryCrossentropy(Metric, aliases=("bce", "BCE")):
    """Mean of `losses.binary_crossentropy`.

    Args:
        name: default "binary_crossentropy".
        dtype: None or "float32".
        from_logits: predictions are logits, not probabilities; default False.
        label_smoothing: share in [0, 1] by which targets move towards 0.5; default 0.
    """

    _function = staticmethod(binary_crossentropy)
    direction = "min"

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(name, dtype)
        self._set(from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(Metric):
    """Mean of `losses.categorical_crossentropy`, of one-hot targets.

    Args:
        name: default "categorical_crossentropy".
        dtype: None or "float32".
        from_logits: predictions are logits, not probabilities; default False.
        label_smoothing: share in [0, 1] by which targets move towards 1 / classes; default 0.
        axis: -1; others are not available.
    """

    _function = staticmethod(categorical_crossentropy)
    direction = "min"

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        require_default("CategoricalCrossentropy", "axis", axis, -1)
        self._set(from_logits=from_logits, label_smoothing=label_smoothing)


class SparseCategoricalCrossentropy(Metric):
    """Mean of `losses.sparse_categorical_crossentropy`, of targets that are class numbers.

    Args:
        name: default "sparse_categorical_crossentropy".
        dtype: None or "float32".
        from_logits: predictions are logits, not probabilities; default False.
        ignore_class: None; others are not available.
        axis: -1; others are not available.
    """

    _function = staticmethod(sparse_categorical_crossentropy)
    direction = "min"

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        require_default("SparseCategoricalCrossentropy", "ignore_class", ignore_class, None)
        require_default("SparseCategoricalCrossentropy", "axis", axis, -1)
        self._set(from_logits=from_logits)


class KLDivergence(Metric):
    """Mean of `losses.kl_divergence`."""

    _function = staticmethod(kl_divergence)
    direction = "min"
