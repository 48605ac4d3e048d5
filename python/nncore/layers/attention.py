"""Attention: averages of values, weighted by how well keys fit queries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..common.absent import answer
from ..common.arguments import boolean, choice, integer, number, reject_unsupported, several
from ..common.values import OpenShape
from ._layer import Layer
from .core import OF_KERNEL_AND_BIAS, Dense, Reshape
from .merging import Merge, Multiply

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Constraint, Initializer, Named, Options, Regularizer
    from ._weights import Variable

__all__ = ["Attention", "MultiHeadAttention"]

answer(__name__)


class _Heads(Layer):
    """softmax(scale * q @ k^T) @ v for each head; the core's layer takes q, k, v and masks."""

    _abstract = True
    kind = "attention"
    _settings = ("heads", "scale", "dropout", "causal")

    def __init__(self, name: str, heads: int, scale: float, dropout: float, causal: bool) -> None:
        super().__init__({"name": name})
        self.heads, self.scale, self.dropout, self.causal = heads, scale, dropout, causal


class _Projection(Dense):
    """A dense layer whose kernel and bias have an axis of heads, among the inputs or among the outputs."""

    _abstract = True

    def __init__(self, units: int, side: str, heads: int, **options: Any) -> None:
        super().__init__(units, **options)
        self._split = {f"heads_of_{side}": heads}

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, **self._split}


class _Attending:
    """The nodes that weigh values, for calls with a causal mask and without."""

    def __init__(self, owner: str, heads: int, scale: float, dropout: float) -> None:
        self.plain, self.causal = (
            _Heads(f"{owner}_{name}", heads, scale, dropout, name == "causal") for name in ("plain", "causal")
        )
        self.upright = Reshape((-1, 1), name=f"{owner}_upright")  # of a mask of queries
        self.parts = self.plain, self.causal, self.upright

    def __call__(
        self, call: Any, inputs: list[Any], is_causal: bool, masks: Sequence[Any], of_queries: Any
    ) -> Any:
        masks = [mask for mask in masks if mask is not None]
        if of_queries is not None:
            masks.append(call(self.upright, [of_queries]))
        return call(self.causal if is_causal else self.plain, [*inputs, *masks])


