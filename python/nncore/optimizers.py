"""Optimizers: settings of the update that the compiled core makes after each batch.

>>> Adam(learning_rate=0.01)
Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, weight_decay=None)
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from . import _core, _described, _names
from ._arguments import Settings, checked, neutral, unknown
from ._described import Described

if TYPE_CHECKING:
    from ._stack import Stack

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "get"]

ROWS = _core.optimizers()

# What Keras' optimizers also take, with the values that switch it off.
_NEUTRAL: dict[str, Any] = {
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class LearningRate(float):
    """A learning rate: a number, with the methods that Keras' variable has for it.

    >>> optimizer = SGD(0.5)
    >>> optimizer.learning_rate.assign(0.25)
    >>> float(optimizer.learning_rate), optimizer.learning_rate.numpy().dtype
    (0.25, dtype('float32'))
    """

    _optimizer: Optimizer

    def assign(self, value: float) -> None:
        """As ``optimizer.learning_rate = value``. The number at hand stays what it is: ask for it again."""
        self._optimizer.learning_rate = value

    def numpy(self) -> np.float32:
        return np.float32(self)

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)


class Optimizer(Settings, Described):
    """Base class. Deriving from it raises TypeError outside nncore: what runs in a network is compiled.

    An optimizer works for one model at a time, which keeps its moments; a model compiled anew starts with
    moments of zero.
    """

    _abstract = True
    _uncalled = (
        "update_step build apply apply_gradients stateless_apply minimize assign assign_add assign_sub "
        "scale_loss finalize_variable_values add_variable add_variable_from_reference "
        "add_optimizer_variables"
    )
    _instead = "Use one of nncore.optimizers, whose learning_rate a callback can set at any time"
    _rows: ClassVar[tuple[str, ...]] = ()  # of the compiled table
    # Settings with which it is tested besides the defaults.
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ()
    weight_decay: float | None

    def __init__(
        self,
        learning_rate: float,
        weight_decay: float | None,
        name: str | None,
        others: dict[str, Any],
        **settings: Any,
    ) -> None:
        owner = type(self).__name__
        neutral(owner, others, _NEUTRAL, known=self._settings)
        self.name = _names.checked(owner, _names.snake_case(owner) if name is None else name)
        self._owner: weakref.ref[Stack] | None = None
        self._network: weakref.ref[_core.Network] | None = None
        self.learning_rate = learning_rate
        vars(self).update(self._checked(owner, {**settings, "weight_decay": weight_decay}))

    @classmethod
    def _checked(cls, owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as numbers in the ranges of the table, or as True or False; weight_decay may be None."""
        row = [setting for name in cls._rows for setting in ROWS[name][0]]
        absent = {name: None for name in ("weight_decay",) if given.get(name, 0.0) is None}
        return absent | checked(owner, row, {n: value for n, value in given.items() if n not in absent})

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        """Which of the rows works with these settings."""
        return cls._rows[0]

    @classmethod
    def _spec_of(cls, owner: str, given: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
        """The row and its settings, from all of the class; those of `given` that are none are passed over."""
        settings = cls._checked(owner, {name: given[name] for name in cls._settings})
        row = cls._row(settings)
        return row, {s[0]: settings[s[0]] for s in ROWS[row][0] if settings[s[0]] is not None}

    @property
    def learning_rate(self) -> LearningRate:
        """Size of the steps. Can be set at any time, also by callbacks during training.

        Setting takes a plain number; what is read has ``assign(value)`` and ``numpy()`` besides.
        """
        rate = LearningRate(self._learning_rate)
        rate._optimizer = self
        return rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        owner = type(self).__name__
        if callable(value) or isinstance(value, str):
            raise TypeError(
                f"[{owner}] learning_rate must be a number (schedules are not available yet), got {value!r}"
            )
        rate = self._checked(owner, {"learning_rate": value})["learning_rate"]
        network = self._network() if self._network else None
        if network is not None:
            network.learning_rate = rate
        self._learning_rate = rate

    @property
    def iterations(self) -> int:
        """Steps made since the model was compiled."""
        network = self._network() if self._network else None
        return network.iterations if network is not None else 0

    def _check_owner(self, model: Stack) -> None:
        owner = self._owner() if self._owner else None
        if owner is not None and owner is not model:
            raise ValueError(
                f"[{model.name}] the optimizer {self.name!r} works for the model {owner.name!r} already: "
                "make a new one"
            )

    def _bind(self, model: Stack, network: _core.Network | None) -> None:
        self._owner = weakref.ref(model)
        self._network = None if network is None else weakref.ref(network)

    def _release(self) -> None:
        self._owner = self._network = None

    def _spec(self) -> tuple[str, dict[str, float]]:
        return self._spec_of(type(self).__name__, self.get_config())

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Not available yet: raises ValueError."""
        raise ValueError(f"[{self.name}] exclude_from_weight_decay is not available yet")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {**super().get_config(), "learning_rate": self._learning_rate, "name": self.name}

    def __reduce__(self) -> tuple[Callable[..., Optimizer], tuple[()]]:
        return partial(type(self), **self.get_config()), ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={getattr(self, k)!r}' for k in self._settings)})"


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if it is above 0.

    Without momentum ``w -= learning_rate * g``; with it ``m = momentum * m - learning_rate * g; w += m``,
    and with nesterov ``w += momentum * m - learning_rate * g`` after the new m.

    Args:
        learning_rate: at least 0; default 0.01.
        momentum: in [0, 1]; default 0.
        nesterov: default False.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "sgd".
        others: clipnorm and so on: not available yet, so None or Keras' default.
    """

    _rows = ("sgd", "sgd_momentum", "sgd_nesterov")
    _variants = ({"learning_rate": 0.1, "momentum": 0.9}, {"momentum": 0.9, "nesterov": True})
    momentum: float
    nesterov: bool

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, others, momentum=momentum, nesterov=nesterov)

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        return cls._rows[1 + settings["nesterov"] if settings["momentum"] else 0]


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015).

    ``m += (g - m) * (1 - beta_1); v += (g**2 - v) * (1 - beta_2);
    w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)`` in step t = 1, 2,
    ...

    Args:
        learning_rate: at least 0; default 0.001.
        beta_1: in [0, 1); default 0.9.
        beta_2: in [0, 1); default 0.999.
        epsilon: at least 0; default 1e-7.
        amsgrad: default False; whether the largest v so far takes the place of v in w's update (Reddi and
            others, 2018).
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "adam".
        others: clipnorm and so on: not available yet, so None or Keras' default.
    """

    _rows = ("adam", "amsgrad")
    _variants = ({"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, {"amsgrad": True})
    amsgrad: bool
    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        own = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad}
        super().__init__(learning_rate, weight_decay, name, others, **own)

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        return cls._rows[settings["amsgrad"]]


class AdamW(Adam):
    """Adam with a decay of weights (Loshchilov and Hutter, 2019), before each update, by default.

    Args:
        weight_decay: at least 0; default 0.004. None is a ValueError, as in Keras.
        name: default "adam_w".

    The others are those of `Adam`.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("[AdamW] weight_decay must be a number, got None")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, name=name, **others)


