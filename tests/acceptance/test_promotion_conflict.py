"""Production and dev changed the same lines: each command that refuses names the next, and the last one promotes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import report
from tests.bench import Bench, opened
from tests.report import commit, create, psql

SQL = "recipes/report/totals.sql"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up, where the same line was changed above and below."""
    with opened("production", "dev") as made:
        report.ground(made, "production", "dev")
        worktree = create(made, "tripled")
        report.write(worktree, totals=report.TOTALS.replace("sum(amount)", "sum(amount) * 3"))
        commit(made, worktree)
        made.project.kitchen("merge", "tripled", "--yes")
        report.write(made.project.root, totals=report.TOTALS.replace("sum(amount)", "sum(amount) * 2"))
        made.project.commit("doubled, in production's own branch")
        yield made


def _next(said: str) -> list[str]:
    """Return the command that an error names, as a person would type it."""
    found = re.search(r"try: kitchen ([\w ]+)", said)
    assert found is not None, said
    return found[1].removesuffix(" then try again").split()


def test_the_hints_lead_from_a_conflict_to_the_release(bench: Bench) -> None:
    kitchen = bench.project.kitchen
    refused = kitchen("promote", "production", "--yes", expect=4).stderr
    assert SQL in refused
    assert _next(refused) == ["resolve", "dev"] == _next(kitchen("update", "dev", "--yes", expect=4).stderr)
    assert "make kitchen dev_from_production" in kitchen("resolve", "dev", "--dry-run").stdout
    begun = kitchen(*_next(refused), expect=4)
    mended = Path(begun.stdout.strip())
    assert "<<<<<<<" in mended.read_text()
    worktree = mended.parents[2]
    assert f"git -C {worktree} add {SQL}, then kitchen resolve" in begun.stderr
    mended.write_text(report.TOTALS.replace("sum(amount)", "sum(amount) * 6"))
    bench.project.git("-C", str(worktree), "add", SQL)
    done = kitchen("resolve", cwd=worktree).stderr  # as the hint says: the kitchen is known by the folder
    assert "dev_from_production is up to date with production" in done
    subject = bench.project.git("log", "-1", "--format=%s", "dev_from_production")
    assert subject == "Merge main into dev_from_production"
    assert "next: kitchen merge dev_from_production" in done
    assert "nothing to resolve" in kitchen("resolve", "dev").stderr, "and it may be typed again"
    kitchen("merge", "dev_from_production", "--yes")
    kitchen("delete", "dev_from_production", "--yes")
    kitchen("promote", "production", "--yes")
    assert psql(bench, "production", "SELECT max(total) FROM totals") == str(6 * 50500)


def test_without_a_conflict_there_is_nothing_to_resolve(bench: Bench) -> None:
    said = bench.project.kitchen("resolve", "dev", "--json")
    assert json.loads(said.stdout) == {"kitchen": "dev", "unresolved": [], "commit": None}
    assert "next: kitchen update dev" in said.stderr
    top = bench.project.kitchen("resolve", "production", expect=2).stderr
    assert "'production' is a standing kitchen" in top
    assert "try: kitchen list" in top
