"""Reads IDX files (the format of the MNIST family) and .npz archives, and checks all of their headers."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedIOBase

    from numpy.typing import NDArray

IMAGES_MAGIC = 0x0803  # uint8, three axes: count, rows, columns
LABELS_MAGIC = 0x0801  # uint8, one axis: count
SIDE = 28
CLASSES = 10
_LARGEST_HEADER = 1 << 16  # of an .npy file, which needs about a hundred bytes


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    """The uncompressed content. The first two bytes of the file, not its name, tell whether it is gzipped."""
    import gzip
    import zlib

    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not compressed:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        except EOFError:
            raise ValueError(f"{path}: the gzip file is truncated") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: the gzip file is corrupt ({error})") from None


def read(path: Path, images: bool, limit: int, sha256: str | None = None) -> NDArray[np.uint8]:
    """Images (count, 28, 28) or labels (count,) from an IDX file, gzipped or not.

    sha256: the required hash of the uncompressed content; None for any. ValueError if the file is not valid,
    has another hash, or more than `limit` items.
    """
    magic, axes = (IMAGES_MAGIC, 3) if images else (LABELS_MAGIC, 1)
    header = np.empty(4 + 4 * axes, np.uint8)
    with _open(path) as file:
        if (got := file.readinto(header.data)) < header.size:
            raise ValueError(
                f"{path}: truncated: a header of {header.size} bytes is expected, {got} are there"
            )
        found, *shape = (int(field) for field in header.view(">u4"))
        if found != magic:
            raise ValueError(f"{path}: wrong magic number: {magic} is expected, {found} was found")
        if shape[1:] != [SIDE] * (axes - 1):
            size = f"{shape[1]} x {shape[2]}"
            raise ValueError(f"{path}: images of {SIDE} x {SIDE} are expected, its header says {size}")
        if not 1 <= shape[0] <= limit:
            raise ValueError(f"{path}: 1 to {limit} items are expected, its header says {shape[0]}")
        data = np.empty(shape, np.uint8)
        if (got := file.readinto(data.data)) < data.size:
            raise ValueError(f"{path}: truncated: {data.size} bytes of data are expected, {got} are there")
        if file.read(1):  # reading at the end also makes gzip compare its checksum
            raise ValueError(f"{path}: trailing bytes after the {data.size} that its header announces")
    if sha256 is not None:
        import hashlib

        digest = hashlib.sha256(header.data)
        digest.update(data.data)
        if digest.hexdigest() != sha256:
            raise ValueError(f"{path}: the content has the wrong sha256")
    if not images:
        _check_labels(data, str(path))
    return data


class _Refused(ValueError):
    """An error whose text names the file and what is wrong with it."""


def _check_labels(labels: NDArray[np.integer], origin: str) -> None:
    """ValueError unless every label is a class, 0 to 9."""
    if labels.min() < 0 or labels.max() >= CLASSES:
        wrong = labels[(labels < 0) | (labels >= CLASSES)][0]
        raise _Refused(f"{origin}: labels from 0 to {CLASSES - 1} are expected, {wrong} was found")


def read_npz(path: Path, limits: Mapping[str, int]) -> dict[str, NDArray[np.uint8]]:
    """The arrays named in `limits` (key -> largest count). Headers are checked before data are read."""
    import io
    import zipfile

    arrays, known = {}, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            missing = [key for key in limits if f"{key}.npy" not in members]
            if missing:
                raise _Refused(f"{path}: no array named {', '.join(missing)}")
            for key, limit in limits.items():
                if archive.getinfo(f"{key}.npy").compress_type not in known:
                    raise zipfile.BadZipFile("NumPy does not compress in this way")
                with archive.open(f"{key}.npy") as file:
                    header = io.BytesIO(file.read(_LARGEST_HEADER))
                _check_npy_header(header, f"{path}: {key}", key.startswith("x"), limit)
                with archive.open(f"{key}.npy") as file:
                    array = _read_npy(cast("BinaryIO", file), f"{path}: {key}")
                if key.startswith("y"):
                    _check_labels(array, f"{path}: {key}")
                arrays[key] = np.ascontiguousarray(array, np.uint8)
    except (MemoryError, _Refused):
        raise
    except Exception as error:  # zipfile, its decompressors and NumPy raise many kinds
        if isinstance(error, OSError) and error.filename is not None:  # the file cannot be opened
            raise
        raise ValueError(f"{path}: not a readable .npz archive ({error!s:.200})") from None
    return arrays


def _read_npy(file: BinaryIO, origin: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise _Refused(f"{origin}: truncated ({error})") from None
    if file.read(1):  # reading at the end also makes zipfile compare its checksum
        raise _Refused(f"{origin}: trailing bytes after the array")
    return array


def _check_npy_header(file: BinaryIO, origin: str, images: bool, limit: int) -> None:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # headers of other versions may be gigabytes long
        raise _Refused(f"{origin}: .npy version (1, 0) is expected, got {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if images and (len(shape) != 3 or shape[1:] != (SIDE, SIDE) or dtype != np.uint8):
        expected = f"uint8 images of shape (count, {SIDE}, {SIDE})"
        raise _Refused(f"{origin}: {expected} are expected, got {dtype} {shape}")
    if not images and (len(shape) != 1 or dtype.kind not in "iu"):
        raise _Refused(f"{origin}: integer labels of shape (count,) are expected, got {dtype} {shape}")
    if not 1 <= shape[0] <= limit:
        raise _Refused(f"{origin}: 1 to {limit} items are expected, its header says {shape[0]}")
