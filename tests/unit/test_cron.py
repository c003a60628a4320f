"""What is taken for a schedule when a file is read, the engine of schedules takes, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from kitchen.domain.cron import fault_of

PARTS = st.one_of(
    st.sampled_from(
        ["*", "*/2", "*/70", "jan", "mon", "fri-sun", "mon-fri", "5-1", "1-5/2", "31", "60", "0", "7", "?"]
    ),
    st.integers(0, 80).map(str),
    st.tuples(st.integers(0, 61), st.integers(0, 61)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
)
FIELDS = st.lists(PARTS, min_size=1, max_size=3).map(",".join)


@given(st.lists(FIELDS, min_size=5, max_size=5).map(" ".join))
def test_what_passes_comes(cron: str) -> None:
    if fault_of(cron) is None:
        assert croniter(cron, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime) > datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "cron",
    ["0 3 * * *", "*/15 * * * *", "0 6 * * MON", "30 2 1,15 * *", "0 22-23 * jan-mar 1-5", "0 0 29 2 *", "@daily",
     "0 0 31 4 mon", "5,10-30/5 * * * 7"],
)  # fmt: skip
def test_what_people_write_passes(cron: str) -> None:
    assert fault_of(cron) is None


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("61 3 * * *", "'61' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * * moon", "'moon' is no day of the week: 0 to 7, sun to sat"),
        ("0 0 31 2,4 *", "such a day never comes"),
        ("0 3 * *", "five fields"),
        ("0 3 * * * *", "five fields"),
        ("*/0 3 * * *", "'*/0' is no minute"),
        ("5-1 3 * * *", "'5-1' is no minute"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(cron: str, said: str) -> None:
    assert said in str(fault_of(cron))
