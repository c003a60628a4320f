"""Isolation by privilege: a generated matrix of what a kitchen may not do, asked of real servers in raw SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psycopg2
import pytest

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.control import PgControl
from kitchen.adapters.postgres.workspaces import PgWorkspaces
from kitchen.domain.connection import Credentials
from kitchen.domain.kitchen import Kind, Kitchen, State, pantry_reader_role
from kitchen.domain.layout import Layout, layer_of
from kitchen.errors import NotPermitted, Unavailable
from tests.contracts.probes import Names, harmless, probes
from tests.support import Warehouse

PASSWORD = "not-a-secret-0123456789"
PROBES = 250  # at least, for each of the three states of a session

# a session as it starts, and after the two things by which one might shed a role
STATES = ("", "RESET ROLE", "SET ROLE NONE")

_WARNED = "01007"  # no privileges were granted: whoever holds a right without the option to grant it is told so

_FURNITURE = """
CREATE TABLE {s}.t (id int PRIMARY KEY, v int);
INSERT INTO {s}.t VALUES (1, 1);
CREATE VIEW {s}.v AS SELECT id, v FROM {s}.t;
CREATE MATERIALIZED VIEW {s}.mv AS SELECT id, v FROM {s}.t;
CREATE SEQUENCE {s}.seq;
CREATE FUNCTION {s}.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE {s}.mood AS ENUM ('bad')
"""


class Scene:
    """Three kitchens over a pantry: the one that tries, its parent, and another."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.layout = Layout(("public",), holds_production=False)
        self.kitchens: list[Kitchen] = []
        self.workspaces = PgWorkspaces(warehouse.sessions)
        control = PgControl(warehouse.sessions, environment="dev", person="ann")
        control.install()
        control.session.close()
        self._pantry()
        self.parent, self.parents = self._kitchen("dev", None)
        self.tries, self.login = self._kitchen("tries", "dev")
        self.other, self.others = self._kitchen("other", "dev")
        for kitchen, login in ((self.parent, self.parents), (self.other, self.others)):
            with connect(login, application="tests") as session:
                session.execute(_FURNITURE.format(s=kitchen.name))
        with connect(self.login, application="tests") as session:
            session.execute(
                "CREATE TABLE own (v text); CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN RETURN NEW; END'; CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
            )

    def _pantry(self) -> None:
        role = pantry_reader_role("dev", 1)
        with self.warehouse.sessions.as_administrator() as session:
            session.execute("CREATE SCHEMA pantry_v1;" + _FURNITURE.format(s="pantry_v1"))
            session.execute(
                f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA pantry_v1 TO {role};"
                f"GRANT SELECT ON ALL TABLES IN SCHEMA pantry_v1 TO {role}"
            )

    def _kitchen(self, name: str, parent: str | None) -> tuple[Kitchen, Credentials]:
        made = Kitchen(
            id=uuid4(), name=name, environment="dev", kind=Kind.WORKING if parent else Kind.STANDING,
            state=State.READY, branch=name, base_commit=None, parent=parent, pantry=1, owner="ann",
            created_at=datetime.now(UTC),
        )  # fmt: skip
        self.kitchens.append(made)
        return made, self.workspaces.create(layer_of(self.layout, made, self.kitchens), PASSWORD)

    def names(self, victim: PgSession) -> Names:
        return Names(
            mine="tries", mine_login=self.tries.login_role, other_schema="other", other_owner=self.other.owner_role,
            parent_schema="dev", parent_owner=self.parent.owner_role, pantry_schema="pantry_v1",
            pantry_role=pantry_reader_role("dev", 1), reader=self.other.reader_role,
            provisioner=self.warehouse.administrator.user, superuser=self.warehouse.superuser.user,
            database=self.warehouse.administrator.database, pid=victim.connection.get_backend_pid(),
        )  # fmt: skip

    def fingerprint(self) -> list[tuple[object, ...]]:
        """Return what nobody but its owner may change."""
        with connect(self.warehouse.superuser, application="tests") as session:
            return [
                *session.query("SELECT 'other', * FROM other.t UNION ALL SELECT 'dev', * FROM dev.t"),
                *session.query("SELECT 'pantry', * FROM pantry_v1.t"),
                *session.query("SELECT oid::regclass::text, relacl::text, relowner, relhastriggers FROM pg_class "
                               "WHERE relnamespace::regnamespace::text IN ('other', 'dev', 'pantry_v1') ORDER BY 1"),
                *session.query("SELECT rolname, rolsuper, rolcreaterole, rolcanlogin, rolpassword FROM pg_authid "
                               "WHERE rolname NOT LIKE '%\\_\\_tries\\_\\_%' ORDER BY 1"),
                *session.query("SELECT nspname, nspowner, nspacl::text FROM pg_namespace "
                               "WHERE nspname !~ '^pg_(temp|toast)' ORDER BY 1"),
                *session.query("SELECT * FROM kitchen_control.audit_head"),
            ]  # fmt: skip


@pytest.fixture
def scene(warehouse: Warehouse) -> Scene:
    return Scene(warehouse)


@pytest.fixture
def victim(scene: Scene) -> Iterator[PgSession]:
    with connect(scene.others, application="tests") as session:
        yield session


