"""Layers that normalize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..common.absent import answer
from ..common.arguments import boolean, integer, number, several
from ._layer import Layer
from ._weights import Variable
from .merging import axis_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Constraint, Initializer, Options, Regularizer

answer(__name__)

_OF_GAMMA_AND_BETA = (
    "beta_initializer", "gamma_initializer", "beta_regularizer", "gamma_regularizer", "beta_constraint",
    "gamma_constraint",
)  # fmt: skip


class Normalizing(Layer):
    """A layer with a gamma and a beta, each of which may be left out."""

    _abstract = True

    def _set_common(self, epsilon: Any, center: Any, scale: Any, **of_weights: Any) -> None:
        owner = type(self).__name__
        self.epsilon = number(owner, "epsilon", epsilon, 0.0)
        self.center = boolean(owner, "center", center)
        self.scale = boolean(owner, "scale", scale)
        self._set_of_weights(**of_weights)

    @property
    def gamma(self) -> Variable | None:
        """A view of gamma; None with ``scale=False``. This and the other weights raise AttributeError before
        the layer is built.
        """
        return self._weight("gamma") if self.scale else None

    @property
    def beta(self) -> Variable | None:
        return self._weight("beta") if self.center else None


class BatchNormalization(Normalizing):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta for each index of an axis.

    Ioffe and Szegedy 2015. In training, mean and variance are those of the batch, over all other axes, and
    the moving ones follow them: ``moving = momentum * moving + (1 - momentum) * of the batch``, in `fit`,
    `train_on_batch` and calls with ``training=True``, for each call of the layer. Elsewhere, and where the
    layer has ``trainable=False``, they are the moving ones. The variance is the mean of squares about the
    mean. Sample weights do not enter.

    At prediction, the layer is part of a Dense or Conv2D before it that has no activation and whose output
    nothing else reads.

    Args:
        axis: of the features; -1 (default) is the last one, 1 the first behind the batch.
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
            synchronized are not available, so False.

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
        self._set_common(
            epsilon,
            center,
            scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer,
            moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, attributes = super().spec()
        return kind, attributes | {"activation": "linear"}

    @property
    def moving_mean(self) -> Variable:
        return self._weight("moving_mean")

    @property
    def moving_variance(self) -> Variable:
        return self._weight("moving_variance")


class LayerNormalization(Normalizing):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, of each sample and position by itself.

    (n, ...) -> the same shape. Mean and variance (the mean of squares about the mean) are over the axes that
    `axis` names, whose shape gamma and beta have. Training and prediction compute the same (Ba, Kiros and
    Hinton 2016). The function `nncore.ops.layer_normalization` does so on an array.

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
            available yet, so False.

    Raises:
        TypeError: axis is neither an integer nor a list of them.
        ValueError: axis names the batch axis, or when the layer is built, others than the last ones.

    >>> LayerNormalization(epsilon=0.0)([[1, 3], [10, 30]]).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    kind = "layer_normalization"
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
            raise ValueError("[LayerNormalization] axis must name one axis or more, got none")
        self.axis = (
            axis_of("LayerNormalization", "axis", axis)
            if axes is None
            else tuple(axis_of("LayerNormalization", "axis", one) for one in axes)
        )
        self._set_common(
            epsilon,
            center,
            scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        return kind, {**settings, "axis": several(self.axis) or (self.axis,)}
