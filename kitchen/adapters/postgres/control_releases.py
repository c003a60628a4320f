"""Releases, approvals and deployed commits as rows of the control schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.layout import TableName
from kitchen.domain.release import Approval, Release, ReleaseKind, ReleasePlan, ReleaseState, Swapped
from kitchen.errors import Conflict, NotFound
from kitchen.ports import Exchanged, Row

_SELECT = """
SELECT r.number, r.kind, r.environment, r.kitchen, r.plan, r.state, r.by, r.planned_at, r.commit, r.tag,
       r.released_at, r.message,
       (SELECT json_agg(json_build_array(a.by, a.at, a.plan_hash, a.own, CASE
               WHEN r.state IN ('planned', 'failed', 'applying') THEN kitchen_control.approval_is_void(a) END)
                        ORDER BY a.at)
        FROM kitchen_control.approval AS a WHERE a.release = r.number),
       (SELECT json_agg(json_build_array(s.schema, s.name, s.before, s.after) ORDER BY s.schema, s.name)
        FROM kitchen_control.swapped AS s WHERE s.release = r.number)
FROM kitchen_control.release AS r
"""


class PgReleases:
    """The ReleaseRecords port."""

    def __init__(self, session: PgSession, *, is_own: bool = False) -> None:
        self._session = session
        self._is_own = is_own  # a person's own login, which only the server's function lets approve

    def add(self, kind: ReleaseKind, environment: str, kitchen: str, plan: ReleasePlan, *, by: str) -> Release:
        """Record a planned release and number it."""
        ((number,),) = self._session.query(
            "INSERT INTO kitchen_control.release (kind, environment, kitchen, plan, plan_hash, state, by) "
            "VALUES (%s, %s, %s, %s, %s, 'planned', %s) RETURNING number",
            [kind.value, environment, kitchen, json.dumps(plan.to_document()), plan.hash, by],
        )
        found = self.get(number)
        assert found is not None  # noqa: S101 - inserted a moment ago, and nothing deletes
        return found

    def get(self, number: int) -> Release | None:
        """Return a release, or None."""
        rows = self._session.query(f"{_SELECT} WHERE r.number = %s", [number])
        return _release(rows[0]) if rows else None

    def all(self, *, kitchen: str | None = None, limit: int | None = None) -> tuple[Release, ...]:
        """Return releases, newest first."""
        where = "" if kitchen is None else "WHERE r.kitchen = %s "
        values: list[object] = [] if kitchen is None else [kitchen]
        rows = self._session.query(f"{_SELECT} {where}ORDER BY r.number DESC LIMIT %s", [*values, limit])
        return tuple(map(_release, rows))

    def approve(self, number: int, *, by: str) -> None:
        """Record a person's consent to the plan as it is; again is success."""
        if self._is_own:
            if not self._session.query("SELECT kitchen_control.approve(%s)", [number])[0][0]:
                raise self._unexpected(number)
            return
        if not self._session.query("SELECT kitchen_control.record_approval(%s, %s)", [number, by])[0][0]:
            raise self._unexpected(number)

    def move(
        self, number: int, state: ReleaseState, *, expected: Sequence[ReleaseState], message: str | None = None
    ) -> None:
        """Set the state of a release; Conflict where it is in none of the expected ones."""
        written = self._session.execute(
            "UPDATE kitchen_control.release SET state = %s, message = %s WHERE number = %s AND state = ANY (%s)",
            [state.value, message, number, [one.value for one in expected]],
        )
        if written != 1:
            raise self._unexpected(number)

    def released(self, number: int, *, commit: str, tag: str | None, exchanged: Sequence[Exchanged]) -> None:
        """Record that a release is in, with what it exchanged, and that its commit is the deployed one."""
        self._session.execute(
            "UPDATE kitchen_control.release SET state = 'released', message = NULL, commit = %s, tag = %s, "
            "released_at = clock_timestamp() WHERE number = %s",
            [commit, tag, number],
        )
        self._session.execute(
            "INSERT INTO kitchen_control.swapped SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::bigint[], "
            "%s::bigint[]) ON CONFLICT DO NOTHING",
            [
                number,
                [one.name.schema for one in exchanged], [one.name.name for one in exchanged],
                [one.before for one in exchanged], [one.after for one in exchanged],
            ],
        )  # fmt: skip
        self._session.execute(
            "INSERT INTO kitchen_control.deployed (kitchen, commit, release) "
            "SELECT kitchen, commit, number FROM kitchen_control.release WHERE number = %s "
            "ON CONFLICT (kitchen) DO UPDATE SET commit = excluded.commit, release = excluded.release, at = now()",
            [number],
        )

    def deployed(self, kitchen: str) -> tuple[str, int] | None:
        """Return the commit whose results stand in a kitchen's tables and the release that brought it, or None."""
        rows = self._session.query("SELECT commit, release FROM kitchen_control.deployed WHERE kitchen = %s", [kitchen])
        return (rows[0][0], rows[0][1]) if rows else None

    def _unexpected(self, number: int) -> Conflict | NotFound:
        found = self.get(number)
        if found is None:
            return NotFound(f"there is no release {number}", hint="kitchen release list")
        return Conflict(f"release {number} is {found.state}", hint=f"kitchen release show {number}")


def _release(row: Row) -> Release:
    (number, kind, environment, kitchen, plan, state, by, planned_at, commit, tag, released_at, message,
     approvals, swapped) = row  # fmt: skip
    return Release(
        number, ReleaseKind(kind), environment, kitchen, ReleasePlan.from_document(plan), ReleaseState(state), by,
        planned_at, commit, tag, released_at, message,
        tuple(Approval(who, datetime.fromisoformat(at), *said) for who, at, *said in approvals or ()),
        tuple(Swapped(TableName(schema, name), before, after) for schema, name, before, after in swapped or ()),
    )  # fmt: skip
