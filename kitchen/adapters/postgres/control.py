"""The state of one environment, in schema ``kitchen_control`` of its warehouse."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import psycopg2.errors
import psycopg2.extensions

from kitchen.adapters.postgres import patience
from kitchen.adapters.postgres.connection import PgSession, message_of
from kitchen.adapters.postgres.migrate import bring_up_to_date
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.errors import NotPermitted

if TYPE_CHECKING:  # records load when a command reads them: start-up time is a feature
    from kitchen.adapters.postgres.control_journal import PgAudit, PgJournal, PgLocks
    from kitchen.adapters.postgres.control_kitchens import PgKitchens
    from kitchen.adapters.postgres.control_pantries import PgPantries
    from kitchen.adapters.postgres.control_releases import PgReleases
    from kitchen.adapters.postgres.control_requests import PgRequests
    from kitchen.adapters.postgres.control_runs import PgRuns
    from kitchen.adapters.postgres.control_schedules import PgSchedules
    from kitchen.ports import Row


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    try:
        yield
    except NotPermitted as refused:
        cause = refused.__cause__
        if not isinstance(cause, psycopg2.errors.InsufficientPrivilege):
            raise  # the login itself was refused
        raise NotPermitted(f"not permitted: {message_of(cause)}", hint="kitchen whoami") from cause


class ControlSession(PgSession):
    """One command's session, the provisioner's or a person's; opened when first used, and after the server was away."""

    def __init__(self, sessions: PgSessions) -> None:
        self._sessions = sessions
        self._open: PgSession | None = None
        self._in_transaction = False

    @property
    def connection(self) -> psycopg2.extensions.connection:  # type: ignore[override]  # an attribute there
        """Return a live connection to a database whose control schema is up to date."""
        if self._open is None or (self._open.connection.closed and not self._in_transaction):
            opened = self._sessions.as_recorder(patience=patience.ANSWER)
            try:
                bring_up_to_date(opened, may_change=self._sessions.may_migrate, upgrades=self._sessions.upgrades)
            except BaseException:
                opened.close()
                raise
            self._open = opened
        return self._open.connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block; a connection lost in it is not replaced, for its first half is lost too."""
        if self._in_transaction:  # part of the one that is open: they commit together
            yield
            return
        live = self.connection
        self._in_transaction = True
        try:
            with PgSession(live).transaction():
                yield
        finally:
            self._in_transaction = False

    def query(self, statement: str, parameters: Sequence[object] | None = None) -> list[Row]:
        """Return the rows of a statement; raises NotPermitted, in words, for what the records refuse this login."""
        with _refusals_in_words():
            return super().query(statement, parameters)

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> int:
        """Run a statement and return the count of rows; raises NotPermitted as ``query`` does."""
        with _refusals_in_words():
            return super().execute(statement, parameters)

    def close(self) -> None:
        """End the session; the next use opens another."""
        if self._open is not None:
            self._open.close()


class PgControl:
    """The Control port. ``session`` is the one that all records share."""

    def __init__(self, sessions: PgSessions, *, environment: str, person: str) -> None:
        self.environment = environment
        self.person = person
        self.host = socket.gethostname()
        self._sessions = sessions
        self.session = ControlSession(sessions)

    def install(self) -> None:
        """Make or upgrade the control schema; raises Refused where a newer kitchen made it."""
        bring_up_to_date(self.session)

    def now(self) -> datetime:
        """Return what time it is in the environment: the clocks of people's machines differ."""
        ((seconds,),) = self.session.query("SELECT extract(epoch FROM clock_timestamp())")
        return datetime.fromtimestamp(float(str(seconds)), UTC)

    @cached_property
    def kitchens(self) -> PgKitchens:
        """Return the kitchens of the environment."""
        from kitchen.adapters.postgres.control_kitchens import PgKitchens  # noqa: PLC0415

        return PgKitchens(self.session)

    @cached_property
    def journal(self) -> PgJournal:
        """Return operations and their steps."""
        from kitchen.adapters.postgres.control_journal import PgJournal  # noqa: PLC0415

        return PgJournal(self.session)

    @cached_property
    def locks(self) -> PgLocks:
        """Return the locks of the environment."""
        from kitchen.adapters.postgres.control_journal import PgLocks  # noqa: PLC0415

        return PgLocks(self.session, self._sessions, person=self.person, host=self.host)

    @cached_property
    def audit(self) -> PgAudit:
        """Return the audit of the environment."""
        from kitchen.adapters.postgres.control_journal import PgAudit  # noqa: PLC0415

        return PgAudit(self.session, person=self.person, host=self.host)

    @cached_property
    def runs(self) -> PgRuns:
        """Return the runs of the environment."""
        from kitchen.adapters.postgres.control_runs import PgRuns  # noqa: PLC0415

        return PgRuns(self.session)

    @cached_property
    def pantries(self) -> PgPantries:
        """Return the versions of the environment's pantry."""
        from kitchen.adapters.postgres.control_pantries import PgPantries  # noqa: PLC0415

        return PgPantries(self.session)

    @cached_property
    def schedules(self) -> PgSchedules:
        """Return what the environment's schedules have done."""
        from kitchen.adapters.postgres.control_schedules import PgSchedules  # noqa: PLC0415

        return PgSchedules(self.session)

    @cached_property
    def releases(self) -> PgReleases:
        """Return the releases into the environment."""
        from kitchen.adapters.postgres.control_releases import PgReleases  # noqa: PLC0415

        return PgReleases(self.session, is_own=not self._sessions.may_migrate)

    @cached_property
    def requests(self) -> PgRequests:
        """Return what people asked to merge into kitchens of the environment."""
        from kitchen.adapters.postgres.control_requests import PgRequests  # noqa: PLC0415

        return PgRequests(self.session, person=self.person)
