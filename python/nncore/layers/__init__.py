"""Layers, with Keras' names, arguments and defaults. A model turns them into a compiled network.

>>> from nncore import Sequential
>>> from nncore.layers import Dense, Input
>>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)])
>>> [layer.output_shape for layer in model.layers]
[(None, 8), (None, 1)]
"""

from __future__ import annotations

from ._layer import Layer
from ._weights import Variable
from ._weights import Weighted as Weighted
from .activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from .core import Dense, Dropout, Flatten, Input, InputLayer, Rescaling, Reshape
from .images import AveragePooling2D, Conv2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)  # fmt: skip
from .normalization import BatchNormalization, LayerNormalization

# Keras' other names for some layers.
AvgPool2D = AveragePooling2D
Convolution2D = Conv2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPool2D = MaxPooling2D

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dot",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "Subtract",
    "Variable",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]

# The layer classes that a model file may contain, by name.
CLASSES: dict[str, type[Layer]] = {
    name: globals()[name]
    for name in __all__
    if name[0].isupper() and name not in ("Input", "Layer", "Variable") and globals()[name].__name__ == name
}
