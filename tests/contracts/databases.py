"""The databases that copies are tried on: Pagila, which nobody here made, and one built to be hard to copy."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from kitchen.adapters.postgres.connection import PgSession
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
