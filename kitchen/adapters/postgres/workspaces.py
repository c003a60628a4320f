"""Schemas and roles of kitchens. Everything made carries the kitchen's mark; nothing without it is ever dropped.

Runs as the provisioner: no superuser, but CREATEROLE. Several statements in one message are one transaction, so a
workspace is made, or not made, in a single round trip.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg2.extensions
from psycopg2 import errors, sql

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.adapters.postgres.dropping import close_workspace, drop_workspace
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.connection import Credentials
from kitchen.domain.installation import scram_verifier
from kitchen.domain.kitchen import Kind, Kitchen, lease_role, pantry_reader_role
from kitchen.domain.layout import Layer
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, KitchenError, NotFound

if TYPE_CHECKING:
    from kitchen.ports import MarkedWorkspace

LOGIN_CONNECTIONS = 20  # of one kitchen's login: nodes, shells and tools of one developer

_ATTEMPTS = 5

# one look at everything that could be in the way, before anything is made
_LOOK = """
SELECT 'role', rolname, pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = ANY(%s)
UNION ALL
SELECT 'schema', nspname, pg_catalog.obj_description(oid, 'pg_namespace')
FROM pg_catalog.pg_namespace WHERE nspname = ANY(%s)
UNION ALL
SELECT 'database', oid::text, pg_catalog.current_database() FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database()
"""
_MEMBERSHIPS = """
SELECT granted.rolname FROM pg_catalog.pg_auth_members AS membership
JOIN pg_catalog.pg_roles AS granted ON granted.oid = membership.roleid
JOIN pg_catalog.pg_roles AS member ON member.oid = membership.member
WHERE member.rolname = %s
"""
# of this database: the login has its search path here; roles are the whole server's
_MARKED = """
SELECT login.rolname, pg_catalog.shobj_description(login.oid, 'pg_authid'), (
    SELECT array_agg(granted.rolname) FROM pg_catalog.pg_roles AS owner
    JOIN pg_catalog.pg_auth_members AS membership ON membership.member = owner.oid
    JOIN pg_catalog.pg_roles AS granted ON granted.oid = membership.roleid
    WHERE owner.rolname = pg_catalog.regexp_replace(login.rolname, '__login$', '__owner')
)
FROM pg_catalog.pg_roles AS login
JOIN pg_catalog.pg_db_role_setting AS here ON here.setrole = login.oid
JOIN pg_catalog.pg_database AS d ON d.oid = here.setdatabase AND d.datname = pg_catalog.current_database()
WHERE pg_catalog.starts_with(login.rolname, %s)
  AND pg_catalog.substr(login.rolname, pg_catalog.length(%s) + 1) ~ '^[a-z][a-z0-9_]*__login$'
  AND pg_catalog.shobj_description(login.oid, 'pg_authid') ~ '^kitchen [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the database already, with its comments, among the names that a workspace needs."""

    roles: dict[str, str | None]
    schemas: dict[str, str | None]
    database: str
    database_oid: int

    @property
    def door(self) -> str:
        """Return the group role that may connect to this database; a GRANT on the database itself would be shared."""
        return f"kitchen__database_{self.database_oid}__connect"


