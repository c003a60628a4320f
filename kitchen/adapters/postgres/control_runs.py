"""Runs, their node runs and test results, in the control schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from kitchen.adapters.postgres.connection import PgSession, translated
from kitchen.domain.recipe import Severity
from kitchen.domain.run import NodeRun, Run, RunState, TestResult
from kitchen.errors import Conflict

if TYPE_CHECKING:
    from psycopg2.extras import Json

    from kitchen.ports import Row

_ASIDE = " (rolled back)"  # no kitchen's name contains a space

_IDENTITY = re.compile(r"[0-9a-f][0-9a-f-]{0,35}")

# A run is alive while the session that reports it is: a killed process leaves its run behind as running.
_RUN = """
SELECT r.id::text, r.kitchen, r.recipe, r.variation, r.commit,
    CASE WHEN lost THEN 'errored' ELSE r.state END, r.by, r.started_at, r.ended_at, r.parameters,
    CASE WHEN lost THEN 'the process that ran it is gone' ELSE r.message END
FROM kitchen_control.run AS r
CROSS JOIN LATERAL (
    SELECT r.state = 'running' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity AS a
        WHERE a.pid = r.backend_pid AND coalesce(a.backend_start = r.backend_start, true)
    ) AS lost
) AS liveness
"""

_START = """
INSERT INTO kitchen_control.run (id, kitchen, recipe, variation, commit, state, by, started_at, parameters,
    backend_pid, backend_start)
SELECT %s, %s, %s, %s, %s, %s, %s, now(), %s, a.pid, a.backend_start
FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = pg_backend_pid()
"""

# Times of a node are told as ages: the clock that counts is the server's, whatever a machine believes.
# Not waiting for the disk: it outlives our process, and where the machine itself fails the run is lost anyway.
_NODE = """
SET LOCAL synchronous_commit = off;
INSERT INTO kitchen_control.node_run (run, node, attempt, state, started_at, ended_at, rows, message, log)
VALUES (%s, %s, %s, %s, now() - %s::interval, now() - %s::interval, %s, %s, %s)
ON CONFLICT (run, node, attempt) DO UPDATE SET state = excluded.state, started_at = excluded.started_at,
    ended_at = excluded.ended_at, rows = excluded.rows, message = excluded.message, log = excluded.log
"""

# after the server was away, another session reports
_REPORTER = """
UPDATE kitchen_control.run AS r SET backend_pid = a.pid, backend_start = a.backend_start
FROM pg_catalog.pg_stat_activity AS a
WHERE r.id = %s AND r.backend_pid <> pg_backend_pid() AND a.pid = pg_backend_pid()
"""

_TEST = """
SET LOCAL synchronous_commit = off;
INSERT INTO kitchen_control.test_result
    (run, node, phase, test, kind, severity, passed, measured, expected, error, sample)
