"""Layers, with Keras' names, arguments and defaults. A model turns them into a compiled network.

>>> from nncore import Sequential
>>> from nncore.layers import Dense, Input
>>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)])
>>> [layer.output_shape for layer in model.layers]
[(None, 8), (None, 1)]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..common.absent import answer
from . import activation, core, images
from ._before import BeforeNetwork as BeforeNetwork
from ._before import augments as augments
from ._layer import Layer
from ._unfolding import block_for as block_for
from ._unfolding import outlined as outlined
from ._unfolding import restore as restore
from ._unfolding import unfolded_with_masks as unfolded_with_masks
from ._weights import Variable
from ._weights import Weighted as Weighted
from .activation import *  # noqa: F403
from .core import *  # noqa: F403
from .images import *  # noqa: F403

if TYPE_CHECKING:
    from ._lookup import Lookup as Lookup
    from .attention import *  # noqa: F403
    from .bidirectional import *  # noqa: F403
    from .lookups import *  # noqa: F403
    from .merging import *  # noqa: F403
    from .normalization import *  # noqa: F403
    from .random_images import *  # noqa: F403
    from .randomness import *  # noqa: F403
    from .recurrence import *  # noqa: F403
    from .resizing import *  # noqa: F403
    from .separable import *  # noqa: F403
    from .sequences import *  # noqa: F403
    from .series import *  # noqa: F403
    from .text import *  # noqa: F403

# Modules that are imported when one of their names is asked for, so that `import nncore` stays fast.
_ON_DEMAND = {
    "attention": "Attention MultiHeadAttention",
    "bidirectional": "Bidirectional",
    "lookups": "CategoryEncoding IntegerLookup StringLookup",
    "merging": (
        "Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average concatenate dot "
        "maximum minimum multiply subtract"
    ),
    "normalization": "BatchNormalization LayerNormalization Normalization",
    "random_images": (
        "RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom"
    ),
    "randomness": "AlphaDropout GaussianDropout GaussianNoise",
    "recurrence": "GRU LSTM SimpleRNN",
    "resizing": (
        "CenterCrop Cropping1D Cropping2D Resizing UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D"
    ),
    "separable": "DepthwiseConv2D SeparableConv2D SeparableConvolution2D",
    "sequences": "Embedding Masking Permute RepeatVector SpatialDropout1D SpatialDropout2D TimeDistributed",
    "series": (
        "AveragePooling1D AvgPool1D Conv1D Convolution1D GlobalAveragePooling1D GlobalAvgPool1D "
        "GlobalMaxPool1D GlobalMaxPooling1D MaxPool1D MaxPooling1D"
    ),
    "text": "TextVectorization",
}
_MODULES = {name: module for module, names in _ON_DEMAND.items() for name in names.split()}

__all__ = ["Layer", "Variable"]
__all__ += activation.__all__
__all__ += core.__all__
__all__ += images.__all__
__all__ += list(_MODULES)
answer(__name__, **_MODULES, Lookup="_lookup")

_NAMES = [name for name in __all__ if name[0].isupper() and name not in ("Input", "Layer", "Variable")]


class _Classes(Mapping[str, type[Layer]]):
    """The layer classes that a model file may contain, by name."""

    def __getitem__(self, name: str) -> type[Layer]:
        found: Any = getattr(sys.modules[__name__], name) if name in _NAMES else None
        if found is None or found.__name__ != name:  # another name of a class
            raise KeyError(name)
        return found  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return filter(self.__contains__, _NAMES)

    def __len__(self) -> int:
        return sum(1 for _ in self)


CLASSES = _Classes()
