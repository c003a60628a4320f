"""When a refresh is due, that what was missed is answered once, and what is kept of how it ended."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kitchen.domain.environment import DataSource
from kitchen.errors import InvalidInput
from kitchen.operations import schedule
from tests.contracts.pantries import Place
from tests.support import Warehouse


@pytest.fixture
def place(new_warehouse: Warehouse) -> Place:
    """Return an environment that is refreshed every hour."""
    made = Place(new_warehouse)
    made.environment = replace(made.environment, data=DataSource("production", refresh="0 * * * *"))
    return made


def test_a_time_is_of_its_timezone_also_where_clocks_change() -> None:
    winter = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
    assert schedule.around("30 3 * * *", "UTC", winter)[1] == datetime(2026, 1, 11, 3, 30, tzinfo=UTC)
    assert schedule.around("30 3 * * *", "Europe/Vienna", winter)[1] == datetime(2026, 1, 11, 2, 30, tzinfo=UTC)
    assert schedule.around("30 3 * * *", "Europe/Vienna", winter + timedelta(days=180))[1].hour == 1
    with pytest.raises(InvalidInput, match="is no schedule"):
        schedule.around("99 3 * * *", "UTC", winter)


def test_what_was_missed_is_answered_once_and_its_failure_is_kept(place: Place, tmp_path: Path) -> None:
    stop, said, warned = threading.Event(), list[str](), list[str]()

    def once() -> bool:
        return schedule.serve(
            lambda: [place], tmp_path, stop=stop, say=said.append, warn=warned.append, once=True
        )  # fmt: skip

    assert once()  # it is seen: what was due before is nobody's
    now = schedule.standing(place)
    assert now is not None
    assert now.due_since is None
    place.control.schedules.begin(schedule.REFRESH, datetime.now(UTC) - timedelta(days=3))
    place.control.schedules.end(schedule.REFRESH, "done", "")
    now = schedule.standing(place)
    assert now is not None
    assert now.due_since is not None
    assert not once()  # there is no project in the folder: the command fails
    assert "ALERT pantry refresh" in warned[0]
    assert "exit code" in warned[0]
    assert "next try" in warned[0]
    now = schedule.standing(place)
    assert now is not None
    assert now.last is not None
    assert (now.last.outcome, now.due_since) == ("failed", None)
    assert len(warned) == 1
    assert once()
    assert len(warned) == 1


def test_two_servers_do_not_answer_one_time_twice(place: Place, tmp_path: Path) -> None:
    place.control.schedules.see(schedule.REFRESH, datetime.now(UTC) - timedelta(days=3))
    other = Place(place.warehouse)
    said: list[str] = []
    with other.control.locks.hold(f"schedule: {schedule.REFRESH}", purpose="another server"):
        assert schedule.answer(place, tmp_path, stop=threading.Event(), say=said.append) is None
    assert said == []
    assert schedule.answer(place, tmp_path, stop=threading.Event(), say=said.append) == "failed"


def test_one_that_was_killed_is_answered_again(place: Place) -> None:
    place.control.schedules.see(schedule.REFRESH, datetime.now(UTC))
    place.control.schedules.begin(schedule.REFRESH, datetime.now(UTC))
    now = schedule.standing(place)
    assert now is not None
    assert now.due_since is not None


def test_why_a_command_failed_is_one_line_with_what_it_names() -> None:
    named = [f"  customer.c{number}: no decision" for number in range(5)]
    error = "error: the masking policy does not cover the source, so nothing is copied:"
    told = schedule.reason(["· copying", error, *named, "  try: kitchen pantry scan --write, then review"])
    assert told == (
        "the masking policy does not cover the source, so nothing is copied: customer.c0: no decision; "
        "customer.c1: no decision; customer.c2: no decision; and 2 more"
    )
    assert schedule.reason(["error: dev does not answer", "  try: kitchen up dev"]) == "dev does not answer"
    assert schedule.reason(["Killed"]) == "Killed"
    assert schedule.reason([]) == ""
