"""A layer as the core has it: shapes, variables and calls of the layers that it unfolds into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..common import seeds
from ..common.arrays import ONE_SAMPLE, Floats
from ..common.messages import warn
from ..common.values import OpenShape, Options, Parameters, Shapes, closed, resolved

Layer = Any  # a layer, whose module imports this one
_T = TypeVar("_T")
Masked = tuple[_T, _T | None]  # a value and its mask

# Shapes with open sizes are inferred twice, with each of these numbers in place of None. Output sizes that
# differ are open; weight shapes that differ are an error. Both numbers have many divisors, as Reshape needs.
_TRIED = 720, 1440


# ---- layers of the core


def inferred(
    name: str, spec: tuple[str, dict[str, Any]], before: Sequence[OpenShape]
) -> tuple[OpenShape, Parameters]:
    """See `Layer.infer`."""
    after, parameters = _closed(name, spec, before, _TRIED[0])
    if all(None not in one for one in before):
        return after, parameters
    other, others = _closed(name, spec, before, _TRIED[1])
    if parameters != others:
        raise ValueError(
            f"[{name}] the size of its weights is open for samples of shape {before[0]}: give all "
            "sizes, or put a layer such as GlobalAveragePooling2D before it"
        )
    return tuple(a if a == b else None for a, b in zip(after, other)), parameters


def _closed(
    name: str, spec: tuple[str, dict[str, Any]], before: Sequence[OpenShape], size: int
) -> tuple[OpenShape, Parameters]:
    try:
        after, parameters = _core.infer(spec, closed(before, size))
    except ValueError as error:
        hint = "" if all(before) else f" (x has one axis only, of samples or of features). {ONE_SAMPLE}"
        hint = f" ({size} stands for sizes that are open)" if any(None in b for b in before) else hint
        raise ValueError(f"[{name}] {str(error).removeprefix(f'[{spec[0]}] ')}{hint}") from None
    return tuple(after), [(each, tuple(sizes)) for each, sizes in parameters]


def _new_block(layer: Layer, before: Sequence[OpenShape], values: list[Floats]) -> _core.Variables:
    variables = _core.Variables(layer.spec(), closed(before, _TRIED[0]))
    variables.write(0, values)
    return variables


def block_for(
    layer: Layer,
    before: Sequence[OpenShape],
    parameters: Parameters,
    rng: Callable[[int], np.random.Generator],
) -> _core.Variables:
    """The layer's variables; if it has none, new ones with initial values, which it does not own yet."""
    own: _core.Variables | None = layer.block  # read once: another thread may set it
    if own is not None:
        return own
    drawn = [
        layer.of_weight(name, "initializer").sample(sizes, rng(i))
        for i, (name, sizes) in enumerate(parameters)
    ]
    return _new_block(layer, before, drawn)


def of_weights(layer: Layer) -> Sequence[OpenShape]:
    """The input shapes that weights depend on: not those of a state, which the core takes as one input."""
    before: Sequence[OpenShape] = layer.shapes.before
    return before[:1] if layer.states else before


def restore(layer: Layer, shapes: Shapes, values: Sequence[Floats]) -> None:
    """Sets a layer's shapes, and new variables with these values of all its weights."""
    layer.prepare(shapes.before)
    layer.take_shapes(shapes)
    rest = list(values)
    for leaf, _ in layer.leaves(""):
        if leaf.shapes is None:  # a part that is not called
            continue
        before = of_weights(leaf)
        count = len(leaf.infer(before)[1])
        leaf.block = _new_block(leaf, before, rest[:count])
        del rest[:count]


def remade(cls: Any, config: Any, declared: Any, shapes: Any, values: list[Floats]) -> Layer:
    """The layer that `Layer.__reduce__` has taken apart."""
    layer = cls.from_config(config)
    layer.declared = declared
    if shapes is not None:
        restore(layer, Shapes(*shapes), values)
    return layer


# ---- layers of parts


def unfolded(
    layer: Layer, call: Callable[[Layer, list[_T]], _T], inputs: Sequence[_T], options: Options
) -> list[_T]:
    """What a call of the layer makes of all its inputs, see `Layer.unfold`."""
    positional, keywords = resolved(inputs, options)
    made: list[_T] = layer.unfold(call, *positional, **keywords)
    return made


