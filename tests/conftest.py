"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nncore import _core

# Some tests run in folders of their own.
if "NNCORE_DATA_DIR" in os.environ:
    os.environ["NNCORE_DATA_DIR"] = str(Path(os.environ["NNCORE_DATA_DIR"]).resolve())

# A shell lets what it runs in the background ignore Ctrl-C, and so would the processes that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260)


@pytest.fixture(params=[os.environ["NNCORE_ISA"]] if "NNCORE_ISA" in os.environ else _core.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once with each instruction set of this machine, or with the chosen one alone."""
    before = _core.isa()
    _core.select_isa(request.param)
    yield request.param
    _core.select_isa(before)


@pytest.fixture
def threads() -> Iterator[None]:
    """The test may change the number of threads."""
    before = _core.get_num_threads()
    yield
    _core.set_num_threads(before)
