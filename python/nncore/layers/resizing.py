"""Layers that give images (n, height, width, channels), or steps (n, steps, channels), another size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..common.absent import answer
from ..common.arguments import boolean, choice, integer, number, pair, require_default, several
from ._before import Prepares
from ._layer import Layer
from .images import MOST, channels_last

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from typing_extensions import Unpack

    from ._options import DataFormat, Options, Pair

    Interpolation: TypeAlias = Literal["nearest", "bilinear"]
    Edges: TypeAlias = int | Sequence[int] | Sequence[Sequence[int]]

__all__ = [
    "CenterCrop",
    "Cropping1D",
    "Cropping2D",
    "Resizing",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]

answer(__name__)


def interpolation_of(owner: str, value: object) -> str:
    return choice(owner, "interpolation", value, ["nearest", "bilinear"])


class _Edges(Layer):
    """Base class of layers with sizes of edges: two of steps, or two pairs of an image."""

    _abstract = True
    _name_of_edges: str

    def _set_edges(self, given: Any, is_image: bool) -> None:
        owner, name = type(self).__name__, self._name_of_edges
        both = several(given) or (given, given)
        if len(both) != 2:
            raise ValueError(f"[{owner}] {name} must be a number, two numbers or two pairs, got {given!r}")
        if is_image:
            setattr(self, name, tuple(pair(owner, name, one, MOST, 0) for one in both))
        else:
            setattr(self, name, pair(owner, name, given, MOST, 0))

    def spec(self) -> tuple[str, dict[str, Any]]:
        edges = getattr(self, self._name_of_edges)
        flat = edges if isinstance(edges[0], int) else (*edges[0], *edges[1])
        return self.kind, {self._name_of_edges: flat}


class ZeroPadding1D(_Edges):
    """Zeros before and after the steps: (n, steps, channels) -> (n, steps + left + right, channels).

    Args:
        padding: one number for both ends, or (left, right); default 1.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> ZeroPadding1D((0, 2))([[[3.0]]]).tolist()
    [[[3.0], [0.0], [0.0]]]
    """

    kind, _name_of_edges = "zero_padding", "padding"
    _settings = ("padding",)

    def __init__(self, padding: Pair = 1, data_format: DataFormat = None, **options: Unpack[Options]) -> None:
        super().__init__(options)
        channels_last("ZeroPadding1D", data_format)
        self._set_edges(padding, False)


class ZeroPadding2D(_Edges):
    """Zeros around images: (n, h, w, channels) -> (n, top + h + bottom, left + w + right, channels).

    Args:
        padding: one number for all edges, (vertical, horizontal), or ((top, bottom), (left, right)); default
            1.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> ZeroPadding2D(((1, 0), (2, 3))).compute_output_shape((None, 4, 4, 1))
    (None, 5, 9, 1)
    """

    kind, _name_of_edges = "zero_padding", "padding"
    _settings = ("padding",)

    def __init__(
        self, padding: Edges = (1, 1), data_format: DataFormat = None, **options: Unpack[Options]
    ) -> None:
        super().__init__(options)
        channels_last("ZeroPadding2D", data_format)
        self._set_edges(padding, True)


class Cropping1D(_Edges):
    """Steps without the first and last: (n, steps, channels) -> (n, steps - left - right, channels).

    Args:
        cropping: one number for both ends, or (left, right); default 1.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind, _name_of_edges = "cropping", "cropping"
    _settings = ("cropping",)

    def __init__(self, cropping: Pair = (1, 1), **options: Unpack[Options]) -> None:
        super().__init__(options)
        self._set_edges(cropping, False)


class Cropping2D(_Edges):
    """Images without their edges: (n, h, w, channels) -> (n, h - top - bottom, w - left - right, channels).

    Args:
        cropping: one number for all edges, (vertical, horizontal), or ((top, bottom), (left, right)); default
            0.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.
    """

    kind, _name_of_edges = "cropping", "cropping"
    _settings = ("cropping",)

    def __init__(
        self, cropping: Edges = ((0, 0), (0, 0)), data_format: DataFormat = None, **options: Unpack[Options]
    ) -> None:
        super().__init__(options)
        channels_last("Cropping2D", data_format)
        self._set_edges(cropping, True)


