"""The base class of layers: name, settings, shapes, calls, and weights that several models may share."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..common import names, seeds, whole
from ..common.arguments import boolean, integer, reject_unsupported, several, shape
from ..common.arguments import training as in_training
from ..common.arrays import ONE_SAMPLE, Floats, as_array
from ..common.described import Settings
from ..common.values import Call, OpenShape, Parameters, Value, closed, values_in
from . import _of_weights
from ._weights import Variable, Weighted

if TYPE_CHECKING:
    from ..regularizers import Regularizer

_L = TypeVar("_L", bound="Layer")

# Arguments that Keras' layers also take, with the only value that is accepted.
_NEUTRAL: dict[str, Any] = {"dtype": "float32", "autocast": True}
_OPTIONS = ("name", "trainable", "input_shape", "input_dim", "activity_regularizer")
# Shapes with open sizes are inferred twice, with each of these numbers in place of None. Output sizes that
# differ are open; weight shapes that differ are an error. Both numbers have many divisors, as Reshape needs.
_TRIED = 720, 1440


class Layer(Weighted, Settings):
    """Base class of layers. Subclasses outside nncore raise TypeError, as layers run as compiled code.

    Every layer takes these keyword arguments besides its own:

    Args:
        name: unique in a model; default the class in snake case with a running number (dense, dense_1, ...).
        trainable: whether training changes the weights; default True. Takes effect in ``compile``.
        input_shape: shape of one sample, for the first layer of a `Sequential` in place of an `Input`; it is
            ignored elsewhere.
        input_dim: n is short for ``input_shape=(n,)``.
        dtype: None or "float32".
        activity_regularizer: a penalty on the output of each call: name or instance of
            `nncore.regularizers`; default none.
    """

    _abstract = True
    _uncalled = (
        "call __call__ build compute_output_shape compute_output_spec compute_mask add_weight add_variable "
        "add_loss add_metric losses metrics trainable_weights trainable_variables stateless_call "
        "symbolic_call quantized_call get_weights set_weights save_own_variables load_own_variables "
        "get_build_config build_from_config"
    )
    _instead = (
        "Use the layers of nncore.layers, and NumPy before or after the model for what they cannot compute"
    )
    kind: ClassVar[str]
    _several: ClassVar[bool] = False  # whether the layer takes a list of inputs
    activity_regularizer: Regularizer | None
    unavailable: ClassVar[Mapping[str, Any]] = {}
    state: ClassVar[tuple[str, ...]] = ()  # weights that the layer itself updates in training

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "activity_regularizer" not in cls._settings:
            cls._settings = (*cls._settings, "activity_regularizer")

    def __init__(self, options: Mapping[str, Any]) -> None:
        owner = type(self).__name__
        options = dict(options)
        name, trainable = options.pop("name", None), options.pop("trainable", True)
        declared, columns = options.pop("input_shape", None), options.pop("input_dim", None)
        activity = options.pop("activity_regularizer", None)
        own = [*inspect.signature(type(self).__init__).parameters, *_OPTIONS] if options else ()
        reject_unsupported(owner, options, {**_NEUTRAL, **self.unavailable}, own)
        if declared is not None and columns is not None:
            raise ValueError(f"[{owner}] input_shape and input_dim must not be given both")
        if columns is not None:
            declared = (integer(owner, "input_dim", columns),)
        self._set_of_weights({"activity_regularizer": activity})
        if self.activity_regularizer is not None:
            self.activity_regularizer.check_activity(owner)
        self.declared = None if declared is None else shape(owner, "input_shape", declared, is_open=True)
        self._trainable = boolean(owner, "trainable", trainable)
        self._name = names.automatic(owner) if name is None else names.checked(owner, name)
        self.block: _core.Variables | None = None  # the weights, created at first use
        # Shapes of one sample: of each input, and of the output. None before the layer is built.
        self.shapes: tuple[list[OpenShape], OpenShape] | None = None
        # Calls on symbolic values, the oldest first.
        self._calls: weakref.WeakKeyDictionary[Call, None] = weakref.WeakKeyDictionary()
        # For calls on arrays: the ranks of the inputs, as open shapes, and a network of this layer alone.
        self._alone: tuple[list[OpenShape], _core.Network] | None = None

    # ---- description

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. A change takes effect in the next ``compile``."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = boolean(self.name, "trainable", value)

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        return self.shapes is not None

    def _known_shapes(self) -> tuple[list[OpenShape], OpenShape]:
        if self.shapes is None:
            raise AttributeError(f"[{self.name}] the layer has no shapes yet: it is not built")
        return self.shapes

    @property
    def input_shape(self) -> Any:
        """Shape of the input, with None for the batch axis; a list of shapes if the layer takes several."""
        return self._with_batch(self._known_shapes()[0])

    def _with_batch(self, samples: Iterable[OpenShape]) -> Any:
        """Shapes of inputs as `input_shape` has them, from shapes of one sample."""
        shapes = [(None, *sample) for sample in samples]
        return shapes if self._several else shapes[0]

    @property
    def output_shape(self) -> OpenShape:
        """Shape of the output, with None for the batch axis."""
        return (None, *self._known_shapes()[1])

    def _live_call(self) -> Call | None:
        """The first call that a value or a model still holds."""
        with whole:  # another thread may register a call
            return next(iter(self._calls), None)

    def _first_call(self) -> Call:
        if (call := self._live_call()) is not None:
            return call
        raise AttributeError(
            f"[{self.name}] is in no model and was not called on values, so it has no input or output"
        )

    @property
    def input(self) -> Any:
        """The symbolic value that the layer's first call reads; a list if the layer takes several inputs.
        AttributeError if neither a model nor the user has called the layer on symbolic values.
        """
        values = list(self._first_call().inputs)
        return values if self._several else values[0]

    @property
    def output(self) -> Value:
        """The symbolic value that the layer's first call returns. Raises AttributeError as `input` does."""
        return self._first_call().values()[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, in types that JSON can hold."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        for name in self._settings:
            if name != "activity_regularizer" or self.activity_regularizer is not None:
                config[name] = _of_weights.entry(getattr(self, name))
        return config

    @classmethod
    def from_config(cls: type[_L], config: Mapping[str, Any]) -> _L:
        """A new layer of the arguments that `get_config` returns."""
        return cls(**{name: _of_weights.value(cls.__name__, name, given) for name, given in config.items()})

    def _set_of_weights(self, given: Mapping[str, Any]) -> None:
        """Sets the initializers, regularizers and constraints among the arguments `given`."""
        for name in self._settings:
            if name in given and name not in vars(self) and _of_weights.is_of_weights(name):
                setattr(self, name, _of_weights.found(name, given[name], type(self).__name__))

    def spec(self) -> tuple[str, dict[str, Any]]:
        """The layer's kind and attributes, as the compiled core takes them."""
        own = [name for name in self._settings if not _of_weights.is_of_weights(name)]
        settings = {name: getattr(self, name) for name in own}
        return self.kind, {name: v.__name__ if callable(v) else v for name, v in settings.items()}

    def infer(self, before: Sequence[OpenShape]) -> tuple[OpenShape, Parameters]:
        """Output shape of one sample, and names and shapes of the weights."""
        after, parameters = self._infer_closed(before, _TRIED[0])
        if all(None not in one for one in before):
            return after, parameters
        other, others = self._infer_closed(before, _TRIED[1])
        if parameters != others:
            raise ValueError(
                f"[{self.name}] the size of its weights is open for samples of shape {before[0]}: give all "
                "sizes, or put a layer such as GlobalAveragePooling2D before it"
            )
        return tuple(a if a == b else None for a, b in zip(after, other)), parameters

    def _infer_closed(self, before: Sequence[OpenShape], size: int) -> tuple[OpenShape, Parameters]:
        kind, attributes = self.spec()
        try:
            after, parameters = _core.infer((kind, attributes), closed(before, size))
        except ValueError as error:
            hint = "" if all(before) else f" (x has one axis only, of samples or of features). {ONE_SAMPLE}"
            hint = f" ({size} stands for sizes that are open)" if any(None in b for b in before) else hint
            raise ValueError(f"[{self.name}] {str(error).removeprefix(f'[{kind}] ')}{hint}") from None
        return tuple(after), [(name, tuple(sizes)) for name, sizes in parameters]

    def _open_shapes(self, name: str, given: Any) -> list[OpenShape]:
        """Shapes of one sample of each input, from one shape with the batch axis, or a list of them."""
        each = given if self._several else [given]
        if not isinstance(each, (list, tuple)) or (self._several and not all(map(several, each))):
            raise TypeError(f"[{self.name}] {name} must be a list of shapes, got {given!r}")
        return [shape(self.name, name, one, batch_axis=True, is_open=True) for one in each]

    def compute_output_shape(self, input_shape: Sequence[Any]) -> OpenShape:
        """The output shape for an input shape, or a list of them; all with the batch axis, or None for it."""
        after = self.infer(self._open_shapes("input_shape", input_shape))[0]
        batch = input_shape[0][0] if self._several else input_shape[0]
        return (batch, *after)

    # ---- calls

    def build(self, input_shape: Sequence[Any]) -> None:
        """Creates the weights of a layer outside a model. A built layer takes any shape that fits them.

        Args:
            input_shape: with the batch axis, which may be None; a list of shapes for several inputs.

        Raises:
            ValueError: the shape does not fit the layer, or the weights that it has.
        """
        before = self._open_shapes("input_shape", input_shape)
        if self.shapes is None or before != self.shapes[0]:
            self.take_shapes(before, self._fitting(before))
        self._own()

    def _fitting(self, before: Sequence[OpenShape]) -> OpenShape:
        """Output shape of one sample. ValueError if the shapes do not fit the layer or its weights."""
        after, parameters = self.infer(before)
        if self.block is not None:
            expected = self.block.shapes
        elif self._live_call() is not None and self._known_shapes()[0] != list(before):
            expected = self.infer(self._known_shapes()[0])[1]
        else:
            return after
        if parameters != expected:
            known = self._known_shapes()[0][0]
            raise ValueError(f"[{self.name}] is built for samples of shape {known}, got {before[0]}")
        return after

    def take_shapes(self, before: Sequence[OpenShape], after: OpenShape) -> None:
        """Sets the layer's shapes, unless a call on symbolic values has set them before."""
        if self.shapes is None or self._live_call() is None:
            self.shapes = list(before), after

    def shapes_for(self, before: Sequence[OpenShape]) -> list[OpenShape]:
        """Output shapes of a call on samples of these shapes. ValueError if they do not fit."""
        if not self._several and len(before) != 1:
            raise ValueError(
                f"[{self.name}] takes one input, got {len(before)}: join them, for example by Concatenate"
            )
        return [self._fitting(before)]

    def called(self, values: Sequence[Value]) -> Call:
        """A new call on these values, which `register` makes known to the layer."""
        return Call(self, values, self.shapes_for([value.sample for value in values]))

    def register(self, call: Call) -> None:
        with whole:
            self.take_shapes([value.sample for value in call.inputs], call.shapes[0])
            self._calls[call] = None

    def block_of(self, before: Sequence[OpenShape], values: list[Floats]) -> _core.Variables:
        """New variables with these values."""
        variables = _core.Variables(self.spec(), closed(before, _TRIED[0]))
        variables.write(0, values)
        return variables

    def block_for(
        self, before: Sequence[OpenShape], parameters: Parameters, rng: Callable[[int], np.random.Generator]
    ) -> _core.Variables:
        """The layer's variables; if it has none, new ones with initial values, which it does not own yet."""
        if (own := self.block) is not None:  # read once: another thread may set it
            return own
        drawn = [
            getattr(self, f"{name}_initializer").sample(sizes, rng(i))
            for i, (name, sizes) in enumerate(parameters)
        ]
        return self.block_of(before, drawn)

    def _own(self) -> _core.Variables | None:
        """The layer's variables, created if need be; None if the layer is not built."""
        if self.block is None and self.shapes is not None:
            before, seed = self.shapes[0], seeds.draw_seed()
            parameters = self.infer(before)[1]
            variables = self.block_for(before, parameters, lambda i: seeds.of_parameter(seed, 0, i))
            with whole:  # another thread may have created them meanwhile
                self.block = self.block or variables
        return self.block

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Calls the layer on an array (n, ...), or on a symbolic value of a model that is being described.

        A call on an array returns an array, and builds the layer if need be. A call on a `Value`, as `Input`
        or another layer returns it, returns a `Value`. Layers with several inputs take a list.

        >>> from nncore.layers import Flatten
        >>> Flatten()([[[1, 2], [3, 4]]]).tolist()
        [[1.0, 2.0, 3.0, 4.0]]
        """
        if isinstance(x, Layer):
            raise TypeError(f"[{self.name}] must be called on an array or a value, got the layer {x.name!r}")
        if self._several and (not isinstance(x, (list, tuple)) or not x):
            raise TypeError(f"[{self.name}] must be called on a list of arrays or values, got {x!r:.100}")
        if (values := values_in(x)) is not None:
            if training is not None:
                raise ValueError(
                    f"[{self.name}] training={training!r} is not available for a value: models decide it"
                )
            call = self.called(values)
            self.register(call)
            return call.values()[0]
        on = in_training(self.name, training)
        arrays = [as_array(self.name, "x", one) for one in (x if self._several else [x])]
        self.build(self._with_batch(a.shape[1:] for a in arrays))
        return self._computed(arrays, on and (self.trainable or not self.state))

    def _computed(self, arrays: list[NDArray[Any]], training: bool) -> Floats:
        """The output for arrays, computed by a network of this layer alone."""
        axes: list[OpenShape] = [(None,) * (a.ndim - 1) for a in arrays]
        if self._alone is None or self._alone[0] != axes:
            count = len(arrays)
            calls, own = [(0, list(range(count)))], self._own()
            assert own is not None
            self._alone = axes, _core.Network(axes, [self.spec()], calls, [count], True, [own])
        network = self._alone[1]
        if training:
            network.seed = seeds.draw_seed()
        try:
            out: Floats = network.forward(tuple(arrays) if len(arrays) > 1 else arrays[0], training)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        return out

    # ---- weights

    @property
    def weights(self) -> list[Variable]:
        """Views of the weights; an empty list before the layer is built."""
        variables = self._own()
        shapes = variables.shapes if variables else []
        return [Variable(self, i, name, sizes) for i, (name, sizes) in enumerate(shapes)]

    def _weight(self, name: str) -> Variable:
        if self.shapes is None:
            raise AttributeError(f"[{self.name}] has no {name} yet: it is not built")
        return next(weight for weight in self.weights if weight.name == name)

    def get_weights(self) -> list[Floats]:
        """Copies of the weights, in the order of `weights`."""
        return self.read(0, len(self.weights))

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape is wrong; no weight is changed then.
        """
        self.write(0, self._values_to_set(weights))

    def read(self, first: int, count: int) -> list[Floats]:
        variables = self._own()
        return variables.read(first, count) if variables else []

    def write(self, first: int, values: list[Floats]) -> None:
        if variables := self._own():
            variables.write(first, values)

    def __reduce__(self) -> tuple[Callable[..., Layer], tuple[Any, ...]]:
        before = None if self.shapes is None else self.shapes[0]
        return _remade, (type(self), self.get_config(), self.declared, before, self.get_weights())


def _remade(
    cls: type[_L],
    config: dict[str, Any],
    declared: OpenShape | None,
    before: list[OpenShape] | None,
    values: list[Floats],
) -> _L:
    layer = cls.from_config(config)
    layer.declared = declared
    if before is not None:
        layer.build(layer._with_batch(before))
        layer.set_weights(values)
    return layer
