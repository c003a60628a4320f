"""People with logins of their own: a generated matrix of what one may not do to others, asked in raw SQL."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.domain.kitchen import Kind
from kitchen.errors import NotPermitted
from tests.contracts.offices import Office
from tests.contracts.probes import probes
from tests.contracts.probes_people import people_probes, record_probes, sound
from tests.contracts.test_isolation import STATES

PROBES = 550  # at least, for each state of a session
# not permitted; words that functions do not take; a kitchen that is ready is not dropped; no commit was named
REFUSALS = ("42501", "22023", "55000", "23502")


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


@pytest.mark.parametrize("role", ["viewer", "releaser"])
def test_who_reads_or_approves_changes_no_record(office: Office, victim: PgSession, role: str) -> None:
    person = office.person("rel", role)
    person.control.session.close()
    before, passed, count = office.fingerprint(), [], 0
    with connect(person.login, application="tests") as session:
        for statement in record_probes(office.names(victim), office.identities()):
            count += 1
            code = _tried(session, "", statement)
            if code not in (None, *REFUSALS):
                passed.append(f"{code}: {statement}")
            if code is None and (after := office.fingerprint()) != before:
                passed.append(f"{code}: {statement}")
                before = after
        if role == "viewer":
            assert _tried(session, "", "SELECT kitchen_control.approve(1)") == "42501"
    assert not passed, "\n".join(passed)
    assert count >= 150
    assert office.fingerprint() == before


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


@pytest.mark.parametrize(
    ("name", "says"),
    [("other", "other is bob's"), ("pantry", "ann may not change pantry here"), ("dev", "ann may not change dev here")],
)
def test_what_is_not_ones_own_is_refused_in_words(office: Office, name: str, says: str) -> None:
    with pytest.raises(NotPermitted) as refused, office.ann.control.locks.hold(name, purpose="delete"):
        pytest.fail("the lock was given")
    assert (refused.value.message, refused.value.hint) == (f"not permitted: {says}", "kitchen whoami")


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
