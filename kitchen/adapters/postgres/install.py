"""Prepares somebody else's server for one environment: looks, says what is to be done, and does it when asked.

Actions are statements that may be repeated. Nothing of anybody else is dropped or changed hands; who could connect
through PUBLIC before is granted it by name.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kitchen.adapters.postgres.connection import PgSession, connect, translated
from kitchen.adapters.postgres.install_people import people_actions, people_roles
from kitchen.adapters.postgres.install_rights import rights
from kitchen.domain.connection import Credentials
from kitchen.domain.installation import Action, Caution, Installation, Place, provisioner_mark, scram_verifier
from kitchen.domain.people import people_mark
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, NotFound, NotPermitted

_MAINTENANCE = ("postgres", "template1")

_SERVER = """
SELECT pg_catalog.current_setting('server_version'), r.rolsuper, r.rolcreaterole, r.rolcreatedb
FROM pg_catalog.pg_roles AS r WHERE r.rolname = CURRENT_USER
"""
_PROVISIONER = """
SELECT rolsuper, rolreplication, rolbypassrls, rolcreatedb, pg_catalog.shobj_description(oid, 'pg_authid')
FROM pg_catalog.pg_roles WHERE rolname = %s
"""
_DATABASE = """
SELECT pg_catalog.pg_get_userbyid(datdba), pg_catalog.has_database_privilege('public', oid, 'CONNECT'),
       pg_catalog.has_database_privilege('public', oid, 'TEMPORARY')
FROM pg_catalog.pg_database WHERE datname = %s
"""
# kitchens' own logins come in through a group role, and superusers need no grant
_LOGINS = r"""
SELECT rolname FROM pg_catalog.pg_roles
WHERE rolcanlogin AND NOT rolsuper AND rolname !~ '^(pg_|kitchen__)' AND rolname <> %s ORDER BY 1
"""
_COMMENTS = (
    "SELECT rolname, pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)"
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is on the server already."""

    version: str
    is_superuser: bool
    role: tuple[bool, bool, bool, bool, str | None] | None
    database: tuple[str, bool, bool] | None
    logins: tuple[str, ...]
    strangers: tuple[tuple[str, str], ...]  # roles with names that people's groups need, and what they are for


class PgInstaller:
    """One environment's place on one server, as its administrator (``login``) sees it; None: nobody can look."""

    def __init__(
        self, login: Credentials | None, *, environment: str, database: str, schemas: Sequence[str], gated: bool = False
    ) -> None:
        self._login = login
        self._environment = environment
        self._database = database
        self._schemas = tuple(schemas)  # those with production's own tables
        self._gated = gated

    def plan(self, provisioner: str, password: Secret, *, takes_over: bool) -> Installation:
        """Return what is to be done; nothing is changed.

        Raises Conflict where the role is somebody else's, and unless ``takes_over`` where it has a password already.
        """
        seen = self._look(provisioner)
        mark = provisioner_mark(self._environment, self._database)
        if seen is not None and seen.role is not None and seen.role[4] not in (None, mark):
            raise Conflict(
                f"the role {provisioner!r} is there already for something else: {seen.role[4]}",
                hint=f"another name: kitchen secret set provisioner user -e {self._environment}",
            )
        if seen is not None and seen.role is not None and not takes_over:
            raise Conflict(
                f"{provisioner} is installed already, and its password is not in this secret store",
                hint=f"kitchen secret set provisioner user password -e {self._environment}, with what the other store "
                "holds; or --new-password, which shuts that one out",
            )
        for name, told in seen.strangers if seen is not None else ():
            raise Conflict(
                f"the role {name!r} is there already for something else: {told}",
                hint="another environment name, or another server",
            )
        actions = [*_role(provisioner, mark, password, seen), *_database(provisioner, self._database, seen)]
        cautions = list(_cautions(provisioner, seen))
        if seen is not None and seen.database is not None:
            with self._open(self._database) as session:
                more, left = rights(session, provisioner, self._schemas, is_superuser=seen.is_superuser)
            actions += more
            cautions += left
        else:
            actions += _public(provisioner, opens="public" in self._schemas)
        actions += people_actions(self._environment, self._database, provisioner, gated=self._gated)
        version = seen.version if seen is not None else None
        return Installation(
            self._environment, provisioner, self._database, version, tuple(actions), tuple(cautions)
        )  # fmt: skip

    def carry_out(self, installation: Installation) -> None:
        """Do it; raises NotPermitted where the administrator may not."""
        seen = self._look(installation.provisioner)
        assert seen is not None  # noqa: S101 - the caller had an administrator's login
        with self._open(self._database if seen.database is not None else None) as session:
            for action in installation.at(Place.SERVER):
                _do(session, action)
        with self._open(self._database) as session, session.transaction():
            session.execute("SET LOCAL lock_timeout = '30s'")
            for action in installation.at(Place.WAREHOUSE):
                _do(session, action)

    def _open(self, database: str | None) -> PgSession:
        assert self._login is not None  # noqa: S101 - asked by every caller
        if database is not None:
            return connect(replace(self._login, database=database), application="kitchen environment install",
                           options=["search_path=pg_catalog"])  # fmt: skip
        for name in _MAINTENANCE[:-1]:
            try:
                return self._open(name)
            except NotFound:
                continue
        return self._open(_MAINTENANCE[-1])

    def _look(self, provisioner: str) -> _Seen | None:
        if self._login is None:
            return None
        try:
            session = self._open(self._database)
        except NotFound:
            session = self._open(None)
        with session:
            version, is_superuser, may_make_roles, _ = session.query(_SERVER)[0]
            if not (is_superuser or may_make_roles) and self._login.user != provisioner:
                raise NotPermitted(
                    f"{self._login.user} may not make roles on this server",
                    hint="PGUSER=postgres, or --as, an administrator; or --print, for one to run",
                )
            role = session.query(_PROVISIONER, [provisioner])
            database = session.query(_DATABASE, [self._database])
            logins = session.query(_LOGINS, [provisioner])
            groups = session.query(_COMMENTS, [list(people_roles(self._environment))])
        mark = people_mark(self._environment, self._database)
        return _Seen(
            version, is_superuser, role[0] if role else None,
            database[0] if database else None, tuple(row[0] for row in logins),
            tuple((name, told or "nobody knows what") for name, told in groups if told != mark),
        )  # fmt: skip


