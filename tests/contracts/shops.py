"""A target schema with tables, and a candidate beside it: what swaps are tried in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.publisher import PgPublisher
from kitchen.domain.layout import TableName
from kitchen.ports import Arrival, Publication, Published
from tests.support import Warehouse

SHOP = """
CREATE SCHEMA shop; CREATE SCHEMA cand; CREATE SCHEMA bi; CREATE SCHEMA child;
GRANT USAGE, CREATE ON SCHEMA shop TO {owner}; GRANT USAGE, CREATE ON SCHEMA cand TO {builder};
GRANT USAGE ON SCHEMA shop TO {reader}, {other}; GRANT USAGE, CREATE ON SCHEMA bi, child TO {other};
SET ROLE {owner};
CREATE TABLE shop.customer (id int PRIMARY KEY, name text, secret text);
INSERT INTO shop.customer SELECT n, 'old', 'x' FROM generate_series(1, 3) AS n;
CREATE TABLE shop.orders (
    id int PRIMARY KEY, customer int CONSTRAINT orders_customer REFERENCES shop.customer, amount int
);
INSERT INTO shop.orders SELECT n, n, 10 FROM generate_series(1, 3) AS n;
CREATE TABLE shop.line (id int, orders int CONSTRAINT line_orders REFERENCES shop.orders);
INSERT INTO shop.line VALUES (1, 1);
CREATE TABLE shop.notes (said text);
"""


class Shop:
    """A target schema ``shop`` with tables, and a candidate schema ``cand`` to build new ones in."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        suffix = warehouse.administrator.database
        self.owner, self.builder = f"owner_{suffix}", f"builder_{suffix}"
        self.reader, self.other = f"reader_{suffix}", f"other_{suffix}"
        self.session = warehouse.sessions.as_administrator()
        self.publisher = PgPublisher(self.session)
        self.names = {"owner": self.owner, "builder": self.builder, "reader": self.reader, "other": self.other}
        with self.superuser() as session:
            session.execute("GRANT CREATE ON DATABASE " + suffix + " TO kitchen_provisioner")
        for name in self.names.values():
            self.session.execute(f"CREATE ROLE {name}")
        if warehouse.version >= 16:
            grant = "GRANT {owner}, {builder}, {other} TO kitchen_provisioner WITH INHERIT TRUE, SET TRUE"
        else:
            grant = "GRANT {owner}, {builder}, {other} TO kitchen_provisioner"
        self.run(grant)
        self.run(SHOP)
        self.session.execute("RESET ROLE")

    def run(self, statements: str, role: str | None = None) -> None:
        if role:
            self.session.execute(f"SET ROLE {self.names[role]}")
        try:
            self.session.execute(statements.format(**self.names))
        finally:
            if role:
                self.session.execute("RESET ROLE")

    @contextmanager
    def superuser(self) -> Iterator[PgSession]:
        with connect(self.warehouse.superuser, application="tests") as session:
            yield session

    def build(self, statements: str) -> None:
        self.run(statements, "builder")

    def publish(
        self, *, release: int = 1, drops: tuple[str, ...] = (), wait: float = 5, rehearse: bool = False
    ) -> Published:
        arrivals = tuple(Arrival(name, "shop") for name in self.publisher.contents(["cand"]))
        publication = Publication(
            arrivals,
            tuple(TableName("shop", name) for name in drops),
            {"shop": f"shop__r{release}"},
            self.owner,
            strangers=frozenset([self.builder]),
            untouched=frozenset(["child"]),
        )
        return self.publisher.publish(publication, wait=wait, record=lambda _: None, rehearse=rehearse)

    def value(self, statement: str) -> object:
        rows = self.session.query(statement)
        return rows[0][0] if rows else None


NEW_CUSTOMER = """
CREATE TABLE cand.customer (id int PRIMARY KEY, name text, segment text);
INSERT INTO cand.customer SELECT n, 'new', 'a' FROM generate_series(1, 4) AS n;
"""
