"""Dropping a workspace: the login closed first, then what it has in batches that fit the server's lock table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from psycopg2 import sql

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.words import counted
from kitchen.errors import Conflict, KitchenError

BATCH = 100  # tables at a time; each takes locks on its indexes, its TOAST table and its sequences as well
_LOCK_TIMEOUT = "2s"
_ATTEMPTS = 4  # where a reader is in the way

_ROLES = """
SELECT rolname, pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = ANY(%s)
"""
_LEASES = r"""
SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.starts_with(rolname, %s)
  AND pg_catalog.substr(rolname, pg_catalog.length(%s) + 1) ~ '^l[0-9a-f]{6}$'
  AND pg_catalog.shobj_description(oid, 'pg_authid') = %s ORDER BY 1
"""
_HAS_LEASES = "SELECT pg_catalog.to_regclass('kitchen_control.lease') IS NOT NULL"
_SCHEMAS = """
SELECT nspname, pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = ANY(%s)
"""
_END_SESSIONS = """
SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity
WHERE usename = ANY(%s) AND pid <> pg_catalog.pg_backend_pid()
"""
# partitions and inheritance children before what they hang on, views before tables; what an extension or another
# object brought (identity sequences, indexes) goes with it
_NEXT = """
SELECT c.relkind, pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS below WHERE below.inhparent = c.oid)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS needed
      WHERE needed.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND needed.objid = c.oid
        AND needed.deptype IN ('i', 'a', 'e') AND c.relkind = 'S')
ORDER BY c.relkind NOT IN ('v', 'm'), c.oid LIMIT %s
"""
# views and tables of others that a CASCADE would take along
_OUTSIDERS = """
SELECT DISTINCT pg_catalog.format('%%I.%%I', other_schema.nspname, other.relname)
FROM pg_catalog.pg_class AS ours
JOIN pg_catalog.pg_namespace AS n ON n.oid = ours.relnamespace AND n.nspname = ANY(%s)
JOIN pg_catalog.pg_depend AS d ON d.refobjid = ours.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_constraint AS k
       ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhparent = ours.oid
