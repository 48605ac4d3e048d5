"""Layers that change images (n, height, width, channels) at random in training.

Each image of a batch has random numbers of its own, but for `RandomCrop`. They depend on the seed, the step
and the place of the image in the batch, not on threads. Outside training images are given back as they are.
A layer that is called on an array alone changes it, unless ``training=False``, as in Keras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..common.absent import answer
from ..common.arguments import choice, number, several
from ..common.values import values_in
from ._before import Prepares
from .images import channels_last
from .randomness import Random
from .resizing import OfSize, interpolation_of

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from typing_extensions import Unpack

    from ._options import DataFormat, Options, Unnamed
    from .resizing import Interpolation

    Factor: TypeAlias = float | Sequence[float]
    FillMode: TypeAlias = Literal["reflect", "constant", "wrap", "nearest"]

__all__ = [
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
]

answer(__name__)


def range_of(
    owner: str, name: str, value: Any, least: float, most: float, below: float
) -> tuple[float, float]:
    """(lower, upper) from a pair in any order, or from one number f: (-f, f), but not below `below`."""
    if (items := several(value)) is None:
        factor = abs(number(owner, name, value, least, most))
        return max(-factor, below), factor
    if len(items) != 2:
        raise ValueError(f"[{owner}] {name} must be a number or a pair of them, got {value!r}")
    lower, upper = sorted(number(owner, name, item) for item in items)
    if lower > most or upper < least:
        raise ValueError(f"[{owner}] {name} must be in [{least:g}, {most:g}], got {value!r}")
    return lower, upper


class _RandomImage(Prepares, Random):
    _abstract = True
    at_random = True
    unavailable: ClassVar[Mapping[str, Any]] = {"bounding_box_format": None, "data_format": "channels_last"}

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """As `Layer.__call__`, but a call on an array is one of training unless ``training=False``."""
        return super().__call__(x, True if training is None and values_in(x) is None else training, mask)


class RandomFlip(_RandomImage):
    """Flips an image with probability 1/2.

    Args:
        mode: "horizontal" (left and right change places), "vertical", or "horizontal_and_vertical" (default):
            then both directions are flipped, or none.
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> RandomFlip("horizontal")([[[1.0], [2.0]]], training=False).tolist()
    [[[1.0], [2.0]]]
    """

    kind = "random_flip"
    _settings = ("mode", "seed")

    def __init__(
        self,
        mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: DataFormat = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        channels_last("RandomFlip", data_format)
        self.mode = choice("RandomFlip", "mode", mode, ["horizontal", "vertical", "horizontal_and_vertical"])
        self._set_seed(seed)


class _Sampled(_RandomImage):
    """Base class of layers that read each pixel of the output somewhere in the input."""

    _abstract = True

    def _set_sampling(
        self, fill_mode: str, interpolation: str, seed: int | None, fill_value: float, data_format: DataFormat
    ) -> None:
        owner = type(self).__name__
        channels_last(owner, data_format)
        self.fill_mode = choice(owner, "fill_mode", fill_mode, ["reflect", "constant", "wrap", "nearest"])
        self.interpolation = interpolation_of(owner, interpolation)
        self.fill_value = number(owner, "fill_value", fill_value)
        self._set_seed(seed)


class RandomRotation(_Sampled):
    """Rotates an image about its middle by an angle that is uniform in a range.

    Args:
        factor: (lower, upper) as parts of a whole turn, or f for (-f, f), each in [-1, 1]; positive angles
            turn counterclockwise.
        fill_mode: what lies outside the image: "reflect" (default, d c b a | a b c d | d c b a), "constant"
            (`fill_value`), "wrap" (a b c d | a b c d | a b c d) or "nearest" (a a a a | a b c d | d d d d).
        interpolation: "bilinear" (default) or "nearest".
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        fill_value: default 0.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> layer = RandomRotation((0.25, 0.25), interpolation="nearest")
    >>> layer([[[1.0], [2.0]], [[3.0], [4.0]]])[..., 0].tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """

    kind = "random_rotation"
    _settings = ("factor", "fill_mode", "interpolation", "seed", "fill_value")

    def __init__(
        self,
        factor: Factor,
        fill_mode: FillMode = "reflect",
        interpolation: Interpolation = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: DataFormat = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        self.factor = range_of("RandomRotation", "factor", factor, -1.0, 1.0, -1.0)
        self._set_sampling(fill_mode, interpolation, seed, fill_value, data_format)


class RandomZoom(_Sampled):
    """Makes what an image shows larger or smaller, about its middle.

    Args:
        height_factor: (lower, upper), or f for (-f, f), each above -1 and at most 1: the image shows 1 + a
            uniform number of that range times its height. So 0.2 zooms out, -0.2 zooms in.
        width_factor: the same of the width; default None: the number that is drawn for the height.
        fill_mode, interpolation, seed, fill_value, data_format: as for `RandomRotation`.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "random_zoom"
    _settings = ("height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value")

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: FillMode = "reflect",
        interpolation: Interpolation = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: DataFormat = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        self.height_factor = self._factor("height_factor", height_factor)
        self.width_factor = None if width_factor is None else self._factor("width_factor", width_factor)
        self._set_sampling(fill_mode, interpolation, seed, fill_value, data_format)

    @staticmethod
    def _factor(name: str, value: Factor) -> tuple[float, float]:
        lower, upper = range_of("RandomZoom", name, value, -1.0, 1.0, -1.0)
        if lower <= -1.0 or upper > 1.0:
            raise ValueError(f"[RandomZoom] {name} must be above -1 and at most 1, got {value!r}")
        return lower, upper


