"""A pantry filled from one real database into another, through the operation that the command line calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.pantry import PgPantryStore
from kitchen.adapters.postgres.source import PgSource
from kitchen.adapters.postgres.tables import PgTables
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.domain.environment import DataSource, Environment, Service
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, Layout, layer_of
from kitchen.domain.masking import Policy
from kitchen.files.loader import Document
from kitchen.files.masking import policy_of
from kitchen.files.masking_write import with_proposals
from kitchen.operations import pantry_scan
from kitchen.operations.pantry_refresh import Refresh, refresh
from tests.support import PasswordsInMemory, Warehouse

HEAD = "# a policy\n"


@dataclass
class Place:
    """An environment that receives masked data: what ``kitchen.app.Services`` would give."""

    warehouse: Warehouse
    schemas: tuple[str, ...] = ("public",)
    name: str = field(default_factory=lambda: f"e{uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        embedded = Service("embedded")
        data = DataSource("production")
        self.environment = Environment(
            self.name, self.name, "production", embedded, embedded, embedded, embedded, data=data
        )  # fmt: skip
        self.sessions = self.warehouse.sessions
        self.tables = PgTables()
        self.layout = Layout(self.schemas, holds_production=False)
        self.control = PgControl(self.warehouse.sessions, environment=self.name, person="tester")
        self.sessions = self.warehouse.sessions
        self.tables = PgTables()
        self.workspaces = PgWorkspaces(self.sessions)
        self.pantry_store = PgPantryStore(self.warehouse.sessions, self.layout, self.name)
        standing = Kitchen(
            id=uuid4(), name=self.name, environment=self.name, kind=Kind.STANDING, state=State.READY, branch=self.name,
            base_commit=None, parent=None, pantry=None, owner="tester", created_at=datetime.now(UTC),
        )  # fmt: skip
        self.control.kitchens.add(standing)
        self.login = self.workspaces.create(self.layer(standing), uuid4().hex)

    def binder(self, kitchen: Kitchen, *, application: str) -> PgSession:
        return self.sessions.as_administrator(application=application)

    def standing(self) -> Kitchen:
        found = self.control.kitchens.get(self.name)
        assert found is not None
        return found

    def layer(self, kitchen: Kitchen) -> Layer:
        return layer_of(self.layout, kitchen, self.control.kitchens.all())

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Ask as the provisioner."""
        with connect(self.warehouse.administrator, application="tests") as session:
            return session.query(statement)

    def everything(self, version: int) -> str:
        """Return every value of every table of a version as one text."""
        parts: list[str] = []
        with connect(self.warehouse.administrator, application="tests") as session:
            for schema in self.pantry_store.schemas(version):
                names = session.query(
                    "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = %s", [schema]
                )
                for (name,) in names:
                    parts += [str(row[0]) for row in session.query(f"SELECT t::text FROM {name} t")]
        return "\n".join(parts)


@dataclass
class Production:
    """The database whose data is masked, with its secrets."""

    warehouse: Warehouse
    schemas: tuple[str, ...] = ("public",)
    secrets: PasswordsInMemory = field(default_factory=PasswordsInMemory)

    @property
    def source(self) -> PgSource:
        return PgSource(self.warehouse.sessions, self.schemas)

    @contextmanager
    def session(self) -> Iterator[PgSession]:
        with connect(self.warehouse.administrator, application="tests") as session:
            yield session

    def execute(self, *statements: str) -> None:
        with self.session() as session:
            for statement in statements:
                session.execute(statement)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with self.session() as session:
            return session.query(statement)


def policy(text: str) -> Policy:
    """Return the policy in a text."""
    return policy_of(Document(text, shown="environments/masking.yaml"))


def scanned(production: Production, text: str = HEAD) -> str:
    """Return a policy text with the proposals for what it leaves undecided."""
    known = policy(text)
    found = pantry_scan.scan(production.source, known)
    proposals = pantry_scan.under_names(found.decisions, known)
    return with_proposals(text, proposals, shown="environments/masking.yaml")


def fill(place: Place, production: Production, text: str, said: list[str] | None = None) -> int:
    """Refresh the place from production under a policy, and return the version."""
    wish = Refresh(production.source, "production", production.secrets, policy(text))
    return refresh(place, wish, say=(said if said is not None else []).append)


def reviewed(text: str) -> str:
    """Return a policy as it is after a review."""
    return text.replace(", proposed: true", "")
