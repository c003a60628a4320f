"""The swap: every lock at once, everything moved and compared, one commit; tried again until its time is up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import errors

from kitchen.adapters.postgres.connection import PgSession, detail_of, message_of, translated
from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.adapters.postgres.swap_carry import lost
from kitchen.adapters.postgres.swap_keys import KEY_COLUMNS
from kitchen.adapters.postgres.swap_plan import SwapPlan, plan_swap
from kitchen.adapters.postgres.swap_read import found_by_name, found_by_oid, properties_of
from kitchen.adapters.postgres.swap_trust import Joined, refuse_casts, steady
from kitchen.domain.layout import TableName
from kitchen.domain.words import counted
from kitchen.errors import Conflict, KitchenError, NotPermitted, Refused
from kitchen.ports import Exchanged, Publication, Published

# Every reader that comes while we wait for a lock queues behind us: so we wait this long, leave, and come again.
LOCK_TIMEOUT = 0.010
_PAUSE = (0.005, 0.060)  # seconds, drawn anew each time: two that collide do not collide again
_CHANGED_LIMIT = 5  # times that somebody may change grants under our hands before we give up

_DEADLOCK_TIMEOUT = "SELECT setting::int / 1000.0 FROM pg_settings WHERE name = 'deadlock_timeout'"

# Transactions of this database that were open when asked, by the virtual number that the server gives each. Who we are
# not allowed to see may hold a snapshot; who we can see and who holds none is no danger.
_OPEN = """
SELECT l.virtualtransaction, l.pid, s.usename, extract(epoch FROM now() - s.xact_start)::float, s.state IS NULL
FROM pg_locks AS l JOIN {activity} AS s ON s.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.granted AND s.datname = current_database() AND l.pid <> pg_backend_pid()
  AND coalesce(s.backend_type, 'client backend') = 'client backend'
  AND (s.backend_xmin IS NOT NULL OR s.state IS NULL) AND {condition}
"""
# People's sessions are not the provisioner's to look into; the registrar says what they hold.
_ACTIVITY = """
(SELECT a.pid, a.usename, a.datname, a.backend_type, a.xact_start, coalesce(a.state, p.state) AS state,
        coalesce(a.backend_xmin, p.backend_xmin) AS backend_xmin
 FROM pg_stat_activity AS a LEFT JOIN kitchen_people.activity() AS p USING (pid))
"""
_HAS_PEOPLE = "SELECT to_regprocedure('kitchen_people.activity()') IS NOT NULL"
_HOLDERS = """
SELECT DISTINCT l.pid, coalesce(s.usename, '?'), extract(epoch FROM now() - s.xact_start)::float
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS s ON s.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.relation = ANY (%s::oid[])
ORDER BY 3 DESC NULLS LAST, 1
"""

_UNVALIDATED = f"""
SELECT k.oid::bigint, k.conname, n.nspname, c.relname, fn.nspname, f.relname, {KEY_COLUMNS}
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS f ON f.oid = k.confrelid JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
WHERE k.contype = 'f' AND NOT k.convalidated AND k.conparentid = 0
  AND ((n.nspname, c.relname) IN (SELECT * FROM unnest(%s::name[], %s::name[]))
       OR (fn.nspname, f.relname) IN (SELECT * FROM unnest(%s::name[], %s::name[])))
"""

_MARK = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"

Record = Callable[[Published], None]


class _Blocked(Exception):
    """The locks could not be had this time."""


class _Changed(Exception):
    """Somebody changed what we carry between reading and locking."""


class _Rehearsed(Exception):
    """It worked; now it is rolled back."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that keeps a swap from happening."""

    pid: int
    user: str | None
    age: float | None

    def __str__(self) -> str:
        age = "" if self.age is None else f", for {self.age:.0f} s"
        return f"process {self.pid} of {self.user or 'another user'}{age}"


def swap(
    session: PgSession, publication: Publication, *, wait: float, record: Record, rehearse: bool = False
) -> Published:
    """Exchange the relations of a publication.

    Raises Refused where something cannot be carried, and Conflict, naming who blocks, when the time is up.
    """
    until = time.monotonic() + wait
    make_archives(session, publication.archives.values(), publication.mark)
    _wait_for_snapshots(session, until)
    changed, attempts = 0, 0
    plan = _prepared(session, publication)
    if rehearse:
        _refuse_strays(session, plan)
    while True:
        attempts += 1
        try:
            return replace(_attempt(session, plan, record, rehearse=rehearse), attempts=attempts)
        except _Blocked:
            if time.monotonic() > until:
                raise _blocked(_holders(session, plan), f"{attempts} attempts in {wait:g} s") from None
            time.sleep(random.uniform(*_PAUSE))  # noqa: S311 - no secret hangs on it
        except _Changed as difference:
            changed += 1
            if changed > _CHANGED_LIMIT:
                raise Refused(f"this would be lost: {difference}") from None
            plan = _prepared(session, publication)


