"""The readers of model and data files under atheris, which looks for inputs that reach new code.

An input is one byte, which names the reader, and the file. What fails is kept as crash-..., to be repeated
with ``python -m tools.stress.atheris_ PATH``.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from .common import Run

PACKAGE = __package__ or "tools.stress"
RESIDENT = 1000  # megabytes
SLOWEST = 30  # seconds for one input
STATS = ("number_of_executed_units", "new_units_added")


def run(run: Run) -> str:
    if importlib.util.find_spec("atheris") is None:
        return (
            "SKIPPED: needs the package atheris (pip install atheris, where there is a wheel for this Python)"
        )
    corpus = Path(tempfile.mkdtemp(dir=run.folder))
    log = run.folder / "log"
    limits = [
        f"-max_total_time={max(1, int(run.seconds))}",
        f"-rss_limit_mb={RESIDENT}",
        f"-timeout={SLOWEST}",
    ]
    options = [
        f"-seed={run.seed}",
        "-max_len=100000",
        f"-artifact_prefix={run.folder}/",
        "-print_final_stats=1",
    ]
    command = [sys.executable, "-m", f"{PACKAGE}.atheris_", str(corpus), *limits, *options]
    with open(log, "wb") as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    said = log.read_text(errors="replace")
    if status:
        print(said[-6000:], file=sys.stderr)
        raise AssertionError(f"atheris ended with status {status}; log and input are in {run.folder}")
    made, kept = (int(said.rpartition(f"stat::{name}:")[2].split()[0]) for name in STATS)
    return f"{made} inputs, {kept} of them kept as they reached new code; at most {RESIDENT} MB of memory"


def main() -> None:
    import atheris

    from .__main__ import TESTS

    sys.path.insert(0, str(TESTS))
    with atheris.instrument_imports(include=["nncore", "safetensors"]):
        from .readers import READERS, seeds
    names = list(READERS)
    folder = Path(tempfile.mkdtemp())
    path = folder / "file"

    def one(data: bytes) -> None:
        if data:
            path.write_bytes(data[1:])
            READERS[names[data[0] % len(names)]](path)

    corpus = Path(sys.argv[1])
    if corpus.is_dir():
        for name, found in seeds(folder).items():
            for number, data in enumerate(found):
                (corpus / f"{name}-{number}").write_bytes(bytes([names.index(name)]) + data)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
