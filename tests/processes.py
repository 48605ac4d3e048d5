"""Runs programs in a process of their own, so that hangs and crashes are results of a test."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

# Far above what any of the programs needs, also under a sanitizer on a busy machine.
TIMEOUT = 120.0

SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")

PRELUDE = """
import os, signal, sys, threading, time
import numpy as np
import nncore as nn
from nncore import layers as L

def trained(units=64, features=64, rows=256):
    nn.utils.set_random_seed(1)
    model = nn.Sequential([nn.Input((features,)), L.Dense(units, activation="relu"), L.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    x = np.random.default_rng(2).normal(size=(rows, features)).astype(np.float32)
    model.fit(x, x[:, :1], batch_size=64, verbose=0)
    return model, x
"""


def run(program: str, timeout: float = TIMEOUT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs PRELUDE and a program; pytest.fail would hide the output, so a hang is the exit code -1000."""
    source = PRELUDE + textwrap.dedent(program)
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, -1000, out, err + "\n[the program hung]")
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def output(program: str, timeout: float = TIMEOUT, **environment: str) -> str:
    """The output of a program that ends without an error."""
    result = run(program, timeout, **environment)
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout.strip()
