"""Atomic writing: a file is complete or not there, whatever interrupts the writing."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from typing import BinaryIO


def path_of(filepath: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """The path as text. TypeError if it is not a path, ValueError if it is empty."""
    path = os.fsdecode(filepath)
    if not path:
        raise ValueError("filepath must name a file, got ''")
    return path


# Ends of names that promise another format.
_OTHERS = (
    ".hdf", ".json", ".onnx", ".npz", ".npy", ".pt", ".pth", ".pkl", ".pickle", ".tflite", ".pb", ".zip",
)  # fmt: skip


def kind_of_keras(path: str) -> str:
    """The end of the name, if it is that of a file of Keras, else nothing."""
    end = os.path.splitext(path)[1].lower()
    return end if end in (".keras", ".h5", ".hdf5") else ""


def model_path(owner: str, filepath: str | os.PathLike[str], weights_only: bool = False) -> str:
    """The path of a model file as text. ValueError if its name promises another format, ImportError if what
    writes it is not installed.
    """
    path = path_of(filepath)
    if weights_only and kind_of_keras(path) and not path.lower().endswith(".weights.h5"):
        raise ValueError(
            f"[{owner}] weights alone are saved under names that end in .weights.h5 or .safetensors: "
            f"{os.path.basename(path)!r:.80} does not"
        )
    start, end = os.path.splitext(path)
    if end.lower() in _OTHERS:
        raise ValueError(
            f"[{owner}] the format {end!r} is not available yet: safetensors is written, so the name must "
            f"say so, as {os.path.basename(start) + '.safetensors'!r}"
        )
    if kind_of_keras(path):
        try:
            import h5py  # noqa: F401
        except ImportError:
            raise ImportError(
                f"[{owner}] Keras' files are written with h5py, which is not installed: pip install "
                "'nncore[hdf5]', or give a name that ends in .safetensors"
            ) from None
    return path


def replace(path: str, fill: Callable[[BinaryIO], object], overwrite: bool = True) -> None:
    """Writes a file atomically: `fill` writes a temporary file beside it, which then takes its place.

    Links are followed and kept. A new file has the mode that `open` gives; a replaced one keeps mode and
    owner.

    Raises:
        ValueError: the path names something that is not a regular file.
        FileExistsError: the file exists, and overwrite is False.
        OSError: the file cannot be written; an existing file is unchanged.
    """
    import zlib
    from fcntl import LOCK_EX, flock

    old = _regular_file(path)
    if old and not overwrite:
        raise FileExistsError(f"there is a file {path} already, and overwrite is False")
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder} to write {name} into")
    if not os.access(target if old else folder, os.W_OK) or not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    # The prefix has one length for every name. A process holds a lock on each of its temporary files.
    prefix = f".nncore-{zlib.crc32(os.fsencode(name)):08x}-"
    mode = stat.S_IMODE(old.st_mode) if old else 0o666
    _remove_abandoned(folder, prefix)
    while True:
        temporary = os.path.join(folder, f"{prefix}{os.urandom(8).hex()}.part")
        try:
            with open(temporary, "xb", opener=lambda file, flags: os.open(file, flags, mode)) as file:
                with contextlib.suppress(OSError):  # a file system without locks
                    flock(file, LOCK_EX)
                if os.fstat(file.fileno()).st_nlink == 0:
                    continue  # another process removed it as abandoned before it was locked
                if old:
                    with contextlib.suppress(OSError):
                        os.fchown(file.fileno(), old.st_uid, old.st_gid)
                    os.fchmod(file.fileno(), mode)
                fill(file)
                file.flush()
                os.fsync(file.fileno())
                _rename(temporary, target, overwrite)
            break
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    with contextlib.suppress(OSError):  # a folder that cannot be read or synchronized
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _regular_file(path: str) -> os.stat_result | None:
    """The status of the file at path, links followed; None if a new file can be written there."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        found = None
    if path.endswith("/") or (found and stat.S_ISDIR(found.st_mode)):
        raise IsADirectoryError(f"{path} names a folder, not a file")
    if found and not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{os.path.realpath(path)} is not a regular file")
    return found


def _rename(temporary: str, target: str, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(temporary, target)  # unlike os.replace, never replaces a file
            return os.unlink(temporary)
        except FileExistsError:
            raise FileExistsError(f"there is a file {target} already, and overwrite is False") from None
        except OSError:  # a file system without hard links
            pass
    os.replace(temporary, target)


def _remove_abandoned(folder: str, prefix: str) -> None:
    """Removes temporary files whose processes have ended, as their locks are free."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if not name.startswith(prefix):
                continue
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError), open(path, "rb", opener=_without_following) as file:
                flock(file, LOCK_EX | LOCK_NB)
                os.unlink(path)


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
