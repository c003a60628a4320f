"""Errors of nodes and tests where rows are not masked: what went wrong, on which named thing, and no value of a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from kitchen.adapters.postgres.connection import connect, detail_of
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.kitchen import pantry_reader_role
from kitchen.domain.run import RunState
from kitchen.errors import KitchenError
from tests.contracts.line import Line
from tests.support import Warehouse

WHO = "Zephyrine"
PEOPLE = """
CREATE TABLE {pantry}.people (id int, name text, sums text);
INSERT INTO {pantry}.people VALUES (1, 'Zephyrine', 'say "Zephyrine" twice'), (47110815, 'Zephyrine', NULL);
GRANT SELECT ON {pantry}.people TO {reader};
"""
RECORDS = """
SELECT jsonb_agg(r)::text FROM kitchen_control.run AS r UNION ALL
SELECT jsonb_agg(n)::text FROM kitchen_control.node_run AS n UNION ALL
SELECT jsonb_agg(a)::text FROM kitchen_control.audit AS a UNION ALL
SELECT jsonb_agg(t)::text FROM kitchen_control.test_result AS t
"""
DYNAMIC = "DO $$ DECLARE who text; BEGIN SELECT name INTO who FROM people LIMIT 1; {}; END $$"
CASES = {  # statement: what is said
    "CREATE TABLE x (who text CONSTRAINT once UNIQUE); INSERT INTO x SELECT name FROM people":
        'duplicate key value violates unique constraint "once" (23505, table x)',
    "CREATE TABLE x (who text NOT NULL); INSERT INTO x SELECT sums FROM people":
        'null value in column "who" of relation "x" violates not-null constraint (23502)',
    "CREATE TABLE x (who text CONSTRAINT short CHECK (length(who) < 3)); INSERT INTO x SELECT name FROM people":
        'new row for relation "x" violates check constraint "short" (23514)',
    "CREATE TABLE y (k text PRIMARY KEY); CREATE TABLE x (who text CONSTRAINT to_y REFERENCES y); "
    "INSERT INTO x SELECT name FROM people":
        'insert or update on table "x" violates foreign key constraint "to_y" (23503)',
    "CREATE TABLE x (who varchar(3)); INSERT INTO x SELECT name FROM people":
        "value too long for type character varying(3) (22001)",
    "SELECT name::int FROM people": 'invalid input syntax for type integer: "…" (22P02)',
    "SELECT name::date FROM people": 'invalid input syntax for type date: "…" (22007)',
    "SELECT sums::numeric FROM people": 'invalid input syntax for type numeric: "…" (22P02)',
    "SELECT name::json FROM people": "invalid input syntax for type json (22P02)",
    "SELECT id::smallint FROM people": "smallint out of range (22003)",
    "SELECT id::text::smallint FROM people": 'value "…" is out of range for type smallint (22003)',
    "SELECT percentile_cont(id) WITHIN GROUP (ORDER BY 1) FROM people GROUP BY id":
        "percentile value … is not between … and … (22003)",
    "SELECT id / 0 FROM people": "division by zero (22012)",
    "SELECT name::regclass FROM people": 'relation "…" does not exist (42P01)',
    "SELECT nosuch FROM people": 'column "nosuch" does not exist',
    "ALTER TABLE people ADD COLUMN name int": 'column "name" of relation "people" already exists',
    DYNAMIC.format("RAISE EXCEPTION 'what to do with %?', who"):
        "RaiseException (P0001), in words that may hold rows",
    DYNAMIC.format("RAISE unique_violation USING MESSAGE = 'not ' || who, TABLE = who"):
        "UniqueViolation (23505), in words that may hold rows",
    DYNAMIC.format("EXECUTE format('SELECT %I', who)"): 'column "…" does not exist (42703)',
    DYNAMIC.format("EXECUTE 'CREATE TABLE ' || who || ' (i int, i int)'"):
        'column "i" specified more than once',
}  # fmt: skip
ASKED = f"""
nodes: {{a: {{sql: a.sql}}}}
tests:
  a:
    before:
      - sql: {{query: "SELECT * FROM people WHERE name::int > 1"}}
      - accepted_values: {{table: people, column: id, values: [{WHO}]}}
