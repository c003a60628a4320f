"""False alarms and catches of control charts, counted on made series."""

from __future__ import annotations

import random

import pytest

from kitchen.engine.control_chart import bounds_of, student_t


@pytest.mark.parametrize(
    ("both_tails", "freedom", "expected"),
    [(0.05, 1, 12.706), (0.05, 2, 4.303), (0.001, 3, 12.924), (0.01, 4, 4.604), (0.002, 7, 4.785), (0.05, 30, 2.042)],
)
def test_students_quantiles_are_those_of_the_tables(both_tails: float, freedom: int, expected: float) -> None:
    assert student_t(both_tails, freedom) == pytest.approx(expected, abs=0.001)


def _share_out(runs: int, shift: float, *, rounds: int) -> float:
    chance = random.Random(runs)  # noqa: S311 - a made series, not a secret
    out = 0
    for _ in range(rounds):
        history = [chance.gauss(1000, 50) for _ in range(runs)]
        value = chance.gauss(1000 + shift * 50, 50)
        bounds = bounds_of(history, value, never_negative=True)
        assert bounds is not None
        out += bounds.shifted is not None or not bounds.low <= value <= bounds.high
    return out / rounds


@pytest.mark.parametrize("runs", [8, 14, 29])
def test_short_histories_cry_wolf_no_more_often_than_long_ones(runs: int) -> None:
    assert _share_out(runs, 0, rounds=20_000) < 0.0045  # 0.27 % is meant; three estimated sigmas would give 1 to 3 %


def test_real_faults_are_caught() -> None:
    assert _share_out(8, 8, rounds=1000) > 0.8
    assert _share_out(14, 6, rounds=1000) > 0.9
    assert _share_out(40, 6, rounds=1000) > 0.99


def test_a_small_lasting_shift_shows_in_the_average() -> None:
    chance = random.Random(7)  # noqa: S311
    series = [chance.gauss(1000, 50) for _ in range(40)] + [1080.0] * 7  # 1.6 sigma: no single value is out
    bounds = bounds_of(series, 1080.0, never_negative=True)
    assert bounds is not None
    assert bounds.low < 1080 < bounds.high
    assert bounds.shifted is not None


def test_little_history_judges_nothing_and_a_constant_one_allows_a_little() -> None:
    assert bounds_of([1.0] * 7, 5, never_negative=True) is None
    bounds = bounds_of([100.0] * 8, 100.5, never_negative=True)
    assert bounds is not None
    assert (bounds.low, bounds.high) == (99, 101)
