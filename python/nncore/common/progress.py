"""The progress of a training: a bar in a terminal or notebook, one line for each epoch in a log file."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import whole
from .absent import Explained
from .arguments import integer, number, text
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
    """The display for an argument `verbose` (0, 1, 2, "auto", bool): 0 none, 1 a bar, 2 a line an epoch."""
    value = verbose.item() if isinstance(verbose, np.generic | np.ndarray) and verbose.ndim == 0 else verbose
    if isinstance(value, str) and value == "auto":
        value = 1
    if not isinstance(value, int) or value not in (0, 1, 2):
        raise ValueError(f"[{owner}] verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
    return 2 if value == 1 and not _interactive() else int(value)


def _number(value: Any) -> str:
    value = float(np.mean(value))  # a metric with several thresholds has several values
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.4e}"


def _text(logs: Mapping[str, Any]) -> str:
    return " - ".join(f"{shown(name)}: {_number(value)}" for name, value in logs.items())


def _terminal() -> os.terminal_size:
    with whole:
        import shutil  # imported late: it imports decompressors, which take memory

    return shutil.get_terminal_size()  # never 0; tqdm's own size may be 0, which hides the bar


def bar(**settings: Any) -> Any:
    """A tqdm bar. In a notebook without widgets it is text, and tqdm's warning about that is suppressed."""
    with whole, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

        class Bar(tqdm):  # type: ignore[misc]
            monitor_interval = 0  # no thread of its own

        return Bar(**settings)


class Progress:
    """A context manager that shows passes over data, each from `start` to `finish`; style 0 is silent."""

    def __init__(self, style: int = 0) -> None:
        self.shown = style != 0
        self._style, self._bar, self._done = style, None, 0

    def __enter__(self) -> Progress:
        return self

    def start(self, title: str, steps: int | None, width: int = 10, interval: float = 0.05) -> Progress:
        self._title, self._steps, self._done, self._began = title, steps, 0, time.perf_counter()
        if self._style == 1:
            size, notebook = _terminal(), in_notebook()
            shape = f"{{desc}} {{n_fmt}}/{{total_fmt}} {{bar:{width}}} {{elapsed}}<{{remaining}}{{postfix}}"
            self._bar = bar(
                total=steps,
                desc=title,
                unit="step",
                file=sys.stdout,
                bar_format=shape if steps and not notebook else None,
                mininterval=interval,
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
        """Shows the final values, also of validation; on a line of their own if the bar leaves no room."""
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


class Progbar(Explained):
    """Shows how far something is, with the means of values: a bar in a terminal or notebook, else a line at
    the end.

    Args:
        target: number of steps; None if it is not known.
        width: of the bar, in characters; default 20.
        verbose: 0 for silence, 1 (default) for a bar, 2 for a line at the end.
        interval: seconds between two drawings at least; default 0.05.
        stateful_metrics: names of values that are shown as they are; of the others means over the steps are.
        stateless_metrics: instead of these, names of those whose means are shown.
        unit_name: what is counted; default "step".

    Raises:
        ValueError: both stateful_metrics and stateless_metrics are given, or another wrong argument.

    >>> bar = Progbar(3, verbose=0)
    >>> for step in range(3):
    ...     bar.update(step + 1, [("loss", 1 / (1 + step))])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        owner = "Progbar"
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(f"[{owner}] only one of stateful_metrics and stateless_metrics may be given")
        self.target = None if target is None else integer(owner, "target", target, low=0)
        self.width = integer(owner, "width", width)
        self.interval = number(owner, "interval", interval, low=0.0)
        self.unit_name = text(owner, "unit_name", unit_name)
        self.verbose = verbose
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._progress = Progress(style(owner, verbose))
        self._begun = False
        self._seen = 0
        self._sums: dict[str, tuple[Any, int]] = {}  # by name, and of how many steps

    def _is_mean(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in (self.stateful_metrics or ())

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Shows that so many steps are made.

        Args:
            current: number of steps so far.
            values: (name, value) of the steps since the last update.
            finalize: True for the last one, which shows the values as they are; default whether target is
                reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        if not self._begun:
            self._progress.start(self.unit_name, self.target, self.width, self.interval)
            self._begun = True
        made = current - self._seen
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0))
            if finalize or not self._is_mean(name):
                total, count = value, 1
            else:
                total, count = total + value * max(made, 1), count + max(made, 1)
            self._sums[name] = total, count
        self._seen = current
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._progress.update(made, means)
        if finalize:
            self._progress.finish(means)
            self._begun = False

    def finish(self, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """The last update, at the step that is reached."""
        self.update(self._seen, values, finalize=True)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Updates the bar as `update` does, by n further steps."""
        self.update(self._seen + n, values)
