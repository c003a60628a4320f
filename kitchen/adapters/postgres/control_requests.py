"""Merge requests and runners as rows of the control schema."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from uuid import UUID

from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.merge_request import MergeRequest, Presence, RequestState
from kitchen.errors import Conflict
from kitchen.ports import Row

_COLUMNS = ", ".join(f"r.{field.name}" for field in fields(MergeRequest))
_SELECT = f"SELECT {_COLUMNS} FROM kitchen_control.merge_request AS r"
_PUT_BACK = "UPDATE kitchen_control.merge_request SET state = 'queued', release = NULL, taken_at = NULL"


class PgRequests:
    """The RequestRecords port."""

    def __init__(self, session: PgSession, *, person: str) -> None:
        self._session = session
        self._person = person

    def ask(self, kitchen: UUID, commit: str) -> int:
        """Ask for a commit of a kitchen's branch and return the request's number; the server knows who asks."""
        rows = self._session.query("SELECT kitchen_control.ask_merge(%s, %s)", [str(kitchen), commit])
        return int(rows[0][0])

    def withdraw(self, number: int) -> str:
        """Take a request back that nobody has begun to answer; returns its state."""
        return str(self._session.query("SELECT kitchen_control.withdraw_merge(%s)", [number])[0][0])

    def get(self, number: int) -> MergeRequest | None:
        """Return a request, or None."""
        rows = self._session.query(f"{_SELECT} WHERE r.number = %s", [number])
        return _request(rows[0]) if rows else None

    def of_release(self, release: int) -> MergeRequest | None:
        """Return the request that a release answers, or None."""
        rows = self._session.query(f"{_SELECT} WHERE r.release = %s ORDER BY r.number DESC LIMIT 1", [release])
        return _request(rows[0]) if rows else None

    def standing(self) -> tuple[MergeRequest, ...]:
        """Return what waits for an answer, oldest first."""
        return tuple(map(_request, self._session.query(f"{_SELECT} WHERE r.ended_at IS NULL ORDER BY r.number")))

    def due(self) -> tuple[MergeRequest, ...]:
        """Return what a runner has something to do for, oldest first."""
        rows = self._session.query(
            f"{_SELECT} WHERE r.ended_at IS NULL AND kitchen_control.request_is_due(r) ORDER BY r.number"
        )
        return tuple(map(_request, rows))

    def newest_of(self, kitchens: Collection[UUID]) -> tuple[MergeRequest, ...]:
        """Return the newest request of each of some kitchens, standing or ended."""
        rows = self._session.query(
            f"SELECT DISTINCT ON (r.kitchen_id) {_COLUMNS} FROM kitchen_control.merge_request AS r "
            "WHERE r.kitchen_id = ANY(%s::uuid[]) ORDER BY r.kitchen_id, r.number DESC",
            [[str(each) for each in kitchens]],
        )
        return tuple(map(_request, rows))

    def unwanted(self, number: int) -> str | None:
        """Return why a request must not be answered any more, or None."""
        rows = self._session.query(
            "SELECT kitchen_control.merge_is_unwanted(kitchen_id, by, target, branch) "
            "FROM kitchen_control.merge_request WHERE number = %s",
            [number],
        )
        return rows[0][0] if rows else "nobody asked for it"

    def take(self, number: int) -> bool:
        """Begin to answer a request; says whether it was there to be taken."""
        written = self._session.execute(
            "UPDATE kitchen_control.merge_request SET state = 'proving', attempts = attempts + 1, said = NULL, "
            "release = NULL, taken_by = coalesce(kitchen_control.me(), %s), taken_at = now() "
            "WHERE number = %s AND state IN ('queued', 'waiting')",
            [self._person, number],
        )
        return written == 1

    def plan(self, number: int, release: int) -> None:
        """Record the release by which a request is answered."""
        written = self._session.execute(
            "UPDATE kitchen_control.merge_request SET release = %s WHERE number = %s AND state = 'proving'",
            [release, number],
        )
        if written != 1:
            raise Conflict(f"request {number} is not being answered any more", hint="kitchen ci publish")

    def published(self, release: int) -> MergeRequest | None:
        """Record, with the release itself, that it answers a request; returns that one, or None where none does."""
        rows = self._session.query(
            "UPDATE kitchen_control.merge_request AS r SET state = 'published', ended_at = clock_timestamp(), "
            "code = NULL, said = NULL, hint = NULL "
            f"WHERE r.release = %s AND r.state IN ('proving', 'waiting') RETURNING {_COLUMNS}",
            [release],
        )
        return _request(rows[0]) if rows else None

    def put_back(self, number: int, *, said: str | None = None, counts: bool = True) -> None:
        """Queue a request again whose answer was cut off, or (not ``counts``) could not begin."""
        self._session.execute(
            f"{_PUT_BACK}, said = coalesce(%s, said), attempts = attempts - %s "
            "WHERE number = %s AND state IN ('queued', 'proving')",
            [said, 0 if counts else 1, number],
        )

    def put_back_of(self, release: int) -> None:
        """Queue the request again whose release was undone, where there is one."""
        self._session.execute(f"{_PUT_BACK} WHERE release = %s AND state = 'proving'", [release])

    def wait(self, number: int, said: str, hint: str) -> None:
        """Record for whose approval a request that was begun waits."""
        self._session.execute(
            "UPDATE kitchen_control.merge_request SET state = 'waiting', attempts = 0, said = %s, hint = %s "
            "WHERE number = %s AND state = 'proving'",
            [said, hint, number],
        )

    def refuse(self, number: int, code: int, said: str, hint: str | None, *, base: str | None = None) -> None:
        """Record why a request is not answered; one that ended stays as it is."""
        self._session.execute(
            "UPDATE kitchen_control.merge_request SET state = 'refused', ended_at = clock_timestamp(), code = %s, "
            "said = %s, hint = %s, base = %s WHERE number = %s AND ended_at IS NULL",
            [code, said, hint, base, number],
        )

    def fulfilled(self, number: int, said: str) -> None:
        """Record that the target has everything of a request already."""
        self._session.execute(
            "UPDATE kitchen_control.merge_request SET state = 'published', ended_at = clock_timestamp(), said = %s "
            "WHERE number = %s AND state = 'proving'",
            [said, number],
        )

    def beat(self, name: str, host: str) -> None:
        """Record that a runner is there."""
        self._session.execute(
            "INSERT INTO kitchen_control.runner (name, host) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET host = excluded.host, seen_at = now()",
            [name, host],
        )

    def runners(self) -> tuple[Presence, ...]:
        """Return runners, the one that was seen last first."""
        rows = self._session.query(
            "SELECT name, host, seen_at, now() - seen_at FROM kitchen_control.runner ORDER BY seen_at DESC"
        )
        return tuple(Presence(*row) for row in rows)


def _request(row: Row) -> MergeRequest:
    values = dict(zip((field.name for field in fields(MergeRequest)), row, strict=True))
    kept = {**values, "kitchen_id": UUID(str(values["kitchen_id"])), "state": RequestState(str(values["state"]))}
    return MergeRequest(**kept)
