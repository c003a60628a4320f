"""Reads a source: its tables and their columns, inside one read-only moment of the server."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.discretion import is_of_rows, without_values
from kitchen.adapters.postgres.layers_read import Layers
from kitchen.adapters.postgres.source_samples import sample
from kitchen.adapters.postgres.source_scratch import refuse_without_temporary_tables
from kitchen.adapters.postgres.structure import Structure, read_structure
from kitchen.adapters.postgres.structure_without import DEPENDANTS
from kitchen.domain.catalogue import (
    PARTITION_KEY,
    Catalogue,
    Evidences,
    ForeignKey,
    Partition,
    SourceColumn,
    SourceTable,
)
from kitchen.domain.connection import Credentials
from kitchen.domain.layout import Layer, TableName
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, KitchenError, NotFound, NotPermitted, Refused, Unavailable
from kitchen.ports import Row, Sessions

_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind, CASE WHEN c.relkind <> 'p' THEN c.reltuples::bigint ELSE (
        SELECT coalesce(sum(greatest(l.reltuples, 0)), 0)::bigint
        FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid WHERE p.isleaf) END,
    CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END,
    row_security_active(c.oid), has_table_privilege(c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""

# A domain over a domain over an array: walk down to the type that holds the values.
_COLUMNS = """
WITH RECURSIVE below (oid, first, typmod, filled, checked) AS (
    SELECT t.oid, t.oid, -1, false, false FROM pg_type t
    UNION ALL
    SELECT t.typbasetype, b.first, t.typtypmod, b.filled OR t.typnotnull,
        b.checked OR EXISTS (SELECT FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')
    FROM below b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
)
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), e.typname, e.typcategory, e.oid <> t.oid,
    CASE WHEN e.typname IN ('varchar', 'bpchar') AND greatest(a.atttypmod, b.typmod) > 4
        THEN greatest(a.atttypmod, b.typmod) - 4 END,
    a.attnotnull OR b.filled, a.attgenerated <> '', b.checked
FROM pg_attribute a JOIN below b ON b.first = a.atttypid JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
JOIN pg_type e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN t.typelem ELSE t.oid END
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""

_PARTS = """
SELECT r.oid, n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::bigint,
    c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
FROM unnest(%s::oid[]) r(oid) CROSS JOIN LATERAL pg_partition_tree(r.oid) p
JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.isleaf
ORDER BY n.nspname, c.relname
"""

_UNIQUES = """
SELECT i.indrelid, i.indisprimary, ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(n, o)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
    WHERE k.o <= i.indnkeyatts ORDER BY k.o)
FROM pg_index i WHERE i.indrelid = ANY(%s) AND i.indisunique ORDER BY i.indexrelid
"""

_CHECKS = """
SELECT conrelid, conname, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = ANY(%s) AND contype = 'c' ORDER BY conname
"""

_FOREIGN_KEYS = """
SELECT f.nspname, t.relname, g.nspname, r.relname,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o),
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o),
    ARRAY(SELECT CASE WHEN EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e')
            THEN format('OPERATOR(%%I.%%s)', m.nspname, o.oprname) ELSE '=' END
        FROM unnest(k.conpfeqop) WITH ORDINALITY u(n, o) JOIN pg_operator o ON o.oid = u.n
        JOIN pg_namespace m ON m.oid = o.oprnamespace ORDER BY u.o)
FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace f ON f.oid = t.relnamespace
JOIN pg_class r ON r.oid = coalesce(pg_partition_root(k.confrelid), k.confrelid)
JOIN pg_namespace g ON g.oid = r.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY(%s) ORDER BY k.oid
"""

# Keys of single partitions bind columns together just as those of whole tables do.
_PARTITION_KEYS = _FOREIGN_KEYS.replace(
    "FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid",
    "FROM pg_constraint k JOIN pg_class t ON t.oid = pg_partition_root(k.conrelid)",
).replace("k.conrelid = ANY(%s)", "t.oid = ANY(%s) AND k.conrelid <> t.oid")

_VECTORS = """
SELECT t.tgrelid, encode(t.tgargs, 'escape') FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = ANY(%s) AND p.proname = 'tsvector_update_trigger' AND NOT t.tgisinternal
"""


_DEPENDANTS = f"""
SELECT x.table_oid, a.attname::text, x.kind, x.whom, x.described
FROM ({DEPENDANTS.replace("ORDER BY 5", "")}) x (table_oid, number, kind, whom, described, computed)
JOIN pg_attribute a ON a.attrelid = x.table_oid AND a.attnum = x.number ORDER BY 5
"""

