"""Statements that finish filled tables: indexes, constraints, views, comments and settings, under original names."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from kitchen.adapters.postgres.structure_model import (
    Constraint,
    Index,
    Routine,
    Statement,
    Structure,
    Table,
    UserType,
    View,
)
from kitchen.adapters.postgres.structure_notes import comments, settings
from kitchen.adapters.postgres.structure_order import at, ordered, placing
from kitchen.adapters.postgres.structure_tables import bound_routines, column_settings, is_deferred, options_of
from kitchen.adapters.postgres.structure_text import Place, qualified, quote
from kitchen.adapters.postgres.structure_types import BODIES_UNCHECKED, bound_type_statements, routine_statements
from kitchen.domain.layout import TableName

Tables = Mapping[int, Table]


def finish_statements(
    structure: Structure, mapping: Mapping[str, str], types_mapping: Mapping[str, str], *,
    security_invoker: bool = False, triggers: bool = True, policies: bool = False,
) -> tuple[Statement, ...]:  # fmt: skip
    """Return what finishes filled tables; foreign keys that leave the structure are not among it."""
    place = placing(structure, mapping, types_mapping)
    return (
        *placed_indexes(structure, place),
        *placed_views(structure, place, security_invoker=security_invoker),
        *placed_constraints(structure, place, {table.oid for table in structure.tables}),
        *settings(structure, place, triggers=triggers, policies=policies),
        *comments(structure, place),
    )


def placed_indexes(structure: Structure, place: Place) -> Iterator[Statement]:
    """Yield indexes of tables, with the constraints that stand on them, oldest first, partitions' attached."""
    tables = {table.oid: table for table in structure.tables}
    constraints = {constraint.oid: constraint for constraint in structure.constraints}
    schemas = {index.oid: tables[index.table].name.schema for index in structure.indexes if index.table in tables}
    by_oid = {index.oid: index for index in structure.indexes}
    for index in structure.indexes:
        if index.table not in tables:
            continue
        if index.constraint is None:
            yield _index(index, tables[index.table], place)
        else:
            yield _constraint(constraints[index.constraint], tables[index.table], place, index)
    for index in structure.indexes:
        if index.parent in schemas and index.oid in schemas:
            parent = by_oid[index.parent]
            above = _index_name(parent, tables[parent.table], place)
            own = _index_name(index, tables[index.table], place)
            yield Statement(f"ALTER INDEX {above} ATTACH PARTITION {own}", f"index {index.name}")


def placed_views(structure: Structure, place: Place, *, security_invoker: bool = False) -> Iterator[Statement]:
    """Yield views, materialised views and what else is bound to tables, in the order in which they need each other."""
    bound = [kind for kind in structure.types if kind.bound]
    routines = [routine for routine in structure.routines if routine.bound]
    if routines:
        yield BODIES_UNCHECKED
    everything: list[UserType | View | Routine] = [*bound, *structure.views, *routines]
    indexes: dict[int, list[Index]] = {}
    for index in structure.indexes:
        indexes.setdefault(index.table, []).append(index)
    for item in ordered(everything, structure.needs):
        if isinstance(item, View):
            yield from _view(item, place, security_invoker=security_invoker)
            yield from (_index(index, item, place) for index in indexes.get(item.oid, ()))
        elif isinstance(item, Routine):
            yield from routine_statements(item, place)
        else:
            yield from bound_type_statements(item, place)


def placed_constraints(structure: Structure, place: Place, within: Container[int]) -> Iterator[Statement]:
    """Yield defaults that had to wait, checks, and foreign keys to tables within.

    Children's come before their parents', which adopt them.
    """
    tables = {table.oid: table for table in structure.tables}
    bound = bound_routines(structure)
    for table in structure.tables:
        yield from _late_columns(table, bound, place)
    ids = {(constraint.table, constraint.oid) for constraint in structure.constraints}
    deepest_first = sorted(structure.constraints, key=lambda constraint: -_depth(constraint.table, tables))
    for kind in "cf":
        for constraint in deepest_first:
            # The same table above and below: the server's own copy for one partition of the table that is referred to.
            copied_by_server = (constraint.table, constraint.parent) in ids
            ours = constraint.kind == kind and constraint.table in tables and not copied_by_server
            if ours and _wanted(constraint, tables, within):
                yield _constraint(constraint, tables[constraint.table], place)


