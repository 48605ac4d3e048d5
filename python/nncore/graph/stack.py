"""The graph of a model and its weights: everything but training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from .. import _core
from ..common import names as _names
from ..common import seeds as _random
from ..common.arguments import boolean, integer, several, shape
from ..common.forks import whole
from ..common.overrides import Compiled
from ..common.values import Call, OpenShape, Value, is_named
from ..layers import InputLayer, Layer, Variable
from ..layers._weights import Floats, Weighted
from .graph import Flat, Graph


def _one_or_list(shapes: list[OpenShape]) -> Any:
    return shapes[0] if len(shapes) == 1 else shapes


class Built(NamedTuple):
    """What a model becomes when it is built."""

    graph: Graph
    flat: Flat
    network: _core.Network
    variables: list[_core.Variables]  # of the layers in `flat`


class Stack(Weighted, Compiled):
    """A graph of layers, and of other models. Built as soon as the shapes of its inputs are known."""

    def __init__(self, name: str | None) -> None:
        owner = type(self).__name__
        self._name = _names.automatic(owner) if name is None else _names.checked(owner, name)
        self._graph: Graph | None = None  # these three are there once it is built
        self._flat: Flat | None = None
        self._network: _core.Network | None = None
        self._gives_one = True  # output, and not in a dict
        self._seed: int | None = None
        self._epochs = 0  # begun in the model's life: with the seed, they decide the order of samples

    # ---- structure

    @property
    def layers(self) -> list[Any]:
        """The layers, and models among them, in the order of `weights`."""
        return list(self._required_graph().owners)

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        return self._network is not None

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of a name, or at a place.

        Raises:
            ValueError: there is none, or both or neither of name and index are given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"[{self.name}] get_layer needs a name or an index")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= integer(self.name, "index", index, low=-(2**31)) < len(layers):
                raise ValueError(f"[{self.name}] there are {len(layers)} layers, none at index {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"[{self.name}] there is no layer {name!r}: there are {[x.name for x in layers]}")

    def _required_graph(self) -> Graph:
        if self._graph is None:
            raise ValueError(
                f"[{self.name}] is not built, so it has no graph: give it an Input, call "
                "build(input_shape), or train or predict first"
            )
        return self._graph

    def _graph_part(self, part: str) -> Any:
        if self._graph is None:
            raise AttributeError(f"[{self.name}] has no {part.replace('_', ' ')} yet: it is not built")
        return self._graph

    @property
    def inputs(self) -> list[Value]:
        """The values of the inputs. This and the next ones raise AttributeError before the model is built."""
        return list(self._graph_part("inputs").inputs)

    @property
    def outputs(self) -> list[Value]:
        return list(self._graph_part("outputs").outputs)

    @property
    def input(self) -> Any:
        """The value of the input; of several inputs a list, tuple or dict, as the model was given them."""
        graph = self._graph_part("input")
        return graph.in_form.pack(graph.inputs)

    @property
    def output(self) -> Any:
        """As `input`."""
        graph = self._graph_part("output")
        return graph.out_form.pack(graph.outputs)

    @property
    def input_names(self) -> list[str]:
        """The names of the layers Input; of other layers, with whose values the model begins, perhaps
        numbered.
        """
        names: list[str] = self._graph_part("input_names").input_names
        return list(names)

    @property
    def output_names(self) -> list[str]:
        """The keys of a dict of outputs, or the names of the layers that make them, numbered if one makes
        several.
        """
        names: list[str] = self._graph_part("output_names").output_names()
        return names

    @property
    def input_shape(self) -> Any:
        """With None for the batch axis and open sizes; of several inputs a list."""
        return _one_or_list([value.shape for value in self._graph_part("input_shape").inputs])

    @property
    def output_shape(self) -> Any:
        """As `input_shape`."""
        return _one_or_list([value.shape for value in self._graph_part("output_shape").outputs])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for those of the inputs, all with the batch axis, which may be None.

        Raises:
            ValueError: a layer does not take them, or the model is not built.
        """
        graph = self._required_graph()
        each: list[Any] = [input_shape]
        if len(graph.inputs) > 1 or is_named(input_shape) or all(map(several, input_shape)):
            each = graph.arranged(self.name, "input_shape", input_shape, graph.in_form, self.input_names)
        samples = [shape(self.name, "input_shape", one, batch_axis=True, is_open=True) for one in each]
        return graph.out_form.pack([(each[0][0], *after) for after in self._shapes_for(samples)])

    def _packed(self, out: Any) -> Any:
        """An array, or a tuple of one for each output, in the form of the model's outputs; of a list or tuple
        of one output the array.
        """
        if self._gives_one:
            return out
        return self._required_graph().out_form.pack(out if isinstance(out, tuple) else (out,))

    # ---- calls on values

    def _shapes_for(self, before: Sequence[OpenShape]) -> list[OpenShape]:
        graph = self._required_graph()
        if len(before) != len(graph.inputs):
            raise ValueError(f"[{self.name}] has {len(graph.inputs)} inputs, got {len(before)}")
        for value, given in zip(graph.inputs, before):
            known = value.sample
            if len(known) != len(given) or any(k and g and k != g for k, g in zip(known, given)):
                raise ValueError(f"[{self.name}] is made for samples of shape {known}, not {given}")
        if all(value.sample == given for value, given in zip(graph.inputs, before)):
            return [value.sample for value in graph.outputs]
        return graph.run(before, lambda call, given: call.owner._shapes_for(given))  # type: ignore[attr-defined]

    def _called(self, values: Sequence[Value]) -> Call:
        return Call(self, values, self._shapes_for([value.sample for value in values]))

    # ---- building

    def _candidate(self, graph: Graph) -> Built:
        """What the model would become with this graph."""
        if self._seed is None:
            self._seed = _random.draw_seed()
        seed, flat = self._seed, graph.flat()
        variables: list[_core.Variables] = []
        for number, (layer, (before, parameters)) in enumerate(zip(flat.layers, flat.uses)):
            # Read once: another thread may make them.
            own = layer._variables
            if own is None:
                values = layer._initial(parameters, partial(_random.of_parameter, seed, number))
                own = layer._made(before, values)
            variables.append(own)
        inputs, specs = [value.sample for value in graph.inputs], [layer._spec() for layer in flat.layers]
        penalized = flat.penalized(len(inputs))
        network = _core.Network(inputs, specs, flat.calls, flat.outputs, True, variables, penalized=penalized)
        network.seed = seed
        return Built(graph, flat, network, variables)

    def _adopt(self, built: Built) -> bool:
        """Makes it the model's. False, and no change, if a layer has got other variables since it was made:
        those of another model, in another thread."""
        with whole:
            pairs = list(zip(built.flat.layers, built.variables))
            if any(layer._variables not in (None, own) for layer, own in pairs):
                return False
            for layer, own in pairs:
                layer._variables = own
            for call in built.graph.calls:
                if isinstance(call.owner, Layer):
                    call.owner._register(call)
            self._gives_one = len(built.graph.outputs) == 1 and not built.graph.out_form.keys
            self._graph, self._flat, self._network = built.graph, built.flat, built.network
        return True

    def _built_network(self) -> _core.Network:
        self._required_graph()
        assert self._network is not None
        return self._network

    def _computing(self) -> list[tuple[Layer, str]]:
        """The layers that compute, of models in this one too, with their paths."""
        if self._flat is not None:
            return list(zip(self._flat.layers, self._flat.paths))
        found: dict[int, tuple[Any, str]] = {}
        self._gather("", found)
        return [each for each in found.values() if not isinstance(each[0], (Stack, InputLayer))]

    def _gather(self, path: str, found: dict[int, tuple[Any, str]]) -> None:
        """Puts all layers and models within under their id, with their paths."""
        for layer in self.layers:
            if id(layer) not in found:
                found[id(layer)] = layer, path + layer.name
                if isinstance(layer, Stack):
                    layer._gather(f"{path}{layer.name}/", found)

    # ---- weights

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable. Setting it sets all layers, for the next ``compile``."""
        layers = self._computing()
        return any(layer.trainable for layer, _ in layers) or not layers

    @trainable.setter
    def trainable(self, value: bool) -> None:
        flag = boolean(self.name, "trainable", value)
        for layer, _ in self._computing():
            layer.trainable = flag

    @property
    def weights(self) -> list[Variable]:
        """Views of the weights of all layers; none before the model is built."""
        return [weight for layer, _ in self._computing() for weight in layer.weights]

    def get_weights(self) -> list[Floats]:
        """Copies of the weights of all layers, in the order of `weights`; none before the model is built."""
        if self._network is None:
            return [values for layer, _ in self._computing() for values in layer.get_weights()]
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
