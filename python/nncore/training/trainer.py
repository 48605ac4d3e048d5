"""The trainer of a model, which also evaluates and predicts with its network."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from .. import _core
from ..callbacks.callback import History, Logs
from ..common.absent import unexpected
from ..common.arguments import boolean, integer
from ..graph.net import Net
from ..losses import CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy
from ..metrics import Mean, MeanMetricWrapper
from ..optimizers import Optimizer
from .data import Samples, feed_of, order_of
from .feeds import SLICE, Data, Feed
from .functions import WithFunctions
from .settings import Settings, settings_of
from .steps import Changes, Steps

if TYPE_CHECKING:
    from ..common import choices


_P = ParamSpec("_P")
_R = TypeVar("_R")


class Trainer:
    """Trains one model. The model's methods of the same names call it.

    Attributes:
        net: the graph and weights of the model.
        settings: those of `compile`.
        compiled: the network that was compiled with the settings.
        stops: for each kind of pass, whether it ends after the current step; set by callbacks.
        sums: sums of loss and metrics of the training epoch.
        change: the user's function that changes gradients, see `Model.gradients`.
    """

    def __init__(self, net: Net, model: Any) -> None:
        self.net = net
        self.model = weakref.ref(model)  # weak, as the model has the trainer
        self.settings: Settings | None = None
        self.compiled: _core.Network | None = None
        self.stops = {"train": False, "test": False, "predict": False}
        self.sums = _core.Sums()
        self.history: History | None = None
        self.change: Changes | None = None

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
        """Sets loss, metrics and optimizer. Weights stay; the optimizer's moments start at zero.

        Args:
            optimizer: name or instance of `nncore.optimizers`.
            loss: name, instance or function of `nncore.losses`. Without one the model can only predict. Of
                several outputs: one for all, a list with one for each, or a dict by the names of outputs;
                None for an output that is not trained.
            loss_weights: factors of the outputs' losses in the sum of them that is trained for; a list or
                dict; default 1.
            metrics: list of names, instances or functions of `nncore.metrics`. "accuracy" becomes the binary,
                categorical or sparse one by outputs and targets. Functions f(y_true, y_pred) of your own
                are called with the arrays of each batch, see `nncore.metrics.MeanMetricWrapper`. Of several
                outputs: a list of lists, or a dict.
            weighted_metrics: as metrics, but weighted by sample_weight and class_weight.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: as in Keras. They have no effect:
                networks are always compiled, and callbacks for batches are called around each step.

        Raises:
            ValueError: unknown name, or outputs, loss and metrics do not fit together. The model stays as
                before.
            TypeError: an argument is neither a name nor an object of nncore.
        """
        owner = self.net.name
        boolean(owner, "run_eagerly", run_eagerly)
        integer(owner, "steps_per_execution", steps_per_execution)
        if jit_compile not in ("auto", None, True, False):
            raise ValueError(f"[{owner}] jit_compile must be 'auto', True or False, got {jit_compile!r}")
        boolean(owner, "auto_scale_loss", auto_scale_loss)
        net = self.net
        frozen = [path for layer, path in net.computing() if not layer.trainable]
        names = net.graph.output_names() if net.graph else [x.name for x in net.layers[-1:]] or ["output"]
        settings = settings_of(owner, optimizer, loss, loss_weights, metrics, weighted_metrics, names, frozen)
        settings.optimizer.check_owner(net)
        if net.network is not None:
            settings.apply(net.name, net.as_built())
        if self.settings is not None:
            self.settings.optimizer.release()
        settings.optimizer.bind(net, net.network)
        self.settings, self.compiled = settings, net.network

    def require_loss(self, method: str) -> None:
        if self.settings is None:
            raise ValueError(f"[{self.net.name}] call compile(optimizer=..., loss=...) before {method}")
        if not self.settings.has_loss:
            raise ValueError(f"[{self.net.name}] there is no loss: give one to compile before {method}")

    def reset_metrics(self) -> None:
        """Resets loss and metrics of the training epoch. Evaluations have sums of their own."""
        if self.net.network is not None:
            self.restart(self.net.network, self.sums)

    def metrics(self) -> list[Mean]:
        """Loss and metrics by name, with the values of the present or last epoch of `fit` as `result()`."""
        network, found = self.net.network, []
        logs = {} if network is None or self.compiled is not network else self.logs(network, self.sums)
        for name in self.settings.returned if self.settings else ():
            found.append(Mean(name))
            if name in logs:
                found[-1].update_state(logs[name])
        return found

    def new_sums(self) -> _core.Sums:
        """The sums of loss and metrics for one pass."""
        functions = self.settings.functions if self.settings else None
        return WithFunctions(functions) if functions else _core.Sums()

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The metrics that are Python functions, by their names in files.

        Raises:
            ValueError: two have the same name.
        """
        found: dict[str, Callable[..., Any]] = {}
        for _, _, metric in self.settings.functions if self.settings else ():
            if (
                isinstance(metric, MeanMetricWrapper)
                and found.setdefault(metric.fn_name, metric.fn) is not metric.fn
            ):
                raise ValueError(
                    f"[{self.net.name}] cannot be saved or copied: two functions among its metrics are "
                    f"called {metric.fn_name!r}"
                )
        return found

    @staticmethod
    def restart(network: _core.Network, sums: _core.Sums) -> None:
        network.reset(sums)
        if isinstance(sums, WithFunctions):
            sums.restart()

    # ---- data

    def samples(self) -> Samples:
        """The data that the model expects. Ask for each data set, as the first may build the model."""
        net = self.net
        judged = self.settings.outputs if self.settings else ()
        return Samples(net.name, net.graph, net.known_sample(), judged, net.takes_names)

    def data(self, x: object, y: object, sample_weight: object = None, class_weight: object = None) -> Data:
        """Arrays for training or evaluation."""
        return self.samples().data(x, y, sample_weight, class_weight)

    def inputs(self, x: object, *_: object) -> Data:
        """Arrays for prediction."""
        return Data(self.samples().x(x), None, None)

    def _check_batch(self, data: Data) -> None:
        if self.net.network is not None:
            self._checked(self.net.network, data)

    def _order(self, epoch: int, rows: int) -> Any:
        assert self.net.seed is not None
        return order_of(self.net.name, self.net.seed, epoch, rows)

    def feed(
        self,
        given: tuple[Any, Any, Any],
        batch_size: int | None,
        steps: int | None,
        adapt: Callable[..., Data],
        shuffle: bool = False,
        resume: bool = False,
    ) -> tuple[Feed, Data]:
        """See `feed_of`."""
        order = self._order if shuffle else None
        return feed_of(self.net.name, given, batch_size, steps, adapt, self._check_batch, order, resume)

    def ready(self, *data: Data, compiled: bool = True) -> _core.Network:
        """Checks all data, builds the network from the first if necessary, and returns it compiled."""
        net, network, built = self.net, self.net.network, None
        if network is None:
            built = net.candidate(net.graph_for(net.known_sample() or data[0].x.shape[1:]))
            network = built.network
        settings = self.settings if compiled and self.compiled is not network else None
        if settings is not None:
            settings.apply(net.name, built or net.as_built())
        for one in data:
            self._checked(network, one)
        if built is not None and not net.adopt(built):
            return self.ready(*data, compiled=compiled)
        if settings is not None:
            settings.optimizer.bind(net, network)
            self.compiled = network
        return network

    def _checked(self, network: _core.Network, data: Data) -> None:
        try:
            network.check(data.x, data.y)
        except ValueError as error:
            one_each = isinstance(data.x, np.ndarray) and isinstance(data.y, np.ndarray)
            if str(error).startswith("["):  # a layer's error, which names only its kind
                xs = data.x if isinstance(data.x, tuple) else (data.x,)
                if self.net.direct is network:
                    self.net.shapes_for([array.shape[1:] for array in xs])
            if not one_each or "targets" not in str(error):
                raise ValueError(f"[{self.net.name}] {error}") from None
            loss = self.settings.outputs[0].loss if self.settings else None
            output, given = network.output_shapes([data.x.shape[1:]])[0], data.y.shape[1:]
            labels = output[:-1]  # the shape of class numbers, without the axis of classes
            hint = ""
            if isinstance(loss, CategoricalCrossentropy) and given in (labels, (*labels, 1)):
                hint = " (one-hot; for class numbers use sparse_categorical_crossentropy)"
            elif isinstance(loss, SparseCategoricalCrossentropy) and given == output:
                hint = " (for one-hot targets use categorical_crossentropy)"
            elif len(output) > 1 and given in ((), (1,), output[-1:]):
                hint = f" (the model has outputs of shape {output}: is a Flatten missing in it?)"
            raise ValueError(f"[{self.net.name}] {error}{hint}") from None

    def logs(self, network: _core.Network, sums: _core.Sums) -> Logs:
        if self.settings is None:
            return {}
        return self.settings.logs(
            network.results(sums), sums.results() if isinstance(sums, WithFunctions) else ()
        )

    @staticmethod
    def test(
        network: _core.Network,
        sums: _core.Sums,
        data: Data,
        order: Any,
        start: int,
        stop: int,
        batch_size: int,
        seconds: float,
    ) -> int:
        """The `Work` of `evaluate`, once `compiled` and `sums` are given."""
        if not isinstance(sums, WithFunctions):
            return network.test(*data, start, stop, batch_size, seconds, sums)
        stop = min(stop, start + batch_size)
        work = partial(network.test, *data, start, stop, batch_size, seconds, sums)
        return int(sums.step(network, data, None, start, stop, work))

    def returned(self, logs: Logs, return_dict: bool) -> Any:
        if return_dict:
            return logs
        order = self.settings.returned if self.settings else list(logs)
        values = [logs[key] for key in order if key in logs]
        return values if len(values) > 1 else values[0]

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
        self.require_loss("train_on_batch")
        data = self.samples().data(x, y, sample_weight, class_weight)
        network, sums, rows = self.ready(data), self.new_sums(), data.rows
        Steps(self, network, sums)(data, None, 0, rows, rows, SLICE)
        return self.returned(self.logs(network, sums), boolean(self.net.name, "return_dict", return_dict))

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch. Args, errors and returns as `evaluate`."""
        self.require_loss("test_on_batch")
        data = self.samples().data(x, y, sample_weight)
        network, sums, rows = self.ready(data), self.new_sums(), data.rows
        self.test(network, sums, data, None, 0, rows, rows, SLICE)
        return self.returned(self.logs(network, sums), boolean(self.net.name, "return_dict", return_dict))

    # ---- prediction

    def freeze_state(self, x: object) -> None:
        """Freezes the state of layers that are not trainable before a call in training, as `compile` does."""
        network = self.net.network or self.ready(self.inputs(x), compiled=False)
        layers, settings = self.net.computing(), self.settings
        if (settings is None or self.compiled is not network) and any(layer.state for layer, _ in layers):
            trains = [x.trainable if settings is None else path not in settings.frozen for x, path in layers]
            network.freeze(trains)

    def outputs(self, x: object, training: bool) -> Any:
        """The outputs for all data, in one call of the core."""
        net = self.net
        if type(x) is np.ndarray and net.direct is not None:
            try:
                out = net.direct.forward(x, training)
                return out if net.gives_one else net.packed(out)
            except _core.RefusedArray:
                pass  # the conversion below gives an array or the error
        data = self.inputs(x)
        network = self.ready(data, compiled=False)
        try:
            return net.packed(network.forward(data.x, training))
        except ValueError as error:
            raise ValueError(f"[{net.name}] {error}") from None


def by_trainer(function: Callable[Concatenate[Trainer, _P], _R]) -> Callable[Concatenate[Any, _P], _R]:
    """A method of a model that calls the trainer's method of the same name."""

    signature = inspect.signature(function)
    own, *others = signature.parameters.values()
    known = {parameter.name for parameter in others}

    @functools.wraps(function)
    def method(self: Any, /, *args: _P.args, **given: _P.kwargs) -> _R:
        if given and (unknown := given.keys() - known):
            raise unexpected(self.name, min(unknown), known, function.__name__)
        return function(self._trainer, *args, **given)

    vars(method)["__signature__"] = signature.replace(parameters=[own.replace(name="self"), *others])
    return method
