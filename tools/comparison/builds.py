"""Builds of commits: each is installed by pip into a folder of its own, which is kept by its content."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
NEEDED = ("numpy", "safetensors", "tqdm")  # what nncore imports
# Would change what is built or what runs, against what users get.
LEFT_OUT = {"CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "PYTHONPATH", "PYTHONHOME"}
LEFT_OUT |= {"NNCORE_ISA", "NNCORE_NUM_THREADS", "OMP_NUM_THREADS"}

# Change nothing of what is installed but its description.
NOT_BUILT = {".ci", ".gitignore", "benchmarks", "docs", "examples", "tests", "tools"}
NOT_BUILT |= {"CHANGELOG.md", "CONTRIBUTING.md", "README.md"}


class Failed(Exception):
    """A build or a process ended with an error."""


class Build(NamedTuple):
    path: Path  # on PYTHONPATH it gives nncore, and nothing else
    title: str


def clean() -> dict[str, str]:
    """The environment without what would make a build or a run special."""
    special = ("CMAKE_", "SKBUILD_", "PIP_TARGET", "PIP_USER", "PIP_PREFIX", "GIT_")
    kept = {k: v for k, v in os.environ.items() if k not in LEFT_OUT and not k.startswith(special)}
    return kept | {"PYTHONNOUSERSITE": "1"}


def run(
    command: Sequence[str | Path],
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 3600,
) -> str:
    """What the command prints. Failed with the end of its messages if it fails or takes longer."""
    with tempfile.TemporaryFile("w+") as messages:
        environment = clean() | {**(variables or {})}
        try:
            done = subprocess.run(
                [*map(str, command)], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=messages,
                text=True, timeout=seconds,
            )  # fmt: skip
            ended, printed = done.returncode and f"ended with {done.returncode}", done.stdout
        except subprocess.TimeoutExpired:
            ended, printed = f"was stopped after {seconds} s", ""
        if ended:
            messages.seek(0)
            said = (printed + messages.read()).strip()[-3000:]
            raise Failed(f"{' '.join(map(str, command))} {ended}:\n{said}")
    return printed


def git(*arguments: str | Path, index: str = "") -> str:
    variables = {"GIT_INDEX_FILE": index} if index else {}
    return run(["git", "-c", "safe.directory=*", "-C", ROOT, *arguments], variables).strip()


def tree_of(revision: str) -> tuple[str, str]:
    """(hash of the content, title). The working tree is what `git add --all` would take."""
    if revision != ".":
        commit = git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return git("rev-parse", f"{commit}^{{tree}}"), git("log", "-1", "--format=%h %s", commit)
    with tempfile.TemporaryDirectory() as scratch:
        index = str(Path(scratch) / "index")
        git("add", "--all", index=index)
        return git("write-tree", index=index), "the working tree of " + git("log", "-1", "--format=%h %s")


def built_from(tree: str) -> str:
    """The hashes of all files and folders of a tree that may change a build."""
    entries = git("ls-tree", tree).splitlines()
    return "\n".join(entry for entry in entries if entry.partition("\t")[2] not in NOT_BUILT)


def kept_folder(folder: Path, kind: str, *content: str) -> Path:
    """Where something of this content is kept. Names are equally long, as their length can change times."""
    return folder.resolve() / f"{kind}-{hashlib.sha256(repr(content).encode()).hexdigest()[:16]}"


def environment(folder: Path) -> Path:
    """The Python that runs all builds: this one's version and packages, without its other packages."""
    wanted = []
    for name in NEEDED:
        try:
            wanted.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            wanted.append(name)
    made = kept_folder(folder, "environment", sys.version, sys.executable, *wanted)
    python = made / "bin" / "python"
    if not (made / "complete").exists():
        print(f"Making {made}", file=sys.stderr, flush=True)
        run([sys.executable, "-m", "venv", "--clear", made])
        run([python, "-m", "pip", "install", "-q", *wanted])
        (made / "complete").touch()
    return python


def build(folder: Path, python: Path, revision: str) -> Build:
    """What `pip install` makes of a commit, taken from the folder if it is there for the same compiler."""
    tree, title = tree_of(revision)
    compiler = run([*shlex.split(os.environ.get("CXX", "c++")), "--version"]).splitlines()[0]
    path = kept_folder(folder, "build", built_from(tree), compiler, sys.version)
    if path.exists():
        return Build(path, title)
    print(f"Building {title}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source, made = Path(scratch) / "source", Path(scratch) / "made"
        source.mkdir()
        git("archive", "-o", f"{scratch}/source.tar", tree)
        shutil.unpack_archive(f"{scratch}/source.tar", source)
        run([python, "-m", "pip", "install", "-q", "--no-deps", "--target", made, source])
        try:
            made.rename(path)
        except OSError:  # another process was faster
            if not path.exists():
                raise
    return Build(path, title)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, columns padded to the same width but the last."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    widths[-1] = len(head[-1])
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines)