class PgWorkspaces:
    """The Workspaces port."""

    def __init__(self, sessions: PgSessions) -> None:
        self._sessions = sessions

    def create(self, layer: Layer, password: str) -> Credentials:
        """Make roles and schemas of a kitchen in one transaction and return its login; its own is success.

        Raises Conflict where a name is somebody else's and NotFound where a parent or the pantry has no reader role.
        """
        kitchen = layer.kitchen
        with self._sessions.as_administrator(application=f"kitchen {kitchen.name} create") as session:
            found = _look(session, layer)
            verifier = psycopg2.extensions.encrypt_password(
                password, kitchen.login_role, session.connection, "scram-sha-256"
            )  # the server, and its log, never see the password
            if kitchen.login_role in found.roles:
                statements = [_format("ALTER ROLE {} LOGIN PASSWORD {}", kitchen.login_role, sql.Literal(verifier))]
            else:
                statements = _door(found) + _making(session, layer, found, verifier)
            run_together(session, f"making the workspace of {kitchen.name!r}", statements)
        return self.login(kitchen, Secret(password))

    def login(self, kitchen: Kitchen, password: Secret) -> Credentials:
        """Return the login that ``create`` will make."""
        return self._sessions.administrator().named(user=kitchen.login_role, password=password, role=kitchen.owner_role)

    def lease(self, kitchen: Kitchen, suffix: str, password: Secret) -> Credentials:
        """Make a login of one person's clone into a kitchen, or give it this password."""
        verifier = scram_verifier(password, randomness.token_bytes(16))
        with self._sessions.as_recorder(application=f"kitchen {kitchen.name} lease") as session:
            call = sql.SQL("SELECT kitchen_control.lease_login({}, {}, {})").format(
                sql.Literal(str(kitchen.id)), sql.Literal(suffix), sql.Literal(verifier)
            )
            run_together(session, f"opening {kitchen.name!r}", [call])
        return self._sessions.recorder().named(
            user=lease_role(kitchen, suffix), password=password, role=kitchen.owner_role
        )

    def open_production(self, layer: Layer) -> None:
        """Let the standing kitchen, and its candidates, read what other roles have made in production's schemas."""
        from kitchen.adapters.postgres.install_rights import reader_statements  # noqa: PLC0415

        kitchen = layer.kitchen
        with self._sessions.as_administrator(application=f"kitchen {kitchen.name} open") as session:
            schemas = sorted(_look(session, layer).schemas)
            statements = [part for schema in schemas for part in _schema(layer, schema, exists=True)]
            statements += map(sql.SQL, reader_statements(session, schemas, [kitchen.reader_role, kitchen.owner_role]))
            run_together(session, f"opening production to {kitchen.name!r}", statements)

    def exists(self, kitchen: Kitchen) -> bool:
        """Say whether the kitchen's login role is there and bears its mark."""
        with self._sessions.as_recorder() as session:
            rows = session.query(
                "SELECT pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = %s",
                [kitchen.login_role],
            )
        return rows == [(kitchen.mark,)]

    def marked(self, environment: str) -> tuple[MarkedWorkspace, ...]:
        """Return every workspace of this database that bears a kitchen's mark, by name."""
        from kitchen.ports import MarkedWorkspace  # noqa: PLC0415

        head = f"kitchen__{environment}__"
        with self._sessions.as_recorder() as session:
            rows = session.query(_MARKED, [head, head])
        found = []
        for name, mark, granted in rows:
            readers = [role.removeprefix(head) for role in granted or () if role.startswith(head)]
            versions = [role.removeprefix("pantry_v") for role in readers if role.startswith("pantry_v")]
            parents = [role.removesuffix("__reader") for role in readers if role.endswith("__reader")]
            found.append(
                MarkedWorkspace(
                    name.removeprefix(head).removesuffix("__login"), UUID(mark.removeprefix("kitchen ")),
                    frozenset(parents), int(versions[0]) if versions else None,
                )
            )  # fmt: skip
        return tuple(found)

    def rebind(self, layer: Layer, *, closes: bool = True) -> None:
        """Open the layer's parents and pantry to a kitchen, close others, and set its search path anew."""
        owner = layer.kitchen.owner_role
        with self._sessions.as_administrator(application=f"kitchen {layer.kitchen.name} rebind") as session:
            found = _look(session, layer)
            if owner not in found.roles:
                raise NotFound(f"kitchen {layer.kitchen.name!r} has no workspace", hint="kitchen recover")
            wanted = {*_reads(layer), found.door}
            held = {name for (name,) in session.query(_MEMBERSHIPS, [owner])}
            statements = [_format("GRANT {} TO {}", role, owner) for role in sorted(wanted - held)]
            statements += [_format("REVOKE {} FROM {}", role, owner) for role in sorted(held - wanted) if closes]
            run_together(
                session, f"rebinding {layer.kitchen.name!r}", [*statements, _search_path(layer, found.database)]
            )

    def seal(self, kitchen: Kitchen) -> None:
        """Close the login and end its sessions: what is in the kitchen stays as it is."""
        with self._sessions.as_administrator(application=f"kitchen {kitchen.name} seal") as session:
            close_workspace(session, kitchen)

    def drop(self, kitchen: Kitchen, schemas: Sequence[str]) -> None:
        """Close the login, end its sessions, drop schemas in batches and then the roles; absent is success.

        Raises Conflict for what bears another mark, and for a standing kitchen that still owns tables.
        """
        with self._sessions.as_administrator(application=f"kitchen {kitchen.name} delete") as session:
            drop_workspace(session, kitchen, schemas)


