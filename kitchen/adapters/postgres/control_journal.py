"""The journal, the locks and the audit as rows of the control schema."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg2 import errors

from kitchen.adapters.postgres import patience
from kitchen.adapters.postgres.connection import PgSession, connect, translated
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.journal import Operation, OperationState, StepState
from kitchen.errors import Conflict, KitchenError, NotPermitted

if TYPE_CHECKING:
    from kitchen.ports import Row

_OPERATION = "id, kind, subject, arguments, state, by, host, pid, version, started_at, ended_at, error"

_CHAIN = """
SELECT head.chain, head.position, head.hash, entry.position, entry.previous, entry.hash,
       kitchen_control.audit_text(entry)
FROM kitchen_control.audit_head AS head LEFT JOIN kitchen_control.audit AS entry ON true ORDER BY entry.position
"""

_LOCK_OPTIONS = (
    "search_path=pg_catalog",
    "tcp_keepalives_idle=5", "tcp_keepalives_interval=2", "tcp_keepalives_count=3",  # a host that died holds nothing
)  # fmt: skip
_DYING = 3.0  # seconds; a server whose client was killed in the middle of a statement notices at its end


class PgJournal:
    """The JournalRecords port. What a process says about an operation that another took over is refused."""

    def __init__(self, session: PgSession) -> None:
        self._session = session
        self._claims: dict[UUID, int] = {}
        self._unsaid: dict[UUID, dict[str, StepState]] = {}

    def begin(self, operation: Operation) -> None:
        """Record an operation before its first step."""
        self._session.execute(
            f"INSERT INTO kitchen_control.operation ({_OPERATION}) "
            f"VALUES ({', '.join(['%s'] * 9)}, now(), %s, %s)",
            [str(operation.id), operation.kind, operation.subject, _json(operation.arguments), operation.state.value,
             operation.by, operation.host, operation.pid, operation.version, operation.ended_at,
             operation.error],
        )  # fmt: skip
        self._claims[operation.id] = 1

    def claim(self, operation: UUID) -> None:
        """Take an unfinished operation over; from now on its earlier holder is refused."""
        rows = self._session.query(
            "UPDATE kitchen_control.operation SET claim = claim + 1, state = 'running' "
            "WHERE id = %s AND state IN ('running', 'stuck') RETURNING claim",
            [str(operation)],
        )
        if not rows:
            raise Conflict(f"operation {operation} is finished already", hint="kitchen recover")
        self._claims[operation] = rows[0][0]

    def mark(self, operation: UUID, step: str, state: StepState) -> None:
        """Record the state of a step; raises Conflict where another process has taken the operation over.

        That a step is done is kept until the next word about the operation, and goes to the server with it: a crash
        in between leaves the step as begun, which recovery looks into anyway, and half of the commits are saved.
        """
        said = self._unsaid.setdefault(operation, {})
        said[step] = state
        if state is not StepState.DONE:
            self._tell(operation)

    def _tell(self, operation: UUID) -> None:
        said = self._unsaid.get(operation)
        if not said:
            return
        written = self._session.execute(
            "INSERT INTO kitchen_control.step (operation, name, state) SELECT id, said.name, said.state "
            "FROM kitchen_control.operation, unnest(%s, %s) WITH ORDINALITY AS said (name, state, place) "
            "WHERE id = %s AND claim = %s ORDER BY said.place FOR SHARE OF operation "
            "ON CONFLICT (operation, name) DO UPDATE SET state = excluded.state, changed_at = now()",
            [list(said), [state.value for state in said.values()], str(operation), self._claims.get(operation, 0)],
        )
        self._unsaid.pop(operation)
        if written != len(said):
            raise _taken_over(operation)

    def finish(self, operation: UUID, state: OperationState, *, error: str | None = None) -> None:
        """Record how an operation ended; raises Conflict where another process has taken it over."""
        self._tell(operation)
        written = self._session.execute(
            "UPDATE kitchen_control.operation SET state = %s, error = %s, "
            "ended_at = CASE WHEN %s IN ('done', 'undone') THEN now() END WHERE id = %s AND claim = %s",
            [state.value, error, state.value, str(operation), self._claims.get(operation, 0)],
        )
        if written != 1:
            raise _taken_over(operation)

    def get(self, operation: UUID) -> Operation | None:
        """Return an operation with its steps, or None."""
        self._tell(operation)
        found = self._where("id = %s", [str(operation)])
        return found[0] if found else None

    def unfinished(self) -> tuple[Operation, ...]:
        """Return operations that are running or stuck, oldest first."""
        return self._where("state IN ('running', 'stuck')", [])

    def created(self, kitchen: UUID) -> Operation | None:
        """Return the operation that made a kitchen, or None."""
        found = self._where("kind = 'create' AND arguments -> 'kitchen' ->> 'id' = %s", [str(kitchen)])
        return found[-1] if found else None

    def _where(self, condition: str, parameters: list[object]) -> tuple[Operation, ...]:
        steps = "SELECT json_agg(json_build_array(name, state) ORDER BY position) FROM kitchen_control.step"
        rows = self._session.query(
            f"SELECT {_OPERATION}, ({steps} WHERE operation = id) FROM kitchen_control.operation "
            f"WHERE {condition} ORDER BY started_at, id",
            parameters,
        )
        return tuple(_operation(row) for row in rows)


class PgLocks:
    """The Locks port: a row lock, held by an open transaction on a session of its own."""

    def __init__(self, session: PgSession, sessions: PgSessions, *, person: str, host: str) -> None:
        self._session = session
        self._sessions = sessions
        self._person = person
        self._host = host

    @contextmanager
    def hold(self, name: str, *, purpose: str) -> Iterator[None]:
        """Hold a named lock for the block; raises Conflict, naming the holder, where it is taken."""
        try:
            self._session.execute("INSERT INTO kitchen_control.lock VALUES (%s) ON CONFLICT DO NOTHING", [name])
        except NotPermitted as refused:
            raise self._not_ours(name, refused) from None
        holding = connect(
            self._sessions.recorder(), application=f"kitchen lock {name}: {purpose}", options=_LOCK_OPTIONS,
            patience=patience.ANSWER, lasting=True,  # the transaction is the lock: it idles as long as the work takes
        )  # fmt: skip
        try:
            holding.connection.autocommit = False
            self._take(holding, name)
            self._sign(name, purpose, holding.connection.get_backend_pid())
            yield
            with suppress(KitchenError):  # of a connection that is only closed the server frees it a moment later
                holding.execute("ROLLBACK")
        finally:
            holding.close()

    def _not_ours(self, name: str, refused: NotPermitted) -> NotPermitted:
        """Return the refusal in words: whose the kitchen is, where it is one that this login sees."""
        known = "SELECT owner FROM kitchen_control.kitchen WHERE name = %s AND kind = 'working'"
        kitchen = name.split("/")[1] if name.startswith("run/") else name
        rows = self._session.query(known, [kitchen])
        whose = f"{kitchen} is {rows[0][0]}'s" if rows else f"{self._person} may not change {kitchen} here"
        return NotPermitted(f"not permitted: {whose}", hint=refused.hint)

    def held(self) -> frozenset[str]:
        """Return the names that live processes hold; nothing is taken to find out."""
        rows = self._session.query(
            "SELECT h.name FROM kitchen_control.lock_holder AS h JOIN pg_catalog.pg_stat_activity AS a"
            " ON a.pid = h.backend AND coalesce(a.backend_start <= h.since, true)"
        )
        return frozenset(name for (name,) in rows)

    def _take(self, holding: PgSession, name: str) -> None:
        give_up = time.monotonic() + _DYING
        while not self._is_taken(holding, name):
            if time.monotonic() > give_up or not self._is_left(name):
                raise Conflict(f"{name!r} is locked{self._holder(name)}", hint="try again in a moment")
            time.sleep(0.05)

    def _is_taken(self, holding: PgSession, name: str) -> bool:
        with translated(f"locking {name!r}"), holding.connection.cursor() as cursor:
            try:
                cursor.execute("SELECT FROM kitchen_control.lock WHERE name = %s FOR UPDATE NOWAIT", [name])
            except errors.LockNotAvailable:
                holding.connection.rollback()
                return False
            if cursor.rowcount != 1:
                raise NotPermitted(f"{name!r} is somebody else's to lock", hint="kitchen list --mine")
            return True

    def _is_left(self, name: str) -> bool:
        """Say whether a process of this machine held a lock and is no more: the server frees it in a moment."""
        rows = self._session.query("SELECT host, pid FROM kitchen_control.lock_holder WHERE name = %s", [name])
        if not rows or rows[0][0] != self._host:
            return False
        try:
            os.kill(rows[0][1], 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    def _sign(self, name: str, purpose: str, backend: int) -> None:
        self._session.execute(
            "INSERT INTO kitchen_control.lock_holder VALUES (%s, %s, %s, %s, %s, %s, now()) ON CONFLICT (name) "
            "DO UPDATE SET (person, host, pid, backend, purpose, since) = (excluded.person, excluded.host, "
            "excluded.pid, excluded.backend, excluded.purpose, excluded.since)",
            [name, self._person, self._host, os.getpid(), backend, purpose],
        )

    def _holder(self, name: str) -> str:
        rows = self._session.query(
            "SELECT person, host, pid, purpose, to_char(since, 'YYYY-MM-DD HH24:MI:SS TZ') "
            "FROM kitchen_control.lock_holder WHERE name = %s",
            [name],
        )
        if not rows:
            return ""
        person, host, pid, purpose, since = rows[0]
        return f" by {person} ({purpose}, process {pid} on {host}, since {since})"


class PgAudit:
    """The Audit port: the server numbers, times and chains the entries."""

    def __init__(self, session: PgSession, *, person: str, host: str) -> None:
        self._session = session
        self._person = person
        self._host = host

    def intent(self, action: str, subject: str, detail: Mapping[str, object]) -> None:
        """Record what is about to be done."""
        self._append("intent", action, subject, None, detail)

    def outcome(self, action: str, subject: str, result: str, detail: Mapping[str, object]) -> None:
        """Record how it went."""
        self._append("outcome", action, subject, result, detail)

    def _append(self, phase: str, action: str, subject: str, result: str | None, detail: Mapping[str, object]) -> None:
        with translated("audit"):
            self._session.query(
                "SELECT kitchen_control.audit_append(%s, %s, %s, %s, %s, %s, %s)",
                [self._person, self._host, phase, action, subject, result, _json(detail)],
            )

    def entries(self, limit: int) -> tuple[Mapping[str, object], ...]:
        """Return the newest entries first."""
        names = ("position", "at", "login", "person", "host", "phase", "action", "subject", "result", "detail")
        rows = self._session.query(
            f"SELECT {', '.join(names)} FROM kitchen_control.audit ORDER BY position DESC LIMIT %s", [limit]
        )
        return tuple(dict(zip(names, row, strict=True)) for row in rows)

    def verify(self, seen: str | None = None) -> tuple[int, str | None]:
        """Return how many entries were checked and what is wrong with the first bad one, if any."""
        rows = self._session.query(_CHAIN)  # head and entries as of one moment
        chain, head_position, head = rows[0][:3]
        previous, count = sha256(str(chain).encode()).hexdigest(), 0
        remembered = seen.split() if seen is not None else [str(chain), "0", previous]
        if remembered[0] != str(chain):
            return 0, "it is another chain than the one that was seen here before"
        hashes = [previous]
        for position, said_previous, said, text in (row[3:] for row in rows if row[3] is not None):
            count += 1
            if position != count:
                return count, f"entry {count} is missing"
            if position > head_position:
                return count, f"entry {position} does not belong to the chain"
            if said_previous != previous:
                return count, f"entry {position} does not follow the entry before it"
            if said != sha256(text.encode()).hexdigest():
                return count, f"entry {position} was altered"
            previous = said
            hashes.append(said)
        if (count, previous) != (head_position, head):
            return count, f"entries after {count} are missing"
        known = int(remembered[1])
        if known > count or hashes[known] != remembered[2]:
            return count, f"entry {known}, which was seen here before, is gone or another one"
        return count, None

    def head(self) -> str:
        """Return chain, position and hash of the newest entry."""
        (row,) = self._session.query("SELECT chain, position, hash FROM kitchen_control.audit_head")
        return " ".join(map(str, row))


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(dict(values), default=str, ensure_ascii=True)


def _taken_over(operation: UUID) -> Conflict:
    return Conflict(f"operation {operation} was taken over by another command", hint="kitchen recover")


def _operation(row: Row) -> Operation:
    values = dict(zip(_OPERATION.split(", "), row, strict=False))
    steps = {name: StepState(state) for name, state in row[-1] or ()}
    return Operation(**{**values, "id": UUID(values["id"]), "state": OperationState(values["state"]), "steps": steps})
