"""The base class of optimizers: their common arguments, and their binding to a model."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import numpy as np

from .. import _core
from ..common import names
from ..common.arguments import boolean, checked, integer, number, reject_unsupported, several
from ..common.described import Described, Settings, as_call
from ..layers import Variable
from ._schedule import LearningRateSchedule
from ._steps import ROWS as ROWS
from ._steps import ByHand, Named

if TYPE_CHECKING:
    pass

MOST = 3.4e38  # the largest number in float32


class Common(TypedDict, total=False):
    """The arguments that all optimizers have, see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None


COMMON: dict[str, Any] = {
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "gradient_accumulation_steps": None,
}
# Keras' further arguments, with the values that have no effect.
_NEUTRAL: dict[str, Any] = {"loss_scale_factor": None}


def _common(owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All of `COMMON`, checked."""
    found = {**COMMON, **given}
    clips = {name: found[name] for name in ("clipnorm", "clipvalue", "global_clipnorm")}
    for name, value in clips.items():
        if value is not None:
            found[name] = number(owner, name, value, 0.0, MOST)
    if sum(value is not None for value in clips.values()) > 1:
        raise ValueError(
            f"[{owner}] only one of clipnorm, clipvalue and global_clipnorm may be given, got "
            + ", ".join(f"{name}={value}" for name, value in clips.items())
        )
    found["use_ema"] = boolean(owner, "use_ema", found["use_ema"])
    found["ema_momentum"] = number(owner, "ema_momentum", found["ema_momentum"], 0.0, 1.0)
    for name in ("ema_overwrite_frequency", "gradient_accumulation_steps"):
        if found[name] is not None:
            found[name] = integer(owner, name, found[name], low=0, high=10**9)
    if found["gradient_accumulation_steps"] == 1:
        raise ValueError(f"[{owner}] gradient_accumulation_steps must be an integer >= 2 or None, got 1")
    return found


class LearningRate(float):
    """A learning rate: a number that also has the methods of Keras' variable.

    >>> from nncore.optimizers import SGD
    >>> optimizer = SGD(0.5)
    >>> optimizer.learning_rate.assign(0.25)
    >>> float(optimizer.learning_rate), optimizer.learning_rate.numpy().dtype
    (0.25, dtype('float32'))
    """

    _optimizer: Optimizer

    def assign(self, value: float) -> None:
        """Does ``optimizer.learning_rate = value``. This number itself does not change: read it again."""
        self._optimizer.learning_rate = value

    def numpy(self) -> np.float32:
        return np.float32(self)

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)


class Optimizer(ByHand, Settings, Described):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled.

    An optimizer belongs to one model at a time, which has its moments; compiling a model again starts with
    moments of zero.

    All optimizers take the arguments below as keywords. The order in a step is: gradients are accumulated,
    then clipped; weights decay, then are updated; averages are updated last.

    Args:
        clipnorm: at least 0, or None (default). The gradient g of each weight becomes
            ``g * clipnorm / max(norm(g), clipnorm)``, its norm the square root of the sum of its squares.
        clipvalue: at least 0, or None (default): ``clip(g, -clipvalue, clipvalue)``.
        global_clipnorm: at least 0, or None (default): as clipnorm, with one norm for all gradients together.
            If that is infinite or not a number, all gradients become NaN. At most one of these three may be
            given; 0 means None.
        use_ema: True keeps averages of the trained weights, which replace the weights at the end of `fit`;
            default False. An average starts as the weight itself; after each step
            ``average = ema_momentum * average + (1 - ema_momentum) * w``.
        ema_momentum: in [0, 1]; default 0.99.
        ema_overwrite_frequency: number of steps after which the averages replace the weights, each time. None
            (default) or 0: only at the end of `fit`.
        gradient_accumulation_steps: at least 2, or None (default). The number of batches for each update,
            which uses the mean of their gradients. `iterations` and ema_overwrite_frequency then count
            updates, but averages and learning rates of schedules change after each batch.
        loss_scale_factor: not available, so None.

    Raises:
        ValueError: a number outside its range, or two ways to clip.
        TypeError: an argument has another name.

    >>> from nncore.optimizers import SGD
    >>> SGD(0.5, clipnorm=1.0)
    SGD(learning_rate=0.5, momentum=0.0, nesterov=False, weight_decay=None, clipnorm=1.0)
    """

    _abstract = True
    _uncalled = (
        "update_step build apply apply_gradients stateless_apply minimize assign assign_add assign_sub "
        "scale_loss add_variable add_variable_from_reference "
        "add_optimizer_variables"
    )
    _instead = "Use one of nncore.optimizers, whose learning_rate a callback can set at any time"
    _rows: ClassVar[tuple[str, ...]] = ()  # names of rows in the core's table
    # Settings to test besides the defaults.
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ()
    _fixed = tuple(COMMON)
    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule,
        weight_decay: float | None,
        name: str | None,
        others: Common,
        **settings: Any,
    ) -> None:
        owner = type(self).__name__
        others_of_keras = {name: value for name, value in others.items() if name not in COMMON}
        reject_unsupported(owner, others_of_keras, _NEUTRAL, known=[*self._settings, *COMMON])
        self.name = names.checked(owner, names.snake_case(owner) if name is None else name)
        self._owner = self._network = None
        self.schedule: LearningRateSchedule | None = None
        self._learning_rate = 0.0  # if there is no schedule
        self._without_decay: tuple[list[Variable], list[str]] = [], []
        self._made, self._kept = 0, {}
        self.learning_rate = learning_rate
        vars(self).update(self._checked(owner, {**settings, "weight_decay": weight_decay}))
        common = {name: value for name, value in others.items() if name in COMMON}
        vars(self).update(_common(owner, common))

    @classmethod
    def _checked(cls, owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as numbers in the ranges of the table, or as True or False; weight_decay may be None."""
        row = [setting for name in cls._rows for setting in ROWS[name][0]]
        absent = {name: None for name in ("weight_decay",) if given.get(name, 0.0) is None}
        return absent | checked(owner, row, {n: value for n, value in given.items() if n not in absent})

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        """The row that computes the update with these settings."""
        return cls._rows[0]

    @classmethod
    def spec_of(cls, owner: str, given: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
        """The row and its settings, selected from the settings `given` of the class."""
        settings = cls._checked(owner, {name: given[name] for name in cls._settings})
        row = cls._row(settings)
        return row, {s[0]: settings[s[0]] for s in ROWS[row][0] if settings[s[0]] is not None}

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate; with a schedule, that of the next step.

        It can be set at any time, also by callbacks during training, to a number or a schedule. The number
        that is read also has ``assign(value)`` and ``numpy()``. Replacing a schedule by a number is a
        TypeError.
        """
        schedule = self.schedule
        rate = LearningRate(self._learning_rate if schedule is None else schedule(self._batches))
        rate._optimizer = self
        return rate

    @learning_rate.setter
    def learning_rate(self, value: float | LearningRateSchedule) -> None:
        owner = type(self).__name__
        if isinstance(value, LearningRateSchedule):
            self.schedule = value
            return
        if callable(value) or isinstance(value, str):
            raise TypeError(
                f"[{owner}] learning_rate must be a number or a LearningRateSchedule, got {value!r}"
            )
        if self.schedule is not None:
            raise TypeError(f"[{owner}] learning_rate cannot be set to a number: it is a schedule")
        rate = self._checked(owner, {"learning_rate": value})["learning_rate"]
        network = self._network() if self._network else None
        if network is not None:
            network.learning_rate = rate
        self._learning_rate = rate

    @property
    def _batches(self) -> int:
        """The number of batches trained on since the model was compiled."""
        network = self._network() if self._network else None
        return network.iterations if network is not None else self._made

    @property
    def iterations(self) -> int:
        """The number of updates since the model was compiled."""
        return self._batches // (self.gradient_accumulation_steps or 1)

    def check_owner(self, owner: Named) -> None:
        """ValueError if the optimizer belongs to another model."""
        other = self._owner() if self._owner else None
        if other is not None and other is not owner:
            raise ValueError(
                f"[{owner.name}] the optimizer {self.name!r} works for the model {other.name!r} already: "
                "make a new one"
            )

    def bind(self, owner: Named, network: _core.Network | None) -> None:
        self._owner = weakref.ref(owner)
        self._network = None if network is None else weakref.ref(network)

    def release(self) -> None:
        self._owner = self._network = None

    def _given(self) -> dict[str, Any]:
        """All arguments; learning_rate may be a schedule."""
        rate: Any = self._learning_rate if self.schedule is None else self.schedule
        own = {name: rate if name == "learning_rate" else getattr(self, name) for name in self._settings}
        return {**own, **{name: getattr(self, name) for name in COMMON}, "name": self.name}

    def spec(self) -> tuple[str, dict[str, float]]:
        return self.spec_of(type(self).__name__, {**self._given(), "learning_rate": self._learning_rate})

    def rules(self) -> dict[str, float]:
        """The common arguments in the form that the core takes."""
        return {name: float(getattr(self, name) or 0.0) for name in COMMON}

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Excludes weights from weight_decay. Call it before ``compile``.

        Args:
            var_list: weights of layers; default none.
            var_names: regular expressions that are searched in the names of weights, such as "bias"; default
                none.

        Raises:
            ValueError: the optimizer belongs to a model already, or a name is no regular expression.
            TypeError: an item of var_list is not a weight.
        """
        if self._owner is not None:
            raise ValueError(f"[{self.name}] exclude_from_weight_decay must be called before compile")
        weights, names = several(var_list or ()), several(var_names or ())
        if weights is None or any(not isinstance(weight, Variable) for weight in weights):
            raise TypeError(f"[{self.name}] var_list must be a list of weights, got {var_list!r:.80}")
        if names is None or any(not isinstance(name, str) for name in names):
            raise TypeError(f"[{self.name}] var_names must be a list of strings, got {var_names!r:.80}")
        try:
            re.compile("|".join(names))
        except re.error as error:
            raise ValueError(f"[{self.name}] var_names must be regular expressions: {error}") from None
        self._without_decay = list(weights), list(names)

    @property
    def without_decay(self) -> tuple[list[Variable], list[str]]:
        """The arguments that `exclude_from_weight_decay` got."""
        return self._without_decay

    def decays(self, layer: object, name: str) -> bool:
        """Whether weight_decay applies to a weight, given by its layer and its name."""
        weights, names = self._without_decay
        listed = any(weight.layer is layer and weight.name == name for weight in weights)
        return not listed and not any(re.search(pattern, name) for pattern in names)

    def finalize_variable_values(self, var_list: Sequence[Variable] | None = None) -> None:
        """Replaces the weights by the averages of use_ema, as `fit` does at its end.

        Args:
            var_list: for programs written for Keras: None or all trained weights.
        """
        if self.use_ema and self._network and (network := self._network()):
            network.take_averages()

    def numbers_behind(self, updates: int) -> list[float]:
        """Numbers that Keras' files have behind the moments, after so many updates."""
        return []

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer. A schedule is given by its class_name and config."""
        given = self._given()
        if self.schedule is not None:
            from . import schedules

            given["learning_rate"] = schedules.serialize(self.schedule)
        return given

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Optimizer:
        """The optimizer for a config that `get_config` returned.

        Args:
            custom_objects: your own schedules by the names of their classes.
        """
        given = dict(config)
        if isinstance(given.get("learning_rate"), Mapping):
            from . import schedules

            given["learning_rate"] = schedules.deserialize(given["learning_rate"], custom_objects)
        return cls(**given)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._without_decay[0]:
            raise ValueError(
                f"[{self.name}] cannot be copied without its model: exclude_from_weight_decay has weights"
            )
        return partial(type(self), **self._given()), (), {"_without_decay": self._without_decay}

    def __repr__(self) -> str:
        given = self._given()
        names = [n for n in given if n in self._settings or (n in COMMON and given[n] != COMMON[n])]
        return as_call(self, {name: given[name] for name in names})
