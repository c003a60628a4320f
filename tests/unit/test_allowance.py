"""The time for what others run: it ends what runs, wherever that is, and leaves no clock behind."""

from __future__ import annotations

import signal
import threading
import time
from datetime import timedelta

import pytest

from kitchen.domain.duration import parse_duration, said
from kitchen.errors import Refused
from kitchen.operations.allowance import NO_LIMIT, Allowance


def test_what_takes_too_long_is_ended_and_refused() -> None:
    before, began = signal.getsignal(signal.SIGALRM), time.monotonic()
    with pytest.raises(Refused, match="within 1s"), Allowance(timedelta(seconds=1)).limits():
        threading.Event().wait(30)
    assert time.monotonic() - began < 10
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_it_is_one_time_for_everything() -> None:
    """Several rounds share it; between the blocks, where something is undone, nothing is ended."""
    allowance = Allowance(timedelta(milliseconds=200))
    with allowance.limits():
        pass
    time.sleep(0.4)
    with pytest.raises(Refused), allowance.limits():
        time.sleep(5)


def test_what_fails_by_itself_says_so() -> None:
    with pytest.raises(ValueError, match="mine"), Allowance(timedelta(seconds=5)).limits():
        raise ValueError("mine")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with NO_LIMIT.limits():
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("text", ["30m", "1h30m", "6s", "26h", "1h1s"])
def test_a_duration_is_said_as_it_is_written(text: str) -> None:
    assert said(parse_duration(text)) == text
