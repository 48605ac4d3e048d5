"""Recurrent layers: LSTM, GRU and SimpleRNN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from .. import activations
from ..common.absent import answer
from ..common.arguments import boolean, integer, number
from ..common.arrays import Floats
from ..common.values import described, values_in
from ._helper import Helper
from ._layer import Run
from ._weights import Variable
from .core import OF_KERNEL_AND_BIAS, Weighted

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .. import constraints, initializers, regularizers
    from ._options import Activation, Constraint, Initializer, Named, Regularizer

__all__ = ["GRU", "LSTM", "SimpleRNN"]

answer(__name__)

_OF_WEIGHTS = (
    *OF_KERNEL_AND_BIAS, "recurrent_initializer", "recurrent_regularizer", "recurrent_constraint",
)  # fmt: skip
_OF_STEPS = ("dropout", "recurrent_dropout", "return_sequences", "return_state", "go_backwards", "unroll")


class Recurrent(Weighted):
    """Base class of layers that apply a cell to one time step after another."""

    _abstract = True
    supports_masking = reads_mask = True
    states: ClassVar[int] = 1  # h, and c of an LSTM
    _flags: ClassVar[tuple[str, ...]] = ("return_sequences", "return_state", "go_backwards", "unroll")
    _cell_settings: ClassVar[tuple[str, ...]] = ()  # of the compiled layer alone
    unavailable: ClassVar[Mapping[str, Any]] = {
        "seed": None,
        "stateful": False,
        "use_cudnn": "auto",
        "implementation": 2,
        "zero_output_for_mask": False,
        "time_major": False,
    }
    recurrent_initializer: initializers.Initializer
    recurrent_regularizer: regularizers.Regularizer | None
    recurrent_constraint: constraints.Constraint | None
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    unroll: bool
    # Whether outputs of all steps stand at their time also backwards, with 0 at those that a mask hides.
    is_joined: bool = False

    def _set_steps(self, given: Mapping[str, Any]) -> None:
        """Sets what these layers have in common, from the arguments `given`."""
        owner = type(self).__name__
        self.units = integer(owner, "units", given["units"], high=2**20)
        self._set_common(given)
        self.dropout, self.recurrent_dropout = (
            number(owner, name, given[name], 0.0, 1.0, below=True)
            for name in ("dropout", "recurrent_dropout")
        )
        for name in self._flags:
            setattr(self, name, boolean(owner, name, given[name]))
        # The compiled layer has a state as rows, which come first in its output.
        self._row = Helper(self, "repeat_vector", n=1)
        self._stacked = Helper(self, "concatenate", axis=0)
        self._flat = Helper(self, "flatten")
        self._cuts = [Helper(self, "cropping", cropping=(i, -1)) for i in range(self.states)]
        self._outputs = Helper(self, "cropping", cropping=(self.states, 0))

    def __call__(  # type: ignore[override]
        self, x: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Any:
        """Calls the layer on an array or a value.

        Args:
            x: (n, steps, inputs).
            initial_state: the state before the first step: h (n, units), of an LSTM a list of h and c;
                default zeros.
            mask: (n, steps), where 0 is a step that leaves the state as it is; default that of x.
            training: True, on arrays, for dropout.

        Returns:
            The output; with return_state a list of it and the state after the last step.
        """
        keywords = {"initial_state": self.state_of(initial_state), "mask": mask}
        return self._applied(values_in(x) or [x], keywords, training)

    def state_of(self, given: Any, count: int = 0) -> list[Any] | None:
        """A state as a list. count: of its parts, default that of the layer."""
        count = count or self.states
        if given is None:
            return None
        parts = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(parts) != count or any(part is None for part in parts):
            expected = f"a list of {count} arrays or values" if count > 1 else "one array or value"
            raise ValueError(
                f"[{self.name}] initial_state must be {expected} (n, {self.units}), got {described(given)}"
            )
        return parts

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        if (state := named.pop("initial_state", None)) is not None:
            rows = [call(self._row, [part]) for part in state]
            inputs = (*inputs, rows[0] if len(rows) == 1 else call(self._stacked, rows))
        (y,) = super().unfold(call, *inputs, **named)
        if not self.return_state:
            return [y]
        after = [call(self._flat, [call(cut, [y])]) for cut in self._cuts]
        return [call(self._outputs, [y]) if self.return_sequences else after[0], *after]

    def spec(self) -> tuple[str, dict[str, Any]]:
        names = ("units", "use_bias", *_OF_STEPS[:-1], *self._cell_settings)
        attributes = {name: getattr(self, name) for name in names}
        attributes |= {"cell_activation": self.activation.__name__, "is_joined": self.is_joined}
        return self.kind, {k: v.__name__ if callable(v) else v for k, v in attributes.items()}

    def of_weight(self, name: str, what: str) -> Any:
        return super().of_weight("recurrent" if name == "recurrent_kernel" else name, what)

    def stored(self, path: str) -> Iterator[tuple[str, str, list[Variable]]]:
        yield path, self.name, []
        yield f"{path}/cell", f"{self.kind}_cell", self.weights

    def mask_after(self, call: Any, inputs: Any, masks: Any) -> Any:
        """The mask of the output: that of the input, if there is an output for each step."""
        return masks[0] if self.return_sequences else None

    @property
    def recurrent_kernel(self) -> Variable:
        """A view of the recurrent kernel.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._weight("recurrent_kernel")


