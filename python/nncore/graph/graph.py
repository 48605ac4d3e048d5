"""The graph of a model: calls of layers and of other models, from inputs to outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from .. import _core
from ..common.messages import warn
from ..common.values import Call, Form, OpenShape, Parameters, Value, described, is_named, unpacked
from ..layers import BeforeNetwork, InputLayer, Layer, unfolded_with_masks

_T = TypeVar("_T")
_MOST_CALLS, _MOST_DEPTH = 2**16, 256  # limits, as nested models can multiply calls


def _distinct(names: Sequence[str], taken: set[str]) -> list[str]:
    """The names, with a number appended where one is taken; all of them are added to `taken`."""
    found = []
    for name in names:
        each, number = name, 0
        while each in taken:
            number += 1
            each = f"{name}_{number}"
        taken.add(each)
        found.append(each)
    return found


class Flat(NamedTuple):
    """A graph without nested models and layers of parts, as the compiled core takes it.

    Values are numbered: first the inputs of the graph, then the output of each call.

    Attributes:
        layers: each layer once, in the order of `get_weights`.
        paths: their names, with the names of the models that they are in before them.
        uses: for each layer, the input shapes of its first call, and its weights.
        calls: for each call, the number of its layer and the numbers of its input values.
        outputs: numbers of the output values.
        masks: for each output the number of the value that masks it, or None.
    """

    layers: list[Layer]
    paths: list[str]
    uses: list[tuple[list[OpenShape], Parameters]]
    calls: list[tuple[int, list[int]]]
    outputs: list[int]
    masks: list[int | None]

    def of_weights(self, what: str) -> list[tuple[int, int, _core.Spec]]:
        """(number of a layer, number of its weight, spec) for each regularizer or constraint of a weight."""
        found = []
        for i, (layer, (_, parameters)) in enumerate(zip(self.layers, self.uses)):
            for p, (name, sizes) in enumerate(parameters):
                if (given := layer.of_weight(name, what)) is not None:
                    found.append((i, p, given.spec(f"{layer.name}/{name}", sizes)))
        return found

    def penalized(self, inputs: int) -> list[tuple[int, _core.Spec]]:
        """(number of a value, spec) for each call of a layer with an activity_regularizer."""
        found: list[tuple[int, _core.Spec]] = []
        for value, (number, _) in enumerate(self.calls, inputs):
            layer = self.layers[number]
            if layer.activity_regularizer is not None:
                found.append((value, layer.activity_regularizer.spec(layer.name, ())))
        return found


class Graph:
    """The calls between given inputs and outputs: single values, or lists, tuples or dicts of values.

    Attributes:
        inputs, outputs: lists of values.
        in_form, out_form: the forms in which they were given.
        calls: the calls that compute the outputs, each after the calls that it reads.
        size: number of calls, including those of nested models.
        depth: levels of nested models; 1 without any.
        before: the calls of layers that Python applies to data before the network.
        read: what the network reads: the inputs, or what those layers make of them.
        input_names: names of the Input layers, and unique names for inputs that other layers made.
        owners: the layers and models, by their distance from the outputs, the farthest first, as in Keras.
        nets: nets of the models, by the models' id.

    Raises:
        TypeError: an input or output is not a symbolic value.
        ValueError: an output depends on an Input that is not given, or two layers have the same name.
    """

    def __init__(self, owner: str, inputs: Any, outputs: Any) -> None:
        self.in_form, self.inputs = self._unpacked(owner, "inputs", inputs)
        self.out_form, self.outputs = self._unpacked(owner, "outputs", outputs)
        if len({value.key for value in self.inputs}) < len(self.inputs):
            raise ValueError(f"[{owner}] inputs must be different values, got the same value twice")
        self.calls, found = self._walk(owner)
        self.nets = {id(call.owner): call.net for call in self.calls if call.net}
        self.before = [call for call in self.calls if isinstance(call.owner, BeforeNetwork)]
        self.read = self._read_by_network(owner)
        inner = [call.net.required_graph() if call.net else None for call in self.calls]
        self.size: int = sum(graph.size if graph else 1 for graph in inner)
        self.depth: int = 1 + max((graph.depth for graph in inner if graph), default=0)
        if self.size > _MOST_CALLS:
            raise ValueError(
                f"[{owner}] must have at most {_MOST_CALLS} calls of layers, nested models included, got "
                f"{self.size}"
            )
        if self.depth > _MOST_DEPTH:
            raise ValueError(f"[{owner}] has models in models, more than {_MOST_DEPTH} deep")
        self.owners = self._in_order(found)
        counts = Counter(each.name for each in self.owners)
        if twice := next((name for name, count in counts.items() if count > 1), None):
            raise ValueError(f"[{owner}] has several layers {twice!r}: names must differ")
        taken = set(counts)
        self.input_names = [
            value.name if isinstance(value.key[0].owner, InputLayer) else _distinct([value.name], taken)[0]
            for value in self.inputs
        ]

    @staticmethod
    def _unpacked(owner: str, what: str, given: Any) -> tuple[Form, list[Value]]:
        form, values = unpacked(given)
        for value in values:
            if not isinstance(value, Value):
                raise TypeError(
                    f"[{owner}] {what} must be values, as Input(...) and calls of layers return them, or a "
                    f"list or dict of values, got {value!r}"
                )
        if not all(isinstance(key, str) for key in form.keys):
            raise TypeError(f"[{owner}] {what} must have names as keys, got {list(form.keys)}")
        if not values:
            raise ValueError(f"[{owner}] {what} must hold at least one value")
        return form, values

    def _walk(self, owner: str) -> tuple[list[Call], list[Any]]:
        """The calls, each after those that it reads, and the layers and models.

        Input layers that no call reads come first, then owners in the order in which a walk back from the
        outputs finds them.
        """
        given = {value.key for value in self.inputs}
        calls: list[Call] = []
        done: set[Call] = set()
        found: dict[int, Any] = {}
        for output in self.outputs:
            waiting: list[tuple[Value, bool]] = [(output, False)]
            while waiting:
                value, is_read = waiting.pop()
                call, _ = value.key
                if is_read:
                    if call not in done:
                        done.add(call)
                        calls.append(call)
                    continue
                if call in done:
                    continue
                if value.key in given:
                    if isinstance(call.owner, InputLayer):
                        found.setdefault(id(call.owner), call.owner)
                    continue
                if isinstance(call.owner, InputLayer):
                    raise ValueError(
                        f"[{owner}] the output {output!r} needs the Input {call.owner.name!r}, which is not "
                        "among the inputs"
                    )
                found.setdefault(id(call.owner), call.owner)
                waiting.append((value, True))
                waiting.extend((each, False) for each in reversed(call.inputs))
        ends = [value.key[0].owner for value in self.inputs]
        unread = [each for each in ends if isinstance(each, InputLayer) and id(each) not in found]
        return calls, [*unread, *found.values()]

    def _read_by_network(self, owner: str) -> list[Value]:
        """The values that the network begins with. ValueError if they are texts, or are made by it before."""
        given = {value.key: value for value in self.inputs}
        for call in self.before:
            (value,) = call.inputs
            if value.key not in given:
                raise ValueError(
                    f"[{owner}] {call.owner.name!r} works on data before the network: it can be called on an "
                    f"Input, but not on {value!r}"
                )
            given[call, 0] = call.values()[0]
        read = {value.key for call in self.calls if call not in self.before for value in call.inputs}
        read |= {value.key for value in self.outputs}
        unread = {value.key for value in self.inputs} - {call.inputs[0].key for call in self.before}
        found = [value for key, value in given.items() if key in read | unread]
        for value in found:
            if getattr(value.key[0].owner, "is_text", False):
                raise ValueError(
                    f"[{owner}] the Input {value.name!r} is of texts, which a network cannot read: call "
                    "TextVectorization or StringLookup on it"
                )
        return found

    def prepared(self, arrays: Sequence[Any]) -> list[Any]:
        """The arrays that the network reads, for those of the inputs."""
        at = {value.key: array for value, array in zip(self.inputs, arrays)}
        for call in self.before:
            at[call, 0] = call.owner.prepared(at[call.inputs[0].key])
        return [at[value.key] for value in self.read]

    def _in_order(self, found: list[Any]) -> list[Any]:
        """Layers and models by the length of their longest path to an output, the longest first."""
        depths: dict[int, int] = dict.fromkeys(map(id, found), 0)
        of_call: dict[Call, int] = {}
        for call in reversed(self.calls):
            depth = depths[id(call.owner)] = max(of_call.get(call, 0), depths[id(call.owner)])
            for value in call.inputs:
                before = value.key[0]
                of_call[before] = max(of_call.get(before, 0), depth + 1)
                if isinstance(before.owner, InputLayer) and id(before.owner) in depths:
                    depths[id(before.owner)] = max(depths[id(before.owner)], of_call[before])
        return sorted(found, key=lambda each: -depths[id(each)])

    def run(
        self,
        inputs: Sequence[_T],
        apply: Callable[[Call, list[_T]], Sequence[_T]],
        of_network: bool = False,
    ) -> list[_T]:
        """The outputs for these inputs, where `apply` returns a call's outputs for its inputs.

        of_network: inputs are those of the network, without the calls before it.
        """
        at = {value.key: given for value, given in zip(self.read if of_network else self.inputs, inputs)}
        for call in self.calls:
            if of_network and call in self.before:
                continue
            for index, made in enumerate(apply(call, [at[value.key] for value in call.inputs])):
                at.setdefault((call, index), made)
        return [at[value.key] for value in self.outputs]

    def flat(self) -> Flat:
        """The graph for the compiled core. ValueError if calls of a layer need different weights."""
        layers: dict[int, tuple[Layer, str]] = {}
        for layer, path in self.layers_within(""):
            layers.setdefault(id(layer), (layer, path))
        number = {key: i for i, key in enumerate(layers)}
        calls: list[tuple[int, list[int]]] = []
        uses: dict[int, tuple[list[OpenShape], Parameters]] = {}
        first = len(self.read)

        def made_by(layer: Layer, given: list[tuple[int, OpenShape]]) -> tuple[int, OpenShape]:
            if id(layer) not in number:  # it has no weights, see `Helper`
                number[id(layer)] = len(layers)
                layers[id(layer)] = layer, layer.name
            before, at = [shape for _, shape in given], number[id(layer)]
            after, parameters = layer.infer(before)
            known = uses.setdefault(at, (before, parameters))
            if known[1] != parameters:
                raise ValueError(
                    f"[{layer.name}] cannot share its weights between samples of shapes {known[0]} and "
                    f"{before}"
                )
            calls.append((at, [value for value, _ in given]))
            return first + len(calls) - 1, after

        inputs = [((i, value.sample), None) for i, value in enumerate(self.read)]
        outputs = self._unfolded(inputs, made_by)
        used = [(i, *each) for i, each in enumerate(layers.values()) if i in uses]  # parts need not be called
        place = {i: at for at, (i, _, _) in enumerate(used)}
        return Flat(
            [layer for _, layer, _ in used],
            [path for _, _, path in used],
            [uses[i] for i, _, _ in used],
            [(place[i], values) for i, values in calls],
            [value for (value, _), _ in outputs],
            [mask and mask[0] for _, mask in outputs],
        )

    def _unfolded(
        self, inputs: Sequence[tuple[_T, _T | None]], made_by: Callable[[Layer, list[_T]], _T]
    ) -> list[tuple[_T, _T | None]]:
        """Walks the graph as `run` does, with models, and layers of parts, replaced by the calls inside.

        A value goes with its mask.
        """

        def apply(call: Call, given: list[tuple[_T, _T | None]]) -> list[tuple[_T, _T | None]]:
            if call.net is None:
                return unfolded_with_masks(call.owner, made_by, given, call.options)
            graph: Graph = call.net.required_graph()
            return graph._unfolded(given, made_by)

        return self.run(inputs, apply, of_network=True)

    def output_names(self) -> list[str]:
        if self.out_form.keys:
            return list(self.out_form.keys)
        return _distinct([value.name for value in self.outputs], set())

    @staticmethod
    def arranged(owner: str, what: str, given: Any, form: Form, names: Sequence[str]) -> list[Any]:
        """The items given for several inputs or outputs, in their order; None where a dict lacks one.

        Further entries of a dict with all inputs are left out, with a warning.

        Raises:
            ValueError: the number of items, or a name, is wrong.
        """
        if form.is_one and not is_named(given):
            return [given]
        if is_named(given):
            own, theirs = set(form.keys), set(given)
            keys = form.keys if own and (theirs <= own or own <= theirs) else names
            if unknown := [key for key in given if key not in keys]:
                text = f"[{owner}] {what} has {unknown[0]!r}, but there are {', '.join(keys)}"
                if what != "x" or not all(key in given for key in keys):
                    raise ValueError(text)
                warn(f"{text}: it is ignored")
            return [given.get(key) for key in keys]
        if not isinstance(given, (list, tuple)) or len(given) != len(names):
            got = f"{len(given)} items" if isinstance(given, (list, tuple)) else described(given)
            raise ValueError(
                f"[{owner}] {what} must be a list or tuple of {len(names)} ({', '.join(names)}) or a dict "
                f"with these names, got {got}"
            )
        return list(given)

    def layers_within(self, path: str) -> Iterator[tuple[Layer, str]]:
        """The layers of the core, also of nested models, with their paths; shared ones repeatedly."""
        for owner in self.owners:
            if net := self.nets.get(id(owner)):
                yield from net.required_graph().layers_within(f"{path}{owner.name}/")
            elif not isinstance(owner, InputLayer):
                yield from owner.leaves(path + owner.name)
