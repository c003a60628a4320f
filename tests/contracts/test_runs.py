"""Running recipes on every supported server: nodes, hydrating, tests, retries, time limits, records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.domain.run import RunState
from kitchen.errors import InvalidInput
from tests.contracts.line import Line
from tests.support import Warehouse

ONE_NODE = "nodes:\n  a: {sql: a.sql}\n"


@pytest.fixture
def line(warehouse: Warehouse, tmp_path: Path) -> Iterator[Line]:
    made = Line(warehouse, tmp_path)
    yield made
    made.control.session.close()


def test_sql_nodes_run_in_the_order_of_what_they_read_and_write(line: Line) -> None:
    line.recipe(
        "nodes:\n  second: {sql: b.sql}\n  first: {sql: a.sql}\n",
        a_sql="DROP TABLE IF EXISTS segment_profit;\n"
        "CREATE TABLE segment_profit AS SELECT segment, sum(amount) AS profit FROM orders JOIN customer\n"
        "USING (customer_id) GROUP BY segment;",
        b_sql="DROP TABLE IF EXISTS best; CREATE TABLE best AS SELECT * FROM segment_profit ORDER BY profit DESC LIMIT 1",
    )
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert [(node.node, node.rows) for node in run.nodes] == [("first", 2), ("second", 1)]
    assert line.query("SELECT segment FROM profit.best") == [("private",)]
    assert line.run().state is RunState.PASSED  # again, over its own tables


def test_what_a_node_changes_is_hydrated_with_its_rows(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="UPDATE orders SET amount = 0 WHERE order_id <= 10")
    assert line.run().state is RunState.PASSED
    assert line.query("SELECT count(*), count(*) FILTER (WHERE amount = 0) FROM profit.orders") == [(1000, 10)]
    assert line.query("SELECT count(*) FILTER (WHERE amount = 0) FROM pantry_v1.orders") == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "TRUNCATE orders; INSERT INTO orders VALUES (1, 1, 1, now(), 'new')",
        "DELETE FROM orders; INSERT INTO orders VALUES (1, 1, 1, now(), 'new')",
        "DROP TABLE IF EXISTS orders; CREATE TABLE orders AS SELECT 1 AS order_id, 'new' AS status",
        "DROP TABLE orders; CREATE TABLE orders AS SELECT 1 AS order_id, 'new' AS status",
        "CREATE TABLE orders_new AS SELECT 1 AS order_id, 'new' AS status; DROP TABLE orders;"
        " ALTER TABLE orders_new RENAME TO orders",
    ],
)
def test_what_a_node_builds_anew_is_hydrated_without_rows(line: Line, sql: str) -> None:
    line.recipe(ONE_NODE, a_sql=sql)
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert any("without rows" in text for text in line.said)
    assert line.query("SELECT order_id, status FROM profit.orders") == [(1, "new")]
    assert line.query("SELECT count(*) FROM pantry_v1.orders") == [(1000,)]


def test_create_if_not_exists_never_makes_an_empty_shadow(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="CREATE TABLE IF NOT EXISTS orders (order_id int); ALTER TABLE orders ADD COLUMN x int")
    assert line.run().state is RunState.PASSED
    assert line.query("SELECT count(*), count(amount), count(x) FROM orders") == [(1000, 1000, 0)]


def test_creating_what_is_there_already_is_refused_before_anything_runs(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="SELECT 1;\nCREATE TABLE orders (i int)")
    with pytest.raises(InvalidInput, match=r"recipes/r/a.sql:2: node 'a' creates 'public.orders'") as caught:
        line.run()
    assert "DROP TABLE IF EXISTS orders" in (caught.value.hint or "")
    assert line.control.runs.all() == ()


def test_a_table_that_nobody_has_is_named_before_anything_runs(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="\nSELECT * FROM ordrs")
    with pytest.raises(InvalidInput, match=r"a.sql:2: node 'a' reads 'ordrs'.*did you mean 'orders'"):
        line.run()


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN UPDATE orders SET status = 'x' WHERE order_id = 1; END $$",
        "CREATE FUNCTION touch() RETURNS void LANGUAGE sql AS 'UPDATE orders SET status = ''x'' WHERE order_id = 1';"
        " SELECT touch()",
        "SELECT * FROM orders WHERE order_id = 1 FOR UPDATE; DO $$ BEGIN EXECUTE"
        " 'update orders set status = ''x'' where order_id = 1'; END $$",
        "DO $$ BEGIN EXECUTE 'upd' || 'ate orders set status = ''x'' where order_id = 1'; END $$",
    ],
)
def test_writes_that_cannot_be_seen_are_hydrated_after_the_server_refused_them(line: Line, sql: str) -> None:
    line.recipe(ONE_NODE, a_sql=sql)
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert line.query("SELECT status FROM profit.orders WHERE order_id = 1") == [("x",)]
    assert [node.attempt for node in run.nodes] == [1]


def test_a_write_that_cannot_be_found_ends_with_the_command_to_type(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="DO $$ BEGIN EXECUTE 'upd' || 'ate pantry_v1.orders set status = 1'; END $$")
    run = line.run()
    assert run.state is RunState.ERRORED
    assert "permission denied for table orders" in (run.message or "")
    assert "kitchen hydrate TABLE" in (run.message or "")


def test_a_failing_statement_undoes_its_node_and_names_file_and_line(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {sql: a.sql}\n  b: {sql: b.sql, after: [a]}\n",
        a_sql="CREATE TABLE made AS SELECT 1 AS i;\n\nSELECT nosuch FROM made",
        b_sql="SELECT 1",
    )
    run = line.run()
    assert run.state is RunState.ERRORED
    assert run.message == "node 'a': recipes/r/a.sql:3: column \"nosuch\" does not exist"
    assert [(node.node, node.state) for node in run.nodes] == [("a", RunState.ERRORED), ("b", RunState.SKIPPED)]
    assert line.query("SELECT to_regclass('made')") == [(None,)]


def test_settings_and_temporary_tables_of_one_node_do_not_reach_the_next(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {sql: a.sql}\n  b: {sql: b.sql, after: [a]}\n",
        a_sql="SET search_path = pg_catalog; CREATE TEMP TABLE customer AS SELECT 1 AS nothing; SELECT nothing FROM customer",
        b_sql="DROP TABLE IF EXISTS seen; CREATE TABLE seen AS SELECT count(segment) AS n, current_user::text AS who FROM customer",
    )
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert line.query("SELECT n, who FROM seen") == [(100, line.kitchen.owner_role)]
