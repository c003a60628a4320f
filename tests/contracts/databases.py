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


def copy(session: PgSession, structure: Structure, mapping: dict[str, str], types: dict[str, str]) -> None:
    """Copy whole schemas the way the pantry is filled: types, bare tables, rows, everything else."""
    with session.transaction():
        for schema in {*mapping.values(), *types.values()}:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        run(session, type_statements(structure, types))
        run(session, table_statements(structure, mapping, types))
        with session.connection.cursor() as cursor:
            for table in structure.tables:
                columns = ", ".join(quote(column.name) for column in table.columns if not column.generated)
                if table.kind == "p":
                    continue
                rows = io.BytesIO()
                target = qualified(TableName(mapping[table.name.schema], table.name.name))
                cursor.copy_expert(f"COPY (SELECT {columns} FROM ONLY {qualified(table.name)}) TO STDOUT", rows)
                rows.seek(0)
                cursor.copy_expert(f"COPY {target} {f'({columns})' if columns else ''} FROM STDIN", rows)
        run(session, finish_statements(structure, mapping, types, policies=True))
        run(session, sequence_statements(structure, mapping))


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
