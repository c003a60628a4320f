"""Makes, opens and drops versions of the pantry on the server of an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.pantry_copy import Relay, copy_all
from kitchen.adapters.postgres.pantry_sequences import advance_sequences
from kitchen.adapters.postgres.sessions import PRIVILEGED
from kitchen.adapters.postgres.source import PgSnapshot, read_catalogue
from kitchen.adapters.postgres.structure import (
    Statement,
    Structure,
    finish_statements,
    located,
    read_structure,
    table_statements,
    type_conflicts,
    type_statements,
)
from kitchen.adapters.postgres.structure_blind import blind_routines, row_security
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.adapters.postgres.structure_without import Dropped, without
from kitchen.domain.catalogue import Catalogue
from kitchen.domain.kitchen import pantry_reader_role
from kitchen.domain.layout import Layout, TableName
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, KitchenError, Refused
from kitchen.ports import CopyJob, Row, Sessions

_DROP_BATCH = 200  # tables: each takes a lock, and locks are few
_BATCH = 200  # statements, likewise
_NO_ICU = "the embedded server has no ICU: give the environment one that has it (warehouse: {kind: postgres, …})"

_OUTSIDE = """
SELECT DISTINCT n.nspname || '.' || v.relname FROM pg_depend d
JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class v ON v.oid = w.ev_class JOIN pg_namespace n ON n.oid = v.relnamespace
JOIN pg_class t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
JOIN pg_namespace m ON m.oid = t.relnamespace
WHERE m.nspname = ANY(%s) AND n.nspname <> ALL(%s) ORDER BY 1
"""

_ENDING_EMPTY = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'm') AND c.relallvisible > 0 AND c.relpages > c.relallvisible
ORDER BY 1, 2
"""


