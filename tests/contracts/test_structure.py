"""A copy cannot be told from its source: every object of the catalogue, compared one by one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.structure import (
    Statement,
    Structure,
    finish_statements,
    read_structure,
    sequence_statements,
    table_statements,
    type_conflicts,
    type_statements,
)
from kitchen.adapters.postgres.structure_text import qualified, quote
from kitchen.domain.layout import TableName
from tests.contracts.catalogue import catalogue, contents, crossings, differences
from tests.contracts.databases import load_nasty, load_pagila
from tests.support import Warehouse

HERE = Path(__file__).parent


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[PgSession]:
    with connect(warehouse.superuser, application="tests") as opened:
        yield opened


def run(session: PgSession, statements: tuple[Statement, ...]) -> None:
    for statement in statements:
        try:
            session.execute(statement.sql)
        except Exception as failure:
            raise AssertionError(f"{statement.what}: {failure}\n{statement.sql}") from failure


def copy(session: PgSession, structure: Structure, mapping: dict[str, str], types: dict[str, str]) -> None:
    """Copy whole schemas the way the pantry is filled: types, bare tables, rows, everything else."""
    with session.transaction():
        for schema in {*mapping.values(), *types.values()}:
            session.execute(f"CREATE SCHEMA {quote(schema)}")
        run(session, type_statements(structure, types))
        run(session, table_statements(structure, mapping, types))
        with session.connection.cursor() as cursor:
            for table in structure.tables:
                columns = ", ".join(quote(column.name) for column in table.columns if not column.generated)
                if table.kind == "p" or not columns:
                    continue
                rows = io.BytesIO()
                target = qualified(TableName(mapping[table.name.schema], table.name.name))
                cursor.copy_expert(f"COPY (SELECT {columns} FROM ONLY {qualified(table.name)}) TO STDOUT", rows)
                rows.seek(0)
                cursor.copy_expert(f"COPY {target} ({columns}) FROM STDIN", rows)
        run(session, finish_statements(structure, mapping, types, policies=True))
        run(session, sequence_statements(structure, mapping))


def test_pagila_is_copied_object_by_object(session: PgSession) -> None:
    load_pagila(session)
    copy(session, read_structure(session, ["public"]), {"public": "copy_of_p"}, {"public": "copy_of_p_types"})
    names = {"copy_of_p_types": "public", "copy_of_p": "public"}
    source = catalogue(session, {"public": "public"})
    assert len(source) > 300
    assert differences(source, catalogue(session, names)) == []
    assert differences(contents(session, {"public": "public"}), contents(session, names)) == []
    assert crossings(session, list(names), ["public"]) == []


def test_the_nasty_database_is_copied_object_by_object(session: PgSession) -> None:
    load_nasty(session)
    sources = {"nasty_raw": "nasty_raw", "nasty_marts": "nasty_marts"}
    structure = read_structure(session, list(sources))
    assert structure.left_out == ()
    mapping = {name: f"zz_copied_{name}"[:14] + name for name in sources}
    types = {name: f"zz_typed_{name}"[:13] + name for name in sources}
    copy(session, structure, mapping, types)
    names = {physical: logical for one in (types, mapping) for logical, physical in one.items()}
    assert differences(catalogue(session, sources), catalogue(session, names)) == []
    assert crossings(session, list(names), list(sources)) == []
