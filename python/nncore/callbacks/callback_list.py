"""`CallbackList`, which calls several callbacks."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..common.arguments import boolean, several
from .callback import HOOKS, Callback, History


def checked(owner: str, callbacks: object) -> list[Callback]:
    """A new list of one or several callbacks. TypeError if an item is no callback."""
    if callbacks is None:
        return []
    found = (callbacks,) if isinstance(callbacks, Callback) else several(callbacks)
    for item in (callbacks,) if found is None else found:
        if not isinstance(item, Callback):
            what = f"{item.__name__}() is needed" if isinstance(item, type) else f"got {item!r}"
            raise TypeError(f"[{owner}] callbacks must be instances of nncore.callbacks.Callback, {what}")
    return list(found or ())


class CallbackList(Callback):
    """Calls the methods of several callbacks, in order, in a custom training loop.

    Args:
        callbacks: one callback or a list.
        add_history: True adds a `History` if there is none; default False.
        add_progbar: True adds a `ProgbarLogger` if there is none; default False.
        model: the model of all callbacks; default none yet.
        params: arguments for `set_params`, such as ``epochs=3, steps=10, verbose=1``.

    Attributes:
        callbacks: the list.
        history: the `History`, or None.

    >>> history = History()
    >>> both = CallbackList([history, Callback()])
    >>> both.on_epoch_end(0, {"loss": 0.5})
    >>> history.history
    {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Callback | Sequence[Callback] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks = checked("CallbackList", callbacks)
        self._used: dict[str, bool] = {}  # for each mode, whether a method for batches is used
        self.history = next((one for one in self.callbacks if isinstance(one, History)), None)
        if boolean("CallbackList", "add_history", add_history) and self.history is None:
            self.history = History()
            self.callbacks.append(self.history)
        if boolean("CallbackList", "add_progbar", add_progbar):
            from .progress import ProgbarLogger

            if not any(isinstance(item, ProgbarLogger) for item in self.callbacks):
                self.callbacks.append(ProgbarLogger())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for item in self.callbacks:
            item.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for item in self.callbacks:
            item.set_params(params)

    def begin(
        self,
        model: Any,
        params: dict[str, Any],
        directions: dict[str, str] | None = None,
        course: Any = None,
    ) -> None:
        """Prepares the callbacks for a call of `fit`, `evaluate` or `predict`.

        Args:
            directions: whether a smaller ("min") or larger ("max") value of each key of the logs is better.
            course: the state of the running `fit`; none in `evaluate` and `predict`.
        """
        self.callbacks = [item for item in self.callbacks if not item.only_alone]
        for item in self.callbacks:
            item.directions = directions
            if course is not None:
                item.course = weakref.ref(course)
        self.set_model(model)
        self.set_params(params)

    def uses(self, hook: str) -> bool:
        return any(item.uses(hook) for item in self.callbacks)

    def watches(self, mode: str) -> bool:
        """Whether any method for batches of a mode ("train", "test", "predict") is used."""
        if mode not in self._used:
            names = [f"on_{mode}_batch_begin", f"on_{mode}_batch_end"]
            names += ["on_batch_begin", "on_batch_end"] if mode == "train" else []
            self._used[mode] = any(map(self.uses, names))
        return self._used[mode]


def _of_all(hook: str) -> Callable[..., None]:
    def method(self: CallbackList, *arguments: Any, **named: Any) -> None:
        for item in self.callbacks:
            getattr(item, hook)(*arguments, **named)

    return method


for _hook in HOOKS:
    setattr(CallbackList, _hook, _of_all(_hook))
