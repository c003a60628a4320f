"""Recreates relations faithfully, in another schema or on another server. What cannot be carried is said.

The phases, each a list of statements for one transaction or several: types and pure functions; bare tables with their
sequences; (the rows, in any order); indexes, constraints, views and comments; where the sequences stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kitchen.adapters.postgres import structure_read, structure_read_types
from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_deparse import Deparser
from kitchen.adapters.postgres.structure_finish import finish_statements
from kitchen.adapters.postgres.structure_model import Statement, Structure
from kitchen.adapters.postgres.structure_tables import sequence_statements, table_statements
from kitchen.adapters.postgres.structure_types import type_conflicts, type_statements
from kitchen.domain.layout import TableName

__all__ = [
    "Statement", "Structure", "finish_statements", "located", "read_objects", "read_structure", "sequence_statements",
    "table_statements", "type_conflicts", "type_statements",
]  # fmt: skip

_SCOPE = """
SELECT c.oid, n.nspname, c.relname, c.relkind, e.extname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY c.oid
"""

_OTHERS = """
SELECT 'operator ' || n.nspname || '.' || o.oprname FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE n.nspname = ANY(%s) AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_operator'::regclass AND e.objid = o.oid AND e.deptype = 'e')
UNION ALL
SELECT 'text search configuration ' || n.nspname || '.' || t.cfgname
FROM pg_ts_config t JOIN pg_namespace n ON n.oid = t.cfgnamespace WHERE n.nspname = ANY(%s)
UNION ALL
SELECT 'rule ' || r.rulename || ' on ' || n.nspname || '.' || c.relname
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'cast ' || format_type(c.castsource, NULL) || ' to ' || format_type(c.casttarget, NULL)
FROM pg_cast c JOIN pg_type s ON s.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget
JOIN pg_namespace n ON n.oid IN (s.typnamespace, t.typnamespace)
WHERE n.nspname = ANY(%s) AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_cast'::regclass AND e.objid = c.oid AND e.deptype IN ('e', 'i'))
    AND s.typtype NOT IN ('r', 'm')
UNION ALL
SELECT 'operator class ' || n.nspname || '.' || o.opcname FROM pg_opclass o
JOIN pg_namespace n ON n.oid = o.opcnamespace
WHERE n.nspname = ANY(%s) AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_opclass'::regclass AND e.objid = o.oid AND e.deptype = 'e')
ORDER BY 1
"""

_EXTENSION_SCHEMAS = """
SELECT DISTINCT n.nspname FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
WHERE n.nspname <> 'pg_catalog' AND has_schema_privilege(n.oid, 'USAGE')
"""
_INSTALLED = "SELECT x.extname, n.nspname FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace"


def located(structure: Structure, target: PgSession) -> Structure:
    """Return a structure that knows which extensions its target has, and where; others are made there."""
    installed: dict[str, str] = dict(target.query(_INSTALLED))
    return replace(structure, installed=installed)


def read_structure(session: PgSession, schemas: Sequence[str], tables: Sequence[TableName] | None = None) -> Structure:
    """Return what is in the schemas; with ``tables`` only these relations, by the same physical schemas.

    Raises NotFound or NotPermitted where a schema cannot be read. For one moment of the catalogue, call it in a
    REPEATABLE READ transaction.
    """
    deparser = Deparser(session, schemas, [row[0] for row in session.query(_EXTENSION_SCHEMAS)])
    wanted = None if tables is None else set(tables)
    oids: list[int] = []
    left_out: list[str] = []
    for oid, schema, name, kind, extension in session.query(_SCOPE, [list(deparser.home)]):
        if wanted is not None and TableName(schema, name) not in wanted and kind != "S":
            continue
        if extension is not None:
            left_out.append(f"{schema}.{name}: belongs to extension {extension}")
        elif kind == "f":
            left_out.append(f"{schema}.{name}: a foreign table")
        else:
            oids.append(oid)
    left_out += [row[0] for row in session.query(_OTHERS, [list(deparser.home)] * 5)]
    found = read_objects(session, deparser, oids)
    return replace(found, left_out=(*left_out, *found.left_out, *_foreign_keys_out(found)))


def read_objects(
    session: PgSession, deparser: Deparser, relations: Sequence[int], routines: Sequence[int] | None = None
) -> Structure:
    """Return some relations (tables, views, sequences) with what belongs to them, and routines: all, or some."""
    tables, views = structure_read.relations(session, deparser, relations)
    found_routines, routines_left = structure_read_types.routines(session, deparser, routines)
    types, types_left = structure_read_types.types(session, deparser) if routines is None else ((), ())
    named = [*(view.oid for view in views), *(item.oid for item in found_routines), *(kind.oid for kind in types)]
    structure = Structure(
        schemas=deparser.home,
        server_version=session.connection.server_version,
        tables=tables,
        sequences=structure_read.sequences(session, relations),
        indexes=structure_read.indexes(session, deparser, relations),
        constraints=structure_read.constraints(session, deparser, relations),
        statistics=structure_read.statistics(session, deparser, relations),
        views=views,
        routines=found_routines,
        types=types,
        needs=dict(structure_read_types.needs(session, named)),
        left_out=(*routines_left, *types_left),
        members=deparser.members,
        stands_on=structure_read.extensions(session, relations),
    )
    return _with_bound(structure, session)


def _foreign_keys_out(structure: Structure) -> tuple[str, ...]:
    tables = {table.oid: table.name for table in structure.tables}
    return tuple(
        f"foreign key {constraint.name} of {tables[constraint.table]} leaves the copy: {constraint.definition.shown()}"
        for constraint in structure.constraints
        if constraint.kind == "f" and constraint.foreign_table not in tables and constraint.parent is None
    )


_RELATIONS = "SELECT c.oid FROM pg_class c WHERE c.oid = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"


def _with_bound(structure: Structure, session: PgSession) -> Structure:
    """Mark routines and types that depend on relations, directly or through each other."""
    mentioned = {whom for needed in structure.needs.values() for whom in needed}
    bound = {row[0] for row in session.query(_RELATIONS, [list(mentioned)])}
    candidates = {routine.oid for routine in structure.routines} | {kind.oid for kind in structure.types}
    grows = True
    while grows:
        new = {oid for oid in candidates - bound if bound.intersection(structure.needs.get(oid, ()))}
        bound |= new
        grows = bool(new)
    return replace(
        structure,
        routines=tuple(replace(routine, bound=routine.oid in bound) for routine in structure.routines),
        types=tuple(replace(kind, bound=kind.oid in bound) for kind in structure.types),
    )
