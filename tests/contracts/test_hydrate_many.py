"""A table of many partitions, hydrated in one transaction by servers that can lock no more than their settings say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kitchen.adapters.embedded.binaries import Binaries
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import Layout
from kitchen.errors import KitchenError
from tests.conftest import _home
from tests.contracts.layers import make_pantry, place
from tests.faults.test_crashes import WHOLE
from tests.support import POSTGRES_15, PasswordsInMemory, Server, missing

LAYOUT = Layout(("public",), holds_production=False)
ROWS = 5_000


class Small:
    """A server of its own, that is started with other settings when a test says so."""

    def __init__(self, version: int) -> None:
        if version == 15 and not POSTGRES_15.exists():
            missing("postgres15", f"no PostgreSQL 15 in {POSTGRES_15}")
        self.home, binaries = _home(), Binaries(POSTGRES_15, "15") if version == 15 else None
        folder = self.home / "tests" / "main" / "postgres"
        self.embedded = EmbeddedPostgres(folder, "main", PasswordsInMemory(), binaries=binaries)
        self.embedded.start()
        self.warehouse = Server(self.embedded, version).make()

    def restart(self, **settings: int) -> None:
        with connect(self.embedded.superuser(), application="tests") as session:
            for name, value in settings.items():
                session.execute(f"ALTER SYSTEM SET {name} = {value}")
        self.embedded.stop()
        self.embedded.start()

    def fill(self, partitions: int) -> None:
        """Make a pantry with one partitioned table."""
        with connect(self.warehouse.superuser, application="tests") as source:
            source.execute("CREATE TABLE visit (id bigint, day int NOT NULL, page text, PRIMARY KEY (id, day))"
                           " PARTITION BY RANGE (day)")  # fmt: skip
            source.execute("CREATE INDEX visit_page ON visit (page)")
            for start in range(0, partitions, 100):
                source.execute("; ".join(
                    f"CREATE TABLE visit_{day} PARTITION OF visit FOR VALUES FROM ({day}) TO ({day + 1})"
                    for day in range(start, start + 100)
                ))  # fmt: skip
            source.execute(f"INSERT INTO visit SELECT n, n % {partitions}, 'p' || n FROM generate_series(1, {ROWS}) n")
            make_pantry(self.warehouse, LAYOUT, source)


@contextmanager
def small(version: int) -> Iterator[Small]:
    made = Small(version)
    try:
        yield made
    finally:
        made.embedded.stop()
        shutil.rmtree(made.home)


@pytest.mark.skipif(not WHOLE, reason="1,200 partitions take a minute or two: KITCHEN_FAULTS=all")
@pytest.mark.parametrize("version", [15, 18])
def test_twelve_hundred_partitions_at_the_settings_that_postgresql_comes_with(version: int) -> None:
    with small(version) as server:
        server.fill(1_200)
        server.restart(max_connections=100)
        for found in place(server.warehouse, LAYOUT):
            assert found.administrator.query("SHOW max_locks_per_transaction") == [("64",)]
            assert found.hydrate("visit") is not None
            counted = "SELECT count(*), count(DISTINCT tableoid) FROM profit.visit"
            assert found.administrator.query(counted) == [(ROWS, 1_200)]


def test_where_the_server_cannot_lock_that_much_it_says_what_to_raise() -> None:
    with small(18) as server:
        server.fill(300)
        server.restart(max_connections=20, max_locks_per_transaction=10)
        for found in place(server.warehouse, LAYOUT):
            with pytest.raises(KitchenError) as caught:
                found.hydrate("visit")
            assert "max_locks_per_transaction" in str(caught.value.hint)
            assert found.administrator.query("SELECT to_regclass('profit.visit')") == [(None,)]
