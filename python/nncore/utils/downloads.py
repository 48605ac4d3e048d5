"""Files from the network."""

from __future__ import annotations

import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ..common.absent import explains
from ..common.arguments import choice
from ..common.downloads import advised, cache_folder, check, fetch

_OWNER = "get_file"


@explains
def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file from the network, which is downloaded if it is not in the cache. Needs `pooch`.

    The file appears under its name when it is complete and has the right hash, never before.

    Args:
        fname: its name in the cache, without a folder; default the last part of the address.
        origin: its address, http or https.
        untar: as `extract`, of tar archives.
        md5_hash: MD5 of the file, the earlier name of file_hash.
        file_hash: sha256 or MD5 of the file, in hexadecimal; default None, not checked.
        cache_subdir: folder under cache_dir, or an absolute path; default "datasets".
        hash_algorithm: "sha256", "md5" or "auto" (default), which follows from the length of the hash.
        extract: unpacks an archive into a folder beside it. Members that point out of it are refused.
        archive_format: "tar", "zip", "auto" for both (default), or some of them.
        cache_dir: default the cache folder of nncore: ``$XDG_CACHE_HOME/nncore``, ``~/.cache/nncore`` or that
            of the platform.
        force_download: True downloads the file even if it is in the cache; default False.

    Returns:
        The path of the file. With `extract` that of the folder: ``name_extracted`` for an fname like
        ``name.zip``, fname itself if it has no dot, and the last part of the address without an fname.

    Raises:
        ValueError: origin is missing, fname has a folder, the archive is none of `archive_format` or has
            members that lead out of its folder.
        ConnectionError: the file was not delivered, or has another hash.
        ImportError: pooch is not installed.
        OSError: the folder cannot be written.

    Example::

        path = nncore.utils.get_file("shakespeare.txt", "https://example.org/shakespeare.txt")
    """
    if not origin:
        raise ValueError(f"[{_OWNER}] origin must be the address of a file, got {origin!r}")
    algorithm = choice(_OWNER, "hash_algorithm", hash_algorithm, ("auto", "md5", "sha256"))
    if md5_hash is not None and file_hash is None:
        file_hash, algorithm = md5_hash, "md5"
    name = os.fspath(fname or urlsplit(origin).path.rpartition("/")[2])
    if not name or os.path.basename(name) != name:
        raise ValueError(f"[{_OWNER}] fname must be a name without a folder, got {name!r}")
    folder = os.path.join(os.path.expanduser(cache_dir or cache_folder()), cache_subdir)
    target, unpacked = os.path.join(folder, name), os.path.join(folder, name)
    if (extract or untar) and fname and "." in name:
        unpacked = os.path.join(folder, f"{name.partition('.')[0]}_extracted")
    elif extract or untar:
        target += "_archive"

    def is_right(path: Path) -> None:
        if file_hash is not None:
            check(path, file_hash, algorithm)

    fresh = force_download or not _is_there(target, is_right)
    if fresh:
        with advised(_OWNER, Path(folder), (), f"Without a network: put the file there as {target}."):
            fetch(Path(target), [origin], is_right, limited=False)
    if extract or untar:
        _unpack(target, unpacked, "tar" if untar else archive_format, fresh)
        return unpacked
    return target


def _is_there(target: str, is_right: Callable[[Path], None]) -> bool:
    try:
        is_right(Path(target))
        return os.path.exists(target)
    except (OSError, ValueError):
        return False


def _unpack(archive: str, folder: str, archive_format: str | Sequence[str] | None, fresh: bool) -> None:
    """Unpacks an archive. A new folder appears once it is complete; into an existing one a new archive is
    unpacked again.
    """
    formats = ("tar", "zip") if archive_format == "auto" else archive_format or ()
    kind = "zip" if zipfile.is_zipfile(archive) else "tar" if tarfile.is_tarfile(archive) else "no archive"
    if kind not in ((formats,) if isinstance(formats, str) else formats):
        raise ValueError(f"[{_OWNER}] {archive} is {kind}, and archive_format is {archive_format!r}")
    if os.path.isdir(folder):
        return _extract(archive, kind, folder) if fresh else None
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder) or ".", prefix=".nncore-") as temporary:
        new = os.path.join(temporary, "new")
        _extract(archive, kind, new)
        try:
            os.rename(new, folder)
        except OSError:
            if not os.path.isdir(folder):  # another process has made it meanwhile
                raise


def _extract(archive: str, kind: str, folder: str) -> None:
    if kind == "zip":
        with zipfile.ZipFile(archive) as opened:
            for member in opened.namelist():
                if member.startswith("/") or ".." in member.split("/"):
                    raise ValueError(f"[{_OWNER}] {archive} has a member that leads out of it: {member!r}")
            return opened.extractall(folder)
    if not hasattr(tarfile, "data_filter"):
        raise ImportError(f"[{_OWNER}] tar archives are unpacked by Python 3.10.12, 3.11.4 and later")
    try:
        with tarfile.open(archive) as opened_tar:
            opened_tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise ValueError(f"[{_OWNER}] {archive} has a member that leads out of it: {error}") from None
