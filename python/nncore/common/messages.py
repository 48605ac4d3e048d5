"""Text as the user's terminal can show it, and warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings


def visible(text: str) -> str:
    """`text` with escapes such as \\x1b for all characters that are not printable."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(text: str) -> str:
    """As `visible`, with escapes also for characters that the encoding of standard output lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return visible(text).encode(encoding, "backslashreplace").decode(encoding)


def say(text: str) -> None:
    """Prints text as standard output can show it."""
    print("\n".join(map(shown, text.split("\n"))), flush=True)


def told(error: Exception, verbose: bool) -> str:
    """The text of an error; without `verbose` its first line, and how to see the rest."""
    first, *rest = str(error).split("\n")
    return str(error) if verbose or not rest else f"{first.rstrip(':')} (--verbose tells more)"


def warn(text: str) -> None:
    """Issues a UserWarning at the innermost line outside nncore."""
    frame, level = sys._getframe(1), 2
    while frame.f_globals.get("__name__", "").partition(".")[0] == "nncore" and frame.f_back is not None:
        frame, level = frame.f_back, level + 1
    warnings.warn(visible(text), stacklevel=level)
