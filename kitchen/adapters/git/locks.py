"""Locks: git's own, that a killed git left behind, and one of ours round commands that disturb each other."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kitchen.errors import Conflict

OLD = 3.0  # seconds; git holds a lock for milliseconds, but for an editor, which the search for processes finds
_PROCESSES = Path("/proc")
_PATIENCE = 900.0  # seconds; each of those before us may write a large work tree


def remove_stale(lock: Path, common_dir: Path) -> bool:
    """Remove a lock of this repository that no living git process can hold; say whether the way is free."""
    if lock.suffix != ".lock" or not lock.is_relative_to(common_dir):
        return False
    for _ in range(8):  # first the ordinary case: another command is at work and ends in a moment
        if not lock.exists():
            return True
        if _age(lock) > OLD and _nobody_works():
            lock.unlink(missing_ok=True)
            return True
        time.sleep(0.5)
    return not lock.exists()


def _age(lock: Path) -> float:
    try:
        return time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _nobody_works() -> bool:
    """Say that no git runs here that could hold the lock; without a list of processes nothing is proved."""
    if not (_PROCESSES / "self" / "comm").exists():
        return False
    for entry in _PROCESSES.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "comm").read_text().strip().startswith("git"):
                return False
        except OSError:
            continue  # it ended meanwhile
    return True


@contextmanager
def one_at_a_time(common_dir: Path, what: str) -> Iterator[None]:
    """Let one of our processes at a time into the block: git's own worktree commands read what others half wrote."""
    folder = common_dir / "kitchen"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / f"{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + _PATIENCE
        while not _taken(handle):
            if time.monotonic() > give_up:
                raise Conflict(f"another kitchen command has been busy with git's {what} for too long")
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
