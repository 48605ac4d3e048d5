"""The base class of layers: name, settings, shapes, calls, and weights that several models may share."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from numpy.typing import ArrayLike

from .. import _core
from ..common import names, seeds, whole
from ..common.arguments import boolean, integer, reject_unsupported, several, shape
from ..common.arguments import training as in_training
from ..common.arrays import Floats, as_array
from ..common.described import Settings
from ..common.values import (
    NO_OPTIONS,
    Call,
    OpenShape,
    Options,
    Parameters,
    Shapes,
    Value,
    arranged,
    one_or_list,
    resolved,
    values_in,
)
from . import _of_weights, _unfolding
from ._weights import Variable, Weighted

if TYPE_CHECKING:
    from ..regularizers import Regularizer

_L = TypeVar("_L", bound="Layer")
_T = TypeVar("_T")
Run = Callable[["Layer", list[_T]], _T]  # gives what a layer of the core makes of inputs

# Arguments that Keras' layers also take, with the only value that is accepted.
_NEUTRAL: dict[str, Any] = {"dtype": "float32", "autocast": True}
_OPTIONS = ("name", "trainable", "input_shape", "input_dim", "activity_regularizer")


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
    takes_several: ClassVar[bool] = False  # whether the layer takes a list of inputs
    activity_regularizer: Regularizer | None
    supports_masking: bool = False  # whether it keeps or makes a mask, the steps of a value that count
    reads_mask: ClassVar[bool] = False  # whether a call reads the masks of its inputs, see `unfold`
    states: ClassVar[int] = 0  # parts of the state that a recurrent layer carries from step to step
    unavailable: ClassVar[Mapping[str, Any]] = {}
    state: ClassVar[tuple[str, ...]] = ()  # weights that the layer itself updates in training
    parts: tuple[Layer, ...] = ()  # see `_set_parts`

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
        self.shapes: Shapes | None = None  # None before the layer is built
        # Calls on symbolic values, the oldest first.
        self._calls: weakref.WeakKeyDictionary[Call, None] = weakref.WeakKeyDictionary()
        # For calls on arrays: the ranks of the inputs, as open shapes, with the options of the call, and a
        # network of this layer alone.
        self.alone: tuple[Any, _core.Network] | None = None

    # ---- description

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights, from the next ``compile`` on."""
        return any(part.trainable for part in self.parts) if self.parts else self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = boolean(self.name, "trainable", value)
        for part in self.parts:
            part.trainable = self._trainable

    @property
    def built(self) -> bool:
        return self.shapes is not None

    def _known_shapes(self) -> Shapes:
        if self.shapes is None:
            raise AttributeError(f"[{self.name}] the layer has no shapes yet: it is not built")
        return self.shapes

    @property
    def input_shape(self) -> Any:
        """Shape of the input, with None for the batch axis; a list of shapes if the layer takes several."""
        return self._with_batch(self._known_shapes().before)

    def _with_batch(self, samples: Iterable[OpenShape]) -> Any:
        """Shapes of inputs as `input_shape` has them, from shapes of one sample."""
        shapes = [(None, *sample) for sample in samples]
        return shapes if self.takes_several else shapes[0]

    @property
    def output_shape(self) -> Any:
        """Shape of the output, with None for the batch axis; a list of shapes if there are several."""
        return one_or_list([(None, *sample) for sample in self._known_shapes().after])

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
        return values if self.takes_several else values[0]

    @property
    def output(self) -> Any:
        """What the layer's first call on values returns. Raises AttributeError as `input` does."""
        return one_or_list(self._first_call().values())

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
        """Output shape of one sample, and names and shapes of the weights, of a layer without parts."""
        return _unfolding.inferred(self.name, self.spec(), before)

    def _open_shapes(self, name: str, given: Any) -> list[OpenShape]:
        """Shapes of one sample of each input, from one shape with the batch axis, or a list of them."""
        each = given if self.takes_several else [given]
        if not isinstance(each, (list, tuple)) or (self.takes_several and not all(map(several, each))):
            raise TypeError(f"[{self.name}] {name} must be a list of shapes, got {given!r}")
        return [shape(self.name, name, one, batch_axis=True, is_open=True) for one in each]

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """The output shape for an input shape, or lists of them; all with the batch axis, or None for it."""
        after = _unfolding.outlined(self, self._open_shapes("input_shape", input_shape), {})[0]
        batch = input_shape[0][0] if self.takes_several else input_shape[0]
        return one_or_list([(batch, *sample) for sample in after])

    # ---- calls

    def build(self, input_shape: Sequence[Any]) -> None:
        """Creates the weights of a layer outside a model. A built layer takes any shape that fits them.

        Args:
            input_shape: with the batch axis, which may be None; a list of shapes for several inputs.

        Raises:
            ValueError: the shape does not fit the layer, or the weights that it has.
        """
        self._build(self._open_shapes("input_shape", input_shape), {})

    def _build(self, before: list[OpenShape], options: Options) -> None:
        if self.shapes is None or before != self.shapes.before or options != self.shapes.options:
            self.take_shapes(Shapes(before, self.shapes_for(before, options), options))
        self.own()

    def take_shapes(self, shapes: Shapes) -> None:
        """Sets the layer's shapes, unless a call on symbolic values has set them before."""
        if self.shapes is None or self._live_call() is None:
            self.shapes = shapes
            if self.parts:
                _unfolding.take_shapes_of_parts(self, shapes)

    def shapes_for(self, before: Sequence[OpenShape], options: Options = NO_OPTIONS) -> list[OpenShape]:
        """Output shapes of a call on samples of these shapes.

        Raises:
            ValueError: they do not fit the layer or its weights.
        """
        if not self.takes_several and len(resolved(before, options)[0]) != 1:
            raise ValueError(
                f"[{self.name}] takes one input, got {len(before)}: join them, for example by Concatenate"
            )
        after, parameters = _unfolding.outlined(self, before, options)
        known = self.shapes if self._live_call() is not None else None
        is_other = known is not None and known.before != list(before)
        if known and is_other and parameters != _unfolding.outlined(self, known.before, known.options)[1]:
            raise ValueError(_unfolding.unfit(self, known.before, before))
        return after

    def called(self, values: Sequence[Value], options: Options = NO_OPTIONS) -> Call:
        """A new call on these values, which `register` makes known to the layer."""
        after = self.shapes_for([value.sample for value in values], options)
        return Call(self, values, after, options=options)

    def register(self, call: Call) -> None:
        with whole:
            self.take_shapes(Shapes([v.sample for v in call.inputs], list(call.shapes), call.options))
            self._calls[call] = None

    def _set_parts(self, *parts: Layer) -> None:
        """Makes the layer consist of others: `unfold` calls them, and their weights are the layer's."""
        self.parts = parts
        if not self._trainable:
            self.trainable = False

    def prepare(self, before: Sequence[OpenShape]) -> None:
        """Makes parts that depend on the shapes of the inputs, before the layer unfolds for these."""

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        """What a call of the layer makes, where `call` returns what a layer of the core makes of inputs.

        A layer of parts calls their `unfold`. The arguments are those of the call, with any type of inputs,
        and the mask of its input if the layer `reads_mask`, of several a list. It is read after the inputs.
        """
        if self.reads_mask and (mask := named.pop("mask", None)) is not None:
            inputs = (*inputs, mask)
        if named:
            raise TypeError(f"[{self.name}] got an unexpected argument {next(iter(named))!r}")
        return [call(self, list(inputs))]

    def mask_after(self, call: Run[_T], inputs: Sequence[_T], masks: Sequence[_T | None]) -> _T | None:
        """The mask of the first output, for those of the inputs. `call` as in `unfold`."""
        return masks[0] if self.supports_masking else None

    def leaves(self, path: str) -> Iterator[tuple[Layer, str]]:
        """The layers of the core that the layer consists of, itself without parts, with their paths.

        path: that of this layer. A part with the same name has it, too.
        """
        if not self.parts:
            yield self, path
        for part in self.parts:
            yield from part.leaves(path if part.name == self.name else f"{path}/{part.name}")

    def stored(self, path: str) -> Iterator[tuple[str, str, list[Variable]]]:
        """Groups of Keras' files for a layer at `path`: where, the name in it, and the weights in it."""
        yield path, self.name, self.weights

    def of_weight(self, name: str, what: str) -> Any:
        """The initializer, regularizer or constraint of a weight; None without."""
        return vars(self).get(f"{name}_{what}")

    def own(self) -> _core.Variables | None:
        """The layer's variables, created if need be; None if the layer is not built, or has parts."""
        for part in self.parts:
            part.own()
        if self.block is None and self.shapes is not None and not self.parts:
            before, seed = _unfolding.of_weights(self), seeds.draw_seed()
            parameters = self.infer(before)[1]
            made = _unfolding.block_for(self, before, parameters, lambda i: seeds.of_parameter(seed, 0, i))
            with whole:  # another thread may have created them meanwhile
                self.block = self.block or made
        return self.block

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Calls the layer on an array (n, ...), or on a symbolic value of a model that is being described.

        A call on an array returns an array, and builds the layer if need be; a call on a `Value`, as `Input`
        or a layer returns it, a `Value`. Layers with several inputs take a list, those that read a mask
        (n, steps) of 1 for steps that count: by default that of a value.

        >>> from nncore.layers import Flatten
        >>> Flatten()([[[1, 2], [3, 4]]]).tolist()
        [[1.0, 2.0, 3.0, 4.0]]
        """
        if isinstance(x, Layer):
            raise TypeError(f"[{self.name}] must be called on an array or a value, got the layer {x.name!r}")
        if self.takes_several and (not isinstance(x, (list, tuple)) or not x):
            raise TypeError(f"[{self.name}] must be called on a list of arrays or values, got {x!r:.100}")
        return self._applied(x if self.takes_several else values_in(x) or [x], {"mask": mask}, training)

    def _applied(self, inputs: Sequence[Any], keywords: Mapping[str, Any], training: bool | None) -> Any:
        """What a call with these arguments returns: arrays, or values; a list if there are several."""
        every, options = arranged(inputs, keywords)
        if (values := values_in(every)) is not None:
            if training is not None:
                raise ValueError(
                    f"[{self.name}] training={training!r} is not available for a value: models decide it"
                )
            self.register(call := self.called(values, options))
            return one_or_list(call.values())
        on = in_training(self.name, training)
        arrays = [as_array(self.name, "x", one) for one in every]
        given = [(None, *a.shape[1:]) for a in arrays]
        self._build([shape(self.name, "x", one, batch_axis=True, is_open=True) for one in given], options)
        return _unfolding.computed(self, arrays, options, on)

    # ---- weights

    @property
    def weights(self) -> list[Variable]:
        """Views of the weights; an empty list before the layer is built."""
        if self.parts:
            return [weight for part in self.parts for weight in part.weights]
        variables = self.own()
        shapes = variables.shapes if variables else []
        return [Variable(self, i, name, sizes) for i, (name, sizes) in enumerate(shapes)]

    def _weight(self, name: str) -> Variable:
        if self.shapes is None:
            raise AttributeError(f"[{self.name}] has no {name} yet: it is not built")
        return next(weight for weight in self.weights if weight.name == name)

    def get_weights(self) -> list[Floats]:
        """Copies of the weights, in the order of `weights`."""
        if self.parts:
            return [values for part in self.parts for values in part.get_weights()]
        return self.read(0, len(self.weights))

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape is wrong; no weight is changed then.
        """
        rest = self._values_to_set(weights)
        for leaf, _ in self.leaves(""):
            leaf.write(0, [rest.pop(0) for _ in leaf.weights])

    def read(self, first: int, count: int) -> list[Floats]:
        variables = self.own()
        return variables.read(first, count) if variables else []

    def write(self, first: int, values: list[Floats]) -> None:
        if variables := self.own():
            variables.write(first, values)

    def __reduce__(self) -> tuple[Callable[..., Layer], tuple[Any, ...]]:
        shapes = self.shapes and tuple(self.shapes)
        return _unfolding.remade, (type(self), self.get_config(), self.declared, shapes, self.get_weights())
