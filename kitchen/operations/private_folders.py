"""Folders for what one command needs for a while: passwords, files of a commit; a command that was killed leaves its
own behind, and the next that makes one removes it."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "kitchen."  # not kitchen-: those of older versions are held by nobody, though their commands may live
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """A folder that only this user enters, and the open file that keeps it from being swept."""

    path: Path
    hold: int


@contextmanager
def private_folder(purpose: str) -> Iterator[PrivateFolder]:
    """Make a folder (0700) that lives as long as the block, or who inherits its hold; sweep those of the dead."""
    _sweep()
    made = _make(purpose)
    try:
        yield made
    finally:
        shutil.rmtree(made.path, ignore_errors=True)
        os.close(made.hold)


def _make(purpose: str) -> PrivateFolder:
    for _ in range(_ATTEMPTS):
        path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}."))
        # between the two, another command may take it for one of the dead
        with suppress(FileNotFoundError):
            hold = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            if _lock(hold) is not False and _is_there(path, hold):
                return PrivateFolder(path, hold)
            os.close(hold)
    raise FileNotFoundError(f"{tempfile.gettempdir()} does not keep the folders that are made in it")


def _lock(hold: int) -> bool | None:
    """Say whether the folder is ours now; None where the file system knows no locks, so that nobody sweeps it."""
    try:
        fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_there(path: Path, hold: int) -> bool:
    return path.exists() and os.path.samestat(path.lstat(), os.fstat(hold))


def _sweep() -> None:
    """Remove the folders of this user that nobody holds any more."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.*"):
        with suppress(OSError):  # no folder, a link, another user's, gone: none of ours
            hold = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if _is_ours(hold) and _lock(hold):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(hold)


def _is_ours(hold: int) -> bool:
    found = os.fstat(hold)
    return found.st_uid == os.getuid() and found.st_mode & 0o777 == stat.S_IRWXU
