"""What goes through production is tried as it runs, too: a refresh, a newer pantry, a promotion and its way back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import report
from tests.bench import Bench, opened
from tests.cli.test_dry_runs import _is_what_runs
from tests.report import TOTALS, commit


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up, whose production has one table that is all decided."""
    with opened("production", "dev") as made:
        kept = "{mask: keep, why: invented}"
        (made.project.root / "environments" / "masking.yaml").write_text(
            f"tables:\n  orders: {{id: {kept}, customer: {kept}, amount: {kept}}}\n"
            f"  totals: {{customer: {kept}, total: {kept}}}\n  best: {{customer: {kept}, total: {kept}}}\n"
        )
        report.ground(made, "production", "dev")
        yield made


def test_the_list_is_the_one_that_runs(bench: Bench) -> None:
    project = bench.project
    _is_what_runs(bench, "pantry", "refresh", "-e", "dev", "--yes")
    project.kitchen("create", "work")
    project.kitchen("pantry", "refresh", "-e", "dev", "--yes")
    _is_what_runs(bench, "update", "work", "--data")
    worktree = project.root / ".kitchen" / "worktrees" / "work"
    (worktree / "recipes" / "report" / "totals.sql").write_text(TOTALS.replace("sum(amount)", "sum(amount) * 2"))
    commit(bench, worktree)
    project.kitchen("merge", "work", "--yes")
    _is_what_runs(bench, "promote", "production", "--yes")
    _is_what_runs(bench, "release", "rollback", "-e", "production", "--yes")
    project.kitchen("create", "fix", "--parent", "production")
    worktree = project.root / ".kitchen" / "worktrees" / "fix"
    (worktree / "urgent.txt").write_text("now\n")
    commit(bench, worktree)
    _is_what_runs(bench, "promote", "production", "--from", "fix", "--yes")
    _is_what_runs(bench, "delete", "fix", "--yes")
