"""Every kind of test, passing and failing, on every supported server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.recipe import Severity
from kitchen.domain.run import RunState
from kitchen.errors import InvalidInput
from tests.contracts.line import Line
from tests.support import Warehouse

# kind, settings, whether it passes, what it measures, what it expects
KINDS = [
    ("row_count", "{table: orders, min: 1000}", True, "1,000 rows", "at least 1,000 rows"),
    ("row_count", "{table: orders, min: 1001}", False, "1,000 rows", "at least 1,001 rows"),
    ("row_count", "{table: orders, max: 999}", False, "1,000 rows", "at most 999 rows"),
    ("row_count", "{table: public.orders, min: 1000, max: 1000}", True, "1,000 rows", "exactly 1,000 rows"),
    ("not_null", "{table: orders, columns: [order_id, amount]}", True, "no NULL", "no NULL"),
    ("not_null", "{table: odd, columns: [Name, n]}", False, "1 NULL in Name", "no NULL"),
    ("unique", "{table: orders, columns: [order_id]}", True, "0 values more than once", "every value once"),
    ("unique", "{table: orders, columns: [customer_id, status]}", False, "100 values more than once",
     "every value once"),
    ("unique", "{table: odd, columns: [Name]}", True, "0 values more than once", "every value once"),
    ("accepted_values", "{table: customer, column: segment, values: [private, business]}", True,
     "0 rows with another value", "only private, business"),
    ("accepted_values", "{table: customer, column: segment, values: [private]}", False,
     "33 rows with another value", "only private"),
    ("accepted_values", "{table: odd, column: n, values: [1, 2]}", True, "0 rows with another value", "only 1, 2"),
    ("relationship", "{table: orders, column: customer_id, to: customer.customer_id}", True,
     "0 rows without a match", "every value in customer.customer_id"),
    ("relationship", "{table: orders, column: order_id, to: public.customer.customer_id}", False,
     "900 rows without a match", "every value in public.customer.customer_id"),
    ("freshness", "{table: orders, column: ordered_at, max_age: 2h}", True, "1:00:0", "not older than 2:00:00"),
    ("freshness", "{table: orders, column: ordered_at, max_age: 30m}", False, "1:00:0", "not older than 0:30:00"),
    ("freshness", "{table: odd, column: at, max_age: 30m}", False, "no value at all", "not older than 0:30:00"),
    ("sql", "{query: select order_id from orders where amount < 0}", True, "0 rows", "no row"),
    ("sql", "{query: 'select order_id, amount from public.orders where amount <= :most -- comment'}", False, "3 rows",
     "no row"),
    ("sql", "{query: select 1 from orders}", False, "more than 100 rows", "no row"),
]  # fmt: skip


@pytest.fixture
def line(warehouse: Warehouse, tmp_path: Path) -> Iterator[Line]:
    made = Line(warehouse, tmp_path)
    with made.superuser() as session:
        session.execute(
            'CREATE TABLE pantry_v1.odd AS SELECT NULL AS "Name", 1 AS n, NULL::date AS at'
            " UNION ALL SELECT 'x', 2, NULL;"
            "GRANT SELECT ON pantry_v1.odd TO PUBLIC"
        )
    yield made
    made.control.session.close()


def _recipe(line: Line, tests: list[str], *, when: str = "after", sql: str = "SELECT 1") -> None:
    listed = "".join(f"      - {test}\n" for test in tests)
    line.recipe(f"parameters: {{most: 3}}\nnodes:\n  a: {{sql: a.sql}}\ntests:\n  a:\n    {when}:\n{listed}", a_sql=sql)


def test_every_kind_passes_and_fails_with_what_it_measured(line: Line) -> None:
    _recipe(line, [f"{kind}: {settings}" for kind, settings, *_ in KINDS])
    run = line.test()
    assert run.state is RunState.FAILED
    assert line.control.runs.get(str(run.id)) is not None
    for result, (kind, settings, passed, measured, expected) in zip(run.tests, KINDS, strict=True):
        said = f"{kind} {settings}: {result}"
        assert (result.kind, result.passed, result.error) == (kind, passed, None), said
        assert result.measured.startswith(measured), said
        assert result.expected == expected, said
        assert not (passed and result.sample), said
        assert 1 <= len(result.sample) <= 5 or passed or kind in ("row_count", "freshness"), said
    assert {"order_id": 1, "amount": 1} in run.tests[18].sample


def test_a_test_that_cannot_be_asked_spoils_no_other(line: Line) -> None:
    _recipe(
        line,
        [
            "not_null: {table: orders, columns: [nosuch]}",
            "not_null: {table: orders, columns: [order_id]}",
            "accepted_values: {table: odd, column: n, values: [abc]}",
            "row_count: {table: odd, min: 1}",
            "sql: {query: select 1/0}",
            "unique: {table: orders, columns: [nosuch]}",
            "spc: {table: odd, metric: avg, column: at, severity: warn}",
        ],
    )
    run = line.test()
    assert run.state is RunState.ERRORED
    assert [result.passed for result in run.tests] == [False, True, False, True, False, False, False]
    assert run.tests[0].error == 'column "nosuch" does not exist'
    assert "function avg(date) does not exist" in str(run.tests[6].error)


def test_stop_ends_the_run_and_warn_and_log_do_not(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {sql: a.sql}\n  b: {sql: a.sql, after: [a]}\n  c: {sql: a.sql, after: [b]}\ntests:\n"
        "  a: {after: [{row_count: {table: orders, max: 1, severity: warn}}]}\n"
        "  b: {before: [{row_count: {table: orders, max: 1, severity: log}}, {row_count: {table: orders, max: 2}}]}\n",
        a_sql="SELECT 1",
    )
    run = line.run()
    assert run.state is RunState.FAILED
    assert [(node.node, node.state) for node in run.nodes] == [
        ("a", RunState.PASSED),
        ("b", RunState.FAILED),
        ("c", RunState.SKIPPED),
    ]
    assert run.message == "node 'b', before: test row_count orders 2: measured 1,000 rows, expected at most 2 rows"
    assert [result.severity for result in run.tests] == [Severity.WARN, Severity.LOG, Severity.STOP]
    assert any(text.startswith("warn: row_count orders") for text in line.said)


def test_tests_see_the_kitchens_own_table_first(line: Line) -> None:
    _recipe(line, ["row_count: {table: orders, max: 1}"], sql="DELETE FROM orders; INSERT INTO orders VALUES (1)")
    assert line.run().state is RunState.PASSED


def test_a_sql_test_cannot_write(line: Line) -> None:
    _recipe(line, ["sql: {query: 'with w as (insert into mine values (1) returning i) select i from w'}"],
            sql="CREATE TABLE IF NOT EXISTS mine (i int)")  # fmt: skip
    run = line.run()
    assert run.state is RunState.ERRORED
    assert "is one query" in str(run.tests[0].error)
    _recipe(line, ["sql: {query: select hide()}"], sql="CREATE TABLE IF NOT EXISTS mine (i int); CREATE OR REPLACE"
            " FUNCTION hide() RETURNS int LANGUAGE sql AS 'INSERT INTO mine VALUES (1) RETURNING 1'")  # fmt: skip
    run = line.run()
    assert "read-only transaction" in str(run.tests[0].error)
    assert line.query("SELECT count(*) FROM mine") == [(0,)]


def test_a_test_of_a_table_that_nobody_has_is_found_before_anything_runs(line: Line) -> None:
    for test in ("row_count: {table: ordrs, min: 1}", "sql: {query: select 1 from ordrs}",
                 "relationship: {table: orders, column: customer_id, to: ordrs.i}"):  # fmt: skip
        _recipe(line, [test])
        with pytest.raises(InvalidInput, match=r"'ordrs'.*did you mean 'orders'"):
            line.run()


def test_questions_about_one_table_share_one_scan(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = [f"not_null: {{table: orders, columns: [{column}]}}" for column in ("order_id", "amount", "status")]
    _recipe(line, [*tests, "row_count: {table: orders, min: 1}", *tests])
    asked: list[str] = []
    query = PgSession.query

    def counted(session: PgSession, statement: str, parameters: object = None) -> object:
        asked.append(statement)
        return query(session, statement, parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(PgSession, "query", counted)
    assert line.test().state is RunState.PASSED
    scans = [statement for statement in asked if '"pantry_v1"."orders"' in statement]
    assert len(scans) == 1
    assert scans[0].count("count(") == 4


def test_a_control_chart_learns_and_then_judges(line: Line) -> None:
    tests = ["spc: {table: mine}", "spc: {table: mine, metric: avg, column: i, severity: warn}"]
    _recipe(line, tests, sql="TRUNCATE mine; INSERT INTO mine SELECT n FROM generate_series(1, :most * 10) AS n")
    with line.superuser() as session:
        session.execute("CREATE TABLE pantry_v1.mine (i int); GRANT SELECT ON pantry_v1.mine TO PUBLIC")
    for at in range(8):
        run = line.run(overrides={"most": 100 + at % 3})
        assert run.state is RunState.PASSED
        assert run.tests[0].expected == f"anything: training, {at} of 8 runs"
    run = line.run(overrides={"most": 50})
    assert run.state is RunState.FAILED
    assert [(test.measured, test.passed) for test in run.tests] == [("500", False), ("250.5", False)]
    assert run.tests[0].expected.endswith("after 8 runs")
    assert line.run(overrides={"most": 101}).state is RunState.PASSED  # what was out of control is no history
    assert line.run(overrides={"most": 50}).state is RunState.FAILED


# --- units: given and expected rows of single nodes -------------------------------------------------------------------

UNITS = """\
nodes:
  profit:
    - name: sums by segment
      given:
        orders:
          - {order_id: 1, customer_id: 1, amount: 10, status: paid}
          - {order_id: 2, customer_id: 1, amount: 2.50, status: paid}
          - {order_id: 3, customer_id: 2, amount: 7, status: cancelled}
        public.customer: [{customer_id: 1, segment: gold}, {customer_id: 2, segment: gold}]
      expect:
        profit: [{segment: gold, profit: 12.5}]
    - name: nothing comes of nothing
      given: {}
      expect: {profit: []}
    - name: is wrong on purpose
      given:
        orders: [{order_id: 1, customer_id: 1, amount: 10, status: late}]
        customer: [{customer_id: 1, segment: a}]
      parameters: {wanted: late}
      expect: {profit: [{segment: a, profit: 11}]}
    - name: cannot be run
      given: {orders: [{nosuch: 1}]}
      expect: {profit: []}
  mark:
    - name: changes what is there
      given: {orders: [{order_id: 1, status: old}, {order_id: 2, status: old}]}
      expect: {orders: [{order_id: 1, status: old}, {order_id: 2, status: "it's"}]}
