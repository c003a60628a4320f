"""A pantry, a standing kitchen over it and a working kitchen over both, in one real database under their real roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.structure import read_structure
from kitchen.adapters.postgres.structure_text import quote
from kitchen.adapters.postgres.tables import PgTables
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.domain.connection import Credentials
from kitchen.domain.kitchen import Kind, Kitchen, State, pantry_reader_role
from kitchen.domain.layout import Layer, Layout, TableName
from kitchen.ports import Hydrated
from tests.contracts.databases import copy
from tests.support import Warehouse

ENVIRONMENT = "dev"


@dataclass
class Place:
    """A pantry of one database, the standing kitchen over it, and a working kitchen over both."""

    layer: Layer
    administrator: PgSession
    parent: PgSession
    session: PgSession
    tables: PgTables
    login: Credentials

    def hydrate(self, name: str, *, with_rows: bool = True) -> Hydrated | None:
        schema, _, table = name.rpartition(".")
        logical = TableName(schema or self.layer.layout.logical[0], table)
        return self.tables.hydrate(self.session, self.layer, logical, with_rows=with_rows)

    def hydrate_all(self) -> list[Hydrated]:
        """Hydrate every table, in the order of their names."""
        done = []
        for relation in self.tables.visible(self.session, self.layer):
            if relation.kind in ("table", "partitioned table", "sequence", "materialized view"):
                done.append(self.tables.hydrate(self.session, self.layer, relation.logical))
        return [one for one in done if one is not None]

    def schemas(self, of: str) -> dict[str, str]:
        """Return physical to logical schemas of ``own`` or of the ``pantry``, with the types'."""
        layout = self.layer.layout
        places = {layout.types(logical): f"types_{logical}" for logical in layout.logical}
        for logical in layout.logical:
            places[self.layer.own(logical) if of == "own" else layout.pantry(1, logical)] = logical
        return places


def kitchen_of(name: str, parent: str | None) -> Kitchen:
    kind = Kind.WORKING if parent else Kind.STANDING
    return Kitchen(
        uuid4(), name, ENVIRONMENT, kind, State.READY, name, None, parent, 1, "ann", datetime.now(UTC)
    )  # fmt: skip


def make_pantry(warehouse: Warehouse, layout: Layout, source: PgSession) -> None:
    role = quote(pantry_reader_role(ENVIRONMENT, 1))
    with warehouse.sessions.as_administrator() as session:
        session.execute(f"CREATE ROLE {role} NOLOGIN")
        tables = {logical: layout.pantry(1, logical) for logical in layout.logical}
        types = {logical: layout.types(logical) for logical in layout.logical}
        copy(source, read_structure(source, layout.logical), tables, types, into=session, policies=False)
        for schema in (*tables.values(), *types.values()):
            session.execute(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {role}")
            session.execute(f"GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {quote(schema)} TO {role}")


def place(warehouse: Warehouse, layout: Layout) -> Iterator[Place]:
    dev, profit = kitchen_of("dev", None), kitchen_of("profit", "dev")
    workspaces = PgWorkspaces(warehouse.sessions)
    above, layer = Layer(layout, dev, ()), Layer(layout, profit, (dev,))
    parent = workspaces.create(above, "one-for-the-tests")
    own = workspaces.create(layer, "another-for-the-tests")
    with (
        warehouse.sessions.as_administrator() as administrator,
        connect(parent, application="tests") as parent_session,
        connect(own, application="tests") as session,
    ):
        yield Place(layer, administrator, parent_session, session, PgTables(), own)
