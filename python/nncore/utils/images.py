"""Pictures in files and as arrays, by Pillow."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..common import whole
from ..common.absent import explains
from ..common.arguments import choice, pair
from ..common.messages import warn

COLOR_MODES = {"grayscale": 1, "rgb": 3, "rgba": 4}
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def pillow(owner: str) -> Any:
    """The module PIL.Image."""
    try:
        with whole:
            from PIL import Image
    except ImportError:
        raise ImportError(f"[{owner}] pictures need Pillow: pip install pillow") from None
    return Image


def channels_first(owner: str, data_format: str | None) -> bool:
    formats = ("channels_last", "channels_first")
    return choice(owner, "data_format", data_format or "channels_last", formats) == "channels_first"


@explains
def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: DTypeLike | None = None
) -> Any:
    """A picture of Pillow from an array.

    Args:
        x: of shape (height, width, channels), with 1, 3 or 4 channels.
        data_format: "channels_last" (default) or "channels_first".
        scale: stretches the values so that the smallest becomes 0 and the largest 255; default True.
        dtype: type to compute in; default float32.

    Returns:
        A ``PIL.Image.Image`` of mode L, RGB or RGBA; of mode I for one channel with values over 255.

    Raises:
        ValueError: another shape.
        ImportError: Pillow is not installed.

    >>> array_to_img([[[0.0], [1.0]]]).size
    (2, 1)
    """
    owner = "array_to_img"
    image = pillow(owner)
    x = np.asarray(x, dtype or np.float32)
    if x.ndim == 3 and channels_first(owner, data_format):
        x = x.transpose(1, 2, 0)
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4):
        raise ValueError(f"[{owner}] x must have three axes with 1, 3 or 4 channels, got shape {x.shape}")
    if scale:
        x = x - np.min(x)
        x = x / (np.max(x) or 1) * 255
    if x.shape[2] == 1:
        return image.fromarray(x[:, :, 0].astype(np.int32 if np.max(x) > 255 else np.uint8))
    return image.fromarray(x.astype(np.uint8))


@explains
def img_to_array(img: Any, data_format: str | None = None, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The array of a picture of Pillow.

    Args:
        img: the picture.
        data_format: "channels_last" (default) or "channels_first".
        dtype: default float32.

    Returns:
        An array of shape (height, width, channels), or channels first.

    Raises:
        ValueError: img has neither two nor three axes.

    >>> img_to_array(np.zeros((4, 5), np.uint8)).shape
    (4, 5, 1)
    """
    owner = "img_to_array"
    x = np.asarray(img, dtype or np.float32)
    if x.ndim not in (2, 3):
        raise ValueError(f"[{owner}] img must have two or three axes, got shape {x.shape}")
    x = x[..., None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if channels_first(owner, data_format) else x


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array as a picture.

    Args:
        path: of the file, or an open one.
        x, data_format, scale: as in `array_to_img`.
        file_format: "png", "jpeg", ...; default the suffix of the name.
        **kwargs: go to ``PIL.Image.Image.save``.

    Raises:
        ValueError, ImportError: as `array_to_img`.

    Example::

        nncore.utils.save_img("digit.png", x_train[0][..., None])
    """
    img = array_to_img(x, data_format, scale)
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = Path(path).suffix[1:]
    kind = "jpeg" if str(file_format).lower() in ("jpg", "jpeg") else file_format
    if img.mode == "RGBA" and kind == "jpeg":
        warn("[save_img] JPEG has no transparency: the picture is saved as RGB")
        img = img.convert("RGB")
    img.save(path, format=kind, **kwargs)


@explains
def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """A picture of Pillow from a file.

    Args:
        path: of the file, or its bytes in an ``io.BytesIO``.
        color_mode: "rgb" (default), "rgba" or "grayscale".
        target_size: (height, width) to resize to; default None keeps the size.
        interpolation: "nearest" (default), "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: cuts away two borders instead of distorting; default False.

    Returns:
        A ``PIL.Image.Image``, for `img_to_array`.

    Raises:
        TypeError: path is none of these.
        ValueError: color_mode or interpolation is none of the above.
        OSError: the file cannot be read as a picture.
        ImportError: Pillow is not installed.

    Example::

        x = nncore.utils.img_to_array(nncore.utils.load_img("cat.jpg", target_size=(64, 64)))
    """
    owner = "load_img"
    image = pillow(owner)
    color_mode = choice(owner, "color_mode", color_mode, COLOR_MODES)
    method = choice(owner, "interpolation", interpolation, _INTERPOLATIONS)
    if not isinstance(path, (str, bytes, os.PathLike, io.BytesIO)):
        raise TypeError(f"[{owner}] path must be a path or an io.BytesIO, got {path!r}")
    with image.open(os.fsdecode(path) if isinstance(path, bytes) else path) as img:
        img.load()
        kept = ("L", "I;16", "I") if color_mode == "grayscale" else (_MODES[color_mode],)
        img = img.copy() if img.mode in kept else img.convert(_MODES[color_mode])
    if target_size is None or img.size == (size := pair(owner, "target_size", target_size)[::-1]):
        return img
    box = None
    if keep_aspect_ratio:
        (left, width), (top, height) = _center(img.size, size)
        box = (left, top, left + width, top + height)
    return img.resize(size, getattr(image.Resampling, method.upper()), box=box)


def _center(size: tuple[int, int], target: tuple[int, int]) -> list[tuple[int, int]]:
    """Start and length, on each axis, of the largest part in the middle that has the ratio of `target`."""
    lengths = [min(size[a], max(1, size[1 - a] * target[a] // target[1 - a])) for a in (0, 1)]
    return [((whole - part) // 2, part) for whole, part in zip(size, lengths)]


def resized(x: NDArray[Any], size: tuple[int, int], nearest: bool, crop: bool) -> NDArray[np.float32]:
    """x (height, width, channels) resized by the nearest pixel or by linear interpolation, without smoothing;
    with `crop` its middle part is resized without distortion.
    """
    if crop:
        (top, height), (left, width) = _center((x.shape[0], x.shape[1]), size)
        x = x[top : top + height, left : left + width]
    x = x.astype(np.float32)
    for axis, length in enumerate(size):
        last, at = x.shape[axis] - 1, (np.arange(length) + 0.5) * (x.shape[axis] / length)
        if nearest:
            x = x.take(np.minimum(at.astype(int), last), axis)
            continue
        low = np.floor(at - 0.5).astype(int)
        share = (at - 0.5 - low).astype(np.float32).reshape(-1, *(1,) * (2 - axis))
        below, above = (x.take(np.clip(place, 0, last), axis) for place in (low, low + 1))
        x = below + (above - below) * share
    return x
