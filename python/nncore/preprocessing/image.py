"""Augmentation of images by random transforms during training, with the interface of Keras 2."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..common import whole
from ..common.absent import Explained, answer
from ..common.arguments import boolean, choice, integer, number, several
from ..common.arrays import plain
from ..common.messages import warn
from ..utils.images import array_to_img, channels_first, img_to_array, load_img, pillow, save_img
from ._iterators import DataFrameIterator, DirectoryIterator, NumpyArrayIterator, shift, two
from ._iterators import Iterator as Iterator

__all__ = [
    "ImageDataGenerator",
    "array_to_img",
    "img_to_array",
    "load_img",
    "save_img",
]

_OWNER = "ImageDataGenerator"

answer(__name__)


class ImageDataGenerator(Explained):
    """Makes batches of images that are rotated, shifted, mirrored, ... at random, and standardized.

    Args:
        featurewise_center, featurewise_std_normalization: subtract the means and divide by the standard
            deviations of the channels, which `fit` finds; default False.
        samplewise_center, samplewise_std_normalization: the same with those of each image; default False.
        zca_whitening, zca_epsilon: decorrelates pixels with the covariance that `fit` finds; default False
            and 1e-6.
        rotation_range: largest angle in degrees; default 0.
        width_shift_range, height_shift_range: a float below 1 is a share of the size, one from 1 on pixels;
            an integer n whole pixels below n; a list values to choose from, with either sign. Default 0.
            As in Keras, the first shifts images up or down, by fractions of their width, the second sideways.
        brightness_range: (least, most) factor, by Pillow; default None.
        shear_range: largest angle in degrees; default 0.
        zoom_range: (least, most), or a float for 1 - zoom_range to 1 + zoom_range; default 0.
        channel_shift_range: largest number that is added to all values; default 0.
        fill_mode: values outside the image: "nearest" (default), "constant" (`cval`), "reflect" or "wrap".
        horizontal_flip, vertical_flip: mirrors an image with probability 1/2; default False.
        rescale: factor of all values; default None.
        preprocessing_function: a function that is applied to each image before it is standardized.
        data_format: "channels_last" (default) or "channels_first".
        validation_split: fraction of the images, at the beginning, for validation; default 0.
        interpolation_order: of the splines between pixels, 0 to 5; default 1.
        dtype: of batches; default float32.

    Rotation, shifts, shear and zoom need SciPy; folders and brightness need Pillow.

    Raises:
        TypeError, ValueError: an argument is none of the above.

    >>> generator = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True)
    >>> x, y = generator.flow(np.zeros((10, 8, 8, 3)), np.arange(10), batch_size=4, seed=1)[0]
    >>> x.shape, y.shape
    ((4, 8, 8, 3), (4,))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: float | Sequence[float] = 0.0,
        height_shift_range: float | Sequence[float] = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.zca_whitening, self.zca_epsilon = boolean(_OWNER, "zca_whitening", zca_whitening), zca_epsilon
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.rotation_range = number(_OWNER, "rotation_range", rotation_range)
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.shear_range = number(_OWNER, "shear_range", shear_range)
        self.channel_shift_range = number(_OWNER, "channel_shift_range", channel_shift_range)
        if several(zoom_range) is None:
            zoom = number(_OWNER, "zoom_range", zoom_range)
            zoom_range = (1 - zoom, 1 + zoom)
        self.zoom_range = two("zoom_range", zoom_range)
        self.brightness_range = (
            None if brightness_range is None else two("brightness_range", brightness_range)
        )
        fills = ("nearest", "constant", "reflect", "wrap")
        self.fill_mode, self.cval = choice(_OWNER, "fill_mode", fill_mode, fills), cval
        self.horizontal_flip = boolean(_OWNER, "horizontal_flip", horizontal_flip)
        self.vertical_flip = boolean(_OWNER, "vertical_flip", vertical_flip)
        self.rescale = None if rescale is None else number(_OWNER, "rescale", rescale)
        self.preprocessing_function = preprocessing_function
        first = channels_first(_OWNER, data_format)
        self.data_format = "channels_first" if first else "channels_last"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self._validation_split = number(_OWNER, "validation_split", validation_split, 0, 1, below=True)
        self.interpolation_order = integer(_OWNER, "interpolation_order", interpolation_order, low=0, high=5)
        self.dtype = np.dtype(dtype or np.float32)
        self.mean: NDArray[Any] | None = None
        self.std: NDArray[Any] | None = None
        self.zca_whitening_matrix: NDArray[Any] | None = None

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of pictures in an array, for `fit` or for a loop, which has no end.

        Args:
            x: of shape (n, height, width, channels), or channels first.
            y, sample_weight: one for each picture; default None.
            batch_size: default 32.
            shuffle: another order in each pass; default True.
            seed: of the order and of the changes; default None, NumPy's global generator.
            save_to_dir, save_prefix, save_format: folder, name and format to write each image; default none.
            ignore_class_split: True does not check that both subsets have the same classes; default False.
            subset: "training" or "validation", with a validation_split.

        Raises:
            TypeError, ValueError: x has not four axes, y or sample_weight has another length, or the subsets
                have different classes.
        """
        settings = batch_size, shuffle, sample_weight, seed, save_to_dir, save_prefix, save_format, subset
        return NumpyArrayIterator(x, y, self, *settings, ignore_class_split)

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of pictures from a folder that has a folder for each class, for `fit` or a loop.

        Args:
            directory: the folder.
            target_size, color_mode, interpolation, keep_aspect_ratio: as in `nncore.utils.load_img`.
            classes: the folders to take, in the order of their numbers; default all, by name.
            class_mode: y is "categorical", one-hot (default), "binary" or "sparse", the number of the class,
                "input", the pictures themselves, or None.
            batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset: as in `flow`.
            follow_links: looks into folders behind links; default False.

        Raises:
            TypeError, ValueError: an argument is none of the above.
            OSError: the folder or, when its batch is made, a picture cannot be read.
            ImportError: Pillow is not installed.
        """
        pillow("flow_from_directory")
        kinds = target_size, color_mode, classes, class_mode
        save = save_to_dir, save_prefix, save_format
        return DirectoryIterator(
            directory,
            self,
            *kinds,
            batch_size,
            shuffle,
            seed,
            *save,
            follow_links,
            subset,
            interpolation,
            keep_aspect_ratio,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: str | Sequence[str] = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
    ) -> DataFrameIterator:
        """Batches of pictures whose files a table names, of pandas or with its interface.

        Args:
            dataframe: the table.
            directory: where the files are; default the folder that is worked in.
            x_col: the column with the names of the files.
            y_col: the column with the targets; a list of them with class_mode "raw" or "multi_output".
            weight_col: the column with sample weights; default none.
            classes: the classes that are taken, in the order of their numbers; default all, sorted.
            class_mode: "categorical" (default; a list of classes makes several 1), "binary", "sparse",
                "input" (the pictures), "raw" (y_col as it is), "multi_output" (a list of arrays), None.
            validate_filenames: leaves out files that are not there or no pictures, with a warning; default
                True.
            target_size, color_mode, batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset,
                interpolation: as `flow_from_directory`.
        """
        return DataFrameIterator(
            dataframe, directory, self, x_col, y_col, weight_col, target_size, color_mode, classes,
            class_mode, batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset,
            interpolation, validate_filenames,
        )  # fmt: skip

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Computes the statistics for featurewise_center, featurewise_std_normalization and zca_whitening.

        Args:
            x: of shape (n, height, width, channels), or channels first.
            augment: True computes them from randomly transformed images; default False.
            rounds: with augment, the number of transforms of each image; default 1.
            seed: seed of the transforms.
        """
        x = self.checked("ImageDataGenerator.fit", x) * (self.rescale or 1)
        rng: Any = np.random if seed is None else np.random.RandomState(seed)
        if augment:
            changed = [
                self.apply_transform(one, self.drawn(one.shape, rng)) for _ in range(rounds) for one in x
            ]
            x = np.stack(changed).astype(self.dtype)
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = x.mean(axes, keepdims=True)[0]
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = x.std(axes, keepdims=True)[0]
        if self.zca_whitening:
            u, s, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(x)) / (s + self.zca_epsilon))) @ u.T

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """One image after preprocessing_function, rescaling and standardization."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - np.mean(x)
        if self.samplewise_std_normalization:
            x = x / (np.std(x) + 1e-6)
        if self.featurewise_center and self.mean is None:
            warn(f"[{_OWNER}] featurewise_center and what goes with it have no effect before fit is called")
        if self.mean is not None:
            x = x - self.mean
        if self.std is not None:
            x = x / (self.std + 1e-6)
        if self.zca_whitening_matrix is not None:
            x = (x.reshape(1, -1) @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """Random settings of `apply_transform` for an image of that shape."""
        return self.drawn(img_shape, np.random if seed is None else np.random.RandomState(seed))

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """One image after a random transform."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def drawn(self, shape: Sequence[int], rng: Any) -> dict[str, Any]:
        """The settings of `get_random_transform`, drawn by a given generator."""
        theta = rng.uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0
        tx = shift(self.height_shift_range, shape[self.row_axis - 1], rng)
        ty = shift(self.width_shift_range, shape[self.col_axis - 1], rng)
        shear = rng.uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        zx, zy = (1, 1) if self.zoom_range == (1, 1) else rng.uniform(*self.zoom_range, 2)
        flips = [(rng.random_sample() < 0.5) and flip for flip in (self.horizontal_flip, self.vertical_flip)]
        most = self.channel_shift_range
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": flips[0],
            "flip_vertical": flips[1],
            "channel_shift_intensity": rng.uniform(-most, most) if most else None,
            "brightness": None if self.brightness_range is None else rng.uniform(*self.brightness_range),
        }

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """One image, transformed by `transform_parameters`.

        Args:
            x: of shape (height, width, channels), or channels first.
            transform_parameters: any of "theta" and "shear" in degrees, "tx" and "ty" in pixels to the left
                and up, "zx", "zy", "flip_horizontal", "flip_vertical", "channel_shift_intensity" and
                "brightness".
        """
        given = transform_parameters
        x = self._moved(x, given)
        if (shift := given.get("channel_shift_intensity")) is not None:
            x = np.clip(x + shift, x.min(), x.max())
        for name, axis in (("flip_horizontal", self.col_axis - 1), ("flip_vertical", self.row_axis - 1)):
            x = np.flip(x, axis) if given.get(name) else x
        if given.get("brightness") is not None:
            x = self._brightened(x, given["brightness"])
        return x

    def _moved(self, x: NDArray[Any], given: Mapping[str, Any]) -> NDArray[Any]:
        turn, shear = np.deg2rad(given.get("theta", 0)), np.deg2rad(given.get("shear", 0))
        tx, ty, zx, zy = (given.get(name, name[0] == "z") for name in ("tx", "ty", "zx", "zy"))
        if (turn, shear, tx, ty, zx, zy) == (0, 0, 0, 0, 1, 1):
            return x
        try:
            with whole:
                from scipy.ndimage import affine_transform
        except ImportError:
            raise ImportError(f"[{_OWNER}] changes of shape need SciPy: pip install scipy") from None
        rotation = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        sheared = np.array([[1, -np.sin(shear)], [0, np.cos(shear)]]) * [zx, zy]
        matrix = rotation @ sheared
        middle = np.array([x.shape[axis - 1] / 2 - 0.5 for axis in (self.row_axis, self.col_axis)])
        offset = np.array(rotation) @ [tx, ty] + middle - matrix @ middle
        planes = np.moveaxis(x, self.channel_axis - 1, 0)
        settings = {"order": self.interpolation_order, "mode": self.fill_mode, "cval": self.cval}
        moved = [affine_transform(plane, matrix[::-1, ::-1], offset[::-1], **settings) for plane in planes]
        return np.moveaxis(np.stack(moved), 0, self.channel_axis - 1)

    def _brightened(self, x: NDArray[Any], factor: float) -> NDArray[Any]:
        pillow(_OWNER)
        from PIL import ImageEnhance

        least, most = x.min(), x.max()
        stretched = bool(least < 0 or most > 255)
        img = array_to_img(x, self.data_format, scale=stretched)
        x = img_to_array(ImageEnhance.Brightness(img).enhance(factor), self.data_format)
        return x / 255 * (most - least) + least if stretched else x

    def checked(self, owner: str, x: Any) -> NDArray[Any]:
        """x as pictures in this generator's dtype."""
        array = plain(owner, "x", x).astype(self.dtype)
        if array.ndim != 4:
            raise ValueError(f"[{owner}] x must have four axes, got shape {array.shape}")
        if array.shape[self.channel_axis] not in (1, 3, 4):
            channels = array.shape[self.channel_axis]
            warn(f"[{owner}] pictures have 1, 3 or 4 channels; x has {channels} on axis {self.channel_axis}")
        return array

    def part(self, owner: str, subset: str | None, count: int) -> slice:
        """The rows of a subset."""
        if subset is None:
            return slice(0, count)
        cut = int(count * self._validation_split)
        is_first = choice(owner, "subset", subset, ("training", "validation")) == "validation"
        return slice(0, cut) if is_first else slice(cut, count)
