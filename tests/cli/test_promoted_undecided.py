"""A promotion says which of its columns no masking decision covers, before the next refresh stops at them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import report
from tests.bench import Bench, opened
from tests.report import commit, create


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up, where the report has run."""
    with opened("production", "dev") as made:
        report.ground(made, "production", "dev")
        yield made


def test_what_a_promotion_leaves_undecided_is_said_and_scanned(bench: Bench) -> None:
    worktree = create(bench, "best_of")
    text = (worktree / "recipes" / "report" / "best.sql").read_text()
    (worktree / "recipes" / "report" / "best.sql").write_text(text.replace("total FROM", "total, 1 AS rank FROM"))
    commit(bench, worktree)
    bench.project.kitchen("merge", "best_of", "--yes")
    promoted = bench.project.kitchen("promote", "--yes").stderr
    assert "decides nothing about" in promoted
    assert "public.best.rank" in promoted
    assert "kitchen pantry scan --write -e dev" in promoted
    stopped = bench.project.kitchen("pantry", "refresh", "--yes", expect=5).stderr
    assert "public.best.rank: integer is undecided" in stopped, "it was true"
    bench.project.kitchen("pantry", "scan", "--write")
    bench.project.commit("what becomes of each column")
    (worktree / "recipes" / "report" / "best.sql").write_text(text.replace("total FROM", "total, 2 AS rank FROM"))
    commit(bench, worktree)
    bench.project.kitchen("merge", "best_of", "--yes")
    again = bench.project.kitchen("promote", "--yes").stderr
    assert "decides nothing about" not in again, "every column is decided now"
