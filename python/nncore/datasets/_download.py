"""Fetches one file, by pooch, from the first of several addresses that delivers the right content."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..common import files, progress, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT = 10.0  # seconds without an answer or a byte
PATIENCE = 600.0  # seconds for one file, however steadily it trickles
ROUNDS = 2  # an address that was reached but delivered badly is asked again
MOST_BYTES = 1 << 28  # more than any file of a data set has


class _BadDelivery(Exception):
    """The address answered, but not with the whole right file."""


class _Unavailable(_BadDelivery):
    """The address cannot be reached or does not have the file: no use in asking again."""


class _Sink:
    """The file that pooch writes to, and its progress: limited in bytes and in time."""

    total: int | None = None  # set by pooch when the answer is there

    def __init__(self, file: BinaryIO, name: str, patience: float, most: float) -> None:
        self._file, self._name = file, name
        self._bar: Any = None
        self._patience, self._deadline, self._most = patience, time.monotonic() + patience, most

    def write(self, chunk: bytes) -> None:
        self._bar = self._bar or progress.bar(
            desc=f"Downloading {self._name}", total=self.total or None, unit="B", unit_scale=True
        )
        self._file.write(chunk)
        self._bar.update(len(chunk))
        if self._file.tell() > self._most:
            raise _BadDelivery(f"more than {self._most} bytes")
        if time.monotonic() > self._deadline:
            raise _BadDelivery(f"not finished after {self._patience:g} seconds")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def flush(self, *_: int) -> None:
        """Nothing to do: the bar advances as bytes are written, not as pooch tells it."""

    update = reset = flush


def fetch(
    target: Path,
    addresses: Sequence[str],
    check: Callable[[Path], object],
    *,
    timeout: float = TIMEOUT,
    patience: float = PATIENCE,
    most: float | None = None,
) -> None:
    """Write what is at one of `addresses` to `target`: whole and right, or not at all.

    `check` raises ValueError for a file that is not right. Addresses are tried in order; one that cannot be
    reached or lacks the file is left out of the second round. ConnectionError with every reason when none
    delivers, ImportError without pooch.
    """
    try:
        with whole:
            import pooch
    except ImportError:
        raise ImportError(
            f"{target.name} is not at hand, and downloads need pooch: pip install pooch"
        ) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    left = list(addresses)

    def fill(file: BinaryIO) -> None:
        sink = _Sink(file, target.name, patience, MOST_BYTES if most is None else most)
        _stream(pooch.HTTPDownloader, address, sink, timeout)
        file.flush()
        try:
            check(Path(file.name))
        except ValueError as error:
            what = str(error).removeprefix(f"{file.name}: ")
            raise _BadDelivery(f"not the right file ({what})") from None

    for _ in range(ROUNDS):
        for address in tuple(left):
            try:
                return files.replace(str(target), fill)
            except _BadDelivery as error:
                reasons.append(f"{address}: {error}")
                if isinstance(error, _Unavailable):
                    left.remove(address)
    raise ConnectionError("\n  ".join([f"no mirror delivered {target.name}:", *reasons]))


def _stream(downloader: Any, address: str, sink: _Sink, timeout: float) -> None:
    with whole:
        import requests

    headers = {"User-Agent": "nncore", "Accept-Encoding": "identity"}
    try:
        downloader(progressbar=sink, chunk_size=1 << 14, timeout=timeout, headers=headers)(
            address, sink, None
        )
    except requests.HTTPError as error:
        raise _Unavailable(f"HTTP status {getattr(error.response, 'status_code', '?')}") from None
    except (requests.RequestException, ValueError) as error:
        if sink.total is not None:
            raise _BadDelivery(f"broken off ({error})") from None
        reason = getattr(error.args[0] if error.args else None, "reason", error)
        silent = isinstance(error, requests.ReadTimeout)
        raise _Unavailable(f"{'no answer' if silent else 'cannot be reached'} ({reason})") from None
    finally:
        sink.close()
