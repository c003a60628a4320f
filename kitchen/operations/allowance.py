"""How long others may keep this process busy: what a request runs is ended when its time is over."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from kitchen.domain.duration import said
from kitchen.errors import Refused


class _OutOfTime(KeyboardInterrupt):
    """Ends what runs as Ctrl-C does."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A time that begins when this is made; without ``at_most`` there is no end of it."""

    at_most: timedelta | None = None
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def limits(self) -> Iterator[None]:
        """End the block when the time is over; raises Refused. Undoing what it began is for whoever catches that."""
        if self.at_most is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        try:
            before = signal.signal(signal.SIGALRM, _ring)
            try:
                left = self.began + self.at_most.total_seconds() - time.monotonic()
                signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))
                yield
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                with suppress(TypeError):  # a handler that is not Python's cannot be put back
                    signal.signal(signal.SIGALRM, before)
        except _OutOfTime:
            raise Refused(
                f"it was not done within {said(self.at_most)}, which is what the runner gives a request",
                hint="make its nodes do less at once; or its DataOps engineer types: kitchen ci publish --at-most "
                f"{said(2 * self.at_most)}",
            ) from None


NO_LIMIT = Allowance()


def _ring(*_: object) -> None:
    raise _OutOfTime("the time that a request may take is over")