class RMSprop(Optimizer):
    """Steps scaled by a running mean of the gradient's square (Hinton, 2012), with momentum if it is above 0.

    ``v = rho * v + (1 - rho) * g**2; w -= learning_rate * g / sqrt(v + epsilon)``. Centered, a running mean a
    of g makes it ``sqrt(v - a**2 + epsilon)``. With momentum ``m = momentum * m + step; w -= m``.

    Args:
        learning_rate: at least 0; default 0.001.
        rho: in [0, 1); default 0.9.
        momentum: in [0, 1]; default 0.
        epsilon: at least 0; default 1e-7.
        centered: default False.
        weight_decay: at least 0, or None: ``w -= w * weight_decay * learning_rate`` before each update.
        name: default "rm_sprop".
        others: clipnorm and so on: not available yet, so None or Keras' default.
    """

    _rows = ("rmsprop", "rmsprop_momentum", "rmsprop_centered", "rmsprop_centered_momentum")
    _variants = ({"rho": 0.8, "momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True})
    rho: float
    momentum: float
    epsilon: float
    centered: bool

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        own = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": centered}
        super().__init__(learning_rate, weight_decay, name, others, **own)

    @classmethod
    def _row(cls, settings: Mapping[str, Any]) -> str:
        return cls._rows[2 * settings["centered"] + (settings["momentum"] > 0)]


CLASSES: dict[str, Callable[..., Optimizer]] = {**_described.classes(Optimizer)}
# Of Keras, so that the error says more than "unknown".
_NOT_YET = ("adadelta", "adagrad", "adamax", "adafactor", "nadam", "ftrl", "lion", "lamb", "muon")


def get(identifier: Any, owner: str = "optimizers.get") -> Optimizer:
    """The optimizer of a name, in any case, with its default settings; or itself.

    Raises:
        ValueError: there is no optimizer of that name.
        TypeError: something else.

    >>> get("sgd")
    SGD(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None)
    """
    if isinstance(identifier, str):
        names = {name.lower(): cls for name, cls in CLASSES.items()}
        if identifier.lower() in names:
            return names[identifier.lower()]()
        if identifier.lower() in _NOT_YET:
            raise ValueError(
                f"[{owner}] the optimizer {identifier!r} is not available yet: use one of {sorted(names)}"
            )
        raise unknown(owner, "optimizer", identifier, names)
    if identifier in CLASSES.values():
        name = identifier.__name__
        raise TypeError(f"[{owner}] optimizer must be an instance: {name}(), not {name}")
    return _described.get(owner, Optimizer, identifier)
