"""What somebody who may not publish asks of the runner: to merge one commit of a kitchen's branch into its parent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

ATTEMPTS = 3  # of runners that were killed while they proved it, before it is given up
ROUNDS = 5  # of one answer, each on what the target has become meanwhile
AT_MOST = timedelta(minutes=30)  # for what a request runs, whatever its recipes' own timeouts are
PRESENCE = timedelta(minutes=2)  # a runner that was seen within that time is taken to be there


class RequestState(StrEnum):
    """Where a request is; only PUBLISHED ones have moved anything."""

    QUEUED = "queued"
    PROVING = "proving"
    WAITING = "waiting"  # for approvals
    PUBLISHED = "published"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """One person's wish; ``number`` is unique in the environment."""

    number: int
    kitchen_id: UUID
    kitchen: str
    target: str  # the kitchen that it goes into
    branch: str
    commit: str
    by: str
    asked_at: datetime
    state: RequestState
    attempts: int
    taken_by: str | None
    taken_at: datetime | None
    release: int | None  # what a runner planned for it
    ended_at: datetime | None
    code: int | None  # of a refusal: the exit code that the merge would have had
    said: str | None
    hint: str | None
    base: str | None = None  # of a refusal: what the target's branch had then

    @property
    def is_standing(self) -> bool:
        """Say whether it waits for an answer."""
        return self.state in (RequestState.QUEUED, RequestState.PROVING, RequestState.WAITING)


@dataclass(frozen=True, slots=True)
class Presence:
    """A runner, and when it said last that it is there."""

    name: str
    host: str
    seen_at: datetime
    age: timedelta  # by the server's clock

    @property
    def is_there(self) -> bool:
        """Say whether it was seen lately."""
        return self.age < PRESENCE