_STATES = """
SELECT n.nspname, c.relname, c.oid || ':' || coalesce(
    (SELECT string_agg(p.relid::oid || '=' || coalesce(pg_relation_filenode(p.relid), 0), ',' ORDER BY p.relid::oid)
     FROM pg_partition_tree(c.oid) p), pg_relation_filenode(c.oid)::text, '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
"""

# Classes of errors in which a server names objects and settings, never a value of a row: access rules, resources.
_OF_THE_STATEMENT = ("42", "53", "55", "57")


_READING = [
    "row_security=off", "lock_timeout=30s", "extra_float_digits=1", "client_encoding=UTF8", "datestyle=ISO",
    "intervalstyle=postgres", "bytea_output=hex", "jit=off",
]  # fmt: skip


class PgSource:
    """A source's schemas as they lie on its own server; those of several layers are read as one."""

    def __init__(self, sessions: Sessions, schemas: Sequence[str], layers: Layers | None = None) -> None:
        self._sessions = sessions
        self._layers = layers
        self.schemas = tuple(schemas)

    @classmethod
    def of_layers(cls, sessions: Sessions, layer: Layer) -> PgSource:
        """Return what a standing kitchen reads: its own tables, then those of its pantry."""
        layers = Layers(layer)
        return cls(sessions, layers.schemas, layers)

    @contextmanager
    def snapshot(self) -> Iterator[PgSnapshot]:
        """Hold one moment of the source for the block, without writing anything there."""
        credentials = self._sessions.administrator()
        states = table_states(credentials, self.schemas)  # before the moment: what changes between is noticed
        keeper = open_reader(credentials)
        try:
            yield PgSnapshot(keeper, credentials, self.schemas, states, self._layers)
        finally:
            keeper.close()


class PgSnapshot:
    """One REPEATABLE READ moment; rows that row security would hide are an error, never left out in silence.

    The session that keeps the moment reads no table, and every other session of the moment ends soon: no change of
    production's tables waits for a whole refresh, and none that waits for one copy blocks another.
    """

    def __init__(
        self, keeper: PgSession, credentials: Credentials, schemas: tuple[str, ...], states: Mapping[TableName, str],
        layers: Layers | None = None,
    ) -> None:  # fmt: skip
        self._keeper = keeper
        self.credentials = credentials
        self.schemas = schemas
        self.states = states
        self.masked = layers is not None and bool(layers.types)
        self._layers = layers
        self._readable: dict[tuple[str, str | None, TableName], bool] = {}
        self.id, self.taken_at, self.server = keeper.query(
            "SELECT pg_export_snapshot(), now(), current_setting('server_version')"
        )[0]

    @contextmanager
    def reader(self, settings: Sequence[str] = ()) -> Iterator[PgSession]:
        """Open a session at this moment for the block."""
        with open_reader(self.credentials, snapshot=self.id, settings=settings) as session:
            yield session

    def query(self, statement: str, settings: Sequence[Secret] = ()) -> list[Row]:
        """Return the rows of a statement at this moment, in a session that starts with the settings.

        What the server says where it fails is not passed on: it may quote a value.
        """
        with self.reader([setting.reveal() for setting in settings]) as session, quoting_nothing():
            return session.query(statement)

    @contextmanager
    def scratch(self, tables: Sequence[str]) -> Iterator[PgSession]:
        """Open a session at this moment with temporary tables, which it makes first and alone may write to."""
        options = ["search_path=pg_catalog", "default_transaction_read_only=off", "temp_buffers=64MB"]
        with (
            connect(
                self.credentials, application="kitchen: pantry", options=[*options, *_READING], lasting=True
            ) as session,
            quoting_nothing(),
        ):
            refuse_without_temporary_tables(session)
            session.execute("SET work_mem = '128MB'")
            for table in tables:
                session.execute(table)
            session.connection.set_session(
                isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True, autocommit=False
            )  # fmt: skip
            session.execute("SET TRANSACTION SNAPSHOT %s", [self.id])
            yield session

    def is_within(self, session: PgSession) -> bool:
        """Say whether another session is in the source's own database: only there it meets a lock of this one."""
        lock = secrets.randbits(62)
        self._keeper.execute("SELECT pg_advisory_lock(%s)", [lock])
        try:
            return not session.query("SELECT pg_try_advisory_lock_shared(%s)", [lock])[0][0]
        finally:
            self._keeper.execute("SELECT pg_advisory_unlock(%s)", [lock])

    def readable_by(self, login: Credentials, table: TableName) -> bool:
        """Say whether another login of the same database sees all rows of a table; asked once."""
        key = (login.user, login.role, table)
        if key not in self._readable:
            with connect(login, application="kitchen: pantry", options=["search_path=pg_catalog"]) as session:
                rows = session.query(
                    "SELECT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')"
                    " AND NOT row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = %s AND c.relname = %s",
                    [table.schema, table.name],
                )
            self._readable[key] = bool(rows and rows[0][0])
        return self._readable[key]

    def catalogue(self) -> Catalogue:
        """Return the tables of the source; raises NotFound or NotPermitted where they cannot be read."""
        with self.reader() as session:
            found = read_catalogue(session, self.schemas)
            return found if self._layers is None else self._layers.catalogue(session, found)

    def structure(self, session: PgSession) -> Structure:
        """Return what is in the source's schemas, as a session of this moment sees it."""
        if self._layers is None:
            return read_structure(session, self.schemas)
        return self._layers.structure(read_structure(session, self._layers.all))

    def evidence(
        self, catalogue: Catalogue, tables: Collection[TableName] | None = None, *, with_shapes: bool = True
    ) -> Evidences:
        """Return what samples of the columns look like, or only how many values they have; counts leave the server."""
        looked = [table for table in catalogue.tables if tables is None or table.name in tables]
        with self.reader() as session, quoting_nothing():
            return sample(session, looked, with_shapes=with_shapes)

    def refuse_changes(self) -> None:
        """Raise Conflict where a table was rewritten or replaced since: to this moment it looks empty."""
        now = table_states(self.credentials, self.schemas)
        changed = [str(table) for table, state in self.states.items() if now.get(table) != state]
        if changed:
            raise Conflict(
                f"the source changed while it was read: {', '.join(changed)} was rewritten or replaced",
                hint="kitchen pantry refresh",
            )


