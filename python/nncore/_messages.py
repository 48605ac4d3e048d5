"""What users are told: text that their terminal can show, and warnings that point at their line."""

from __future__ import annotations

import sys


def visible(text: str) -> str:
    """`text` with escapes such as \\x1b for control characters and all else that does not print."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(text: str) -> str:
    """`visible`, and with escapes for the characters that the encoding of standard output lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return visible(text).encode(encoding, "backslashreplace").decode(encoding)


def say(text: str) -> None:
    """Prints lines as standard output can show them."""
    print("\n".join(map(shown, text.split("\n"))), flush=True)
