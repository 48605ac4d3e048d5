"""`Model`: a network of any graph of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..callbacks.callback import Callbacks, History
from ..common import names
from ..common.arguments import boolean
from ..common.arguments import training as in_training
from ..common.arrays import Floats
from ..common.custom import CustomObjectScope
from ..common.described import Compiled
from ..common.values import Form, Value, described, is_named, one_or_list, unpacked
from ..graph.graph import Graph
from ..graph.net import Net
from ..layers import Variable, Weighted, augments
from ..optimizers import Optimizer
from ..training import passes
from ..training.data import require_all
from ..training.steps import Changes
from ..training.trainer import Trainer, by_trainer
from . import files


def _stop(mode: str) -> Any:
    return property(
        lambda self: self._trainer.stops[mode], lambda self, value: self._trainer.stops.update({mode: value})
    )


class Model(Weighted, Compiled):
    """A network of layers from inputs to outputs, with Keras' interface.

    Args:
        inputs: a symbolic value, or a list, tuple or dict of values. They come from `Input`, or from any
            layer: the model then begins after that layer.
        outputs: values computed from the inputs, in the same forms. `predict` returns arrays in the form of
            the outputs; for a list or tuple of one output, the array.
        trainable: False sets all layers not trainable; default True.
        name: default "functional" with a running number.

    Raises:
        TypeError: inputs or outputs are no values.
        ValueError: an output needs an input that is not given, or layers have the same name.

    A model can be called on values like a layer. Its layers may also be in other models, which share the
    weights: ``Model(model.input, model.get_layer("code").output)`` is a part of a trained model.

    >>> from nncore.layers import Add, Dense, Input
    >>> x = Input((4,))
    >>> model = Model(x, Add()([x, Dense(4, activation="relu")(x)]))
    >>> model.predict([[1, 2, 3, 4]]).shape
    (1, 4)
    """

    _uncalled = (
        "call __call__ build train_step test_step predict_step make_train_function make_test_function "
        "make_predict_function compute_loss compute_metrics get_metrics_result reset_metrics metrics "
        "evaluate compute_output_shape compute_output_spec compute_mask add_loss add_metric losses "
        "trainable_weights trainable_variables stateless_call symbolic_call stateless_compute_loss "
        "save_own_variables load_own_variables get_build_config build_from_config get_compile_config "
        "compile_from_config"
    )
    _instead = (
        "Use a callback of nncore.callbacks for what is done around steps and epochs, and another name for a "
        "method that only your own code calls"
    )

    def __init__(
        self, inputs: Any = None, outputs: Any = None, trainable: bool = True, name: str | None = None
    ) -> None:
        owner = type(self).__name__
        trainable = boolean(owner, "trainable", trainable)
        if inputs is None or outputs is None:
            raise ValueError(
                f"[{owner}] inputs and outputs must be given, e.g. Model(x, Dense(1)(x)) with x = Input((4,))"
            )
        net = Net(self._named(name, "Functional"))
        net.take(Graph(net.name, inputs, outputs))
        self._own(net, trainable)

    def _named(self, name: object, default: str) -> str:
        """The given name, or else an automatic one."""
        own, is_model = type(self).__name__, type(self) is Model
        return names.checked(own, name) if name is not None else names.automatic(default if is_model else own)

    def _own(self, net: Net, trainable: bool = True) -> None:
        self._name, self._net, self._trainer = net.name, net, Trainer(net, self)
        if not trainable:
            self.trainable = False

    def build(self, input_shape: Any = None) -> None:
        """Checks a shape with the batch axis, or a list of shapes; a `Model` is built from the beginning.

        Raises:
            ValueError: the inputs have other shapes.
        """
        if input_shape is not None:
            self.compute_output_shape(input_shape)

    # ---- structure

    @property
    def layers(self) -> list[Any]:
        """The layers, and models among them, in the order of `weights`."""
        return self._net.layers

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        return self._net.network is not None

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer with a name, or at an index.

        Raises:
            ValueError: there is no such layer, or both or neither of name and index are given.
        """
        return self._net.layer(name, index)

    def _graph(self, part: str) -> Graph:
        if self._net.graph is None:
            raise AttributeError(f"[{self.name}] has no {part} yet: it is not built")
        return self._net.graph

    @property
    def inputs(self) -> list[Value]:
        """The values of the inputs. Before the model is built, all such properties raise AttributeError."""
        return list(self._graph("inputs").inputs)

    @property
    def outputs(self) -> list[Value]:
        return list(self._graph("outputs").outputs)

    @property
    def input(self) -> Any:
        """The value of the input; for several inputs a list, tuple or dict, as given to the model."""
        graph = self._graph("input")
        return graph.in_form.pack(graph.inputs)

    @property
    def output(self) -> Any:
        """The value of the output, or several, as `input`."""
        graph = self._graph("output")
        return graph.out_form.pack(graph.outputs)

    @property
    def input_names(self) -> list[str]:
        """The names of the `Input` layers, or of the layers that inputs come from, numbered if need be."""
        return list(self._graph("input names").input_names)

    @property
    def output_names(self) -> list[str]:
        """The keys of a dict of outputs, or the names of the outputs' layers, numbered if need be."""
        return self._graph("output names").output_names()

    @property
    def input_shape(self) -> Any:
        """The shape of the input, with None for the batch axis and open sizes; for several inputs a list."""
        return one_or_list([value.shape for value in self._graph("input shape").inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or several, as `input_shape`."""
        return one_or_list([value.shape for value in self._graph("output shape").outputs])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs from shapes of the inputs, with the batch axis, which may be None.

        Raises:
            ValueError: a layer does not take the shapes, or the model is not built.
        """
        return self._net.output_shape_for(input_shape)

    # ---- weights

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable. Setting it sets all layers, for the next ``compile``."""
        layers = self._net.computing()
        return any(layer.trainable for layer, _ in layers) or not layers

    @trainable.setter
    def trainable(self, value: bool) -> None:
        flag = boolean(self.name, "trainable", value)
        for layer, _ in self._net.computing():
            layer.trainable = flag

    @property
    def weights(self) -> list[Variable]:
        """Views of the weights of all layers; none before the model is built."""
        return [weight for layer, _ in self._net.computing() for weight in layer.weights]

    def get_weights(self) -> list[Floats]:
        """Copies of the weights of all layers, in the order of `weights`; none before the model is built."""
        net = self._net
        if net.network is None:
            return [values for layer, _ in net.computing() for values in layer.get_weights()]
        return [values.copy() for values in net.parts(net.network.read("parameters"))]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of `get_weights`.

        Raises:
            ValueError: the model is not built, or their number or a shape is wrong; nothing is changed then.
        """
        net = self._net
        net.required_network().write("parameters", net.joined(self._values_to_set(weights)))

    # ---- training

    compile = by_trainer(Trainer.compile)
    reset_metrics = by_trainer(Trainer.reset_metrics)
    fit = by_trainer(passes.fit)
    evaluate = by_trainer(passes.evaluate)
    train_on_batch = by_trainer(Trainer.train_on_batch)
    test_on_batch = by_trainer(Trainer.test_on_batch)

    @property
    def compiled(self) -> bool:
        return self._trainer.settings is not None

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; None before ``compile``. Its learning_rate can be set at any time."""
        return s.optimizer if (s := self._trainer.settings) else None  # type: ignore[return-value]

    @property
    def loss(self) -> Any:
        """The argument loss of ``compile``."""
        return s.given_loss if (s := self._trainer.settings) else None

    @property
    def metrics(self) -> list[Any]:
        """See `Trainer.metrics`."""
        return self._trainer.metrics()

    @property
    def metrics_names(self) -> list[str]:
        """Names of the values that `evaluate` returns, in order."""
        return list(s.returned) if (s := self._trainer.settings) else []

    @property
    def history(self) -> History:
        """The `History` of the last `fit`; None before the first."""
        return self._trainer.history  # type: ignore[return-value]

    # If a callback sets one to True, the call ends after the step.
    stop_training, stop_evaluating, stop_predicting = _stop("train"), _stop("test"), _stop("predict")

    @property
    def gradients(self) -> Changes | None:
        """A function f(gradients) that `fit` and `train_on_batch` call between gradient and update of each
        step, or None (default).

        Its argument has a float32 array for each of the weights that were trainable when the model was
        compiled, in the order and with the shapes of `trainable_weights`: the gradient of the batch's loss,
        before accumulation and clipping. It changes the arrays in place and returns None, or returns new
        ones. Processes that share a batch can add up their gradients here. It may use the model, which is not
        locked. An exception ends the call and leaves the model as before the step. The function is not saved
        with the model.

        Raises:
            TypeError: the value is no function.

        >>> import nncore
        >>> from nncore.layers import Dense, Input
        >>> model = nncore.Sequential([Input((3,)), Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> model.gradients = lambda gradients: print([g.shape for g in gradients])
        >>> _ = model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
        [(3, 2), (2,)]
        """
        return self._trainer.change

    @gradients.setter
    def gradients(self, change: Changes | None) -> None:
        if change is not None and not callable(change):
            raise TypeError(f"[{self.name}] gradients must be a function or None, got {change!r}")
        self._trainer.change = change

    # ---- prediction

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Outputs (n, ...) of inputs (n, ...). With `training`, dropout is applied, and batch normalizations
        use the statistics of the batch and update the moving ones; other weights stay. It is True by default
        for a model of layers such as `RandomFlip` alone, as for such a layer.

        On symbolic values, such as those of `Input`, the model is called like a layer: it returns values in
        the form of its outputs, and its layers, with their weights, become part of the new model.
        """
        form, given = unpacked(x) if isinstance(x, (list, tuple)) or is_named(x) else (Form(), [x])
        if any(isinstance(one, Value) for one in given):
            if training is not None:
                raise ValueError(
                    f"[{self.name}] training={training!r} is not available for a value: models decide it"
                )
            if form.keys:
                graph = self._net.required_graph()
                given = graph.arranged(self.name, "x", x, graph.in_form, graph.input_names)
                require_all(self.name, graph.input_names, given)
            if not all(isinstance(one, Value) for one in given):
                raise TypeError(f"[{self.name}] expected a value for each input, got {described(given)}")
            values = self._net.called(self, given).values()  # this builds a Sequential
            return self._net.required_graph().out_form.pack(values)
        training = augments(self.layers) if training is None else training
        if on := training is not False and in_training(self.name, training):
            self._trainer.freeze_state(x)
        return self._trainer.outputs(x, on)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs of one batch, as `predict`."""
        return self(x, training=False)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Callbacks = None,
    ) -> Any:
        """Outputs for inputs.

        It is silent by default, unlike Keras, so that a prediction in a loop does not fill the screen.

        Args:
            x: as in `fit`; only x of an iterator's batches is used.
            batch_size: samples in one of `steps`, and between two calls of callbacks for batches; default 32.
                It has no influence on the result.
            verbose: default 0; other values as in `fit`.
            steps: number of batches, if not all data.
            callbacks: as in `fit`.

        Returns:
            Array (n, ...) of float32, without samples for an empty x. For several outputs, or a dict of one,
            a list, tuple or dict of arrays in the form of the model's outputs.

        Raises:
            ValueError, TypeError: as in `fit`, but the model need not be compiled.
        """
        trainer = self._trainer
        plain = batch_size is None and steps is None and callbacks is None
        if plain and type(x) is np.ndarray and type(verbose) is int and verbose == 0:
            # This repeats the beginning of `outputs`, as the call takes 0.4 us of 9 us for one sample.
            net = self._net
            if net.direct is not None and net.gives_one:
                try:
                    return net.direct.forward(x, False)
                except _core.RefusedArray:
                    pass
            return trainer.outputs(x, False)
        return passes.predict(trainer, x, batch_size, verbose, steps, callbacks)

    # ---- summary and files

    summary = by_trainer(files.summary)
    save = by_trainer(files.save)
    save_weights = by_trainer(files.save_weights)
    load_weights = by_trainer(files.load_weights)
    get_config = by_trainer(files.get_config)
    to_json = by_trainer(files.to_json)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """A model with new weights from the result of `get_config`."""
        return files.from_config(KINDS, with_net, config)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Any, ...]]:
        functions = self._trainer.functions()
        return from_bytes, (type(self), files.to_bytes(self._trainer), *([functions] if functions else []))


# Classes of models by their names in files.
KINDS: dict[str, type[Model]] = {"Model": Model}


def net_of(model: object) -> Net | None:
    """The net of a model; None for anything else."""
    return model._net if isinstance(model, Model) else None


def with_net(cls: type[Model], net: Net) -> tuple[Model, Trainer]:
    """A new model of a class with a net, and its trainer."""
    model = cls.__new__(cls)
    model._own(net)
    return model, model._trainer


def from_bytes(cls: type[Model], data: bytes, functions: Mapping[str, Any] | None = None) -> Model:
    """The model from a pickle. functions: the Python functions among its metrics, by their names."""
    with CustomObjectScope(functions):
        return files.from_bytes(KINDS, with_net, cls, data)  # type: ignore[no-any-return]
