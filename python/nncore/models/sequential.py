"""`Sequential`: a model of layers one after another."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from ..common.arguments import boolean, shape
from ..common.forks import whole
from ..common.values import Call, OpenShape, Value
from ..graph.graph import Graph
from ..graph.stack import Built, Stack
from ..layers import InputLayer, Layer
from ..training.feeds import Data
from .model import Model


class Sequential(Model):
    """A network of layers one after another, with Keras' interface.

    Args:
        layers: list of `nncore.layers` or models, perhaps with an `Input` first. Without the shape of a
            sample, the model is built by the first data that it sees.
        trainable: False for layers whose weights stay as they are; default True.
        name: default "sequential" with a running number.

    Classes derived from it may add methods. One that overrides what the compiled core does itself, such as
    ``call`` or ``train_step``, raises TypeError when it is defined; so do layers, losses, metrics, optimizers
    and initializers.

    >>> from nncore.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(8, activation="relu"), Dense(1, activation="sigmoid")])
    >>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    >>> history = model.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=2, verbose=0)
    >>> sorted(history.history)
    ['accuracy', 'loss']
    >>> model.predict([[0, 1]]).shape
    (1, 1)
    """

    _takes_names = False

    def __init__(
        self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        trainable = boolean(type(self).__name__, "trainable", trainable)
        self._begin(name)
        if layers is not None:
            if isinstance(layers, (Layer, Stack, str, Value)) or not hasattr(layers, "__iter__"):
                raise TypeError(f"[{self.name}] layers must be a list of layers, got {layers!r}")
            for layer in layers:
                self._append(layer)
            self._rebuild()
        if not trainable:
            self.trainable = False

    def _begin(self, name: str | None, default: str = "") -> None:
        super()._begin(name, default)
        self._layers: list[Any] = []
        self._names: set[str] = set()  # of the layers
        self._start: Value | None = None  # the input, once it is known
        self._calls: weakref.WeakSet[Call] = weakref.WeakSet()  # on values

    def _resume(self, sample: OpenShape | None, layers: Sequence[Any], is_built: bool) -> None:
        """Takes what a file says of it."""
        if sample is not None:
            self._start = InputLayer(sample, name="input_layer").output
        for layer in layers:
            self._append(layer)
        if is_built:
            if sample is None:
                raise ValueError("input_shape is missing")
            self._build_for(sample)

    @property
    def layers(self) -> list[Any]:
        """The layers in order, without the `Input`. Change them by `add` and `pop`."""
        return list(self._layers)

    def _append(self, item: object) -> None:
        if isinstance(item, Value) and isinstance(item.key[0].owner, InputLayer):
            item = item.key[0].owner
        if not isinstance(item, (Layer, Stack)):
            hint = f"an instance is needed: {item.__name__}()" if isinstance(item, type) else f"got {item!r}"
            raise TypeError(f"[{self.name}] only layers can be added to a model, {hint}")
        if isinstance(item, InputLayer):
            if self._layers or self._start is not None:
                raise ValueError(f"[{self.name}] an Input can only be the first item of a model")
            self._start = item.output
            return
        if any(item is other for other in self._layers):
            raise ValueError(
                f"[{self.name}] the layer {item.name!r} is in the model already, and cannot be twice"
            )
        if item.name in self._names:
            raise ValueError(f"[{self.name}] there is a layer {item.name!r} already: names must differ")
        self._layers.append(item)
        self._names.add(item.name)

    def add(self, layer: Any) -> None:
        """Puts a layer or model at the end. The weights of the others stay; an optimizer starts anew.

        A layer may be in several models, which then share its weights.

        Raises:
            TypeError: it is not a layer.
            ValueError: it does not take the shape before it, or its name is used already, or the model is
                part of another one. The model is as before then.
        """
        self._require_alone()
        within: dict[int, Any] = {id(layer): layer}
        if isinstance(layer, Model):
            layer._gather("", within)
        if id(self) in within:
            raise ValueError(f"[{self.name}] cannot be a part of itself")
        before = list(self._layers), self._start
        try:
            self._append(layer)
            self._rebuild()
        except BaseException:
            if len(self._layers) > len(before[0]):
                self._names.discard(self._layers[-1].name)
            self._layers, self._start = before
            raise

    def pop(self) -> Any:
        """Takes the last layer off, with its weights, and returns it. On an exception the model is as before.

        Raises:
            IndexError: there is no layer.
            ValueError: the model is part of another one.
        """
        self._require_alone()
        if not self._layers:
            raise IndexError(f"[{self.name}] there is no layer to pop")
        before = self._layers
        self._layers, layer = before[:-1], before[-1]
        try:
            self._rebuild()
        except BaseException:
            self._layers = before
            raise
        self._names.discard(layer.name)
        if not self._layers:
            self._graph = self._flat = self._network = None
        return layer

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
        given = input_shape
        if given is not None:
            given = shape(self.name, "input_shape", given, batch_axis=True, is_open=True)
        known = self._known_sample()
        if given is None and known is None:
            raise ValueError(f"[{self.name}] input_shape must be given: no layer says it")
        if given is not None and known is not None and given != known:
            raise ValueError(f"[{self.name}] is made for samples of shape {known}, not {given}")
        self._build_for(given if known is None else known)

    def _build_for(self, sample: OpenShape | None) -> None:
        while self._network is None:
            self._adopt(self._candidate(self._chain(sample)))

    def _known_sample(self) -> OpenShape | None:
        if self._start is not None:
            return self._start.sample
        first = self._layers[0] if self._layers else None
        return first._declared if isinstance(first, Layer) else first._known_sample() if first else None

    def _rebuild(self) -> None:
        sample = self._known_sample()
        if sample is not None and self._layers:
            while not self._adopt(self._candidate(self._chain(sample))):
                pass

    def _graph_for(self, data: Data) -> Graph:
        return self._chain(self._known_sample() or data.x.shape[1:])

    def _chain(self, sample: OpenShape | None) -> Graph:
        """The graph of the layers, with the calls of the model's own as far as they are the same."""
        if not self._layers:
            raise ValueError(f"[{self.name}] has no layers: add some first")
        assert sample is not None
        if self._graph is not None:
            values = [*self._graph.inputs, *(call.values()[0] for call in self._graph.calls)]
        else:
            values = [InputLayer(sample, name="input_layer").output if self._start is None else self._start]
        del values[len(self._layers) + 1 :]
        for layer in self._layers[len(values) - 1 :]:
            call = layer._called(values[-1:])
            if len(call.shapes) > 1:
                raise ValueError(
                    f"[{self.name}] the model {layer.name!r} has {len(call.shapes)} outputs: in a Sequential "
                    "each item has one. Use Model(inputs, outputs)"
                )
            values.append(call.values()[0])
        return Graph(self.name, values[0], values[-1])

    def _adopt(self, built: Built) -> bool:
        if not super()._adopt(built):
            return False
        self._start = built.graph.inputs[0]
        return True

    def _called(self, values: Sequence[Value]) -> Call:
        if len(values) != 1:
            raise ValueError(f"[{self.name}] takes one input, got {len(values)}")
        if self._network is None:
            self._build_for(self._known_sample() or values[0].sample)
        call = super()._called(values)
        with whole:
            self._calls.add(call)
        return call

    def _require_alone(self) -> None:
        if len(self._calls):
            raise ValueError(
                f"[{self.name}] is part of another model, or was called on a value, so its layers cannot be "
                "changed: make a new Sequential of them"
            )

    def compute_output_shape(self, input_shape: Sequence[Any]) -> OpenShape:
        """Both shapes with the batch axis, which may be None."""
        at: Any = tuple(input_shape)
        for layer in self._layers:
            at = layer.compute_output_shape(at)
        return tuple(at)
