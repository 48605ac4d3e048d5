"""Files in folders as batches, such as pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.absent import explains
from ..common.arguments import boolean, choice, integer, number, pair, require_default
from ..common.messages import say
from .batches import Dataset, generator, in_batches
from .images import COLOR_MODES, channels_first, img_to_array, load_img, pillow, resized

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_OWNER = "image_dataset_from_directory"


def files_below(folder: str, formats: tuple[str, ...], follow_links: bool) -> Iterator[str]:
    """The paths of files with the given suffixes, sorted by name, folder by folder."""
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        yield from (os.path.join(root, name) for name in sorted(names) if name.lower().endswith(formats))


@explains
def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Literal["inferred"] | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Batches of pictures from a folder that has a folder for each class. Needs Pillow.

    Args:
        directory: the folder. Pictures are .bmp, .gif, .jpeg, .jpg and .png files at any depth.
        labels: "inferred" from the folders (default), a list with one for each file in the order of their
            paths, or None.
        label_mode: "int" (default): int32 (n,); "binary": float32 (n, 1), of two classes; "categorical":
            float32 (n, classes), one-hot; None: no labels.
        class_names: the folders to take, in the order of their labels; default all, by name.
        color_mode: "rgb" (default), "rgba" or "grayscale".
        batch_size: default 32; None for single samples.
        image_size: (height, width); default (256, 256).
        shuffle: another order in each pass; default True. False: by their paths.
        seed: of the order; default drawn from NumPy's global generator.
        validation_split: share of the files, at the end, that is the validation part; default None.
        subset: "training", "validation" or "both", with a validation_split.
        interpolation: "bilinear" (default) or "nearest", without smoothing.
        follow_links: looks into folders behind links; default False.
        crop_to_aspect_ratio: cuts away two borders instead of distorting; default False.
        pad_to_aspect_ratio: False only.
        data_format: "channels_last" (default) or "channels_first".
        format: "tf" or "grain": both give the same here.
        verbose: prints the number of files; default True.

    Returns:
        A `Dataset` of x float32 (n, height, width, channels), 0 to 255, or (x, y), with ``class_names`` and
        ``file_paths``; a list of two with subset="both".

    Raises:
        TypeError, ValueError: an argument is none of the above, there are no pictures, or not as many labels
            as files.
        OSError: the folder cannot be read; when its batch is made, if a file is no picture.
        ImportError: Pillow is not installed.

    Example::

        train, test = nncore.utils.image_dataset_from_directory(
            "flowers", image_size=(64, 64), validation_split=0.2, subset="both", seed=1)
        model.fit(train, validation_data=test)
    """
    pillow(_OWNER)
    color_mode = choice(_OWNER, "color_mode", color_mode, COLOR_MODES)
    size = pair(_OWNER, "image_size", image_size)
    nearest = choice(_OWNER, "interpolation", interpolation, ("bilinear", "nearest")) == "nearest"
    first, crop = (
        channels_first(_OWNER, data_format),
        boolean(_OWNER, "crop_to_aspect_ratio", crop_to_aspect_ratio),
    )
    require_default(_OWNER, "pad_to_aspect_ratio", pad_to_aspect_ratio, False)
    choice(_OWNER, "format", format, ("tf", "grain"))

    def read(paths: Sequence[str]) -> NDArray[np.float32]:
        x = np.stack([_read(path, color_mode, size, nearest, crop) for path in paths])
        return x.transpose(0, 3, 1, 2) if first else x

    kind = Kind(_OWNER, "pictures", FORMATS, read)
    given = labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset
    return datasets_of(kind, directory, *given, follow_links, verbose)


class Kind(NamedTuple):
    """What files a data set is made of.

    Attributes:
        owner: the function that was called, for errors.
        what: they hold; formats: ends of their names.
        read: makes an array of the files of a batch.
    """

    owner: str
    what: str
    formats: tuple[str, ...]
    read: Callable[[Sequence[str]], NDArray[Any]]