def _do(session: PgSession, action: Action) -> None:
    with translated(action.says), session.connection.cursor() as cursor:
        cursor.execute(action.sql)


def _role(provisioner: str, mark: str, password: Secret, seen: _Seen | None) -> Iterator[Action]:
    role, name = _name(provisioner), _literal(provisioner)
    yield Action(
        Place.SERVER, f"the role {provisioner}, which makes and drops kitchens' roles and schemas; it is no superuser",
        f"DO $kitchen$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN "
        f"CREATE ROLE {role}; END IF; END $kitchen$",
    )  # fmt: skip
    excess = zip(
        ("NOSUPERUSER", "NOREPLICATION", "NOBYPASSRLS", "NOCREATEDB"), ((seen and seen.role) or ()), strict=False
    )
    taken = "".join(f" {attribute}" for attribute, has in excess if has)
    verifier = scram_verifier(password, randomness.token_bytes(16))
    yield Action(
        Place.SERVER, "it logs in and makes roles (the password's verifier, not the password)",
        f"ALTER ROLE {role} LOGIN INHERIT CREATEROLE{taken} PASSWORD {_literal(verifier)}",
    )  # fmt: skip
    yield Action(Place.SERVER, "its mark", f"COMMENT ON ROLE {role} IS {_literal(mark)}")


def _database(provisioner: str, database: str, seen: _Seen | None) -> Iterator[Action]:
    role, name = _name(provisioner), _name(database)
    if seen is None or seen.database is None:
        owner = f" OWNER {role}" if seen is None or seen.is_superuser else ""
        yield Action(Place.SERVER, f"the database {database}", f"CREATE DATABASE {name}{owner}")
    if seen is None or seen.database is None or seen.database[0] != provisioner:
        yield Action(
            Place.WAREHOUSE, "the provisioner makes schemas, and lets kitchens in through a group role of its own",
            f"GRANT CREATE ON DATABASE {name} TO {role}; "
            f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {role} WITH GRANT OPTION",
        )  # fmt: skip
    if seen is not None and seen.database is not None:
        open_to_all = [right for right, has in zip(("CONNECT", "TEMPORARY"), seen.database[1:], strict=True) if has]
        if open_to_all and seen.logins:
            logins = ", ".join(map(_name, seen.logins))
            yield Action(
                Place.WAREHOUSE, "roles that log in today keep what they had through PUBLIC",
                f"GRANT {', '.join(open_to_all)} ON DATABASE {name} TO {logins}",
            )  # fmt: skip
    yield Action(
        Place.WAREHOUSE, "nobody connects only because the role exists: kitchens of other environments neither",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
    )  # fmt: skip


def _public(provisioner: str, *, opens: bool) -> Iterator[Action]:
    """Yield what a database that nobody has looked into needs; it has schema public, and nothing in it."""
    if opens:
        yield Action(
            Place.WAREHOUSE, "the provisioner opens schema public to the standing kitchen and publishes there",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {_name(provisioner)} WITH GRANT OPTION",
        )  # fmt: skip
    says = "nobody makes objects in schema public only because the role exists"
    yield Action(Place.WAREHOUSE, says, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def _cautions(provisioner: str, seen: _Seen | None) -> Iterator[Caution]:
    if seen is not None and int(seen.version.split(".")[0]) < 16:
        yield Caution(
            f"on PostgreSQL {seen.version.split('.')[0]} the CREATEROLE that {provisioner} has lets it grant itself\n"
            "every role that is no superuser, pg_execute_server_program too: guard its password like root's.\n"
            "PostgreSQL 16 and newer bound it to roles that it made."
        )
    yield Caution(
        f"{provisioner} does not see what transactions of other roles read,\n"
        "so a release waits for every open one. An administrator may let it see:",
        (f"GRANT pg_read_all_stats TO {_name(provisioner)}",),
    )
    yield Caution(
        "kitchens' logins may connect to other databases of this server that are open to PUBLIC, as every role may.\n"
        "An administrator may close them:",
        ("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC",),
    )


def _name(text: str) -> str:
    """Quote an identifier; no connection is needed for that."""
    return '"' + text.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """Quote text of our own or the catalogue's making; a backslash would mean different things on different servers."""
    if "\\" in text:
        raise Conflict(f"a name with a backslash cannot be used here: {text!r}")
    return "'" + text.replace("'", "''") + "'"
