"""The batches of an `ImageDataGenerator`: by index for `fit`, and without end for a loop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.arguments import boolean, choice, integer, number, pair, several
from ..common.arrays import plain
from ..common.messages import say, warn
from ..utils.batches import PyDataset
from ..utils.directories import files_below
from ..utils.images import COLOR_MODES, array_to_img, img_to_array, load_img

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
Rows = NDArray[np.int64]


class Iterator(PyDataset):
    """Batches of n images, each transformed at random every time it is read."""

    def __init__(
        self,
        generator: Any,
        n: int,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        save: tuple[str | None, str, str],
    ) -> None:
        super().__init__()
        self.n, self.batch_size, self.shuffle = n, batch_size, boolean("flow", "shuffle", shuffle)
        integer("flow", "batch_size", batch_size)
        self.seed, self.image_data_generator, self._save = seed, generator, save
        self.batch_index = self.total_batches_seen = 0
        self.index_array: Rows | None = None
        self._rng: Any = np.random  # of the latest batch

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"[{type(self).__name__}] there are {len(self)} batches, got index {index}")
        self._next_seed()
        if self.index_array is None:
            self.on_epoch_end()
        return self._made(index * self.batch_size)

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        if not self.n:
            raise StopIteration
        self._next_seed()
        if self.batch_index == 0:
            self.on_epoch_end()
        start = self.batch_index * self.batch_size % self.n
        self.batch_index = self.batch_index + 1 if start + self.batch_size < self.n else 0
        return self._made(start)

    def reset(self) -> None:
        """Makes the next batch of a loop the first one."""
        self.batch_index = 0

    def on_epoch_end(self) -> None:
        """Draws the order of the next pass."""
        self.index_array = np.asarray(self._rng.permutation(self.n) if self.shuffle else np.arange(self.n))

    def _next_seed(self) -> None:
        if self.seed is not None:
            self._rng = np.random.RandomState(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def _made(self, start: int) -> Any:
        assert self.index_array is not None
        rows = self.index_array[start : start + self.batch_size]
        generator, pictures = self.image_data_generator, []
        for row in rows:
            x = self._picture(row)
            x = generator.apply_transform(x, generator.drawn(x.shape, self._rng))
            pictures.append(generator.standardize(x))
        batch = np.stack(pictures).astype(generator.dtype)
        folder, prefix, kind = self._save
        for row, x in zip(rows, batch if folder else ()):
            name = f"{prefix}_{row}_{self._rng.randint(10**7)}.{kind}"
            array_to_img(x, generator.data_format).save(os.path.join(str(folder), name))
        return self._batch(batch, rows)

    def _picture(self, row: int) -> NDArray[Any]:
        raise NotImplementedError

    def _batch(self, x: NDArray[Any], rows: Rows) -> Any:
        raise NotImplementedError


class NumpyArrayIterator(Iterator):
    """The batches of `ImageDataGenerator.flow`."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
    ) -> None:
        if isinstance(x, (list, tuple)):
            raise TypeError("[flow] x must be one array of pictures; further inputs are not available")
        self.x = image_data_generator.checked("flow", x)
        arrays = {"y": y, "sample_weight": sample_weight}
        given = {
            name: None if value is None else plain("flow", name, value) for name, value in arrays.items()
        }
        for name, value in given.items():
            if value is not None and len(value) != len(self.x):
                raise ValueError(
                    f"[flow] x and {name} must be of one length, got {len(self.x)}, {len(value)}"
                )
        part = image_data_generator.part("flow", subset, len(self.x))
        labels = given["y"]
        if subset is not None and labels is not None and not ignore_class_split:
            cut = part.stop if subset == "validation" else part.start
            if not np.array_equal(np.unique(labels[:cut]), np.unique(labels[cut:])):
                raise ValueError("[flow] the two subsets have different classes: shuffle x and y before")
        self.x = self.x[part]
        self.y, self.sample_weight = (None if value is None else value[part] for value in given.values())
        save = save_to_dir, save_prefix, save_format
        super().__init__(image_data_generator, len(self.x), batch_size, shuffle, seed, save)

    def _picture(self, row: int) -> NDArray[Any]:
        picture: NDArray[Any] = self.x[row]
        return picture

    def _batch(self, x: NDArray[Any], rows: Rows) -> Any:
        more = [value[rows] for value in (self.y, self.sample_weight) if value is not None]
        return x if self.y is None else (x, *more)


