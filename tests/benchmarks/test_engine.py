"""What tests and nodes cost, as ratios within one run: budgets of the design, section 9."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.run import RunState
from tests.contracts.line import Line
from tests.support import Warehouse

ROWS = 1_000_000


@pytest.fixture
def line(warehouse18: Warehouse, tmp_path: Path) -> Iterator[Line]:
    made = Line(warehouse18, tmp_path)
    yield made
    made.control.session.close()


def _best(act: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return min(taken)  # what else the machine does only adds


def test_a_hundred_tests_of_one_table_cost_at_most_twice_the_scan_that_answers_them(line: Line) -> None:
    columns = ", ".join(f"n % {at + 2} AS c{at}" for at in range(20))
    with line.superuser() as session:
        session.execute(f"CREATE TABLE pantry_v1.wide AS SELECT {columns} FROM generate_series(1, {ROWS}) AS n")
        session.execute("GRANT SELECT ON pantry_v1.wide TO PUBLIC")
        session.execute("VACUUM (ANALYZE) pantry_v1.wide")
    tests = [
        test
        for at in range(20)
        for test in (
            f"not_null: {{table: wide, columns: [c{at}]}}",
            f"accepted_values: {{table: wide, column: c{at}, values: {list(range(at + 2))}}}",
            f"row_count: {{table: wide, min: {at}}}",
            f"row_count: {{table: wide, max: {ROWS + at}}}",
            f"not_null: {{table: wide, columns: [c{at}, c0]}}",
        )
    ]
    listed = "".join(f"      - {test}\n" for test in tests)
    line.recipe(f"nodes:\n  a: {{sql: a.sql}}\ntests:\n  a:\n    after:\n{listed}", a_sql="SELECT 1")

    def evaluate() -> None:
        run = line.test()
        assert (run.state, len(run.tests)) == (RunState.PASSED, 100)

    filters = [f"count(*) FILTER (WHERE c{at} IS NULL)" for at in range(20)]
    filters += [f"count(*) FILTER (WHERE c{at} NOT IN {tuple(range(at + 2))})" for at in range(20)]
    with connect(line.credentials(line.kitchen), application="benchmark") as session:
        session.execute("SET jit = off")
        plain = _best(lambda: session.query("SELECT count(*) FROM wide"), 3)
        scan = _best(lambda: session.query(f"SELECT count(*), {', '.join(filters)} FROM wide"), 3)
        singly = _best(lambda: [session.query(f"SELECT {one} FROM wide") for one in filters], 1) * 100 / len(filters)
    together = _best(evaluate, 3)
    told = (
        f"\n100 tests {together:.3f} s; their questions in one scan by hand {scan:.3f} s ({together / scan:.2f} times);"
    )
    told += f" singly {singly:.3f} s ({singly / together:.1f} times); a bare count(*) {plain:.3f} s"
    print(told)  # noqa: T201 - a benchmark is read
    assert together <= 2 * scan
    assert singly >= 4 * together


def test_a_sql_node_costs_little_more_than_its_query(line: Line) -> None:
    count = 40
    nodes = "".join(f"  n{at}: {{sql: a.sql, after: [n{at - 1}]}}\n" if at else "  n0: {sql: a.sql}\n"
                    for at in range(count))  # fmt: skip
    line.recipe(f"nodes:\n{nodes}", a_sql="SELECT count(*) FROM customer")
    line.run()

    def alone() -> None:
        with connect(line.credentials(line.kitchen), application="benchmark") as session:
            for _ in range(count):
                session.query("SELECT count(*) FROM customer")

    def one() -> None:
        assert line.run(nodes=["n0"]).state is RunState.PASSED

    def all_of_them() -> None:
        assert line.run().state is RunState.PASSED

    bare, first, whole = _best(alone, 3), _best(one, 3), _best(all_of_them, 3)
    overhead = (whole - first - bare) / (count - 1)
    print(f"\nSQL node: {overhead * 1000:.2f} ms over its query; a run of one node: {first * 1000:.0f} ms")  # noqa: T201 - a benchmark is read
    assert overhead <= 0.005
