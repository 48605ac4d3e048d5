"""python -m benchmarks FOLDER [...], or python -m benchmarks --compare A B."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from . import cases, curves, figures, kernels, machine, peers, processes, report, results
from .frameworks import data
from .processes import FRAMEWORKS, Failed
from .workloads import TRAININGS, WORKLOADS


def main() -> int:
    options = parse()
    try:
        if options.compare:
            compare(*options.compare)
        else:
            measure(options)
    except Failed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbenchmarks: stopped; the sections that were finished are saved", file=sys.stderr)
        return 130
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="nncore beside NumPy, other frameworks and the machine's peak: docs/benchmarks.md.",
    )
    parser.add_argument("folder", type=Path, nargs="?", help="for results.json, report.md and figures")
    add_choice(parser, "--parts", results.PARTS)
    add_choice(parser, "--workloads", WORKLOADS)
    add_choice(parser, "--frameworks", FRAMEWORKS)
    parser.add_argument(
        "--runs", type=positive, default=5, help="number of runs, of which medians are reported (default: 5)"
    )
    parser.add_argument("--threads", type=positive, help="default: all processors that may be used")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, as a check that everything works")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="FRAMEWORK=PATH",
        help="the Python that has a framework (default: the one that runs this)",
    )
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"), help="folders of one machine")
    options = parser.parse_args()
    if bool(options.compare) == bool(options.folder):
        parser.error("either a FOLDER to write to is expected, or --compare with two folders")
    options.pythons = dict(pair.partition("=")[::2] for pair in options.python)
    for name, path in options.pythons.items():
        if name not in FRAMEWORKS or not path:
            parser.error(f"--python {name}={path}: FRAMEWORK=PATH is expected, of {', '.join(FRAMEWORKS)}")
    return options


def add_choice(parser: argparse.ArgumentParser, name: str, known: Iterable[str]) -> None:
    known = list(known)

    def names(text: str) -> list[str]:
        chosen = text.split(",")
        for wrong in set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{wrong!r} is not one of {', '.join(known)}")
        return chosen

    parser.add_argument(name, type=names, default=known, help="with commas between: " + ", ".join(known))


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a positive whole number is expected, got {text!r}")
    return int(text)


def measure(options: argparse.Namespace) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise Failed("figures need matplotlib: pip install matplotlib")
    versions = processes.find(sorted({"nncore", *options.frameworks}), options.pythons)
    if "nncore" not in versions:
        raise Failed("this Python has no nncore: pip install . in a clone of the project")
    found, isa = machine.describe()
    threads = options.threads or found["cores"]
    if threads > found["cores"]:
        raise Failed(f"--threads {threads}: {found['cores']} may be used here")
    needs_data = any(TRAININGS.get(name, TRAININGS["mlp"]).of_mnist for name in options.workloads)
    if "peers" in options.parts and needs_data and not options.quick and not data.folder().is_dir():
        raise Failed("the peers learn MNIST: NNCORE_DATA_DIR must name a folder with mnist/*.gz")
    written = results.Results(options.folder, found, options.quick)
    with tempfile.TemporaryDirectory() as scratch:
        settings = results.Settings(
            runs=options.runs,
            threads=threads,
            quick=options.quick,
            pythons=options.pythons,
            versions=versions,
            missing=[name for name in options.frameworks if name not in versions],
            isa=isa,
            peak=machine.Peak(Path(scratch), 0.02 if options.quick else 0.2),
        )
        for part, name, section in sections(settings, options.parts, options.workloads):
            written.save(part, name, section)
            (options.folder / "report.md").write_text(report.text(written.content))
    figures.write(options.folder, written.content)
    print(f"Written to {options.folder}")


def sections(
    settings: results.Settings, parts: list[str], workloads: list[str]
) -> Iterator[tuple[str, str, results.Section]]:
    names: dict[str, Iterable[str]] = {"peers": workloads, "kernels": cases.GROUPS, "curves": curves.CURVES}
    measures: dict[str, Callable[..., results.Section]] = {
        "peers": peers.measure,
        "kernels": kernels.measure,
        "curves": curves.measure,
    }
    for part in parts:
        for name in names[part]:
            yield part, name, measures[part](settings, name, lambda line: print(line, flush=True))


def compare(a: Path, b: Path) -> None:
    first, second = results.read(a), results.read(b)
    results.refuse_other_machine(first, second, str(b))
    print(report.comparison(results.figures(first), results.figures(second)))


if __name__ == "__main__":
    sys.exit(main())