def _look(session: PgSession, layer: Layer) -> Found:
    """Look at every name that the workspace needs; raises Conflict for a stranger, NotFound for a missing reader."""
    kitchen = layer.kitchen
    own = [kitchen.owner_role, kitchen.login_role, kitchen.reader_role]
    reads = _reads(layer)
    roles: dict[str, str | None] = {}
    schemas: dict[str, str | None] = {}
    database, oid = "", 0
    for what, name, told in session.query(_LOOK, [own + reads, list(layer.layout.schemas(kitchen))]):
        if what == "role":
            roles[name] = told
        elif what == "schema":
            schemas[name] = told
        else:
            database, oid = told, int(name)
    for name in own:
        if name in roles and roles[name] != kitchen.mark:
            raise _foreign("role", name, kitchen)
    for name, mark in schemas.items():
        if mark != kitchen.mark and not _takes_what_is_there(layer):
            raise _foreign("schema", name, kitchen)
    missing = [name for name in reads if name not in roles]
    if missing:
        raise NotFound(f"the role {missing[0]!r} is missing, through which {kitchen.name!r} would read",
                       hint="kitchen recover, or kitchen doctor")  # fmt: skip
    return Found(roles, schemas, database, oid)


def _takes_what_is_there(layer: Layer) -> bool:
    """The standing kitchen at the top holds production itself, whose schemas were there before kitchen was."""
    return layer.layout.holds_production and layer.kitchen.kind is Kind.STANDING


def _foreign(what: str, name: str, kitchen: Kitchen) -> Conflict:
    return Conflict(
        f"the {what} {name!r} is there already and does not belong to kitchen {kitchen.name!r}; it stays",
        hint="choose another name, or look at it with kitchen doctor",
    )


def _reads(layer: Layer) -> list[str]:
    """Return the group roles through which a kitchen reads; sorted, so that parallel creates lock in one order."""
    kitchen = layer.kitchen
    pantry = [pantry_reader_role(kitchen.environment, kitchen.pantry)] if kitchen.pantry is not None else []
    return sorted([*(parent.reader_role for parent in layer.parents), *pantry])


def _door(found: Found) -> list[sql.Composable]:
    """Make the database's group role; two processes may do so at once, and either is success."""
    comment = f"kitchen: may connect to database {found.database}"
    block = _format(
        "CREATE ROLE {0} NOLOGIN; COMMENT ON ROLE {0} IS {1}; GRANT CONNECT, TEMPORARY ON DATABASE {2} TO {0};",
        found.door, sql.Literal(comment), found.database,
    )  # fmt: skip
    name = sql.Literal(found.door)
    return [
        sql.SQL(
            "DO $door$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN {} END IF; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $door$"
        ).format(name, block)
    ]


