"""The files of one recipe's folder, and nothing outside it."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path, PurePosixPath

from kitchen.domain.conflict_markers import first_marker
from kitchen.errors import InvalidInput

MAX_FILES = 500
MAX_TEXT = 1 << 20  # a file longer than that, or no text, counts by its digest


def inside(text: str) -> str:
    """Return a path within the recipe's folder, tidied; raises InvalidInput for one that leads out of it."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or "\x00" in text or not path.parts:
        raise InvalidInput(f"{text[:80]!r} leads out of the recipe's folder: name a file inside it")
    return str(path)


def read_folder(folder: Path, *, shown: str) -> dict[str, str]:
    """Return the text of every file below a folder by its path.

    Raises InvalidInput for links, for too much, and with file and line for what a merge left to be mended.
    """
    found: dict[str, str] = {}
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted([*files, *folders]):
            path = Path(current, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise InvalidInput(f"{shown}/{relative}: is a link: a recipe's files are its own")
            if name in files and not name.startswith(".") and not name.endswith(".pyc"):
                found[relative] = _text(path, f"{shown}/{relative}")
                _refuse_conflict(found[relative], f"{shown}/{relative}")
        if len(found) > MAX_FILES:
            raise InvalidInput(f"{shown}: has more than {MAX_FILES} files")
    return found


def _refuse_conflict(text: str, shown: str) -> None:
    line = first_marker(text)
    if line is not None:
        raise InvalidInput(
            f"{shown}:{line}: a conflict marker: both versions of a merge stand in the file",
            hint="write what is meant, then: git add, and git commit or kitchen resolve",
        )


def _text(path: Path, shown: str) -> str:
    if not path.is_file():
        raise InvalidInput(f"{shown}: is no ordinary file")
    with path.open("rb") as file:
        content = file.read(MAX_TEXT + 1)
        try:
            if len(content) <= MAX_TEXT:
                return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
        digest = sha256(content)
        while more := file.read(MAX_TEXT):
            digest.update(more)
    return f"sha256:{digest.hexdigest()}"
