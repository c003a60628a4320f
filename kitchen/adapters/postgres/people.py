"""People of an environment: let in and out by the registrar's functions, known by their own logins."""

from __future__ import annotations

import secrets as randomness

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.installation import scram_verifier
from kitchen.domain.layout import Layout
from kitchen.domain.login_advice import refused
from kitchen.domain.people import Identity, deputy_role, group_role
from kitchen.domain.secret import Secret
from kitchen.errors import NotFound, NotPermitted
from kitchen.ports import Admitted

_IDENTITY = """
SELECT p.name, p.login, p.role, pg_catalog.pg_has_role(session_user, n.nspowner, 'MEMBER'),
       pg_catalog.pg_get_userbyid(n.nspowner)
FROM kitchen_control.person AS p, pg_catalog.pg_namespace AS n
WHERE p.login = session_user AND p.revoked_at IS NULL AND n.nspname = 'kitchen_control'
"""
_ALL = """
SELECT p.name, p.role, p.admitted_by, p.admitted_at, p.revoked_at,
       (SELECT count(*) FROM kitchen_control.kitchen AS k WHERE k.owner = p.name AND k.kind = 'working')
FROM kitchen_control.person AS p ORDER BY p.name
"""
# who types the provisioner's password is beside it by name; whom the server knows is there by that name alone
_BESIDE = """
UPDATE kitchen_control.person SET admitted_by = admitted_by || ' (' || %s || ')'
WHERE name = %s AND admitted_by = session_user
"""
_PUBLISHES = """
SELECT FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS d ON d.oid = m.roleid
JOIN pg_catalog.pg_roles AS r ON r.oid = m.member WHERE d.rolname = %s AND r.rolname = %s
"""


class PgPeople:
    """The People port; ``person`` is who says to work here, which the server does not know of a provisioner."""

    def __init__(self, sessions: PgSessions, person: str) -> None:
        self._sessions = sessions
        self._person = person

    def open(self, environment: Environment, layout: Layout) -> bool:
        """Give the server the environment's rules and the group roles their rights; says whether there are any."""
        rules = environment.kitchens
        with self._sessions.as_administrator(application="kitchen people") as session:
            rows = session.query(
                "SELECT kitchen_control.configure(ROW(true, %s, %s, %s, %s, %s, %s)::kitchen_control.setting)",
                [environment.name, list(layout.logical), layout.holds_production, rules.working, rules.max,
                 rules.per_person],
            )  # fmt: skip
        return bool(rows[0][0])

    def admit(self, person: str, role: str, password: Secret | None) -> str:
        """Let somebody in, or change the role; returns the login. The server gets the password's verifier only."""
        verifier = scram_verifier(password, randomness.token_bytes(16)) if password is not None else None
        with self._trusted() as session:
            rows = session.query("SELECT kitchen_people.admit(%s, %s, %s)", [person, role, verifier])
            session.execute(_BESIDE, [self._person, person])
        return str(rows[0][0])

    def shut_out(self, person: str) -> None:
        """Close a person's login and end the sessions' rights; committed before anything else is done."""
        with self._trusted() as session:
            session.query("SELECT kitchen_people.shut_out(%s)", [person])

    def see_out(self, person: str) -> tuple[str, ...]:
        """End the sessions and logins of somebody who was shut out; returns the kitchens that stay."""
        with self._trusted() as session:
            return tuple(session.query("SELECT kitchen_people.see_out(%s)", [person])[0][0])

    def all(self) -> tuple[Admitted, ...]:
        """Return everybody, also those who left."""
        with self._sessions.as_recorder() as session:
            return tuple(Admitted(*row) for row in session.query(_ALL))

    def releasers_publish(self, environment: str) -> bool:
        """Say whether releasers may act as the provisioner, as where nobody's approval is asked for."""
        with self._sessions.as_recorder() as session:
            return bool(session.query(_PUBLISHES, [deputy_role(environment), group_role(environment, "releaser")]))

    def identify(self, login: Credentials) -> tuple[Identity, str]:
        """Return who a login is, and the role that deputies act as; raises NotPermitted for nobody."""
        with self._sessions.open(login, application="kitchen login") as session:
            rows = session.query(_IDENTITY)
        if not rows:
            raise NotPermitted(f"{login.user} is nobody in this environment any more", hint=refused(login))
        person, user, role, is_deputy, provisioner = rows[0]
        return Identity(person, user, role, is_deputy), provisioner

    def change_password(self, login: Credentials, password: Secret) -> None:
        """Give a login another password."""
        verifier = scram_verifier(password, randomness.token_bytes(16))
        with self._sessions.open(login, application="kitchen login") as session, session.connection.cursor() as cursor:
            cursor.execute("ALTER ROLE CURRENT_USER PASSWORD %s", [verifier])

    def _trusted(self) -> PgSession:
        session = self._sessions.as_administrator(application="kitchen people")
        if not session.query("SELECT pg_catalog.to_regnamespace('kitchen_people') IS NOT NULL")[0][0]:
            session.close()
            raise NotFound(
                "the environment was installed before people had logins of their own",
                hint="an administrator types: kitchen environment install ENV",
            )
        return session
