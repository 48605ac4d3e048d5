"""Model files. nncore's are one safetensors file whose metadata is a JSON text of settings; for Keras' see
`keras_files`. Nothing in a file is ever executed.

Tensors, all float32: "dense/kernel" and so on, and "optimizer/velocity/dense/kernel" for the optimizer's
moments. All sizes in a file are checked before memory is allocated.
"""

from ..common.absent import answer
from ..common.custom import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from .keras_to import keras_entry
from .places import write
from .reading import from_bytes, from_config, from_json, read, read_weights
from .writing import to_bytes

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "from_bytes",
    "from_config",
    "from_json",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "keras_entry",
    "read",
    "read_weights",
    "register_keras_serializable",
    "to_bytes",
    "write",
]

answer(__name__)
