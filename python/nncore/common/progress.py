"""How far a training is: a bar in a terminal or notebook, one line an epoch in a log file."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import whole
from .messages import shown


def in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def _interactive() -> bool:
    try:
        return in_notebook() or sys.stdout.isatty()
    except (AttributeError, ValueError):  # no standard output, or a closed one
        return False


def style(owner: str, verbose: object) -> int:
    """0 for silence, 1 for a bar, 2 for a line: what a `verbose` (0, 1, 2, "auto", bool) comes to here."""
    value = verbose.item() if isinstance(verbose, np.generic | np.ndarray) and verbose.ndim == 0 else verbose
    if isinstance(value, str) and value == "auto":
        value = 1
    if not isinstance(value, int) or value not in (0, 1, 2):
        raise ValueError(f"[{owner}] verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
    return 2 if value == 1 and not _interactive() else int(value)


def _number(value: Any) -> str:
    value = float(np.mean(value))  # of a metric with several thresholds
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.4e}"


def _text(logs: Mapping[str, Any]) -> str:
    return " - ".join(f"{shown(name)}: {_number(value)}" for name, value in logs.items())


def _terminal() -> os.terminal_size:
    with whole:
        import shutil  # brings decompressors along, which take memory

    return shutil.get_terminal_size()  # never 0, unlike tqdm's, with which it shows nothing


def bar(**settings: Any) -> Any:
    """A bar of tqdm; one of characters, without a warning, in a notebook that has no widgets."""
    with whole, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

        class Bar(tqdm):  # type: ignore[misc]
            monitor_interval = 0  # no thread of its own

        return Bar(**settings)


class Progress:
    """Of passes over data, each from `start` to `finish`, in a `with`. Without a style nothing is shown."""

    def __init__(self, style: int = 0) -> None:
        self.shown = style != 0
        self._style, self._bar, self._done = style, None, 0

    def __enter__(self) -> Progress:
        return self

    def start(self, title: str, steps: int | None) -> Progress:
        self._title, self._steps, self._done, self._began = title, steps, 0, time.perf_counter()
        if self._style == 1:
            size, notebook = _terminal(), in_notebook()
            shape = "{desc} {n_fmt}/{total_fmt} {bar:10} {elapsed}<{remaining}{postfix}"
            self._bar = bar(
                total=steps,
                desc=title,
                unit="step",
                file=sys.stdout,
                bar_format=shape if steps and not notebook else None,
                mininterval=0.05,
                ncols=None if notebook else size.columns,
                nrows=size.lines,
            )
        return self

    def update(self, steps: int, logs: Mapping[str, Any]) -> None:
        self._done += steps
        if self._bar is not None:
            with whole:
                self._bar.set_postfix_str(_text(logs), refresh=False)
                self._bar.update(steps)

    def finish(self, logs: Mapping[str, Any]) -> None:
        """The last word: with values of validation too, on a line of their own if there is no room."""
        if not self.shown:
            return
        text = _text(logs)
        if self._bar is not None:
            with whole:
                room = _terminal().columns - len(self._title) - 2 * len(str(self._steps)) - 30
                beside = len(text) <= room or in_notebook()
                self._bar.set_postfix_str(text if beside else "", refresh=True)
                self._close()
                if not beside:
                    print(f"  {text}", flush=True)
        else:
            seconds = time.perf_counter() - self._began
            step = seconds / max(1, self._done)
            pace = f"{step * 1e3:.0f}ms/step" if step >= 1e-3 else f"{step * 1e6:.0f}us/step"
            parts = [self._title, f"{self._done} steps", f"{seconds:.1f}s", pace, text]
            with whole:
                print(" - ".join(part for part in parts if part), flush=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __exit__(self, *_: object) -> None:
        with whole:
            self._close()
