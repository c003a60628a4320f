"""Decides what hydrating one table takes with it: its family, sequences, and everything bound to any of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.hydrate_names import Found, LayerNames
from kitchen.adapters.postgres.structure_text import Place, Reference, Sort
from kitchen.domain.layout import TableName

# Partitions and inheritance children are one table in several pieces: a query of one sees the rows of others.
_FAMILY = """
WITH RECURSIVE family (oid) AS (
    SELECT %s::oid
    UNION
    SELECT CASE WHEN i.inhrelid = f.oid THEN i.inhparent ELSE i.inhrelid END
    FROM family f JOIN pg_catalog.pg_inherits i ON f.oid IN (i.inhrelid, i.inhparent)
)
SELECT oid FROM family ORDER BY oid
"""

_SEQUENCES = """
SELECT c.oid FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY(%s)
    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
UNION
SELECT c.oid FROM pg_catalog.pg_attrdef a
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
JOIN pg_catalog.pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid AND c.relkind = 'S'
WHERE a.adrelid = ANY(%s)
"""

_NUMBERED_BY = """
SELECT DISTINCT o.refobjid FROM pg_catalog.pg_attrdef a
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
    AND d.refclassid = 'pg_class'::regclass
JOIN pg_catalog.pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = d.refobjid AND o.deptype = 'i'
    AND o.refclassid = 'pg_class'::regclass AND o.refobjid <> ALL(%s)
JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S'
WHERE a.adrelid = ANY(%s)
"""

_IDENTITY_TABLE = """
SELECT o.refobjid FROM pg_catalog.pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = %s
    AND o.refclassid = 'pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype = 'i'
"""

# One step up: views by their rules, functions by their parsed bodies and by row types.
_DEPENDENTS = """
WITH wanted (classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, unnest(%s::oid[])
    UNION ALL SELECT 'pg_proc'::regclass::oid, unnest(%s::oid[])
    UNION ALL SELECT 'pg_type'::regclass::oid, unnest(ARRAY[t.oid, t.typarray]) FROM pg_catalog.pg_type t
        WHERE t.typrelid = ANY(%s::oid[])
)
SELECT r.ev_class, NULL, NULL FROM wanted w
JOIN pg_catalog.pg_depend d ON d.refclassid = w.classid AND d.refobjid = w.objid
JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
UNION
SELECT p.oid, n.nspname, p.proname FROM wanted w
JOIN pg_catalog.pg_depend d ON d.refclassid = w.classid AND d.refobjid = w.objid AND d.deptype = 'n'
JOIN pg_catalog.pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
"""


# Bodies that are only text, in which a table is named so that a session's search path does not find the kitchen's.
_BLIND = """
SELECT DISTINCT n.nspname, p.proname,
    EXISTS (SELECT FROM unnest(p.proconfig) setting WHERE setting LIKE 'search\\_path=%%')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN unnest(%s::text[], %s::text[]) AS t (schema, name) ON strpos(p.prosrc, t.name) > 0
WHERE n.nspname = ANY(%s) AND p.prosqlbody IS NULL AND (strpos(p.prosrc, t.schema || '.' || t.name) > 0
    OR strpos(p.prosrc, quote_ident(t.schema) || '.' || quote_ident(t.name)) > 0
    OR EXISTS (SELECT FROM unnest(p.proconfig) setting WHERE setting LIKE 'search\\_path=%%'))
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one hydration makes: ids in the layers below, and of the kitchen's own that have to be bound anew."""

    source: Found
    family: tuple[Found, ...]
    sequences: tuple[Found, ...]
    views: tuple[int, ...]
    routines: tuple[int, ...]
    own_views: tuple[int, ...]
    own_routines: tuple[int, ...]


def family_of(session: PgSession, oid: int) -> tuple[int, ...]:
    """Return a table with everything it is joined to by partitioning or inheritance."""
    return tuple(row[0] for row in session.query(_FAMILY, [oid]))


def numbered_by(session: PgSession, family: Iterable[Found]) -> tuple[int, ...]:
    """Return other tables whose identity numbers the family's defaults take: those sequences come with their tables."""
    oids = [found.oid for found in family]
    return tuple(row[0] for row in session.query(_NUMBERED_BY, [oids, oids]))