def _making(session: PgSession, layer: Layer, found: Found, verifier: str) -> list[sql.Composable]:
    kitchen = layer.kitchen
    owner, login, reader = kitchen.owner_role, kitchen.login_role, kitchen.reader_role
    mark = sql.Literal(kitchen.mark)
    provisioner = sql.SQL("CURRENT_USER")
    made = [
        _format("CREATE ROLE {} NOLOGIN", owner),
        _format("CREATE ROLE {} NOLOGIN", reader),
        _format("CREATE ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}", login, sql.Literal(LOGIN_CONNECTIONS),
                sql.Literal(verifier)),
        *(_format("COMMENT ON ROLE {} IS {}", role, mark) for role in (owner, reader, login)),
    ]  # fmt: skip
    # the provisioner acts for all three: dropping what they own, ending their sessions, reading for a refresh
    options = " WITH INHERIT TRUE, SET TRUE" if session.connection.server_version >= 160000 else ""
    made += [_format("GRANT {} TO {}" + options, role, provisioner) for role in (owner, reader, login)]
    made += [_format("GRANT {} TO {}", owner, login)]
    made += [_format("GRANT {} TO {}", role, owner) for role in sorted([*_reads(layer), found.door])]
    for schema in layer.layout.schemas(kitchen):
        made += _schema(layer, schema, exists=schema in found.schemas)
    from kitchen.adapters.postgres.install_rights import reader_statements  # noqa: PLC0415 - reading needs none of it

    # what production's own roles made before kitchen came, and what they will make
    made += map(sql.SQL, reader_statements(session, sorted(found.schemas), [reader, owner]))
    # a type or function is everybody's unless this is said without IN SCHEMA
    made += [_format("ALTER DEFAULT PRIVILEGES FOR ROLE {} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC", owner)]
    made += [_format("ALTER ROLE {} IN DATABASE {} SET role = {}", login, found.database, sql.Literal(owner))]
    return [*made, _search_path(layer, found.database)]


def _schema(layer: Layer, schema: str, *, exists: bool) -> list[sql.Composable]:
    kitchen = layer.kitchen
    owner, reader = kitchen.owner_role, kitchen.reader_role
    made: list[sql.Composable] = []
    if not exists:
        made += [
            _format("CREATE SCHEMA {}", schema),
            _format("COMMENT ON SCHEMA {} IS {}", schema, sql.Literal(kitchen.mark)),
        ]
    made += [
        _format("GRANT USAGE, CREATE ON SCHEMA {} TO {}", schema, owner),
        _format("GRANT USAGE ON SCHEMA {} TO {}", schema, reader),
    ]
    opening = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {}"
    made += [
        _format(f"{opening} GRANT {right} TO {{}}", owner, schema, reader)
        for right in ("SELECT ON TABLES", "SELECT ON SEQUENCES", "EXECUTE ON FUNCTIONS")
    ]
    return made


def _search_path(layer: Layer, database: str) -> sql.Composable:
    path = sql.SQL(", ").join(sql.Identifier(schema) for schema in layer.path())
    return _format("ALTER ROLE {} IN DATABASE {} SET search_path = {}", layer.kitchen.login_role, database, path)


def _format(statement: str, *values: str | sql.Composable) -> sql.Composable:
    """Put identifiers (plain strings) and other SQL into a statement."""
    parts = [sql.Identifier(value) if isinstance(value, str) else value for value in values]
    return sql.SQL(statement).format(*parts)


def run_together(session: PgSession, doing: str, statements: Iterable[sql.Composable]) -> None:
    """Run all statements as one transaction; one that met another of its kind is run again."""
    text = sql.SQL("; ").join(statements)
    for attempt in range(_ATTEMPTS):
        try:
            with translated(doing), session.connection.cursor() as cursor:
                cursor.execute(sql.SQL("SET LOCAL lock_timeout = '5s'; ") + text)
                return
        except KitchenError as error:
            if attempt == _ATTEMPTS - 1 or not _passes(error.__cause__):
                raise
        _pause(attempt)


def _passes(cause: BaseException | None) -> bool:
    """Say whether a failure is one of two transactions meeting; the catalogue reports it as an internal error."""
    if isinstance(cause, errors.DeadlockDetected | errors.LockNotAvailable | errors.UniqueViolation):
        return True
    return isinstance(cause, errors.InternalError_) and "concurrently" in str(cause)


def _pause(attempt: int) -> None:
    import time  # noqa: PLC0415 - nearly never

    time.sleep((0.02 + randomness.randbelow(30) / 1000) * 2**attempt)
