"""State of optimizers, and steps with gradients that the user's program computes."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ..common.arrays import Floats, checked_values
from ..common.messages import warn
from ..common.readings import Reading
from ..layers import Variable

ROWS = _core.optimizers()


class Named(Protocol):
    """The attributes of a model that its optimizer uses."""

    name: str

    def kept_of_weights(self, buffers: Sequence[Floats]) -> list[tuple[str, list[Floats]]]:
        """The path of each trained weight, and its part of each buffer."""
        ...


class ByHand:
    """Steps of an optimizer that belongs to no model."""

    name: str
    learning_rate: Any
    _owner: weakref.ref[Named] | None
    _network: weakref.ref[_core.Network] | None
    _made: int  # number of steps
    _kept: dict[tuple[Any, str], tuple[Variable, list[Floats]]]  # by layer and name: weight, moments

    @property
    def iterations(self) -> int:
        raise NotImplementedError

    def spec(self) -> tuple[str, dict[str, float]]:
        raise NotImplementedError

    def rules(self) -> dict[str, float]:
        raise NotImplementedError

    def decays(self, layer: object, name: str) -> bool:
        raise NotImplementedError

    def apply_gradients(self, grads_and_vars: Iterable[tuple[ArrayLike | None, Variable]]) -> int:
        """Makes a step with given gradients, computed for example by functions of `nncore.ops`.

        The optimizer keeps moments for these weights as long as it belongs to no model.

        Args:
            grads_and_vars: pairs of a gradient and a weight of a layer, both of one shape. A weight whose
                gradient is None stays as it is.

        Returns:
            The number of steps so far.

        Raises:
            ValueError: the optimizer belongs to a compiled model, clips, averages or accumulates, or a shape
                is wrong; no weight is changed then.
            TypeError: an item is not a gradient of numbers and a weight.

        >>> from nncore.layers import Dense
        >>> from nncore.optimizers import SGD
        >>> layer = Dense(1, use_bias=False, kernel_initializer="ones")
        >>> layer.build((None, 2))
        >>> SGD(0.25).apply_gradients([([[1], [2]], layer.kernel)])
        1
        >>> layer.kernel.numpy().tolist()
        [[0.75], [0.5]]
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [weight for _, weight in pairs])
        return self.iterations

    def apply(
        self, grads: Sequence[ArrayLike | None], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Makes a step as `apply_gradients` does.

        Args:
            grads: a gradient for each weight.
            trainable_variables: the weights; default those of the steps before, in the same order.
        """
        known = [weight for weight, _ in self._kept.values()]
        weights = known if trainable_variables is None else list(trainable_variables)
        if self._owner is not None:
            raise ValueError(
                f"[{self.name}] works for a compiled model, whose training applies gradients: make a new "
                "optimizer, or change them in model.gradients"
            )
        if used := [name for name, value in self.rules().items() if value and name != "ema_momentum"]:
            raise ValueError(f"[{self.name}] {used[0]} is not available in apply_gradients: for `fit` alone")
        if len(grads) != len(weights):
            raise ValueError(f"[{self.name}] expected {len(weights)} gradients, got {len(grads)}")
        if weights and all(gradient is None for gradient in grads):
            raise ValueError(f"[{self.name}] there is no gradient, but None for each weight")
        for weight in weights:
            if not isinstance(weight, Variable):
                raise TypeError(f"[{self.name}] expected weights of layers, got {weight!r:.80}")
        given = [
            None if g is None else checked_values(w.path, g, w.shape, "the gradient")
            for g, w in zip(grads, weights)
        ]
        row, settings = self.spec()
        settings = {**settings, "learning_rate": float(self.learning_rate)}
        plain = {name: value for name, value in settings.items() if name != "weight_decay"}
        for gradient, weight in zip(given, weights):
            if gradient is None:
                warn(f"[{self.name}] the gradient of {weight.path} is None: it stays as it is")
                continue
            spec = row, settings if self.decays(weight.layer, weight.name) else plain
            key = (weight.layer, weight.name)
            starts = [settings.get(f"initial_{moment}_value", 0.0) for moment in ROWS[row][1]]
            first = [np.full(weight.shape, start, np.float32) for start in starts]
            held = self._kept.get(key, (weight, first))[1]
            new, *held = _core.update(spec, self._made + 1, gradient, [weight.numpy(), *held])
            weight.assign(new if weight.constraint is None else weight.constraint(new))
            self._kept[key] = weight, held
        self._made += 1

    @property
    def variables(self) -> list[Reading]:
        """Copies of the state: the number of steps, the learning rate, and the moments of each weight, which
        exist once the model is built.
        """
        found = [
            Reading(f"{self.name}/iteration", self.iterations, "int32"),
            Reading(f"{self.name}/learning_rate", float(self.learning_rate)),
        ]
        network = self._network() if self._network else None
        net = self._owner() if self._owner else None
        moments = ROWS[self.spec()[0]][1]
        each: list[tuple[str, list[Floats]]] = [(w.path, held) for w, held in self._kept.values()]
        if network is not None and net is not None:
            each = net.kept_of_weights([flat for _, flat in network.state()[0][1 : len(moments) + 1]])
        for path, held in each:
            name = f"{self.name}/{path.replace('/', '_')}"
            found += [Reading(f"{name}_{moment}", values) for moment, values in zip(moments, held)]
        return found