def unfolded_with_masks(
    layer: Layer, call: Callable[[Layer, list[_T]], _T], inputs: Sequence[Masked[_T]], options: Options
) -> list[Masked[_T]]:
    """As `unfolded`, of values with their masks. Only the first output of a call has a mask."""
    positional, keywords = resolved([value for value, _ in inputs], options)
    masks = resolved([mask for _, mask in inputs], options)[0]
    if keywords.get("mask") is not None:
        masks = keywords["mask"] if isinstance(keywords["mask"], list) else [keywords["mask"]]
    elif layer.reads_mask and any(mask is not None for mask in masks):
        keywords["mask"] = masks if layer.takes_several else masks[0]
    elif not layer.supports_masking and any(mask is not None for mask in masks):
        warn(
            f"[{layer.name}] does not support masking, so the mask of its input ends here: later layers and "
            "the loss count all steps"
        )
    made: list[_T] = layer.unfold(call, *positional, **keywords)
    return [(value, None if i else layer.mask_after(call, positional, masks)) for i, value in enumerate(made)]


def unfit(layer: Layer, known: Sequence[OpenShape], given: Sequence[OpenShape]) -> str:
    return f"[{layer.name}] is built for samples of shape {known[0]}, got {given[0]}"


def outlined(
    layer: Layer, before: Sequence[OpenShape], options: Options
) -> tuple[list[OpenShape], Parameters]:
    """Output shapes of one sample, and names and shapes of the weights.

    Raises:
        ValueError: the shapes do not fit the layer, or the weights that it has.
    """
    found: dict[int, Parameters] = {}

    def call(leaf: Layer, given: list[OpenShape]) -> OpenShape:
        try:
            after: OpenShape
            after, own = leaf.infer(given)
        except ValueError as error:
            raise ValueError(f"[{layer.name}] {str(error).removeprefix(f'[{leaf.name}] ')}") from None
        if leaf.block is not None and leaf.block.shapes != own:
            raise ValueError(unfit(layer, layer.shapes.before if layer.shapes else before, before))
        found[id(leaf)] = own
        return after

    layer.prepare(before)
    after = unfolded(layer, call, before, options)
    each = [(f"{path}/", own) for leaf, path in layer.leaves("") for own in found.get(id(leaf), [])]
    return after, [(f"{path}{name}".removeprefix("/"), sizes) for path, (name, sizes) in each]


def take_shapes_of_parts(layer: Layer, shapes: Shapes) -> None:
    def call(leaf: Layer, given: list[OpenShape]) -> OpenShape:
        after: OpenShape = leaf.infer(given)[0]
        leaf.take_shapes(Shapes(given, [after], {}))
        return after

    unfolded(layer, call, shapes.before, shapes.options)


def _network(layer: Layer, inputs: Sequence[OpenShape], options: Options) -> _core.Network:
    leaves: list[Layer] = []
    calls: list[tuple[int, list[int]]] = []

    def call(leaf: Layer, given: list[int]) -> int:
        if leaf not in leaves:
            leaves.append(leaf)
        calls.append((leaves.index(leaf), given))
        return len(inputs) + len(calls) - 1

    outputs = unfolded(layer, call, range(len(inputs)), options)
    blocks = [block for leaf in leaves if (block := leaf.own()) is not None]
    return _core.Network(list(inputs), [leaf.spec() for leaf in leaves], calls, outputs, True, blocks)


def computed(layer: Layer, arrays: Sequence[NDArray[Any]], options: Options, training: bool) -> Any:
    """The outputs for arrays, computed by a network of this layer alone, which is built."""
    key = [(None,) * (a.ndim - 1) for a in arrays], options
    if layer.alone is None or layer.alone[0] != key:
        layer.alone = key, _network(layer, key[0], options)
    network: _core.Network = layer.alone[1]
    if training:
        network.seed = seeds.draw_seed()
        training = layer.trainable or not any(leaf.state for leaf, _ in layer.leaves(""))
    try:
        out = network.forward(tuple(arrays) if len(arrays) > 1 else arrays[0], training)
    except ValueError as error:
        raise ValueError(f"[{layer.name}] {error}") from None
    if training and any(getattr(leaf, "seed", None) is not None for leaf, _ in layer.leaves("")):
        network.iterations += 1  # the numbers of a seed move on
    return list(out) if isinstance(out, tuple) else out