JOIN pg_catalog.pg_class AS other ON other.oid = coalesce(r.ev_class, k.conrelid, i.inhrelid)
JOIN pg_catalog.pg_namespace AS other_schema ON other_schema.oid = other.relnamespace
WHERE other_schema.nspname <> ALL(%s)
"""
_KINDS = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE", "S": "SEQUENCE"}


def drop_workspace(session: PgSession, kitchen: Kitchen, schemas: Sequence[str]) -> None:
    """Drop what bears the kitchen's mark; absent is success, and a drop that was cut off goes on where it stopped.

    Raises Conflict for what bears another mark, for a standing kitchen that owns tables, and where others depend on
    the kitchen's tables or hold them.
    """
    roles = _roles(session, kitchen)
    if kitchen.kind is Kind.STANDING:
        _refuse_owner_of_tables(session, kitchen)
    ours = _marked_schemas(session, kitchen, schemas)
    _close(session, kitchen, roles)
    _refuse_outsiders(session, kitchen, ours)
    while batch := session.query(_NEXT, [ours, BATCH]):
        _drop(session, [f"DROP {_KINDS.get(kind, 'TABLE')} IF EXISTS {name} CASCADE" for kind, name in batch], kitchen)
    statements = [_quoted(session, "DROP SCHEMA {} CASCADE", schema) for schema in ours]
    for role in roles:
        statements.append(_quoted(session, "DROP OWNED BY {} CASCADE", role))
    for role in roles:
        statements.append(_quoted(session, "DROP ROLE {}", role))
    if session.query(_HAS_LEASES)[0][0]:
        statements.append(f"DELETE FROM kitchen_control.lease WHERE kitchen = '{kitchen.id}'")
    if statements:
        _drop(session, statements, kitchen)


def close_workspace(session: PgSession, kitchen: Kitchen) -> None:
    """Close the login and end its sessions; raises Conflict where they do not end."""
    roles = _roles(session, kitchen)
    _close(session, kitchen, roles)
    if session.query("SELECT FROM pg_catalog.pg_stat_activity WHERE usename = ANY(%s)", [roles]):
        raise Conflict(f"sessions of kitchen {kitchen.name!r} do not end", hint="try again in a moment")


def _roles(session: PgSession, kitchen: Kitchen) -> list[str]:
    """Return the kitchen's roles that are there, people's own logins into it first."""
    names = [kitchen.login_role, kitchen.owner_role, kitchen.reader_role]
    head = kitchen.login_role.removesuffix("login")
    leases = [name for (name,) in session.query(_LEASES, [head, head, kitchen.mark])]
    return [*leases, *_marked(session, _ROLES, names, kitchen, "role")]


def _marked(session: PgSession, query: str, names: Sequence[str], kitchen: Kitchen, what: str) -> list[str]:
    """Return those of the names that are there; raises Conflict for one that bears another mark."""
    there: dict[str, str | None] = dict(session.query(query, [list(names)]))
    for name, mark in there.items():
        if mark != kitchen.mark:
            raise Conflict(
                f"the {what} {name!r} does not belong to kitchen {kitchen.name!r} and is left alone",
                hint="kitchen doctor",
            )
    return [name for name in names if name in there]


def _marked_schemas(session: PgSession, kitchen: Kitchen, schemas: Sequence[str]) -> list[str]:
    if kitchen.kind is Kind.STANDING:  # production's own schemas were there before
        there: dict[str, str | None] = dict(session.query(_SCHEMAS, [list(schemas)]))
        return [name for name, mark in there.items() if mark == kitchen.mark]
    return _marked(session, _SCHEMAS, schemas, kitchen, "schema")


def _close(session: PgSession, kitchen: Kitchen, roles: Sequence[str]) -> None:
    """From here on the credentials open nothing."""
    for role in roles:
        session.execute(_quoted(session, "ALTER ROLE {} NOLOGIN", role))
    session.query(_END_SESSIONS, [list(roles)])


def _refuse_owner_of_tables(session: PgSession, kitchen: Kitchen) -> None:
    rows = session.query(
        "SELECT count(*) FROM pg_catalog.pg_class JOIN pg_catalog.pg_roles ON pg_roles.oid = relowner "
        "WHERE rolname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
        [kitchen.owner_role],
    )
    if rows[0][0]:
        raise Conflict(
            f"the standing kitchen {kitchen.name!r} owns {counted(rows[0][0], 'table')}, not dropped with it",
            hint=f"kitchen show {kitchen.name}",
        )


def _refuse_outsiders(session: PgSession, kitchen: Kitchen, ours: Sequence[str]) -> None:
    names = sorted(name for (name,) in session.query(_OUTSIDERS, [list(ours), list(ours)]))
    if names:
        raise Conflict(
            f"others depend on tables of {kitchen.name!r} and would be dropped with it: {', '.join(names[:5])}",
            hint="drop those first, or kitchen update of the kitchens that they are in, which binds them anew",
        )


def _drop(session: PgSession, statements: Sequence[str], kitchen: Kitchen) -> None:
    """Run one batch in one transaction; a reader in the way is waited for a few times, and then named."""
    text = f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'; " + "; ".join(statements)
    for attempt in range(_ATTEMPTS):
        try:
            with translated(f"dropping the workspace of {kitchen.name!r}"), session.connection.cursor() as cursor:
                cursor.execute(text)
                return
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        except KitchenError as error:
            if "concurrently" not in error.message or attempt == _ATTEMPTS - 1:
                raise
        time.sleep(0.05 * 2**attempt)


def _quoted(session: PgSession, statement: str, name: str) -> str:
    text: str = sql.SQL(statement).format(sql.Identifier(name)).as_string(session.connection)
    return text
