"""A structure without some columns, and so without what is made of them. What goes along is said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_bodies import without_bodies
from kitchen.adapters.postgres.structure_model import Column, Routine, Structure, Table, UserType, View
from kitchen.domain.layout import TableName
from kitchen.errors import Refused

Dropped = Mapping[TableName, Collection[str]]
_Column = tuple[int, int]  # table, number

# What is made of a column, but for its own default, the sequence that numbers it, and rules, which are never carried.
DEPENDANTS = """
SELECT d.refobjid, d.refobjsubid, d.classid::regclass::text,
    CASE d.classid WHEN 'pg_rewrite'::regclass THEN (SELECT w.ev_class FROM pg_rewrite w WHERE w.oid = d.objid)
        ELSE d.objid END,
    CASE d.classid WHEN 'pg_rewrite'::regclass
        THEN (SELECT pg_describe_object('pg_class'::regclass, w.ev_class, 0) FROM pg_rewrite w WHERE w.oid = d.objid)
        WHEN 'pg_attrdef'::regclass THEN 'generated column ' || (SELECT a.attname FROM pg_attrdef f
            JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.oid = d.objid)
        ELSE pg_describe_object(d.classid, d.objid, 0) END,
    (SELECT f.adnum FROM pg_attrdef f WHERE d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid)
FROM pg_depend d
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY(%s) AND d.refobjsubid > 0
    AND NOT EXISTS (SELECT FROM pg_attrdef f WHERE d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
        AND f.adrelid = d.refobjid AND f.adnum = d.refobjsubid)
    AND NOT EXISTS (SELECT FROM pg_class s WHERE d.classid = 'pg_class'::regclass AND s.oid = d.objid
        AND s.relkind = 'S')
    AND NOT EXISTS (SELECT FROM pg_rewrite w WHERE d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
        AND w.rulename <> '_RETURN')
    AND NOT (d.classid = 'pg_constraint'::regclass
        AND EXISTS (SELECT FROM pg_constraint n WHERE n.oid = d.objid AND n.contype = 'n'))
UNION ALL
SELECT t.tgrelid, a.attnum, 'pg_trigger', t.oid, pg_describe_object('pg_trigger'::regclass, t.oid, 0), NULL
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0
WHERE t.tgrelid = ANY(%s) AND p.proname = 'tsvector_update_trigger' AND NOT t.tgisinternal
    AND a.attname::text = ANY(string_to_array(encode(t.tgargs, 'escape'), '\\000'))
ORDER BY 5
"""


def without(structure: Structure, session: PgSession, dropped: Dropped) -> Structure:
    """Return a structure without columns, in partitions and children too; raises Refused where a table needs one."""
    gone = _everywhere(structure, dropped)
    if not gone:
        return structure
    tables = [table.oid for table in structure.tables]
    removed: set[int] = set()
    said: list[str] = []
    for table, number, kind, oid, described, computed in session.query(DEPENDANTS, [tables, tables]):
        if (table, number) not in gone:
            continue
        if kind == "pg_class" and oid in tables:
            raise Refused(f"{_said(structure, table, number)}: drop would leave a partition key without its column")
        if kind == "pg_attrdef":
            if (table, computed) not in gone:
                raise Refused(
                    f"{_said(structure, table, number)}: drop would leave {described} without what it is computed from",
                    hint="drop that column too, or blank this one",
                )
            continue
        removed.add(oid)
        said.append(f"{described}: it is made of a column that is left out")
    made: list[View | Routine | UserType] = [*structure.views, *structure.routines, *structure.types]
    grows = True
    while grows:  # views and routines over what is removed
        more = {oid for oid, needed in structure.needs.items() if removed.intersection(needed)} - removed
        removed |= more
        grows = bool(more)
        said += [f"{item.name}: what it is made of is left out" for item in made if item.oid in more]
    said += [f"{_said(structure, *column)}: left out by decision" for column in sorted(gone)]
    return without_bodies(_cut(structure, session, gone, removed, said), _names(structure, gone))


def _names(structure: Structure, gone: frozenset[_Column]) -> dict[TableName, list[str]]:
    return {
        table.name: [column.name for column in table.columns if (table.oid, column.number) in gone]
        for table in structure.tables
        if any((table.oid, column.number) in gone for column in table.columns)
    }


def _everywhere(structure: Structure, dropped: Dropped) -> frozenset[_Column]:
    """Return the columns to leave out, those of partitions and children with them; raises Refused for a child's own."""
    tables = {table.oid: table for table in structure.tables}
    gone: set[_Column] = set()

    def names(table: Table) -> frozenset[str]:
        above = [names(tables[parent]) for parent in table.parents if parent in tables]
        inherited = frozenset().union(*above)
        own = frozenset(dropped.get(table.name, ()))
        for column in table.columns:
            if column.name in own - inherited and not column.is_local and table.parents:
                raise Refused(f"{table.name}.{column.name} is inherited: drop is decided where the column is declared")
        if own and table.of_type is not None:
            raise Refused(f"{table.name} is a table of a type: its columns cannot be left out")
        return own | inherited

    for table in structure.tables:
        wanted = names(table)
        gone |= {(table.oid, column.number) for column in table.columns if column.name in wanted}
    return frozenset(gone)


def _cut(
    structure: Structure, session: PgSession, gone: frozenset[_Column], removed: Collection[int], said: Iterable[str]
) -> Structure:
    triggers = {
        (row[0], row[1])
        for row in session.query("SELECT tgrelid, tgname FROM pg_trigger WHERE oid = ANY(%s)", [list(removed)])
    }
    indexes = tuple(
        index
        for index in structure.indexes
        if index.oid not in removed and index.table not in removed and index.constraint not in removed
    )
    kept = {index.oid for index in indexes}
    return replace(
        structure,
        tables=tuple(
            replace(
                table,
                columns=tuple(column for column in table.columns if (table.oid, column.number) not in gone),
                triggers=tuple(trigger for trigger in table.triggers if (table.oid, trigger.name) not in triggers),
            )
            for table in structure.tables
        ),
        sequences=tuple(sequence for sequence in structure.sequences if sequence.owner not in gone),
        indexes=tuple(
            index if index.parent is None or index.parent in kept else replace(index, parent=None) for index in indexes
        ),
        constraints=tuple(constraint for constraint in structure.constraints if constraint.oid not in removed),
        statistics=tuple(statistics for statistics in structure.statistics if statistics.oid not in removed),
        views=tuple(view for view in structure.views if view.oid not in removed),
        routines=tuple(routine for routine in structure.routines if routine.oid not in removed),
        types=tuple(kind for kind in structure.types if kind.oid not in removed),
        left_out=(*structure.left_out, *dict.fromkeys(said)),
    )


def _said(structure: Structure, table: int, number: int) -> str:
    found = next(known for known in structure.tables if known.oid == table)
    column: Column = next(column for column in found.columns if column.number == number)
    return f"{found.name}.{column.name}"
