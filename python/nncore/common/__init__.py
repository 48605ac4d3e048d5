"""What all rooms use: checks, names, messages, arrays, operations. Here: `whole`, the lock for forks.

Hold `whole` around imports inside functions, writes to the screen and state that threads share. A fork waits
until no other thread holds it: the child would find locks that another thread holds taken for ever.
"""

from __future__ import annotations

import os
import threading

# Seconds that a fork waits for the lock, which a blocked write to the screen may hold; then it forks anyway.
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