class RandomTranslation(_Sampled):
    """Moves an image by uniform parts of its height and width.

    Args:
        height_factor: (lower, upper), or f for (-f, f), each in [-1, 1]; positive numbers move down.
        width_factor: the same; positive numbers move to the right.
        fill_mode, interpolation, seed, fill_value, data_format: as for `RandomRotation`.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> RandomTranslation(0, (0.5, 0.5), fill_mode="constant")([[[1.0], [2.0]]]).tolist()
    [[[0.0], [1.0]]]
    """

    kind = "random_translation"
    _settings = ("height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value")

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: FillMode = "reflect",
        interpolation: Interpolation = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: DataFormat = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        for name, value in (("height_factor", height_factor), ("width_factor", width_factor)):
            lower, upper = range_of("RandomTranslation", name, value, -1.0, 1.0, -1.0)
            if lower < -1.0 or upper > 1.0:
                raise ValueError(f"[RandomTranslation] {name} must be in [-1, 1], got {value!r}")
            setattr(self, name, (lower, upper))
        self._set_sampling(fill_mode, interpolation, seed, fill_value, data_format)


class RandomCrop(_RandomImage, OfSize):
    """A part of images: (n, h, w, channels) -> (n, height, width, channels), where h and w are larger.

    In training all images of a batch are cut at the same random place. Outside training, and where h or w is
    not larger, the largest part in the middle with the new aspect ratio is resized, as `Resizing` with
    ``crop_to_aspect_ratio=True`` does.

    Args:
        height, width: the new size.
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        data_format: None or "channels_last"; others are not available yet.
        name: default "random_crop" with a running number.
        options: trainable, input_shape, dtype, see `Layer`.
    """

    kind = "random_crop"
    _settings = ("height", "width", "seed")

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: DataFormat = None,
        name: str | None = None,
        **options: Unpack[Unnamed],
    ) -> None:
        super().__init__({"name": name, **options})
        self._set_size(height, width, data_format)
        self._set_seed(seed)


class _RandomColor(_RandomImage):
    _abstract = True
    _least: ClassVar[float]
    _settings = ("factor", "value_range", "seed")

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        owner = type(self).__name__
        self.factor = range_of(owner, "factor", factor, self._least, 1.0, self._least)
        self.value_range = range_of(owner, "value_range", value_range, -float("inf"), float("inf"), 0.0)
        if several(value_range) is None or self.value_range[0] == self.value_range[1]:
            raise ValueError(f"[{owner}] value_range must be two different numbers, got {value_range!r}")
        self._set_seed(seed)


class RandomContrast(_RandomColor):
    """(x - mean) * c + mean with the mean of each channel of an image, kept within `value_range`.

    c is uniform in [1 - lower, 1 + upper].

    Args:
        factor: (lower, upper), or f in [0, 1] for (0, f), as Keras has it.
        value_range: the lowest and the highest value of an image; default (0, 255).
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind = "random_contrast"
    _least = 0.0


class RandomBrightness(_RandomColor):
    """x + b * (highest - lowest), with b uniform in [lower, upper], kept within `value_range`.

    Args:
        factor: (lower, upper), or f for (-f, f), each in [-1, 1].
        value_range: the lowest and the highest value of an image; default (0, 255).
        seed: at least 0, of the numbers in each step; default None, as for `GaussianNoise`.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> RandomBrightness((0.5, 0.5), value_range=(0, 1))([[[0.25], [0.75]]]).tolist()
    [[[0.75], [1.0]]]
    """

    kind = "random_brightness"
    _least = -1.0