class _OfFiles(Iterator):
    """Pictures from files.

    Attributes: ``filenames``, ``filepaths``, ``classes`` and ``labels`` (of each file), ``class_indices``,
    ``num_classes``, ``samples``, ``image_shape``.
    """

    filepaths: list[str]
    classes: Any
    num_classes: int = 0

    def _set(
        self,
        owner: str,
        generator: Any,
        target_size: tuple[int, int],
        color_mode: str,
        interpolation: str,
        keep_aspect_ratio: bool,
        class_mode: str | None,
        modes: Sequence[str],
    ) -> None:
        self.target_size = pair(owner, "target_size", target_size)
        self.color_mode = choice(owner, "color_mode", color_mode, COLOR_MODES)
        self.class_mode = None if class_mode is None else choice(owner, "class_mode", class_mode, modes)
        self.interpolation, self.keep_aspect_ratio = interpolation, keep_aspect_ratio
        channels = (COLOR_MODES[self.color_mode],)
        first = generator.data_format == "channels_first"
        self.image_shape = channels + self.target_size if first else self.target_size + channels

    def _picture(self, row: int) -> NDArray[Any]:
        settings = self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio
        img = load_img(self.filepaths[row], *settings)
        return img_to_array(img, self.image_data_generator.data_format)

    def _batch(self, x: NDArray[Any], rows: Rows) -> Any:
        if self.class_mode is None:
            return x
        y = self.classes[rows].astype(x.dtype)
        if self.class_mode == "input":
            y = x.copy()
        elif self.class_mode == "categorical":
            y = np.eye(self.num_classes, dtype=x.dtype)[self.classes[rows]]
        return x, y


