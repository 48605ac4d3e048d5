"""The stress commands find faults: each fails if a fault of its kind is put in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "tools" / "stress").is_dir(), reason="not in a clone of the repository"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc"),
]
PROGRAM = """
import sys
import threading
import numpy as np
sys.argv = ["tools.stress", {command!r}, "--seconds", "8"]
from tools.stress.__main__ import TESTS, main
sys.path.insert(0, str(TESTS))
import nncore
from nncore import Sequential, _core, models, ops, saving
from tools.stress import common
common.HANG = 30
{fault}
sys.exit(main())
"""

# command -> (a fault, what is said of it)
FAULTS = {
    "files": (
        "saving.reading.expect = lambda kind, value, what:"
        " exec('raise ZeroDivisionError(what)') if value is None else value",
        "repeat it: python -m tools.stress files --seed 1 --case",
    ),
    "models": (
        """
for name in ("relu", "elu", "sigmoid", "tanh", "softplus", "silu", "gelu", "softmax"):
    setattr(ops, name, lambda x, of=getattr(ops, name), **given: of(x, **given) + 1e-4)
""",
        "repeat it: python -m tools.stress models --seed 1 --case",
    ),
    "kills": (
        """
def save(model, path):
    data = saving.to_bytes(model._trainer, weights_only=False)
    with open(path, "wb") as file:
        for part in range(0, len(data), 1000):
            file.write(data[part : part + 1000])
            file.flush()

Sequential.save = save
""",
        "is not a usable model file|mixes states",
    ),
    "leaks": (
        "kept, predict = [], Sequential.predict\n"
        "Sequential.predict = lambda *a, **k: (kept.append(np.ones(500)), predict(*a, **k))[1]",
        "memory grew by",
    ),
    "threads": (
        """
from tools.stress import threads_
threads_.SCENES = (threads_.one_model_written,)

def set_weights(model, weights):
    for layer in model.layers:
        layer.set_weights([weights.pop(0) for _ in layer.get_weights()])

Sequential.set_weights = set_weights
""",
        "weights of several calls at once",
    ),
    "forks": (
        """
from tools.stress import forks_
forks_.PATIENCE = 3
lock, dense = threading.Lock(), ops.dense

def locked(*arrays):
    with lock:
        return dense(*arrays)

ops.dense = locked
""",
        "the child hung|should fork_again ended with status",
    ),
    "memory": (
        """
from tools.stress import memory_
memory_.NAMES = ["weights"]
get_weights = Sequential.get_weights

def broken(model):
    try:
        return [w.copy() for w in get_weights(model) for _ in range(8)][::8]
    except MemoryError:
        raise ValueError("the shape is wrong") from None

Sequential.get_weights = broken
""",
        "weights with .* ended with status 1",
    ),
}


@pytest.mark.parametrize("command", FAULTS)
def test_faults_are_found(command: str, tmp_path: Path) -> None:
    fault, said = FAULTS[command]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(command=command, fault=fault)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(said, done.stderr), done.stderr
