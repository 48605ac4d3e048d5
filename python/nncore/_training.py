"""Training, evaluation and prediction of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _compile, _core
from ._arguments import boolean, integer, several
from ._feeds import SLICE, Data, Feed, Work
from ._inputs import Fed
from ._messages import warn
from ._progress import Progress
from .callbacks import Callback, CallbackList, History, Logs
from .losses import CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy
from .metrics import Metric
from .optimizers import Optimizer

Callbacks = Callback | Sequence[Callback] | None


class Trainable(Fed):
    """Layers that can be trained. See `nncore.Sequential`."""

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
        frozen = frozenset(layer.name for layer in self._layers if not layer.trainable)
        settings = _compile.settings(
            self.name, optimizer, loss, loss_weights, metrics, weighted_metrics, run_eagerly,
            steps_per_execution, jit_compile, auto_scale_loss, frozen,
        )  # fmt: skip
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

    def _optimizer_params(self) -> int:
        network, settings = self._network, self._settings
        if network is None or settings is None or self._compiled is not network or not network.iterations:
            return 0
        trained = [weight for weight in self.weights if weight._layer.name not in settings.frozen]
        return (len(network.buffers) - 2) * self._count(trained) + 2

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
            super()._checked(network, data)
        except ValueError as error:
            if data.y is None or "targets" not in str(error):
                raise
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
            raise ValueError(f"{error}{hint}") from None

    def _validation_due(self, frequency: object) -> Any:
        if (listed := several(frequency)) is not None:
            epochs = {integer(self.name, "validation_freq", epoch) for epoch in listed}
            return lambda epoch: epoch in epochs
        every = integer(self.name, "validation_freq", frequency)
        return lambda epoch: epoch % every == 0

    def _require_loss(self, method: str) -> _compile.Settings:
        if self._settings is None:
            raise ValueError(f"[{self.name}] call compile(optimizer=..., loss=...) before {method}")
        if self._settings.loss is None:
            raise ValueError(f"[{self.name}] there is no loss: give one to compile before {method}")
        return self._settings

    # ---- passes

    def _logs(self, network: _core.Network, sums: _core.Sums) -> Logs:
        return dict(zip(self._settings.names, network.results(sums))) if self._settings else {}

    def _pass(
        self,
        network: _core.Network,
        feed: Feed,
        sums: _core.Sums,
        mode: str,
        callbacks: CallbackList,
        progress: Progress,
    ) -> int:
        """All of a feed through the network, in slices: the number of steps made."""

        def train(
            data: Data, order: NDArray[np.int64] | None, start: int, stop: int, size: int, time: float
        ) -> int:
            assert data.y is not None
            return network.train(data.x, data.y, data.weight, order, start, stop, size, time, sums)

        def test(
            data: Data, order: NDArray[np.int64] | None, start: int, stop: int, size: int, time: float
        ) -> int:
            assert data.y is not None
            return network.test(data.x, data.y, data.weight, start, stop, size, time, sums)

        work: Work = train if mode == "train" else test
        flag = "stop_training" if mode == "train" else "stop_evaluating"
        each = callbacks.watches_batches(mode)
        made = 0
        while not feed.done():
            if each:
                callbacks.call(f"on_{mode}_batch_begin", made, {})
            steps = feed.advance(work, each)
            made += steps
            if each or progress.shown:
                logs = self._logs(network, sums)
                if each:
                    callbacks.call(f"on_{mode}_batch_end", made - 1, logs)
                progress.update(steps, logs)
            if getattr(self, flag):
                break
        return made

    def _fit(
        self,
        network: _core.Network,
        feed: Feed,
        validation: Feed | None,
        due: Any,
        epochs: range,
        callbacks: CallbackList,
        bar: int,
    ) -> None:
        """The epochs of a training whose data are checked."""
        logs: Logs = {}
        callbacks.call("on_train_begin", {})
        with Progress(bar) as progress:
            for epoch in epochs:
                sums = self._sums[0] = _core.Sums()
                callbacks.call("on_epoch_begin", epoch, {})
                feed.start(self._epochs)
                # past our own __setattr__, which a short epoch would notice
                object.__setattr__(self, "_epochs", self._epochs + 1)
                if bar:
                    progress.start(f"Epoch {epoch + 1}/{epochs.stop}", feed.steps)
                if not self._pass(network, feed, sums, "train", callbacks, progress):
                    warn(f"the data ended before epoch {epoch + 1}, and so does the training")
                    break
                logs = self._logs(network, sums)
                if validation is not None and due(epoch + 1):
                    scores = self._test(network, validation, callbacks, Progress())
                    logs.update({f"val_{name}": value for name, value in scores.items()})
                if bar:
                    progress.finish(logs)
                callbacks.call("on_epoch_end", epoch, logs)
                if self.stop_training:
                    break
        callbacks.call("on_train_end", logs)

    def _test(self, network: _core.Network, feed: Feed, callbacks: CallbackList, progress: Progress) -> Logs:
        sums, self.stop_evaluating = _core.Sums(), False
        callbacks.call("on_test_begin", {})
        feed.start(0)
        if not self._pass(network, feed, sums, "test", callbacks, progress):
            warn("the data to evaluate are used up: there is no result")
            return {}
        logs = self._logs(network, sums)
        callbacks.call("on_test_end", logs)
        return logs

    def _returned(self, logs: Logs, return_dict: bool) -> Any:
        if return_dict:
            return logs
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    def _warn_of_changes(self) -> None:
        if self._settings is None:
            return
        frozen = {layer.name for layer in self._layers if not layer.trainable}
        changed = sorted(
            frozen ^ {layer.name for layer in self._layers if layer.name in self._settings.frozen}
        )
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
        network = self._ready(data)
        sums, rows = _core.Sums(), len(data.x)
        assert data.y is not None
        network.train(data.x, data.y, data.weight, None, 0, rows, rows, SLICE, sums)
        return self._returned(self._logs(network, sums), boolean(self.name, "return_dict", return_dict))

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch. Args, errors and returns as `evaluate`."""
        self._require_loss("test_on_batch")
        data = self._data(x, y, sample_weight)
        network = self._ready(data)
        sums, rows = _core.Sums(), len(data.x)
        assert data.y is not None
        network.test(data.x, data.y, data.weight, 0, rows, rows, SLICE, sums)
        return self._returned(self._logs(network, sums), boolean(self.name, "return_dict", return_dict))