"""


@pytest.fixture
def line(warehouse: Warehouse, tmp_path: Path) -> Iterator[Line]:
    made = Line(warehouse, tmp_path)
    with made.superuser() as session:
        session.execute(PEOPLE.format(pantry="pantry_v1", reader=pantry_reader_role("dev", 1)))
    yield made
    made.control.session.close()


@pytest.fixture
def unmasked(line: Line) -> Line:
    """Return the same place, as the top of a chain is wired: its rows are production's own."""
    line.layout = replace(line.layout, holds_production=True)
    line.sessions = PgSessions(lambda: line.warehouse.administrator, discreet=True)
    return line


def records(line: Line) -> str:
    """Return all that was said and kept."""
    with line.superuser() as session:
        kept = [str(row[0]) for row in session.query(RECORDS)]
    return "\n".join([*line.said, *kept])


def message(line: Line, statement: str) -> str:
    line.recipe("nodes: {a: {sql: a.sql}}\n", a_sql=statement)
    run = line.run()
    assert run.state is RunState.ERRORED, statement
    return (run.message or "").removeprefix("node 'a': recipes/r/a.sql:1: ")


def test_no_error_of_a_statement_quotes_a_row_that_is_not_masked(unmasked: Line) -> None:
    said = {statement: message(unmasked, statement) for statement in CASES}
    assert said == CASES
    for value in (WHO, WHO.lower(), "47110815", "twice"):
        assert value not in records(unmasked)


def test_over_masked_data_the_server_says_it_in_its_own_words(line: Line) -> None:
    assert message(line, "SELECT sums::int FROM people") == (
        'invalid input syntax for type integer: "say "Zephyrine" twice"'
    )
    assert message(line, DYNAMIC.format("RAISE EXCEPTION 'what to do with %?', who")) == "what to do with Zephyrine?"


def test_what_is_written_below_is_found_from_the_servers_words_all_the_same(unmasked: Line) -> None:
    unmasked.recipe("nodes: {a: {sql: a.sql}}\n", a_sql="DO $$ BEGIN EXECUTE 'upd' || 'ate people set id = 1'; END $$")
    assert unmasked.run().state is RunState.PASSED


def test_a_test_that_cannot_be_asked_says_no_value(unmasked: Line) -> None:
    unmasked.recipe(ASKED, a_sql="SELECT 1")
    run = unmasked.run()
    assert run.state is RunState.ERRORED
    assert 'invalid input syntax for type integer: "…" (22P02)' in str(run.message)
    assert WHO not in (run.message or "")


def test_an_error_at_the_end_of_a_transaction_says_no_value(unmasked: Line) -> None:
    text = """
    CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'late: %', new.who; END $f$;
    CREATE TABLE x (who text); CREATE CONSTRAINT TRIGGER late AFTER INSERT ON x DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION late();
    INSERT INTO x SELECT name FROM people;
    """
    unmasked.recipe("nodes: {a: {sql: a.sql, writes: [x]}}\n", a_sql=text)
    run = unmasked.run()
    assert run.message == "node 'a': commit: RaiseException (P0001), in words that may hold rows"


def test_the_last_line_of_a_program_stays_in_its_log(line: Line, unmasked: Line) -> None:
    unmasked.recipe("nodes: {a: {python: a.py}}\n", a_py=f"raise SystemExit('no such customer: {WHO}')")
    run = unmasked.run()
    assert WHO in run.nodes[0].log
    assert f"ended with status 1; what it printed is in its log (try: kitchen runs logs {run.id})" in str(run.message)
    assert WHO not in str(run.message)


def test_what_our_own_functions_refuse_is_said_whole(unmasked: Line) -> None:
    unmasked.control.audit.intent("run", "profit", {})
    with (
        unmasked.sessions.as_administrator() as session,
        pytest.raises(KitchenError, match="statement: the audit is append-only: DELETE refused"),
    ):
        session.execute("DELETE FROM kitchen_control.audit")


@pytest.mark.parametrize("discreet", [True, False])
def test_the_detail_of_an_error_of_rows_is_for_masked_data_only(line: Line, *, discreet: bool) -> None:
    statement = "CREATE TEMP TABLE x (who text UNIQUE); INSERT INTO x SELECT name FROM people"
    with connect(line.credentials(line.kitchen), application="tests", discreet=discreet) as session:
        with session.connection.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
            cursor.execute(statement)
        assert (WHO in detail_of(caught.value)) is not discreet
