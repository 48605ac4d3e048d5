"""Callbacks: objects whose methods are called as training, evaluation and prediction go on."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from .. import metrics
from ..common.absent import Explained
from ..common.arguments import boolean, choice, integer, neutral, number
from ..common.messages import warn

if TYPE_CHECKING:
    from ..layers._weights import Floats
    from ..models import Model

__all__ = ["Callback", "EarlyStopping", "History", "LambdaCallback"]

Logs = dict[str, Any]


class Callback(Explained):
    """Base class of one's own callbacks: override the methods that are of use.

    Attributes:
        model: the model that is at work. ``self.model.stop_training = True`` ends `fit` after the step.
        params: ``{"verbose": ..., "epochs": ..., "steps": ...}``; steps is None when it is not known.

    `logs` holds the loss and the metrics, as means since the epoch began. Methods for batches are called
    around every step, and steps without them run faster.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        model = getattr(self, "_model", None)
        if model is None:
            raise AttributeError(f"[{type(self).__name__}] has no model: it is not in use yet")
        return model  # type: ignore[no-any-return]

    def set_model(self, model: Model) -> None:
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...
    def on_train_end(self, logs: Logs | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None: ...
    def on_test_end(self, logs: Logs | None = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_begin(self, logs: Logs | None = None) -> None: ...
    def on_predict_end(self, logs: Logs | None = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


class History(Callback):
    """The record of a training: what `fit` returns.

    Attributes:
        history: name -> one value an epoch: "loss", the metrics, and both again with "val_" before the name.
            A value is an array where a metric has several thresholds.
        epoch: numbers of the epochs, from 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self._owner: weakref.ref[Model] | None = (
            None  # the model holds the history, so not the other way round
        )

    @property
    def model(self) -> Model:
        model = self._owner() if self._owner else None
        if model is None:
            raise AttributeError("[History] has no model any more")
        return model

    def set_model(self, model: Model) -> None:
        self._owner = weakref.ref(model)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_owner": None}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback of given functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))``.

    Args:
        functions: named as the methods of `Callback`, with their arguments.
    """

    def __init__(self, **functions: Callable[..., Any] | None) -> None:
        super().__init__()
        hooks = {name: None for name in dir(Callback) if name.startswith("on_")}
        neutral("LambdaCallback", dict.fromkeys(functions), hooks)
        for name, function in functions.items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"[LambdaCallback] {name} must be a function, got {function!r}")
            setattr(self, name, function)


class EarlyStopping(Callback):
    """Ends the training when a value has stopped to improve.

    Args:
        monitor: name in the logs; default "val_loss".
        min_delta: least change that counts as better; default 0.
        patience: epochs without a better value after which training ends; default 0.
        verbose: 1 tells on the screen when it ends; default 0.
        mode: "min", "max" or "auto" (default): known from the name, also that of another library's model if
            it is "loss", an accuracy or a metric of nncore.
        baseline: only values better than this count; default none.
        restore_best_weights: back to the weights of the best epoch at the end; default False.
        start_from_epoch: epochs before this do not count; default 0.

    Of the model it needs ``get_weights``, ``set_weights`` and ``stop_training`` alone.

    Raises:
        ValueError: before training, if mode is "auto" and the name does not tell.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: Literal["auto", "min", "max"] = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        owner = "EarlyStopping"
        if not isinstance(monitor, str):
            raise TypeError(f"[{owner}] monitor must be a string, got {monitor!r}")
        self.monitor = monitor
        self.min_delta = abs(number(owner, "min_delta", min_delta))
        self.patience = integer(owner, "patience", patience, low=0)
        self.verbose = int(verbose)
        self.mode = choice(owner, "mode", mode, ["auto", "min", "max"])
        self.baseline = None if baseline is None else number(owner, "baseline", baseline)
        self.restore_best_weights = boolean(owner, "restore_best_weights", restore_best_weights)
        self.start_from_epoch = integer(owner, "start_from_epoch", start_from_epoch, low=0)
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Floats] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()
        mode = self._direction() if self.mode == "auto" else self.mode
        self._sign = {"min": -1.0, "max": 1.0}[mode]

    def _direction(self) -> str:
        """What the model says of the name. If it is not one of nncore, only names known to all tell."""
        name = self.monitor.removeprefix("val_")
        if hasattr(self.model, "_directions"):
            known = self.model._directions()
        else:
            known = {"loss": "min", **{key: metric._direction for key, metric in metrics._BY_NAME.items()}}
            higher = {"acc", "accuracy", *(key for key, direction in known.items() if direction == "max")}
            if higher & set(name.lower().split("_")):
                return "max"
        if name not in known:
            raise ValueError(
                f"[EarlyStopping] monitor={self.monitor!r} is not among {sorted(known)}, so mode must "
                "be 'min' or 'max'"
            )
        return known[name]

    def _better(self, value: float, than: float | None) -> bool:
        return than is None or self._sign * (value - than) > self.min_delta

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = (logs or {}).get(self.monitor)
        if current is None:
            warn(f"[EarlyStopping] {self.monitor!r} is not in the logs: there are {', '.join(logs or {})}")
            return
        if getattr(current, "ndim", 0):
            raise ValueError(f"[EarlyStopping] expected one value of {self.monitor!r}, got {current}")
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if not math.isnan(current) and self._better(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self._better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Back to the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


class CallbackList:
    """Calls the same method of several callbacks, in order."""

    def __init__(self, owner: str, callbacks: Callback | Sequence[Callback] | None, model: Model) -> None:
        items = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        for item in cast("list[object]", items):
            if not isinstance(item, Callback):
                what = f"{item.__name__}() is needed" if isinstance(item, type) else f"got {item!r}"
                raise TypeError(f"[{owner}] callbacks must be instances of nncore.callbacks.Callback, {what}")
        self._items, self._model = items, model
        self._watched: dict[str, bool] = {}  # by mode: whether batches are

    def with_history(self) -> History:
        """The history among them; appended if there is none."""
        for item in self._items:
            if isinstance(item, History):
                return item
        history = History()
        self._items.append(history)
        return history

    def start(self, verbose: int, epochs: int, steps: int | None) -> None:
        for item in self._items:
            item.set_params({"verbose": verbose, "epochs": epochs, "steps": steps})
            item.set_model(self._model)

    def watches_batches(self, mode: str) -> bool:
        """Whether any method for batches of a mode ("train", "test", "predict") is overridden."""
        if mode not in self._watched:
            names = [f"on_{mode}_batch_begin", f"on_{mode}_batch_end"]
            names += ["on_batch_begin", "on_batch_end"] if mode == "train" else []
            self._watched[mode] = any(
                getattr(getattr(item, name), "__func__", None) is not getattr(Callback, name)
                for item in self._items
                for name in names
            )
        return self._watched[mode]

    def call(self, method: str, *arguments: Any) -> None:
        for item in self._items:
            getattr(item, method)(*arguments)