def make_archives(session: PgSession, schemas: Iterable[str], mark: str) -> None:
    """Make the schemas that keep what is replaced; nobody else enters them. Raises Conflict for a stranger's."""
    for schema in dict.fromkeys(schemas):
        known = session.query(_MARK, [schema])
        if known and known[0][0] != mark:
            raise Conflict(f"the schema {schema!r} is there already and is not ours; it stays", hint="kitchen doctor")
        if not known:
            with translated(f"making schema {schema}"), session.connection.cursor() as cursor:
                cursor.execute(f"CREATE SCHEMA {quote(schema)}; COMMENT ON SCHEMA {quote(schema)} IS {literal(mark)}")


def _refuse_strays(session: PgSession, plan: SwapPlan) -> None:
    """Ask before anything is locked what validating would find when it is too late."""
    refuse_casts(session, plan.joined)
    for key in plan.joined:
        if not key.holds:
            continue
        with steady(session, key.table, key.to):
            refuse_casts(session, [key])
            ((count,),) = session.query(key.strays())
        if count:
            raise Refused(
                f"the foreign key {key.name} would not hold: {counted(count, 'row')} with nothing to refer to",
                hint="mend the node that builds the table, or drop the foreign key in a node",
            )


def _prepared(session: PgSession, publication: Publication) -> SwapPlan:
    """Plan, and do on the new relations what can be done before anybody sees them."""
    plan = plan_swap(session, publication)
    if not plan.first:
        return plan
    with session.transaction():
        try:
            with session.connection.cursor() as cursor:
                cursor.execute(";\n".join(plan.first))
        except errors.InsufficientPrivilege as error:
            raise _not_ours(plan, error) from error
        except psycopg2.Error as error:
            raise Refused(f"cannot be carried to the new tables: {message_of(error)}") from error
    return plan_swap(session, publication)


def _attempt(session: PgSession, plan: SwapPlan, record: Record, *, rehearse: bool) -> Published:
    try:
        with session.transaction():
            _lock(session, plan)
            began = time.monotonic()
            refuse_casts(session, plan.joined)  # those of partitioned tables are validated at once
            _move(session, plan)
            _compare(session, plan)
            done = Published(_numbered(session, plan), plan.said)
            record(done)
            if rehearse:
                raise _Rehearsed
        return replace(done, seconds=time.monotonic() - began)
    except _Rehearsed:
        return replace(done, seconds=time.monotonic() - began)


def _lock(session: PgSession, plan: SwapPlan) -> None:
    ((deadlock,),) = session.query(_DEADLOCK_TIMEOUT)
    patience = int(min(LOCK_TIMEOUT, float(deadlock) / 4) * 1000) or 1
    tables = ", ".join(f"ONLY {qualified(name)}" for name in plan.lock)
    lock = f"; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE" if tables else ""
    try:
        with session.connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {patience}{lock}")
    except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
        raise _Blocked from error
    except errors.UndefinedTable as error:
        raise _Changed(message_of(error)) from error
    except errors.InsufficientPrivilege as error:
        raise _not_ours(plan, error) from error


def _move(session: PgSession, plan: SwapPlan) -> None:
    try:
        with session.connection.cursor() as cursor:
            if plan.moves:
                cursor.execute(";\n".join(plan.moves))
            if plan.carry:
                cursor.execute(";\n".join(plan.carry))
    except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
        raise _Blocked from error
    except (errors.UndefinedTable, errors.UndefinedObject, errors.SerializationFailure) as error:
        raise _Changed(message_of(error)) from error
    except errors.InsufficientPrivilege as error:
        raise _not_ours(plan, error) from error
    except psycopg2.Error as error:
        raise Refused(
            f"the tables cannot be exchanged: {message_of(error)}{detail_of(error)}", hint=_hint(error)
        ) from error


def _hint(error: psycopg2.Error) -> str:
    if isinstance(error, errors.InvalidForeignKey):
        return "the node that builds the table must make its primary key, or drop the foreign keys to it"
    return "mend the node that builds the table, or drop what depends on it in a node before"


