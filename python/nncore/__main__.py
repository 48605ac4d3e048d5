"""``python -m nncore {train,bench,info}``"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import set_num_threads, show_config
from .cli.bench import run as run_bench
from .cli.train import run as run_train
from .common.messages import told, visible


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0; 1 for an error, printed on stderr; 2 for wrong arguments; 130 for Ctrl-C."""
    options: dict[str, Any] = vars(_parser().parse_args(arguments))
    run, threads = options.pop("run"), options.pop("threads", None)
    try:
        if threads is not None:
            set_num_threads(threads)
        run(**options)
        return 0
    except (ImportError, OSError, ValueError) as error:
        text = told(error, options.get("verbose", True))
        print("\n".join(map(visible, f"nncore: {text}".split("\n"))), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nnncore: stopped", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m nncore", description="Neural networks on CPUs.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="{train,bench,info}")

    train = commands.add_parser(
        "train",
        help="train a CNN on MNIST, and write the model and pictures of its results",
        description="Trains Conv2D(64, 3), MaxPooling2D, Flatten and Dense(10) on MNIST with Adam.",
    )
    train.add_argument(
        "--data",
        default="auto",
        metavar="full|sample|auto|PATH",
        help="full: all of MNIST, a download of 11 MB unless it is cached; sample: the 5,000 digits in "
        "nncore; auto: full, or else sample (default); PATH: a path for mnist.load_data",
    )
    train.add_argument(
        "--epochs",
        type=_integer(1),
        help="passes over the training digits (default: 3, with the sample 12)",
    )
    train.add_argument(
        "--batch-size", type=_integer(1), default=32, help="digits in a batch (default: %(default)s)"
    )
    _add_threads(train)
    train.add_argument(
        "--seed",
        type=_integer(0),
        default=1,
        help="seed of weights and order of digits (default: %(default)s)",
    )
    train.add_argument(
        "--out",
        type=Path,
        default=Path("nncore-mnist"),
        metavar="DIR",
        help="folder to write to (default: %(default)s)",
    )
    train.add_argument(
        "--verbose",
        action="store_true",
        help="if MNIST is not available, print each mirror's answer and what to do without a network",
    )
    train.set_defaults(run=run_train)

    bench = commands.add_parser("bench", help="time some operations against NumPy")
    _add_threads(bench)
    bench.add_argument(
        "--seconds",
        type=_seconds,
        default=0.3,
        help="time for each library and operation (default: %(default)s)",
    )
    bench.set_defaults(run=run_bench)

    commands.add_parser("info", help="print the configuration of nncore on this machine").set_defaults(
        run=show_config
    )
    return parser


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads",
        type=_integer(1),
        help="number of threads (default: NNCORE_NUM_THREADS, OMP_NUM_THREADS or all processors)",
    )


def _integer(least: int) -> Callable[[str], int]:
    def parsed(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value

    return parsed


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}") from None
    if not 0 < value < 60:
        raise argparse.ArgumentTypeError(f"must be above 0 and below 60, got {value:g}")
    return value


if __name__ == "__main__":
    sys.exit(main())
