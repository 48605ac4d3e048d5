"""The net of a model: its graph, and once it is built its compiled network with the weights."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from .. import _core
from ..common import seeds, whole
from ..common.arguments import integer, several, shape
from ..common.arrays import Floats
from ..common.values import Call, OpenShape, Value, is_named
from ..layers import InputLayer, Layer, block_for
from .graph import Flat, Graph


class Built(NamedTuple):
    """A graph and the network that was built from it."""

    graph: Graph
    flat: Flat
    network: _core.Network
    blocks: list[_core.Variables]  # of the layers in `flat`


class Net:
    """The net of a `Model`, whose graph is known from the start.

    Attributes:
        name: of the model.
        graph, flat, network: None before the net is built.
        direct: the network, if it reads the data as they are.
        gives_one: whether the model returns one array, not a list or dict.
        seed: of weights, masks and the order of samples; None before weights are drawn.
        epochs: number of epochs that were started so far, which also decides the order of samples.
    """

    takes_names = True  # whether data may be a dict even if there is one input

    def __init__(self, name: str) -> None:
        self.name = name
        self.graph: Graph | None = None
        self.flat: Flat | None = None
        self.network: _core.Network | None = None
        self.direct: _core.Network | None = None
        self.gives_one = True
        self.seed: int | None = None
        self.epochs = 0

    def take(self, graph: Graph) -> None:
        """Builds the net from a graph."""
        while not self.adopt(self.candidate(graph)):
            pass

    @property
    def layers(self) -> list[Any]:
        """The layers and models, in the order of the weights."""
        return [owner for owner, _ in self.members()]

    def members(self) -> list[tuple[Any, Net | None]]:
        """The layers, with None, and the models, each with its net."""
        graph = self.required_graph()
        return [(owner, graph.nets.get(id(owner))) for owner in graph.owners]

    def gather(self, path: str, found: dict[int, tuple[Any, Net | None, str]]) -> None:
        """Adds to `found`, by id, all layers and models, also nested ones, with their nets and paths."""
        for owner, net in self.members():
            if id(owner) not in found:
                found[id(owner)] = owner, net, path + owner.name
                if net is not None:
                    net.gather(f"{path}{owner.name}/", found)

    def layer(self, name: str | None, index: int | None) -> Any:
        """See `Model.get_layer`."""
        if (name is None) == (index is None):
            given = "neither" if name is None else "both"
            raise ValueError(f"[{self.name}] get_layer needs a name or an index, got {given}")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= integer(self.name, "index", index, low=-(2**31)) < len(layers):
                raise ValueError(f"[{self.name}] there are {len(layers)} layers, none at index {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"[{self.name}] there is no layer {name!r}: there are {[x.name for x in layers]}")

    def required_graph(self) -> Graph:
        if self.graph is None:
            raise ValueError(
                f"[{self.name}] is not built, so it has no graph: give it an Input, call "
                "build(input_shape), or train or predict first"
            )
        return self.graph

    def required_network(self) -> _core.Network:
        self.required_graph()
        assert self.network is not None
        return self.network

    def as_built(self) -> Built:
        graph, network, flat = self.required_graph(), self.required_network(), self.flat
        assert flat is not None
        return Built(graph, flat, network, [])

    def known_sample(self) -> OpenShape | None:
        """The shape of one sample of the first input; None if it is unknown."""
        return self.graph.inputs[0].sample if self.graph else None

    def graph_for(self, sample: OpenShape | None) -> Graph:
        """The graph; a net that has none yet makes one for samples of this shape."""
        return self.required_graph()

    def output_shape_for(self, input_shape: Any) -> Any:
        """See `Model.compute_output_shape`."""
        graph = self.required_graph()
        each: list[Any] = [input_shape]
        if len(graph.inputs) > 1 or is_named(input_shape) or all(map(several, input_shape)):
            each = graph.arranged(self.name, "input_shape", input_shape, graph.in_form, graph.input_names)
        samples = [shape(self.name, "input_shape", one, batch_axis=True, is_open=True) for one in each]
        return graph.out_form.pack([(each[0][0], *after) for after in self.shapes_for(samples)])

    def packed(self, out: Any) -> Any:
        """Arrays in the form of the model's outputs; a list or tuple of one output becomes its array.

        out: an array, or a tuple of one array for each output.
        """
        if self.gives_one:
            return out
        return self.required_graph().out_form.pack(out if isinstance(out, tuple) else (out,))

    # ---- calls on values

    def shapes_for(self, before: Sequence[OpenShape]) -> list[OpenShape]:
        """Output shapes of one sample, for input shapes of one sample."""
        graph = self.required_graph()
        if len(before) != len(graph.inputs):
            raise ValueError(f"[{self.name}] expected {len(graph.inputs)} inputs, got {len(before)}")
        for value, given in zip(graph.inputs, before):
            known = value.sample
            if len(known) != len(given) or any(k and g and k != g for k, g in zip(known, given)):
                raise ValueError(f"[{self.name}] is made for samples of shape {known}, got {given}")
        if all(value.sample == given for value, given in zip(graph.inputs, before)):
            return [value.sample for value in graph.outputs]

        def after(call: Call, given: list[OpenShape]) -> list[OpenShape]:
            if call.net is not None:
                return call.net.shapes_for(given)  # type: ignore[no-any-return]
            return call.owner.shapes_for(given, call.options)  # type: ignore[no-any-return]

        return graph.run(before, after)

    def called(self, owner: Any, values: Sequence[Value]) -> Call:
        """A call of `owner`, the model, on these values."""
        for before in self.required_graph().before:
            raise ValueError(
                f"[{self.name}] begins with {before.owner.name!r}, which works on data before the network: "
                "it cannot be called on a value. Call that layer and the others on it"
            )
        return Call(owner, values, self.shapes_for([value.sample for value in values]), self)

    # ---- building

    def candidate(self, graph: Graph) -> Built:
        """A network for this graph, which `adopt` makes the net's own."""
        if self.seed is None:
            self.seed = seeds.draw_seed()
        seed, flat = self.seed, graph.flat()
        blocks = [
            block_for(layer, before, parameters, partial(seeds.of_parameter, seed, number))
            for number, (layer, (before, parameters)) in enumerate(zip(flat.layers, flat.uses))
        ]
        inputs, specs = [value.sample for value in graph.read], [layer.spec() for layer in flat.layers]
        penalized = flat.penalized(len(inputs))
        network = _core.Network(
            inputs, specs, flat.calls, flat.outputs, True, blocks, penalized=penalized, masks=flat.masks
        )
        network.seed = seed
        return Built(graph, flat, network, blocks)

    def adopt(self, built: Built) -> bool:
        """Takes a graph and its network as the net's own.

        Returns False, and changes nothing, if another thread has given a layer other variables meanwhile.
        """
        with whole:
            pairs = list(zip(built.flat.layers, built.blocks))
            if any(layer.block not in (None, own) for layer, own in pairs):
                return False
            for layer, own in pairs:
                layer.block = own
            for call in built.graph.calls:
                if isinstance(call.owner, Layer):
                    call.owner.register(call)
            self.gives_one = len(built.graph.outputs) == 1 and not built.graph.out_form.keys
            self.direct = None if built.graph.before else built.network
            self.graph, self.flat, self.network = built.graph, built.flat, built.network
        return True

    # ---- weights

    def computing(self) -> list[tuple[Layer, str]]:
        """The layers of the core, also of nested models, each once, with their paths."""
        if self.flat is not None:
            return list(zip(self.flat.layers, self.flat.paths))
        found: dict[int, tuple[Any, Net | None, str]] = {}
        self.gather("", found)
        each = found.values()
        layers = [(x, path) for x, net, path in each if net is None and not isinstance(x, InputLayer)]
        return [leaf for layer, path in layers for leaf in layer.leaves(path)]

    def parts(self, flat: Floats) -> list[Floats]:
        """Views of each weight in a flat copy of all weights, in order."""
        layout = self.network.layout if self.network else []
        return [flat[at : at + math.prod(sizes)].reshape(sizes) for _, _, at, sizes in layout]

    def kept_of_weights(self, buffers: Sequence[Floats]) -> list[tuple[str, list[Floats]]]:
        """The path of each trained weight, and its part of each buffer of the optimizer."""
        if self.network is None or self.flat is None:
            return []
        each = list(zip(*map(self.parts, buffers))) or [()] * len(self.network.layout)
        found = []
        for (number, name, *_), held in zip(self.network.layout, each):
            layer = self.flat.layers[number]
            if layer.trainable and name not in layer.state:
                found.append((f"{self.flat.paths[number]}/{name}", list(held)))
        return found

    def joined(self, values: Sequence[Floats]) -> Floats:
        """The flat copy with these values of the weights."""
        flat = self.required_network().read("parameters")
        for part, value in zip(self.parts(flat), values):
            part[...] = value
        return flat


