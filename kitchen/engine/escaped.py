"""Ends what left the process group of a node's program (``setsid``, a daemon), where Linux tells who that is.

Every program is started with a mark in its environment, which whatever it starts inherits; /proc shows it to the user
that they run as. What clears its environment or becomes another user is not found, and without /proc nothing is.
"""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import subprocess
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

MARK = "KITCHEN_CHILD"
_PROCESSES = Path("/proc")
_TICK = 0.05

# Waits for our end: a word means that we ended in good order, silence that we were killed.
_WATCH = """
read -r word; [ "$word" = bye ] && exit
for how in TERM KILL; do
    left=$(grep -slz "^$1=$2\\." /proc/[0-9]*/environ | cut -d / -f 3)
    [ -n "$left" ] || exit
    kill -s "$how" $left
    [ "$how" = KILL ] || sleep "$3"
done
"""


class Watched:
    """The programs of this process, and a shell that ends them where this process is killed."""

    def __init__(self, grace: float) -> None:
        self.owner = os.getpid()
        self._token = secrets.token_hex(16)
        self._numbers = count(1)
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", MARK, self._token, str(grace)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            cwd="/", env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        atexit.register(self._part)

    def mark(self) -> str:
        """Return the mark of one more program."""
        return f"{self._token}.{next(self._numbers)}"

    def _part(self) -> None:
        if self.owner == os.getpid() and self._watcher.stdin is not None:
            with suppress(OSError):
                self._watcher.stdin.write(b"bye\n")
                self._watcher.stdin.close()
                self._watcher.wait(1)


_making = threading.Lock()
_watched: Watched | None = None


def new_mark(grace: float) -> str | None:
    """Return the mark for one more program; None where nothing could be found by it."""
    global _watched  # noqa: PLW0603 - there is one in a process
    if not (_PROCESSES / "self" / "environ").exists():
        return None
    with _making:
        if _watched is None or _watched.owner != os.getpid():  # a forked child has none of its own
            _watched = Watched(grace)
        return _watched.mark()


def end_marked(mark: str, grace: float) -> None:
    """Ask whatever has the mark to end, and end what stays."""
    asked, give_up = set[int](), time.monotonic() + grace
    while left := _marked(mark):
        patient = time.monotonic() < give_up
        for pid in left - asked if patient else left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM if patient else signal.SIGKILL)
        asked |= left
        if time.monotonic() > give_up + grace:  # one that the kernel holds
            return
        time.sleep(_TICK)


def _marked(mark: str) -> set[int]:
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for entry in _PROCESSES.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # another user's, or gone
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found
