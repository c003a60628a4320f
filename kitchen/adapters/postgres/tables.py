"""Reads and copies tables of a kitchen's layer, with that kitchen's own rights."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager

from psycopg2 import errors

from kitchen.adapters.postgres import layer_moment
from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.hydrate import Chosen, Hydration, locked
from kitchen.adapters.postgres.hydrate_names import Found, LayerNames
from kitchen.adapters.postgres.hydrate_plan import family_of, identity_table, numbered_by
from kitchen.adapters.postgres.hydrate_rebind import rebind
from kitchen.adapters.postgres.hydrate_work import NameTaken, Raced
from kitchen.adapters.postgres.row_security import filtered
from kitchen.adapters.postgres.structure_text import qualified
from kitchen.domain.connection import Credentials
from kitchen.domain.layout import Layer, TableName
from kitchen.errors import Conflict, KitchenError, NotFound, Refused
from kitchen.ports import ChosenRows, Hydrated, Moment, Relation, Session

_ATTEMPTS = 20  # a swap may replace the source before it is locked; another hydration may share a view with it
_LOCK_TIMEOUT = "10s"

_WITH_ROWS = ("table", "partitioned table")
_KINDS = {
    "r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table",
    "S": "sequence",
}  # fmt: skip

# Sizes come from the catalogue: asking the files would wait for whoever holds a relation's lock.
_VISIBLE = """
SELECT DISTINCT ON (p.logical, c.relname) p.logical, n.nspname, c.relname, c.relkind, c.reltuples::bigint,
    c.relpages::bigint * current_setting('block_size')::bigint
FROM unnest(%s::text[], %s::text[], %s::int[]) AS p (logical, physical, depth)
JOIN pg_catalog.pg_namespace n ON n.nspname = p.physical
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
ORDER BY p.logical, c.relname, p.depth
"""

_OWN = """
WITH places (logical, physical, depth) AS (SELECT * FROM unnest(%s::text[], %s::text[], %s::int[]))
SELECT p.logical, n.nspname, c.relname, c.relkind, c.reltuples::bigint, coalesce(pg_total_relation_size(c.oid), 0),
    (SELECT q.physical FROM places q JOIN pg_catalog.pg_namespace m ON m.nspname = q.physical
     JOIN pg_catalog.pg_class b ON b.relnamespace = m.oid AND b.relname = c.relname
     WHERE q.logical = p.logical AND q.depth > 0 ORDER BY q.depth LIMIT 1)
