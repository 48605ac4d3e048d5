"""What all rooms use: checks, names, messages, arrays, what makes functions of kernels; and here what a fork
must not cut through: locks that its child would find taken for ever.

Hold `whole` around imports inside functions, writes to the screen and state that threads share. A fork waits
until no other thread holds it.
"""

from __future__ import annotations

import os
import threading

# Seconds after which the process is forked all the same, as when a screen takes no more text.
_PATIENCE = 1.0

whole = threading.RLock()
_fork = threading.local()


def _before() -> None:
    _fork.holds = whole.acquire(timeout=_PATIENCE)


def _after_in_parent() -> None:
    if _fork.holds:
        whole.release()


def _after_in_child() -> None:
    if _fork.holds:
        whole.release()
    else:
        whole._at_fork_reinit()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