def identity_table(session: PgSession, sequence: int) -> int | None:
    """Return the table of which a sequence is an identity column's."""
    rows = session.query(_IDENTITY_TABLE, [sequence])
    return rows[0][0] if rows else None


def plan(session: PgSession, names: LayerNames, source: Found) -> Plan:
    """Return what hydrating ``source`` takes with it."""
    oids = family_of(session, source.oid) if source.kind in "rp" else (source.oid,)
    family = tuple(names.by_oid[oid] for oid in oids if oid in names.by_oid)
    if source.kind == "S":
        return Plan(source, (), family, (), (), (), ())
    sequences = session.query(_SEQUENCES, [list(oids), list(oids)])
    found = tuple(names.by_oid[row[0]] for row in sequences if row[0] in names.by_oid)
    bound = _Bound(session, names)
    bound.follow(family)
    if source.kind == "m":
        bound.views.add(source.oid)
        family = ()
    return Plan(
        source, family, found, tuple(sorted(bound.views)), tuple(sorted(bound.routines)),
        tuple(sorted(bound.own_views)), tuple(sorted(bound.own_routines)),
    )  # fmt: skip


class _Bound:
    """Follows what is bound to relations, upwards through views and functions."""

    def __init__(self, session: PgSession, names: LayerNames) -> None:
        self._session = session
        self._names = names
        self.views: set[int] = set()
        self.routines: set[int] = set()
        self.own_views: set[int] = set()
        self.own_routines: set[int] = set()

    def follow(self, family: Iterable[Found]) -> None:
        relations = {version for found in family for version in self._versions(found)}
        routines: set[int] = set()
        while relations or routines:
            rows = self._session.query(_DEPENDENTS, [list(relations), list(routines), list(relations)])
            relations, routines = set(), set()
            for oid, schema, name in rows:
                if schema is None:
                    relations |= self._view(oid)
                elif self._routine(oid, schema, name):
                    routines.add(oid)

    def _versions(self, found: Found) -> set[int]:
        logical = self._names.logical(found.name)
        return {found.oid} if logical is None else {found.oid, *(below.oid for below in self._names.below(logical))}

    def _view(self, oid: int) -> set[int]:
        found = self._names.by_oid.get(oid)
        if found is None or oid in self.views or oid in self.own_views:
            return set()
        if found.name.schema in self._names.own_schemas:
            self.own_views.add(oid)
            return {oid}
        logical = self._names.logical(found.name)
        if logical is None or self._names.first(logical) != found:
            return set()
        self.views.add(oid)
        return self._versions(found)

    def _routine(self, oid: int, schema: str, name: str) -> bool:
        if oid in self.routines or oid in self.own_routines:
            return False
        if schema in self._names.own_schemas:
            self.own_routines.add(oid)
            return True
        physical = TableName(schema, name)
        if self._names.logical(physical) is None or self._names.is_hidden(physical, oid):
            return False
        self.routines.add(oid)
        return True


def blind_routines(session: PgSession, names: LayerNames, family: Iterable[Found]) -> Iterator[str]:
    """Yield, in words, functions of the layer that will go on reading the older tables, or fail."""
    tables = [found.name for found in family]
    tables += [logical for found in tables if (logical := names.logical(found)) is not None]
    columns = [[table.schema for table in tables], [table.name for table in tables]]
    for schema, name, has_path in session.query(_BLIND, [*columns, list(names.schemas)]):
        why = "sets its own search_path" if has_path else "names the table with its schema"
        yield f"function {schema}.{name} {why}: it does not see the kitchen's copy"


def placing(names: LayerNames, made: Iterable[TableName], routines: Iterable[TableName]) -> Place:
    """Return where definitions point to once ``made`` (logical names) and routines (physical) are the kitchen's own."""
    own, own_routines = set(made), set(routines)

    def place(reference: Reference) -> TableName:
        logical = names.logical(reference.name)
        if logical is None or reference.sort in (Sort.OTHER, Sort.EXTENSION):
            return reference.name
        if reference.sort is Sort.RELATION:
            first = names.first(logical)
            return names.own(logical) if logical in own or first is None else first.name
        if reference.sort is Sort.ROUTINE:
            return names.own(logical) if reference.name in own_routines else names.routine(reference.name)
        return reference.name

    return place
