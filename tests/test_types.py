"""Type checkers accept usual programs, and find misspelt arguments, names and attributes.

``python tests/test_types.py`` writes the names that they know.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import nncore
from nncore import activations, constraints, initializers, losses, optimizers, regularizers

pytestmark = pytest.mark.once

PACKAGE = Path(nncore.__file__).parent
NAMES = {
    "Activation": activations._FUNCTIONS,
    "Constraint": constraints.Constraint._known,
    "Initializer": initializers.Initializer._known,
    "Loss": losses.Loss._known,
    "Optimizer": [*optimizers.CLASSES, *map(str.lower, optimizers.CLASSES)],
    "Regularizer": regularizers.Regularizer._known,
}


def text() -> str:
    """The text of nncore/common/choices.pyi."""
    lines = ["# Written by tests/test_types.py: the names of each family, for type checkers", "# fmt: off"]
    lines += ["from typing import Any, Literal", "", "Several = list[Any] | tuple[Any, ...] | dict[str, Any]"]
    for family, names in NAMES.items():
        listed = textwrap.wrap(", ".join(f'"{name}"' for name in sorted(names)), 104)
        lines += ["", f"{family} = Literal[", *(f"    {line}" for line in listed), "]"]
    return "\n".join(lines) + "\n"


def test_type_checkers_know_all_names() -> None:
    assert (PACKAGE / "common/choices.pyi").read_text() == text()


# ---- the lines of type_cases.py

CASES = Path(__file__).with_name("type_cases.py").read_text()
WRONG = {number for number, line in enumerate(CASES.splitlines(), 1) if line.endswith("# wrong")}


def of_mypy(file: Path, run: Callable[..., str]) -> set[int]:
    pytest.importorskip("mypy")
    options = "--strict", "--ignore-missing-imports", "--no-error-summary", "--config-file=", "--cache-dir=."
    out = run(sys.executable, "-m", "mypy", *options, file.name)
    return {int(number) for number in re.findall(rf"^{file.name}:(\d+): error: ", out, re.MULTILINE)}


def of_pyright(file: Path, run: Callable[..., str]) -> set[int]:
    pytest.importorskip("pyright")
    found = json.loads(run(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable))
    assert found["summary"]["filesAnalyzed"] == 1
    errors = (one for one in found["generalDiagnostics"] if one["severity"] == "error")
    return {one["range"]["start"]["line"] + 1 for one in errors}


@pytest.mark.full
@pytest.mark.parametrize("check", [of_mypy, of_pyright])
def test_wrong_lines_alone_are_errors(check: Callable[..., set[int]], tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(CASES)
    if PACKAGE.parent.name != "site-packages":
        shutil.copytree(PACKAGE, tmp_path / "nncore", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (tmp_path / "pyrightconfig.json").write_text('{"include": ["program.py"]}')
    quiet = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=quiet, timeout=300)
        assert done.returncode == 1, done.stderr + done.stdout
        return done.stdout

    found = check(file, run)
    lines = CASES.splitlines()
    assert len(WRONG) > 30
    assert "\n".join(lines[number - 1] for number in sorted(found ^ WRONG)) == ""


if __name__ == "__main__":
    (PACKAGE / "common/choices.pyi").write_text(text())
