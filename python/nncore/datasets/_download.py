"""Fetches one file from the first of several mirrors that delivers the right content."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..common import files
from ..common import progress as _progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT = 10.0  # seconds without an answer or a byte
PATIENCE = 600.0  # seconds for one file, however steadily it trickles
ROUNDS = 2  # a mirror that was reached but delivered badly is asked again
MOST_BYTES = 1 << 26  # more than any file of a data set has
_CHUNK = 1 << 16


class _BadDelivery(Exception):
    """The mirror answered, but not with the whole right file."""


class _Unavailable(_BadDelivery):
    """The mirror cannot be reached or does not have the file: no use in asking again."""


def fetch(
    target: Path,
    mirrors: Sequence[str],
    check: Callable[[Path], object],
    *,
    timeout: float = TIMEOUT,
    patience: float = PATIENCE,
) -> None:
    """Write mirror + the name of `target` to `target`: whole and right, or not at all.

    `check` raises ValueError for a file that is not right. Mirrors are tried in order; one that cannot be
    reached or lacks the file is left out of the second round. ConnectionError with every reason when none
    delivers.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    left = list(mirrors)

    def fill(file: BinaryIO) -> None:
        _stream(mirror + target.name, file, timeout, patience)
        file.flush()
        try:
            check(Path(file.name))
        except ValueError as error:
            what = str(error).removeprefix(f"{file.name}: ")
            raise _BadDelivery(f"not the right file ({what})") from None

    for _ in range(ROUNDS):
        for mirror in tuple(left):
            try:
                return files.replace(str(target), fill)
            except _BadDelivery as error:
                reasons.append(f"{mirror}: {error}")
                if isinstance(error, _Unavailable):
                    left.remove(mirror)
    raise ConnectionError("\n  ".join([f"no mirror delivered {target.name}:", *reasons]))


def _stream(url: str, file: BinaryIO, timeout: float, patience: float) -> None:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, build_opener

    deadline = time.monotonic() + patience
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
    length = response.headers.get("Content-Length")
    bar = _progress.bar(
        desc=f"Downloading {url.rpartition('/')[2]}",
        total=int(length) if length and length.isdigit() else None,
        unit="B",
        unit_scale=True,
        mininterval=0.1 if sys.stderr.isatty() else 5.0,
    )
    with response, bar:
        while True:
            try:
                chunk = response.read(_CHUNK)
            except (OSError, HTTPException) as error:
                raise _BadDelivery(f"broken off ({error or type(error).__name__})") from None
            if not chunk:
                break
            file.write(chunk)
            bar.update(len(chunk))
            if file.tell() > MOST_BYTES:
                raise _BadDelivery(f"more than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise _BadDelivery(f"not finished after {patience:g} seconds")