VALUES """


class PgRuns:
    """The RunRecords port on PostgreSQL."""

    def __init__(self, session: PgSession) -> None:
        self._session = session

    def start(self, run: Run) -> None:
        """Record a run before its first node."""
        self._session.execute(
            _START,
            [str(run.id), run.kitchen, run.recipe, run.variation, run.commit, run.state.value, run.by,
             _json(run.parameters)],
        )  # fmt: skip

    def node(self, run: UUID, node: NodeRun) -> None:
        """Record an attempt at a node; the same attempt again replaces it."""
        now = datetime.now(UTC)
        begun, ended = now - node.started_at, now - node.ended_at if node.ended_at is not None else None
        self._session.execute(
            _NODE + ";" + _REPORTER,
            [str(run), node.node, node.attempt, node.state.value, begun, ended, node.rows,
             node.message, node.log, str(run)],
        )  # fmt: skip

    def tests(self, run: UUID, results: Sequence[TestResult]) -> None:
        """Add test results."""
        if not results:
            return
        values = [value for result in results for value in (str(run), *_values(result))]
        row = f"({', '.join(['%s'] * 11)})"
        self._session.execute(_TEST + ", ".join([row] * len(results)), values)

    def finish(self, run: UUID, state: RunState, *, message: str | None) -> None:
        """Record how a run ended."""
        self._session.execute(
            "UPDATE kitchen_control.run SET state = %s, message = %s, ended_at = now() WHERE id = %s",
            [state.value, message, str(run)],
        )

    def get(self, identity: str) -> Run | None:
        """Return a run by the beginning of its id (Conflict where that is ambiguous), or None."""
        if not _IDENTITY.fullmatch(identity):
            return None
        rows = self._session.query(_RUN + " WHERE r.id::text LIKE %s ORDER BY r.id LIMIT 2", [f"{identity}%"])
        if len(rows) > 1:
            raise Conflict(f"several runs begin with {identity!r}", hint="write more of the id: kitchen runs list")
        return self._whole(_run(rows[0])) if rows else None

    def all(self, *, kitchen: str | None = None, limit: int = 50) -> tuple[Run, ...]:
        """Return runs without their nodes and tests, newest first."""
        where = " WHERE r.kitchen = %s" if kitchen is not None else ""
        chosen: list[object] = [kitchen] if kitchen is not None else []
        rows = self._session.query(_RUN + where + " ORDER BY r.started_at DESC, r.id LIMIT %s", [*chosen, limit])
        return tuple(_run(row) for row in rows)

    def latest(self, kitchens: Sequence[str]) -> dict[str, Run]:
        """Return the last run of each of the kitchens, without nodes and tests."""
        last = (
            "(SELECT l.id FROM kitchen_control.run AS l WHERE l.kitchen = k ORDER BY l.started_at DESC, l.id LIMIT 1)"
        )
        theirs = f" WHERE r.id IN (SELECT {last} FROM unnest(%s::text[]) AS k)"  # of no kitchen, too: then untyped
        rows = self._session.query(_RUN + theirs, [list(kitchens)])
        return {run.kitchen: run for run in map(_run, rows)}

    def measured(self, recipe: str, node: str, test: str, *, kitchens: Sequence[str], limit: int) -> tuple[str, ...]:
        """Return what a test measured in runs where it passed, oldest first: the last ``limit`` of these kitchens."""
        rows = self._session.query(
            "SELECT t.measured FROM kitchen_control.test_result AS t JOIN kitchen_control.run AS r ON r.id = t.run"
            " WHERE r.recipe = %s AND t.node = %s AND t.test = %s AND r.kitchen = ANY (%s) AND t.passed"
            " ORDER BY r.started_at DESC, t.position DESC LIMIT %s",
            [recipe, node, test, list(kitchens), limit],
        )
        return tuple(str(row[0]) for row in reversed(rows))

    def once_done(self, kitchen: str) -> frozenset[str]:
        """Return ``recipe/node`` of every once-node recorded for a standing kitchen."""
        rows = self._session.query("SELECT node FROM kitchen_control.once_done WHERE kitchen = %s", [kitchen])
        return frozenset(row[0] for row in rows)

    def record_once(self, kitchen: str, node: str, run: UUID) -> None:
        """Record that a once-node ran in a standing kitchen; again is success."""
        self._session.execute(
            "INSERT INTO kitchen_control.once_done (kitchen, node, run) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [kitchen, node, str(run)],
        )

    def set_once_aside(self, kitchen: str, commit: str) -> None:
        """Forget, until ``bring_once_back``, the once-nodes that runs of a commit brought."""
        self._rename_once(kitchen, f"{kitchen}{_ASIDE}", commit)

    def bring_once_back(self, kitchen: str, commit: str) -> None:
        """Record again what was set aside."""
        self._rename_once(f"{kitchen}{_ASIDE}", kitchen, commit)

    def _rename_once(self, old: str, new: str, commit: str) -> None:
        for statement in (
            "DELETE FROM kitchen_control.once_done AS o WHERE o.kitchen = %(new)s AND o.node IN ({moving})",
            "UPDATE kitchen_control.once_done SET kitchen = %(new)s WHERE kitchen = %(old)s AND node IN ({moving})",
        ):
            with translated("recording migrations"), self._session.connection.cursor() as cursor:
                moving = (
                    "SELECT m.node FROM kitchen_control.once_done AS m JOIN kitchen_control.run AS r ON r.id = m.run "
                    "WHERE m.kitchen = %(old)s AND r.commit = %(commit)s"
                )
                cursor.execute(statement.format(moving=moving), {"old": old, "new": new, "commit": commit})

    def _whole(self, run: Run) -> Run:
        nodes = self._session.query(
            "SELECT node, attempt, state, started_at, ended_at, rows, message, log FROM kitchen_control.node_run"
            " WHERE run = %s ORDER BY position",
            [str(run.id)],
        )
        tests = self._session.query(
            "SELECT node, phase, test, kind, severity, passed, measured, expected, error, sample"
            " FROM kitchen_control.test_result WHERE run = %s ORDER BY position",
            [str(run.id)],
        )
        return replace(run, nodes=tuple(_node(row) for row in nodes), tests=tuple(_test(row) for row in tests))


def _run(row: Row) -> Run:
    identity, kitchen, recipe, variation, commit, state, by, started_at, ended_at, parameters, message = row
    return Run(
        id=UUID(identity), kitchen=kitchen, recipe=recipe, variation=variation, commit=commit, state=RunState(state),
        by=by, started_at=started_at, ended_at=ended_at, parameters=parameters, message=message,
    )  # fmt: skip


def _node(row: Row) -> NodeRun:
    node, attempt, state, started_at, ended_at, rows, message, log = row
    return NodeRun(node, attempt, RunState(state), started_at, ended_at, rows, message, log)


def _test(row: Row) -> TestResult:
    node, phase, test, kind, severity, passed, measured, expected, error, sample = row
    return TestResult(
        node=node, phase=phase, test=test, kind=kind, severity=Severity(severity), passed=passed, measured=measured,
        expected=expected, error=error, sample=tuple(sample),
    )  # fmt: skip


def _values(result: TestResult) -> tuple[object, ...]:
    return (
        result.node, result.phase, result.test, result.kind, result.severity.value, result.passed, result.measured,
        result.expected, result.error, _json(list(result.sample)),
    )  # fmt: skip


def _json(value: Mapping[str, object] | list[Mapping[str, object]]) -> Json:
    from psycopg2.extras import Json  # noqa: PLC0415 - what only reads needs none of it

    return Json(value, dumps=_dumps)


def _dumps(value: object) -> str:
    # jsonb takes no null character, and a failing row may hold one that row_to_json wrote out
    return json.dumps(value, default=_plain).replace("\\u0000", "\\ufffd")


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)