def _compare(session: PgSession, plan: SwapPlan) -> None:
    """Read again, under the locks, both sides: what was there before is there now."""
    pairs = {heir.relation.oid: heir for heir in plan.heirs}
    before = {leaving.name: leaving.oid for leaving in plan.leaving}
    replaced = {oid: before[heir.final] for oid, heir in pairs.items() if heir.final in before}
    said = properties_of(session, [*pairs, *replaced.values()], columns=False)
    missing: list[str] = []
    for oid, heir in pairs.items():
        old = said[replaced[oid]] if oid in replaced else heir.replaced
        moved_away = {key: value for key, value in (old or {}).items() if key[0] != "publication"}
        kept = {key: value for key, value in (heir.replaced or {}).items() if key[0] == "publication"}
        missing += lost(replace(heir, replaced={**moved_away, **kept} if old is not None else None), said[oid])
    if missing:
        raise _Changed("; ".join(missing))


def _numbered(session: PgSession, plan: SwapPlan) -> tuple[Exchanged, ...]:
    """Return what was exchanged, with the numbers of what was made anew in the swap."""
    known = {exchanged.name for exchanged in plan.exchanged}
    rebuilt = [leaving.name for leaving in plan.leaving if leaving.name not in known]
    now = found_by_name(session, rebuilt) if rebuilt else {}
    oids = {leaving.name: leaving.oid for leaving in plan.leaving}
    return (*plan.exchanged, *(Exchanged(name, oids[name], now[name].oid if name in now else None) for name in rebuilt))


def _wait_for_snapshots(session: PgSession, until: float) -> None:
    """Wait while a snapshot is alive that is older than the new rows: it would read their tables as empty."""
    activity = _ACTIVITY if session.query(_HAS_PEOPLE)[0][0] else "pg_stat_activity"
    early = {row[0] for row in session.query(_OPEN.format(activity=activity, condition="true"))}
    while early:
        rows = session.query(
            _OPEN.format(activity=activity, condition="l.virtualtransaction = ANY (%s)"), [sorted(early)]
        )
        if not rows:
            return
        if time.monotonic() > until:
            raise _blocked([Blocker(pid, user, age) for _, pid, user, age, _ in rows], "older transactions still read")
        early = {row[0] for row in rows}
        time.sleep(0.02)


def _holders(session: PgSession, plan: SwapPlan) -> list[Blocker]:
    oids = [leaving.oid for leaving in plan.leaving]
    return [Blocker(*row) for row in session.query(_HOLDERS, [oids])]


def _blocked(blockers: Sequence[Blocker], how: str) -> Conflict:
    names = "; ".join(map(str, blockers[:5])) or "many short readers"
    return Conflict(
        f"the tables are in use ({how}): {names}",
        hint="wait for them, or end one: SELECT pg_terminate_backend(PID)",
    )


def _not_ours(plan: SwapPlan, error: psycopg2.Error) -> NotPermitted:
    owners = sorted({found.owner for found in plan.leaving})
    return NotPermitted(
        f"the provisioner may not exchange tables of {', '.join(owners) or 'this kitchen'}: {message_of(error)}",
        hint="kitchen doctor names what it lacks, and kitchen environment install ENV --print the grants",
    )


def validate(session: PgSession, tables: Sequence[TableName]) -> tuple[str, ...]:
    """Validate foreign keys of and to tables; returns, in words, those that do not hold."""
    names = [[table.schema for table in tables], [table.name for table in tables]]
    broken = []
    for row in session.query(_UNVALIDATED, [*names, *names]):
        _, constraint, schema, table, to_schema, to, columns, to_columns = row
        referring, referred = TableName(schema, table), TableName(to_schema, to)
        name = f"{constraint} of {referring}"
        key = Joined(name, referring, tuple(columns), referred, tuple(to_columns), holds=False)
        try:
            with steady(session, referring, referred):
                if row in session.query(_UNVALIDATED, [*names, *names]):  # locked now: it is the one that was meant
                    refuse_casts(session, [key])
                    session.execute(f"ALTER TABLE {qualified(referring)} VALIDATE CONSTRAINT {quote(constraint)}")
        except KitchenError as error:
            broken.append(f"{name}: {error.message}")
    return tuple(broken)


def places(session: PgSession, oids: Sequence[int]) -> dict[int, TableName]:
    """Return where relations are."""
    return {oid: found.name for oid, found in found_by_oid(session, oids).items()}
