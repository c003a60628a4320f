"""People with logins of their own: a generated matrix of what one may not do to others, asked in raw SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

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
from kitchen.domain.merge_request import RequestState
from kitchen.domain.people import person_role
from kitchen.domain.release import ReleaseKind, ReleasePlan
from kitchen.domain.run import NodeRun, Run, RunState
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted
from tests.contracts.probes import Names, probes
from tests.contracts.probes_people import people_probes, sound
from tests.contracts.test_isolation import _FURNITURE, STATES
from tests.support import Warehouse

PASSWORD = "not-a-secret-0123456789"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROBES = 450  # at least, for each state of a session
# not permitted; words that functions do not take; a kitchen that is ready is not dropped; no commit was named
REFUSALS = ("42501", "22023", "55000", "23502")

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
        self.people = PgPeople(warehouse.sessions)
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
            for action in people_actions("dev", database, self.warehouse.administrator.user, gated=False):
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


@pytest.fixture
def office(warehouse: Warehouse) -> Iterator[Office]:
    made = Office(warehouse)
    yield made
    for person in (made.ann, made.bob):
        person.control.session.close()


@pytest.fixture
def victim(office: Office) -> Iterator[PgSession]:
    with connect(office.others, application="tests") as session:
        yield session


def _tried(session: PgSession, state: str, statement: str) -> str | None:
    """Return the SQLSTATE with which a statement was refused, or None; what it did stays done."""
    with session.connection.cursor() as cursor:
        try:
            if state:
                cursor.execute(state)
            if statement.startswith("LOCK TABLE"):
                statement = f"BEGIN; {statement}; COMMIT"
            if " TO STDOUT" in statement:
                cursor.copy_expert(statement, open("/dev/null", "wb"))  # noqa: PTH123, SIM115
            else:
                cursor.execute(statement)
        except psycopg2.Error as error:
            if session.connection.info.transaction_status == TRANSACTION_STATUS_INERROR:
                cursor.execute("ROLLBACK")  # the driver's own does nothing in autocommit, and the rest would be refused
            return error.pgcode or "lost"
    return None


@pytest.mark.parametrize("state", STATES, ids=["as it starts", "after RESET ROLE", "after SET ROLE NONE"])
def test_a_person_changes_nothing_of_others(office: Office, victim: PgSession, state: str) -> None:
    before = office.fingerprint()
    passed, count = [], 0
    with connect(office.ann.login, application="tests") as session:
        for statement in people_probes(office.names(victim), office.identities()):
            count += 1
            code = _tried(session, state, statement)
            if code not in (None, *REFUSALS) or (code is None and statement.startswith("LOCK")):
                passed.append(f"{code}: {statement}")
            if code is None and (after := office.fingerprint()) != before:
                passed.append(f"{code}: {statement}")
                before = after
    assert not passed, "\n".join(passed)
    assert count >= PROBES
    assert office.fingerprint() == before
    assert victim.query("SELECT 1") == [(1,)], "its session was not ended"


def test_what_the_probes_spoil_is_taken_where_it_is_sound(office: Office) -> None:
    with connect(office.ann.login, application="tests") as session:
        assert [_tried(session, "", statement) for statement in sound()] == [None, None]


@pytest.mark.parametrize("state", STATES, ids=["as it starts", "after RESET ROLE", "after SET ROLE NONE"])
def test_a_leased_login_changes_nothing_of_others(office: Office, victim: PgSession, state: str) -> None:
    before = office.fingerprint()
    passed, count = [], 0
    with connect(office.mine, application="tests") as session:
        session.connection.autocommit = False
        for statement in probes(office.names(victim)):
            count += 1
            code = _tried(session, state, statement)
            session.connection.rollback()
            if code is None and not any("no privileges" in notice for notice in session.connection.notices):
                passed.append(statement)
            session.connection.notices.clear()
    assert not passed, "\n".join(passed)
    assert count >= 250
    assert office.fingerprint() == before


def test_a_person_reads_no_rows_of_anybody(office: Office) -> None:
    with connect(office.ann.login, application="tests") as session:
        for table in ("other.t", "dev.t", "pantry_v1.t", "tries.own"):
            with pytest.raises(NotPermitted):
                session.query(f"SELECT * FROM {table}")


def test_logs_of_a_private_kitchen_are_private(office: Office) -> None:
    read = "SELECT count(*) FROM kitchen_control.node_run"
    with connect(office.ann.login, application="tests") as session:
        assert session.query(read) == [(0,)]
        assert len(office.ann.control.runs.all(kitchen="other")) == 1, "that it ran is no secret"
    with connect(office.bob.login, application="tests") as session:
        assert session.query(read) == [(1,)]


def test_what_is_said_is_stamped(office: Office) -> None:
    """Whatever a person writes, the server writes down who it was."""
    with connect(office.ann.login, application="tests") as session:
        session.query("SELECT kitchen_control.audit_append('bob', 'h', 'intent', 'delete', 'other', NULL, '{}')")
        session.execute(
            "INSERT INTO kitchen_control.run (id, kitchen, recipe, state, by, started_at, parameters, backend_pid) "
            "VALUES (gen_random_uuid(), 'tries', 'x', 'running', 'bob', now(), '{}', 1)"
        )
    with connect(office.warehouse.superuser, application="tests") as session:
        assert session.query("SELECT person, login FROM kitchen_control.audit ORDER BY position DESC LIMIT 1") == [
            ("ann", "kitchen__dev__ann__person")
        ]
        assert session.query("SELECT by FROM kitchen_control.run WHERE kitchen = 'tries'") == [("ann",)]


def test_approvals(office: Office) -> None:
    """A releaser approves what others planned, once; nobody approves their own, and a developer nothing."""
    rel = office.person("rel", "releaser")
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute("UPDATE kitchen_control.release SET by = 'rel'")
        with pytest.raises(NotPermitted, match="planned"):
            rel.control.releases.approve(1, by="bob")
        session.execute("UPDATE kitchen_control.release SET by = 'bob'")
        rel.control.releases.approve(1, by="bob")
        rel.control.releases.approve(1, by="bob")
        assert session.query("SELECT by, own FROM kitchen_control.approval") == [("rel", False)]
    with pytest.raises(NotPermitted, match=r"^not permitted: ") as refused:
        office.ann.control.releases.approve(1, by="rel")
    assert refused.value.hint == "kitchen whoami"
    rel.control.session.close()


@pytest.mark.parametrize(
    ("name", "says"),
    [("other", "other is bob's"), ("pantry", "ann may not change pantry here"), ("dev", "ann may not change dev here")],
)
def test_what_is_not_ones_own_is_refused_in_words(office: Office, name: str, says: str) -> None:
    with pytest.raises(NotPermitted) as refused, office.ann.control.locks.hold(name, purpose="delete"):
        pytest.fail("the lock was given")
    assert (refused.value.message, refused.value.hint) == (f"not permitted: {says}", "kitchen whoami")


def test_asking_for_a_merge(office: Office) -> None:
    """Whose kitchen it is asks, for one commit at a time; everything else is the record's."""
    mine, asks = office.kitchens["tries"], office.ann.control.requests
    number = asks.ask(mine.id, COMMIT)
    assert asks.ask(mine.id, COMMIT) == number, "the same again is the same"
    with pytest.raises(NotPermitted, match="asked for already, by ann"):
        asks.ask(mine.id, COMMIT[::-1])
    request = asks.get(number)
    assert request is not None
    assert (request.by, request.kitchen, request.target, request.branch, request.state) == (
        "ann", "tries", "dev", "tries", RequestState.QUEUED
    )  # fmt: skip
    assert [each.by for each in office.bob.control.requests.standing()] == ["bob", "ann"], "everybody sees them"
    with pytest.raises(NotPermitted, match="not yours"):
        office.bob.control.requests.withdraw(number)
    assert asks.withdraw(number) == "withdrawn"
    assert asks.ask(mine.id, COMMIT[::-1]) > number
    said = [(each["person"], each["result"]) for each in office.ann.control.audit.entries(3)]
    assert said == [("ann", "queued"), ("ann", "withdrawn"), ("ann", "queued")]


