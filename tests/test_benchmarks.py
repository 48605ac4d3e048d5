"""python -m benchmarks, at tiny sizes and without peers. Times are not checked."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncore import ops

ROOT = Path(__file__).parent.parent
PEERS = ("keras", "torch", "jax", "sklearn", "onnxruntime")
ABSENT = [name for name in PEERS if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks/ is only in a clone"),
    pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="the figures need matplotlib"),
    pytest.mark.skipif(shutil.which(os.environ.get("CXX", "c++")) is None, reason="needs a C++ compiler"),
]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks") / "new" / "folder"
    done = run(folder, "--quick", "--runs", "1", "--frameworks", ",".join(["nncore", *ABSENT]))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(measured: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(measured, tmp_path / "copy"))


def read(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())


def change(folder: Path, **values: Any) -> None:
    (folder / "results.json").write_text(json.dumps({**read(folder), **values}))


def test_what_is_measured(measured: Path) -> None:
    content = read(measured)
    assert content["machine"].keys() == {"cpu", "architecture", "cores", "instruction sets"}
    peers, kernels, curves = (content["parts"][part] for part in ("peers", "kernels", "curves"))
    assert list(peers) == [
        "mnist_cnn", "binary", "mnist_convnet", "mlp", "normalized", "lstm", "bidirectional", "gru", "conv1d",
        "separable", "script", "import", "memory",
    ]  # fmt: skip
    assert {"train", "predict one", "predict 10,000"} == peers["mnist_cnn"]["figures"].keys()
    for section in peers.values():
        for values in section["figures"].values():
            assert np.isfinite(values["nncore"]).all()
            assert len(values["nncore"]) == section["sitting"]["runs"] == 1
    timed = {case["op"] for group in kernels.values() for case in group["threads"]["1"].values()}
    assert timed == set(ops.__all__)
    assert curves.keys() == {"batch", "width", "depth", "image", "threads"}
    peak = peers["mlp"]["sitting"]["peak"]["1"]
    assert min(peak["GFLOP/s"], peak["copy GB/s"]) > 0


def test_what_is_written(measured: Path) -> None:
    names = {path.name for path in measured.iterdir()}
    groups = ("gemm", "convolution", "elementwise", "pooling", "recurrent", "rows", "updates")
    pictures = {"peers.png", "curves.png", *(f"kernels-{group}.png" for group in groups)}
    assert names == {"results.json", "report.md", *pictures}
    for picture in pictures:
        assert (measured / picture).read_bytes().startswith(b"\x89PNG")
    report = (measured / "report.md").read_text()
    for heading in ("Beside other frameworks", "Single operations", "How time grows", "When and with what"):
        assert f"## {heading}" in report
    assert ("missing" in report) == bool(ABSENT)
    for text in (report, (measured / "results.json").read_text()):
        assert str(ROOT) not in text
        assert str(Path.home()) not in text
        assert str(measured.parent) not in text


def test_a_section_is_measured_again(folder: Path) -> None:
    before = read(folder)["parts"]
    chosen = ("--parts", "peers", "--workloads", "binary", "--runs", "2", "--threads", "1")
    done = run(folder, "--quick", *chosen, "--frameworks", "nncore")
    assert done.returncode == 0, done.stderr
    after = read(folder)["parts"]
    assert len(after["peers"]["binary"]["figures"]["train"]["nncore"]) == 2
    after["peers"]["binary"] = before["peers"]["binary"]
    assert after == before


def test_compare(folder: Path, measured: Path) -> None:
    done = run("--compare", measured, folder)
    assert done.returncode == 0, done.stderr
    assert "| peers: mnist_cnn, predict one, nncore" in done.stdout
    assert "only in A: 0, only in B: 0" in done.stdout
    assert done.stdout.count("| 1.00 |") > 100


@pytest.mark.parametrize("compare", [False, True])
def test_another_machine_is_refused(folder: Path, measured: Path, compare: bool) -> None:
    change(folder, machine={**read(folder)["machine"], "cpu": "a 6502"})
    before = read(folder)
    done = run("--compare", folder, measured) if compare else run(folder, "--quick", "--parts", "peers")
    assert done.returncode == 1
    assert "results of different machines cannot be put together (cpu: a 6502 there" in done.stderr
    assert "run 1 of" not in done.stdout
    assert read(folder) == before


def test_quick_and_whole_runs_are_not_mixed(folder: Path) -> None:
    change(folder, quick=False)
    done = run(folder, "--quick")
    assert done.returncode == 1
    assert "take another folder" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "either a FOLDER to write to is expected"),
        (["new", "--parts", "peers,paers"], 2, "'paers' is not one of peers, kernels, curves"),
        (["new", "--runs", "0"], 2, "a positive whole number is expected, got '0'"),
        (["new", "--python", "fortran=x"], 2, "--python fortran=x: FRAMEWORK=PATH is expected"),
        (["new", "--python", "jax=/nowhere/python"], 1, "--python jax=...: cannot be run"),
        (["new", "--threads", "100000"], 1, "--threads 100000:"),
        (["new"], 1, "NNCORE_DATA_DIR must name a folder with mnist/*.gz"),
        (["--compare", "new", "new"], 1, "results.json: "),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, NNCORE_DATA_DIR="")
    assert done.returncode == status
    assert message in done.stderr
    assert not (tmp_path / "new").exists()


def test_no_compiler(tmp_path: Path) -> None:
    done = run(tmp_path / "new", "--quick", CXX="no-such-compiler")
    assert done.returncode == 1
    assert "needs a C++ compiler: no-such-compiler was not found" in done.stderr


def test_results_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import kernels, report, workloads
    from benchmarks.cases import Case
    from benchmarks.frameworks import run as framework

    labels = np.arange(10)
    of = workloads.TRAININGS["mlp"]
    assert framework.require_learnt(np.eye(10), labels, of) == 1.0
    with pytest.raises(SystemExit, match=r"learnt: expected a test accuracy of 0\.93 or more, got 0\.000"):
        framework.require_learnt(np.eye(10)[::-1], labels, of)
    kernels.check(Case("relu", "relu", [], {}), [np.ones(3)], [np.ones(3)])
    with pytest.raises(SystemExit, match="do not agree"):
        kernels.check(Case("relu", "relu", [], {}), [np.ones(3)], [np.full(3, 1.01)])

    runs = {"nncore": [1.0, 1.0, 2.0], "numpy": [0.5] * 3, "torch": [3.0, 9.0, 4.0], "jax": [9.0] * 3}
    assert report.ratio(runs) == ("torch", 3.0)
    assert report.met(workloads.Target("3 x", ratio=3.0), runs) == "yes"
    assert report.met(workloads.Target("4 x", ratio=4.0), runs) == "no"
    assert report.met(workloads.Target("", at_most=1.0, ratio=3.0), {"nncore": [1.0]}) == "-"
    assert report.met(workloads.Target("", beyond_numpy=0.4), runs) == "no"