def _wanted(constraint: Constraint, tables: Tables, within: Container[int]) -> bool:
    if constraint.kind == "c":
        return constraint.is_local or not any(parent in tables for parent in tables[constraint.table].parents)
    return constraint.foreign_table in within


def _depth(oid: int, tables: Tables) -> int:
    table = tables.get(oid)
    return 0 if table is None else max((1 + _depth(parent, tables) for parent in table.parents), default=0)


def _late_columns(table: Table, bound: Container[TableName], place: Place) -> Iterator[Statement]:
    for column in table.columns:
        alter, what = f"ALTER TABLE ONLY {qualified(at(place, table.name))}", f"column {table.name}.{column.name}"
        if is_deferred(column, bound) and column.default is not None:
            yield Statement(
                f"{alter} ALTER COLUMN {quote(column.name)} SET DEFAULT {column.default.render(place)}", what
            )
        if not column.not_null_valid and column.not_null_name:
            named = f"ADD CONSTRAINT {quote(column.not_null_name)} NOT NULL {quote(column.name)}"
            yield Statement(f"{alter} {named}{' NO INHERIT' if column.not_inherited else ''} NOT VALID", what)


def _index(index: Index, table: Table | View, place: Place) -> Statement:
    unique, only = "UNIQUE " if index.unique else "", "ONLY " if index.partitioned else ""
    target = qualified(at(place, table.name))
    return Statement(
        f"CREATE {unique}INDEX {quote(index.name)} ON {only}{target} {index.tail.render(place)}",
        f"index {index.name} of {table.name}",
    )


def _index_name(index: Index, table: Table | View, place: Place) -> str:
    return f"{quote(at(place, table.name).schema)}.{quote(index.name)}"


def _constraint(constraint: Constraint, table: Table, place: Place, index: Index | None = None) -> Statement:
    only = "ONLY " if index is not None and index.partitioned else ""
    definition = constraint.definition.render(place)
    if index is not None and index.options and constraint.kind in "pu":
        columns, bracket, ending = definition.rpartition(")")
        definition = f"{columns}{bracket} WITH ({options_of(index.options)}){ending}"
    return Statement(
        f"ALTER TABLE {only}{qualified(at(place, table.name))} ADD CONSTRAINT {quote(constraint.name)} {definition}",
        f"constraint {constraint.name} of {table.name}",
    )


def _view(view: View, place: Place, *, security_invoker: bool) -> Iterator[Statement]:
    noun = "MATERIALIZED VIEW" if view.materialized else "VIEW"
    options = view.options
    if security_invoker and not view.materialized:
        kept = (option for option in options if not option.startswith("security_invoker="))
        options = (*kept, "security_invoker=true")
    target, what = qualified(at(place, view.name)), f"{noun.lower()} {view.name}"
    columns = ", ".join(quote(column.name) for column in view.columns)
    names = f" ({columns})" if columns else ""
    with_options = f" WITH ({options_of(options)})" if options else ""
    body = view.definition.render(place).strip().removesuffix(";")
    ending = "" if not view.materialized or view.populated else "\nWITH NO DATA"
    yield Statement(f"CREATE {noun} {target}{names}{with_options} AS\n{body}{ending}", what)
    if view.materialized:
        yield from column_settings(noun, view, place)
    for column in view.columns:
        if column.default is not None:
            alter = f"ALTER VIEW {target} ALTER COLUMN {quote(column.name)}"
            yield Statement(f"{alter} SET DEFAULT {column.default.render(place)}", what)