class PgPantryStore:
    """The PantryStore port. Everything made carries the version's mark; nothing without it is dropped."""

    def __init__(self, sessions: Sessions, layout: Layout, environment: str) -> None:
        self._sessions = sessions
        self._layout = layout
        self._environment = environment

    def make(
        self, version: int, snapshot: PgSnapshot, dropped: Dropped | None = None
    ) -> tuple[Structure, tuple[str, ...]]:
        """Make the group role, types and bare tables of a version; return the source's structure and what is left out.

        Raises Refused where a type of the source has changed so that tables of two versions would not join.
        """
        try:
            with snapshot.reader() as reading:
                structure = without(snapshot.structure(reading), reading, dropped or {})
        except KitchenError:  # what was dropped meanwhile is in the moment's catalogue, and cannot be described
            snapshot.refuse_changes()
            raise
        with self._open() as session:
            session.execute("SET statement_timeout = '10min'")
            with session.transaction():
                self._make_schemas(session, version)
            structure = located(structure, session)
            existing = read_structure(session, list(self._types().values()))
            if conflicts := type_conflicts(structure, self._types(), existing):
                raise Refused(
                    f"types of the source have changed incompatibly: {'; '.join(conflicts)}",
                    hint="kitchens made on older versions still use them: delete those kitchens first",
                )
            _run(session, type_statements(structure, self._types(), existing))
            _run(session, table_statements(structure, self._tables(version), self._types()))
        return structure, structure.left_out

    def copy(
        self, version: int, snapshot: PgSnapshot, jobs: Sequence[CopyJob], *, workers: int,
        report: Callable[[int, int], None],
    ) -> Mapping[TableName, int]:  # fmt: skip
        """Stream masked rows into the version's tables and return the rows of each logical table."""
        relay = Relay(snapshot, self._sessions.administrator())
        placed = [(job, self.place(version, job.table)) for job in jobs]
        return copy_all(relay, placed, workers=workers, report=report)

    def finish(self, version: int, structure: Structure) -> tuple[str, ...]:
        """Add indexes, constraints and views, bring sequences forward, gather statistics, open it for reading.

        What is otherwise than in production, of sequences and of functions, is returned in words.
        """
        with self._open() as session:
            session.execute("SET maintenance_work_mem = '256MB'")
            _run(session, finish_statements(structure, self._tables(version), self._types(), security_invoker=True))
            said = tuple(advance_sequences(session, structure, lambda name: self.place(version, name)))
            counted = [table.name for table in structure.tables if table.bound is None]  # partitions come with theirs
            counted += [view.name for view in structure.views if view.materialized and view.populated]
            for name in counted:
                session.execute(f"ANALYZE {qualified(self.place(version, name))}")
            self._cut_off(session, version)
            with session.transaction():
                self._grant(session, version)
        return (*said, *row_security(structure), *blind_routines(structure))

    def _cut_off(self, session: PgSession, version: int) -> None:
        """Give back the empty pages with which frozen copies end, and count those tables again.

        Autovacuum would cut them off later, skip the frozen rest, and reckon its rows from the density of before.
        """
        for schema, name in session.query(_ENDING_EMPTY, [list(self.schemas(version))]):
            table = qualified(TableName(schema, name))
            session.execute(f"VACUUM (INDEX_CLEANUP off) {table}")
            session.execute(f"ANALYZE {table}")

    def query(self, statement: str, settings: Sequence[Secret] = ()) -> list[Row]:
        """Return the rows of a read-only statement, in a session that starts with the settings."""
        with self._open([setting.reveal() for setting in settings]) as session, session.transaction():
            session.execute("SET TRANSACTION READ ONLY")
            return session.query(statement)

    def catalogue(self, version: int) -> Catalogue:
        """Return the tables of a version under their logical names; raises NotFound."""
        with self._open() as session:
            found = read_catalogue(session, self.schemas(version))
        logical = {self._layout.pantry(version, name): name for name in self._layout.logical}
        return _under(found, logical)

    def exists(self, version: int) -> bool:
        """Say whether a version's schemas are there and bear its mark."""
        with self._open() as session:
            return len(self._marked(session, version)) == len(self._layout.logical)

    def drop(self, version: int) -> None:
        """Drop a version whole; absent is success. Raises Conflict where kitchens' views still read it."""
        with self._open() as session:
            schemas = self._marked(session, version)
            if users := session.query(_OUTSIDE, [schemas, schemas]):
                named = ", ".join(row[0] for row in users)
                raise Conflict(f"pantry v{version} is still read by {named}", hint="kitchen update rebinds them")
            self._drop_tables(session, schemas)
            for schema in schemas:
                session.execute(f"DROP SCHEMA IF EXISTS {quote(schema)} CASCADE")
            self._drop_role(session, version)

    def schemas(self, version: int) -> tuple[str, ...]:
        """Return the physical schemas of a version."""
        return tuple(self._layout.pantry(version, logical) for logical in self._layout.logical)

    def place(self, version: int, table: TableName) -> TableName:
        """Return where a logical table is in a version."""
        return TableName(self._layout.pantry(version, table.schema), table.name)

    def _open(self, settings: Sequence[str] = ()) -> PgSession:
        options = [*PRIVILEGED, "lock_timeout=30s", "jit=off", *settings]
        return connect(self._sessions.administrator(), application="kitchen: pantry", options=options, lasting=True)

    def _tables(self, version: int) -> dict[str, str]:
        return {logical: self._layout.pantry(version, logical) for logical in self._layout.logical}

    def _types(self) -> dict[str, str]:
        return {logical: self._layout.types(logical) for logical in self._layout.logical}

    def _mark(self, version: int) -> str:
        return f"kitchen pantry v{version} of {self._environment}"

    def _make_schemas(self, session: PgSession, version: int) -> None:
        role = quote(pantry_reader_role(self._environment, version))
        mark = literal(self._mark(version))
        session.execute(f"CREATE ROLE {role} NOLOGIN NOINHERIT")
        session.execute(f"COMMENT ON ROLE {role} IS {mark}")
        for schema in self._types().values():
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        for schema in self.schemas(version):
            session.execute(f"CREATE SCHEMA {quote(schema)}")
            session.execute(f"COMMENT ON SCHEMA {quote(schema)} IS {mark}")

    def _grant(self, session: PgSession, version: int) -> None:
        role = quote(pantry_reader_role(self._environment, version))
        for schema in self.schemas(version):
            session.execute(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {quote(schema)} TO {role}")
        for schema in self._types().values():
            session.execute(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {quote(schema)} TO {role}")

    def _marked(self, session: PgSession, version: int) -> list[str]:
        rows = session.query(
            "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s) AND obj_description(oid, 'pg_namespace') = %s",
            [list(self.schemas(version)), self._mark(version)],
        )
        return [row[0] for row in rows]

    def _drop_tables(self, session: PgSession, schemas: Sequence[str]) -> None:
        """Drop many tables in batches: one statement for a thousand would need more locks than a server has."""
        while True:
            rows = session.query(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') LIMIT %s",
                [list(schemas), _DROP_BATCH],
            )
            if len(rows) < _DROP_BATCH:
                return
            names = ", ".join(qualified(TableName(*row)) for row in rows)
            session.execute(f"DROP TABLE IF EXISTS {names} CASCADE")

    def _drop_role(self, session: PgSession, version: int) -> None:
        name = pantry_reader_role(self._environment, version)
        rows = session.query(
            "SELECT 1 FROM pg_roles WHERE rolname = %s AND shobj_description(oid, 'pg_authid') = %s",
            [name, self._mark(version)],
        )
        if not rows:
            return
        for schema in self._types().values():
            if session.query("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]):
                session.execute(f"REVOKE ALL ON ALL ROUTINES IN SCHEMA {quote(schema)} FROM {quote(name)}")
                session.execute(f"REVOKE ALL ON SCHEMA {quote(schema)} FROM {quote(name)}")
        session.execute(f"DROP ROLE {quote(name)}")


def _run(session: PgSession, statements: Sequence[Statement]) -> None:
    """Run statements in batches: every table takes locks until its transaction ends, and a server has few.

    What is half made when this ends in the middle bears its version's mark, and is dropped with it.
    """
    for start in range(0, len(statements), _BATCH):
        with session.transaction():
            for statement in statements[start : start + _BATCH]:
                try:
                    session.execute(statement.sql)
                except KitchenError as error:
                    hint = _NO_ICU if "ICU is not supported" in error.message else error.hint
                    raise type(error)(f"{statement.what}: {error.message}", hint=hint) from error


def _under(catalogue: Catalogue, logical: Mapping[str, str]) -> Catalogue:
    """Return a catalogue whose tables and keys speak of logical schemas."""

    def named(table: TableName) -> TableName:
        return TableName(logical.get(table.schema, table.schema), table.name)

    return Catalogue(
        tuple(replace(table, name=named(table.name)) for table in catalogue.tables),
        tuple(replace(key, table=named(key.table), to=named(key.to)) for key in catalogue.foreign_keys),
        catalogue.left_out,
    )
