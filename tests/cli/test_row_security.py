"""What is merged and promoted is built from whole tables, also where row security would show a candidate a part."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests import report
from tests.bench import Bench, opened
from tests.report import commit, create, psql


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with dev up, where the report has run."""
    with opened("dev") as made:
        report.ground(made, "dev")
        yield made


def _changed(bench: Bench, name: str, factor: int) -> None:
    worktree = create(bench, name)
    report.write(worktree, totals=report.TOTALS.replace("sum(amount)", f"sum(amount) * {factor}"))
    commit(bench, worktree)


def _refused(bench: Bench, name: str) -> dict[str, str]:
    before = psql(bench, "dev", "SELECT sum(total) FROM totals")
    answer = bench.project.kitchen("merge", name, "--yes", "--json", expect=5)
    assert psql(bench, "dev", "SELECT sum(total) FROM totals") == before
    said: dict[str, str] = json.loads(answer.stderr.splitlines()[-1])
    return said


def test_a_candidate_that_would_see_a_part_is_refused_until_a_policy_shows_it_all(bench: Bench) -> None:
    _changed(bench, "shown", 3)
    psql(bench, "dev", "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    psql(bench, "dev", "CREATE POLICY few ON orders USING (customer < 5)")
    said = _refused(bench, "shown")
    assert "row security hides rows of dev.orders from c_" in said["error"]
    owner, _, statement = said["hint"].partition(": ")
    assert owner == "as the owner of dev.orders"
    psql(bench, "dev", statement)
    psql(bench, "dev", "CREATE POLICY fewer ON orders AS RESTRICTIVE USING (customer < 3)")
    assert "dev.orders" in _refused(bench, "shown")["error"], "one that restricts goes before one that shows all"
    psql(bench, "dev", "DROP POLICY fewer ON orders")
    bench.project.kitchen("merge", "shown", "--yes")
    assert psql(bench, "dev", "SELECT count(*), sum(total) FROM totals") == "10|1501500"
    psql(bench, "dev", "DROP POLICY kitchen_reads_all ON orders; DROP POLICY few ON orders")
    psql(bench, "dev", "ALTER TABLE orders DISABLE ROW LEVEL SECURITY")


def test_a_table_behind_a_view_counts_where_the_view_asks_as_its_reader(bench: Bench) -> None:
    psql(bench, "dev", "ALTER TABLE orders RENAME TO bookings; ALTER TABLE bookings ENABLE ROW LEVEL SECURITY")
    psql(bench, "dev", "CREATE VIEW orders AS SELECT * FROM bookings")
    _changed(bench, "viewed", 4)
    psql(bench, "dev", "ALTER VIEW orders SET (security_invoker = on)")
    assert "row security hides rows of dev.bookings" in _refused(bench, "viewed")["error"]
    psql(bench, "dev", "ALTER VIEW orders RESET (security_invoker)")
    bench.project.kitchen("merge", "viewed", "--yes")
    assert psql(bench, "dev", "SELECT sum(total) FROM totals") == "2002000"
