"""The layers of a model and their weights: everything but training."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core, _names, _random
from ._arguments import boolean, integer, shape
from ._messages import visible
from ._overrides import Compiled
from .layers import InputLayer, Layer, Variable
from .layers._layer import Place, Shape, _checked_values

Floats = NDArray[np.float32]


class Stack(Compiled):
    """Layers one after another. Built as soon as the shape of a sample is known."""

    def __init__(
        self, layers: Sequence[Layer] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        owner = type(self).__name__
        trainable = boolean(owner, "trainable", trainable)
        self._name = _names.automatic(owner) if name is None else _names.checked(owner, name)
        self._layers: list[Layer] = []
        self._names: set[str] = set()  # of the layers
        self._sample: Shape | None = None  # shape of one input sample, once known
        self._network: _core.Network | None = None
        self._seed: int | None = None
        self._epochs = 0  # begun in the model's life: with the seed, they decide the order of samples
        if layers is not None:
            if isinstance(layers, (Layer, str)) or not hasattr(layers, "__iter__"):
                raise TypeError(f"[{self._name}] layers must be a list of layers, got {layers!r}")
            try:
                for layer in layers:
                    self._append(layer)
                self._rebuild()
            except Exception:
                for layer in self._layers:
                    layer._model = None
                raise
        if not trainable:
            self.trainable = False

    # ---- structure

    @property
    def name(self) -> str:
        return self._name

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the `Input`. Change them by `add` and `pop`."""
        return list(self._layers)

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        return self._network is not None

    def _append(self, item: object) -> None:
        if not isinstance(item, Layer):
            hint = f"an instance is needed: {item.__name__}()" if isinstance(item, type) else f"got {item!r}"
            raise TypeError(f"[{self.name}] only layers can be added to a model, {hint}")
        layer = item
        if isinstance(layer, InputLayer):
            if self._layers or self._sample is not None:
                raise ValueError(f"[{self.name}] an Input can only be the first item of a model")
            self._sample = layer.shape
            return
        owner = layer._model() if layer._model else None
        if owner is self:
            raise ValueError(
                f"[{self.name}] the layer {layer.name!r} is in the model already, and cannot be twice"
            )
        if owner is not None:
            raise ValueError(
                f"[{self.name}] the layer {layer.name!r} belongs to the model {owner.name!r}, and can be "
                "in one only: make a new layer, and copy weights by get_weights and set_weights"
            )
        if layer.name in self._names:
            raise ValueError(f"[{self.name}] there is a layer {layer.name!r} already: names must differ")
        self._layers.append(layer)
        self._names.add(layer.name)
        layer._model = weakref.ref(self)

    def add(self, layer: Layer) -> None:
        """Puts a layer at the end. The weights of the others stay; an optimizer's moments start anew.

        Raises:
            TypeError: it is not a layer.
            ValueError: it does not take the shape before it, belongs to another model, or its name is used
                already. The model is as before then.
        """
        before = list(self._layers), self._sample
        try:
            self._append(layer)
            self._rebuild()
        except Exception:
            if len(self._layers) > len(before[0]):
                self._layers[-1]._model = None
                self._names.discard(self._layers[-1].name)
            self._layers, self._sample = before
            raise

    def pop(self) -> Layer:
        """Takes the last layer off, with its weights, and returns it.

        Raises:
            IndexError: there is no layer.
        """
        if not self._layers:
            raise IndexError(f"[{self.name}] there is no layer to pop")
        layer = self._layers.pop()
        self._names.discard(layer.name)
        layer._detach()
        if not self._layers:
            self._network = None
        self._rebuild()
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at a place.

        Raises:
            ValueError: there is none, or both or neither of name and index are given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"[{self.name}] get_layer needs a name or an index")
        if index is not None:
            if not -len(self._layers) <= integer(self.name, "index", index, low=-(2**31)) < len(self._layers):
                raise ValueError(f"[{self.name}] there are {len(self._layers)} layers, none at index {index}")
            return self._layers[index]
        for layer in self._layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"[{self.name}] there is no layer {name!r}: there are {[x.name for x in self._layers]}"
        )

    # ---- building

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Makes the weights for inputs of a shape.

        Args:
            input_shape: with the batch axis, which may be None: ``(None, 28, 28, 1)``. Not needed if the
                first layer says it.

        Raises:
            ValueError: there are no layers, a layer does not take the shape before it, or another shape is
                fixed.
        """
        given = None if input_shape is None else shape(self.name, "input_shape", input_shape, batch_axis=True)
        known = self._known_sample()
        if given is None and known is None:
            raise ValueError(f"[{self.name}] input_shape must be given: no layer says it")
        if given is not None and known is not None and given != known:
            raise ValueError(f"[{self.name}] is made for samples of shape {known}, not {given}")
        if self._network is None:
            self._adopt(*self._candidate(given if known is None else known))

    def _known_sample(self) -> Shape | None:
        if self._sample is None and self._layers:
            return self._layers[0]._declared
        return self._sample

    def _rebuild(self) -> None:
        sample = self._known_sample()
        if sample is not None and self._layers:
            self._adopt(*self._candidate(sample))

    def _candidate(self, sample: Shape | None) -> tuple[_core.Network, list[tuple[Shape, Shape]]]:
        """A network of the layers, not yet the model's, with its weights; the shapes around each layer."""
        if not self._layers:
            raise ValueError(f"[{self.name}] has no layers: add some first")
        assert sample is not None
        if self._seed is None:
            self._seed = _random.draw_seed()
        seed, at = self._seed, sample
        shapes: list[tuple[Shape, Shape]] = []
        values: list[Floats] = []
        flat = None if self._network is None else self._network.read("parameters")
        for number, layer in enumerate(self._layers):
            if layer._shapes is None:
                after, parameters = layer._infer(at)
                values += layer._initial(parameters, partial(_random.of_parameter, seed, number))
            else:
                after = layer._shapes[1]
                if layer._shapes[0] != at:
                    after, parameters = layer._infer(at)
                    layer._require_fit(at, parameters)
                if flat is not None and layer._network is self._network:
                    values += [place.of(flat) for place in layer._places]
                else:
                    values += layer.get_weights()
            shapes.append((at, after))
            at = after
        network = _core.Network(sample, [layer._spec() for layer in self._layers])
        network.seed = seed
        network.write_places("parameters", 0, values)
        return network, shapes

    def _adopt(self, network: _core.Network, shapes: list[tuple[Shape, Shape]]) -> None:
        """Makes the network the model's. Cannot fail."""
        self._sample = shapes[0][0]
        places: list[list[Place]] = [[] for _ in self._layers]
        for number, (layer_number, name, at, sizes) in enumerate(network.layout):
            places[layer_number].append(Place(name, at, tuple(sizes), number))
        for layer, own, around in zip(self._layers, places, shapes):
            layer._attach(self, network, own, around)
        self._network = network

    def _built_network(self) -> _core.Network:
        if self._network is None:
            raise ValueError(
                f"[{self.name}] is not built, so it has no weights: give it an Input, call "
                "build(input_shape), or train or predict first"
            )
        return self._network

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """With None for the batch axis.

        Raises:
            AttributeError: it is not known yet.
        """
        sample = self._known_sample()
        if sample is None:
            raise AttributeError(f"[{self.name}] has no input shape yet: it is not built")
        return (None, *sample)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """With None for the batch axis.

        Raises:
            AttributeError: it is not known yet.
        """
        if self._network is None:
            raise AttributeError(f"[{self.name}] has no output shape yet: it is not built")
        return (None, *self._network.output_shape)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Both shapes with the batch axis, which may be None."""
        at = tuple(input_shape)
        for layer in self._layers:
            at = layer.compute_output_shape(at)
        return at

    # ---- weights

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable. Setting it sets all layers, for the next ``compile``."""
        return any(layer.trainable for layer in self._layers) or not self._layers

    @trainable.setter
    def trainable(self, value: bool) -> None:
        flag = boolean(self.name, "trainable", value)
        for layer in self._layers:
            layer.trainable = flag

    @property
    def weights(self) -> list[Variable]:
        """Views of the weights of all layers; none before the model is built."""
        return [weight for layer in self._layers for weight in layer.weights]

    @property
    def variables(self) -> list[Variable]:
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if weight.trainable]

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if not weight.trainable]

    def count_params(self) -> int:
        """Number of values in all weights.

        Raises:
            ValueError: the model is not built.
        """
        self._built_network()
        return sum(layer.count_params() for layer in self._layers)

    def get_weights(self) -> list[Floats]:
        """Copies of the weights of all layers, in the order of `weights`; none before the model is built."""
        if self._network is None:
            return [values for layer in self._layers for values in layer.get_weights()]
        flat = self._network.read("parameters")
        return [place.of(flat).copy() for layer in self._layers for place in layer._places]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`.

        Raises:
            ValueError: the model is not built, or their number or a shape is wrong; nothing is changed then.
        """
        network = self._built_network()
        places = [(layer.name, place) for layer in self._layers for place in layer._places]
        if len(weights) != len(places):
            raise ValueError(f"[{self.name}] expected {len(places)} weights, got {len(weights)}")
        values = [
            _checked_values(f"{name}/{place.name}", w, place.shape)
            for w, (name, place) in zip(weights, places)
        ]
        network.write_places("parameters", 0, values)

    def _flat_places(self) -> list[tuple[str, Place]]:
        """ "dense/kernel" and so on, with the place in the flat buffers, in order."""
        return [(f"{layer.name}/{place.name}", place) for layer in self._layers for place in layer._places]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={visible(self.name)}, built={self.built}>"

    # ---- summary

    def summary(
        self, line_length: int | None = None, print_fn: Any = None, show_trainable: bool = False
    ) -> None:
        """Prints a table of the layers, the shapes of their outputs and the numbers of their parameters.

        Args:
            line_length: width of the table; default 88, or less in a narrow terminal.
            print_fn: called once with the whole text, in characters that standard output has; default print.
            show_trainable: with a column that tells which layers train; default False.
        """
        from ._summary import summary

        width = None if line_length is None else integer("summary", "line_length", line_length, low=24)
        (print_fn or print)(summary(self, width, boolean("summary", "show_trainable", show_trainable)))

    def _optimizer_params(self) -> int:
        """Numbers that the optimizer holds, once it has made a step."""
        return 0

    def _count(self, weights: list[Variable]) -> int:
        return sum(math.prod(weight.shape) for weight in weights)
