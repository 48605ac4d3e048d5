"""Normalization layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import initializers
from ..common.absent import answer
from ..common.arguments import boolean, integer, number, several
from ..common.arrays import as_array
from ._helper import axis_of
from ._layer import Layer, Run
from ._weights import Variable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Constraint, Initializer, Options, Regularizer

__all__ = ["BatchNormalization", "LayerNormalization", "Normalization"]

answer(__name__)

_T = TypeVar("_T")

_OF_GAMMA_AND_BETA = (
    "beta_initializer", "gamma_initializer", "beta_regularizer", "gamma_regularizer", "beta_constraint",
    "gamma_constraint",
)  # fmt: skip


class Normalizing(Layer):
    """Base class of layers with a scale gamma and an offset beta, each of which is optional."""

    _abstract = True

    def _set_common(self, given: Mapping[str, Any]) -> None:
        """Sets what these layers have in common, from the arguments `given`."""
        owner = type(self).__name__
        self.epsilon = number(owner, "epsilon", given["epsilon"], 0.0)
        self.center = boolean(owner, "center", given["center"])
        self.scale = boolean(owner, "scale", given["scale"])
        self._set_of_weights(given)

    @property
    def gamma(self) -> Variable | None:
        """A view of gamma; None with ``scale=False``.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._weight("gamma") if self.scale else None

    @property
    def beta(self) -> Variable | None:
        return self._weight("beta") if self.center else None


