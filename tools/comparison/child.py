"""Runs in each build, started by bits.py: all cases, by nncore's public names alone.

    python -m comparison.child STORE [--names]

Arrays go to STORE/DIGEST.npy, and one line of JSON is printed: {"file", "isa", "threads", "isas", "names",
"unused", "cases"}, the cases with {what: [digest of each array]}, {"absent": name} or {"error": message}.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

import nncore

from . import networks, operations, public
from .training import digest


def main(store: Path, run: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, case in chain(networks.cases(), operations.cases()) if run else ():
        if name in found:
            raise SystemExit(f"two cases are called {name!r}")
        print(name, file=sys.stderr)  # the last one is told if this process crashes or hangs
        nncore.utils.set_random_seed(7)
        try:
            found[name] = {what: [*stored(values, store)] for what, values in case().items()}
        except public.Absent as error:
            found[name] = {"absent": str(error)}
        except Exception as error:
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    return {
        "file": nncore.__file__,
        "isa": nncore.isa(),
        "threads": nncore.get_num_threads(),
        "isas": nncore.available_isas(),
        "names": public.names(),
        "unused": public.unused(),
        "cases": found,
    }


def stored(values: Any, store: Path) -> Iterator[str]:
    """Digests of an array, a number, or a list of them, each written unless it is there already."""
    for value in values if isinstance(values, (list, tuple)) else [values]:
        array = np.asarray(value)
        name = digest(array)
        if not (store / f"{name}.npy").exists():
            with tempfile.NamedTemporaryFile(dir=store, delete=False) as file:
                np.save(file, array)
            Path(file.name).rename(store / f"{name}.npy")
        yield name


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), "--names" not in sys.argv)))
