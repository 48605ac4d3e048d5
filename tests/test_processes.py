"""Fork, exit, subinterpreters, small stacks and threads that cannot be started: no hang, no crash."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from processes import PRELUDE, SANITIZED, TIMEOUT, output, run

pytestmark = pytest.mark.once

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

FORKS = """
def children(work, count=15):
    "Forks while other threads work; the exit codes of the children: 0, 3 for a RuntimeError, 9 for a hang."
    codes = []
    for number in range(count):
        time.sleep(0.002 * (number % 5))
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            code = 1
            try:
                work(number)
                code = 0
            except RuntimeError as error:
                print(error, flush=True)
                code = 3
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        codes.append(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 9)
    return codes

def for_ever(f):
    def loop():
        while not stop.is_set():
            f()
    threading.Thread(target=loop, daemon=True).start()

stop = threading.Event()
nn.set_num_threads(2)
"""


@pytest.mark.full
@posix
@pytest.mark.parametrize("busy", ["predict", "evaluate", "get_weights", "save"])
def test_a_child_uses_a_model_that_another_thread_was_reading(busy: str) -> None:
    program = (
        FORKS
        + f"""
model, x = trained(300, 300, 3000)
w = model.get_weights()
expected = model.predict(x)
busy = {{
    "predict": lambda: model.predict(x),
    "evaluate": lambda: model.evaluate(x, x[:, :1], verbose=0),
    "get_weights": lambda: model.get_weights(),
    "save": lambda: model.save(folder + "/busy.safetensors"),
}}[{busy!r}]
import tempfile
folder = tempfile.mkdtemp()
for_ever(busy)
def work(number):
    assert np.array_equal(model.predict(x), expected)
    model.save(folder + "/child.safetensors")
    model.evaluate(x, x[:, :1], verbose=0)
    model.fit(x[:64], x[:64, :1], verbose=0)
    other, _ = trained()
codes = children(work)
stop.set()
import shutil; shutil.rmtree(folder, ignore_errors=True)
print(codes)
"""
    )
    assert output(program) == str([0] * 15)


@pytest.mark.full
@posix
def test_a_child_of_a_process_that_trains_works_or_says_that_the_state_is_not_whole() -> None:
    program = (
        FORKS
        + """
model, x = trained(300, 300, 3000)
for_ever(lambda: model.fit(x, x[:, :1], verbose=0))
def work(number):
    other, _ = trained()
    nn.ops.dense(x, np.ones((300, 300)))
    y = model.predict(x)
    assert np.isfinite(y).all()
    model.fit(x[:64], x[:64, :1], verbose=0)
codes = children(work)
stop.set()
print("codes", *codes)
"""
    )
    *messages, last = output(program).splitlines()
    codes = last.split()[1:]
    assert set(codes) <= {"0", "3"}
    assert len(messages) == codes.count("3")
    assert all("fork" in message for message in messages)


@pytest.mark.full
@posix
def test_locks_of_python_modules_are_free_in_a_child() -> None:
    program = (
        FORKS
        + """
nn.utils.set_random_seed(1)
sys.stdout = open(os.devnull, "w")
for _ in range(3):
    for_ever(lambda: nn.Sequential([nn.Input((2,)), L.Dense(2), L.Dense(1)]))
    for_ever(lambda: trained(4, 4, 8)[0].fit(np.ones((8, 4)), np.ones(8), verbose=1))
def work(number):
    model = nn.Sequential([nn.Input((2,)), L.Dense(2), L.Dropout(0.5), L.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 2)), np.ones(8), verbose=1)
codes = children(work, 40)
print(codes, file=sys.__stdout__, flush=True)
os._exit(0)
"""
    )
    assert output(program) == str([0] * 40)


@pytest.mark.full
@posix
def test_a_child_of_a_busy_process_ends_as_any_other() -> None:
    program = (
        FORKS
        + """
model, x = trained(200, 200, 300)
for _ in range(3):
    for_ever(lambda: nn.ops.relu(x))
    for_ever(lambda: model.predict(x))
