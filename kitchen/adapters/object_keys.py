"""Keys of objects, checked before any store sees them."""

from __future__ import annotations

import unicodedata

from kitchen.errors import InvalidInput

MAX_KEY_BYTES = 900  # S3 allows 1024, of which an environment's prefix takes a part
MAX_PART_BYTES = 200  # file systems allow 255


def checked_key(key: str) -> str:
    """Return a key if it is relative, ``/`` parted, without ``..`` and printable; raises InvalidInput."""
    if not key or len(key.encode(errors="replace")) > MAX_KEY_BYTES:
        raise InvalidInput(f"the name of a file has 1 to {MAX_KEY_BYTES} bytes")
    if not all(_is_plain(part) for part in key.split("/")):
        raise InvalidInput(
            f"{key[:80]!r} cannot name a file: relative, parted by /, no part empty, beginning with a dot or over-long"
        )
    return key


def checked_prefix(prefix: str) -> str:
    """Return a prefix (a folder with or without its /, or the empty text for all) as ``folder/``."""
    return checked_key(prefix.removesuffix("/")) + "/" if prefix else ""


def _is_plain(part: str) -> bool:
    return (
        bool(part)
        and part[0] not in ".~"
        and part == part.strip()
        and "\\" not in part
        and part.isprintable()
        and part == unicodedata.normalize("NFC", part)
        and len(part.encode(errors="replace")) <= MAX_PART_BYTES
    )
