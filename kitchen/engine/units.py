"""Tests single SQL nodes on given rows: temporary tables stand in for every table, and nothing stays.

The node's own statements run, with each table name put to ``pg_temp``; so whatever SQL a node uses can be tested. A
table that is there gives the columns and their types; one that no case gives rows is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

from kitchen.domain.layout import TableName
from kitchen.domain.recipe import Severity, UnitTest
from kitchen.domain.run import TestResult
from kitchen.engine.compile import Places
from kitchen.engine.mentions import Mention, Reading, Use
from kitchen.engine.naming import Names, parse_name
from kitchen.engine.plan import Plan, PlannedNode, plan
from kitchen.engine.statements import identifier, literal
from kitchen.errors import KitchenError, Unavailable
from kitchen.ports import Session

TIMEOUT = 60_000  # milliseconds for one statement of a case
SHOWN = 5


class _Undo(Exception):
    """Ends a case; all that it made is rolled back."""


def evaluate_units(session: Session, planned: Plan, places: Places) -> tuple[TestResult, ...]:
    """Return the result of every case of a recipe; one that cannot be run has an error and spoils no other.

    Raises Unavailable where the server is gone.
    """
    return tuple(_case(session, planned, places, unit) for unit in planned.recipe.units)


def _case(session: Session, planned: Plan, places: Places, unit: UnitTest) -> TestResult:
    result = TestResult(unit.node, "unit", unit.name, "unit", Severity.STOP, False, "", "the rows as expected")
    try:
        with _taken_back(session):
            node = _node(planned, places, unit)
            _make_tables(session, planned.names, node, places, unit)
            for reading in node.readings:
                session.execute(_in_temporary(reading, node.tables))
            differing = list(_differences(session, unit))
            found = replace(
                result,
                passed=not differing,
                measured=", ".join(f"{len(rows)} {how} in {table}" for table, how, rows in differing)
                or "the rows as expected",
                sample=tuple(
                    {"_": f"{how} in {table}", **row} for table, how, rows in differing for row in rows[:SHOWN]
                ),
            )
            raise _Undo
    except _Undo:
        return found
    except Unavailable:
        raise
    except KitchenError as wrong:
        return replace(result, error=wrong.message.removeprefix("statement: ").removeprefix("query: "))


@contextmanager
def _taken_back(session: Session) -> Iterator[None]:
    with session.transaction():
        session.execute(f"SET LOCAL jit = off; SET LOCAL statement_timeout = {TIMEOUT}")
        yield


def _node(planned: Plan, places: Places, unit: UnitTest) -> PlannedNode:
    """Plan the node with the case's own parameters."""
    if not unit.parameters:
        return planned.node(unit.node)
    alone = replace(planned.recipe, parameters={**planned.parameters, **unit.parameters}, variations={}, units=())
    promised = [table for node in planned.nodes for table in node.writes]
    return plan(alone, places.layer.layout, planned.names.known, promised=promised).node(unit.node)


def _make_tables(session: Session, names: Names, node: PlannedNode, places: Places, unit: UnitTest) -> None:
    given = {names.place(parse_name(text), where=unit.name): rows for text, rows in unit.given.items()}
    touched = set(node.tables.values()) - node.touches.creates
    for table in sorted(touched | given.keys(), key=str):
        rows = given.get(table, ())
        _make(session, table, places, rows)
        for row in rows:
            columns = ", ".join(identifier(column) for column in row)
            values = ", ".join(_value(value) for value in row.values())
            session.execute(f"INSERT INTO {_temporary(table)} ({columns}) VALUES ({values})")


def _make(session: Session, table: TableName, places: Places, rows: Sequence[Mapping[str, object]]) -> None:
    name = identifier(table.name)
    if table in places.relations:
        there = places.find(table)
        source = f"{identifier(there.schema)}.{identifier(there.name)}"
        session.execute(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT * FROM {source} WHERE false")
    elif rows:
        kinds = {column: _kind(value) for row in rows for column, value in row.items() if value is not None}
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in kinds.items())
        session.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")


def _in_temporary(reading: Reading, tables: Mapping[Mention, TableName]) -> str:
    text, made, done = reading.statement.text, list[str](), 0
    for mention in sorted(reading.mentions, key=lambda mention: mention.start):
        if mention in tables and mention.use is not Use.RENAME_TO:
            made += [text[done : mention.start], _temporary(tables[mention])]
            done = mention.end
    return "".join([*made, text[done:]])


def _differences(session: Session, unit: UnitTest) -> Iterator[tuple[str, str, list[dict[str, object]]]]:
    """Compare as multisets, in the table's own types; columns that no expected row names do not count."""
    for text, rows in unit.expect.items():
        table = _temporary(TableName("", parse_name(text).name))
        if not rows:
            unexpected = session.query(f"SELECT row_to_json(found) FROM {table} AS found LIMIT {SHOWN + 1}")
            if unexpected:
                yield text, "unexpected", [row[0] for row in unexpected]
            continue
        columns = ", ".join(identifier(column) for column in rows[0])
        listed = ", ".join(f"({', '.join(_value(value) for value in row.values())})" for row in rows)
        session.execute(
            f"CREATE TEMPORARY TABLE kitchen_expected ON COMMIT DROP AS SELECT {columns} FROM {table} WHERE false;"
            f"INSERT INTO kitchen_expected ({columns}) VALUES {listed}"
        )
        for how, one, other in (("missing", "kitchen_expected", table), ("unexpected", table, "kitchen_expected")):
            found = session.query(
                f"SELECT row_to_json(found) FROM (SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other})"
                " AS found"
            )
            if found:
                yield text, how, [row[0] for row in found]
        session.execute("DROP TABLE kitchen_expected")


def _temporary(table: TableName) -> str:
    return f"pg_temp.{identifier(table.name)}"


def _value(value: object) -> str:
    return literal(value) if value is None or isinstance(value, bool | date) else literal(str(value))


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "bigint"
        case float():
            return "numeric"
        case date():
            return "date"
    return "text"