def test_who_asks_at_all_and_how_often(office: Office) -> None:
    mine = office.kitchens["tries"]
    viewer = office.person("vic", "viewer")
    with office.warehouse.sessions.as_administrator() as session:
        session.execute("UPDATE kitchen_control.kitchen SET staff = '{vic,bob}' WHERE name = 'tries'")
        with pytest.raises(NotPermitted):
            viewer.control.requests.ask(mine.id, COMMIT)
        with pytest.raises(NotPermitted, match="nobody here"):
            session.query("SELECT kitchen_control.ask_merge(%s, %s)", [str(mine.id), COMMIT])
        number = office.bob.control.requests.ask(mine.id, COMMIT)
        assert office.ann.control.requests.withdraw(number) == "withdrawn", "the owner takes back what staff asked for"
        session.execute("UPDATE kitchen_control.kitchen SET parent = 'other' WHERE name = 'tries'")
        with pytest.raises(NotPermitted, match="private"):
            office.ann.control.requests.ask(mine.id, COMMIT)
        session.execute("UPDATE kitchen_control.kitchen SET parent = 'dev' WHERE name = 'tries'")
        session.execute(
            "INSERT INTO kitchen_control.merge_request (kitchen_id, kitchen, target, branch, commit, by, state, "
            "ended_at) SELECT gen_random_uuid(), 'x', 'dev', 'x', 'x', 'ann', 'refused', now() "
            "FROM generate_series(1, 60)"
        )
    with pytest.raises(NotPermitted, match="60 merges"):
        office.ann.control.requests.ask(mine.id, COMMIT)
    viewer.control.session.close()


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        ("UPDATE kitchen_control.person SET revoked_at = now() WHERE name = 'bob'", "not in this environment"),
        ("UPDATE kitchen_control.person SET role = 'viewer' WHERE name = 'bob'", "is a viewer"),
        ("UPDATE kitchen_control.kitchen SET owner = 'ann' WHERE name = 'other'", "neither owner nor staff"),
        ("UPDATE kitchen_control.kitchen SET state = 'deleting' WHERE name = 'other'", "is deleting"),
        ("UPDATE kitchen_control.kitchen SET parent = 'tries' WHERE name = 'other'", "stands on tries"),
        (
            "UPDATE kitchen_control.kitchen SET name = 'other2', id = gen_random_uuid() WHERE name = 'other'",
            "not there",
        ),
    ],
)
def test_what_became_of_a_request_meanwhile(office: Office, meanwhile: str, why: str) -> None:
    control = PgControl(office.warehouse.sessions, environment="dev", person="ci")
    (request,) = control.requests.standing()
    assert control.requests.unwanted(request.number) is None
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute(meanwhile)
    said = control.requests.unwanted(request.number)
    assert said is not None
    assert why in said
    control.session.close()


