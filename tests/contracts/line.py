"""A kitchen over a pantry, by hand: what runs are tried in. The line is where the cooking is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.adapters.postgres.tables import PgTables
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment, Service
from kitchen.domain.kitchen import Kind, Kitchen, State, pantry_reader_role
from kitchen.domain.layout import Layer, Layout, layer_of
from kitchen.domain.run import Run
from kitchen.domain.secret import Secret
from kitchen.errors import NotFound
from kitchen.files.recipe import read_recipe
from kitchen.operations.file_keys import FileKeys
from kitchen.operations.run import run_recipe, run_tests
from kitchen.ports import Bucket, ContainerEngine
from tests.support import PasswordsInMemory, Warehouse

PANTRY = """
CREATE TABLE {pantry}.customer (customer_id int PRIMARY KEY, segment text);
INSERT INTO {pantry}.customer SELECT n, CASE WHEN n % 3 = 0 THEN 'business' ELSE 'private' END
    FROM generate_series(1, 100) AS n;
CREATE TABLE {pantry}.orders (order_id int PRIMARY KEY, customer_id int REFERENCES {pantry}.customer,
    amount numeric, ordered_at timestamptz, status text);
INSERT INTO {pantry}.orders SELECT n, n % 100 + 1, n, now() - n * interval '1 hour', 'paid'
    FROM generate_series(1, 1000) AS n;
"""
PASSWORD = "the password of the line"


@dataclass
class Line:
    """The services of one environment with one standing and one working kitchen; recipes are written by tests."""

    warehouse: Warehouse
    root: Path
    logical: tuple[str, ...] = ("public",)
    said: list[str] = field(default_factory=list)
    containers: ContainerEngine | None = None
    embedded: None = None
    person: str = "ann@example.com"
    tables: PgTables = field(default_factory=PgTables)

    @property
    def state_dir(self) -> Path:
        """Return where the environment would keep its services' data."""
        return self.root / "state"

    def __post_init__(self) -> None:
        self.control = PgControl(self.warehouse.sessions, environment="dev", person=self.person)
        self.layout = Layout(self.logical, holds_production=False)
        self.sessions = PgSessions(lambda: self.warehouse.administrator)
        self.secrets = PasswordsInMemory()
        service = Service("embedded")
        self.environment = Environment("dev", "dev", "production", service, service, service, service)
        self.file_keys = FileKeys(self.environment, self._no_bucket, self.said.append)
        self.standing = self._kitchen("dev", None)
        self.kitchen = self._kitchen("profit", "dev")
        self._set_up()

    def _kitchen(self, name: str, parent: str | None) -> Kitchen:
        return Kitchen(
            id=uuid4(), name=name, environment="dev", kind=Kind.WORKING if parent else Kind.STANDING,
            state=State.READY, branch=name, base_commit=None, parent=parent, pantry=1, owner=self.person,
            created_at=datetime.now(UTC),
        )  # fmt: skip

    def _set_up(self) -> None:
        reader = pantry_reader_role("dev", 1)
        with self.superuser() as session:
            session.execute(f"CREATE ROLE {reader}")
            for logical in self.logical:
                pantry = self.layout.pantry(1, logical)
                session.execute(f"CREATE SCHEMA {pantry}; GRANT USAGE ON SCHEMA {pantry} TO {reader}")
                types = self.layout.types(logical)
                session.execute(f"CREATE SCHEMA {types}; GRANT USAGE ON SCHEMA {types} TO {reader}")
                session.execute(PANTRY.format(pantry=pantry))
                session.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {pantry} TO {reader}")
            for kitchen in (self.standing, self.kitchen):
                self._make(session, kitchen, reader)
            session.execute(f"GRANT {self.standing.reader_role} TO {self.kitchen.owner_role}")
        for kitchen in (self.standing, self.kitchen):
            self.control.kitchens.add(kitchen)

    def _make(self, session: PgSession, kitchen: Kitchen, reader: str) -> None:
        owner, login = kitchen.owner_role, kitchen.login_role
        session.execute(
            f"CREATE ROLE {owner}; CREATE ROLE {kitchen.reader_role}; CREATE ROLE {login} LOGIN PASSWORD '{PASSWORD}';"
            f" GRANT {owner} TO {login}; GRANT {reader} TO {owner};"
            f" GRANT CONNECT, TEMPORARY ON DATABASE {self.warehouse.superuser.database} TO {owner}, {login}"
        )
        for schema in self.layout.schemas(kitchen):
            session.execute(f"CREATE SCHEMA {schema}; GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}")
            session.execute(f"GRANT USAGE ON SCHEMA {schema} TO {kitchen.reader_role}")
            session.execute(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT ON TABLES"
                f" TO {kitchen.reader_role}"
            )
        path = ", ".join(self.layer(kitchen).path())
        session.execute(f"ALTER ROLE {login} IN DATABASE {self.warehouse.superuser.database} SET search_path = {path}")

    def _no_bucket(self) -> Bucket:
        raise NotFound("the files of the line are in a folder")

    def superuser(self) -> PgSession:
        """Open a session that may do everything."""
        return connect(self.warehouse.superuser, application="tests")

    def layer(self, kitchen: Kitchen) -> Layer:
        """Return the layer of a kitchen."""
        return layer_of(self.layout, kitchen, [self.standing, self.kitchen])

    def credentials(self, kitchen: Kitchen) -> Credentials:
        """Return a kitchen's login."""
        base = self.warehouse.administrator
        return replace(base.named(user=kitchen.login_role, password=Secret(PASSWORD), role=kitchen.owner_role))

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Ask as the working kitchen."""
        with connect(self.credentials(self.kitchen), application="tests") as session:
            return session.query(statement)

    # --- recipes ---

    def recipe(self, yaml: str, **files: str) -> None:
        """Write the recipe ``r``; ``a_sql`` names the file a.sql."""
        folder = self.root / "recipes" / "r"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.yaml").write_text(yaml)
        for name, text in files.items():
            stem, _, ending = name.rpartition("_")
            (folder / f"{stem}.{ending}").write_text(text)

    def run(self, *, kitchen: Kitchen | None = None, nodes: Collection[str] | None = None,
            variation: str | None = None, overrides: Mapping[str, object] | None = None) -> Run:  # fmt: skip
        """Run the recipe and check that what was recorded is what was returned."""
        run = run_recipe(
            self, kitchen or self.kitchen, read_recipe(self.root, "r"), variation=variation, overrides=overrides,
            nodes=nodes, folder=self.root, commit=None, say=self.said.append,
        )  # fmt: skip
        kept = self.control.runs.get(str(run.id))
        assert kept is not None
        assert [(n.node, n.attempt, n.state, n.message, n.log) for n in kept.nodes] == [
            (n.node, n.attempt, n.state, n.message, n.log) for n in run.nodes
        ]
        assert kept.tests == run.tests
        assert (kept.state, kept.message) == (run.state, run.message)
        return run

    def test(self) -> Run:
        """Evaluate the recipe's tests on what is there."""
        return run_tests(self, self.kitchen, read_recipe(self.root, "r"), commit=None, say=self.said.append)
