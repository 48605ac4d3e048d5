"""Output on terminals without some characters, and names that contain codes for the terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
TERMINALS: dict[str, tuple[str, dict[str, str]]] = {  # name -> (encoding, environment)
    **{name: (name, {"PYTHONIOENCODING": name}) for name in ("ascii", "latin-1", "cp1252", "cp437", "utf-8")},
    "C locale": ("ascii", C_LOCALE),
}

MODEL = """
import numpy as np, nncore
from nncore.layers import Dense, Input
from nncore.metrics import MeanAbsoluteError
model = nncore.Sequential(
    [Input((2,)), Dense(3, name="gr\\xf6\\xdfe"), Dense(3, name="\\u5c42"), Dense(1, name="plain")],
    name="m\\xf6del",
)
metrics = [MeanAbsoluteError(name="gr\\xf6\\xdfe"), MeanAbsoluteError(name="\\u5c42")]
model.compile("adam", "mse", metrics=metrics)
x, y = np.ones((8, 2)), np.ones(8)
"""
CODES = """
import numpy as np, nncore
from nncore.layers import Dense, Input
from nncore.metrics import MeanAbsoluteError

evil = "a\\x1b[31m\\x07\\n\\x9b2J\\u202e"
model = nncore.Sequential([Input((2,)), Dense(1, name="l" + evil)], name="m" + evil)
model.compile("adam", "mse", metrics=[MeanAbsoluteError(name="k" + evil)])
x, y = np.ones((8, 2)), np.ones(8)
"""
USE = """
model.summary()
model.summary(print_fn=print)
model.fit(x, y, epochs=2, validation_split=0.5)
model.evaluate(x, y)
model.predict(x, verbose=1)
nncore.show_config()
"""


def piped(arguments: list[str], cwd: Path, **environment: str) -> bytes:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout.decode("ascii", "backslashreplace")
    return done.stdout


def in_terminal(arguments: list[str], cwd: Path, **environment: str) -> bytes:
    """The output of a program on a terminal of 100 columns."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", "LINES": "40", **environment},
    )
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part
    os.close(master)
    assert process.wait(60) == 0, text.decode("ascii", "backslashreplace")
    return text


RUN = {"piped": piped, "in a terminal": in_terminal}


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "FW" else 1 for c in text)


def table(text: str) -> list[str]:
    """The lines of the first table in the output of `summary`."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[1 : next(i for i, line in enumerate(lines) if line.startswith(" Total params"))]


@pytest.mark.full
@pytest.mark.parametrize("run", RUN.values(), ids=RUN)
@pytest.mark.parametrize("name", TERMINALS)
def test_all_that_a_model_prints(name: str, run: object, tmp_path: Path) -> None:
    encoding, environment = TERMINALS[name]
    text = run(["-c", MODEL + USE], tmp_path, **environment).decode(encoding)  # type: ignore[operator]

    def shown(label: str) -> str:
        return label.encode(encoding, "backslashreplace").decode(encoding)

    assert f'Model: "{shown("mödel")}"' in text
    assert text.count(f" {shown('größe')} (Dense) ") == 2
    assert text.count(f" {shown('层')} (Dense) ") == 2
    lines = table(text)
    assert {columns(line) for line in lines} == {columns(lines[0])}
    if encoding == "utf-8":
        assert lines[0].startswith("┏━")
    else:
        assert re.fullmatch(r"\+=+\+=+\+=+\+", lines[0])
        assert re.fullmatch(r"\| Layer \(type\) +\| Output Shape +\| +Param # \|", lines[1])
        assert lines[2] == lines[0]
        assert re.fullmatch(r"\+-+\+-+\+-+\+", lines[4])
        assert "?" not in text.replace("<?", "")  # time left, as the bar does not know it yet
    first, last = re.escape(shown("größe")), re.escape(shown("层"))  # perhaps on a line of their own
    assert re.search(rf"(?s)Epoch 2/2.*( - |\n  ){first}: \d.* - val_{last}: \d", text)
    assert re.search(rf"(?s)Evaluation.* - {re.escape(shown('层'))}: \d", text)
    assert "Prediction" in text
    assert "instruction set" in text


@pytest.mark.full
@pytest.mark.parametrize("run", RUN.values(), ids=RUN)
@pytest.mark.parametrize("name", ["utf-8", "ascii", "latin-1"])
def test_codes_in_names_do_not_reach_the_terminal(name: str, run: object, tmp_path: Path) -> None:
    encoding, environment = TERMINALS[name]
    use = USE + "print(model, model.layers[0])"
    text = run(["-c", CODES + use], tmp_path, **environment).decode(encoding)  # type: ignore[operator]
    text = re.sub(r"\r|\x1b\[A", "", text)  # of the progress bar itself
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    escaped = r"a\x1b[31m\x07\n\x9b2J\u202e"
    assert f'Model: "m{escaped}"' in text
    assert f"k{escaped}: " in text
    assert f"name=l{escaped}" in text
    assert f"name=m{escaped}" in text


@pytest.mark.full
@pytest.mark.parametrize("name", ["ascii", "cp437", "C locale"])
def test_the_command_trains_on_such_terminals(name: str, tmp_path: Path) -> None:
    encoding, environment = TERMINALS[name]
    out = "f\xf6lder \u5c42" if "LC_ALL" not in environment else "folder"
    command = ["-m", "nncore", "train", "--data", "sample", "--epochs", "1", "--out", out]
    text = piped(command, tmp_path, **environment).decode(encoding)
    assert "+====" in text
    assert re.search(r"Test accuracy \d\d\.\d\d %", text)
    assert f"Written to {out.encode(encoding, 'backslashreplace').decode(encoding)}: model" in text
    assert (tmp_path / out / "model.safetensors").is_file()


def test_codes_in_arguments_of_the_command(tmp_path: Path) -> None:
    code = "import sys; from nncore.__main__ import main; sys.exit(main(sys.argv[1:]) and 0)"
    text = piped(["-c", code, "train", "--data", "no\x1b[31mwhere"], tmp_path).decode()
    assert text == "nncore: no\\x1b[31mwhere does not exist\n"
    code = "from nncore.__main__ import main\ntry: main(['info', 'a\\x1b[31m'])\nexcept SystemExit: pass"
    text = piped(["-c", code], tmp_path).decode()
    assert "unrecognized arguments: a\\x1b[31m\n" in text
    assert "\x1b" not in text


@pytest.mark.full
@pytest.mark.parametrize("width", [30, 40, 60, 88])
def test_wide_characters_keep_the_table_aligned(width: int, tmp_path: Path) -> None:
    code = f"""
import nncore
from nncore.layers import Dense, Input
names = ["\\u5c42" * 30, "a\\u5c42b" * 9, "e\\u0301" * 20, "plain " * 9, "\\U0001f600"]
model = nncore.Sequential([Input((2,)), *(Dense(2, name=name) for name in names)])
model.summary(line_length={width})
"""
    lines = table(piped(["-c", code], tmp_path, PYTHONIOENCODING="utf-8").decode())
    assert {columns(line) - line.count("\u0301") for line in lines} == {columns(lines[0])}
    assert columns(lines[0]) <= width


def test_standard_output_without_an_encoding_or_none_at_all(tmp_path: Path) -> None:
    code = """
import contextlib, io, sys
with contextlib.redirect_stdout(io.StringIO()) as file:
    model.summary()
assert "\\u250f" in file.getvalue()
sys.stdout = None
model.summary()
model.fit(x, y)
nncore.show_config()
"""
    assert piped(["-c", MODEL + code], tmp_path, PYTHONIOENCODING="ascii") == b""