FROM places p JOIN pg_catalog.pg_namespace n ON n.nspname = p.physical
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
WHERE p.depth = 0 ORDER BY p.logical, c.relname
"""

_BASE_TABLES = """
WITH RECURSIVE below (oid) AS (
    SELECT %s::oid
    UNION
    SELECT d.refobjid FROM below b JOIN pg_catalog.pg_rewrite r ON r.ev_class = b.oid
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass
)
SELECT c.relname FROM below b JOIN pg_catalog.pg_class c ON c.oid = b.oid AND c.relkind IN ('r', 'p') ORDER BY 1
"""


class PgTables:
    """The Tables port on PostgreSQL."""

    def visible(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return what the kitchen sees, nearest layer first hit."""
        return tuple(_relation(row) for row in session.query(_VISIBLE, _places(layer)))

    def hiding(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return the kitchen's own tables that are empty and hide one below that is not.

        CREATE TABLE IF NOT EXISTS makes such a table: it looks for one in the kitchen's own schema only.
        """
        own = [one for one in self.own(session, layer) if one.over is not None and one.kind in _WITH_ROWS]
        return tuple(one for one in own if not _has_rows(session, one.physical) and _has_rows(session, one.over))

    def filtered(self, session: Session, tables: Collection[TableName]) -> tuple[TableName, ...]:
        """Return those tables, by physical name, of which row security shows the session only a part."""
        return filtered(session, tables)

    def own(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return the relations in the kitchen's own schemas."""
        return tuple(_relation(row[:-1], row[-1]) for row in session.query(_OWN, _places(layer)))

    def hydrate(
        self, session: Session, layer: Layer, table: TableName, *, with_rows: bool = True,
        chosen: Mapping[TableName, tuple[ChosenRows, ...]] | None = None,
    ) -> Hydrated | None:  # fmt: skip
        """Copy the first hit of a logical table into the kitchen, faithfully; None where it is the kitchen's already.

        A partition, or an identity's sequence, stands for its table. Other tables whose identity numbers it takes come
        first. Raises NotFound where nobody in the layer has it, Refused for a view, Conflict where something of the
        kitchen's has a name that the copy needs.
        """
        return self._hydrate(session, layer, table, with_rows=with_rows, chosen=chosen, above=frozenset())

    def _hydrate(
        self, session: Session, layer: Layer, table: TableName, *, with_rows: bool,
        chosen: Mapping[TableName, tuple[ChosenRows, ...]] | None, above: frozenset[TableName],
    ) -> Hydrated | None:  # fmt: skip
        postgres = _postgres(session)
        over_taken_names = False
        for attempt in range(_ATTEMPTS):
            names = LayerNames(postgres, layer)
            source = _source(postgres, names, table)
            if source is None:
                return None
            for oid in numbered_by(postgres, source):
                other = names.by_oid.get(oid)
                logical = names.logical(other.name) if other is not None else None
                if logical is not None and not names.is_own(logical) and logical not in above:
                    self._hydrate(
                        session, layer, logical, with_rows=with_rows, chosen=chosen, above=above | {table}
                    )  # fmt: skip
            try:
                done = _copy(
                    postgres, layer, source, with_rows=with_rows, chosen=chosen, over_taken_names=over_taken_names
                )
            except KitchenError as failure:
                # Another node may have hydrated what shares a view with this table: then the plan was made too early.
                raced = isinstance(failure, Raced) or isinstance(failure.__cause__, errors.DeadlockDetected)
                raced = raced or LayerNames(postgres, layer).own_ids != names.own_ids
                if raced and attempt + 1 < _ATTEMPTS:
                    time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - only to come at different times
                    continue
                if isinstance(failure, NameTaken) and not over_taken_names:
                    over_taken_names = True
                    continue
                raise
            if done is not None:
                return done
        raise Conflict(f"{table} keeps being replaced while it is copied", hint=f"kitchen hydrate {table}")

    def below(self, credentials: Credentials, layer: Layer) -> AbstractContextManager[Moment]:
        """Hold one moment of the layers below the kitchen for the block, with that kitchen's own rights."""
        return layer_moment.below(credentials, layer)

    def rebind(self, session: Session, layer: Layer) -> tuple[str, ...]:
        """Bind the kitchen's own views and functions to what its layer holds now; return what could not be, in words.

        The session is the administrator's: a kitchen may no longer look into what its views still stand on.
        """
        return rebind(_postgres(session), layer)


def _postgres(session: Session) -> PgSession:
    if not isinstance(session, PgSession):
        raise TypeError(f"a PostgreSQL session is needed, not {type(session).__name__}")
    return session


def _copy(
    session: PgSession, layer: Layer, source: list[Found], *, with_rows: bool, chosen: Chosen | None,
    over_taken_names: bool,
) -> Hydrated | None:  # fmt: skip
    """Copy what was found, unless it is no longer what is found once it is locked."""
    with session.transaction():
        # Rows are read as of one moment, which begins after the lock: an older one would find a swapped table empty.
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'; SET LOCAL row_security = off")
        locked(session, source)
        names = LayerNames(session, layer)
        if any(names.by_oid.get(found.oid) != found for found in source):
            return None
        hydration = Hydration(session, names, source[0], over_taken_names=over_taken_names)
        return hydration.run(with_rows=with_rows, chosen=chosen)


def _source(session: PgSession, names: LayerNames, table: TableName) -> list[Found] | None:
    """Return the table to copy, first, and its family; None where the kitchen has it."""
    found = names.first(table)
    if found is None:
        raise NotFound(f"there is no table {table} in this kitchen, its parents or the pantry", hint="kitchen show")
    if names.is_own(table):
        return None
    if found.kind == "v":
        bases = [row[0] for row in session.query(_BASE_TABLES, [found.oid])]
        raise Refused(
            f"{table} is a view; it follows the tables under it: {', '.join(bases) or 'none'}",
            hint=f"kitchen hydrate {' '.join(bases)}" if bases else None,
        )
    if found.kind == "f":
        raise Refused(f"{table} is a foreign table: its rows are on another server")
    if found.kind == "S" and (numbered := names.by_oid.get(identity_table(session, found.oid) or 0)) is not None:
        found = numbered
    if found.kind not in "rp":
        return [found]
    family = [names.by_oid[oid] for oid in family_of(session, found.oid) if oid in names.by_oid]
    family.sort(key=lambda member: member.kind != "p")  # the root stands for its partitions
    return family if found.kind == "p" else _rooted(session, family, found)


def _rooted(session: PgSession, family: list[Found], found: Found) -> list[Found]:
    children = {row[0] for row in session.query(_CHILDREN, [[member.oid for member in family]])}
    roots = [member for member in family if member.oid not in children]
    first = found if found.oid not in children or not roots else roots[0]
    return [first, *(member for member in family if member != first)]


_CHILDREN = "SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhrelid = ANY(%s)"


def _places(layer: Layer) -> list[list[object]]:
    """Return three columns: logical schemas, physical schemas, and how far down each of these is."""
    places = [
        (logical, physical, depth)
        for logical in layer.layout.logical
        for depth, physical in enumerate(layer.schemas_of(logical))
    ]
    return [list(column) for column in zip(*places, strict=True)]


def _relation(row: tuple[object, ...], below: str | None = None) -> Relation:
    logical, physical, name, kind, rows, size = row
    return Relation(
        TableName(str(logical), str(name)), TableName(str(physical), str(name)), _KINDS[str(kind)], int(str(rows)),
        int(str(size)), TableName(below, str(name)) if below is not None else None,
    )  # fmt: skip


def _has_rows(session: Session, table: TableName | None) -> bool:
    return table is not None and bool(session.query(f"SELECT EXISTS (SELECT FROM {qualified(table)})")[0][0])
