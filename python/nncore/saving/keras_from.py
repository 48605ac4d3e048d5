"""Models from configs of Keras 3 and 2. Nothing in a config is executed: classes are looked up in tables, and
code is refused.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import constraints, initializers, layers, regularizers
from ..common import names
from ..common.arguments import integer, text
from ..common.content import MOST_LAYERS, expect
from ..common.values import NO_OPTIONS, OpenShape, Options, Shapes, Value, arranged, unpacked
from ..graph.graph import Graph
from ..graph.net import Chain, Net
from ..layers import BeforeNetwork, InputLayer, Layer, outlined, restore
from ..layers.merging import Merge
from ..training.trainer import Trainer
from .keras_entries import class_of, described, given_of, plain

Kinds = Mapping[str, type[Any]]  # classes of models, by the names that they have in files
WithNet = Callable[[type[Any], Net], tuple[Any, Trainer]]  # a new model of a class, and its trainer
_OF_WEIGHTS: dict[str, Any] = {
    "initializer": initializers, "regularizer": regularizers, "constraint": constraints,
}  # fmt: skip


def _of_weights(name: str, entry: Any) -> Any:
    what = name.rpartition("_")[2]
    if what == "layer":
        inner = _layer(*class_of(entry, "layer"), is_first=False)
        return {"class_name": type(inner).__name__, "config": inner.get_config()}
    if what not in _OF_WEIGHTS or not isinstance(entry, Mapping):
        return entry
    found = described(entry, what, _OF_WEIGHTS[what].CLASSES)
    return {"class_name": type(found).__name__, "config": found.get_config()}


def _float32(owner: str, policy: Any) -> None:
    if isinstance(policy, Mapping):
        policy = expect(dict, policy.get("config"), "dtype").get("name")
    if policy not in (None, "float32"):
        raise ValueError(f"the layer {owner!r:.80} computes in {policy!r:.80}, and nncore in float32 alone")


def _sample(shape: object) -> list[Any]:
    """The shape of one sample, from a shape with the batch axis, whose size is ignored."""
    return list(expect(list, plain(shape), "shape"))[1:]


def _layer(name: str, config: dict[str, Any], is_first: bool) -> Layer:
    label = text("file", "name", config["name"])
    if name not in layers.CLASSES:
        raise ValueError(
            f"the layer {label!r:.80} is a {name!r:.80}, which is not available: make the model anew "
            "without it"
        )
    given = given_of(config)
    shape = next((given.pop(key) for key in ("batch_shape", "batch_input_shape") if key in given), None)
    dtype = given.pop("dtype", None)
    if name == "InputLayer":
        if shape is not None:
            given["shape"] = _sample(shape)
        if dtype == "string":
            given["dtype"] = dtype
        return InputLayer.from_config(given)
    cls = layers.CLASSES[name]
    if issubclass(cls, BeforeNetwork):
        given |= {key: None for key in cls.optional if config.get(key, "") is None}
    else:
        _float32(label, dtype)
    if shape is not None and is_first:
        given["input_shape"] = _sample(shape)
    axis = given.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        given["axis"] = axis[0]
    if name in ("Attention", "GRU", "LSTM", "MultiHeadAttention", "SimpleRNN") or name.endswith(
        ("Dropout", "Dropout1D", "Dropout2D")
    ):
        given.pop("seed", None)  # of other random numbers: masks follow from the model's seed
    if name == "Bidirectional":  # which sets this setting of its layers
        for inner in ("layer", "backward_layer"):
            expect(dict, expect(dict, given.get(inner, {}), "layer").get("config", {}), "config").pop(
                "zero_output_for_mask", None
            )
    return cls.from_config({key: _of_weights(key, value) for key, value in given.items()})


Reference = tuple[str, int, int]  # name of a layer, number of its call, number of the output


def _reference(value: Any) -> Reference | None:
    """The reference that an entry gives; None for a list or table of entries."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        value = expect(list, expect(dict, value["config"], "config")["keras_history"], "keras_history")
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        return None
    if len(value) > 3 and any(each is not None for each in expect(dict, value[3], "arguments").values()):
        raise ValueError(
            f"the call after {value[0]!r:.80} has arguments {value[3]!r:.80}: they are not available"
        )
    node, index = (integer("file", "inbound_nodes", number, low=0) for number in value[1:3])
    return value[0], node, index


def _references(value: Any) -> list[Reference]:
    if (found := _reference(value)) is not None:
        return [found]
    each = value.values() if isinstance(value, Mapping) else expect(list, value, "inbound_nodes")
    return [reference for one in each for reference in _references(one)]