_BIAS = "bias", "initializer"


class _Remembering(NamedTuple):
    """Initial values of an LSTM's bias: 1 for the forget gate, the second of four."""

    others: initializers.Initializer

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        values = self.others.sample(shape, rng)
        values[shape[0] // 4 : shape[0] // 2] = 1.0
        return values


class LSTM(Recurrent):
    """Long short-term memory: (n, steps, inputs) -> (n, units), or (n, steps, units) with return_sequences.

    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. A step computes
    z = x @ kernel + h @ recurrent_kernel + bias, and of its four parts the gates i, f, g and o: g by the
    activation, the others by the recurrent activation. Then c = f * c + i * g and h = o * activation(c), from
    h = c = 0 on. `nncore.ops.lstm` is the same as a function, `nncore.reference.lstm` in
    NumPy.

    Args:
        units: number of outputs.
        activation: of g and of c: name or function of `nncore.activations`; default tanh. None: linear.
        recurrent_activation: of the gates i, f and o; default sigmoid.
        use_bias: default True.
        kernel_initializer: of the kernel (inputs, 4 * units); default "glorot_uniform".
        recurrent_initializer: of the recurrent kernel (units, 4 * units); default "orthogonal".
        bias_initializer: of the bias (4 * units,); default zeros.
        unit_forget_bias: whether the bias of the forget gate starts at 1; default True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties on the
            weights and the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, recurrent_constraint, bias_constraint: of `nncore.constraints`; default none.
        dropout: in training, the rate at which elements of x are dropped out for the kernel, in [0, 1), with
            the same mask in all steps of a sample; default 0.
        recurrent_dropout: the same for h and the recurrent kernel; default 0. If it is not 0, each gate has
            masks of its own.
        seed: None; other values are not available yet. Masks depend on the model's seed.
        return_sequences: whether the output has the h of all steps, or the last; default False.
        return_state: whether a call returns a list of the output and the state after the last step: h and c,
            each (n, units). Default False.
        go_backwards: whether the steps run from the last to the first; the h of all steps then stand in that
            order. Default False.
        stateful: False; True is not available yet.
        unroll: True or False; it has no effect here.
        options: name, trainable, input_shape, dtype, see `Layer`. use_cudnn has no meaning: "auto" only.

    The weights are kernel, recurrent_kernel and bias. Their columns belong to the gates in the order i, f, g,
    o.

    >>> import numpy as np
    >>> LSTM(4)(np.zeros((2, 10, 3))).shape, LSTM(4, return_sequences=True)(np.zeros((2, 10, 3))).shape
    ((2, 4), (2, 10, 4))
    >>> y, h, c = LSTM(4, return_state=True)(np.ones((2, 10, 3)))
    >>> later = LSTM(4)(np.ones((2, 10, 3)), initial_state=[h, c])
    """

    kind = "lstm"
    states = 2
    _cell_settings = ("recurrent_activation",)
    _settings = ("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", *_OF_WEIGHTS,
                 *_OF_STEPS)  # fmt: skip

    def __init__(
        self,
        units: int,
        activation: Activation | None = "tanh",
        recurrent_activation: Activation | None = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **options: Unpack[Named],
    ) -> None:
        off = {"seed": seed, "stateful": stateful}
        super().__init__({**options, **off, "activity_regularizer": activity_regularizer})
        self.recurrent_activation = activations.get(recurrent_activation, "LSTM")
        self.unit_forget_bias = boolean("LSTM", "unit_forget_bias", unit_forget_bias)
        self._set_steps(locals())

    def of_weight(self, name: str, what: str) -> Any:
        found = super().of_weight(name, what)
        return _Remembering(found) if self.unit_forget_bias and (name, what) == _BIAS else found


class GRU(Recurrent):
    """Gated recurrent unit: (n, steps, inputs) -> (n, units), or (n, steps, units) with return_sequences.

    Cho et al. 2014. A step computes the gates z and r by the recurrent activation of x @ kernel +
    h @ recurrent_kernel + bias, and the candidate g = activation(x @ kernel + r * (h @ recurrent_kernel)),
    each by columns of its own. Then h = z * h + (1 - z) * g, from h = 0 on. `nncore.ops.gru` is the same as a
    function, `nncore.reference.gru` in NumPy.

    Args:
        units: number of outputs.
        activation: of the candidate: name or function of `nncore.activations`; default tanh. None: linear.
        recurrent_activation: of the gates z and r; default sigmoid.
        use_bias: default True.
        kernel_initializer: of the kernel (inputs, 3 * units); default "glorot_uniform".
        recurrent_initializer: of the recurrent kernel (units, 3 * units); default "orthogonal".
        bias_initializer: of the bias (2, 3 * units), one row for each kernel, or without reset_after
            (3 * units,); default zeros.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties on the
            weights and the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, recurrent_constraint, bias_constraint: of `nncore.constraints`; default none.
        dropout, recurrent_dropout: as in `LSTM`.
        seed, return_sequences, go_backwards, stateful, unroll, options: as in `LSTM`.
        return_state: whether a call returns a list of the output and h after the last step; default False.
        reset_after: whether r is applied after the product with the recurrent kernel (default), or before
            it: g = activation(x @ kernel + (r * h) @ recurrent_kernel).

    The weights are kernel, recurrent_kernel and bias. Their columns belong to the gates in the order z, r, g.

    >>> import numpy as np
    >>> GRU(4)(np.zeros((2, 10, 3))).shape, GRU(4, return_sequences=True)(np.zeros((2, 10, 3))).shape
    ((2, 4), (2, 10, 4))
    """

    kind = "gru"
    _flags = (*Recurrent._flags, "reset_after")
    _cell_settings = ("recurrent_activation", "reset_after")
    _settings = ("units", "activation", "recurrent_activation", "use_bias", *_OF_WEIGHTS, *_OF_STEPS,
                 "reset_after")  # fmt: skip

    def __init__(
        self,
        units: int,
        activation: Activation | None = "tanh",
        recurrent_activation: Activation | None = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        **options: Unpack[Named],
    ) -> None:
        off = {"seed": seed, "stateful": stateful}
        super().__init__({**options, **off, "activity_regularizer": activity_regularizer})
        self.recurrent_activation = activations.get(recurrent_activation, "GRU")
        self._set_steps(locals())


class SimpleRNN(Recurrent):
    """h = activation(x @ kernel + h @ recurrent_kernel + bias) in each step, from h = 0 on (Elman 1990).

    (n, steps, inputs) -> (n, units), or (n, steps, units) with return_sequences. `nncore.ops.simple_rnn` is
    the same as a function, `nncore.reference.simple_rnn` in NumPy.

    Args:
        units: number of outputs.
        activation: name or function of `nncore.activations`; default tanh. None: linear.
        use_bias: default True.
        kernel_initializer: of the kernel (inputs, units); default "glorot_uniform".
        recurrent_initializer: of the recurrent kernel (units, units); default "orthogonal".
        bias_initializer: of the bias (units,); default zeros.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties on the
            weights and the output: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, recurrent_constraint, bias_constraint: of `nncore.constraints`; default none.
        dropout, recurrent_dropout, return_sequences, go_backwards, stateful, unroll, seed, options: as in
            `LSTM`.
        return_state: as in `GRU`.

    >>> import numpy as np
    >>> SimpleRNN(4)(np.zeros((2, 10, 3))).shape
    (2, 4)
    """

    kind = "simple_rnn"
    _settings = ("units", "activation", "use_bias", *_OF_WEIGHTS, *_OF_STEPS)

    def __init__(
        self,
        units: int,
        activation: Activation | None = "tanh",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: None = None,
        **options: Unpack[Named],
    ) -> None:
        off = {"seed": seed, "stateful": stateful}
        super().__init__({**options, **off, "activity_regularizer": activity_regularizer})
        self._set_steps(locals())
