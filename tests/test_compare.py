"""tools/compare.py: its evaluation of digests and times. Nothing is built or measured."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
if not (ROOT / "tools" / "comparison").is_dir():
    pytest.skip("tools/ is only in a clone of the repository", allow_module_level=True)
sys.path.append(str(ROOT / "tools"))

from comparison import bits, builds, networks, operations, public, speed, training  # noqa: E402
from comparison.child import stored  # noqa: E402

pytestmark = pytest.mark.once


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path


def digests(store: Path, **what: Any) -> dict[str, list[str]]:
    return {name: [*stored(values, store)] for name, values in what.items()}


def runs(old: dict[str, Any], new: dict[str, Any]) -> dict[tuple[int, str, int], dict[str, Any]]:
    """All runs of one instruction set, with the same cases for all numbers of threads."""
    return {(side, "avx2", n): [dict(old), dict(new)][side] for side in (0, 1) for n in bits.THREADS}


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_digests_tell_bits_shapes_and_types_apart() -> None:
    a = np.zeros((2, 3), np.float32)
    others = (-a, a.T, a.astype(np.float64), a.reshape(6), np.nextafter(a, np.float32(1)))
    assert len({training.digest(x) for x in (a, *others)}) == 6
    assert training.digest(a) == training.digest(np.asfortranarray(a)) == training.digest(a.copy())


def test_equal_runs(store: Path) -> None:
    case = digests(store, weights=[np.ones(3), np.zeros(2)], loss=0.25)
    assert bits.compare(runs({"a": case, "b": case}, {"a": case, "b": case}), ["avx2"], store) == ([], 14, {})


def test_one_rounding_is_found(store: Path) -> None:
    w = np.float32([1, -2, 0.5])
    one = digests(store, weights=[w, w], loss=0.25)
    other = digests(store, weights=[w, w + np.float32([0, 2**-22, 0])], loss=0.25)
    found = runs({"a": one}, {"a": one})
    found[1, "avx2", 7] = {"a": other}
    differences, equal, _ = bits.compare(found, ["avx2"], store)
    assert differences == [
        bits.Difference("a", "avx2", "7", {"weights": 2.0**-23}),
        bits.Difference("a", "avx2", "NEW: 7 against 1", {"weights": 2.0**-23}),
    ]
    assert equal == 5
    assert cells(bits.differences_report(differences))[2:] == [
        ["a", "avx2", "7, NEW: 7 against 1", "weights 1.2e-07"]
    ]


def test_equal_differences_share_a_row() -> None:
    differences = [
        bits.Difference("a", isa, threads, {"weights": 0.25, "loss": value})
        for isa, value in (("avx2", 0.5), ("avx512", 0.5), ("baseline", 0.1))
        for threads in ("1", "2", "7")
    ]
    assert cells(bits.differences_report(differences)) == [
        ["case", "instruction sets", "threads", "what differs, with the largest relative difference"],
        ["----", "----------------", "-------", "-" * 50],
        ["a", "avx2, avx512", "1, 2, 7", "weights 2.5e-01, loss 5.0e-01"],
        ["a", "baseline", "1, 2, 7", "weights 2.5e-01, loss 1.0e-01"],
    ]
    assert bits.differences_report([]) == ""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"x": np.zeros(2)}, {"x": -np.zeros(2)}, {"x": 0.0}),
        ({"x": np.ones(2)}, {"x": np.ones((2, 1))}, {"x": "float64 (2,) and float64 (2, 1)"}),
        ({"x": [1.0]}, {"x": [1.0, 2.0]}, {"x": "1 and 2 arrays"}),
        ({"x": 1.0}, {"x": 1.0, "z": 1.0}, {"z": "only in NEW"}),
        ({"x": 1.0, "z": 1.0}, {"x": 1.0}, {"z": "only in OLD"}),
        ({"x": [1.0, np.nan]}, {"x": [1.0, 1.0]}, {"x": np.inf}),
        ({"x": np.array([4.0, np.nan])}, {"x": np.array([5.0, np.nan])}, {"x": 0.2}),
        ({"x": np.array([4.0, np.inf])}, {"x": np.array([4.0, 1.0])}, {"x": np.inf}),
        ({"x": np.array([False, True])}, {"x": np.array([True, True])}, {"x": 1.0}),
    ],
)
def test_what_differs(
    store: Path, old: dict[str, Any], new: dict[str, Any], expected: dict[str, float | str]
) -> None:
    assert bits.differing(digests(store, **old), digests(store, **new), store) == expected


def test_a_case_that_fails_is_not_equal(store: Path) -> None:
    failed, fine = {"error": "ValueError: no"}, digests(store, y=1.0)
    for old, new in ((failed, failed), (failed, fine), (fine, failed)):
        differences, equal, _ = bits.compare(runs({"a": old}, {"a": new}), ["avx2"], store)
        assert "failed" in differences[0].what
        assert [d.threads for d in differences[:3]] == ["1", "2", "7"]
        assert equal == (0 if old == new else 2)


def test_what_one_commit_lacks_is_told_and_not_compared(store: Path) -> None:
    fine, lacking = digests(store, y=1.0), {"absent": "layers.GRU"}
    found = runs({"a": fine, "b": fine}, {"a": lacking, "b": fine, "c": fine})
    differences, _, skipped = bits.compare(found, ["avx2"], store)
    assert differences == []
    assert skipped == {"a": "layers.GRU", "c": "the case"}
    old = {"names": ["layers.GRU", "ops.relu"], "isas": ["avx2", "avx512"], "unused": ["ops.relu"]}
    new = {"names": ["ops.relu", "ops.new"], "isas": ["avx2"], "unused": ["ops.new", "ops.relu"]}
    assert bits.left_out_report(old, new, skipped).splitlines() == [
        "Only in OLD, and not compared: NNCORE_ISA=avx512, layers.GRU",
        "Only in NEW, and not compared: ops.new",
        "In both, and in no case of this tool: ops.relu",
        "Skipped: a, for want of layers.GRU",
        "Skipped: c, for want of the case",
    ]


def test_names_that_a_build_lacks() -> None:
    module = public.Module("ops")
    with pytest.raises(public.Absent, match=r"^ops\.cube$"):
        module.cube  # noqa: B018
    assert "ops.silu" in module._unused()
    assert module.swish([0.0]) == 0
    assert not {"ops.silu", "ops.swish"} & {*module._unused()}  # two names of one function


def test_a_case_of_each_kind(store: Path) -> None:
    cases = dict([*networks.cases(), *operations.cases()])
    assert len(cases) > 500
    result = {
        what: [*stored(values, store)]
        for what, values in cases["SGD, learning_rate=0.008, momentum=0.9, nesterov=True, pooled"]().items()
    }
    assert {"first weights", "weights", "history of loss", "evaluation", "predictions"} < result.keys()
    assert len(result["weights"]) == len(result["moments"]) == 4
    assert result["first weights"] != result["weights"]
    assert result["single steps"] == result["steps after loading"]
    assert len(cases["Adam, dense"]()["moments"]) == 2 * len(cases["Adam, dense"]()["weights"])
    assert cases["frozen"]()["moments"]
    assert {"y", "gradients"} == cases["ops.gelu (3, 7)"]().keys()


def test_the_interval_of_a_median() -> None:
    assert speed.interval([1.01] * 15) == (1.01, 1.01)
    values = np.random.default_rng(1).normal(1.0, 0.02, 15)
    low, high = speed.interval([*values])
    assert min(values) <= low < np.median(values) < high <= max(values)
    assert speed.interval([*values]) == (low, high)
    held = [
        low <= 1.0 <= high
        for i in range(200)
        for low, high in [speed.interval([*np.random.default_rng([2, i]).normal(1.0, 0.02, 15)], 1000)]
    ]
    assert 0.9 < np.mean(held) < 0.99
    one_disturbed = [1.0] * 14 + [3.0]
    assert speed.interval(one_disturbed) == (1.0, 1.0)


def test_the_table_of_speeds() -> None:
    old, again = [0.5, 0.5, 0.5], [0.5, 0.51, 0.5]
    rows = {
        "mlp, train": speed.summary(old, [0.51, 0.5, 0.5], again),
        "mnist_cnn, predict one": speed.summary([8e-6] * 3, [8.25e-6] * 3, [8e-6] * 3),
        "memory": speed.summary([20.0] * 3, [10.0] * 3, [20.0] * 3),
    }
    assert rows["mlp, train"].ratio == 1.0
    assert [speed.marked(row, 1.03) for row in rows.values()] == [False, True, False]
    assert speed.marked(rows["mlp, train"], 1.02)
    found = {name: line for name, *line in cells(speed.report(rows, 1.03))}
    assert found["workload"] == ["OLD", "NEW", "NEW / OLD", "95 %", "OLD / OLD, 95 %", ""]
    one, same = "1.000 to 1.000", "1.000 to 1.020"
    assert found["mlp, train"] == ["500 ms", "500 ms", "1.000", same, same, ""]
    loss = ["8 us", "8.25 us", "1.031", "1.031 to 1.031", one, "SLOWER? +0.25 us (+0.25 to +0.25)"]
    assert found["mnist_cnn, predict one"] == loss
    assert found["memory"] == ["20 MB", "10 MB", "0.500", "0.500 to 0.500", one, ""]
    alone = speed.report({"import": speed.summary([0.1] * 3, [0.1] * 3)}, 1.03)
    assert cells(alone)[2] == ["import", "100 ms", "100 ms", "1.000", one, ""]


def test_settings_that_would_change_a_build_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXXFLAGS", "-march=native")
    monkeypatch.setenv("CMAKE_ARGS", "-DNNCORE_OPENMP=OFF")
    monkeypatch.setenv("NNCORE_ISA", "baseline")
    monkeypatch.setenv("NNCORE_DATA_DIR", "data")
    assert not {"CXXFLAGS", "CMAKE_ARGS", "NNCORE_ISA"} & builds.clean().keys()
    assert builds.clean()["NNCORE_DATA_DIR"] == "data"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_builds_are_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "ROOT", tmp_path)
    builds.git("init", "-q")
    (tmp_path / ".gitignore").write_text("*.so\n")
    (tmp_path / "kernel.hpp").write_text("a * b + c")
    builds.git("add", "--all")
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    builds.git(*who, "commit", "-q", "-m", "First")
    first, title = builds.tree_of("HEAD")
    assert title.endswith(" First")
    (tmp_path / "_core.so").touch()
    assert builds.tree_of(".")[0] == first
    (tmp_path / "kernel.hpp").write_text("fma(a, b, c)")
    changed, title = builds.tree_of(".")
    assert title.startswith("the working tree of ")
    (tmp_path / "new.hpp").touch()
    assert len({first, changed, builds.tree_of(".")[0]}) == 3
    assert builds.git("status", "--porcelain").split() == ["M", "kernel.hpp", "??", "new.hpp"]
    before = builds.built_from(builds.tree_of(".")[0])
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_new.py").touch()
    assert builds.built_from(builds.tree_of(".")[0]) == before
    assert len({before, *map(builds.built_from, (first, changed))}) == 3
    with pytest.raises(builds.Failed, match="no-such-commit"):
        builds.tree_of("no-such-commit")
    folders = [builds.kept_folder(tmp_path, "build", tree, "c++ 12") for tree in (first, changed)]
    assert len({*folders, builds.kept_folder(tmp_path, "build", first, "c++ 13")}) == 3
    assert len({len(str(folder)) for folder in folders}) == 1


@pytest.mark.full
@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ("sys.exit(3)", "ended with 3:\nthe case"),
        ("os.kill(os.getpid(), 9)", "ended with -9:\nthe case"),
        ("time.sleep(60)", r"was stopped after 5 s:\nthe case"),
    ],
)
def test_the_last_words_of_a_process_are_told(ending: str, message: str) -> None:
    program = f"import os, sys, time\nprint('the case', file=sys.stderr, flush=True)\n{ending}"
    with pytest.raises(builds.Failed, match=message):
        builds.run([sys.executable, "-c", program], seconds=5)
