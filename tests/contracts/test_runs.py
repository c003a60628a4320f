"""Running recipes on every supported server: nodes, hydrating, tests, retries, time limits, records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.domain.run import RunState
from kitchen.errors import Conflict, InvalidInput, NotFound
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
        b_sql="DROP TABLE IF EXISTS best;"
        "CREATE TABLE best AS SELECT * FROM segment_profit ORDER BY profit DESC LIMIT 1",
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
        """CREATE TABLE orders_new AS SELECT 1 AS order_id, 'new' AS status;
        DROP TABLE orders; ALTER TABLE orders_new RENAME TO orders""",
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
        """CREATE FUNCTION touch() RETURNS void LANGUAGE sql AS 'UPDATE orders SET status = ''x'' WHERE order_id = 1';
        SELECT touch()""",
        """SELECT * FROM orders WHERE order_id = 1 FOR UPDATE;
        DO $$ BEGIN EXECUTE 'update orders set status = ''x'' where order_id = 1'; END $$""",
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
        a_sql="SET search_path = pg_catalog; CREATE TEMP TABLE customer AS SELECT 1 AS nothing;"
        "SELECT nothing FROM customer",
        b_sql="DROP TABLE IF EXISTS seen;"
        "CREATE TABLE seen AS SELECT count(segment) AS n, current_user::text AS who FROM customer",
    )
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert line.query("SELECT n, who FROM seen") == [(100, line.kitchen.owner_role)]


# --- programs ---------------------------------------------------------------------------------------------------------

CONNECT = "import psycopg2\ncursor = psycopg2.connect('').cursor()\n"


def test_a_python_node_finds_the_kitchen_and_writes_what_it_declares(line: Line) -> None:
    line.recipe(
        "parameters: {as_of: 2026-01-01}\nnodes:\n  a: {python: a.py, writes: [orders]}\n  b: {sql: b.sql}\n",
        a_py=CONNECT + "import json, os\n"
        "cursor.execute(\"update orders set status = %s where order_id = 1\", ('by python',))\n"
        "cursor.connection.commit()\n"
        "cursor.execute('show application_name')\n"
        "print(cursor.fetchone()[0], json.loads(os.environ['KITCHEN_PARAMETERS']), os.environ['KITCHEN_SCHEMA'])\n"
        "print(open('recipe.yaml').read()[:10])\n",
        b_sql="DROP TABLE IF EXISTS done; CREATE TABLE done AS SELECT status FROM orders WHERE order_id = 1",
    )
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert line.query("SELECT status FROM done") == [("by python",)]
    assert run.nodes[0].log == "kitchen profit r/a {'as_of': '2026-01-01'} profit\nparameters\n"
    assert "  a | parameters" in line.said


def test_a_program_gets_no_secret_that_it_did_not_ask_for(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the person who types")
    line.secrets.write("api", {"token": "tök/en value"})
    line.recipe(
        "nodes:\n  a: {python: a.py}\n  b: {python: b.py, secrets: [api#token], after: [a]}\n",
        a_py="import os\nprint([n for n in os.environ if 'SECRET' in n or 'PASSWORD' in n])",
        b_py="import base64, json, os, urllib.parse\ntoken = os.environ['KITCHEN_SECRET_API_TOKEN']\n"
        "assert len(token) == 12\n"
        "for text in (token, urllib.parse.quote(token), json.dumps(token), repr(token),\n"
        "             base64.b64encode(b'user:' + token.encode()).decode()): print('it is', text)\n"
        "raise SystemExit('over: ' + token)",
    )
    run = line.run()
    assert run.nodes[0].log == "[]\n"
    kept = line.control.session.query("SELECT log || message FROM kitchen_control.node_run WHERE node = 'b'")[0][0]
    for text in (kept, run.message or "", *line.said):
        assert "en value" not in text
        assert "en%20value" not in text
        assert "ZW4gdmFsdW" not in text
    assert kept.count("***") >= 6
    assert run.state is RunState.ERRORED


def test_a_secret_that_nobody_has_ends_it_before_anything_runs(line: Line) -> None:
    line.recipe("nodes:\n  a: {python: a.py, secrets: [api#token]}\n", a_py="print(1)")
    with pytest.raises(NotFound, match="needs the secret 'api'"):
        line.run()


def test_a_failing_program_is_tried_again_as_often_as_told(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {python: a.py, retries: 1}\n",
        a_py="import pathlib, sys\nseen = pathlib.Path('seen')\n"
        "if not seen.exists():\n    seen.touch()\n    sys.exit('not yet')\nprint('now')",
    )
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert [(node.attempt, node.state, node.log) for node in run.nodes] == [
        (1, RunState.ERRORED, "not yet\n"),
        (2, RunState.PASSED, "now\n"),
    ]


def test_a_program_past_its_time_is_ended_with_all_it_started(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {python: a.py, timeout: 1s}\n",
        a_py="import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)\ntime.sleep(60)",
    )
    run = line.run()
    assert run.state is RunState.ERRORED
    assert "time limit of 1 s" in (run.message or "")
    state = Path("/proc", run.nodes[0].log.strip(), "stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_statement_past_its_time_is_ended(line: Line) -> None:
    line.recipe("nodes:\n  a: {sql: a.sql, timeout: 1s}\n", a_sql="SELECT pg_sleep(30)")
    run = line.run()
    assert run.state is RunState.ERRORED
    assert "statement timeout" in (run.message or "")


def test_a_program_that_leaves_others_behind_is_not_waited_for(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {command: [sh, -c, 'sleep 60 & echo started; exit 3']}\n",
    )
    run = line.run()
    assert run.message == "node 'a': ended with status 3: started"


def test_a_container_node_says_that_there_is_no_engine(line: Line) -> None:
    line.recipe(f"nodes:\n  a: {{container: {{image: 'x@sha256:{'0' * 64}'}}}}\n")
    run = line.run()
    assert run.state is RunState.ERRORED
    assert "needs containers" in (run.message or "")


def test_a_program_that_is_not_there_is_named(line: Line) -> None:
    line.recipe("nodes:\n  a: {command: [no-such-program]}\n")
    assert line.run().message == "node 'a': there is no program 'no-such-program' on the path of the node"


# --- parameters, selection, standing kitchens -------------------------------------------------------------------------


def test_parameters_are_put_in_as_literals(line: Line) -> None:
    line.recipe(
        "parameters: {who: nobody, least: 1}\nvariations: {big: {parameters: {least: 999}}}\n" + ONE_NODE,
        a_sql="DROP TABLE IF EXISTS got; CREATE TABLE got AS SELECT :who::text AS who, ':who' AS text,"
        " (ARRAY[1,2,3])[1:2] AS slice, count(*) AS n FROM orders WHERE amount >= :least",
    )
    hostile = "'; DROP TABLE customer; --\\"
    assert line.run(variation="big", overrides={"who": hostile}).state is RunState.PASSED
    assert line.query("SELECT who, text, slice, n FROM got") == [(hostile, ":who", [1, 2], 2)]
    with pytest.raises(InvalidInput, match="no variation 'bigg'; did you mean 'big'"):
        line.run(variation="bigg")
    with pytest.raises(InvalidInput, match="no parameter 'whoo'; did you mean 'who'"):
        line.run(overrides={"whoo": 1})


def test_only_named_nodes_run(line: Line) -> None:
    line.recipe("nodes:\n  a: {sql: a.sql}\n  b: {sql: b.sql}\n", a_sql="SELECT 1", b_sql="SELECT 1")
    assert [node.node for node in line.run(nodes=["b"]).nodes] == ["b"]
    with pytest.raises(InvalidInput, match="no node 'c'"):
        line.run(nodes=["c"])


def test_a_once_node_runs_once(line: Line) -> None:
    once = "nodes:\n  a: {sql: a.sql, once: true}\n  b: {sql: b.sql, after: [a]}\n"
    line.recipe(once, a_sql="CREATE TABLE grown AS SELECT 1 AS i", b_sql="SELECT * FROM grown")
    states = []
    for kitchen in (line.kitchen, line.kitchen, line.standing, line.standing):
        run = line.run(kitchen=kitchen)
        assert run.state is RunState.PASSED, run.message
        states.append(run.nodes[0].state)
    assert states == [RunState.PASSED, RunState.SKIPPED, RunState.PASSED, RunState.SKIPPED]
    line.recipe(once, a_sql="ALTER TABLE grown ADD COLUMN j int", b_sql="SELECT 1")
    assert line.run().nodes[0].state is RunState.SKIPPED  # it is done where the kitchen's branch came from
    line.recipe(
        once.replace("a:", "c:").replace("[a]", "[c]"), a_sql="ALTER TABLE grown ADD COLUMN j int", b_sql="SELECT 1"
    )
    assert [line.run().nodes[0].state for _ in range(2)] == [RunState.PASSED, RunState.SKIPPED]
    line.recipe(
        once.replace("a:", "c:").replace("[a]", "[c]"), a_sql="ALTER TABLE grown ADD COLUMN k int", b_sql="SELECT 1"
    )
    assert line.run().nodes[0].state is RunState.PASSED  # it is another migration now
    again = line.run(nodes=["c"])
    assert (again.state, again.nodes[0].state) == (RunState.ERRORED, RunState.ERRORED)
    assert 'column "k" of relation "grown" already exists' in (again.message or "")


def test_in_a_standing_kitchen_a_node_whose_tests_fail_is_never_seen(line: Line) -> None:
    line.recipe(
        "nodes:\n  a: {sql: a.sql}\ntests:\n  a:\n    after:\n      - row_count: {table: made, min: 2}\n"
        "      - not_null: {table: nosuch, columns: [i]}\n".replace("nosuch", "made"),
        a_sql="DROP TABLE IF EXISTS made; CREATE TABLE made AS SELECT 1 AS i",
    )
    for kitchen, there in ((line.standing, None), (line.kitchen, "made")):
        run = line.run(kitchen=kitchen)
        assert run.state is RunState.FAILED
        assert [node.state for node in run.nodes] == [RunState.FAILED]
        assert line.query("SELECT to_regclass('made')::text") == [(there,)]


def test_two_runs_of_one_recipe_in_one_kitchen_do_not_meet(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="SELECT 1")
    with line.control.locks.hold("run/profit/r", purpose="test"), pytest.raises(Conflict):
        line.run()


def test_a_run_whose_process_is_gone_is_shown_as_ended(line: Line) -> None:
    line.recipe(ONE_NODE, a_sql="SELECT 1")
    run = line.run()
    assert line.control.runs.get(str(run.id)[:8]) is not None
    with line.superuser() as session:
        session.execute("UPDATE kitchen_control.run SET state = 'running', backend_pid = 1")
    lost = line.control.runs.all()[0]
    assert (lost.state, lost.message) == (RunState.ERRORED, "the process that ran it is gone")


# --- several schemas --------------------------------------------------------------------------------------------------


def test_qualified_names_follow_their_own_schema(warehouse: Warehouse, tmp_path: Path) -> None:
    line = Line(warehouse, tmp_path, logical=("raw", "marts"))
    line.recipe(
        "nodes:\n  a: {sql: a.sql}\n  b: {sql: b.sql}\ntests:\n"
        "  b: {after: [{row_count: {table: marts.profit, min: 1}},"
        " {sql: {query: 'select 1 from marts.orders where status is null'}}]}\n",
        a_sql="UPDATE marts.orders SET status = 'late' WHERE marts.orders.order_id = 1;\n"
        "DELETE FROM raw.customer WHERE customer_id NOT IN (SELECT customer_id FROM raw.orders WHERE order_id < 4)",
        b_sql="DROP TABLE IF EXISTS marts.profit;\nCREATE TABLE marts.profit AS\nSELECT c.segment, marts.orders.status,"
        " count(*) AS n FROM marts.orders JOIN raw.customer AS c USING (customer_id) GROUP BY 1, 2",
    )
    run = line.run()
    assert run.state is RunState.PASSED, run.message
    assert line.query("SELECT schemaname::text, tablename::text FROM pg_tables WHERE schemaname LIKE 'profit%'"
                      " ORDER BY 1, 2") == [
        ("profit__marts", "orders"), ("profit__marts", "profit"), ("profit__raw", "customer"),
    ]  # fmt: skip
    assert line.query("SELECT sum(n), count(*) FILTER (WHERE status = 'late') FROM profit__marts.profit") == [(30, 1)]
    line.recipe(ONE_NODE, a_sql="SELECT * FROM orders")
    with pytest.raises(InvalidInput, match=r"a.sql:1: 'orders' is in several schemas"):
        line.run()
    line.recipe(ONE_NODE, a_sql="SELECT * FROM pantry_v1__raw.orders")
    with pytest.raises(InvalidInput, match=r"in no schema of the environment \(it has: raw, marts\)"):
        line.run()
    line.control.session.close()
