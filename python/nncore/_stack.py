"""The layers of a model and their weights: everything but training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core, _names, _random
from ._arguments import boolean, integer, shape
from ._forks import whole
from ._overrides import Compiled
from .layers import InputLayer, Layer, Variable
from .layers._layer import Shape, Weighted

Floats = NDArray[np.float32]


class Built(NamedTuple):
    """A layer in a network: shapes of one sample before and after it, and its variables."""

    before: Shape
    after: Shape
    variables: _core.Variables


class Stack(Weighted, Compiled):
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
        self._built: list[Built] = []  # of the layers in the network
        self._seed: int | None = None
        self._epochs = 0  # begun in the model's life: with the seed, they decide the order of samples
        if layers is not None:
            if isinstance(layers, (Layer, str)) or not hasattr(layers, "__iter__"):
                raise TypeError(f"[{self._name}] layers must be a list of layers, got {layers!r}")
            for layer in layers:
                self._append(layer)
            self._rebuild()
        if not trainable:
            self.trainable = False

    # ---- structure

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
        if any(layer is other for other in self._layers):
            raise ValueError(
                f"[{self.name}] the layer {layer.name!r} is in the model already, and cannot be twice"
            )
        if layer.name in self._names:
            raise ValueError(f"[{self.name}] there is a layer {layer.name!r} already: names must differ")
        self._layers.append(layer)
        self._names.add(layer.name)

    def add(self, layer: Layer) -> None:
        """Puts a layer at the end. The weights of the others stay; an optimizer's moments start anew.

        A layer may be in several models, which then share its weights.

        Raises:
            TypeError: it is not a layer.
            ValueError: it does not take the shape before it, or its name is used already. The model is as
                before then.
        """
        before = list(self._layers), self._sample
        try:
            self._append(layer)
            self._rebuild()
        except BaseException:
            if len(self._layers) > len(before[0]):
                self._names.discard(self._layers[-1].name)
            self._layers, self._sample = before
            raise

    def pop(self) -> Layer:
        """Takes the last layer off, with its weights, and returns it. On an exception the model is as before.

        Raises:
            IndexError: there is no layer.
        """
        if not self._layers:
            raise IndexError(f"[{self.name}] there is no layer to pop")
        before = self._layers
        self._layers, layer = before[:-1], before[-1]
        try:
            self._rebuild()
        except BaseException:
            self._layers = before
            raise
        layer._in_model = False
        self._names.discard(layer.name)
        if not self._layers:
            self._network, self._built = None, []
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
        while self._network is None:
            self._adopt(*self._candidate(given if known is None else known))

    def _known_sample(self) -> Shape | None:
        if self._sample is None and self._layers:
            return self._layers[0]._declared
        return self._sample

    def _rebuild(self) -> None:
        sample = self._known_sample()
        if sample is not None and self._layers:
            while not self._adopt(*self._candidate(sample)):
                pass

    def _candidate(self, sample: Shape | None) -> tuple[_core.Network, list[Built]]:
        """A network of the layers, not yet the model's, and what the layers are in it."""
        if not self._layers:
            raise ValueError(f"[{self.name}] has no layers: add some first")
        assert sample is not None
        if self._seed is None:
            self._seed = _random.draw_seed()
        seed, at = self._seed, sample
        built: list[Built] = []
        for number, layer in enumerate(self._layers):
            # Read once, the shapes first: another thread may build the layer, and sets them last.
            shapes, variables = layer._shapes, layer._variables
            if shapes is not None and shapes[0] == at:
                after = shapes[1]
            else:
                after, parameters = layer._infer(at)
                if variables is not None:
                    layer._require_fit(at, parameters)
            if variables is None:
                values = layer._initial(parameters, partial(_random.of_parameter, seed, number))
                variables = layer._made(at, values)
            built.append(Built(at, after, variables))
            at = after
        specs = [layer._spec() for layer in self._layers]
        calls = [(i, [i]) for i in range(len(specs))]
        network = _core.Network([sample], specs, calls, [len(specs)], True, [b.variables for b in built])
        network.seed = seed
        return network, built

    def _adopt(self, network: _core.Network, built: list[Built]) -> bool:
        """Makes the network the model's. False, and no change, if a layer has got other variables since the
        network was made: those of another model, in another thread."""
        with whole:
            if any(x._variables not in (None, b.variables) for x, b in zip(self._layers, built)):
                return False
            self._sample = built[0].before
            for layer, b in zip(self._layers, built):
                layer._become_built(*b)
                layer._in_model = True
            self._network, self._built = network, built
        return True

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

    def get_weights(self) -> list[Floats]:
        """Copies of the weights of all layers, in the order of `weights`; none before the model is built."""
        if self._network is None:
            return [values for layer in self._layers for values in layer.get_weights()]
        return [values.copy() for values in self._parts(self._network.read("parameters"))]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`.

        Raises:
            ValueError: the model is not built, or their number or a shape is wrong; nothing is changed then.
        """
        self._built_network().write("parameters", self._joined(self._values_to_set(weights)))

    def _parts(self, flat: Floats) -> list[Floats]:
        """The values of each weight in a flat copy of the network's, in order."""
        layout = self._network.layout if self._network else []
        return [flat[at : at + math.prod(sizes)].reshape(sizes) for _, _, at, sizes in layout]

    def _joined(self, values: Sequence[Floats]) -> Floats:
        """The flat copy of which these are the parts."""
        flat = self._built_network().read("parameters")
        for part, value in zip(self._parts(flat), values):
            part[...] = value
        return flat
