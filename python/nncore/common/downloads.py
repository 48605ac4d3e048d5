"""Fetches one file, by pooch, from the first of several addresses that delivers it; and the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from . import files, progress, whole

TIMEOUT = 10.0  # seconds without an answer or a byte
PATIENCE = 600.0  # seconds for one file
ROUNDS = 2  # an address that delivered a bad file is tried again
MOST_BYTES = 1 << 28  # more than any file of a data set has
_HEADERS = {"User-Agent": "nncore", "Accept-Encoding": "identity"}


class _Refused(Exception):
    """Why a delivery cannot be used. `again`: whether the address is asked once more."""

    def __init__(self, text: str, again: bool = True) -> None:
        super().__init__(text)
        self.again = again


class _Sink:
    """The file that pooch writes to, and its progress, which advances as bytes are written."""

    total: int | None = None  # set by pooch when the response has arrived

    def __init__(self, file: BinaryIO, name: str, limited: bool) -> None:
        self._file, self._name, self._limited = file, name, limited
        self._bar: Any = None
        self._started = time.monotonic()

    def write(self, chunk: bytes) -> None:
        self._bar = self._bar or progress.bar(
            desc=f"Downloading {self._name}", total=self.total or None, unit="B", unit_scale=True
        )
        self._file.write(chunk)
        self._bar.update(len(chunk))
        if self._limited and self._file.tell() > MOST_BYTES:
            raise _Refused(f"more than {MOST_BYTES} bytes")
        if self._limited and time.monotonic() > self._started + PATIENCE:
            raise _Refused(f"not finished after {PATIENCE:g} seconds")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def flush(self, *_: int) -> None: ...

    update = reset = flush


def fetch(
    target: Path,
    addresses: Sequence[str],
    check: Callable[[Path], object],
    *,
    timeout: float = TIMEOUT,
    limited: bool = True,
) -> None:
    """Write what is at one of `addresses` to `target`: whole and right, or not at all.

    `check` raises ValueError for a file that is not right. Addresses are tried in order; one that cannot be
    reached or lacks the file is left out of the second round. ConnectionError with every reason when none
    delivers, ImportError without pooch. limited: in bytes and in time.
    """
    try:
        with whole:
            import pooch
            import requests
    except ImportError:
        text = f"{target.name} is not cached, and downloads need pooch: pip install pooch"
        raise ImportError(text) from None

    def fill(file: BinaryIO) -> None:
        sink = _Sink(file, target.name, limited)
        download = pooch.HTTPDownloader(sink, chunk_size=1 << 14, timeout=timeout, headers=_HEADERS)
        try:
            download(address, sink, None)
        except requests.HTTPError as error:
            raise _Refused(f"HTTP status {getattr(error.response, 'status_code', '?')}", False) from None
        except (requests.RequestException, ValueError) as error:
            if sink.total is not None:
                raise _Refused(f"broken off ({error})") from None
            reason = getattr(error.args[0] if error.args else None, "reason", error)
            what = "no answer" if isinstance(error, requests.ReadTimeout) else "cannot be reached"
            raise _Refused(f"{what} ({reason})", again=False) from None
        finally:
            sink.close()
        file.flush()
        try:
            check(Path(file.name))
        except ValueError as error:
            raise _Refused(f"not the right file ({str(error).removeprefix(f'{file.name}: ')})") from None

    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    left = list(addresses)
    for _ in range(ROUNDS):
        for address in tuple(left):
            try:
                return files.replace(str(target), fill)
            except _Refused as error:
                reasons.append(f"{address}: {error}")
                if not error.again:
                    left.remove(address)
    raise ConnectionError("\n  ".join([f"no mirror delivered {target.name}:", *reasons]))


@contextlib.contextmanager
def advised(name: str, folder: Path, faults: Iterable[str], advice: str) -> Iterator[None]:
    """Adds the data set's name, faults and advice to the errors of a download into `folder`."""
    try:
        yield
    except (ConnectionError, ImportError) as error:
        raise type(error)("\n".join([f"{name}: {error}", *faults, advice])) from None
    except OSError as error:
        raise OSError(f"{name}: cannot write to {folder} ({error})\n{advice}") from None


def check(path: Path, expected: str, algorithm: str = "auto") -> None:
    """ValueError if the file has another hash. "auto" is sha256 or MD5, by the length of the hash."""
    if algorithm == "auto":
        algorithm = "sha256" if len(expected) == 64 else "md5"
    if not path.is_file() and path.exists():
        raise ValueError(f"{path}: not a regular file")
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    if hasher.hexdigest() != expected.lower():
        raise ValueError(f"{path}: wrong {algorithm}: {expected} is expected, got {hasher.hexdigest()}")


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/nncore, or one in the platform's ~/.cache, ~/Library/Caches or %LOCALAPPDATA%."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        return Path(given) / "nncore"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "nncore" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nncore"
    return Path.home() / ".cache" / "nncore"