def datasets_of(
    kind: Kind,
    directory: str | os.PathLike[str],
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
) -> Any:
    """The data set, or two of them; arguments as of `image_dataset_from_directory`."""
    owner, modes = kind.owner, ("int", "binary", "categorical")
    mode = None if labels is None or label_mode is None else choice(owner, "label_mode", label_mode, modes)
    if batch_size is not None:
        batch_size = integer(owner, "batch_size", batch_size)
    share = number(owner, "validation_split", validation_split or 0, 0, 1, below=True)
    if subset is not None:
        choice(owner, "subset", subset, ("training", "validation", "both"))
    if (subset is None) != (share == 0):
        raise ValueError(f"[{owner}] validation_split and subset must be given together")
    if share and shuffle and seed is None:
        raise ValueError(f"[{owner}] validation_split with shuffle needs a seed, or the parts would overlap")
    drawn = int(generator(None).integers(10**6)) if seed is None else seed

    paths, numbers, names = _index(
        kind, os.fspath(directory), labels if mode else None, class_names, follow_links
    )
    if mode == "binary" and len(names or ()) != 2:
        raise ValueError(f"[{owner}] label_mode='binary' needs two classes, got {names}")
    if mode == "categorical" and len(paths) and numbers.max() >= len(names or ()):
        raise ValueError(f"[{owner}] label_mode='categorical' needs labels below the number of classes")
    if verbose:
        say(
            f"Found {len(paths)} files"
            + (f" belonging to {len(names)} classes." if names is not None else ".")
        )
    order = np.arange(len(paths))
    if shuffle:
        np.random.RandomState(drawn).shuffle(order)

    def part(order: NDArray[np.int64], shuffled: bool) -> Dataset:
        if not len(order):
            raise ValueError(
                f"[{owner}] there are no {kind.what} ({', '.join(kind.formats)}) in {directory} for this part"
            )

        def fetch(rows: NDArray[np.int64]) -> Any:
            x = kind.read([paths[order[row]] for row in rows])
            return (x, _targets(numbers[order[rows]], mode, len(names or ()))) if mode else x

        batches = in_batches(len(order), batch_size, fetch, generator(drawn) if shuffled else None)
        batches.class_names, batches.file_paths = names, [paths[at] for at in order]
        return batches

    cut = len(order) - int(share * len(order))
    if subset == "both":
        return [part(order[:cut], shuffle), part(order[cut:], False)]
    return part(order[cut:] if subset == "validation" else order[:cut], shuffle)


def _index(
    kind: Kind, directory: str, labels: Any, class_names: Sequence[str] | None, follow_links: bool
) -> tuple[list[str], NDArray[np.int32], list[str] | None]:
    """The files, the class of each, and the names of the classes."""
    owner = kind.owner
    if isinstance(labels, str) and labels == "inferred":
        with os.scandir(directory) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
        names = folders if class_names is None else list(class_names)
        if not set(names) <= set(folders):
            raise ValueError(f"[{owner}] class_names must be folders in {directory}: {folders}, got {names}")
        found = [
            list(files_below(os.path.join(directory, name), kind.formats, follow_links)) for name in names
        ]
        numbers = np.repeat(np.arange(len(names), dtype=np.int32), [len(paths) for paths in found])
        return [path for paths in found for path in paths], numbers, names
    if class_names is not None:
        raise ValueError(f"[{owner}] class_names go with labels='inferred' only")
    paths = list(files_below(directory, kind.formats, follow_links))
    if labels is None:
        return paths, np.zeros(len(paths), np.int32), None
    if isinstance(labels, str) or len(labels) != len(paths):
        raise ValueError(
            f"[{owner}] labels must be 'inferred', None or one for each of the {len(paths)} files"
        )
    return paths, np.asarray(labels, np.int32), [str(label) for label in sorted(set(labels))]


def _read(
    path: str, color_mode: str, size: tuple[int, int], nearest: bool, crop: bool
) -> NDArray[np.float32]:
    return resized(img_to_array(load_img(path, color_mode)), size, nearest, crop)


def _targets(numbers: NDArray[np.int32], mode: str, classes: int) -> NDArray[Any]:
    if mode == "categorical":
        return np.eye(classes, dtype=np.float32)[numbers]
    return numbers if mode == "int" else numbers[:, None].astype(np.float32)
