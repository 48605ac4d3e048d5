"""The base class of callbacks, those that need nothing of a model, and what calls several."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, cast

from ..common.absent import Explained
from ..common.arguments import neutral

Logs = dict[str, Any]


class Callback(Explained):
    """Base class of one's own callbacks: override the methods that are of use.

    Attributes:
        model: the model that is at work. ``self.model.stop_training = True`` ends `fit` after the step.
        params: ``{"verbose": ..., "epochs": ..., "steps": ...}``; steps is None when it is not known.

    `logs` holds the loss and the metrics, as means since the epoch began. Methods for batches are called
    around every step, and steps without them run faster.
    """

    directions: dict[str, str] | None = None  # of the model at work, see `CallbackList`

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        model = getattr(self, "_model", None)
        if model is None:
            raise AttributeError(f"[{type(self).__name__}] has no model: it is not in use yet")
        return model

    def set_model(self, model: Any) -> None:
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
        # The model holds the history, so not the other way round.
        self._owner: weakref.ref[Any] | None = None

    @property
    def model(self) -> Any:
        model = self._owner() if self._owner else None
        if model is None:
            raise AttributeError("[History] has no model any more")
        return model

    def set_model(self, model: Any) -> None:
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


Callbacks = Callback | Sequence[Callback] | None


class CallbackList:
    """Calls the same method of several callbacks, in order.

    Args:
        directions: whether a smaller ("min") or larger ("max") value of each key of the logs is better.
    """

    def __init__(
        self, owner: str, callbacks: Callbacks, model: Any, directions: dict[str, str] | None
    ) -> None:
        items = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        for item in cast("list[object]", items):
            if not isinstance(item, Callback):
                what = f"{item.__name__}() is needed" if isinstance(item, type) else f"got {item!r}"
                raise TypeError(f"[{owner}] callbacks must be instances of nncore.callbacks.Callback, {what}")
        self._items, self._model, self._directions = items, model, directions
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
            item.directions = self._directions
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
