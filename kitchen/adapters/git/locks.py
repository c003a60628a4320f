"""Lock files that a killed git left behind: removed only after proof that no git works there."""

from __future__ import annotations

import time
from pathlib import Path

OLD = 3.0  # seconds; git holds a lock for milliseconds, but for an editor, which the search for processes finds
_PROCESSES = Path("/proc")


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
