"""Documents name files that exist, and their links lead somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = (".ci", "benchmarks", "cpp", "docs", "examples", "python", "tests", "tools")
# What is in backticks and looks like a file or folder of the project, perhaps without those it is in.
NAMED = re.compile(
    rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*|[\w./*-]+\.(?:py|pyi|cpp|hpp|def|md|toml))`"
)


@cache
def text_of(document: Path) -> str:
    """The text without blocks of code."""
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def is_there(name: str) -> bool:
    name = name.removesuffix("/")
    if any(ROOT.glob(name)):
        return True
    return any(next((ROOT / folder).glob(f"**/{name}"), None) for folder in FOLDERS)


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.skipif(not (ROOT / "cpp").is_dir(), reason="cpp/ is only in a clone")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_files_that_exist(document: Path) -> None:
    missing = sorted({name for name in NAMED.findall(text_of(document)) if not is_there(name)})
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []
