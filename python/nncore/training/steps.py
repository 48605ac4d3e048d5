"""Steps of training, with the work of Python between them: learning rates and changed gradients."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..common.arguments import number, several
from ..common.arrays import Floats, checked_values
from ..optimizers import MOST
from .feeds import Data
from .functions import WithFunctions

if TYPE_CHECKING:
    from ..graph.net import Net
    from ..optimizers.schedules import LearningRateSchedule
    from .settings import Settings

# The type of a model's `gradients`.
Changes = Callable[[list[Floats]], Sequence[ArrayLike] | None]
_AHEAD = 256  # steps whose learning rates are computed at a time


class Trainer(Protocol):
    """The attributes of a trainer that steps use."""

    @property
    def net(self) -> Net: ...
    @property
    def settings(self) -> Settings | None: ...
    @property
    def change(self) -> Changes | None: ...


class Steps:
    """The `Work` of one call of `fit` or `train_on_batch`. Loss and metrics are added to `sums`.

    Args:
        only_finite: a step whose loss is not finite is the last one, and makes no update.
    """

    def __init__(
        self, trainer: Trainer, network: _core.Network, sums: _core.Sums, only_finite: bool = False
    ) -> None:
        self._trainer, self._network, self._sums = trainer, network, sums
        self._rates: Floats = np.empty(0, np.float32)  # learning rates from step self._next on
        self._next = 0
        self._train = network.train
        self._only_finite = only_finite
        self._functions = sums if isinstance(sums, WithFunctions) else None

    def __call__(self, data: Data, order: Any, start: int, stop: int, batch_size: int, seconds: float) -> int:
        change, settings = self._trainer.change, self._trainer.settings
        schedule = settings.optimizer.schedule if settings else None
        try:
            if change is None and schedule is None and self._functions is None:
                if not self._only_finite:
                    return self._train(*data, order, start, stop, batch_size, seconds, self._sums)
                return self._train(*data, order, start, stop, batch_size, seconds, self._sums, None, True)
        except RuntimeError as error:
            raise self._named(error) from None
        if change is not None or self._functions is not None:
            stop = min(stop, start + batch_size)
        rates = None
        if schedule is not None:
            rates = self._ahead(schedule, -(-(stop - start) // batch_size))
            stop = min(stop, start + len(rates) * batch_size)
        if change is None:
            given = (*data, order, start, stop, batch_size, seconds, self._sums, rates, self._only_finite)
            return int(self._step(data, order, start, stop, self._train, *given))
        network = self._network
        of = data, order, start, stop
        loss = self._step(*of, network.gradients, *data, order, start, stop, self._sums)
        if self._only_finite and not math.isfinite(loss):
            return stop
        changed = self._changed(change, self._call(network.read, "gradients"))
        if rates is not None:
            network.learning_rate = float(rates[0])
        self._call(network.apply, changed)
        return stop

    def _step(
        self, data: Data, order: Any, start: int, stop: int, method: Callable[..., Any], *given: Any
    ) -> Any:
        """Makes one step as `_call` does, then evaluates the metrics that are Python functions."""
        if self._functions is None:
            return self._call(method, *given)
        work = partial(self._call, method, *given)
        return self._functions.step(self._network, data, order, start, stop, work)

    def _call(self, method: Callable[..., Any], *given: Any, **others: Any) -> Any:
        try:
            return method(*given, **others)
        except RuntimeError as error:
            raise self._named(error) from None

    def _named(self, error: RuntimeError) -> RuntimeError:
        """The core's error with the model's name: a callback or another thread compiled the model meanwhile.
        An error of a signal handler stays as it is.
        """
        of_handler = error.__traceback__ and error.__traceback__.tb_next
        return error if of_handler else RuntimeError(f"[{self._trainer.net.name}] {error}")

    def _ahead(self, schedule: LearningRateSchedule, steps: int) -> Floats:
        """Learning rates of the next steps, at least one. They end with the epoch, where a callback may
        change the rate.
        """
        now = self._network.iterations
        used = now - self._next
        if not 0 <= used < len(self._rates):
            self._rates, used = self._asked(schedule, now, min(steps, _AHEAD)), 0
        self._rates, self._next = self._rates[used:], now
        return self._rates[:steps]

    def _asked(self, schedule: LearningRateSchedule, now: int, steps: int) -> Floats:
        """Learning rates of the schedule up to its first error, which is raised when that step is reached."""
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
        """The gradients in `flat` as the user's function changed or replaced them."""
        net, settings = self._trainer.net, self._trainer.settings
        assert net.flat is not None
        assert settings is not None
        parts, names = [], []
        for (layer, name, _, _), part in zip(self._network.layout, net.parts(flat)):
            path = net.flat.paths[layer]
            if path not in settings.frozen and name not in net.flat.layers[layer].state:
                parts.append(part)
                names.append(f"{path}/{name}")
        given = change(list(parts))
        if given is None:
            return flat
        if (arrays := several(given)) is None or len(arrays) != len(parts):
            what = type(given).__name__ if arrays is None else f"{len(arrays)} arrays"
            raise ValueError(
                f"[{net.name}] gradients must return None or {len(parts)} arrays, one for each trainable "
                f"weight, got {what}"
            )
        new = [
            checked_values(net.name, array, part.shape, f"the gradient of {name}")
            for part, array, name in zip(parts, arrays, names)
        ]
        for part, values in zip(parts, new):
            part[...] = values
        return flat