class MultiHeadAttention(Layer):
    """Attention of several heads (Vaswani et al. 2017), called as ``layer(query, value)``.

    For each head, weights = softmax(q @ k^T / sqrt(key_dim)) over the keys and output = weights @ v, where
    q, k and v are projections of query (n, t, ...), key (n, s, ...) and value (n, s, ...) to key_dim and
    value_dim features. The outputs of all heads are projected together: (n, t, output_shape).

    Args:
        num_heads: number of heads.
        key_dim: features of q and k in each head.
        value_dim: features of v in each head; default key_dim.
        dropout: share of the weights that training sets to 0; default 0.
        use_bias: whether the projections have a bias; default True.
        output_shape: features of the output; default those of query.
        attention_axes: None or 1, the axis of steps; others are not available yet.
        sliding_window, flash_attention, use_gate, seed: not available yet: None or False only.
        kernel_initializer: of the kernels; default "glorot_uniform".
        bias_initializer: of the biases; default zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the kernels, the biases and
            the results of the four projections: names or instances of `nncore.regularizers`; default none.
        kernel_constraint, bias_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, see `Layer`.

    The weights are those of query_dense, key_dense, value_dense and output_dense: kernels (features,
    num_heads, key_dim or value_dim), of the output (num_heads, value_dim, features), and biases.

    >>> import numpy as np
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=3)
    >>> x = np.ones((4, 5, 8))
    >>> layer(x, x, use_causal_mask=True).shape
    (4, 5, 8)
    >>> [weight.shape for weight in layer.query_dense.weights]
    [(8, 2, 3), (2, 3)]
    """

    kind = "attention"
    takes_several = True
    supports_masking = reads_mask = True
    unavailable: ClassVar[Mapping[str, Any]] = {
        "sliding_window": None,
        "flash_attention": None,
        "use_gate": False,
        "seed": None,
    }
    _settings = ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", *OF_KERNEL_AND_BIAS)

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: None = None,
        flash_attention: None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        use_gate: bool = False,
        seed: None = None,
        **options: Unpack[Named],
    ) -> None:
        off = {"sliding_window": sliding_window, "flash_attention": flash_attention, "use_gate": use_gate}
        super().__init__({**options, **off, "seed": seed, "activity_regularizer": activity_regularizer})
        owner = "MultiHeadAttention"
        self.num_heads = integer(owner, "num_heads", num_heads, high=2**20)
        self.key_dim = integer(owner, "key_dim", key_dim, high=2**20)
        given = key_dim if value_dim is None else value_dim
        self.value_dim = integer(owner, "value_dim", given, high=2**20)
        self.dropout = number(owner, "dropout", dropout, 0.0, 1.0)
        self.use_bias = boolean(owner, "use_bias", use_bias)
        sizes = several(output_shape)
        if sizes is not None and len(sizes) != 1:
            raise ValueError(f"[{owner}] output_shape of several axes is not available, got {output_shape!r}")
        units = output_shape if sizes is None else sizes[0]
        self._units = None if units is None else integer(owner, "output_shape", units, high=2**20)
        if (several(attention_axes) or (attention_axes,)) not in ((None,), (1,)):
            raise ValueError(
                f"[{owner}] attention_axes={attention_axes!r} is not available: None or 1, the axis of steps"
            )
        self._set_of_weights(locals())
        self._attending = _Attending(self.name, self.num_heads, 1.0 / math.sqrt(self.key_dim), self.dropout)
        self.query_dense, self.key_dense = (self._projection(name, self.key_dim) for name in ("query", "key"))
        self.value_dense = self._projection("value", self.value_dim)
        self.output_dense: Dense | None = None  # made when the features of query are known
        self._set_parts(self.query_dense, self.key_dense, self.value_dense, *self._attending.parts)

    def _projection(self, name: str, size: int) -> Dense:
        return self._dense(name, self.num_heads * size, "outputs")

    def _dense(self, name: str, units: int, side: str) -> Dense:
        own = {each: getattr(self, each) for each in (*OF_KERNEL_AND_BIAS, "activity_regularizer")}
        return _Projection(units, side, self.num_heads, use_bias=self.use_bias, name=name, **own)

    def prepare(self, before: Sequence[OpenShape]) -> None:
        units = self._units or (before[0][-1] if before and before[0] else None)
        if self.shapes is None and units is not None:
            self.output_dense = self._dense("attention_output", units, "inputs")
            projections = self.query_dense, self.key_dense, self.value_dense, self.output_dense
            self._set_parts(*projections, *self._attending.parts)

    def unfold(
        self,
        call: Any,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
        mask: Sequence[Any] = (),
    ) -> list[Any]:
        own = [*mask, None, None, None]  # those that the inputs bring with them
        query_mask, value_mask, key_mask = (
            b if a is None else a for a, b in zip((query_mask, value_mask, key_mask), own)
        )
        if self.output_dense is None:
            raise ValueError(f"[{self.name}] the features of query must be known")
        inputs = [
            call(self.query_dense, [query]),
            call(self.key_dense, [value if key is None else key]),
            call(self.value_dense, [value]),
        ]
        masks = value_mask, key_mask, attention_mask
        found = self._attending(call, inputs, use_causal_mask, masks, query_mask)
        return [call(self.output_dense, [found])]

    def __call__(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Calls the layer on arrays or values.

        Args:
            query: (n, t, features).
            value: (n, s, features).
            key: (n, s, features); default value.
            query_mask: (n, t), where 0 hides a query.
            value_mask, key_mask: (n, s), where 0 hides a key.
            attention_mask: (n, t, s), or (n, num_heads, t, s) with sizes of 1 for all, where 0 hides a key
                from a query. A query from which all are hidden gets the mean of the values.
            return_attention_scores: False; True is not available yet.
            training: True, on arrays, for dropout.
            use_causal_mask: hides later steps from each query; default False.
        """
        scores = {"return_attention_scores": return_attention_scores}
        reject_unsupported(self.name, scores, {"return_attention_scores": False})
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        causal = boolean(self.name, "use_causal_mask", use_causal_mask)
        given = {"key": key, **masks, "attention_mask": attention_mask, "use_causal_mask": causal}
        return self._applied([query, value], given, training)

    def stored(self, path: str) -> Iterator[tuple[str, str, list[Variable]]]:
        yield path, self.name, []
        for place in ("query_dense", "key_dense", "value_dense", "output_dense"):
            part = getattr(self, place)
            yield f"{path}/{place}", part.name, part.weights

    def get_config(self) -> dict[str, Any]:
        units = None if self._units is None else [self._units]
        return {**super().get_config(), "output_shape": units, "attention_axes": [1] if self.built else None}


class Attention(Merge):
    """softmax(query @ key^T) @ value over steps (Luong et al. 2015): ``Attention()([query, value])``.

    (n, t, features), (n, s, other features) -> (n, t, other features). A third input is the key, (n, s,
    features); without it, value is the key.

    Args:
        use_scale: False; True is not available yet.
        score_mode: "dot"; others are not available yet.
        dropout: share of the weights that training sets to 0; default 0.
        seed: None; other values are not available yet.
        options: name, trainable, dtype, see `Layer`.

    >>> query, value = [[[1.0, 0.0]]], [[[100.0, 1.0], [0.0, 3.0]]]
    >>> Attention()([query, value]).round(3).tolist()
    [[[100.0, 1.0]]]
    """

    kind = "attention"
    _settings = ("use_scale", "score_mode", "dropout")

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.use_scale = boolean("Attention", "use_scale", use_scale)
        self.score_mode = choice("Attention", "score_mode", score_mode, ["dot", "concat"])
        self.dropout = number("Attention", "dropout", dropout, 0.0, 1.0)
        reject_unsupported(
            "Attention",
            {"use_scale": use_scale, "score_mode": score_mode, "seed": seed},
            {"use_scale": False, "score_mode": "dot", "seed": None},
        )
        self._attending = _Attending(self.name, 1, 1.0, self.dropout)
        self._kept = Multiply(name=f"{self.name}_kept")
        self._set_parts(*self._attending.parts, self._kept)

    def mask_after(self, call: Any, inputs: Sequence[Any], masks: Sequence[Any]) -> Any:
        return masks[0]

    def unfold(
        self,
        call: Any,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        use_causal_mask: bool = False,
        mask: Sequence[Any] = (),
    ) -> list[Any]:
        own = [*mask, None, None]
        query_mask, value_mask = (b if a is None else a for a, b in zip((query_mask, value_mask), own))
        inputs = [query, value if key is None else key, value]
        found = self._attending(call, inputs, use_causal_mask, [value_mask], None)
        if query_mask is not None:
            found = call(self._kept, [found, call(self._attending.upright, [query_mask])])
        return [found]

    def __call__(  # type: ignore[override]
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Calls the layer on a list of arrays or values: query, value and perhaps key.

        Args:
            inputs: the list.
            mask: None, or a list of masks (n, t) of query and (n, s) of value, each of which may be None.
                Keys are hidden where the second is 0, and the output is 0 where the first is.
            training: True, on arrays, for dropout.
            return_attention_scores: False; True is not available yet.
            use_causal_mask: hides later steps from each query; default False.
        """
        scores = {"return_attention_scores": return_attention_scores}
        reject_unsupported(self.name, scores, {"return_attention_scores": False})
        given = several(inputs)
        if given is None or len(given) not in (2, 3):
            raise ValueError(f"[{self.name}] must be called on [query, value] or [query, value, key]")
        masks = (None, None) if mask is None else several(mask)
        if masks is None or len(masks) < 2:
            raise ValueError(f"[{self.name}] mask must be a list of two masks, each of which may be None")
        keywords = {
            "query_mask": masks[0],
            "value_mask": masks[1],
            "use_causal_mask": boolean(self.name, "use_causal_mask", use_causal_mask),
        }
        return self._applied(given, keywords, training)
