"""Compares two commits of nncore on this machine, in bits and in speed: docs/benchmarks.md says how.

    python tools/compare.py bits OLD NEW [--folder DIR]
    python tools/compare.py speed OLD NEW [--pairs 15] [--workload NAME ...] [--noise] [--json FILE]

OLD and NEW are git revisions, or "." for the working tree. Exit code 1: bits differ, or a workload may be
slower than the limit. Exit code 2: the comparison failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from comparison import speed
from comparison.bits import bits
from comparison.builds import Failed, build, environment


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        python = environment(options.folder)
        old, new = (build(options.folder, python, revision) for revision in (options.old, options.new))
        print(f"OLD {old.title}\nNEW {new.title}", flush=True)
        if options.command == "bits":
            return bits(python, old, new)
        return speed.speed(python, old, new, options)
    except Failed as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nncore-compare"
    for name in ("bits", "speed"):
        command = commands.add_parser(name)
        command.add_argument("old", metavar="OLD", help='a git revision, or "." for the working tree')
        command.add_argument("new", metavar="NEW")
        command.add_argument("--folder", type=Path, default=cache, help=f"cache of builds (default: {cache})")
        if name == "speed":
            speed.add_options(command)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
