"""The databases that copies are tried on: Pagila, which nobody here made, and one built to be hard to copy."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure import (
    Statement,
    Structure,
    finish_statements,
    located,
    sequence_statements,
    table_statements,
    type_statements,
)
from kitchen.adapters.postgres.structure_text import qualified, quote
from kitchen.domain.layout import TableName
from tests.support import REPOSITORY, missing

NASTY = Path(__file__).parent / "nasty.sql"
PAGILA = REPOSITORY.parent / "shared" / "data" / "pagila.sql"


def load_nasty(session: PgSession) -> None:
    """Make the nasty schemas."""
    session.execute(NASTY.read_text())
    session.execute("RESET ALL")


def load_pagila(session: PgSession) -> None:
    """Load Pagila's dump into schema public."""
    if not PAGILA.exists():
        missing("pagila", f"no {PAGILA}")
    with session.connection.cursor() as cursor:
        for statement, rows in _pieces(PAGILA.read_text()):
            if rows is None:
                cursor.execute(statement)
            else:
                cursor.copy_expert(statement, io.StringIO(rows))
    session.execute("RESET ALL")


def run(session: PgSession, statements: Sequence[Statement]) -> None:
    for statement in statements:
        try:
            session.execute(statement.sql)
        except Exception as failure:
            raise AssertionError(f"{statement.what}: {failure}\n{statement.sql}") from failure


def copy(
    source: PgSession, structure: Structure, mapping: dict[str, str], types: dict[str, str], *,
    into: PgSession | None = None, policies: bool = True,
) -> None:  # fmt: skip
    """Copy whole schemas the way the pantry is filled: types, bare tables, rows, everything else."""
    session = into or source
    structure = located(structure, session)
    with session.transaction():
        for schema in {*mapping.values(), *types.values()}:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        run(session, type_statements(structure, types))
        run(session, table_statements(structure, mapping, types))
        for table in structure.tables:
            if table.kind != "p":
                columns = ", ".join(quote(column.name) for column in table.columns if not column.generated)
                _copy_rows(source, session, table.name, TableName(mapping[table.name.schema], table.name.name), columns)
        run(session, finish_statements(structure, mapping, types, policies=policies))
        run(session, sequence_statements(structure, mapping))
    for table in structure.tables:
        session.execute(f"ANALYZE {qualified(TableName(mapping[table.name.schema], table.name.name))}")


def _copy_rows(source: PgSession, into: PgSession, table: TableName, to: TableName, columns: str) -> None:
    rows = io.BytesIO()
    with source.connection.cursor() as reading, into.connection.cursor() as writing:
        reading.copy_expert(f"COPY (SELECT {columns} FROM ONLY {qualified(table)}) TO STDOUT", rows)
        rows.seek(0)
        writing.copy_expert(f"COPY {qualified(to)} {f'({columns})' if columns else ''} FROM STDIN", rows)


def _pieces(dump: str) -> Iterator[tuple[str, str | None]]:
    """Yield a dump's statements, and its COPY commands with their rows."""
    statements: list[str] = []
    lines = iter(dump.splitlines(keepends=True))
    for line in lines:
        if not line.startswith("COPY "):
            statements.append(line)
            continue
        if any(one.strip() and not one.startswith("--") for one in statements):
            yield "".join(statements), None
        statements = []
        rows = iter(lines.__next__, "\\.\n")
        yield line, "".join(rows)
    yield "".join(statements), None