for number in range(30):
    time.sleep(0.001 * (number % 7))
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        nn.ops.relu(x)
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0, number
print("done")
"""
    )
    assert output(program) == "done"


@posix
def test_the_names_and_seeds_of_a_child_go_on_where_the_parent_was() -> None:
    program = """
    nn.utils.set_random_seed(1)
    nn.Sequential([nn.Input((2,)), L.Dense(2)])
    def next_ones():
        model = nn.Sequential([nn.Input((2,)), L.Dense(2)])
        return model.layers[0].name, model.get_weights()[0].tolist()
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, repr(next_ones()).encode())
        os._exit(0)
    print(os.read(r, 1000).decode() == repr(next_ones()))
    """
    assert output(program) == "True"


@pytest.mark.full
@pytest.mark.parametrize(
    "work",
    [
        "model.fit(x, x[:, :1], epochs=10**6, verbose=0)",
        "model.predict(x)",
        "model.evaluate(x, x[:, :1], verbose=0)",
        "nn.ops.dense(x, x[:64].T)",
        "nn.ops.dense_backward(x, x, x[:64].T)",
        "nn.ops.adam(x, x, x, x, 1)",
        "model.get_weights()",
        "L.Dense(300)(x)",
    ],
)
@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "signal.alarm(0)"])
def test_the_interpreter_ends_while_daemon_threads_work(work: str, ending: str) -> None:
    program = f"""
model, x = trained(300, 64, 20_000)
def loop():
    while True:
        {work}
for _ in range(3):
    threading.Thread(target=loop, daemon=True).start()
time.sleep(0.05 + 0.1 * np.random.default_rng().random())
print("done")
{ending}
"""
    for _ in range(3):
        result = run(program)
        assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "done", "")


@pytest.mark.full
def test_functions_that_run_at_exit_may_use_models() -> None:
    program = """
    import atexit
    model, x = trained()
    def loop():
        while True:
            model.predict(x)
    threading.Thread(target=loop, daemon=True).start()
    @atexit.register
    def last():
        model.fit(x, x[:, :1], verbose=0)
        print("trained", np.isfinite(model.predict(x)).all())
    """
    early = "import atexit; atexit.register(lambda: print('early', model.predict(x).shape))\n"
    result = run(program)
    assert (result.returncode, result.stdout.strip()) == (0, "trained True"), result.stderr
    source = early + PRELUDE + "model, x = trained()\n"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "early (256, 1)"), done.stderr


def test_functions_that_run_at_exit_may_wait_for_threads_that_compute() -> None:
    source = """
import atexit, threading
stop = threading.Event()
@atexit.register
def join():
    stop.set()
    thread.join()
    print("joined")
import numpy as np, nncore as nn
def loop():
    x = np.ones((300, 300), np.float32)
    while not stop.is_set():
        nn.ops.dense(x, x)
thread = threading.Thread(target=loop, daemon=True)
thread.start()
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "joined"), done.stderr


@pytest.mark.skipif(SANITIZED, reason="the sanitizer does not know subinterpreters")
def test_an_import_in_a_subinterpreter_is_refused() -> None:
    program = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
try:
    import nncore
except ImportError as error:
    print("refused:", error)
