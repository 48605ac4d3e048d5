"""Steps of training with what Python does between two of them: learning rates, and changes of gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..common.arguments import number, several
from ..layers._weights import Floats, checked_values
from ..optimizers import MOST
from .feeds import Data

if TYPE_CHECKING:
    from ..optimizers.schedules import LearningRateSchedule
    from .trainer import Trainable

# What a model's `gradients` may be.
Changes = Callable[[list[Floats]], Sequence[ArrayLike] | None]
_AHEAD = 256  # steps whose rates are asked for at a time


class WithGradients:
    """A model whose gradients a function of the user's may see and change."""

    _change: Changes | None = None
    name: str

    @property
    def gradients(self) -> Changes | None:
        """What is called in each step of `fit` and `train_on_batch` between gradient and update: None
        (default) or a function f(gradients).

        It is given one float32 array for each of `trainable_weights`, as they were when the model was
        compiled, in their order and shapes: the gradient of the batch's loss, before accumulation and
        clipping. It may change them in place and return None, or return new ones. Processes that share a
        batch would add up their gradients here. The model may be used in it: it is not locked. An exception
        ends the call, with the model as before the step. The function is not saved with the model.

        Raises:
            TypeError: what is set is no function.

        >>> import nncore
        >>> from nncore.layers import Dense, Input
        >>> model = nncore.Sequential([Input((3,)), Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> model.gradients = lambda gradients: print([g.shape for g in gradients])
        >>> _ = model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
        [(3, 2), (2,)]
        """
        return self._change

    @gradients.setter
    def gradients(self, change: Changes | None) -> None:
        if change is not None and not callable(change):
            raise TypeError(f"[{self.name}] gradients must be a function or None, got {change!r}")
        self._change = change


class Steps:
    """The `Work` of one call of `fit` or `train_on_batch`. Loss and metrics are added to `sums`."""

    def __init__(self, model: Trainable, network: _core.Network, sums: _core.Sums) -> None:
        self._model, self._network, self._sums = model, network, sums
        self._rates: Floats = np.empty(0, np.float32)  # of the step self._next, and those after it
        self._next = 0
        self._train = network.train

    def __call__(self, data: Data, order: Any, start: int, stop: int, batch_size: int, seconds: float) -> int:
        model = self._model
        change, settings = model._change, model._settings
        schedule = settings.optimizer._schedule if settings else None
        try:
            if change is None and schedule is None:
                return self._train(*data, order, start, stop, batch_size, seconds, self._sums)
        except RuntimeError as error:
            raise self._named(error) from None
        if change is not None:
            stop = min(stop, start + batch_size)
        rates = None
        if schedule is not None:
            rates = self._ahead(schedule, -(-(stop - start) // batch_size))
            stop = min(stop, start + len(rates) * batch_size)
        if change is None:
            given = (*data, order, start, stop, batch_size, seconds, self._sums, rates)
            return int(self._call(self._train, *given))
        network = self._network
        self._call(network.gradients, *data, order, start, stop, self._sums)
        changed = self._changed(change, self._call(network.read, "gradients"))
        if rates is not None:
            network.learning_rate = float(rates[0])
        self._call(network.apply, changed)
        return stop

    def _call(self, method: Callable[..., Any], *given: Any) -> Any:
        try:
            return method(*given)
        except RuntimeError as error:
            raise self._named(error) from None

    def _named(self, error: RuntimeError) -> RuntimeError:
        """With the model's name, if it is of the core: a callback or another thread has compiled the model in
        between. What the handler of a signal has raised stays as it is.
        """
        of_handler = error.__traceback__ and error.__traceback__.tb_next
        return error if of_handler else RuntimeError(f"[{self._model.name}] {error}")

    def _ahead(self, schedule: LearningRateSchedule, steps: int) -> Floats:
        """Learning rates of the next steps, of at least one: no more than there are in the epoch, so that
        what a callback changes counts.
        """
        now = self._network.iterations
        used = now - self._next
        if not 0 <= used < len(self._rates):
            self._rates, used = self._asked(schedule, now, min(steps, _AHEAD)), 0
        self._rates, self._next = self._rates[used:], now
        return self._rates[:steps]

    def _asked(self, schedule: LearningRateSchedule, now: int, steps: int) -> Floats:
        """What the schedule gives, up to the first error, which is raised when its step comes."""
        found: list[Any] = []
        try:
            for step in range(now, now + steps):
                found.append(schedule(step))
        except Exception:
            if not found:
                raise
        with contextlib.suppress(ValueError):
            given = np.asarray(found)
            rates = given.astype(np.float64) if given.dtype.kind in "fiu" and given.ndim == 1 else None
            if rates is not None and ((rates >= 0) & (rates <= MOST)).all():
                return rates.astype(np.float32)
        checked: list[float] = []
        try:
            for step, value in enumerate(found, now):
                name = f"the learning rate of step {step}"
                checked.append(number(type(schedule).__name__, name, value, 0.0, MOST))
        except (TypeError, ValueError):
            if not checked:
                raise
        return np.array(checked, np.float32)

    def _changed(self, change: Changes, flat: Floats) -> Floats:
        """The gradients in `flat` after the user's function has had them."""
        model = self._model
        assert model._flat is not None
        assert model._settings is not None
        parts, names = [], []
        for (layer, name, _, _), part in zip(self._network.layout, model._parts(flat)):
            path = model._flat.paths[layer]
            if path not in model._settings.frozen and name not in model._flat.layers[layer]._state:
                parts.append(part)
                names.append(f"{path}/{name}")
        given = change(list(parts))
        if given is None:
            return flat
        if (arrays := several(given)) is None or len(arrays) != len(parts):
            what = type(given).__name__ if arrays is None else f"{len(arrays)} arrays"
            raise ValueError(
                f"[{model.name}] gradients must return None or {len(parts)} arrays, one for each trainable "
                f"weight, got {what}"
            )
        new = [
            checked_values(model.name, array, part.shape, f"the gradient of {name}")
            for part, array, name in zip(parts, arrays, names)
        ]
        for part, values in zip(parts, new):
            part[...] = values
        return flat