class UpSampling1D(Layer):
    """Each step several times: (n, steps, channels) -> (n, steps * size, channels).

    Args:
        size: how often; default 2.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> UpSampling1D(2)([[[1.0], [2.0]]]).tolist()
    [[[1.0], [1.0], [2.0], [2.0]]]
    """

    kind = "up_sampling"
    _settings = ("size",)

    def __init__(self, size: int = 2, **options: Unpack[Options]) -> None:
        super().__init__(options)
        self.size = integer("UpSampling1D", "size", size, high=MOST)

    def spec(self) -> tuple[str, dict[str, Any]]:
        return self.kind, {"size": (self.size,), "interpolation": "nearest"}


class UpSampling2D(Layer):
    """Larger images: (n, h, w, channels) -> (n, h * size, w * size, channels).

    Args:
        size: one factor, or (vertical, horizontal); default 2.
        data_format: None or "channels_last"; others are not available yet.
        interpolation: "nearest" (default) repeats pixels, "bilinear" interpolates between their middles.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> UpSampling2D((1, 2))([[[[1.0], [2.0]]]]).tolist()
    [[[[1.0], [1.0], [2.0], [2.0]]]]
    """

    kind = "up_sampling"
    _settings = ("size", "interpolation")

    def __init__(
        self,
        size: Pair = (2, 2),
        data_format: DataFormat = None,
        interpolation: Interpolation = "nearest",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        channels_last("UpSampling2D", data_format)
        self.size = pair("UpSampling2D", "size", size, high=MOST)
        self.interpolation = interpolation_of("UpSampling2D", interpolation)


class OfSize(Prepares):
    _abstract = True

    def _set_size(self, height: int, width: int, data_format: DataFormat) -> None:
        owner = type(self).__name__
        channels_last(owner, data_format)
        self.height = integer(owner, "height", height, high=MOST)
        self.width = integer(owner, "width", width, high=MOST)


class Resizing(OfSize):
    """Images in another size: (n, h, w, channels) -> (n, height, width, channels).

    Args:
        height, width: the new size.
        interpolation: "bilinear" (default) or "nearest"; others are not available.
        crop_to_aspect_ratio: whether to resize the largest part in the middle with the new aspect ratio, so
            that nothing is stretched; default False.
        pad_to_aspect_ratio: whether to give the image edges of `fill_value` instead; default False.
        fill_mode: "constant"; others are not available.
        fill_value: of the edges; default 0.
        antialias: False; True is not available: average over a Resizing or pooling to a size in between.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> Resizing(1, 2, "nearest")([[[1.0], [2.0], [3.0], [4.0]]]).tolist()
    [[[2.0], [4.0]]]
    """

    kind = "resizing"
    _settings = (
        "height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_value",
    )  # fmt: skip

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: Interpolation = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: DataFormat = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(options)
        self._set_size(height, width, data_format)
        require_default("Resizing", "fill_mode", fill_mode, "constant")
        require_default("Resizing", "antialias", antialias, False)
        self.interpolation = interpolation_of("Resizing", interpolation)
        self.crop_to_aspect_ratio = boolean("Resizing", "crop_to_aspect_ratio", crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = boolean("Resizing", "pad_to_aspect_ratio", pad_to_aspect_ratio)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError("[Resizing] crop_to_aspect_ratio and pad_to_aspect_ratio must not both be True")
        self.fill_value = number("Resizing", "fill_value", fill_value)

    def spec(self) -> tuple[str, dict[str, Any]]:
        kind, settings = super().spec()
        crop, pad = settings.pop("crop_to_aspect_ratio"), settings.pop("pad_to_aspect_ratio")
        return kind, {**settings, "fit": "crop" if crop else "pad" if pad else "stretch"}


class CenterCrop(OfSize):
    """The middle of images: (n, h, w, channels) -> (n, height, width, channels).

    Images that are smaller in one direction are resized: the largest part in the middle with the new aspect
    ratio, as `Resizing` with ``crop_to_aspect_ratio=True`` does.

    Args:
        height, width: the new size.
        data_format: None or "channels_last"; others are not available yet.
        options: name, trainable, input_shape, dtype, see `Layer`.

    >>> CenterCrop(1, 2)([[[1.0], [2.0], [3.0], [4.0]]]).tolist()
    [[[2.0], [3.0]]]
    """

    kind = "center_crop"
    _settings = ("height", "width")

    def __init__(
        self, height: int, width: int, data_format: DataFormat = None, **options: Unpack[Options]
    ) -> None:
        super().__init__(options)
        self._set_size(height, width, data_format)