'''
for options in ({}, {"config": "legacy"}):
    try:
        number = interpreters.create(**options) if not options else interpreters.create("legacy")
    except TypeError:
        continue
    (getattr(interpreters, "run_string", None) or interpreters.exec)(number, code)
    interpreters.destroy(number)
import nncore
print(nncore.ops.relu([-1, 2]).tolist())
"""
    lines = output(program).splitlines()
    assert lines[-1] == "[0.0, 2.0]"
    assert lines[:-1]
    assert all(line.startswith("refused:") for line in lines[:-1])
    assert any("subinterpreter" in line for line in lines[:-1])


EVERYTHING = """
def everything():
    nn.utils.set_random_seed(1)
    images = np.random.default_rng(1).random((40, 24, 20, 1)).astype(np.float32)
    for stack in (
        [L.Conv2D(40, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(40, 3), L.MaxPooling2D()],
        [L.Conv2D(40, 3, padding="same", activation="gelu"), L.Conv2D(40, 3), L.GlobalAveragePooling2D()],
        [L.Conv2D(8, 3, strides=2), L.Dropout(0.5), L.Conv2D(8, 2, groups=8), L.AveragePooling2D()],
    ):
        ending = [L.Flatten(), L.Dense(600), L.Dense(10, "softmax")]
        model = nn.Sequential([nn.Input((24, 20, 1)), *stack, *ending])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(images, np.arange(40) % 10, verbose=0)
        model.evaluate(images, np.arange(40) % 10, verbose=0)
        model.predict(images)
    x, w = np.ones((200, 700), np.float32), np.ones((700, 900), np.float32)
    nn.ops.dense_backward(nn.ops.dense(x, w), x, w)
    nn.ops.dense(x[:1], w)
    nn.ops.softmax(x)
    print(nn.get_num_threads(), "threads, done")
"""


@pytest.mark.full
@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs more stack")
def test_calls_from_a_thread_with_a_small_stack() -> None:
    program = (
        EVERYTHING
        + """
everything()
threading.stack_size(65536)
thread = threading.Thread(target=everything)
thread.start()
thread.join()
"""
    )
    assert output(program, NNCORE_NUM_THREADS="1") == "1 threads, done\n" * 1 + "1 threads, done"
    assert output(program, NNCORE_NUM_THREADS="3").splitlines() == ["3 threads, done"] * 2


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs more stack")
@pytest.mark.parametrize("size", ["64k", "128k", "192k"])
def test_threads_of_the_team_with_a_small_stack(size: str) -> None:
    result = output(EVERYTHING + "everything()", NNCORE_NUM_THREADS="4", OMP_STACKSIZE=size)
    assert result == "4 threads, done"


@posix
@pytest.mark.skipif(SANITIZED, reason="a sanitizer takes its own memory")
@pytest.mark.parametrize("limit", ["processes", "memory", "memory for large stacks"])
def test_threads_that_cannot_be_started_are_done_without(limit: str) -> None:
    program = f"""
import resource
model, x = trained(300, 300, 1000)
nn.set_num_threads(1)
expected = model.predict(x), nn.ops.dense(x, x[:300])
if {limit!r} == "processes":
    if os.getuid() == 0:
        os.setresuid(54321, 54321, 54321)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
else:
    room = (20 if {limit!r} == "memory" else 600) * 2**20
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + room, size + room))
try:
    threading.Thread(target=int).start()
    started = True
except RuntimeError:
    started = False
nn.set_num_threads(64)
actual = model.predict(x), nn.ops.dense(x, x[:300])
model.fit(x, x[:, :1], verbose=0)
print({limit!r} != "processes" or not started, all(map(np.array_equal, expected, actual)))
"""
    large = {"OMP_STACKSIZE": "1G"} if "stacks" in limit else {}
    assert output(program, **large) == "True True"


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs affinity")
@pytest.mark.parametrize(
    "variables",
    [
        {"OMP_PROC_BIND": "true"},
        {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
        {"OMP_PROC_BIND": "spread"},
        {"GOMP_CPU_AFFINITY": "0-1"},
    ],
)
def test_threads_that_the_runtime_binds_are_counted_before_it_does(variables: dict[str, str]) -> None:
    processors = sorted(os.sched_getaffinity(0))
    if processors[:2] != [0, 1]:
        pytest.skip("names processors 0 and 1")
    limit = "import os; print(len(os.sched_getaffinity(0)))"
    program = limit + "\nimport nncore\nprint(nncore.get_num_threads())"
    cleared = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NNCORE_NUM_THREADS", "OMP_NUM_THREADS")
    }
    expected, actual = (
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**cleared, **environment},
        ).stdout.split()[1]
        for environment in ({}, variables)
    )
    wanted = min(int(expected), 2) if "GOMP_CPU_AFFINITY" in variables else int(expected)
    assert int(actual) == wanted
