"""`Model`: a network of any graph of layers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from .. import _core
from ..callbacks import CallbackList, History, Logs
from ..common import arrays as _data
from ..common import names as _names
from ..common.arguments import boolean, integer
from ..common.arguments import training as in_training
from ..common.messages import warn
from ..common.progress import Progress, style
from ..common.values import Form, Value, described, is_named, unpacked
from ..graph.graph import Graph
from ..training.feeds import Data
from ..training.prediction import freeze_state, predicted
from ..training.samples import require_all
from ..training.steps import Steps
from ..training.trainer import Callbacks, Trainable
from .files import saving


class Model(Trainable):
    """A network of layers from inputs to outputs, with Keras' interface.

    Args:
        inputs: what `Input` gives, or a list, tuple or dict of that. Another value that a layer gives will
            do, too: the model then begins there.
        outputs: what layers called on them give, alone, in a list, tuple or dict. `predict` returns arrays in
            the same form, of one output in a list or tuple the array.
        trainable: False for layers whose weights stay as they are; default True.
        name: default "functional" with a running number.

    Raises:
        TypeError: inputs or outputs are no values.
        ValueError: an output needs an input that is not given, or layers have the same name.

    A model can be called on values as a layer, and its layers may be in other models, which then share the
    weights: ``Model(model.input, model.get_layer("code").output)`` is a part of a trained one.

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
        self._begin(name, "Functional")
        self._take(inputs, outputs)
        if not trainable:
            self.trainable = False

    def _take(self, inputs: Any, outputs: Any) -> None:
        graph = Graph(self.name, inputs, outputs)
        while not self._adopt(self._candidate(graph)):
            pass

    def _begin(self, name: str | None, default: str = "") -> None:
        """What all models have before they have a graph."""
        own = default if type(self) is Model else type(self).__name__
        Trainable.__init__(self, _names.automatic(own) if name is None else name)

    def build(self, input_shape: Any = None) -> None:
        """Checks a shape with the batch axis, or a list of them: a model of a graph is built already.

        Raises:
            ValueError: the inputs do not take it.
        """
        if input_shape is not None:
            self.compute_output_shape(input_shape)

    def _graph_for(self, data: Data) -> Graph:
        return self._required_graph()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Trains the model. Everything is checked before the first step.

        Ctrl-C ends it within half a second and leaves the weights of the last finished step.

        Args:
            x: inputs (n, ...) of any real type: array, memmap, list, DataFrame, tensor. Of several inputs a
                list, tuple or dict of them, the dict by the names of inputs. Or something that
                yields batches (x, y) or (x, y, sample_weight), which are taken as they come: an iterable, or
                an object with ``len(x)`` batches ``x[i]``, whose ``on_epoch_end()``, if it has one, is called
                after each epoch (as of `keras.utils.PyDataset`).
            y: targets (n, ...): one value for each output, or class numbers for the sparse loss. An axis of
                length 1 at the end may be left out or added. Of several outputs a list, tuple or dict.
            batch_size: samples in a step; default 32.
            epochs: number of the last epoch; default 1.
            verbose: 0 for silence, 1 for a progress bar, 2 for one line an epoch. "auto" (default) and 1 are
                a bar in a terminal or notebook, and lines elsewhere.
            callbacks: `nncore.callbacks.Callback` instances.
            validation_split: share of the samples, the last ones of x and y, that validate instead of train.
            validation_data: (x, y) or (x, y, sample_weight) to evaluate after each epoch, or something that
                yields batches of them.
            shuffle: a new order in each epoch (default), or always the given one. Batches of an iterator
                come as they are.
            class_weight: class number -> weight of its samples in the loss; classes left out weigh 1.
            sample_weight: (n,) or (n, 1) weights of the samples in the loss. Of several outputs one for all,
                or a list, tuple or dict.
            initial_epoch: number of epochs that are behind; default 0.
            steps_per_epoch: steps of an epoch, if not all data; the next epoch goes on behind them.
            validation_steps: steps of a validation, if not all data.
            validation_batch_size: default batch_size.
            validation_freq: validates after every so many epochs (default 1), or after the listed ones, from
                1.

        Returns:
            The `History` with loss, metrics and both for validation ("val_...") after each epoch: means over
            the samples as they were trained, the loss first.

        Raises:
            ValueError: not compiled, or wrong shapes, labels, numbers. The model is as it was.
            TypeError: wrong types. The model is as it was.
        """
        self._require_loss("fit")
        owner = self.name
        last = integer(owner, "epochs", epochs, low=0)
        first = integer(owner, "initial_epoch", initial_epoch, low=0)
        look, shuffle = style(owner, verbose), boolean(owner, "shuffle", shuffle)
        due = self._validation_due(validation_freq)
        called = CallbackList(owner, callbacks, self)
        given = x, y, sample_weight
        if validation_data is None and validation_split:
            given, validation_data = self._split(*given, validation_split)
        arrays = partial(self._data, class_weight=class_weight)
        feed, data = self._feed(given, batch_size, steps_per_epoch, arrays, shuffle, resume=True)
        validation, seen = None, [data]
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation, other = self._validation_feed(validation_data, size, validation_steps)
            seen.append(other)
        network = self._ready(*seen)
        self._warn_of_changes()
        self.stop_training = False
        history = called.with_history()
        called.start(look, last, feed.steps)
        self.history = history
        logs: Logs = {}
        called.call("on_train_begin", {})
        sums = self._sums[0] = _core.Sums()
        work, so_far = Steps(self, network, sums), partial(self._logs, network, sums)
        with Progress(look) as progress:
            for epoch in range(first, last):
                network.reset(sums)
                called.call("on_epoch_begin", epoch, {})
                feed.start(self._epochs)
                # past our own __setattr__, which a short epoch would notice
                object.__setattr__(self, "_epochs", self._epochs + 1)
                if look:
                    progress.start(f"Epoch {epoch + 1}/{last}", feed.steps)
                if not self._steps("train", feed, work, so_far, called, progress):
                    warn(f"the data ended before epoch {epoch + 1}, and so does the training")
                    break
                logs = so_far()
                if validation is not None and due(epoch + 1):
                    scores = self._test(network, validation, called, Progress())
                    logs.update({f"val_{name}": value for name, value in scores.items()})
                if look:
                    progress.finish(logs)
                called.call("on_epoch_end", epoch, logs)
                if self.stop_training:
                    break
        if self.optimizer is not None:
            self.optimizer.finalize_variable_values()
        called.call("on_train_end", logs)
        return history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data, without training.

        Args:
            x, y, batch_size, verbose, sample_weight, callbacks: as `fit`.
            steps: number of batches, if not all data.
            return_dict: default False.

        Returns:
            The loss; with metrics a list of the loss and them (`metrics_names`); with return_dict a dict.

        Raises:
            ValueError, TypeError: as `fit`.
        """
        self._require_loss("evaluate")
        look, as_dict = style(self.name, verbose), boolean(self.name, "return_dict", return_dict)
        called = CallbackList(self.name, callbacks, self)
        feed, data = self._feed((x, y, sample_weight), batch_size, steps, self._data)
        network = self._ready(data)
        called.start(look, 1, feed.steps)
        with Progress(look).start("Evaluation", feed.steps) as progress:
            logs = self._test(network, feed, called, progress)
            progress.finish(logs)
        return self._returned(logs, as_dict)

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Outputs (n, ...) of inputs (n, ...). With `training`, dropout is at work, and normalizations use
        the batch and move their statistics; other weights stay.

        On values, as those of `Input`, the model is called like a layer: it gives values in the form of its
        outputs, and its layers, with their weights, become part of the model that is described.
        """
        is_several = isinstance(x, (list, tuple)) or is_named(x)
        form, given = unpacked(x) if is_several else (Form(), [x])
        if any(isinstance(one, Value) for one in given):
            if training is not None:
                raise ValueError(
                    f"[{self.name}] training={training!r} is not available for a value: models decide it"
                )
            if form.keys:
                graph = self._required_graph()
                given = graph.arranged(self.name, "x", x, graph.in_form, self.input_names)
                require_all(self.name, graph.input_names, given)
            if not all(isinstance(one, Value) for one in given):
                raise TypeError(f"[{self.name}] expected a value for each input, got {described(given)}")
            values = self._called(given).values()
            return self._required_graph().out_form.pack(values)
        if on := training is not False and in_training(self.name, training):
            freeze_state(self, self._network or self._ready(self._inputs(x), compiled=False))
        return self._outputs(x, on)

    def _outputs(self, x: object, training: bool) -> Any:
        if type(x) is np.ndarray and self._network is not None:
            try:
                out = self._network.forward(x, training)
                return out if self._gives_one else self._packed(out)
            except _core.RefusedArray:
                pass  # x may become an array that the core takes; if not, the reason is found below
        data = self._inputs(x)
        network = self._ready(data, compiled=False)
        try:
            out = network.forward(data.x, training)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        return self._packed(out)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs of one batch, as `predict`."""
        return self(x)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Callbacks = None,
    ) -> Any:
        """Outputs for inputs.

        Silent by default, unlike Keras, so that a prediction in a loop does not fill the screen.

        Args:
            x: as `fit`; of an iterator's batches only x is used.
            batch_size: samples between two calls of callbacks for batches, and in one of `steps`; default
                32. It has no influence on the result.
            verbose: default 0; else as `fit`.
            steps: number of batches, if not all data.
            callbacks: as `fit`.

        Returns:
            Array (n, ...) of float32; of no samples for an empty x. Of several outputs a list, tuple or dict
            of arrays, as the model was given its outputs; a dict of one, too.

        Raises:
            ValueError, TypeError: as `fit`, but the model need not be compiled.
        """
        plain = batch_size is None and steps is None and callbacks is None
        if plain and type(x) is np.ndarray and type(verbose) is int and verbose == 0:
            # As `_outputs` begins, without the call, which took 0.4 us of the 9 of a single prediction.
            if self._network is not None and self._gives_one:
                try:
                    return self._network.forward(x, False)
                except _core.RefusedArray:
                    pass
            return self._outputs(x, False)
        owner, look = self.name, style(self.name, verbose)
        size = None if batch_size is None else integer(owner, "batch_size", batch_size)
        limit = None if steps is None else integer(owner, "steps", steps)
        if not _data.is_batches(x):
            data = self._inputs(x)
            x = data.x
            if limit is not None:
                size = size or max(1, -(-data.rows // limit))
                x, limit = data.cut(slice(limit * size))[0], None
            if callbacks is None and not look:
                return self._outputs(x, False)
        called = CallbackList(owner, callbacks, self)
        return predicted(self, *self._feed((x, None, None), size, limit, self._inputs), called, look)

    # ---- summary

    def summary(
        self, line_length: int | None = None, print_fn: Any = None, show_trainable: bool = False
    ) -> None:
        """Prints a table of the layers, the shapes of their outputs and the numbers of their parameters.

        Args:
            line_length: width of the table; default 88, or less in a narrow terminal.
            print_fn: called once with the whole text, in characters that standard output has; default print.
            show_trainable: with a column that tells which layers train; default False.
        """
        from .summary import summary

        width = None if line_length is None else integer("summary", "line_length", line_length, low=24)
        (print_fn or print)(summary(self, width, boolean("summary", "show_trainable", show_trainable)))

    # ---- files

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes the model into one safetensors file: layers, weights, compile settings and optimizer state.

        A model loaded from it trains on as this one would, bit for bit. The file is complete or not there: a
        failure leaves an older one as it was. A link is followed and kept.

        Args:
            filepath: best a name in ".safetensors". Those of other formats, such as ".keras" and ".h5", raise
                ValueError.
            overwrite: False raises FileExistsError if there is a file; default True.

        Raises:
            ValueError: filepath is empty or names something that is not a regular file, a layer is of a class
                of your own, or there are more layers or settings than a file may have.
            OSError: the file cannot be written there.
            MemoryError: memory does not suffice for a copy of the weights.
        """
        saving().write("save", self, filepath, overwrite, weights_only=False)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes the weights into one safetensors file. Arguments as `save`."""
        saving().write("save_weights", self, filepath, overwrite, weights_only=True)

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Sets the weights from a file of `save_weights` or `save`, in order, whatever the layers are called.

        Raises:
            ValueError: the model is not built, or the file is damaged or of a model of other shapes; nothing
                is changed then.
        """
        self._built_network()
        self.set_weights(saving().read_weights(self, filepath))

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[type[Model], bytes]]:
        return saving().from_bytes, (type(self), saving().to_bytes(self, weights_only=False))
