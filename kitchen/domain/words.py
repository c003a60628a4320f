"""How counts are told to people."""

from __future__ import annotations

import shlex


def counted(number: int, thing: str, things: str | None = None) -> str:
    """Return ``1 table``, ``2 tables``, ``1,000 branches``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def quoted(word: object) -> str:
    """Return a path or a name as it is typed into a shell."""
    return shlex.quote(str(word))