class Chain(Net):
    """The net of a `Sequential`, whose graph is made once the shape of a sample is known.

    Attributes:
        items: layers and models in order, each model with its net.
    """

    takes_names = False

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.items: list[tuple[Any, Net | None]] = []
        self._names: set[str] = set()  # of the items
        self._start: Value | None = None  # the input, once it is known
        self._calls: weakref.WeakSet[Call] = weakref.WeakSet()  # calls of the model on symbolic values

    def members(self) -> list[tuple[Any, Net | None]]:
        return self.items

    def append(self, item: Any, net: Net | None) -> None:
        """Appends a layer, the value of an Input, or a model with its net."""
        if isinstance(item, Value) and isinstance(item.key[0].owner, InputLayer):
            item = item.key[0].owner
        if not isinstance(item, Layer) and net is None:
            hint = f"an instance is needed: {item.__name__}()" if isinstance(item, type) else f"got {item!r}"
            raise TypeError(f"[{self.name}] only layers can be added to a model, {hint}")
        if isinstance(item, InputLayer):
            if self.items or self._start is not None:
                raise ValueError(f"[{self.name}] an Input can only be the first item of a model")
            self._start = item.output
            return
        if any(item is other for other in self.layers):
            raise ValueError(
                f"[{self.name}] the layer {item.name!r} is in the model already, and cannot be added twice"
            )
        if item.name in self._names:
            raise ValueError(f"[{self.name}] there is a layer {item.name!r} already: names must differ")
        self.items.append((item, net))
        self._names.add(item.name)

    def add(self, item: Any, net: Net | None) -> None:
        """See `Sequential.add`."""
        self._require_alone()
        within: dict[int, tuple[Any, Net | None, str]] = {}
        if net is not None:
            net.gather("", within)
        if net is self or any(one is self for _, one, _ in within.values()):
            raise ValueError(f"[{self.name}] cannot be a part of itself")
        before = list(self.items), self._start
        try:
            self.append(item, net)
            self.rebuild()
        except BaseException:
            if len(self.items) > len(before[0]):
                self._names.discard(self.items[-1][0].name)
            self.items, self._start = before
            raise

    def pop(self) -> Any:
        """See `Sequential.pop`."""
        self._require_alone()
        if not self.items:
            raise IndexError(f"[{self.name}] has no layer to pop")
        before = self.items
        self.items, (layer, _) = before[:-1], before[-1]
        try:
            self.rebuild()
        except BaseException:
            self.items = before
            raise
        self._names.discard(layer.name)
        if not self.items:
            self.graph = self.flat = self.network = self.direct = None
        return layer

    def _require_alone(self) -> None:
        if len(self._calls):
            raise ValueError(
                f"[{self.name}] is part of another model, or was called on a value, so its layers cannot be "
                "changed: make a new Sequential"
            )

    def known_sample(self) -> OpenShape | None:
        if self._start is not None:
            return self._start.sample
        first, net = self.items[0] if self.items else (None, None)
        return net.known_sample() if net else first.declared if first else None

    def build(self, sample: OpenShape | None) -> None:
        """Builds the net for samples of a shape, unless it is built."""
        while self.network is None:
            self.adopt(self.candidate(self.graph_for(sample)))

    def rebuild(self) -> None:
        """Builds the net again after a change of the layers, if the shape of a sample is known."""
        if (sample := self.known_sample()) is not None and self.items:
            while not self.adopt(self.candidate(self.graph_for(sample))):
                pass

    def resume(self, sample: OpenShape | None, items: Sequence[tuple[Any, Net | None]], built: bool) -> None:
        """Restores the net from the content of a file."""
        if sample is not None:
            self._start = self._input(sample, items)
        for item in items:
            self.append(*item)
        if built:
            if sample is None:
                raise ValueError("input_shape is missing")
            self.build(sample)

    @staticmethod
    def _input(sample: OpenShape, items: Sequence[tuple[Any, Net | None]]) -> Value:
        """The input before these items."""
        is_text = any(getattr(item, "reads_text", False) for item, _ in items[:1])
        return InputLayer(sample, dtype="string" if is_text else None, name="input_layer").output

    def graph_for(self, sample: OpenShape | None) -> Graph:
        """The graph of the items. Calls of the present graph are kept for the items that both have."""
        if not self.items:
            raise ValueError(f"[{self.name}] has no layers: add layers first")
        assert sample is not None
        if self.graph is not None:
            values = [*self.graph.inputs, *(call.values()[0] for call in self.graph.calls)]
        else:
            values = [self._input(sample, self.items) if self._start is None else self._start]
        del values[len(self.items) + 1 :]
        for item, net in self.items[len(values) - 1 :]:
            call = net.called(item, values[-1:]) if net else item.called(values[-1:])
            if len(call.shapes) > 1:
                raise ValueError(
                    f"[{self.name}] the item {item.name!r} has {len(call.shapes)} outputs: in a Sequential "
                    "each item has one. Use Model(inputs, outputs)"
                )
            values.append(call.values()[0])
        return Graph(self.name, values[0], values[-1])

    def adopt(self, built: Built) -> bool:
        if not super().adopt(built):
            return False
        self._start = built.graph.inputs[0]
        return True

    def called(self, owner: Any, values: Sequence[Value]) -> Call:
        if len(values) != 1:
            raise ValueError(f"[{self.name}] takes one input, got {len(values)}")
        if self.network is None:
            self.build(self.known_sample() or values[0].sample)
        call = super().called(owner, values)
        with whole:
            self._calls.add(call)
        return call
