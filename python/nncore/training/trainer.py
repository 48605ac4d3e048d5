"""What a model is trained for, its data, and the passes of them through its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..callbacks import Callback, CallbackList, History, Logs
from ..common import arrays as _data
from ..common import seeds as _random
from ..common.arguments import boolean, integer, number, several
from ..common.messages import warn
from ..common.progress import Progress
from ..common.values import OpenShape
from ..graph.graph import Flat, Graph
from ..graph.stack import Stack
from ..losses import CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy
from ..optimizers import Optimizer
from . import settings as _compile
from .feeds import SLICE, Batches, Data, Feed, Rows, Work
from .samples import Samples
from .steps import Steps, WithGradients

if TYPE_CHECKING:
    from ..common import choices

Callbacks = Callback | Sequence[Callback] | None
BATCH = 32  # samples in a step by default
_STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


class Trainable(WithGradients, Stack):
    """A graph that takes data and can be trained."""

    _takes_names: ClassVar[bool] = True  # dicts of data, even where there is one input

    def __init__(self, name: str | None) -> None:
        super().__init__(name)
        self._settings: _compile.Settings | None = None
        self._compiled: _core.Network | None = None  # the network that knows the settings
        # Set to True by a callback, they end the call after the step.
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self._sums = [_core.Sums()]  # of the epoch in training
        self.history: History = None  # type: ignore[assignment]  # before `fit`

    # ---- compile
    def compile(
        self,
        optimizer: choices.Optimizer | Optimizer = "rmsprop",
        loss: choices.Loss | Loss | Callable[..., Any] | choices.Several | None = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str | None = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets what the model is trained for, and how. Weights stay; an optimizer's moments start at zero.

        Args:
            optimizer: name or instance of `nncore.optimizers`.
            loss: name, instance or function of `nncore.losses`. Without one the model can only predict. Of
                several outputs: one for all, a list with one for each, or a dict by the names of outputs;
                None for an output that is not trained.
            loss_weights: factors of the outputs' losses in the sum of them that is trained for; a list or
                dict; default 1.
            metrics: list of names, instances or functions of `nncore.metrics`. "accuracy" becomes the binary,
                categorical or sparse one by outputs and targets. Of several outputs: a list of lists, or a
                dict.
            weighted_metrics: as metrics, but weighted by sample_weight and class_weight.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: as in Keras by default. They have
                no meaning here.

        Raises:
            ValueError: an unknown name, or outputs, loss and metrics that do not go together. The model is as
                before then.
            TypeError: something that is neither a name nor an object of nncore.
        """
        owner = self.name
        if boolean(owner, "run_eagerly", run_eagerly):
            raise ValueError(f"[{owner}] run_eagerly=True is not available: networks are always compiled")
        if steps_per_execution != 1:
            given = f"steps_per_execution={steps_per_execution!r}"
            raise ValueError(f"[{owner}] {given} is not available: 1 only")
        if jit_compile not in ("auto", None, True, False):
            raise ValueError(f"[{owner}] jit_compile must be 'auto', True or False, got {jit_compile!r}")
        boolean(owner, "auto_scale_loss", auto_scale_loss)
        frozen = [path for layer, path in self._computing() if not layer.trainable]
        names = self.output_names if self._graph else [layer.name for layer in self.layers[-1:]] or ["output"]
        settings = _compile.settings(
            owner, optimizer, loss, loss_weights, metrics, weighted_metrics, names, frozen
        )
        settings.optimizer._check_owner(self)
        if self._network is not None:
            self._apply(settings, self._network)
        if self._settings is not None:
            self._settings.optimizer._release()
        settings.optimizer._bind(self, self._network)
        self._settings, self._compiled = settings, self._network

    def _apply(
        self,
        settings: _compile.Settings,
        network: _core.Network,
        graph: Graph | None = None,
        flat: Flat | None = None,
    ) -> None:
        """Compiles a network: of the model's own graph, or of another."""
        graph, flat = graph or self._required_graph(), flat or self._flat
        assert flat is not None
        settings.apply(network, self.name, [value.sample for value in graph.outputs], flat)

    @property
    def compiled(self) -> bool:
        return self._settings is not None

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; None before ``compile``. Its learning_rate can be set at any time."""
        return self._settings.optimizer if self._settings else None  # type: ignore[return-value]

    @property
    def loss(self) -> Any:
        """The loss as it was given to ``compile``."""
        return self._settings.given_loss if self._settings else None

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` returns, in order."""
        return list(self._settings.returned) if self._settings else []

    def reset_metrics(self) -> None:
        """Starts loss and metrics again, of an epoch in training: other calls have their own."""
        if self._network is not None:
            self._network.reset(self._sums[0])

    def _directions(self) -> dict[str, str]:
        return self._settings.directions() if self._settings else {}

    # ---- data

    def _known_sample(self) -> OpenShape | None:
        """The shape of a sample of the first input, if it is known."""
        return self._graph.inputs[0].sample if self._graph else None

    def _samples(self) -> Samples:
        judged = self._settings.outputs if self._settings else ()
        return Samples(self.name, self._graph, self._known_sample(), judged, self._takes_names)

    def _data(self, x: object, y: object, sample_weight: object = None, class_weight: object = None) -> Data:
        """Arrays for training or evaluation."""
        return self._samples().data(x, y, sample_weight, class_weight)

    def _inputs(self, x: object, *_: object) -> Data:
        """Arrays for prediction."""
        return Data(self._samples().x(x), None, None)

    def _graph_for(self, data: Data) -> Graph:
        """The graph of a model that is not built, by the first data."""
        raise NotImplementedError

    def _feed(
        self,
        given: tuple[Any, Any, Any],
        batch_size: int | None,
        steps: int | None,
        arrays: Callable[..., Data],
        shuffle: bool = False,
        resume: bool = False,
    ) -> tuple[Feed, Data]:
        """What serves the data, and the first of them, by which the network is built and checked.

        Args:
            given: x, y and sample_weight.
            arrays: `_data`, or `_inputs`.
        """
        owner, x = self.name, given[0]
        size = None if batch_size is None else integer(owner, "batch_size", batch_size)
        limit = None if steps is None else integer(owner, "steps", steps)
        if not _data.is_batches(x):
            data = arrays(*given)
            rows = data.rows
            size = size or (-(-rows // limit) if limit else BATCH)
            order = (lambda epoch: self._order(epoch, rows)) if shuffle else None
            return Rows(data, size, limit, order, resume), data
        for name, value in zip(("y", "sample_weight", "batch_size"), (*given[1:], batch_size)):
            if value is not None:
                raise ValueError(f"[{owner}] {name} must not be given when x yields batches: they hold it")

        def adapt(item: object) -> Data:
            data = arrays(*_data.unpacked(owner, item))
            if self._network is not None:
                self._checked(self._network, data)
            return data

        feed = Batches(x, limit, adapt, resume)
        return feed, feed.first()

    def _validation_feed(self, data: Any, batch_size: int | None, steps: int | None) -> tuple[Feed, Data]:
        if not _data.is_batches(data):
            if not isinstance(data, (tuple, list)):
                raise TypeError(f"[{self.name}] validation_data must be (x, y) or (x, y, sample_weight)")
            return self._feed(_data.unpacked(self.name, data), batch_size, steps, self._data)
        if steps is None and hasattr(data, "__next__"):
            raise ValueError(
                f"[{self.name}] validation_steps must be given with an iterator as validation_data"
            )
        return self._feed((data, None, None), None, steps, self._data)

    def _order(self, epoch: int, rows: int) -> NDArray[np.int64]:
        assert self._seed is not None
        # The numbers themselves, and as much room to make them in.
        if 2 * 8 * rows > _data.memory():
            raise MemoryError(
                f"[{self.name}] there is not enough memory for an order of {rows} samples: use "
                "shuffle=False, or give batches"
            )
        return _random.permutation(self._seed, epoch, rows)

    def _split(
        self, x: Any, y: Any, weight: Any, share: object
    ) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
        """All but the last part of the rows, and that part. Views, no copies."""
        part = number(self.name, "validation_split", share, 0.0, 1.0, below=True)
        if _data.is_batches(x):
            raise ValueError(f"[{self.name}] validation_split needs arrays, not an iterator of batches")
        data = self._data(x, y, weight)
        rows = data.rows
        at = int(rows * (1.0 - part))
        if not 0 < at < rows:
            raise ValueError(f"[{self.name}] validation_split={part:g} of {rows} samples leaves a part empty")

        return data.cut(slice(at)), data.cut(slice(at, None))

    def _ready(self, *data: Data, compiled: bool = True) -> _core.Network:
        """The network after all data are checked, built by the first of them and compiled if need be."""
        network, built = self._network, None
        if network is None:
            built = self._candidate(self._graph_for(data[0]))
            network = built.network
        fresh = compiled and self._settings is not None and self._compiled is not network
        if fresh and self._settings is not None:
            self._apply(self._settings, network, *(built[:2] if built else ()))
        for one in data:
            self._checked(network, one)
        if built is not None and not self._adopt(built):
            return self._ready(*data, compiled=compiled)
        if fresh and self._settings is not None:
            self._settings.optimizer._bind(self, network)
            self._compiled = network
        return network

    def _checked(self, network: _core.Network, data: Data) -> None:
        try:
            network.check(data.x, data.y)
        except ValueError as error:
            one_each = isinstance(data.x, np.ndarray) and isinstance(data.y, np.ndarray)
            if str(error).startswith("["):  # of a layer, which the core knows by its kind alone
                xs = data.x if isinstance(data.x, tuple) else (data.x,)
                self._shapes_for([array.shape[1:] for array in xs])
            if not one_each or "targets" not in str(error):
                raise ValueError(f"[{self.name}] {error}") from None
            loss = self._settings.outputs[0].loss if self._settings else None
            output, given = network.output_shapes([data.x.shape[1:]])[0], data.y.shape[1:]
            labels = output[:-1]  # what class numbers have for each sample
            hint = ""
            if isinstance(loss, CategoricalCrossentropy) and given in (labels, (*labels, 1)):
                hint = " (one-hot; for class numbers use sparse_categorical_crossentropy)"
            elif isinstance(loss, SparseCategoricalCrossentropy) and given == output:
                hint = " (for one-hot targets use categorical_crossentropy)"
            elif len(output) > 1 and given in ((), (1,), output[-1:]):
                hint = f" (the model has outputs of shape {output}: is a Flatten missing in it?)"
            raise ValueError(f"[{self.name}] {error}{hint}") from None

    def _validation_due(self, frequency: object) -> Any:
        if (listed := several(frequency)) is not None:
            epochs = {integer(self.name, "validation_freq", epoch) for epoch in listed}
            return lambda epoch: epoch in epochs
        every = integer(self.name, "validation_freq", frequency)
        return lambda epoch: epoch % every == 0

    def _require_loss(self, method: str) -> None:
        if self._settings is None:
            raise ValueError(f"[{self.name}] call compile(optimizer=..., loss=...) before {method}")
        if not self._settings.has_loss:
            raise ValueError(f"[{self.name}] there is no loss: give one to compile before {method}")

    # ---- passes

    def _logs(self, network: _core.Network, sums: _core.Sums) -> Logs:
        return self._settings.logs(network.results(sums)) if self._settings else {}

    def _steps(
        self,
        mode: str,
        feed: Feed,
        work: Work,
        logs: Callable[[], Logs],
        callbacks: CallbackList,
        progress: Progress,
    ) -> int:
        """All of a pass in slices, until a callback stops it: the number of steps made.

        Args:
            mode: "train", "test" or "predict".
            logs: of what is done so far.
        """
        stop, each = _STOPS[mode], callbacks.watches_batches(mode)
        made = 0
        while not feed.done():
            if each:
                callbacks.call(f"on_{mode}_batch_begin", made, {})
            try:
                steps = feed.advance(work, each)
            except RuntimeError as error:  # a callback or another thread has compiled it in between
                if mode == "train":  # `Steps` has named it, or it is the user's
                    raise
                raise RuntimeError(f"[{self.name}] {error}") from None
            made += steps
            if each or progress.shown:
                values = logs()
                if each:
                    callbacks.call(f"on_{mode}_batch_end", made - 1, values)
                progress.update(steps, values if mode != "predict" else {})
            if getattr(self, stop):
                break
        return made

    def _test(self, network: _core.Network, feed: Feed, callbacks: CallbackList, progress: Progress) -> Logs:
        sums, self.stop_evaluating = _core.Sums(), False

        def work(data: Data, order: Any, start: int, stop: int, size: int, seconds: float) -> int:
            return network.test(*data, start, stop, size, seconds, sums)

        def logs() -> Logs:
            return self._logs(network, sums)

        callbacks.call("on_test_begin", {})
        feed.start(0)
        if not self._steps("test", feed, work, logs, callbacks, progress):
            warn("the data to evaluate are used up: there is no result")
            return {}
        callbacks.call("on_test_end", found := logs())
        return found

    def _returned(self, logs: Logs, return_dict: bool) -> Any:
        if return_dict:
            return logs
        order = self._settings.returned if self._settings else list(logs)
        values = [logs[key] for key in order if key in logs]
        return values if len(values) > 1 else values[0]

    def _warn_of_changes(self) -> None:
        if self._settings is None:
            return
        frozen = self._settings.frozen
        changed = sorted(path for x, path in self._computing() if x.trainable == (path in frozen))
        if changed:
            warn(
                f"[{self.name}] `trainable` of {', '.join(changed)} was changed after compile: call compile "
                "again for it to take effect"
            )

    # ---- single batches

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step of training on one batch.

        Args and errors as `fit`.

        Returns:
            The loss before the step; with metrics a list of the loss and them; with return_dict a dict.
        """
        self._require_loss("train_on_batch")
        data = self._data(x, y, sample_weight, class_weight)
        network, sums, rows = self._ready(data), _core.Sums(), data.rows
        Steps(self, network, sums)(data, None, 0, rows, rows, SLICE)
        return self._returned(self._logs(network, sums), boolean(self.name, "return_dict", return_dict))

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch. Args, errors and returns as `evaluate`."""
        self._require_loss("test_on_batch")
        data = self._data(x, y, sample_weight)
        network, sums, rows = self._ready(data), _core.Sums(), data.rows
        network.test(*data, 0, rows, rows, SLICE, sums)
        return self._returned(self._logs(network, sums), boolean(self.name, "return_dict", return_dict))
