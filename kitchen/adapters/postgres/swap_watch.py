"""Whether somebody wrote to tables since they were looked at; and letting go of what swaps kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg2 import errors

from kitchen.adapters.postgres.connection import PgSession
from kitchen.adapters.postgres.structure_text import qualified, quote
from kitchen.adapters.postgres.swap_read import NOUNS, found_by_name, found_by_oid, found_in
from kitchen.adapters.postgres.swap_trust import steady
from kitchen.domain.layout import TableName
from kitchen.errors import Conflict

_MARK = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"

# Views go before what they read, tables after; a sequence goes with its table or last.
_DROP_ORDER = ("m", "v", "r", "p", "f", "S")


def watch(session: PgSession, tables: Sequence[TableName]) -> dict[str, object]:
    """Return each table's count of rows and the oldest transaction that could still add to it unseen."""
    watched: dict[str, object] = {}
    for name, found in found_by_name(session, tables).items():
        with steady(session, name):
            ((oldest, rows),) = session.query(
                "SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint & 4294967295), "
                f"(SELECT count(*) FROM {qualified(name)})"
            )
        watched[str(found.oid)] = [str(name), oldest, rows]
    return watched


def changed(session: PgSession, watched: Mapping[str, object]) -> tuple[str, ...]:
    """Return the tables with a row newer than the watch, or with another count: nothing is missed, even in copies.

    A row that was written while an older transaction was open at the time of the watch counts as newer.
    """
    now = found_by_oid(session, [int(oid) for oid in watched])
    said: list[str] = []
    for oid, kept in watched.items():
        assert isinstance(kept, list)  # noqa: S101 - our own writing
        name, oldest, rows = kept
        found = now.get(int(oid))
        if found is None:
            said.append(name)
            continue
        with steady(session, found.name):
            ((count, newer),) = session.query(
                "SELECT count(*), count(*) FILTER (WHERE age(t.xmin) <= age(%s::text::xid)) "
                f"FROM {qualified(found.name)} AS t",
                [str(oldest)],
            )
        if count != rows or newer:
            said.append(name)
    return tuple(said)


def drop_archive(session: PgSession, schema: str, mark: str) -> tuple[str, ...]:
    """Drop an archive and all in it, unless something outside still needs it; absent is success.

    Raises Conflict for a schema that is not ours.
    """
    known = session.query(_MARK, [schema])
    if not known:
        return ()
    if known[0][0] != mark:
        raise Conflict(f"the schema {schema!r} is not ours; it stays", hint="kitchen doctor")
    found = found_in(session, [schema])
    try:
        with session.transaction(), session.connection.cursor() as cursor:
            for kind in _DROP_ORDER:
                names = ", ".join(qualified(one.name) for one in found if one.kind == kind)
                if names:  # without CASCADE: what others made on it is theirs
                    cursor.execute(f"DROP {NOUNS[kind]} {names}")
            cursor.execute(f"DROP SCHEMA {quote(schema)}")
    except errors.DependentObjectsStillExist as error:
        return tuple(line for line in (error.diag.message_detail or "something needs it").splitlines() if line)
    return ()
