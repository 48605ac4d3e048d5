"""Functions and classes of Keras have its arguments, order and defaults; so says docs/coming-from-keras.md.

The facts are in ``common/keras_names.txt``, which ``tools/keras_names.py`` writes.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
if not TOOLS.is_dir():
    pytest.skip("tools/ is only in a clone of the repository", allow_module_level=True)
sys.path.append(str(TOOLS))

from coming_from_keras import DIFFERENT, FILE, difference, owned, page, sections  # noqa: E402

from nncore.common.keras_names import public  # noqa: E402

pytestmark = pytest.mark.once

UNLIKE = re.compile("arguments of|cannot derive")
PATHS = [
    path
    for path, thing in owned().items()
    if callable(thing) and public()[path][1] and not UNLIKE.search(difference(path))
]


def alike(path: str, name: str, ours: Any, keras: str) -> bool:
    """Whether a default is Keras', or what Keras makes of it: an automatic name may be None here."""
    if not keras:  # must be given in Keras
        return True
    value = ast.literal_eval(keras)
    if name == "name" and ours is None and value is not None:
        return bool(owned()[path]().name == value)
    return type(ours) is type(value) and bool(ours == value)


@pytest.mark.parametrize("path", PATHS)
def test_arguments_are_those_of_keras(path: str) -> None:
    parameters, of_keras = inspect.signature(owned()[path]).parameters, public()[path][1]
    by_place = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    common = min(len(by_place), len(of_keras))
    assert by_place[:common] == [*of_keras][:common]
    for name in of_keras.keys() & parameters:
        ours = parameters[name].default
        same = alike(path, name, ours, of_keras[name])
        assert same or f"`{name}={ours!r}`" in difference(path), (name, ours, of_keras[name])


def test_the_page_is_up_to_date() -> None:
    assert page() == FILE.read_text(encoding="utf-8"), "run python tools/coming_from_keras.py"


def test_differences_are_of_names_on_the_page() -> None:
    assert {*DIFFERENT} <= {path for names in sections().values() for path in names} & owned().keys()