class BatchNormalization(Normalizing):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta for each index of an axis.

    Ioffe and Szegedy 2015. In training (`fit`, `train_on_batch` and calls with ``training=True``), mean and
    variance are those of the batch over all other axes, and each call updates the moving statistics:
    ``moving = momentum * moving + (1 - momentum) * batch``. Otherwise, and with ``trainable=False``, the
    moving statistics are used. The variance is the mean squared deviation from the mean. Sample weights are
    ignored.

    For prediction the layer is folded into a Dense or Conv2D before it, if that has no activation and its
    output has no other reader.

    Args:
        axis: the feature axis, counted with the batch axis; default -1, the last one.
        momentum: in [0, 1]; default 0.99.
        epsilon: at least 0; default 0.001.
        center: whether there is a beta; default True.
        scale: whether there is a gamma; default True.
        beta_initializer: default zeros.
        gamma_initializer: default ones.
        moving_mean_initializer: default zeros.
        moving_variance_initializer: default ones.
        beta_regularizer, gamma_regularizer: of `nncore.regularizers`; default none.
        beta_constraint, gamma_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, activity_regularizer, see `Layer`. renorm and
            synchronized are not available: False only.

    The weights are gamma, beta, moving_mean and moving_variance, each (features,).

    >>> import numpy as np
    >>> layer = BatchNormalization()
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> layer(x, training=True).round(2).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> [round(mean, 3) for mean in layer.moving_mean.numpy().tolist()]
    [0.02, 0.2]
    """

    kind = "batch_normalization"
    supports_masking = reads_mask = True
    state = ("moving_mean", "moving_variance")
    _settings = (
        "axis", "momentum", "epsilon", "center", "scale", *_OF_GAMMA_AND_BETA, "moving_mean_initializer",
        "moving_variance_initializer",
    )  # fmt: skip
    unavailable: ClassVar[Mapping[str, Any]] = {
        "renorm": False,
        "renorm_clipping": None,
        "renorm_momentum": 0.99,
        "synchronized": False,
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        moving_mean_initializer: Initializer = "zeros",
        moving_variance_initializer: Initializer = "ones",
        beta_regularizer: Regularizer = None,
        gamma_regularizer: Regularizer = None,
        beta_constraint: Constraint = None,
        gamma_constraint: Constraint = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        owner = type(self).__name__
        self.axis = integer(owner, "axis", axis, low=-(2**31))
        self.momentum = number(owner, "momentum", momentum, 0.0, 1.0)
        self._set_common(locals())

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, attributes = super().spec()
        return kind, attributes | {"activation": "linear"}

    def unfold(self, call: Run[Any], *inputs: Any, **named: Any) -> list[Any]:
        mask = named.pop("mask", None)
        if mask is not None:
            raise ValueError(
                f"[{self.name}] cannot leave out the masked steps of its input: use LayerNormalization, or "
                "Embedding and Masking without a mask"
            )
        return super().unfold(call, *inputs, **named)

    @property
    def moving_mean(self) -> Variable:
        return self._weight("moving_mean")

    @property
    def moving_variance(self) -> Variable:
        return self._weight("moving_variance")


class LayerNormalization(Normalizing):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, for each sample and position by itself.

    (n, ...) -> the same shape. Ba, Kiros and Hinton 2016. Mean and variance (the mean squared deviation) are
    taken over the axes in `axis`; gamma and beta have the shape of these axes. Training and prediction
    compute the same. `nncore.ops.layer_normalization` is the same as a function.

    Args:
        axis: -1, the last axis, or a list of the last ones: [-2, -1], or [1, 2, 3] for images, counted with
            the batch axis. Default -1.
        epsilon: at least 0; default 0.001.
        center: whether there is a beta; default True.
        scale: whether there is a gamma; default True.
        beta_initializer: default zeros.
        gamma_initializer: default ones.
        beta_regularizer, gamma_regularizer: of `nncore.regularizers`; default none.
        beta_constraint, gamma_constraint: of `nncore.constraints`; default none.
        options: name, trainable, input_shape, dtype, activity_regularizer, see `Layer`. rms_scaling is not
            available yet: False only.

    Raises:
        TypeError: axis is neither an integer nor a list of them.
        ValueError: axis names the batch axis; or, when the layer is built, axes that are not the last ones.

    >>> LayerNormalization(epsilon=0.0)([[1, 3], [10, 30]]).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    kind = "layer_normalization"
    supports_masking = True
    unavailable: ClassVar[Mapping[str, Any]] = {"rms_scaling": False}
    _settings = ("axis", "epsilon", "center", "scale", *_OF_GAMMA_AND_BETA)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        beta_regularizer: Regularizer = None,
        gamma_regularizer: Regularizer = None,
        beta_constraint: Constraint = None,
        gamma_constraint: Constraint = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        axes = several(axis)
        if axes == ():
            raise ValueError(f"[LayerNormalization] axis must name one axis or more, got {axis!r}")
        self.axis = (
            axis_of("LayerNormalization", "axis", axis)
            if axes is None
            else tuple(axis_of("LayerNormalization", "axis", one) for one in axes)
        )
        self._set_common(locals())

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, "axis": several(self.axis) or (self.axis,)}


class Normalization(Layer):
    """(x - mean) / max(sqrt(variance), 1e-7) for each index of some axes; training leaves the numbers alone.

    `adapt` takes mean and variance from data; before, they are 0 and 1. With `invert` the layer computes
    x * max(sqrt(variance), 1e-7) + mean.

    Args:
        axis: whose indices have numbers of their own, counted with the batch axis, or from the end; a list
            for several; None for one mean and one variance of all. Default -1, the last axis.
        mean: one number, or one for each index; default None: from `adapt`.
        variance: as mean; both are given, or none.
        invert: default False.
        options: name, trainable, input_shape, dtype, see `Layer`.

    The weights, if mean is None, are mean, variance, each of the sizes of the axes, and count, which Keras'
    files have and nothing reads.

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 9.0]]))
    >>> layer([[0.0, 9.0]]).tolist()
    [[-1.0, 1.0]]
    """

    kind = "normalization"
    _settings = ("axis", "invert")

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        invert: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        axes = () if axis is None else several(axis)
        axes = (axis,) if axes is None else axes
        self.axis = tuple(axis_of("Normalization", "axis", one) for one in axes)
        self.invert = boolean("Normalization", "invert", invert)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"[Normalization] mean and variance must be given both, got mean={mean!r}, "
                f"variance={variance!r}"
            )
        self.mean_initializer = self.count_initializer = initializers.Zeros()
        self.variance_initializer = initializers.Ones()
        self._given: dict[str, NDArray[np.float64]] = {}
        if mean is not None and variance is not None:
            for name, one in (("mean", mean), ("variance", variance)):
                if np.asarray(one).dtype.kind not in "iuf":
                    raise ValueError(f"[Normalization] {name} must be numbers, got {one!r}")
            given = [np.asarray(one, np.float64) for one in (mean, variance)]
            if given[0].shape != given[1].shape or given[0].ndim > len(self.axis) or not given[0].size:
                raise ValueError(
                    "[Normalization] mean and variance must have the same shape, with at most as many axes "
                    f"as axis={self.axis}, got shapes {given[0].shape} and {given[1].shape}"
                )
            if not np.isfinite(given).all() or (given[1] < 0).any():
                raise ValueError(
                    f"[Normalization] mean must be finite and variance at least 0, got {mean!r}, {variance!r}"
                )
            self._given = {"mean": given[0], "variance": given[1]}

    @property
    def state(self) -> tuple[str, ...]:  # type: ignore[override]
        return () if self._given else ("mean", "variance", "count")

    @property
    def mean(self) -> Any:
        """A view of the mean, or the numbers that were given.

        Raises:
            AttributeError: the layer is not built.
        """
        return self._given["mean"].copy() if self._given else self._weight("mean")

    @property
    def variance(self) -> Any:
        return self._given["variance"].copy() if self._given else self._weight("variance")

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, **{name: given.ravel().tolist() for name, given in self._given.items()}}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer; `adapt` is not among them."""
        given = {name: values.tolist() for name, values in self._given.items()}
        return {**super().get_config(), **(given or {"mean": None, "variance": None})}

    def adapt(self, data: Any) -> None:
        """Sets mean and variance to those of the data, and builds the layer if need be.

        Args:
            data: an array (n, ...), or batches of it: an iterable of arrays, or of tuples whose first item
                is one.

        Raises:
            ValueError: mean and variance were given to the layer, there is no data, or a shape does not fit.
        """
        if self._given:
            raise ValueError(
                f"[{self.name}] has its mean and variance from its arguments: adapt changes none"
            )
        batches = iter([data])
        if not hasattr(data, "__array__") and not hasattr(data, "shape"):
            batches = iter(data)
            first = next(batches, None)
            is_batch = isinstance(first, tuple) or hasattr(first, "shape")
            batches = itertools.chain([first], batches) if is_batch else iter([data])
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for batch in batches:
            x = as_array(self.name, "data", batch[0] if isinstance(batch, tuple) else batch)
            if x.size == 0:
                continue
            self.build(x.shape)
            kept = {axis % x.ndim for axis in self.axis}
            others = tuple(axis for axis in range(x.ndim) if axis not in kept)
            n = int(np.prod([x.shape[axis] for axis in others]))
            distance, count = x.mean(others, np.float64) - mean, count + n
            # Chan, Golub and LeVeque 1983
            squares = squares + x.var(others, np.float64) * n + distance**2 * (n * (count - n) / count)
            mean = mean + distance * (n / count)
        if count == 0:
            raise ValueError(f"[{self.name}] adapt needs data, got none")
        self.write(0, [values.astype(np.float32) for values in (mean, squares / count)])
