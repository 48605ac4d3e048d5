"""What all layers have in common: a name, settings, and variables that models may share."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core, _names, _random
from .. import initializers as _initializers
from .._arguments import Settings, boolean, integer, neutral, shape
from .._arguments import training as in_training
from .._data import ONE_SAMPLE, as_array, plain
from .._forks import whole
from .._messages import visible

Floats = NDArray[np.float32]
Shape = tuple[int, ...]
_L = TypeVar("_L", bound="Layer")

# What every layer of Keras also takes, with the values that switch it off.
_NEUTRAL: dict[str, Any] = {"dtype": "float32", "autocast": True, "activity_regularizer": None}
_OPTIONS = ("name", "trainable", "input_shape", "input_dim")


class Variable:
    """One weight of a layer: a view of values that all models with the layer share.

    Attributes:
        name: "kernel" or "bias".
        path: name of the layer and of the weight, "dense/kernel".
        shape: its sizes, as Keras has them.
        dtype: always "float32".
    """

    dtype = "float32"

    def __init__(self, layer: Layer, index: int, name: str, shape: Shape) -> None:
        self._layer, self._index = layer, index
        self.name, self.shape = name, shape

    @property
    def path(self) -> str:
        return f"{self._layer.name}/{self.name}"

    @property
    def trainable(self) -> bool:
        return self._layer.trainable

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def numpy(self) -> Floats:
        """A copy of the values."""
        return self._layer._read(self._index, 1)[0]

    def assign(self, value: ArrayLike) -> None:
        """Sets all values; value has the shape of the weight.

        Raises:
            ValueError: the shape is another.
        """
        self._layer._write(self._index, [_checked_values(self.path, value, self.shape)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values of a Variable cannot be had without a copy")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype=float32>"


def _checked_values(owner: str, value: ArrayLike, expected: Shape) -> Floats:
    array = plain(owner, "value", value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"[{owner}] weights must be numbers, got an array of {array.dtype}")
    if array.shape != expected:
        raise ValueError(f"[{owner}] expected weights of shape {expected}, got {array.shape}")
    return array.astype(np.float32)


class Weighted:
    """What has a name and weights: a layer, or a model of layers."""

    _name: str

    @property
    def name(self) -> str:
        return self._name

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        raise NotImplementedError

    @property
    def weights(self) -> list[Variable]:
        raise NotImplementedError

    @property
    def variables(self) -> list[Variable]:
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if weight.trainable]

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if not weight.trainable]

    def count_params(self) -> int:
        """Number of values in all weights.

        Raises:
            ValueError: it is not built.
        """
        if not self.built:
            raise ValueError(
                f"[{self.name}] is not built, so its parameters cannot be counted: call build(input_shape)"
            )
        return sum(weight.size for weight in self.weights)

    def _values_to_set(self, weights: Sequence[ArrayLike]) -> list[Floats]:
        """What `set_weights` was given, checked."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(f"[{self.name}] expected {len(own)} weights, got {len(weights)}")
        return [_checked_values(v.path, w, v.shape) for w, v in zip(weights, own)]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={visible(self.name)}, built={self.built}>"