"""


def test_units_run_single_nodes_on_given_rows_and_leave_nothing(line: Line) -> None:
    line.recipe(
        "parameters: {wanted: paid}\nunits: units.yaml\nnodes:\n  profit: {sql: a.sql}\n  mark: {sql: b.sql}\n",
        units_yaml=UNITS,
        a_sql="DROP TABLE IF EXISTS profit; CREATE TABLE profit AS SELECT c.segment, sum(orders.amount) AS profit"
        " FROM public.orders JOIN customer AS c USING (customer_id) WHERE orders.status = :wanted GROUP BY 1;"
        " CREATE UNIQUE INDEX ON profit (segment)",
        b_sql="UPDATE public.orders SET status = 'it''s' WHERE public.orders.order_id = 2",
    )
    run = line.test()
    assert run.state is RunState.FAILED
    told = {result.test: (result.passed, result.error or result.measured) for result in run.tests}
    assert told == {
        "sums by segment": (True, "the rows as expected"),
        "nothing comes of nothing": (True, "the rows as expected"),
        "is wrong on purpose": (False, "1 missing in profit, 1 unexpected in profit"),
        "cannot be run": (False, 'column "nosuch" of relation "orders" does not exist'),
        "changes what is there": (True, "the rows as expected"),
    }
    wrong = next(result for result in run.tests if result.test == "is wrong on purpose")
    assert wrong.sample == (
        {"_": "missing in profit", "segment": "a", "profit": 11},
        {"_": "unexpected in profit", "segment": "a", "profit": 10},
    )
    assert line.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'profit'") == [(0,)]
    assert line.query("SELECT count(*) FROM orders") == [(1000,)]


def test_units_of_what_is_not_in_the_recipe_are_named_with_their_line(line: Line) -> None:
    yaml = "units: units.yaml\nnodes:\n  a: {sql: a.sql}\n"
    for units, words in (
        ("nodes:\n  b: [{name: x, given: {}, expect: {t: []}}]\n", r"units.yaml:2: nodes.b: there is no SQL node 'b'"),
        ("nodes:\n  a: [{name: x, gven: {}, expect: {t: []}}]\n", r"units.yaml:2: .*unknown key; did you mean 'given'"),
        (
            "nodes:\n  a:\n    - name: x\n      given: {}\n      expect: {t: [{a: 1}, {b: 1}]}\n",
            r"units.yaml:5: .*same col",
        ),
    ):
        line.recipe(yaml, units_yaml=units, a_sql="SELECT 1")
        with pytest.raises(InvalidInput, match=words):
            line.test()
