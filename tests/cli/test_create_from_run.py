"""``create --from-run``: a kitchen as a run found it, to see what went wrong there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

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


def _said(bench: Bench, *words: str) -> Any:
    return json.loads(bench.project.kitchen(*words, "--json").stdout)


def _newest_run(bench: Bench, kitchen: str) -> dict[str, Any]:
    environment = "production" if kitchen == "production" else "dev"
    found: dict[str, Any] = _said(bench, "runs", "list", "-k", kitchen, "-e", environment)[0]
    return found


def test_it_begins_at_the_runs_commit_over_the_kitchen_that_it_ran_in(bench: Bench) -> None:
    worktree = create(bench, "ran")
    bench.project.kitchen("run", "report", "-k", "ran")
    run = _newest_run(bench, "ran")
    then = run["commit"]
    (worktree / "later.txt").write_text("x\n")
    assert commit(bench, worktree) != then
    made = _said(bench, "create", "why", "--from-run", run["id"][:8])["kitchen"]
    assert (made["base_commit"], made["parent"], made["environment"]) == (then, "ran", "dev")
    assert bench.project.git("rev-parse", "why") == then
    assert report.psql(bench, "why", "SELECT count(*) FROM best") == "3", "its tables are read through"
    bench.project.kitchen("delete", "why", "--yes")


def test_a_run_of_a_kitchen_that_is_gone_is_looked_into_over_the_standing_one(bench: Bench) -> None:
    create(bench, "passing")
    bench.project.kitchen("run", "report", "-k", "passing")
    run = _newest_run(bench, "passing")
    bench.project.kitchen("delete", "passing", "--yes")
    made = _said(bench, "create", "afterwards", "--from-run", run["id"])["kitchen"]
    assert (made["parent"], made["base_commit"]) == ("dev", run["commit"])


def test_a_run_in_production_is_looked_into_below_it(bench: Bench) -> None:
    run = _newest_run(bench, "production")
    made = _said(bench, "create", "night", "--from-run", run["id"])["kitchen"]
    assert (made["environment"], made["mends"], made["base_commit"]) == ("dev", "production", run["commit"])


def test_what_cannot_be_is_refused(bench: Bench) -> None:
    assert "no run" in bench.project.kitchen("create", "x", "--from-run", "ffffffff", expect=3).stderr
    run = _newest_run(bench, "dev")["id"]
    bench.project.kitchen("create", "x", "--from-run", run, "--parent", "dev", expect=2)
    bench.project.git("branch", "taken", "main")
    bench.project.kitchen("create", "taken", "--from-run", run, expect=4)
    assert "x" not in [kitchen["name"] for kitchen in _said(bench, "list")]