@contextmanager
def quoting_nothing() -> Iterator[None]:
    """Raise errors of statements over rows without the server's words, unless those can only be of the statement."""
    try:
        yield
    except KitchenError as error:
        cause = error.__cause__
        if not isinstance(cause, psycopg2.Error) or isinstance(error, Unavailable):
            raise
        if not is_of_rows(cause) and (cause.pgcode or "").startswith(_OF_THE_STATEMENT):
            raise
        raise Refused(
            f"the source refused: {without_values(cause)}",
            hint="the source server's log has the details; check `where` and `sql` in masking.yaml",
        ) from None


def table_states(
    credentials: Credentials, schemas: Sequence[str], *, only: str | None = None
) -> dict[TableName, str]:  # fmt: skip
    """Return what tells whether a table is still the same one with the same files, as it is now."""
    query = _STATES if only is None else f"{_STATES} AND c.relname = %s"
    with connect(credentials, application="kitchen: pantry", options=["search_path=pg_catalog"]) as session:
        rows = session.query(query, [list(schemas)] if only is None else [list(schemas), only])
        return {TableName(row[0], row[1]): row[2] for row in rows}


def open_writer(credentials: Credentials, *, snapshot: str, settings: Sequence[str] = ()) -> PgSession:
    """Open a session that may write, at a moment which another session of the same database holds."""
    options = ["search_path=pg_catalog", *_READING, "synchronous_commit=off", *settings]
    session = connect(credentials, application="kitchen: pantry", options=options, lasting=True)
    session.connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, autocommit=False)
    session.execute("SET TRANSACTION SNAPSHOT %s", [snapshot])
    return session


def open_reader(credentials: Credentials, *, snapshot: str | None = None, settings: Sequence[str] = ()) -> PgSession:
    """Open a read-only session on a source, at a moment that another session holds where one is given."""
    options = ["search_path=pg_catalog", *_READING, *settings]
    session = connect(credentials, application="kitchen: pantry", options=options, lasting=True)
    session.connection.set_session(
        isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True, autocommit=False
    )  # fmt: skip
    if snapshot is not None:
        session.execute("SET TRANSACTION SNAPSHOT %s", [snapshot])
    return session


