"""``kitchen create`` costs the same whatever the pantry holds, and half a second at most (design, section 9)."""

from __future__ import annotations

from tests.benchmarks.create import measure

SMALL, LARGE = 2_000, 200_000  # rows of 500 bytes: 1 MB and 100 MB


def test_create_takes_half_a_second_whatever_the_pantry_holds() -> None:
    taken = measure([SMALL, LARGE], 10)
    small, large = min(taken[SMALL]), min(taken[LARGE])  # of a busy machine the fastest says most about the work
    assert large <= 1.1 * small
    assert large <= 0.5
