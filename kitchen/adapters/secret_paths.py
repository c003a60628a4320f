"""Paths of secrets, checked before any store sees them (a client folds ``..`` into another secret's address)."""

from __future__ import annotations

import re

from kitchen.errors import InvalidInput

MAX_SEGMENTS = 8
_SEGMENT = re.compile(r"[a-z0-9_-]{1,64}")


def segments_of(path: str) -> tuple[str, ...]:
    """Return the segments of a path; raises InvalidInput."""
    parts = tuple(path.split("/"))
    if len(parts) > MAX_SEGMENTS or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise InvalidInput(
            f"{path[:80]!r} cannot be the path of a secret: a to z, 0 to 9, _ and -, parted by /, each at most 64 long"
        )
    return parts


def prefix_of(prefix: str) -> tuple[str, ...]:
    """Return the segments of a prefix; an empty one means all secrets; raises InvalidInput."""
    return segments_of(prefix.removesuffix("/")) if prefix else ()
