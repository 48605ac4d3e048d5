"""Fetches one file from the first of several mirrors that delivers the right content."""

from __future__ import annotations

import hashlib
import time
import zlib
from typing import TYPE_CHECKING, Any

from .. import _files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIMEOUT = 10.0  # seconds without an answer or a byte
PATIENCE = 600.0  # seconds for one file, however steadily it trickles
ROUNDS = 2  # a mirror that was reached but delivered badly is asked again
_CHUNK = 1 << 16


class _Unavailable(Exception):
    """The mirror cannot be reached or does not have the file: no use in asking again."""


class _BadDelivery(Exception):
    """The mirror answered, but not with the whole right file."""


def fetch(
    target: Path,
    mirrors: Sequence[str],
    size: int,
    sha256: str,
    *,
    timeout: float = TIMEOUT,
    patience: float = PATIENCE,
) -> None:
    """Write mirror + the name of `target` to `target`: whole and right, or not at all.

    `size` and `sha256` are those of the uncompressed content. Mirrors are tried in order; one that cannot
    be reached or lacks the file is left out of the second round. ConnectionError with every reason when
    none delivers.
    """
    reasons: list[str] = []
    given_up: set[str] = set()
    for _ in range(ROUNDS):
        for mirror in mirrors:
            if mirror in given_up:
                continue
            try:
                _fetch_from(mirror + target.name, target, size, sha256, timeout, patience)
                return
            except _Unavailable as error:
                given_up.add(mirror)
                reasons.append(f"{mirror}: {error}")
            except _BadDelivery as error:
                reasons.append(f"{mirror}: {error}")
    raise ConnectionError("\n  ".join([f"no mirror delivered {target.name}:", *reasons]))


def _fetch_from(url: str, target: Path, size: int, sha256: str, timeout: float, patience: float) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _files.replace(str(target), lambda file: _stream(url, file, size, sha256, timeout, patience))


def _stream(url: str, file: Any, size: int, sha256: str, timeout: float, patience: float) -> None:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, build_opener

    deadline = time.monotonic() + patience
    check = _GzipCheck(size)
    try:
        # Not urlopen, which keeps the proxies of its first use.
        response = build_opener().open(Request(url, headers={"User-Agent": "nncore"}), timeout=timeout)
    except HTTPError as error:
        error.close()
        raise _Unavailable(f"HTTP status {error.code}") from None
    except URLError as error:
        raise _Unavailable(f"cannot be reached ({error.reason})") from None
    except (OSError, HTTPException) as error:
        raise _Unavailable(f"no answer ({error or type(error).__name__})") from None
    with response, _progress(url, response.headers.get("Content-Length")) as bar:
        while True:
            try:
                chunk = response.read(_CHUNK)
            except (OSError, HTTPException) as error:
                raise _BadDelivery(f"broken off ({error or type(error).__name__})") from None
            if not chunk:
                break
            check.add(chunk)
            file.write(chunk)
            bar.update(len(chunk))
            if time.monotonic() > deadline:
                raise _BadDelivery(f"not finished after {patience:g} seconds")
    check.finish(sha256)


class _GzipCheck:
    """Unpacks a gzip stream piece by piece, never past the size it should have, and keeps only the hash."""

    def __init__(self, size: int) -> None:
        self._unpack = zlib.decompressobj(wbits=31)
        self._left = size
        self._hash = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        if self._unpack.eof:
            raise _BadDelivery("there are bytes after the end of the gzip file")
        try:
            while chunk:
                piece = self._unpack.decompress(chunk, min(_CHUNK, self._left + 1))
                self._left -= len(piece)
                if self._left < 0:
                    raise _BadDelivery("unpacks to more than the expected size")
                self._hash.update(piece)
                chunk = self._unpack.unconsumed_tail
        except zlib.error as error:
            raise _BadDelivery(f"not a sound gzip file ({error})") from None
        if self._unpack.unused_data:
            raise _BadDelivery("there are bytes after the end of the gzip file")

    def finish(self, sha256: str) -> None:
        if not self._unpack.eof:
            raise _BadDelivery("truncated")
        if self._hash.hexdigest() != sha256:
            raise _BadDelivery("the content has the wrong sha256")


def _progress(url: str, length: str | None) -> Any:
    import sys
    import warnings

    with warnings.catch_warnings():  # about notebooks without widgets: a bar of characters does as well
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    return tqdm(
        desc=f"Downloading {url.rpartition('/')[2]}",
        total=int(length) if length and length.isdigit() else None,
        unit="B",
        unit_scale=True,
        mininterval=0.1 if sys.stderr.isatty() else 5.0,
    )
