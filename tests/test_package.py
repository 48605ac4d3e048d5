"""The package around the core: what is installed, how it starts, and how it behaves in a larger program."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nncore
from nncore import _core

TRAIN = """
import numpy as np, nncore
def train(epochs=1, rows=4096):
    rng = np.random.default_rng(1)
    x = rng.random((rows, 64), dtype=np.float32)
    y = (x.sum(axis=1) > 32).astype(np.float32)
    nncore.utils.set_random_seed(1)
    model = nncore.Sequential([nncore.Input((64,)), nncore.layers.Dense(512, activation="relu"),
                               nncore.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    model.fit(x, y, epochs=epochs, batch_size=256, verbose=0)
    return b"".join(w.tobytes() for w in model.get_weights())
"""


README = Path(__file__).parent.parent / "README.md"
README_CODE = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(code: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter, outside the source tree."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "MPLBACKEND": "agg", **environment},
        cwd=Path(sys.executable).parent,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def output(code: str, timeout: float = 120, **environment: str) -> str:
    done = run(code, timeout, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_version_is_the_same_everywhere() -> None:
    assert nncore.__version__ == _core.__version__ == importlib.metadata.version("nncore")


def test_package_is_typed() -> None:
    files = importlib.resources.files("nncore")
    assert (files / "py.typed").is_file()
    assert (files / "_core.pyi").is_file()


def test_import_is_cheap() -> None:
    """The listed modules cost more than all of nncore and serve only some users."""
    heavy = ("pandas", "matplotlib", "safetensors", "tqdm", "urllib.request", "gzip", "concurrent.futures")
    heavy += ("nncore.layers.recurrence", "nncore.layers.merging", "nncore.layers.text", "nncore.saving")
    code = f"""
    import sys, numpy
    before = set(sys.modules)
    import nncore
    print(*[name for name in {heavy!r} if name in sys.modules and name not in before])
    """
    assert output(code) == ""


@pytest.mark.full
def test_show_config_tells_how_it_was_built_and_runs() -> None:
    text = output("import nncore; nncore.show_config()")
    assert nncore.__version__ in text
    assert output("import nncore; print(nncore.isa())") in text
    assert nncore._core.build_info()["threads"] in text


def test_missing_extension_is_explained(tmp_path: Path) -> None:
    source = Path(nncore.__file__).parent
    shutil.copytree(source, tmp_path / "nncore", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    code = f"""
    import sys
    sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__.lower()
                        and "ScikitBuild" not in type(f).__name__]
    sys.path.insert(0, {str(tmp_path)!r})
    import nncore
    """
    done = run(code)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert "compiled" in done.stderr
    assert "pip install" in done.stderr


def test_readme_has_all_examples_and_the_code_of_four_lessons() -> None:
    assert len(README_CODE) == 4
    text = README.read_text()
    assert all(f"examples/{path.name}" in text for path in (README.parent / "examples").glob("*.py"))


@pytest.mark.full
@pytest.mark.parametrize("code", README_CODE[:2])
def test_readme_code_runs(code: str) -> None:
    output(code)


@pytest.mark.slow
@pytest.mark.skipif(
    not (Path(os.environ.get("NNCORE_DATA_DIR", "/nonexistent")) / "mnist").is_dir(),
    reason="NNCORE_DATA_DIR has no MNIST",
)
@pytest.mark.parametrize("code", README_CODE[2:])
def test_readme_code_on_digits_runs(code: str, tmp_path: Path) -> None:
    text = output(f"import os\nos.chdir({str(tmp_path)!r})\n" + code, timeout=600)
    loss, accuracy = re.findall(r"\d+\.\d+", text.splitlines()[-1])[-2:]
    assert float(accuracy) > 0.97
    assert float(loss) < 0.1
    if "digits.png" in code:
        assert (tmp_path / "digits.png").stat().st_size > 10_000


# ---- instruction sets


@pytest.mark.full
def test_every_available_instruction_set_can_be_forced() -> None:
    available = nncore.available_isas()
    assert available
    assert nncore.isa() in available
    for isa in available:
        assert output("import nncore; print(nncore.isa())", NNCORE_ISA=isa) == isa


def test_best_instruction_set_is_the_default() -> None:
    assert output("import nncore; print(nncore.isa())", NNCORE_ISA="") == nncore.available_isas()[0]


@pytest.mark.parametrize(
    "isa", ["sse9", "AVX 2", "neon" if "neon" not in nncore.available_isas() else "avx2"]
)
def test_impossible_instruction_set_raises(isa: str) -> None:
    done = run("import nncore", NNCORE_ISA=isa)
    assert done.returncode != 0
    assert isa in done.stderr
    assert nncore.available_isas()[0] in done.stderr


def test_objects_of_instruction_sets_share_no_code() -> None:
    """A weak symbol compiled for a newer processor could be chosen by the linker for every other one."""
    if "NNCORE_BUILD_DIR" not in os.environ or not shutil.which("nm"):
        pytest.skip("NNCORE_BUILD_DIR does not name a build folder, or there is no nm")
    objects = sorted(Path(os.environ["NNCORE_BUILD_DIR"]).glob("**/isa.cpp.o"))
    assert len(objects) >= len(nncore.available_isas())
    for path in objects:
        listing = subprocess.run(["nm", "-C", str(path)], capture_output=True, text=True, check=True).stdout
        symbols = re.findall(r"^\w*\s+([A-Za-z])\s+(.+)$", listing, re.MULTILINE)
        assert [name for kind, name in symbols if kind in "VWuvw"] == []
        assert [name for kind, name in symbols if kind in "ABCDGRST"] == [
            f"nncore::{path.parts[-4].removeprefix('nncore_').removesuffix('.dir')}::kernels"
        ]


# ---- threads


@pytest.mark.full
def test_number_of_threads_comes_from_the_environment() -> None:
    code = "import nncore; print(nncore.get_num_threads())"
    assert output(code, NNCORE_NUM_THREADS="3") == "3"
    assert output(code, NNCORE_NUM_THREADS="3", OMP_NUM_THREADS="5") == "3"
    if _core.build_info()["threads"] != "none":
        assert output(code, NNCORE_NUM_THREADS="", OMP_NUM_THREADS="5") == "5"


@pytest.mark.parametrize("value", ["0", "-1", "two", "2.5", "4096"])
def test_wrong_number_of_threads_in_the_environment_raises(value: str) -> None:
    done = run("import nncore; nncore.get_num_threads()", NNCORE_NUM_THREADS=value)
    assert done.returncode != 0
    assert "NNCORE_NUM_THREADS" in done.stderr
    assert value in done.stderr


def test_number_of_threads_is_checked() -> None:
    before = nncore.get_num_threads()
    for wrong in (0, -3, 5000):
        with pytest.raises(ValueError, match="threads"):
            nncore.set_num_threads(wrong)
    assert nncore.get_num_threads() == before


def test_default_is_within_the_affinity_of_the_process() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity")
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "import nncore; print(nncore.get_num_threads())"
    assert output(code, NNCORE_NUM_THREADS="", OMP_NUM_THREADS="") == "1"


@pytest.fixture
def group_with_quota() -> Iterator[Path]:
    """A control group that may use one processor's worth of time."""
    for mount, files in (
        ("/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": "50000", "cpu.cfs_quota_us": "50000"}),
        ("/sys/fs/cgroup", {"cpu.max": "50000 50000"}),
    ):
        group = Path(mount, f"nncore-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if all((group / name).exists() for name in files):
                for name, value in files.items():
                    (group / name).write_text(value)
                yield group
                return
        except OSError:
            pass
        finally:
            group.rmdir()
    pytest.skip("no control group with a quota can be made here")


def test_default_is_within_the_quota_of_the_control_group(group_with_quota: Path) -> None:
    code = f"import os; open('{group_with_quota}/cgroup.procs', 'w').write(str(os.getpid()))\n"
    code += "import nncore; print(nncore.get_num_threads())"
    assert output(code, NNCORE_NUM_THREADS="", OMP_NUM_THREADS="") == "1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_training_works_in_a_forked_child() -> None:
    """Threads are lost in a fork, and waiting for them would hang."""
    code = """
    import os
    nncore.set_num_threads(4)
    parent = train()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if train() == parent else 7)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(code, train() == parent)
    """
    assert output(TRAIN + textwrap.dedent(code), timeout=120) == "0 True"


@pytest.mark.full
def test_other_threads_run_during_training() -> None:
    """Without the GIL released, a counting thread would stand still for about 100 ms at a time."""
    code = """
    import threading, time
    longest, stop = 0.0, False
    def watch():
        global longest
        last = time.perf_counter()
        while not stop:
            time.sleep(0.001)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now
    nncore.set_num_threads(1)
    x = np.zeros((20000, 64), np.float32)
    model = nncore.Sequential([nncore.Input((64,)), nncore.layers.Dense(2048, activation="relu"),
                               nncore.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    model.fit(x, x[:, :1], batch_size=20000, verbose=0)
    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    model.fit(x, x[:, :1], batch_size=20000, verbose=0)
    seconds = time.perf_counter() - start
    stop = True
    watcher.join()
    print(seconds, longest)
    """
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one processor shows nothing")
    seconds, longest = map(float, output(TRAIN + textwrap.dedent(code)).split())
    assert longest < max(0.5 * seconds, 0.05)


def test_models_train_side_by_side_in_python_threads() -> None:
    code = """
    from concurrent.futures import ThreadPoolExecutor
    import numpy as np, nncore
    nncore.set_num_threads(2)
    x = np.random.default_rng(1).random((2048, 32), dtype=np.float32)
    def build():
        model = nncore.Sequential([nncore.Input((32,)), nncore.layers.Dense(64, activation="relu"),
                                   nncore.layers.Dense(1)])
        model.compile(optimizer="adam", loss="mse")
        return model
    models = [build() for _ in range(4)]
    start = models[0].get_weights()
    for model in models:
        model.set_weights(start)
    def fit(model):
        model.fit(x, x[:, :1], batch_size=64, epochs=2, shuffle=False, verbose=0)
        return b"".join(w.tobytes() for w in model.get_weights())
    with ThreadPoolExecutor(4) as pool:
        print(len(set(pool.map(fit, models))))
    """
    assert output(code) == "1"


@pytest.mark.full
def test_weights_do_not_depend_on_the_number_of_threads() -> None:
    code = "import hashlib\nprint(hashlib.sha256(train()).hexdigest())"
    digests = {output(TRAIN + code, NNCORE_NUM_THREADS=str(n)) for n in (1, 2, 3, 7, 16)}
    assert len(digests) == 1


def test_arrays_returned_by_the_core_own_their_memory() -> None:
    model = nncore.Sequential([nncore.Input((3,)), nncore.layers.Dense(2)])
    weights = model.get_weights()[0]
    weights += 1
    assert not np.array_equal(weights, model.get_weights()[0])
