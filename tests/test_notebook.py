"""Figures in a real notebook: each shows once, from the first cell of a fresh kernel on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

pytest.importorskip("matplotlib")
pytest.importorskip("ipykernel")
pytest.importorskip("nbclient")

RUN = """
import json, sys
import nbformat.v4
from nbclient import NotebookClient


cells = [nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, timeout=240).execute()
print(json.dumps([cell["outputs"] for cell in notebook.cells]))
"""
IMPORT = "from nncore import plot\nh = {'loss': [2.0, 1.0], 'val_loss': [2.5, 1.5]}"
OPEN = "import matplotlib.pyplot as plt\nprint(plt.get_fignums())"


def run(tmp_path: Path, *cells: str) -> tuple[list[int], str]:
    """How many pictures each cell shows, and the text that the last one prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        input=json.dumps(cells),
        env={
            **os.environ,
            "IPYTHONDIR": str(tmp_path),
            "JUPYTER_RUNTIME_DIR": str(tmp_path),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)
    pictures = [sum("image/png" in output.get("data", {}) for output in cell) for cell in outputs]
    for cell in outputs:
        for output in cell:
            assert output.get("name") != "stderr", output
    return pictures, "".join(output.get("text", "") for output in outputs[-1])


@pytest.mark.full
def test_fresh_kernel(tmp_path: Path) -> None:
    pictures, text = run(
        tmp_path,
        f"{IMPORT}\nplot.history(h)",
        "figure = plot.images([[[0, 1], [2, 3]]], [7])",
        "figure",
        f"{OPEN}",
    )
    assert pictures == [1, 0, 1, 0]
    assert text == "[]\n"


@pytest.mark.full
def test_inline_afterwards(tmp_path: Path) -> None:
    pictures, text = run(
        tmp_path,
        f"{IMPORT}\nplot.history(h)",
        "%matplotlib inline",
        "plot.history(h)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        "plot.history(h)",
        OPEN,
    )
    assert pictures == [1, 0, 1, 1, 1, 0]
    assert text == "[]\n"


@pytest.mark.full
@pytest.mark.parametrize("first", ["", "%matplotlib inline\n"])
def test_pyplot_before(tmp_path: Path, first: str) -> None:
    pictures, text = run(
        tmp_path,
        f"{first}import matplotlib.pyplot as plt\n{IMPORT}\nplot.history(h)",
        "plot.history(h)\nplt.show()",
        "figure = plot.history(h)\nplt.show()",
        "figure",
        "plot.history(h)",
        OPEN,
    )
    assert pictures == [1, 1, 1, 1, 1, 0]
    assert text == "[]\n"


@pytest.mark.full
def test_no_warning_of_missing_widgets(tmp_path: Path) -> None:
    code = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from nncore.common import progress
    progress.bar(total=7).close()
print(sum("IProgress" in str(one.message) for one in caught))
"""
    _, text = run(tmp_path, "import sys, os\nsys.stderr = open(os.devnull, 'w')", code)
    assert text.splitlines()[-1] == "0"


@pytest.mark.full
def test_settings_stay(tmp_path: Path) -> None:
    settings = "repr(sorted(matplotlib.rcParams.copy().items()))"
    _, text = run(
        tmp_path,
        f"import matplotlib\nbefore = {settings}, matplotlib.is_interactive()",
        f"{IMPORT}\nplot.history(h)",
        f"print(before == ({settings}, matplotlib.is_interactive()))",
    )
    assert text == "True\n"
