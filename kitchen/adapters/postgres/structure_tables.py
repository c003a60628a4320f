"""Statements for bare tables, ready to be filled, and for where their sequences stand."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from kitchen.adapters.postgres.structure_model import Column, Sequence, Statement, Structure, Table
from kitchen.adapters.postgres.structure_order import Relation, at, placing, tables_in_order
from kitchen.adapters.postgres.structure_text import Place, Sort, literal, qualified, quote
from kitchen.domain.layout import TableName


def table_statements(
    structure: Structure, mapping: Mapping[str, str], types_mapping: Mapping[str, str]
) -> tuple[Statement, ...]:
    """Return what makes bare tables with partitions, inheritance, sequences, defaults and generated columns."""
    return tuple(placed_tables(structure, placing(structure, mapping, types_mapping)))


def sequence_statements(structure: Structure, mapping: Mapping[str, str]) -> tuple[Statement, ...]:
    """Return what brings every sequence to where its source stands."""
    place = placing(structure, mapping, {})
    return tuple(advance(sequence, place) for sequence in structure.sequences)


def advance(sequence: Sequence, place: Place) -> Statement:
    """Return what brings one sequence to where its source stands."""
    target = literal(qualified(at(place, sequence.name)))
    called = "true" if sequence.is_called else "false"
    return Statement(
        f"SELECT pg_catalog.setval({target}::pg_catalog.regclass, {sequence.last_value}, {called})",
        f"value of sequence {sequence.name}",
    )


def placed_tables(structure: Structure, place: Place) -> Iterator[Statement]:
    """Yield what makes bare tables where ``place`` puts them."""
    tables = {table.oid: table for table in structure.tables}
    identities = {sequence.owner: sequence for sequence in structure.sequences if sequence.is_identity}
    for sequence in structure.sequences:
        if not sequence.is_identity:
            yield _sequence(sequence, place)
    bound = bound_routines(structure)
    for table in tables_in_order(structure):
        parents = [tables[oid] for oid in table.parents if oid in tables]
        inherits = _inherits(table, parents)
        yield _create(table, parents if inherits else [], identities, bound, place)
        yield from _relations_to_parents(table, parents, inherits, place)
        yield from column_settings("TABLE ONLY", table, place)
    for sequence in structure.sequences:
        yield from ownership(sequence, tables, place)


def bound_routines(structure: Structure) -> frozenset[TableName]:
    """Return the names of routines that are made after the tables, because they are bound to some."""
    return frozenset(routine.name for routine in structure.routines if routine.bound)


def is_deferred(column: Column, bound: Container[TableName]) -> bool:
    """Say whether a default calls a routine that is made after the tables."""
    named = column.default.references() if column.default is not None and not column.generated else ()
    return any(reference.sort is Sort.ROUTINE and reference.name in bound for reference in named)


def options_of(options: tuple[str, ...]) -> str:
    """Return storage parameters as SQL."""
    pairs = (option.partition("=") for option in options)
    return ", ".join(f"{'.'.join(map(quote, name.split('.')))} = {literal(value)}" for name, _, value in pairs)


def _sequence(sequence: Sequence, place: Place) -> Statement:
    unlogged = "UNLOGGED " if sequence.persistence == "u" else ""
    head = f"CREATE {unlogged}SEQUENCE {qualified(at(place, sequence.name))} AS {sequence.type}"
    return Statement(f"{head} {_sequence_options(sequence)}", f"sequence {sequence.name}")


def _sequence_options(sequence: Sequence) -> str:
    return (
        f"START WITH {sequence.start} INCREMENT BY {sequence.increment} MINVALUE {sequence.minimum}"
        f" MAXVALUE {sequence.maximum} CACHE {sequence.cache} {'CYCLE' if sequence.cycle else 'NO CYCLE'}"
    )


def ownership(sequence: Sequence, tables: Mapping[int, Table], place: Place) -> Iterator[Statement]:
    """Yield what ties a sequence to the column that it numbers, where that is among the tables."""
    if sequence.is_identity or sequence.owner is None or sequence.owner[0] not in tables:
        return
    table = tables[sequence.owner[0]]
    column = next(column for column in table.columns if column.number == sequence.owner[1])
    yield Statement(
        f"ALTER SEQUENCE {qualified(at(place, sequence.name))}"
        f" OWNED BY {qualified(at(place, table.name))}.{quote(column.name)}",
        f"owner of sequence {sequence.name}",
    )


def _inherits(table: Table, parents: list[Table]) -> bool:
    """Say whether INHERITS gives the columns in their order; else the table is made whole and joined afterwards."""
    if not parents or table.bound is not None or len(parents) != len(table.parents):
        return False
    names = list(dict.fromkeys(column.name for parent in parents for column in parent.columns))
    names += [column.name for column in table.columns if column.name not in names]
    return names == [column.name for column in table.columns]


def _create(
    table: Table, parents: list[Table], identities: Mapping[tuple[int, int] | None, Sequence],
    bound: Container[TableName], place: Place,
) -> Statement:  # fmt: skip
    shown = [
        _column(column, identities.get((table.oid, column.number)), place, plain=is_deferred(column, bound))
        for column in table.columns
        if column.is_local or not parents
    ]
    unlogged = "UNLOGGED " if table.persistence == "u" else ""
    sql = f"CREATE {unlogged}TABLE {qualified(at(place, table.name))} ({', '.join(shown)})"
    if parents:
        sql += f" INHERITS ({', '.join(qualified(at(place, parent.name)) for parent in parents)})"
    if table.partition_key is not None:
        sql += f" PARTITION BY {table.partition_key.render(place)}"
    if table.access_method is not None and table.kind == "r":
        sql += f" USING {quote(table.access_method)}"
    if table.options:
        sql += f" WITH ({options_of(table.options)})"
    return Statement(sql, f"table {table.name}")


def _column(column: Column, identity: Sequence | None, place: Place, *, plain: bool) -> str:
    parts = [quote(column.name), column.type.render(place)]
    if column.compression:
        parts.append(f"COMPRESSION {column.compression}")
    if column.collation is not None:
        parts.append(f"COLLATE {column.collation.render(place)}")
    if column.generated and column.default is not None:
        kind = "STORED" if column.generated == "s" else "VIRTUAL"
        parts.append(f"GENERATED ALWAYS AS ({column.default.render(place)}) {kind}")
    elif column.default is not None and not plain:
        parts.append(f"DEFAULT {column.default.render(place)}")
    if column.not_null and column.not_null_valid:
        named = f"CONSTRAINT {quote(column.not_null_name)} " if column.not_null_name else ""
        ending = " NO INHERIT" if column.not_inherited else ""
        parts.append(f"{named}NOT NULL{ending}")
    if identity is not None:
        always = "ALWAYS" if column.identity == "a" else "BY DEFAULT"
        name = qualified(at(place, identity.name))
        parts.append(f"GENERATED {always} AS IDENTITY (SEQUENCE NAME {name} {_sequence_options(identity)})")
    return " ".join(parts)


def _relations_to_parents(table: Table, parents: list[Table], inherits: bool, place: Place) -> Iterator[Statement]:
    own, what = qualified(at(place, table.name)), f"table {table.name}"
    if table.of_type is not None:
        yield Statement(f"ALTER TABLE {own} OF {table.of_type.render(place)}", what)
    if inherits:
        yield from _overrides(table, parents, place)
        return
    for parent in parents:
        above = qualified(at(place, parent.name))
        if table.bound is not None:
            yield Statement(f"ALTER TABLE ONLY {above} ATTACH PARTITION {own} {table.bound.render(place)}", what)
        else:
            yield Statement(f"ALTER TABLE {own} INHERIT {above}", what)


def _overrides(table: Table, parents: list[Table], place: Place) -> Iterator[Statement]:
    """Yield where a child differs from its parents in columns that it did not declare itself."""
    above: dict[str, Column] = {}
    for parent in parents:
        for column in parent.columns:
            above.setdefault(column.name, column)
    for column in table.columns:
        if column.is_local:
            continue
        alter = f"ALTER TABLE ONLY {qualified(at(place, table.name))} ALTER COLUMN {quote(column.name)}"
        what = f"column {table.name}.{column.name}"
        if column.default != above[column.name].default and not column.generated:
            change = "DROP DEFAULT" if column.default is None else f"SET DEFAULT {column.default.render(place)}"
            yield Statement(f"{alter} {change}", what)
        if column.not_null and not above[column.name].not_null:
            yield Statement(f"{alter} SET NOT NULL", what)


def column_settings(noun: str, relation: Relation, place: Place) -> Iterator[Statement]:
    """Yield how columns of a table or materialised view are stored and counted, where that is not their type's way."""
    for column in relation.columns:
        alter = f"ALTER {noun} {qualified(at(place, relation.name))} ALTER COLUMN {quote(column.name)}"
        what = f"column {relation.name}.{column.name}"
        if column.storage:
            yield Statement(f"{alter} SET STORAGE {column.storage}", what)
        if column.statistics is not None:
            yield Statement(f"{alter} SET STATISTICS {column.statistics}", what)
        if column.options:
            yield Statement(f"{alter} SET ({options_of(column.options)})", what)