def read_catalogue(session: PgSession, schemas: Sequence[str]) -> Catalogue:
    """Return the tables of some schemas at the session's moment."""
    wanted = list(schemas)
    there = {row[0] for row in session.query("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", [wanted])}
    if missing := [schema for schema in wanted if schema not in there]:
        raise NotFound(f"the source has no schema {', '.join(missing)}", hint="kitchen doctor")
    rows = session.query(_TABLES, [wanted])
    unreadable = [f"{row[1]}.{row[2]}" for row in rows if not row[7]]
    if unreadable:
        raise NotPermitted(f"the provisioner may not read {', '.join(unreadable)}", hint="kitchen doctor")
    if hidden := [f"{row[1]}.{row[2]}" for row in rows if row[6]]:
        raise Refused(
            f"row security would hide rows of {', '.join(hidden)} from the provisioner, in silence",
            hint="let the provisioner bypass it: ALTER ROLE … BYPASSRLS, or no FORCE for the tables' owner",
        )
    left_out = tuple(f"{row[1]}.{row[2]}: a foreign table" for row in rows if row[3] == "f")
    rows = [row for row in rows if row[3] != "f"]
    oids = [row[0] for row in rows]
    columns = _columns(session, oids)
    parts = _parts(session, [row[0] for row in rows if row[3] == "p"])
    uniques: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    primary: dict[int, tuple[str, ...]] = {}
    checks: dict[int, dict[str, str]] = defaultdict(dict)
    for oid, is_primary, names in session.query(_UNIQUES, [oids]):
        uniques[oid].append(tuple(names))
        if is_primary:
            primary[oid] = tuple(names)
    for oid, name, definition in session.query(_CHECKS, [oids]):
        checks[oid][name] = definition
    tables = tuple(
        SourceTable(
            name=TableName(row[1], row[2]), physical=TableName(row[1], row[2]), columns=tuple(columns[row[0]]),
            partitioned=row[3] == "p", primary_key=primary.get(row[0], ()), uniques=tuple(uniques[row[0]]),
            checks=dict(checks[row[0]]), rows=max(row[4], 0),
            pages=max(row[5], sum(part.pages for part in parts.get(row[0], ()))), parts=parts.get(row[0], ()),
        )
        for row in rows
    )  # fmt: skip
    keys = [ForeignKey(TableName(*r[0:2]), tuple(r[4]), TableName(*r[2:4]), tuple(r[5]), tuple(r[6]))
            for query in (_FOREIGN_KEYS, _PARTITION_KEYS) for r in session.query(query, [oids])]  # fmt: skip
    return Catalogue(tables, tuple(dict.fromkeys(keys)), left_out)


def _parts(session: PgSession, oids: list[int]) -> dict[int, tuple[Partition, ...]]:
    """Return the partitions of tables all of whose partitions may be read alone."""
    found: dict[int, list[Partition]] = defaultdict(list)
    whole: set[int] = set()
    for oid, schema, name, pages, alone in session.query(_PARTS, [oids]) if oids else []:
        found[oid].append(Partition(TableName(schema, name), int(pages)))
        if not alone:
            whole.add(oid)
    return {oid: tuple(parts) for oid, parts in found.items() if oid not in whole}


def _columns(session: PgSession, oids: list[int]) -> dict[int, list[SourceColumn]]:
    vectors: dict[tuple[int, str], tuple[str | None, tuple[str, ...]]] = {}
    for oid, arguments in session.query(_VECTORS, [oids]):
        target, configured, *read = str(arguments).split("\\000")[:-1]
        vectors[oid, target] = (configured, tuple(read))
    dependants: dict[tuple[int, str], list[str]] = defaultdict(list)
    for oid, name, kind, whom, described in session.query(_DEPENDANTS, [oids, oids]):
        dependants[oid, name].append(PARTITION_KEY if (kind, whom) == ("pg_class", oid) else described)
    found: dict[int, list[SourceColumn]] = defaultdict(list)
    for row in session.query(_COLUMNS, [oids]):
        config, sources = vectors.get((row[0], row[1]), (None, ()))
        found[row[0]].append(_column(row, config, sources, tuple(dict.fromkeys(dependants[row[0], row[1]]))))
    return found


def _column(row: Row, config: str | None, sources: tuple[str, ...], dependants: tuple[str, ...]) -> SourceColumn:
    details: dict[str, Any] = dict(
        zip(("name", "type", "base", "category", "is_array", "max_length", "not_null", "generated", "domain_checks"),
            row[1:], strict=True)
    )  # fmt: skip
    return SourceColumn(**details, tsvector_of=sources, tsvector_config=config, dependants=dependants)
