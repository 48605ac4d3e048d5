"""Layers, with Keras' names, arguments and defaults. A model turns them into a compiled network.

>>> from nncore import Sequential
>>> from nncore.layers import Dense, Input
>>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)])
>>> [layer.output_shape for layer in model.layers]
[(None, 8), (None, 1)]
"""

from __future__ import annotations

from . import (
    activation,
    attention,
    bidirectional,
    core,
    images,
    lookups,
    merging,
    normalization,
    random_images,
    randomness,
    recurrence,
    resizing,
    separable,
    sequences,
    series,
    text,
)
from ._before import BeforeNetwork as BeforeNetwork
from ._layer import Layer
from ._lookup import Lookup as Lookup
from ._unfolding import block_for as block_for
from ._unfolding import outlined as outlined
from ._unfolding import restore as restore
from ._unfolding import unfolded_with_masks as unfolded_with_masks
from ._weights import Variable
from ._weights import Weighted as Weighted
from .activation import *  # noqa: F403
from .attention import *  # noqa: F403
from .bidirectional import *  # noqa: F403
from .core import *  # noqa: F403
from .images import *  # noqa: F403
from .lookups import *  # noqa: F403
from .merging import *  # noqa: F403
from .normalization import *  # noqa: F403
from .random_images import *  # noqa: F403
from .random_images import augments as augments
from .randomness import *  # noqa: F403
from .recurrence import *  # noqa: F403
from .resizing import *  # noqa: F403
from .separable import *  # noqa: F403
from .sequences import *  # noqa: F403
from .series import *  # noqa: F403
from .text import *  # noqa: F403

__all__ = ["Layer", "Variable"]
__all__ += activation.__all__
__all__ += attention.__all__
__all__ += bidirectional.__all__
__all__ += core.__all__
__all__ += images.__all__
__all__ += lookups.__all__
__all__ += merging.__all__
__all__ += randomness.__all__
__all__ += normalization.__all__
__all__ += recurrence.__all__
__all__ += separable.__all__
__all__ += sequences.__all__
__all__ += series.__all__
__all__ += text.__all__
__all__ += random_images.__all__
__all__ += resizing.__all__

# The layer classes that a model file may contain, by name.
CLASSES: dict[str, type[Layer]] = {
    name: globals()[name]
    for name in __all__
    if name[0].isupper() and name not in ("Input", "Layer", "Variable") and globals()[name].__name__ == name
}
