"""Includes of the C++ rooms run one way."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

PROJECT = Path(__file__).parents[1]

# Each room may include those before it.
ROOMS = ["core", "runtime", "kernels", "layers", "graph", "training", "engine", "bindings"]
FILES = sorted(p for p in (PROJECT / "cpp").rglob("*") if p.suffix in (".cpp", ".hpp", ".def"))


def included(path):
    found = re.findall(r'^#include "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    return [(path.parent / name).resolve() for name in found]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_a_file_includes_rooms_below_its_own_alone(path):
    for other in included(path):
        assert other.is_file(), f"{other} does not exist"
        here, there = path.parent.name, other.parent.name
        assert here == there or ROOMS.index(there) < ROOMS.index(here), (
            f"{here} includes {there}/{other.name}"
        )


def test_no_file_includes_itself_by_others():
    edges = {path: included(path) for path in FILES}
    done = set()

    def visit(path, above):
        assert path not in above, f"{path} includes itself"
        if path not in done:
            for other in edges[path]:
                visit(other, [*above, path])
            done.add(path)

    for path in FILES:
        visit(path, [])


# What others than the kernels themselves see of cpp/kernels: the rest is one file a kernel, for isa.cpp only.
OF_KERNELS = {other for path in FILES for other in included(path) if other.parent.name != path.parent.name}


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.suffix == ".hpp" and (p.parent.name != "kernels" or p in OF_KERNELS)],
    ids=lambda p: p.name,
)
def test_headers_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