def _refusal(session: PgSession, state: str, statement: str) -> str | None:
    """Return the SQLSTATE with which a statement was refused, or None; whatever it did is rolled back."""
    connection = session.connection
    connection.autocommit = False
    connection.notices.clear()
    try:
        with connection.cursor() as cursor:
            if state:
                cursor.execute(state)
            if " TO STDOUT" in statement:
                cursor.copy_expert(statement, open("/dev/null", "wb"))  # noqa: PTH123, SIM115
            else:
                cursor.execute(statement)
    except psycopg2.Error as error:
        return error.pgcode or "lost"
    finally:
        connection.rollback()
    return _WARNED if any("WARNING:  no privileges" in notice for notice in connection.notices) else None


def _outside_of_a_transaction(session: PgSession, statement: str) -> str | None:
    session.connection.autocommit = True
    try:
        with session.connection.cursor() as cursor:
            cursor.execute(statement)
    except psycopg2.Error as error:
        return error.pgcode or "lost"
    return None


@pytest.mark.parametrize("state", STATES, ids=["as it starts", "after RESET ROLE", "after SET ROLE NONE"])
def test_nothing_of_others_is_touched(scene: Scene, victim: PgSession, state: str) -> None:
    before = scene.fingerprint()
    passed: list[str] = []
    count = 0
    with connect(scene.login, application="tests") as session:
        for statement in probes(scene.names(victim)):
            count += 1
            code = _refusal(session, state, statement)
            if code == "25001":  # may not run in a transaction: so without one
                code = _outside_of_a_transaction(session, statement)
            if code not in ("42501", _WARNED):
                passed.append(f"{code}: {statement}")
    assert not passed, "\n".join(passed)
    assert count >= PROBES
    assert scene.fingerprint() == before
    assert victim.query("SELECT 1") == [(1,)], "its session was not ended"


def test_every_probe_is_about_something_that_is_there(scene: Scene, victim: PgSession) -> None:
    """Asked by a superuser none fails for its words: a slip of the pen would be refused as well, and prove nothing."""
    slips = ("42601", "42P01", "42883", "42703", "42704", "3F000", "3D000")
    not_for_real = ("PROGRAM", "/planted", "ALTER SYSTEM", "pg_terminate", "pg_cancel", "pg_promote")
    wrong = []
    with connect(scene.warehouse.superuser, application="tests") as session:
        for statement in probes(scene.names(victim)):
            if not any(words in statement for words in not_for_real):
                code = _refusal(session, "", statement)
                wrong += [(code, statement)] if code in slips else []
    assert wrong == []


@pytest.mark.parametrize("state", STATES)
def test_what_a_login_may_do_nobody_else_notices(scene: Scene, victim: PgSession, state: str) -> None:
    before = scene.fingerprint()
    refused = []
    with connect(scene.login, application="tests") as session:
        for statement in harmless(scene.names(victim)):
            if (code := _refusal(session, state, statement)) not in (None, "42501"):
                refused.append((code, statement))
    assert refused == []
    assert scene.fingerprint() == before
    with pytest.raises(NotPermitted):
        victim.query("SELECT * FROM tries.own")


def test_what_one_grants_away_of_ones_own_opens_nothing(scene: Scene, victim: PgSession) -> None:
    with connect(scene.login, application="tests") as session:
        session.execute("GRANT ALL ON own TO PUBLIC")
    with pytest.raises(NotPermitted):
        victim.query("SELECT * FROM tries.own")


def test_other_databases_are_closed(scene: Scene) -> None:
    for database in ("postgres", "template1"):
        with pytest.raises((NotPermitted, Unavailable), match="permission denied for database"):
            connect(replace(scene.login, database=database), application="tests")


def test_the_connection_limit_holds(scene: Scene) -> None:
    opened = []
    try:
        for _ in range(20):
            opened.append(connect(scene.login, application="tests"))
        with pytest.raises((NotPermitted, Unavailable), match="too many connections"):
            connect(scene.login, application="tests")
    finally:
        for session in opened:
            session.close()


def test_statements_of_others_are_not_seen(scene: Scene, victim: PgSession) -> None:
    victim.query("SELECT 'a secret word'")
    with connect(scene.login, application="tests") as session:
        pid = victim.connection.get_backend_pid()
        assert session.query("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid]) == [
            ("<insufficient privilege>",)
        ]
        assert session.query("SELECT * FROM pg_stats WHERE schemaname = 'other'") == []
        assert session.query("SELECT * FROM pg_settings WHERE name = 'data_directory' AND setting <> ''") == []


def test_nothing_in_a_kitchen_is_open_to_public(scene: Scene) -> None:
    with connect(scene.warehouse.superuser, application="tests") as session:
        session.execute("CREATE ROLE nosy")
        try:
            schemas = session.query(
                "SELECT nspname FROM pg_namespace WHERE has_schema_privilege('nosy', oid, 'USAGE') "
                "AND nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND nspname !~ '^pg_'"
            )
            functions = session.query(
                "SELECT oid::regprocedure::text FROM pg_proc WHERE has_function_privilege('nosy', oid, 'EXECUTE') "
                "AND pronamespace::regnamespace::text IN ('tries', 'other', 'dev')"
            )
            connects = session.query(
                "SELECT datname FROM pg_database WHERE datname = current_database() "
                "AND has_database_privilege('nosy', oid, 'CONNECT, TEMPORARY')"
            )
        finally:
            session.execute("DROP ROLE nosy")
    assert (schemas, functions, connects) == ([], [], [])