def test_who_asked_does_not_approve(office: Office) -> None:
    """A release that a runner planned is another's for its approval, and not for who asked for it."""
    rel = office.person("rel", "releaser")
    with connect(office.warehouse.superuser, application="tests") as session:
        session.execute("UPDATE kitchen_control.merge_request SET by = 'rel', release = 1")
        with pytest.raises(NotPermitted, match="asked for it"):
            rel.control.releases.approve(1, by="bob")
        session.execute(
            "UPDATE kitchen_control.merge_request SET release = NULL; UPDATE kitchen_control.release "
            f'SET plan = plan || \'{{"source": "other", "head": "{COMMIT}"}}\''
        )
        with pytest.raises(NotPermitted, match="asked for it"):  # though its runner was interrupted, and forgot it
            rel.control.releases.approve(1, by="bob")
        session.execute("UPDATE kitchen_control.merge_request SET by = 'bob'")
    rel.control.releases.approve(1, by="rel")
    rel.control.session.close()


def test_hostile_names_on_the_path(office: Office) -> None:
    """Tables and functions of a person's temporary schema are nothing to the functions of the server."""
    with connect(office.ann.login, application="tests") as session:
        session.execute(
            "CREATE TEMP TABLE person AS SELECT 'bob' AS name, session_user::text AS login, now() AS revoked_at;"
            "CREATE TEMP TABLE pg_roles AS SELECT 'x'::name AS rolname; CREATE TEMP TABLE pg_class (oid oid);"
            "CREATE FUNCTION pg_temp.pg_has_role(name, name, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
            "CREATE FUNCTION pg_temp.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'ALTER ROLE x' $$;"
            "CREATE FUNCTION pg_temp.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
            "CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.eq);"
            "SET search_path = pg_temp, pg_catalog"
        )
        assert session.query("SELECT kitchen_control.me(), kitchen_control.is_trusted()") == [("ann", False)]
        assert session.query("SELECT kitchen_control.may_use('other')") == [(False,)]
        with pytest.raises(NotPermitted):
            session.query("SELECT kitchen_control.drop_some(%s)", [str(office.kitchens["other"].id)])


