"""The structure of the Python package: imports run one way, private names stay at home, public modules show
their public names alone, and files are short.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import nncore
from nncore import layers

pytestmark = pytest.mark.once

ROOT = Path(nncore.__file__).parent
FILES = {
    ".".join(("nncore", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}


def imports(name: str) -> Iterator[tuple[str, str]]:
    """Module and name of all that a module imports: in functions and for type checkers, too."""
    package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full, "") if full in FILES or full == "nncore._core" else (base, alias.name)


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Nodes of which each leads to the next, and the last one to the first; none if there are no such."""
    done: set[str] = set()

    def search(node: str, above: list[str]) -> list[str]:
        if node in above:
            return above[above.index(node) :]
        if node not in done:
            for other in sorted(edges.get(node, ())):
                if found := search(other, [*above, node]):
                    return found
        done.add(node)
        return []

    return next((found for node in edges if (found := search(node, []))), [])


EDGES = {name: {to for to, _ in imports(name) if to in FILES and to != name} for name in FILES}


def test_imports_run_one_way() -> None:
    assert circle(EDGES) == []


def test_rooms_run_one_way() -> None:
    def room(name: str) -> str:
        return ".".join(name.split(".")[:2])

    edges: dict[str, set[str]] = {}
    for name, others in EDGES.items():
        edges.setdefault(room(name), set()).update({room(other) for other in others} - {room(name)})
    assert circle(edges) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined(tree: ast.AST) -> set[str]:
    """Names of functions, classes, variables and of attributes that `self` gets."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            found.add(node.attr)
    return found


def is_own(value: ast.expr) -> bool:
    """Whether an expression is `self` or `cls`."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in ("super", "type")
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


# Of Python, which has no public ones for the same.
OF_PYTHON = {"_at_fork_reinit", "_getframe"}


@pytest.mark.parametrize("name", FILES)
def test_private_names_are_used_at_home(name: str) -> None:
    home = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    for module, what in imports(name):
        if module.partition(".")[0] == "nncore" and module != "nncore._core":
            assert not is_private(what), f"{what} of {module}"
            leaf = module.rpartition(".")[2]
            assert not is_private(leaf) or f"{home}.".startswith(f"{module.rpartition('.')[0]}."), module
    own = defined(TREES[name]) | OF_PYTHON
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            assert node.attr in own, f"line {node.lineno}: {ast.unparse(node)}"


def public(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    for name in module.__all__:
        if isinstance(inner := getattr(module, name), ModuleType) and inner is not nncore:
            yield from public(inner)


@pytest.mark.parametrize("module", list(public(nncore)), ids=lambda module: module.__name__)
def test_a_module_shows_its_public_names(module: ModuleType) -> None:
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert importlib.import_module(module.__name__) is module


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name: str) -> None:
    assert len(FILES[name].read_text().splitlines()) <= 400


@pytest.mark.parametrize("module", layers._ON_DEMAND)
def test_layers_on_demand_are_told_whole(module: str) -> None:
    told = layers._ON_DEMAND[module].split()
    assert told == sorted(importlib.import_module(f"nncore.layers.{module}").__all__)
