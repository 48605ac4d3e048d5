"""Locks of Python code: a thread that holds one while another forks does not stop the child."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.once, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]

PROGRAM = """
import os, sys, threading, time, warnings
import nncore
from nncore.common.seeds import draw_seed

warnings.simplefilter("ignore")  # of a fork beside threads
sys.setswitchinterval(1e-6)
nncore.utils.set_random_seed(1)
running = True

def loop():
    while running:
        draw_seed()

threads = [threading.Thread(target=loop) for _ in range(3)]
for thread in threads:
    thread.start()
hung = 0
for _ in range(100):
    child = os.fork()
    if child == 0:
        draw_seed()
        os._exit(0)
    end = time.monotonic() + 20
    while os.waitpid(child, os.WNOHANG) == (0, 0) and not hung:
        if time.monotonic() > end:
            os.kill(child, 9)
            hung += 1
        time.sleep(0.001)
running = False
for thread in threads:
    thread.join()
sys.exit(hung)
"""


@pytest.mark.full
def test_a_child_draws_seeds_whatever_threads_did_at_the_fork() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], timeout=300)
    assert done.returncode == 0
