"""python -m tools.stress COMMAND ... [--seconds N] [--seed N] [--case N]"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
COMMANDS = {
    "files": "model and data files, mutated: refused or usable",
    "atheris": "the same readers, fuzzed by coverage (needs the package atheris)",
    "models": "random networks and operations against the reference, on any number of threads",
    "kills": "SIGKILL at random moments of saving and training: files are whole, and training goes on",
    "leaks": "the memory of many rounds of everything stays what it was",
    "threads": "models and operations from several Python threads at once",
    "forks": "fork while other threads compute; the child uses models, or says why not",
    "memory": "a sweep of RLIMIT_AS: a result or a MemoryError",
}


def main() -> int:
    table = "\n".join(f"  {name:9} {what}" for name, what in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.stress",
        description=f"Stress tests of nncore.\n\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("commands", nargs="+", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("--seconds", type=float, default=20.0, help="time for each command; default 20")
    parser.add_argument("--seed", type=int, default=1, help="seed of all that is random; default 1")
    parser.add_argument("--case", type=int, help="repeats one case of `files` or `models`")
    given = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    faulthandler.enable()

    from .common import Run

    addresses = resource.getrlimit(resource.RLIMIT_AS)
    for name in dict.fromkeys(given.commands):
        folder = Path(tempfile.mkdtemp(prefix=f"nncore-{name}-"))
        print(f"{name}: {COMMANDS[name]}. Files in {folder}", flush=True)
        begin = time.monotonic()
        run = Run(name, given.seconds, given.seed, given.case, folder)
        result: str = importlib.import_module(f".{name}_", __package__).run(run)
        resource.setrlimit(resource.RLIMIT_AS, addresses)  # some commands set one of their own
        shutil.rmtree(folder)
        print(f"{name}: {result}; {time.monotonic() - begin:.0f} s, seed {given.seed}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
