"""Tables for a terminal: no row is wider than it, whatever names, owners and commands are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen.cli.columns import Column, fitted, wide
from kitchen.cli.kitchen_rows import columns
from kitchen.domain.kitchen import Kind, State
from kitchen.domain.run import RunState
from kitchen.operations.advice import next_command
from kitchen.operations.kitchens import LastRun, Overview, Unfinished

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ONE = Overview(
    name="profit", environment="dev", kind=Kind.WORKING, state=State.READY, parent="dev", owner="ann@example.com",
    branch="profit", pantry=1, created_at=NOW - timedelta(days=12), expires_at=NOW + timedelta(days=2), isolated=False,
    ticket=None, worktree=None, ahead=12, behind=3, tables=4, size=123_456_789,
    last_run=LastRun("profitability", RunState.FAILED, NOW, "0a1b2c3d"), unfinished=None, newest_pantry=2,
)  # fmt: skip
LONG = replace(
    ONE, name="a_name_of_24_characters_", parent="another_of_24_characters", owner="很长的名字@例子.example",
    environment="sixteen_letters_", mends="production", last_run=LastRun("r" * 60, RunState.ERRORED, NOW, "0a1b2c3d"),
)  # fmt: skip
STANDING = replace(
    ONE, name="dev", kind=Kind.STANDING, parent=None, expires_at=None, ahead=None, behind=None, last_run=None
)


def test_nobody_is_sent_into_what_is_thrown_away() -> None:
    candidate = replace(STANDING, name="c_8ffc01234567", kind=Kind.CANDIDATE, parent="dev")
    left = Unfinished("0a1b2c3d4e", "promote", "ann", NOW, None, "dev", is_going_on=False)
    assert next_command(candidate)[0] == "kitchen list"
    assert next_command(candidate, elsewhere=[left])[0] == "kitchen recover 0a1b2c3d"
    assert next_command(STANDING)[0] == "kitchen enter dev"


def _lines(found: list[Overview], room: int | None) -> list[str]:
    return fitted(columns(found, NOW, [each.name for each in found]), room)


@pytest.mark.parametrize("room", [80, 100, 120, 200])
def test_fifty_kitchens_with_long_names_are_not_wrapped(room: int) -> None:
    lines = _lines([STANDING, *[ONE] * 25, *[LONG] * 25], room)
    assert len(lines) == 52
    assert max(map(wide, lines)) <= room
    assert all(len(line.split()) >= 9 for line in lines[2:]), "nothing that was asked for is left out"


def test_what_was_asked_for_is_there_at_80() -> None:
    heading, row = _lines([ONE], 80)
    assert heading.split() == [
        "kitchen",
        "owner",
        "age",
        "left",
        "moved",
        "size",
        "last",
        "run",
        "next:",
        "kitchen",
        "…",
    ]
    for part in ("profit ", "ann ", "12d", "2d", "+12 -3", "117.7MB", "failed", "update profit"):
        assert part in row, part


def test_where_there_is_room_everything_is_said() -> None:
    heading, row = _lines([ONE], 250)
    assert heading.split()[:4] == ["kitchen", "environment", "parent", "owner"]
    assert "profitability failed  kitchen update profit" in row
    assert "ann@example.com" in row


def test_two_people_whose_names_begin_alike_keep_their_addresses() -> None:
    rows = _lines([ONE, replace(ONE, owner="ann@elsewhere.example")], 150)
    assert "ann@example.com" in rows[1]
    assert "ann@elsewhere.example" in rows[2]


def test_a_state_is_shown_where_one_is_not_ready() -> None:
    assert "state" not in _lines([ONE], 80)[0]
    assert "broken" in _lines([ONE, replace(ONE, state=State.BROKEN)], 80)[2]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=5), st.integers(12, 200))
def test_no_line_is_wider_than_the_room(rows: list[tuple[str, str, str]], room: int) -> None:
    one, two, three = zip(*rows, strict=True)
    made = [
        Column("a", one, floor=3),
        Column("b", two, ("b", three), shortened=1, floor=3),
        Column("c", three, dropped=2),
    ]
    lines = fitted(made, room)
    assert len(lines) == len(rows) + 1
    assert all(wide(line) <= room for line in lines)
