"""What a model is trained for, its data, and the passes of them through its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _compile, _core, _data, _random
from ._arguments import boolean, integer, number, several
from ._data import Array
from ._feeds import SLICE, Batches, Data, Feed, Rows, Work
from ._messages import warn
from ._progress import Progress
from ._stack import Stack
from .callbacks import Callback, CallbackList, History, Logs
from .losses import CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy
from .metrics import Metric
from .optimizers import Optimizer

Callbacks = Callback | Sequence[Callback] | None


BATCH = 32  # samples in a step by default
_STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


class Trainable(Stack):
    """Layers that take data and can be trained. See `nncore.Sequential`."""

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(layers, trainable, name)
        self._settings: _compile.Settings | None = None
        self._compiled: _core.Network | None = None  # the network that knows the settings
        # Set to True by a callback, they end the call after the step.
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self._sums = [_core.Sums()]  # of the epoch in training
        self.history: History | None = None

    # ---- compile

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: str | Loss | Any = None,
        loss_weights: None = None,
        metrics: Sequence[str | Metric | Any] | None = None,
        weighted_metrics: Sequence[str | Metric | Any] | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str | None = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets what the model is trained for, and how. Weights stay; an optimizer's moments start at zero.

        Args:
            optimizer: name or instance of `nncore.optimizers`.
            loss: name, instance or function of `nncore.losses`. Without one the model can only predict.
            loss_weights: None; others are not available yet.
            metrics: list of names, instances or functions of `nncore.metrics`. "accuracy" becomes the binary,
                categorical or sparse one by outputs and targets.
            weighted_metrics: as metrics, but weighted by sample_weight and class_weight.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: as in Keras by default. They have
                no meaning here.

        Raises:
            ValueError: an unknown name, or outputs, loss and metrics that do not go together. The model is as
                before then.
            TypeError: something that is neither a name nor an object of nncore.
        """
        owner = self.name
        if loss_weights is not None:
            raise ValueError(
                f"[{owner}] loss_weights={loss_weights!r} is not available yet (did you mean metrics=...?)"
            )
        if boolean(owner, "run_eagerly", run_eagerly):
            raise ValueError(f"[{owner}] run_eagerly=True is not available: networks are always compiled")
        if steps_per_execution != 1:
            given = f"steps_per_execution={steps_per_execution!r}"
            raise ValueError(f"[{owner}] {given} is not available: 1 only")
        if jit_compile not in ("auto", None, True, False):
            raise ValueError(f"[{owner}] jit_compile must be 'auto', True or False, got {jit_compile!r}")
        boolean(owner, "auto_scale_loss", auto_scale_loss)
        frozen = [layer.name for layer in self._layers if not layer.trainable]
        settings = _compile.settings(owner, optimizer, loss, metrics, weighted_metrics, frozen)
        settings.optimizer._check_owner(self)
        if self._network is not None:
            settings.apply(self._network, self.name, [layer.name for layer in self._layers])
        if self._settings is not None:
            self._settings.optimizer._release()
        settings.optimizer._bind(self, self._network)
        self._settings, self._compiled = settings, self._network

    @property
    def compiled(self) -> bool:
        return self._settings is not None

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer; None before ``compile``. Its learning_rate can be set at any time."""
        return self._settings.optimizer if self._settings else None

    @property
    def loss(self) -> Any:
        """The loss as it was given to ``compile``."""
        return self._settings.given_loss if self._settings else None

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` returns, in order."""
        return list(self._settings.names) if self._settings else []

    def reset_metrics(self) -> None:
        """Starts loss and metrics again, of an epoch in training: other calls have their own."""
        if self._network is not None:
            self._network.reset(self._sums[0])

    def _directions(self) -> dict[str, str]:
        return self._settings.directions() if self._settings else {}

    # ---- data

    def _x(self, x: object) -> Array:
        array = _data.as_array(self.name, "x", x)
        sample = self._known_sample()
        if sample is None or array.ndim == len(sample) + 1:
            return array
        if isinstance(x, (list, tuple)) and len(x) == 1 and array.ndim == len(sample) + 2:
            array = array[0]  # [x], as for a model with a list of inputs
        fitted = _data.fit_rank(array, sample)
        if fitted is array and (array.shape == sample or (*array.shape, 1) == sample):
            raise ValueError(
                f"[{self.name}] expected samples of shape {sample}, got {array.shape[1:]}: x has no axis of "
                f"samples. {_data.ONE_SAMPLE}"
            )
        return fitted

    def _data(self, x: object, y: object, sample_weight: object = None, class_weight: object = None) -> Data:
        """Arrays for training or evaluation."""
        array = self._x(x)
        if y is None:
            raise ValueError(f"[{self.name}] y must be given")
        targets = _data.as_array(self.name, "y", y)
        if len(array) == 0:
            raise ValueError(f"[{self.name}] x has no samples: its shape is {array.shape}")
        if len(targets) != len(array):
            raise ValueError(
                f"[{self.name}] x and y must have the same number of samples, got {len(array)} and "
                f"{len(targets)}"
            )
        if sample_weight is not None and class_weight is not None:
            raise ValueError(f"[{self.name}] sample_weight and class_weight must not be given both")
        weights = None
        if sample_weight is not None:
            weights = _data.sample_weights(self.name, sample_weight, len(array))
        elif class_weight is not None:
            weights = _data.class_weights(self.name, class_weight, targets)
        return Data(array, targets, weights)

    def _inputs(self, x: object, *_: object) -> Data:
        """Arrays for prediction."""
        return Data(self._x(x), None, None)

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
            rows = len(data.x)
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
        rows = len(data.x)
        at = int(rows * (1.0 - part))
        if not 0 < at < rows:
            raise ValueError(f"[{self.name}] validation_split={part:g} of {rows} samples leaves a part empty")

        def cut(rows: slice) -> tuple[Any, Any, Any]:
            return data.x[rows], data.y[rows], None if data.weight is None else data.weight[rows]

        return cut(slice(at)), cut(slice(at, None))

    def _ready(self, *data: Data, compiled: bool = True) -> _core.Network:
        """The network after all data are checked, built by the first of them and compiled if need be."""
        network, built = self._network, None
        if network is None:
            network, built = self._candidate(self._known_sample() or data[0].x.shape[1:])
        fresh = compiled and self._settings is not None and self._compiled is not network
        if fresh and self._settings is not None:
            self._settings.apply(network, self.name, [layer.name for layer in self._layers])
        for one in data:
            self._checked(network, one)
        if built is not None and not self._adopt(network, built):
            return self._ready(*data, compiled=compiled)
        if fresh and self._settings is not None:
            self._settings.optimizer._bind(self, network)
            self._compiled = network
        return network

    def _checked(self, network: _core.Network, data: Data) -> None:
        try:
            network.check(data.x, data.y)
        except ValueError as error:
            if data.y is None or "targets" not in str(error):
                raise ValueError(f"[{self.name}] {error}") from None
            loss = self._settings.loss if self._settings else None
            output, given = network.output_shape, data.y.shape[1:]
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
        if self._settings.loss is None:
            raise ValueError(f"[{self.name}] there is no loss: give one to compile before {method}")

    # ---- passes

    def _logs(self, network: _core.Network, sums: _core.Sums) -> Logs:
        return dict(zip(self._settings.names, network.results(sums))) if self._settings else {}

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
            steps = feed.advance(work, each)
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
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    def _warn_of_changes(self) -> None:
        if self._settings is None:
            return
        frozen = self._settings.frozen
        changed = sorted(x.name for x in self._layers if x.trainable == (x.name in frozen))
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
        network, sums, rows = self._ready(data), _core.Sums(), len(data.x)
        network.train(*data, None, 0, rows, rows, SLICE, sums)
        return self._returned(self._logs(network, sums), boolean(self.name, "return_dict", return_dict))

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch. Args, errors and returns as `evaluate`."""
        self._require_loss("test_on_batch")
        data = self._data(x, y, sample_weight)
        network, sums, rows = self._ready(data), _core.Sums(), len(data.x)
        network.test(*data, 0, rows, rows, SLICE, sums)
        return self._returned(self._logs(network, sums), boolean(self.name, "return_dict", return_dict))