def test_roles_have_nothing_that_they_need_not(office: Office) -> None:
    with connect(office.warehouse.superuser, application="tests") as session:
        strong = session.query(
            "SELECT rolname FROM pg_roles WHERE rolname ~ '^kitchen' AND NOT rolsuper "
            "AND (rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls) ORDER BY 1"
        )
        logins = session.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'kitchen__dev__registrar'")
        predefined = session.query(
            "SELECT m.rolname FROM pg_auth_members AS a JOIN pg_roles AS m ON m.oid = a.member "
            "JOIN pg_roles AS g ON g.oid = a.roleid WHERE m.rolname ~ '^kitchen__' AND g.rolname ~ '^pg_'"
        )
        functions = session.query(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace::regnamespace::text ~ '^kitchen_' "
            "AND (has_function_privilege('public', oid, 'EXECUTE') OR "
            "(prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)))"
        )
    assert [name for (name,) in strong] == ["kitchen__dev__registrar", office.warehouse.administrator.user]
    assert logins == [(False,)]
    assert (predefined, functions) == ([], [])


def test_the_quota_is_counted_by_the_server(office: Office) -> None:
    for number in range(2):
        office._make(office.ann.control, office.ann.workspaces, f"more_{number}", Kind.WORKING, "ann")
    with pytest.raises(NotPermitted, match="3 each"):
        office._make(office.ann.control, office.ann.workspaces, "one_too_many", Kind.WORKING, "ann")


def test_rows_of_production_in_records_are_not_for_everybody(office: Office) -> None:
    sample = "SELECT sample::text FROM kitchen_control.test_result"
    log = "SELECT node FROM kitchen_control.node_run"
    with office.warehouse.sessions.as_administrator() as session:
        session.execute(
            "INSERT INTO kitchen_control.test_result (run, node, phase, test, kind, severity, passed, measured, "
            "expected, sample) SELECT id, 'n', 'after', 't', 'unique', 'stop', false, '1', '0', '[\"Zephyrine\"]' "
            "FROM kitchen_control.run WHERE by = 'bob'"
        )
        seen = []
        for kitchen, holds_production in (("other", False), ("other", True), ("dev", False), ("dev", True)):
            session.execute("UPDATE kitchen_control.setting SET holds_production = %s", [holds_production])
            session.execute("UPDATE kitchen_control.run SET kitchen = %s", [kitchen])
            for who in (office.ann, office.bob):
                with connect(who.login, application="tests") as own:
                    seen.append((who.control.person, len(own.query(sample)), len(own.query(log))))
    hidden, shown = [("ann", 0, 0), ("bob", 1, 1)], [("ann", 1, 1), ("bob", 1, 1)]
    assert seen == [*hidden, *hidden, *shown, *hidden]
