"""Work that Ctrl-C can end although it waits inside a driver, where Python's own signal handlers never run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE = 15.0  # seconds for the work to end after it was told to
AGAIN = 0.5  # seconds between two calls to stop


def run_interruptibly(work: Callable[[], None], stop: Callable[[], None]) -> None:
    """Do the work in a thread and wait; where we are interrupted, call ``stop``, wait for the end and raise."""
    raised: list[BaseException] = []
    done = threading.Event()  # joining a thread that an exception interrupts may lose it (CPython 3.11)

    def guarded() -> None:
        try:
            work()
        except BaseException as wrong:  # noqa: BLE001 - it is raised again where somebody can handle it
            raised.append(wrong)
        finally:
            done.set()

    threading.Thread(target=guarded, name="kitchen run", daemon=True).start()
    try:
        while not done.wait(3600):
            pass
    except BaseException:
        end = time.monotonic() + PATIENCE
        while not done.is_set() and time.monotonic() < end:
            stop()  # again and again: between two statements there was nothing to cancel
            done.wait(AGAIN)
        raise
    if raised:
        raise raised[0]