def _arguments(node: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call of a layer, from a node of Keras 3 or 2."""
    if not isinstance(node, Mapping):
        return [node], {}
    kwargs = {name: v for name, v in expect(dict, node["kwargs"], "kwargs").items() if v is not None}
    if kwargs.pop("training", False):  # Keras notes False of all calls that do not say otherwise
        raise ValueError("a call with training=True is not available: models decide it")
    return expect(list, node["args"], "args"), kwargs


class Maker:
    """Makes models.

    Args:
        kinds: classes of models, by the names that they have in files.
        with_net: makes a new model of a class, and its trainer.

    Attributes:
        room: the most numbers that all weights may have: as many as the file has, which sets them later;
            until then they are 0. None: initial weights are drawn.
    """

    def __init__(self, kinds: Kinds, with_net: WithNet) -> None:
        self.room: int | None = None
        self._kinds, self._with_net = kinds, with_net
        self._count = 0

    def model(self, entry: object) -> tuple[Any, Trainer]:
        """The model of an entry, and its trainer."""
        model, trainer = self._of(entry, is_first=True)
        if trainer is None:
            raise ValueError("it has no model")
        return model, trainer

    def _of(self, entry: object, is_first: bool) -> tuple[Any, Trainer | None]:
        """A layer, or a model with its trainer."""
        name, config = class_of(entry, "layer")
        self._count += 1
        if self._count > MOST_LAYERS:
            raise ValueError(f"it has more than {MOST_LAYERS} layers")
        if name not in ("Sequential", "Functional", "Model"):
            return _layer(name, config, is_first), None
        kind = "Sequential" if name == "Sequential" else "Model"
        label = config.get("name")
        label = names.automatic(name) if label is None else names.checked("file", label)
        net = self._chain(label, config) if kind == "Sequential" else self._graph(label, config)
        model, trainer = self._with_net(self._kinds[kind], net)
        if config.get("trainable") is False:
            model.trainable = False
        return model, trainer

    def _chain(self, label: str, config: dict[str, Any]) -> Net:
        entries = expect(list, config["layers"], "layers")
        made = [self._of(entry, i == 0) for i, entry in enumerate(entries)]
        items = [(owner, None if trainer is None else trainer.net) for owner, trainer in made]
        net = Chain(label)
        if items and isinstance(items[0][0], InputLayer):
            net.append(*items.pop(0))
        for item in items:
            net.append(*item)
        sample, shape = net.known_sample(), config.get("build_input_shape")
        if sample is None and isinstance(shape, list):
            sample = InputLayer(_sample(shape)).shape
        if sample is not None and items:
            self._prepared(net, [tuple(sample)])
            net.build(tuple(sample))
        return net

    def _prepared(
        self, owner: Any, before: list[OpenShape], options: Options = NO_OPTIONS
    ) -> list[OpenShape]:
        """Creates the weights of a layer, or of a net's layers, before any call; returns output shapes."""
        if isinstance(owner, Net):
            if owner.network is not None:
                return owner.shapes_for(before)
            for item, net in owner.members():
                before = self._prepared(net or item, before)
            return before
        after, parameters = outlined(owner, before, options)
        if self.room is not None and owner.shapes is None:
            self.room -= sum(math.prod(sizes) for _, sizes in parameters)
            if self.room < 0:
                raise ValueError(f"it has fewer numbers than the weights of {owner.name!r:.80} need")
            values = [np.zeros(sizes, np.float32) for _, sizes in parameters]
            restore(owner, Shapes(before, after, options), values)
        return after

    # ---- graphs

    def _graph(self, label: str, config: dict[str, Any]) -> Net:
        entries = [expect(dict, entry, "layer") for entry in expect(list, config["layers"], "layers")]
        owners: dict[str, tuple[Any, Net | None]] = {}
        nodes: list[tuple[str, Any, list[Reference]]] = []
        is_old = False  # of Keras 2
        operations = {
            str(entry.get("name")): entry for entry in entries if ".ops" in str(entry.get("module"))
        }
        for entry in entries:
            if str(entry.get("name")) in operations:  # of masks, which the layers make themselves
                continue
            owner, trainer = self._of(entry, is_first=False)
            name = text("file", "name", entry.get("name", owner.name))
            if name in owners or name != owner.name:
                raise ValueError(f"the layer {name!r:.80} is there twice, or is called otherwise itself")
            owners[name] = owner, None if trainer is None else trainer.net
            own = expect(list, entry["inbound_nodes"], "inbound_nodes")
            for node in own:
                args, kwargs = _arguments(node)
                if "mask" in kwargs and all(of[0] in operations for of in _references(kwargs["mask"])):
                    del kwargs["mask"]
                read = [each for each in kwargs.values() if not isinstance(each, (bool, str))]
                nodes.append((name, (args, kwargs), _references([*args, *read])))
            is_old = is_old or any(isinstance(node, list) for node in own)
        used = [each for _, _, references in nodes for each in references]
        used += _references(config["output_layers"])
        for name, *_ in used:
            if name in operations:
                class_of(operations[name], "layer")  # raises
        first, last = _first_calls(owners, used if is_old else None)
        made = _run(owners, nodes, first, self._called)
        inputs = _packed(config["input_layers"], made, first)
        net = Net(label)
        net.take(Graph(label, inputs, _packed(config["output_layers"], made, last)))
        return net

    def _called(self, owner: Any, net: Net | None, args: list[Any], kwargs: dict[str, Any]) -> list[Value]:
        if len(args) == 1:
            if isinstance(args[0], list) and len(args[0]) == 1 and not isinstance(owner, Merge):
                args = args[0]
            inputs, options = arranged(unpacked(args[0])[1], kwargs)
        else:
            inputs, options = arranged(args, kwargs)
        self._prepared(net or owner, [value.sample for value in inputs], options)
        return unpacked(owner(*args, **kwargs))[1]


def _first_calls(
    owners: Mapping[str, tuple[Any, Net | None]], used: Sequence[Reference] | None
) -> tuple[dict[str, int], dict[str, int]]:
    """The number of each model's first call, as other calls refer to it, and as the outputs do.

    Keras 3 counts from 0, but in the outputs from 1 for a functional model. Keras 2 counted from 0 or 1: the
    smallest number in `used`, which has all calls, is the first. For Keras 3 `used` is None.
    """
    models = {label: net for label, (_, net) in owners.items() if net is not None}
    if used is None:
        return {}, {label: 1 for label, net in models.items() if not isinstance(net, Chain)}
    numbers: dict[str, int] = {}
    for label, number, _ in used:
        if label in models:
            numbers[label] = min(number, numbers.get(label, number))
    return numbers, numbers


def _value(
    reference: Reference, made: Mapping[tuple[str, int], list[Value]], first: Mapping[str, int]
) -> Value:
    label, number, index = reference
    values = made.get((label, number - first.get(label, 0)), [])
    if index >= len(values):
        raise ValueError(f"there is no output {index} of the call {number} of a layer {label!r:.80}")
    return values[index]


def _packed(form: Any, made: Mapping[tuple[str, int], list[Value]], first: Mapping[str, int]) -> Any:
    if (reference := _reference(form)) is not None:
        return _value(reference, made, first)
    if isinstance(form, Mapping):
        return {key: _packed(each, made, first) for key, each in form.items()}
    return [_packed(each, made, first) for each in form]


def _run(
    owners: Mapping[str, tuple[Any, Net | None]],
    nodes: Sequence[tuple[str, Any, list[Reference]]],
    first: Mapping[str, int],
    called: Any,
) -> dict[tuple[str, int], list[Value]]:
    """The outputs of each call. A call runs once all its inputs exist; calls of one layer run in order."""
    inputs = {label: owner for label, (owner, _) in owners.items() if isinstance(owner, InputLayer)}
    made = {(label, 0): [owner.output] for label, owner in inputs.items()}
    number: dict[str, int] = defaultdict(int)
    keys, waits, missing = [], defaultdict(list), []
    for i, (label, _, references) in enumerate(nodes):
        keys.append((label, number[label]))
        number[label] += 1
        needed = {(name, n - first.get(name, 0)) for name, n, _ in references} - made.keys()
        if keys[-1][1]:
            needed.add((label, keys[-1][1] - 1))
        missing.append(len(needed))
        for key in needed:
            waits[key].append(i)
    ready = [i for i, left in enumerate(missing) if not left]
    for i in ready:
        label, form, _ = nodes[i]
        args, kwargs = [_packed(each, made, first) for each in form[0]], dict(form[1])
        for name, each in kwargs.items():
            kwargs[name] = each if isinstance(each, (bool, str)) else _packed(each, made, first)
        made[keys[i]] = called(*owners[label], args, kwargs)
        for later in waits[keys[i]]:
            missing[later] -= 1
            if not missing[later]:
                ready.append(later)
    if len(ready) < len(nodes):
        raise ValueError("its graph has a circle, or a call of a layer that is not there")
    return made
