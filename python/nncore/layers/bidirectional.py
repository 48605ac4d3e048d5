"""Recurrent layers that run over the steps in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from ..common.absent import answer
from ..common.arguments import choice, reject_unsupported
from ..common.values import values_in
from ._layer import Layer
from .merging import Add, Average, Concatenate, Multiply
from .recurrence import Recurrent

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from ._weights import Variable

__all__ = ["Bidirectional"]

answer(__name__)


class Bidirectional(Layer):
    """A recurrent layer that runs over the steps forward, and a second one that runs backward.

    Schuster and Paliwal 1997. (n, steps, inputs) -> (n, 2 * units), or (n, steps, 2 * units) with
    return_sequences, where both outputs of a step stand at that step. At steps that a mask hides these are 0.
    With return_state, a call returns a list of the output and of both states after the last steps.

    Args:
        layer: `LSTM`, `GRU` or `SimpleRNN`. Both layers are new ones with its settings, as forward_layer and
            backward_layer; the given one is not used further.
        merge_mode: "concat" (default), "sum", "mul" or "ave", how the two outputs become one. None: the
            output is a list of both.
        weights: None; other values are not available: use set_weights.
        backward_layer: the second layer, if it has other settings: with go_backwards other than that of
            layer, and the same return_sequences. Default a copy of layer.
        options: name, trainable, input_shape, dtype, activity_regularizer, see `Layer`.

    The weights are those of forward_layer, then those of backward_layer.

    >>> import numpy as np
    >>> from nncore.layers import LSTM
    >>> Bidirectional(LSTM(4))(np.zeros((2, 10, 3))).shape
    (2, 8)
    """

    kind = "bidirectional"
    supports_masking = reads_mask = True
    _settings = ("layer", "merge_mode", "backward_layer")
    _merges: ClassVar[dict[str, type[Layer]]] = {
        "concat": Concatenate, "sum": Add, "mul": Multiply, "ave": Average,
    }  # fmt: skip

    def __init__(
        self,
        layer: Recurrent,
        merge_mode: str | None = "concat",
        weights: None = None,
        backward_layer: Recurrent | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        owner = "Bidirectional"
        reject_unsupported(owner, {"weights": weights}, {"weights": None})
        for given in (layer, layer if backward_layer is None else backward_layer):
            if not isinstance(given, Recurrent):
                raise TypeError(f"[{owner}] expected an LSTM, GRU or SimpleRNN, got {given!r}")
        self.merge_mode = merge_mode and choice(owner, "merge_mode", merge_mode, list(self._merges))
        self.forward_layer = _copied(layer, "forward")
        changed = {"go_backwards": True} if backward_layer is None else {}
        self.backward_layer = _copied(backward_layer or layer, "backward", **changed)
        first, second = self.forward_layer, self.backward_layer
        if first.go_backwards == second.go_backwards:
            raise ValueError(
                f"[{owner}] layer and backward_layer must differ in go_backwards, both have "
                f"{first.go_backwards}"
            )
        if first.return_sequences != second.return_sequences:
            raise ValueError(f"[{owner}] layer and backward_layer must have the same return_sequences")
        if first.return_state != second.return_state:
            raise ValueError(f"[{owner}] layer and backward_layer must have the same return_state")
        self.return_sequences, self.return_state = first.return_sequences, first.return_state
        if self.merge_mode is None:
            if self.activity_regularizer is not None:
                raise ValueError(f"[{owner}] activity_regularizer needs a merge_mode: give it to the layers")
            self._set_parts(first, second)
        else:
            merge = self._merges[self.merge_mode]
            penalty = self.activity_regularizer
            self._merge = merge(name=f"{self.name}_merge", activity_regularizer=penalty)  # type: ignore[call-arg]
            self._set_parts(first, second, self._merge)

    @property
    def layer(self) -> Recurrent:
        """The forward layer."""
        return self.forward_layer

    def __call__(  # type: ignore[override]
        self, x: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Any:
        """As a call of the layers, with the states of both in one list: those of forward_layer first.

        With ``return_state`` the list of outputs has the states in that order, too.
        """
        each = (self.forward_layer, self.backward_layer)
        state = self.forward_layer.state_of(initial_state, sum(layer.states for layer in each))
        return self._applied(values_in(x) or [x], {"initial_state": state, "mask": mask}, training)

    def unfold(self, call: Any, x: Any, mask: Any = None, initial_state: Any = None) -> list[Any]:
        first, second = self.forward_layer, self.backward_layer
        parts = (
            initial_state and initial_state[: first.states],
            initial_state and initial_state[first.states :],
        )
        one, other = (
            layer.unfold(call, x, mask=mask, initial_state=part)
            for layer, part in zip((first, second), parts)
        )
        outputs = [one[0], other[0]]
        merged = outputs if self.merge_mode is None else [call(self._merge, outputs)]
        return [*merged, *one[1:], *other[1:]]

    def mask_after(self, call: Any, inputs: Any, masks: Any) -> Any:
        """The mask of the output: that of the input, if there is an output for each step."""
        return masks[0] if self.return_sequences else None

    def stored(self, path: str) -> Iterator[tuple[str, str, list[Variable]]]:
        yield path, self.name, []
        for name in ("forward_layer", "backward_layer"):
            yield from getattr(self, name).stored(f"{path}/{name}")


def _copied(layer: Recurrent, way: str, **changed: bool) -> Recurrent:
    """A new layer of these settings, whose outputs are joined with those of another one."""
    name = f"{way}_{layer.name.removeprefix(f'{way}_')}"
    found = type(layer).from_config({**layer.get_config(), **changed, "name": name})
    found.is_joined = True
    return found
