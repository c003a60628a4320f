"""One environment on one server, with people who have logins of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.install_people import people_actions
from kitchen.adapters.postgres.people import PgPeople
from kitchen.adapters.postgres.person_workspaces import PersonWorkspaces
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment, KitchenRules, Service
from kitchen.domain.journal import Operation, OperationState, StepState
from kitchen.domain.kitchen import Kind, Kitchen, State, pantry_reader_role
from kitchen.domain.layout import Layout, layer_of
from kitchen.domain.people import person_role
from kitchen.domain.release import ReleaseKind, ReleasePlan
from kitchen.domain.run import NodeRun, Run, RunState
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from tests.contracts.probes import Names
from tests.contracts.test_isolation import _FURNITURE
from tests.support import Warehouse

PASSWORD = "not-a-secret-0123456789"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

_NOTHING = Service("none")


@dataclass
class Person:
    """One person: a login, and what it may do with it."""

    login: Credentials
    control: PgControl
    workspaces: PersonWorkspaces


class Office:
    """One environment with two developers, each with a kitchen of their own, and a release waiting for approval."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.layout = Layout(("public",), holds_production=False)
        self.kitchens: dict[str, Kitchen] = {}
        control = PgControl(warehouse.sessions, environment="dev", person="platform")
        control.install()
        self._pantry(control)
        self._make(control, PgWorkspaces(warehouse.sessions), "dev", Kind.STANDING, "platform")
        self._install()
        self.people = PgPeople(warehouse.sessions, "ann")
        environment = Environment("dev", "dev", "production", _NOTHING, _NOTHING, _NOTHING, _NOTHING,
                                  kitchens=KitchenRules(per_person=3))  # fmt: skip
        assert self.people.open(environment, self.layout)
        self.ann, self.bob = self.person("ann"), self.person("bob")
        self.mine = self._make(self.ann.control, self.ann.workspaces, "tries", Kind.WORKING, "ann")
        self.others = self._make(self.bob.control, self.bob.workspaces, "other", Kind.WORKING, "bob")
        for login, name in ((self.others, "other"), (self._standing_login, "dev")):
            with connect(login, application="tests") as session:
                session.execute(_FURNITURE.format(s=name))
        with connect(self.mine, application="tests") as session:
            session.execute("CREATE TABLE own (v text)")
        self._work(self.bob.control, "other")
        plan = ReleasePlan("x", "x", "dev", "a", "b", {}, (), (), (), ())
        control.releases.add(ReleaseKind.MERGE, "dev", "dev", plan, by="platform")
        self.bob.control.requests.ask(self.kitchens["other"].id, COMMIT)
        control.requests.beat("ci", "there")
        control.session.close()

    def _install(self) -> None:
        database = self.warehouse.superuser.database
        with connect(self.warehouse.superuser, application="tests") as session:
            for action in people_actions("dev", database, self.warehouse.administrator.user, gated=True):
                with session.transaction():
                    session.execute(action.sql)

    def _pantry(self, control: PgControl) -> None:
        role = pantry_reader_role("dev", 1)
        with self.warehouse.sessions.as_administrator() as session:
            session.execute("CREATE SCHEMA pantry_v1; CREATE SCHEMA pantry_types;" + _FURNITURE.format(s="pantry_v1"))
            session.execute(
                f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA pantry_v1 TO {role};"
                f"GRANT SELECT ON ALL TABLES IN SCHEMA pantry_v1 TO {role}"
            )
        control.pantries.publish(control.pantries.begin({}), {})

    def _make(self, control: PgControl, workspaces: PgWorkspaces, name: str, kind: Kind, owner: str) -> Credentials:
        made = Kitchen(
            id=uuid4(), name=name, environment="dev", kind=kind, state=State.CREATING, branch=name, base_commit=None,
            parent="dev" if kind is Kind.WORKING else None, pantry=1, owner=owner, created_at=datetime.now(UTC),
        )  # fmt: skip
        self.kitchens[name] = made
        control.kitchens.add(made)
        login = workspaces.create(layer_of(self.layout, made, list(self.kitchens.values())), PASSWORD)
        control.kitchens.save(made.with_state(State.READY), expected=State.CREATING)
        if kind is Kind.STANDING:
            self._standing_login = login
        return login

    def person(self, name: str, role: str = "developer") -> Person:
        self.people.admit(name, role, Secret(PASSWORD))
        login = self.warehouse.administrator.named(user=person_role("dev", name), password=Secret(PASSWORD))

        def nobody() -> Credentials:
            raise NotPermitted("not the provisioner")

        sessions = PgSessions(nobody, lambda: login)
        return Person(
            login, PgControl(sessions, environment="dev", person=name), PersonWorkspaces(sessions, name[0] * 5 + "0")
        )

    def _work(self, control: PgControl, kitchen: str) -> None:
        """Leave an operation, a lock and a run of somebody's."""
        now = datetime.now(UTC)
        operation = Operation(uuid4(), "hydrate", kitchen, {}, OperationState.RUNNING, control.person, "h", 1, "1", now)
        control.journal.begin(operation)
        control.journal.mark(operation.id, "one", StepState.STARTED)
        with control.locks.hold(kitchen, purpose="work"):
            run = Run(uuid4(), kitchen, "x", None, None, RunState.RUNNING, control.person, now)
            control.runs.start(run)
            control.runs.node(run.id, NodeRun("n", 1, RunState.RUNNING, now, None, None, None, ""))

    def names(self, victim: PgSession) -> Names:
        other, parent = self.kitchens["other"], self.kitchens["dev"]
        return Names(
            mine="tries", mine_login=self.mine.user, other_schema="other", other_owner=other.owner_role,
            parent_schema="dev", parent_owner=parent.owner_role, pantry_schema="pantry_v1",
            pantry_role=pantry_reader_role("dev", 1), reader=other.reader_role,
            provisioner=self.warehouse.administrator.user, superuser=self.warehouse.superuser.user,
            database=self.warehouse.administrator.database, pid=victim.connection.get_backend_pid(),
        )  # fmt: skip

    def identities(self) -> dict[str, str]:
        found = {"mine_id": "tries", "other_id": "other", "parent_id": "dev"}
        return {**{key: str(self.kitchens[name].id) for key, name in found.items()}, "other_login": self.others.user}

    def fingerprint(self) -> list[tuple[object, ...]]:
        """Return every record, every role and right, and the rows of others."""
        with connect(self.warehouse.superuser, application="tests") as session:
            records = [name for (name,) in session.query(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'kitchen_control'::regnamespace "
                "ORDER BY 1")]  # fmt: skip
            every = "SELECT r::text FROM kitchen_control.{} AS r ORDER BY 1"
            return [
                *((name, session.query(every.format(name))) for name in records),
                *session.query("SELECT 'other', * FROM other.t UNION ALL SELECT 'dev', * FROM dev.t"),
                *session.query("SELECT 'pantry', * FROM pantry_v1.t"),
                *session.query("SELECT oid::regclass::text, relacl::text, relowner, relhastriggers, relrowsecurity "
                               "FROM pg_class WHERE relnamespace::regnamespace::text IN "
                               "('other', 'dev', 'tries', 'pantry_v1', 'kitchen_control') ORDER BY 1"),
                *session.query("SELECT rolname, rolsuper, rolcreaterole, rolcanlogin, rolconnlimit, rolpassword "
                               "FROM pg_authid ORDER BY 1"),
                *session.query("SELECT roleid::regrole, member::regrole FROM pg_auth_members ORDER BY 1, 2"),
                *session.query("SELECT oid::regprocedure::text, proacl::text, proowner, md5(prosrc), proconfig::text "
                               "FROM pg_proc WHERE pronamespace::regnamespace::text ~ '^kitchen_' ORDER BY 1"),
                *session.query("SELECT nspname, nspowner, nspacl::text FROM pg_namespace "
                               "WHERE nspname !~ '^pg_(temp|toast)' ORDER BY 1"),
                *session.query("SELECT polname, polrelid::regclass::text, pg_get_expr(polqual, polrelid), "
                               "pg_get_expr(polwithcheck, polrelid) FROM pg_policy ORDER BY 1, 2"),
            ]  # fmt: skip
