"""`Sequential`: a model of layers one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..common.absent import explains
from ..common.arguments import boolean, shape
from ..common.values import OpenShape, Value
from ..graph.net import Chain
from ..layers import Layer
from .model import KINDS, Model, net_of


class Sequential(Model):
    """A network of layers one after another, with Keras' interface.

    Args:
        layers: list of layers or models, perhaps with an `Input` first. If no layer gives the shape of a
            sample, the first data build the model.
        trainable: False sets all layers not trainable; default True.
        name: default "sequential" with a running number.

    Derived classes may add methods. A class that overrides a method whose work the core does, such as
    ``call`` or ``train_step``, raises TypeError when it is defined. The same holds for layers, losses,
    metrics, optimizers and initializers.

    >>> from nncore.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(8, activation="relu"), Dense(1, activation="sigmoid")])
    >>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    >>> history = model.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=2, verbose=0)
    >>> sorted(history.history)
    ['accuracy', 'loss']
    >>> model.predict([[0, 1]]).shape
    (1, 1)
    """

    _net: Chain

    def __init__(
        self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        trainable = boolean(type(self).__name__, "trainable", trainable)
        net = Chain(self._named(name, ""))
        if layers is not None:
            if isinstance(layers, (Layer, Model, str, Value)) or not hasattr(layers, "__iter__"):
                raise TypeError(f"[{net.name}] layers must be a list of layers, got {layers!r}")
            for layer in layers:
                net.append(layer, net_of(layer))
            net.rebuild()
        self._own(net, trainable)

    @explains
    def add(self, layer: Any) -> None:
        """Appends a layer or model. The weights of the other layers stay; the optimizer starts anew.

        A layer may be in several models, which then share its weights.

        Raises:
            TypeError: the argument is not a layer.
            ValueError: the layer does not take the shape before it, its name is used already, or the model is
                part of another one. The model then stays as before.
        """
        self._net.add(layer, net_of(layer))

    @explains
    def pop(self) -> Any:
        """Removes the last layer and returns it, with its weights. After an exception the model is as before.

        Raises:
            IndexError: there is no layer.
            ValueError: the model is part of another one.
        """
        return self._net.pop()

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Creates the weights for inputs of a shape.

        Args:
            input_shape: with the batch axis, which may be None: ``(None, 28, 28, 1)``. Not needed if the
                first layer has an input shape.

        Raises:
            ValueError: there are no layers, a layer does not take the shape before it, or another shape is
                fixed.
        """
        given, known = input_shape, self._net.known_sample()
        if given is not None:
            given = shape(self.name, "input_shape", given, batch_axis=True, is_open=True)
        if given is None and known is None:
            raise ValueError(f"[{self.name}] input_shape must be given: no layer says it")
        if given is not None and known is not None and given != known:
            raise ValueError(f"[{self.name}] is made for samples of shape {known}, not {given}")
        self._net.build(given if known is None else known)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> OpenShape:
        """The shape of the output from that of the input, both with the batch axis, which may be None."""
        at: Any = tuple(input_shape)
        for layer in self.layers:
            at = layer.compute_output_shape(at)
        return tuple(at)


KINDS["Sequential"] = Sequential
