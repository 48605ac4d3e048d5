"""The base class of callbacks, `History` and `LambdaCallback`."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..common.absent import Explained
from ..common.arguments import reject_unsupported
from ..common.described import outside

Logs = dict[str, Any]


class Callback(Explained):
    """Base class of callbacks: override the methods that you need.

    Attributes:
        model: the model. ``self.model.stop_training = True`` ends `fit` after the current step.
        params: ``{"verbose": ..., "epochs": ..., "steps": ...}``; steps is None if it is not known.

    `logs` holds the loss and the metrics, as means since the epoch began. Methods for batches are called
    around every step; steps without them run faster.
    """

    # Of the running `fit`, `evaluate` or `predict`, see `CallbackList.begin`.
    directions: dict[str, str] | None = None
    course: Any = None

    only_alone = False  # whether it serves custom training loops alone, so that `fit` does not call it
    watches_batches = True  # False if the class's methods for batches do nothing in `fit`

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

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "course"}

    def uses(self, hook: str) -> bool:
        """Whether the callback overrides a method for batches that must be called."""
        function = getattr(getattr(self, hook), "__func__", None)
        if function is getattr(Callback, hook):
            return False
        return self.watches_batches or function is None or outside(function)

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


HOOKS = tuple(name for name in dir(Callback) if name.startswith("on_"))


class History(Callback):
    """The logs of a training, which `fit` returns.

    Attributes:
        history: name -> one value an epoch: "loss", the metrics, and both again with "val_" before the name.
            A value is an array where a metric has several thresholds.
        epoch: numbers of the epochs, from 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        # Without a reference to the model, which holds this object.
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
        return {**super().__getstate__(), "_owner": None}

    def uses(self, hook: str) -> bool:
        return type(self) is not History and super().uses(hook)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback made of functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))``.

    Args:
        on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_begin, on_train_batch_end:
            functions with the arguments of the methods of `Callback`; default None.
        functions: for other methods of `Callback`, by their names.

    Raises:
        TypeError: there is no such method, or an argument is not a function.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **functions: Callable[..., Any] | None,
    ) -> None:
        super().__init__()
        reject_unsupported("LambdaCallback", dict.fromkeys(functions), dict.fromkeys(HOOKS))
        functions |= {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, function in functions.items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"[LambdaCallback] {name} must be a function, got {function!r}")
            setattr(self, name, function)


Callbacks = Callback | Sequence[Callback] | None
