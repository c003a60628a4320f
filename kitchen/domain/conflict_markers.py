"""The lines that git leaves in a file whose two versions it could not bring together."""

from __future__ import annotations

import re

_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?= |\r?$)", re.MULTILINE)  # ======= alone underlines headings, too


def first_marker(text: str) -> int | None:
    """Return the number of the first line that is a conflict marker, or None."""
    found = _MARKER.search(text)
    return None if found is None else text.count("\n", 0, found.start()) + 1
