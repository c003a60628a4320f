"""Files on their way to be whole: named after the process that writes them, and swept when that is no more."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = ".new-"


def write_half(beside: Path, content: bytes) -> Path:
    """Write a file next to one that it is going to be, for nobody else to read; what the dead left there goes."""
    sweep(beside.parent)
    number, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=beside.parent)  # mode 0600, O_EXCL
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left in a folder."""
    with suppress(OSError):  # a folder that is not there, or is not ours to clean
        for each in folder.glob(f"{_PREFIX}*-*"):
            writer = each.name.removeprefix(_PREFIX).partition("-")[0]
            if writer.isdigit() and not _is_alive(int(writer)):
                each.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
