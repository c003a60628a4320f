"""Statements for what changes no row: comments, statistics objects, replica identity, row security, triggers."""

from __future__ import annotations

from collections.abc import Container, Iterator

from kitchen.adapters.postgres.structure_model import (
    Column,
    Constraint,
    Index,
    Policy,
    Statement,
    Statistics,
    Structure,
    Table,
    View,
)
from kitchen.adapters.postgres.structure_order import Relation, at, relations_of
from kitchen.adapters.postgres.structure_text import Place, literal, qualified, quote
from kitchen.domain.layout import TableName

_KINDS = {"d": "ndistinct", "f": "dependencies", "m": "mcv"}
_ENABLED = {
    "O": "ENABLE TRIGGER", "D": "DISABLE TRIGGER", "R": "ENABLE REPLICA TRIGGER", "A": "ENABLE ALWAYS TRIGGER",
}  # fmt: skip
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}


def settings(structure: Structure, place: Place, *, triggers: bool, policies: bool) -> Iterator[Statement]:
    """Yield statistics objects, index settings, replica identity and, when asked, triggers and row security."""
    relations = relations_of(structure)
    for statistics in structure.statistics:
        if statistics.table in relations:
            yield from _statistics(statistics, relations[statistics.table], place)
    for index in structure.indexes:
        if index.table in relations:
            yield from _index_settings(index, relations[index.table], place)
    for table in structure.tables:
        if table.replica_identity in "fn":
            kind = "FULL" if table.replica_identity == "f" else "NOTHING"
            own = qualified(at(place, table.name))
            yield Statement(f"ALTER TABLE ONLY {own} REPLICA IDENTITY {kind}", f"replica identity of {table.name}")
        if policies:
            yield from _row_security(table, place)
    if triggers:
        for relation in relations.values():
            yield from _triggers(relation, place)
        made = {trigger.name for relation in relations.values() for trigger in relation.triggers}
        for table in structure.tables:
            yield from _otherwise_enabled(table, made, place)


def comments(structure: Structure, place: Place, within: Container[int] | None = None) -> Iterator[Statement]:
    """Yield the comments on relations and what belongs to them."""
    relations = relations_of(structure)
    for relation in relations.values():
        own = at(place, relation.name)
        noun = "TABLE"
        if isinstance(relation, View):
            noun = "MATERIALIZED VIEW" if relation.materialized else "VIEW"
        yield from _comment(noun, qualified(own), relation.comment)
        yield from _column_comments(relation.columns, own)
    for index in structure.indexes:
        if index.table in relations:
            schema = at(place, relations[index.table].name).schema
            yield from _comment("INDEX", f"{quote(schema)}.{quote(index.name)}", index.comment)
    for constraint in structure.constraints:
        if constraint.table in relations and _is_made(constraint, relations if within is None else within):
            table = qualified(at(place, relations[constraint.table].name))
            yield from _comment("CONSTRAINT", f"{quote(constraint.name)} ON {table}", constraint.comment)
    for sequence in structure.sequences:
        yield from _comment("SEQUENCE", qualified(at(place, sequence.name)), sequence.comment)


def _is_made(constraint: Constraint, within: Container[int]) -> bool:
    return constraint.kind != "f" or constraint.foreign_table in within


def _comment(noun: str, target: str, comment: str | None) -> Iterator[Statement]:
    if comment is not None:
        yield Statement(f"COMMENT ON {noun} {target} IS {literal(comment)}", f"comment on {noun.lower()} {target}")


def _column_comments(columns: tuple[Column, ...], own: TableName) -> Iterator[Statement]:
    for column in columns:
        yield from _comment("COLUMN", f"{qualified(own)}.{quote(column.name)}", column.comment)


def _statistics(statistics: Statistics, relation: Relation, place: Place) -> Iterator[Statement]:
    table = at(place, relation.name)
    # A statistics object may stand in another schema than its table; a copy stands beside its table.
    own = qualified(TableName(table.schema, statistics.name.name))
    kinds = [_KINDS[kind] for kind in statistics.kinds if kind in _KINDS]
    shown = f" ({', '.join(kinds)})" if kinds else ""
    what = f"statistics {statistics.name}"
    yield Statement(
        f"CREATE STATISTICS {own}{shown} ON {statistics.columns.render(place)} FROM {qualified(table)}", what
    )
    if statistics.target is not None:
        yield Statement(f"ALTER STATISTICS {own} SET STATISTICS {statistics.target}", what)
    yield from _comment("STATISTICS", own, statistics.comment)


def _index_settings(index: Index, relation: Relation, place: Place) -> Iterator[Statement]:
    table = at(place, relation.name)
    noun = "MATERIALIZED VIEW" if isinstance(relation, View) else "TABLE"
    own, what = f"{quote(table.schema)}.{quote(index.name)}", f"index {index.name}"
    for number, target in index.statistics:
        yield Statement(f"ALTER INDEX {own} ALTER COLUMN {number} SET STATISTICS {target}", what)
    if index.clustered:
        yield Statement(f"ALTER {noun} {qualified(table)} CLUSTER ON {quote(index.name)}", what)
    if index.replica_identity:
        alter = f"ALTER TABLE ONLY {qualified(table)} REPLICA IDENTITY USING INDEX {quote(index.name)}"
        yield Statement(alter, f"replica identity of {relation.name}")


def _triggers(relation: Relation, place: Place) -> Iterator[Statement]:
    own = qualified(at(place, relation.name))
    for trigger in relation.triggers:
        what = f"trigger {trigger.name} of {relation.name}"
        yield Statement(trigger.definition.render(place), what)
        if trigger.enabled != "O":
            yield Statement(f"ALTER TABLE {own} {_ENABLED[trigger.enabled]} {quote(trigger.name)}", what)
        yield from _comment("TRIGGER", f"{quote(trigger.name)} ON {own}", trigger.comment)


def _otherwise_enabled(table: Table, made: Container[str], place: Place) -> Iterator[Statement]:
    for name, state in table.otherwise_enabled:
        if name in made:
            alter = f"ALTER TABLE ONLY {qualified(at(place, table.name))} {_ENABLED[state]} {quote(name)}"
            yield Statement(alter, f"trigger {name} of {table.name}")


def _row_security(table: Table, place: Place) -> Iterator[Statement]:
    own, what = qualified(at(place, table.name)), f"row security of {table.name}"
    for policy in table.policies:
        yield from _policy(policy, own, what, place)
    if table.row_security:
        yield Statement(f"ALTER TABLE {own} ENABLE ROW LEVEL SECURITY", what)
    if table.force_row_security:
        yield Statement(f"ALTER TABLE {own} FORCE ROW LEVEL SECURITY", what)


def _policy(policy: Policy, own: str, what: str, place: Place) -> Iterator[Statement]:
    sql = f"CREATE POLICY {quote(policy.name)} ON {own} AS {'PERMISSIVE' if policy.permissive else 'RESTRICTIVE'}"
    sql += f" FOR {_COMMANDS[policy.command]} TO {', '.join(policy.roles)}"
    sql += f" USING ({policy.using.render(place)})" if policy.using is not None else ""
    sql += f" WITH CHECK ({policy.check.render(place)})" if policy.check is not None else ""
    yield Statement(sql, what)
    yield from _comment("POLICY", f"{quote(policy.name)} ON {own}", policy.comment)
