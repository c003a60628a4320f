"""What schedules have done, in the control schema."""

from __future__ import annotations

from datetime import datetime

from kitchen.adapters.postgres.connection import PgSession
from kitchen.ports import ScheduleRecord


class PgSchedules:
    """The ScheduleRecords port. Who changes a record holds the schedule's lock."""

    def __init__(self, session: PgSession) -> None:
        self._session = session

    def get(self, name: str) -> ScheduleRecord | None:
        """Return what a schedule did last, or None."""
        rows = self._session.query(
            "SELECT name, due_at, started_at, finished_at, outcome, said FROM kitchen_control.schedule WHERE name = %s",
            [name],
        )
        return ScheduleRecord(*rows[0]) if rows else None

    def see(self, name: str, due_at: datetime) -> None:
        """Record the due time from which on a new schedule counts; what was due before is nobody's."""
        self._session.execute(
            "INSERT INTO kitchen_control.schedule (name, due_at, outcome) VALUES (%s, %s, 'seen')"
            " ON CONFLICT (name) DO NOTHING",
            [name, due_at],
        )

    def begin(self, name: str, due_at: datetime) -> None:
        """Record that the answer to a due time has begun."""
        self._session.execute(
            "UPDATE kitchen_control.schedule SET due_at = %s, started_at = now(), finished_at = NULL,"
            " outcome = 'running', said = '' WHERE name = %s",
            [due_at, name],
        )

    def end(self, name: str, outcome: str, said: str) -> None:
        """Record how it ended."""
        self._session.execute(
            "UPDATE kitchen_control.schedule SET finished_at = now(), outcome = %s, said = %s WHERE name = %s",
            [outcome, said, name],
        )
