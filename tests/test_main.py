"""The command line: python -m nncore {train,bench,info}."""

from __future__ import annotations

import gzip
import http.server
import importlib.util
import os
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import small_mnist

import nncore
from nncore import __main__ as command
from nncore.cli import train

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NNCORE_DATA_DIR": ""}


def run(cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nncore", *arguments],
        cwd=cwd,
        env={**os.environ, "XDG_CACHE_HOME": str(cwd / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the form of MNIST with 400 and 100 digits."""
    folder = tmp_path_factory.mktemp("digits")
    (x_train, y_train), (x_test, y_test) = nncore.datasets.mnist.load_sample()
    for part, x, y in [("train", x_train[:400], y_train[:400]), ("t10k", x_test[:100], y_test[:100])]:
        images = struct.pack(">4I", 2051, len(x), 28, 28) + x.tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, len(y)) + y.tobytes())
    return folder


@pytest.mark.full
def test_train_on_a_path(tmp_path: Path, few_digits: Path) -> None:
    done = run(
        tmp_path, "train", "--data", str(few_digits), "--epochs", "2", "--threads", "1", "--out", "here/there"
    )
    assert done.returncode == 0, done.stderr
    assert f"Data: {few_digits}: 400 digits to train on, 100 to test." in done.stdout
    assert "1 thread(s)" in done.stdout
    found = re.search(r"Test accuracy (\d+\.\d\d) %, loss \d\.\d+, after \d+\.\d seconds", done.stdout)
    assert found, done.stdout
    out = tmp_path / "here" / "there"
    pictures = {"history.png", "digits.png", "mistakes.png"} if HAS_MATPLOTLIB else set()
    assert {path.name for path in out.iterdir()} == {"model.safetensors", *pictures}
    for name in pictures:
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    model = nncore.models.load_model(out / "model.safetensors")
    (_, _), (x, y) = nncore.datasets.mnist.load_data(few_digits)
    accuracy = np.mean(model.predict(x[..., None]).argmax(axis=1) == y)
    assert accuracy == pytest.approx(float(found.group(1)) / 100, abs=1e-4)


@pytest.mark.full
def test_train_shows_progress(tmp_path: Path, few_digits: Path) -> None:
    done = run(tmp_path, "train", "--data", str(few_digits), "--epochs", "2")
    assert "accuracy" in done.stderr + done.stdout
    assert re.search(r"2/2", done.stderr + done.stdout)
    assert (tmp_path / "nncore-mnist" / "model.safetensors").is_file()


@pytest.mark.full
def test_same_seed_same_model(tmp_path: Path, few_digits: Path) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        out = tmp_path / str(seed)
        train.run(str(few_digits), 1, 50, seed, out)
        return nncore.models.load_model(out / "model.safetensors").get_weights()

    first, again, other = weights(4), weights(4), weights(5)
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other))


@pytest.mark.full
@pytest.mark.parametrize("data", ["auto", "full"])
def test_no_network(tmp_path: Path, data: str) -> None:
    done = run(tmp_path, "train", "--data", data, "--epochs", "1", **OFFLINE)
    if data == "full":
        assert done.returncode == 1
        assert done.stderr.startswith("nncore: mnist: no mirror delivered")
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "nncore-mnist").exists()
    else:
        assert done.returncode == 0, done.stderr
        assert "The full MNIST is not available" in done.stdout
        assert (
            "the 4,500 real digits that come with nncore, instead of the full MNIST: 3,600 digits"
            in done.stdout
        )


@pytest.mark.full
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("data", ["auto", "full"])
def test_no_network_is_told_in_one_line(tmp_path: Path, data: str, verbose: bool) -> None:
    options = ["--verbose"] if verbose else []
    done = run(tmp_path, "train", "--data", data, "--epochs", "1", *options, **OFFLINE)
    told = done.stderr if data == "full" else done.stdout.partition("Data: the 4,500")[0]
    assert "mnist: no mirror delivered t10k-labels-idx1-ubyte.gz" in told
    if verbose:
        assert len(told.splitlines()) > 4
        assert "cannot be reached (" in told
        assert "Without a network: get " in told
    else:
        assert len(told.splitlines()) == 1
        assert "--verbose" in told
    if data == "auto":
        assert done.stderr == ""


@pytest.mark.parametrize("verbose", [False, True])
def test_bad_deliveries_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    small_mnist.set_aside(tmp_path, monkeypatch)

    class Refuses(http.server.BaseHTTPRequestHandler):  # with error 501
        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        source = small_mnist.small_source(f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(nncore.datasets.mnist, "_SOURCE", source)
        options = ["--verbose"] if verbose else []
        assert command.main(["train", "--data", "full", *options]) == 1
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    first, *details = capsys.readouterr().err.splitlines()
    assert first.startswith("nncore: mnist: no mirror delivered t10k-labels-idx1-ubyte.gz")
    assert ("HTTP status 501" in "".join(details)) == verbose
    assert verbose or not details


@pytest.mark.full
def test_sample_reaches_its_accuracy(tmp_path: Path) -> None:
    """The default of 12 epochs; Keras comes to 94-95 %."""
    done = run(tmp_path, "train", "--data", "sample")
    assert done.returncode == 0, done.stderr
    assert "12 epoch(s)" in done.stdout
    found = re.search(r"Test accuracy (\d+\.\d\d) %", done.stdout)
    assert found
    assert float(found.group(1)) >= 93.5


def test_without_matplotlib(tmp_path: Path, few_digits: Path) -> None:
    (tmp_path / "hide").mkdir()
    code = """
import importlib.util, sys
from nncore import __main__
from nncore.cli import train
real = importlib.util.find_spec
train.find_spec = lambda name, *rest: None if name == "matplotlib" else real(name, *rest)
sys.modules["matplotlib"] = None
sys.exit(__main__.main(sys.argv[1:]))
"""
    arguments = ["train", "--data", str(few_digits), "--epochs", "1", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "pip install matplotlib" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--epochs", "0"], "--epochs: must be at least 1, got 0"),
        (["train", "--epochs", "many"], "--epochs: expected an integer, got 'many'"),
        (["train", "--batch-size", "-3"], "--batch-size: must be at least 1"),
        (["train", "--threads", "0"], "--threads: must be at least 1"),
        (["train", "--seed", "-1"], "--seed: must be at least 0"),
        (["train", "--colour", "red"], "unrecognized arguments: --colour red"),
        (["bench", "--seconds", "0"], "--seconds: must be above 0"),
        (["bench", "--seconds", "x"], "--seconds: expected a number of seconds"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "are required"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_paths_that_do_not_work(tmp_path: Path, few_digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["train", "--data", str(tmp_path / "nowhere")]) == 1
    assert "nowhere does not exist" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):  # looked at before the digits
        assert command.main(["train", "--data", str(tmp_path / "nowhere"), "--out", str(out)]) == 1
        assert "file" in capsys.readouterr().err


def test_worst_mistakes() -> None:
    predictions = np.full((40, 10), 0.01, np.float32)
    labels = np.zeros(40, np.uint8)
    predictions[np.arange(40), 1] = 0.2 + np.arange(40) / 100
    predictions[5] = np.eye(10)[0]
    rows = train._worst_mistakes(labels, predictions)
    np.testing.assert_array_equal(rows, np.arange(39, 19, -1))
    assert len(train._worst_mistakes(labels[5:6], predictions[5:6])) == 0


def test_info(tmp_path: Path) -> None:
    done = run(tmp_path, "info")
    assert done.returncode == 0, done.stderr
    assert nncore.__version__ in done.stdout
    assert nncore.isa() in done.stdout


@pytest.mark.full
def test_bench(tmp_path: Path) -> None:
    done = run(tmp_path, "bench", "--seconds", "0.01", "--threads", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "1 thread(s)" in lines[0]
    assert len([line for line in lines if re.search(r"\d+\.\d{3} +\d+\.\d{3} +\d+\.\dx$", line)]) == 8


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["train", "--help"], ["bench", "--help"], ["info", "--help"]):
        with pytest.raises(SystemExit) as caught:
            command.main(arguments)
        assert caught.value.code == 0
        told = capsys.readouterr().out
        assert ("full|sample|auto|PATH" in told) == ("--verbose" in told) == (arguments[0] == "train")
