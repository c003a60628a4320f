"""The pantry over a database that nobody here made; skipped, saying so, where Pagila is not beside the project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.contracts.pantries import Place, Production, fill, scanned
from tests.support import REPOSITORY, Server, Warehouse, missing

PAGILA = REPOSITORY.parent / "shared" / "data" / "pagila.sql"


@pytest.fixture
def pagila(server: Server) -> Iterator[Production]:
    """Return Pagila as production on each kind of server."""
    if not PAGILA.exists():
        missing("pagila", "no ../shared/data/pagila.sql")
    made = server.make()
    login = made.administrator
    subprocess.run(
        [
            str(server.bin_dir / "psql"), "-X", "-q", "-o", os.devnull, "-v", "ON_ERROR_STOP=1", "-h", login.host,
            "-p", str(login.port), "-U", login.user, "-d", login.database, "-f", str(PAGILA),
        ],
        env={**os.environ, "PGPASSWORD": login.password.reveal()}, check=True, timeout=120,
    )  # fmt: skip
    yield Production(made)
    server.drop(made)


def test_nobody_of_pagila_is_in_its_pantry(pagila: Production, warehouse18: Warehouse, postgres18: Server) -> None:
    place = Place(warehouse18)
    version = fill(place, pagila, scanned(pagila))
    login = warehouse18.administrator
    dumped = subprocess.run(
        [
            str(postgres18.bin_dir / "pg_dump"), "-h", login.host, "-p", str(login.port), "-U", login.user,
            "-d", login.database,
        ],
        env={**os.environ, "PGPASSWORD": login.password.reveal()}, check=True, timeout=120, capture_output=True,
        text=True,
    ).stdout.lower()  # fmt: skip
    assert len(dumped) > 1_000_000
    asked = {
        "e-mail": "SELECT email FROM public.customer UNION SELECT email FROM public.staff",
        "phone": "SELECT phone FROM public.address WHERE phone <> ''",
        "street": "SELECT address FROM public.address UNION SELECT address2 FROM public.address WHERE address2 <> ''",
        "password": "SELECT password FROM public.staff WHERE password IS NOT NULL",
        "name": "SELECT first_name || ' ' || last_name FROM public.customer"
        " UNION SELECT first_name || ' ' || last_name FROM public.staff",
        "name in columns": "SELECT first_name || E'\\t' || last_name FROM public.customer"
        " UNION SELECT first_name || E'\\t' || last_name FROM public.staff",
    }
    for kind, query in asked.items():
        values = [str(row[0]).lower() for row in pagila.query(query) if row[0]]
        assert values, kind
        assert [value for value in values if value in dumped] == [], kind

    for table in ("customer", "staff", "actor"):
        theirs = dict(pagila.query(f"SELECT {table}_id, lower(last_name) FROM public.{table}"))
        ours = dict(place.query(f"SELECT {table}_id, lower(last_name) FROM pantry_v{version}.{table}"))
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if ours[key] == theirs[key]] == []

    tables = [row[0] for row in pagila.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert len(tables) >= 20
    for name in tables:
        count = f"SELECT count(*) FROM {{}}.{name}"
        assert place.query(count.format(f"pantry_v{version}")) == pagila.query(count.format("public")), name
    keys = (
        "SELECT count(*), bool_and(convalidated) FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = '{}'::regnamespace"
    )
    assert place.query(keys.format(f"pantry_v{version}")) == pagila.query(keys.format("public"))
    schemas = f"'pantry_v{version}'::regnamespace, 'pantry_types'::regnamespace"
    definers = f"SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace IN ({schemas})"
    assert place.query(definers) == []
    pictures = place.query(f"SELECT count(*) FROM pantry_v{version}.staff WHERE picture IS NOT NULL")
    assert pictures == [(0,)]
