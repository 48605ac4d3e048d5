"""What all layers have in common: a name, settings, and variables that models may share."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..common import names, seeds, whole
from ..common.arguments import boolean, integer, neutral, several, shape
from ..common.arguments import training as in_training
from ..common.arrays import ONE_SAMPLE, Floats, as_array
from ..common.described import Settings
from ..common.values import Call, OpenShape, Parameters, Value, closed, values_in
from . import _of_weights
from ._weights import Variable, Weighted

if TYPE_CHECKING:
    from ..regularizers import Regularizer

_L = TypeVar("_L", bound="Layer")

# What every layer of Keras also takes, with the values that switch it off.
_NEUTRAL: dict[str, Any] = {"dtype": "float32", "autocast": True}
_OPTIONS = ("name", "trainable", "input_shape", "input_dim", "activity_regularizer")
# Shapes with open sizes are inferred twice, with these in place of None: output sizes that differ are open,
# and weights that differ are an error. Many numbers divide both, so that Reshape accepts them.
_TRIED = 720, 1440


class Layer(Weighted, Settings):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled.

    Every layer takes these keyword arguments besides its own:

    Args:
        name: unique in a model; default the class in snake case with a running number (dense, dense_1, ...).
        trainable: whether training changes the weights; default True. Takes effect in ``compile``.
        input_shape: of one sample: on the first layer of a `Sequential` the same as an `Input` before it; of
            no meaning elsewhere.
        input_dim: n for ``input_shape=(n,)``.
        dtype: None or "float32".
        activity_regularizer: a penalty on what each call gives: name or instance of `nncore.regularizers`;
            default none.
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
    _several: ClassVar[bool] = False  # a list of inputs
    activity_regularizer: Regularizer | None
    unavailable: ClassVar[Mapping[str, Any]] = {}
    state: ClassVar[tuple[str, ...]] = ()  # names of weights that the layer itself moves in training

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
        neutral(owner, options, {**_NEUTRAL, **self.unavailable}, own)
        if declared is not None and columns is not None:
            raise ValueError(f"[{owner}] input_shape and input_dim must not be given both")
        if columns is not None:
            declared = (integer(owner, "input_dim", columns),)
        self._set_of_weights(activity_regularizer=activity)
        if self.activity_regularizer is not None:
            self.activity_regularizer.check_activity(owner)
        self.declared = None if declared is None else shape(owner, "input_shape", declared, is_open=True)
        self._trainable = boolean(owner, "trainable", trainable)
        self._name = names.automatic(owner) if name is None else names.checked(owner, name)
        self.block: _core.Variables | None = None  # the variables
        # Of one sample, before and after; once built. Weights are made when a model or somebody wants them.
        self.shapes: tuple[list[OpenShape], OpenShape] | None = None
        # On values, in order.
        self._calls: weakref.WeakKeyDictionary[Call, None] = weakref.WeakKeyDictionary()
        # A network of this layer, for arrays, with the open shapes of its inputs.
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
        """With None for the batch axis; a list of shapes where there are several inputs."""
        shapes = [(None, *before) for before in self._known_shapes()[0]]
        return shapes if self._several else shapes[0]

    @property
    def output_shape(self) -> OpenShape:
        """With None for the batch axis."""
        return (None, *self._known_shapes()[1])

    def _live_call(self) -> Call | None:
        """The first call that a value or a model still holds."""
        with whole:  # another thread may register one
            return next(iter(self._calls), None)

    def _first_call(self) -> Call:
        if (call := self._live_call()) is not None:
            return call
        raise AttributeError(
            f"[{self.name}] the layer is in no model and was not called on values such as those of Input, so "
            "it has no input or output"
        )

    @property
    def input(self) -> Any:
        """The value that the first call of the layer reads; a list where there are several.

        Raises:
            AttributeError: the layer has not been called on values, by a model or otherwise.
        """
        values = list(self._first_call().inputs)
        return values if self._several else values[0]

    @property
    def output(self) -> Value:
        """The value that the first call of the layer makes. Raises as `input`."""
        return self._first_call().values()[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, in types that JSON knows."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        for name in self._settings:
            if name != "activity_regularizer" or self.activity_regularizer is not None:
                config[name] = _of_weights.entry(getattr(self, name))
        return config

    @classmethod
    def from_config(cls: type[_L], config: Mapping[str, Any]) -> _L:
        """A new layer of the arguments that `get_config` returns."""
        return cls(**{name: _of_weights.value(cls.__name__, name, given) for name, given in config.items()})

    def _set_of_weights(self, **given: Any) -> None:
        """Sets arguments such as kernel_regularizer, which weights have by their names."""
        for name, value in given.items():
            setattr(self, name, _of_weights.found(name, value, type(self).__name__))

    def spec(self) -> tuple[str, dict[str, Any]]:
        """Kind and attributes for the compiled core."""
        own = [name for name in self._settings if not _of_weights.is_of_weights(name)]
        settings = {name: getattr(self, name) for name in own}
        return self.kind, {name: v.__name__ if callable(v) else v for name, v in settings.items()}

    def infer(self, before: Sequence[OpenShape]) -> tuple[OpenShape, Parameters]:
        """Shape of one sample after the layer, and the parameters."""
        after, parameters = self._infer_closed(before, _TRIED[0])
        if all(None not in one for one in before):
            return after, parameters
        other, others = self._infer_closed(before, _TRIED[1])
        if parameters != others:
            raise ValueError(
                f"[{self.name}] the size of its weights is open for samples of shape {before[0]}: give all "
                "sizes, or put a layer before it that takes any, such as GlobalAveragePooling2D"
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
        """Of samples, from shapes with the batch axis: one, or a list of them for several inputs."""
        each = given if self._several else [given]
        if not isinstance(each, (list, tuple)) or (self._several and not all(map(several, each))):
            raise TypeError(f"[{self.name}] {name} must be a list of shapes, got {given!r}")
        return [shape(self.name, name, one, batch_axis=True, is_open=True) for one in each]

    def compute_output_shape(self, input_shape: Sequence[Any]) -> OpenShape:
        """Both shapes with the batch axis, which may be None. A list of shapes for several inputs."""
        after = self.infer(self._open_shapes("input_shape", input_shape))[0]
        batch = input_shape[0][0] if self._several else input_shape[0]
        return (batch, *after)

    # ---- calls

    def build(self, input_shape: Sequence[Any]) -> None:
        """Makes the weights of a layer outside a model. input_shape has the batch axis, which may be None; a
        list of shapes for several inputs.

        A layer that is built takes any shape that its weights take.

        Raises:
            ValueError: they do not take it.
        """
        before = self._open_shapes("input_shape", input_shape)
        if self.shapes is None or before != self.shapes[0]:
            self.take_shapes(before, self._fitting(before))
        self._own()

    def _fitting(self, before: Sequence[OpenShape]) -> OpenShape:
        """The shape after the layer. ValueError if the layer or the weights that it has do not fit."""
        after, parameters = self.infer(before)
        if self.block is not None:
            expected = self.block.shapes
        elif self._live_call() is not None and self._known_shapes()[0] != list(before):
            expected = self.infer(self._known_shapes()[0])[1]
        else:
            return after
        if parameters != expected:
            known = self._known_shapes()[0]
            raise ValueError(f"[{self.name}] is built for samples of shape {known[0]}, got {before[0]}")
        return after

    def take_shapes(self, before: Sequence[OpenShape], after: OpenShape) -> None:
        """Shapes are those of the first call on values, or else of the last build."""
        if self.shapes is None or self._live_call() is None:
            self.shapes = list(before), after

    def shapes_for(self, before: Sequence[OpenShape]) -> list[OpenShape]:
        """Of what a call makes. ValueError if it is not possible."""
        if not self._several and len(before) != 1:
            raise ValueError(
                f"[{self.name}] takes one input, got {len(before)}: use a layer such as Concatenate"
            )
        return [self._fitting(before)]

    def called(self, values: Sequence[Value]) -> Call:
        """A call that the layer does not know of before `register`."""
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
        """The variables; new ones of drawn values, which the layer does not take yet, if it has none."""
        if (own := self.block) is not None:  # read once: another thread may set it
            return own
        drawn = [
            getattr(self, f"{name}_initializer").sample(sizes, rng(i))
            for i, (name, sizes) in enumerate(parameters)
        ]
        return self.block_of(before, drawn)

    def _own(self) -> _core.Variables | None:
        """The variables, made now if the layer is built; None if it is not."""
        if self.block is None and self.shapes is not None:
            before, seed = self.shapes[0], seeds.draw_seed()
            parameters = self.infer(before)[1]
            variables = self.block_for(before, parameters, lambda i: seeds.of_parameter(seed, 0, i))
            with whole:  # another thread may have been faster
                self.block = self.block or variables
        return self.block

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The layer on an array (n, ...), or on a value of a model that is being described.

        An array gives an array, and builds the layer if need be. A value, as of `Input` or another layer,
        gives a `Value`. Layers with several inputs take a list.

        >>> from nncore.layers import Flatten
        >>> Flatten()([[[1, 2], [3, 4]]]).tolist()
        [[1.0, 2.0, 3.0, 4.0]]
        """
        if isinstance(x, Layer):
            raise TypeError(f"[{self.name}] is called on an array or a value, got the layer {x.name!r}")
        if self._several and (not isinstance(x, (list, tuple)) or not x):
            raise TypeError(f"[{self.name}] is called on a list of arrays or values, got {x!r:.100}")
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
        self.build([(None, *a.shape[1:]) for a in arrays] if self._several else (None, *arrays[0].shape[1:]))
        return self._computed(arrays, on and (self.trainable or not self.state))

    def _computed(self, arrays: list[NDArray[Any]], training: bool) -> Floats:
        """By a network of this layer alone."""
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
        """Views of the weights; none before the layer is built."""
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
            ValueError: their number or a shape is wrong; nothing is changed then.
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
        layer.build([(None, *one) for one in before] if cls._several else (None, *before[0]))
        layer.set_weights(values)
    return layer