class Layer(Weighted, Settings):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled.

    Every layer takes these keyword arguments besides its own:

    Args:
        name: unique in a model; default the class in snake case with a running number (dense, dense_1, ...).
        trainable: whether training changes the weights; default True. Takes effect in ``compile``.
        input_shape: of one sample, on the first layer of a model; the same as an `Input` before it.
        input_dim: n for ``input_shape=(n,)``.
        dtype: None or "float32".
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
    unavailable: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, options: dict[str, Any]) -> None:
        owner = type(self).__name__
        options = dict(options)
        name, trainable = options.pop("name", None), options.pop("trainable", True)
        declared, columns = options.pop("input_shape", None), options.pop("input_dim", None)
        own = [*inspect.signature(type(self).__init__).parameters, *_OPTIONS] if options else ()
        neutral(owner, options, {**_NEUTRAL, **self.unavailable}, own)
        if declared is not None and columns is not None:
            raise ValueError(f"[{owner}] input_shape and input_dim must not be given both")
        if columns is not None:
            declared = (integer(owner, "input_dim", columns),)
        self._declared = None if declared is None else shape(owner, "input_shape", declared)
        self._trainable = boolean(owner, "trainable", trainable)
        self._name = _names.automatic(owner) if name is None else _names.checked(owner, name)
        self._variables: _core.Variables | None = None  # once built
        self._shapes: tuple[Shape, Shape] | None = None  # of one sample, before and after; once built
        self._in_model = False  # whose shapes they are

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
        return self._shapes is not None

    def _known_shapes(self) -> tuple[Shape, Shape]:
        if self._shapes is None:
            raise AttributeError(f"[{self.name}] the layer has no shapes yet: it is not built")
        return self._shapes

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """With None for the batch axis."""
        return (None, *self._known_shapes()[0])

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """With None for the batch axis."""
        return (None, *self._known_shapes()[1])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, in types that JSON knows."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        for name in self._settings:
            value = getattr(self, name)
            if isinstance(value, _initializers.Initializer):
                value = {"class_name": type(value).__name__, "config": value.get_config()}
            elif callable(value):
                value = value.__name__
            elif isinstance(value, tuple):
                value = list(value)
            config[name] = value
        return config

    @classmethod
    def from_config(cls: type[_L], config: Mapping[str, Any]) -> _L:
        """A new layer of the arguments that `get_config` returns."""
        arguments = dict(config)
        for name, value in config.items():
            if isinstance(value, Mapping):
                known = _initializers.CLASSES.get(str(value.get("class_name")))
                settings = value.get("config")
                if known is None or not isinstance(settings, Mapping):
                    raise ValueError(f"[{cls.__name__}] {name} is not an initializer: {value!r}")
                arguments[name] = known(**settings)
        return cls(**arguments)

    def _spec(self) -> tuple[str, dict[str, Any]]:
        """Kind and attributes for the compiled core."""
        settings = {name: getattr(self, name) for name in self._settings if "initializer" not in name}
        return self.kind, {name: v.__name__ if callable(v) else v for name, v in settings.items()}

    def _infer(self, before: Shape) -> tuple[Shape, list[tuple[str, Shape]]]:
        """Shape of one sample after the layer, and the parameters."""
        if self._declared is not None and self._declared != before:
            raise ValueError(
                f"[{self.name}] expected samples of its input_shape {self._declared}, got {before}"
            )
        kind, attributes = self._spec()
        try:
            after, parameters = _core.infer((kind, attributes), [before])
        except ValueError as error:
            hint = "" if before else f" (x has one axis only, of samples or of features). {ONE_SAMPLE}"
            raise ValueError(f"[{self.name}] {str(error).removeprefix(f'[{kind}] ')}{hint}") from None
        return tuple(after), [(name, tuple(sizes)) for name, sizes in parameters]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Both shapes with the batch axis, which may be None."""
        return (
            input_shape[0],
            *self._infer(shape(self.name, "input_shape", input_shape, batch_axis=True))[0],
        )

    def _initial(
        self, parameters: list[tuple[str, Shape]], rng: Callable[[int], np.random.Generator]
    ) -> list[Floats]:
        return [
            getattr(self, f"{name}_initializer").sample(sizes, rng(i))
            for i, (name, sizes) in enumerate(parameters)
        ]

    # ---- on its own

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the weights of a layer outside a model. input_shape has the batch axis, which may be None.

        A layer that is built takes any shape that its weights take.

        Raises:
            ValueError: they do not take it.
        """
        before = shape(self.name, "input_shape", input_shape, batch_axis=True)
        if self._shapes is not None and before == self._shapes[0]:
            return
        after, parameters = self._infer(before)
        if self._shapes is not None:
            self._require_fit(before, parameters)
            if not self._in_model:
                self._shapes = before, after
            return
        seed = _random.draw_seed()
        values = self._initial(parameters, lambda i: _random.of_parameter(seed, 0, i))
        variables = self._made(before, values)
        with whole:
            if fastest := self._variables is None:
                self._become_built(before, after, variables)
        if not fastest:  # another thread has been
            self.build(input_shape)

    def _made(self, before: Shape, values: list[Floats]) -> _core.Variables:
        variables = _core.Variables(self._spec(), [before])
        variables.write(0, values)
        return variables

    def _become_built(self, before: Shape, after: Shape, variables: _core.Variables) -> None:
        self._variables, self._shapes = variables, (before, after)

    def _require_fit(self, before: Shape, parameters: list[tuple[str, Shape]]) -> None:
        if self._variables is None or parameters != self._variables.shapes:
            raise ValueError(
                f"[{self.name}] is built for samples of shape {self._known_shapes()[0]}, got {before}"
            )

    def __call__(self, x: ArrayLike, training: bool | None = False) -> Floats:
        """The layer alone on an array (n, ...). Builds it if need be.

        >>> from nncore.layers import Flatten
        >>> Flatten()([[[1, 2], [3, 4]]]).tolist()
        [[1.0, 2.0, 3.0, 4.0]]
        """
        if isinstance(x, Layer):
            raise TypeError(
                f"[{self.name}] is called on an array, got the layer {x.name!r}: use Sequential([...])"
            )
        array = as_array(self.name, "x", x)
        on = in_training(self.name, training)
        self.build((None, *array.shape[1:]))
        seed = _random.draw_seed() if on else 0
        return _core.forward(self._spec(), array.astype(np.float32), self.get_weights(), on, seed)

    # ---- weights

    @property
    def weights(self) -> list[Variable]:
        """Views of the weights; none before the layer is built."""
        shapes = self._variables.shapes if self._variables else []
        return [Variable(self, i, name, sizes) for i, (name, sizes) in enumerate(shapes)]

    def _weight(self, name: str) -> Variable:
        if self._shapes is None:
            raise AttributeError(f"[{self.name}] has no {name} yet: it is not built")
        return next(weight for weight in self.weights if weight.name == name)

    def get_weights(self) -> list[Floats]:
        """Copies of the weights, in the order of `weights`."""
        return self._read(0, len(self.weights))

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape is wrong; nothing is changed then.
        """
        self._write(0, self._values_to_set(weights))

    def _read(self, first: int, count: int) -> list[Floats]:
        return self._variables.read(first, count) if self._variables else []

    def _write(self, first: int, values: list[Floats]) -> None:
        if self._variables:
            self._variables.write(first, values)

    def __reduce__(self) -> tuple[Callable[..., Layer], tuple[Any, ...]]:
        return _remade, (type(self), self.get_config(), self._declared, self._shapes, self.get_weights())


def _remade(
    cls: type[_L],
    config: dict[str, Any],
    declared: Shape | None,
    shapes: tuple[Shape, Shape] | None,
    values: list[Floats],
) -> _L:
    layer = cls.from_config(config)
    layer._declared = declared
    if shapes is not None:
        layer.build((None, *shapes[0]))
        layer.set_weights(values)
    return layer
