"""The README's commands and lessons fit together, and no text leads to another project of the same name."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import nncore

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
WRONG = re.compile(r"""pip3?\s+install\s[^\n&|;]*\bnncore(?![-\w/.])""")


def test_no_text_installs_the_other_project() -> None:
    assert WRONG.search('pip install "nncore[plot]"')
    assert WRONG.search("pip install -U nncore")
    assert not WRONG.search('pip install ".[plot]" && python -m nncore train')
    package = Path(nncore.__file__).parent
    files = [*package.rglob("*.py"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    files += [
        path for folder in ("docs", "examples") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in files}
    assert len(texts) > 30
    assert not [str(path) for path, text in texts.items() if WRONG.search(text)]


def test_readme_says_where_nncore_is_installed_from() -> None:
    assert re.search(r"nncore is installed from a clone[^.]* package index [^.]*\.", README)


def test_the_quick_start_installs_what_the_lessons_need() -> None:
    if sys.version_info < (3, 11):
        pytest.skip("needs tomllib")
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = re.findall(r'pip install "\.\[(\w+)\]" && .venv/bin/python -m nncore train', README)

    def packages(requirements: list[str]) -> set[str]:
        found = set()
        for requirement in requirements:
            name, extras = re.findall(r"^([\w-]+)(?:\[([\w,]+)\])?", requirement)[0]
            for inner in filter(None, extras.split(",")):
                found |= packages(project["optional-dependencies"][inner])
            found |= set() if extras else {name}
        return found

    installed = packages(project["dependencies"]) | packages(project["optional-dependencies"][extra])
    lessons = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lessons += [path.read_text() for path in sorted((ROOT / "examples").glob("*.py"))]
    assert len(lessons) == 15
    imported = set()
    for code in lessons:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert {"numpy", "pandas"} <= imported
    assert imported - set(sys.stdlib_module_names) - {"nncore"} <= installed