class DirectoryIterator(_OfFiles):
    """What `ImageDataGenerator.flow_from_directory` gives."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        image_data_generator: Any,
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
    ) -> None:
        owner, generator = "flow_from_directory", image_data_generator
        self.directory = os.fspath(directory)
        files = target_size, color_mode, interpolation, keep_aspect_ratio
        self._set(owner, generator, *files, class_mode, ("categorical", "binary", "sparse", "input"))
        if not classes:
            with os.scandir(self.directory) as entries:
                classes = sorted(entry.name for entry in entries if entry.is_dir())
        self.class_indices = {name: number for number, name in enumerate(classes)}
        self.num_classes = len(classes)
        self.filepaths = []
        numbers: list[int] = []
        for name, index in self.class_indices.items():
            found = list(files_below(os.path.join(self.directory, name), FORMATS, follow_links))
            found = found[generator.part(owner, subset, len(found))]
            self.filepaths += found
            numbers += [index] * len(found)
        self.filenames = [os.path.relpath(path, self.directory) for path in self.filepaths]
        self.labels = self.classes = np.array(numbers, np.int32)
        self.samples = len(self.filepaths)
        say(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        save = save_to_dir, save_prefix, save_format
        super().__init__(generator, self.samples, batch_size, shuffle, seed, save)


class DataFrameIterator(_OfFiles):
    """What `ImageDataGenerator.flow_from_dataframe` gives."""

    def __init__(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        image_data_generator: Any = None,
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
    ) -> None:
        owner, generator = "flow_from_dataframe", image_data_generator
        modes = ("categorical", "binary", "sparse", "input", "raw", "multi_output")
        self._set(owner, generator, target_size, color_mode, interpolation, False, class_mode, modes)
        self.directory = os.fspath(directory or "")
        names = _column(owner, dataframe, x_col)
        if wrong := [name for name in names if not isinstance(name, str)]:
            raise TypeError(f"[{owner}] the column {x_col!r} must hold names of files, got {wrong[0]!r}")
        paths = [os.path.join(self.directory, name) for name in names]
        kept = list(range(len(paths)))
        if validate_filenames:
            kept = [i for i in kept if paths[i].lower().endswith(FORMATS) and os.path.isfile(paths[i])]
            if missing := len(paths) - len(kept):
                warn(
                    f"[{owner}] {missing} names in the column {x_col!r} are of no picture: they are left out"
                )
        told = ""
        self._targets: list[NDArray[Any]] = []
        if self.class_mode in ("categorical", "binary", "sparse"):
            labels = [
                each if isinstance(each, (list, tuple)) else [each]
                for each in _column(owner, dataframe, y_col)
            ]
            kept, self.classes = self._chosen(owner, labels, kept, classes)
            told = f" belonging to {self.num_classes} classes"
        elif self.class_mode in ("raw", "multi_output"):
            columns = [y_col] if isinstance(y_col, str) else list(y_col)
            found = [np.array(_column(owner, dataframe, column)) for column in columns]
            whole = self.class_mode == "raw" and not isinstance(y_col, str)
            self._targets = [np.stack(found, axis=-1)] if whole else found
        kept = kept[generator.part(owner, subset, len(kept))]
        self._rows = np.array(kept, np.int64)
        self._weights = (
            None if weight_col is None else np.array(_column(owner, dataframe, weight_col), np.float64)
        )
        self.filenames = [names[i] for i in kept]
        self.filepaths = [paths[i] for i in kept]
        if told:
            self.labels = self.classes = [self.classes[i] for i in kept]
        self.samples = len(kept)
        say(f"Found {self.samples} {'' if validate_filenames else 'non-'}validated image filenames{told}.")
        save = save_to_dir, save_prefix, save_format
        super().__init__(generator, self.samples, batch_size, shuffle, seed, save)

    def _chosen(
        self, owner: str, labels: list[Any], kept: list[int], classes: Sequence[str] | None
    ) -> tuple[list[int], dict[int, Any]]:
        """The rows of these classes, and the numbers of their classes."""
        names = (
            list(dict.fromkeys(classes)) if classes else sorted({name for i in kept for name in labels[i]})
        )
        if self.class_mode != "categorical" and any(len(labels[i]) > 1 for i in kept):
            raise TypeError(f"[{owner}] several classes for a picture need class_mode='categorical'")
        if wrong := [name for name in names if not isinstance(name, str)]:
            raise TypeError(
                f"[{owner}] classes must be strings, got {wrong[0]!r}: convert the column by .astype(str)"
            )
        if self.class_mode == "binary" and len(names) != 2:
            raise ValueError(f"[{owner}] class_mode='binary' needs two classes, got {names}")
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.num_classes = len(names)
        known = {i: [self.class_indices[n] for n in labels[i] if n in self.class_indices] for i in kept}
        is_one = all(len(labels[i]) == 1 for i in kept)
        return [i for i in kept if known[i]], {
            i: each[0] if is_one else each for i, each in known.items() if each
        }

    def _batch(self, x: NDArray[Any], rows: Rows) -> Any:
        at = self._rows[rows]
        y: Any = None
        if self.class_mode == "categorical":
            y = np.zeros((len(rows), self.num_classes), x.dtype)
            for i, row in enumerate(rows):
                y[i, self.classes[row]] = 1
        elif self.class_mode in ("binary", "sparse"):
            y = np.array([self.classes[row] for row in rows], x.dtype)
        elif self.class_mode == "input":
            y = x.copy()
        elif self.class_mode is not None:
            found = [target[at] for target in self._targets]
            y = found if self.class_mode == "multi_output" else found[0]
        if y is None:
            return x
        return (x, y) if self._weights is None else (x, y, self._weights[at])


def _column(owner: str, table: Any, name: Any) -> list[Any]:
    try:
        return list(table[name])
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"[{owner}] the table has no column {name!r}") from None


def two(name: str, value: Any) -> tuple[float, float]:
    items = several(value)
    if items is None or len(items) != 2:
        raise ValueError(f"[ImageDataGenerator] {name} must be two numbers, got {value!r}")
    return number("ImageDataGenerator", name, items[0]), number("ImageDataGenerator", name, items[1])


def shift(most: Any, size: int, rng: Any) -> float:
    """By pixels, of a shift range."""
    if not np.any(most):
        return 0
    if several(most) is None and not isinstance(most, int):
        shift = rng.uniform(-most, most)
    else:
        shift = rng.choice(most) * rng.choice([-1, 1])
    return float(shift * size if np.max(most) < 1 else shift)
