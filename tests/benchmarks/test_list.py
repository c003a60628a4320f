"""``kitchen list``, ``tree`` and ``status`` take 0.3 s as whole processes (design, section 9)."""

from __future__ import annotations

import resource
import time

from tests.bench import Bench, opened

BUDGET = 0.3  # seconds
KITCHENS, ROUNDS = 4, 9


def _took(bench: Bench, *words: str) -> float:
    """Return the shorter of elapsed and computing time: on a busy machine one waits for others."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    bench.project.kitchen(*words)
    elapsed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return min(elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def test_where_things_stand_is_said_at_once() -> None:
    with opened("production", "dev") as bench:
        for number in range(KITCHENS):
            bench.project.kitchen("create", f"k{number}")
        asked = (("list",), ("tree",), ("status", "k0"))
        taken = {words: min(_took(bench, *words) for _ in range(ROUNDS)) for words in asked}
    assert max(taken.values()) <= BUDGET, taken
