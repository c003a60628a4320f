"""What is remembered of kitchens, operations, runs and releases, and who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from kitchen.domain.journal import Operation, OperationState, StepState
    from kitchen.domain.kitchen import Kitchen, State
    from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
    from kitchen.domain.run import NodeRun, Run, RunState, TestResult
    from kitchen.ports.publishing import Exchanged
    from kitchen.ports.requests import RequestRecords


@dataclass(frozen=True, slots=True)
class Quota:
    """How many working kitchens an environment takes."""

    total: int
    per_person: int


class KitchenRecords(Protocol):
    """The kitchens of one environment."""

    def add(self, kitchen: Kitchen, *, quota: Quota | None = None) -> None:
        """Record a new kitchen; the same one there is success, another of that name or branch Conflict.

        The parent must be there and ready (else Conflict); past the quota it is Refused.
        """
        ...

    def get(self, name: str) -> Kitchen | None:
        """Return a kitchen, or None."""
        ...

    def all(self) -> tuple[Kitchen, ...]:
        """Return every kitchen, by name."""
        ...

    def has_login(self, login: str) -> bool:
        """Say whether a login of one person into a kitchen is still there."""
        ...

    def sizes(self, schemas: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Return how many tables and bytes are in each of the schemas that are there."""
        ...

    def save(self, kitchen: Kitchen, *, expected: State) -> None:
        """Replace the record of a kitchen; Conflict where its state is no longer the expected one.

        One with kitchens below it does not become DELETING: that is Conflict too.
        """
        ...

    def remove(self, identity: UUID) -> None:
        """Forget a kitchen; absent is success."""
        ...


class JournalRecords(Protocol):
    """Operations and their steps; every call commits before it returns."""

    def begin(self, operation: Operation) -> None:
        """Record an operation before its first step."""
        ...

    def claim(self, operation: UUID) -> None:
        """Take an unfinished operation over; what its earlier holder still marks is Conflict from now on."""
        ...

    def mark(self, operation: UUID, step: str, state: StepState) -> None:
        """Record the state of a step; Conflict where another process has taken the operation over."""
        ...

    def finish(self, operation: UUID, state: OperationState, *, error: str | None = None) -> None:
        """Record how an operation ended."""
        ...

    def get(self, operation: UUID) -> Operation | None:
        """Return an operation with its steps, or None."""
        ...

    def unfinished(self) -> tuple[Operation, ...]:
        """Return operations that are running or stuck, oldest first."""
        ...

    def created(self, kitchen: UUID) -> Operation | None:
        """Return the operation that made a kitchen, or None."""
        ...


class Locks(Protocol):
    """Row locks: freed by the server when their holder dies."""

    def hold(self, name: str, *, purpose: str) -> AbstractContextManager[None]:
        """Hold a named lock for the block; Conflict, naming the holder, where it is taken."""
        ...

    def held(self) -> frozenset[str]:
        """Return the names that live processes hold; nothing is taken to find out."""
        ...


class Audit(Protocol):
    """Append-only, hash-chained."""

    def intent(self, action: str, subject: str, detail: Mapping[str, object]) -> None:
        """Record what is about to be done; if that cannot be written nothing may be changed."""
        ...

    def outcome(self, action: str, subject: str, result: str, detail: Mapping[str, object]) -> None:
        """Record how it went."""
        ...

    def entries(self, limit: int) -> tuple[Mapping[str, object], ...]:
        """Return the newest entries first."""
        ...

    def verify(self, seen: str | None = None) -> tuple[int, str | None]:
        """Return how many entries were checked and what is wrong with the first bad one, if any.

        ``seen`` is what ``head`` once said: who owns the records can write them anew, but not what others remember.
        """
        ...

    def head(self) -> str:
        """Return, in one line, where the chain ends now."""
        ...


class RunRecords(Protocol):
    """Runs, their node runs and test results; every call commits before it returns."""

    def start(self, run: Run) -> None:
        """Record a run before its first node."""
        ...

    def node(self, run: UUID, node: NodeRun) -> None:
        """Record an attempt at a node; the same attempt again replaces it."""
        ...

    def tests(self, run: UUID, results: Sequence[TestResult]) -> None:
        """Add test results."""
        ...

    def finish(self, run: UUID, state: RunState, *, message: str | None) -> None:
        """Record how a run ended."""
        ...

    def get(self, identity: str) -> Run | None:
        """Return a run by the beginning of its id (Conflict where that is ambiguous), or None."""
        ...

    def all(self, *, kitchen: str | None = None, limit: int = 50) -> tuple[Run, ...]:
        """Return runs without their nodes and tests, newest first."""
        ...

    def latest(self, kitchens: Sequence[str]) -> Mapping[str, Run]:
        """Return the last run of each of the kitchens, without nodes and tests."""
        ...

    def measured(self, recipe: str, node: str, test: str, *, kitchens: Sequence[str], limit: int) -> tuple[str, ...]:
        """Return what a test measured in runs where it passed, oldest first: the last ``limit`` of these kitchens."""
        ...

    def once_done(self, kitchen: str) -> frozenset[str]:
        """Return ``recipe/node`` of every once-node recorded for a standing kitchen."""
        ...

    def record_once(self, kitchen: str, node: str, run: UUID) -> None:
        """Record that a once-node ran in a standing kitchen; again is success."""
        ...

    def set_once_aside(self, kitchen: str, commit: str) -> None:
        """Forget, until ``bring_once_back``, the once-nodes that runs of a commit brought: its tables went out."""
        ...

    def bring_once_back(self, kitchen: str, commit: str) -> None:
        """Record again what was set aside: the tables of the commit are in again."""
        ...


@dataclass(frozen=True, slots=True)
class PantryVersion:
    """One immutable masked baseline."""

    version: int
    state: str  # building | ready | dropped
    created_at: datetime
    manifest: Mapping[str, object]


class PantryRecords(Protocol):
    """Versions of one environment's pantry."""

    def begin(self, manifest: Mapping[str, object]) -> int:
        """Record a version that is being built and return its number."""
        ...

    def publish(self, version: int, manifest: Mapping[str, object]) -> None:
        """Make a built version the newest one that kitchens are made on."""
        ...

    def withdraw(self, version: int) -> None:
        """Let nobody begin to read a ready version, which is about to be dropped; ``publish`` gives it back."""
        ...

    def drop(self, version: int) -> None:
        """Record that a version is gone."""
        ...

    def newest(self) -> PantryVersion | None:
        """Return the newest ready version, or None."""
        ...

    def all(self) -> tuple[PantryVersion, ...]:
        """Return every version, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """What a schedule did last."""

    name: str
    due_at: datetime  # the due time that was answered last
    started_at: datetime | None
    finished_at: datetime | None
    outcome: str  # seen | running | done | failed | interrupted
    said: str


class ScheduleRecords(Protocol):
    """Due times and outcomes of one environment's schedules; who changes one holds its lock."""

    def get(self, name: str) -> ScheduleRecord | None:
        """Return what a schedule did last, or None."""
        ...

    def see(self, name: str, due_at: datetime) -> None:
        """Record the due time from which on a new schedule counts."""
        ...

    def begin(self, name: str, due_at: datetime) -> None:
        """Record that the answer to a due time has begun."""
        ...

    def end(self, name: str, outcome: str, said: str) -> None:
        """Record how it ended."""
        ...


class ReleaseRecords(Protocol):
    """What was published into the kitchens of one environment; numbers are unique in it."""

    def add(self, kind: ReleaseKind, environment: str, kitchen: str, plan: ReleasePlan, *, by: str) -> Release:
        """Record a planned release and number it."""
        ...

    def get(self, number: int) -> Release | None:
        """Return a release, or None."""
        ...

    def all(self, *, kitchen: str | None = None, limit: int | None = None) -> tuple[Release, ...]:
        """Return releases, newest first."""
        ...

    def approve(self, number: int, *, by: str) -> None:
        """Record a person's consent to the plan as it is; Conflict where the release is no longer open."""
        ...

    def move(
        self, number: int, state: ReleaseState, *, expected: Sequence[ReleaseState], message: str | None = None
    ) -> None:
        """Set the state of a release; Conflict where it is in none of the expected ones."""
        ...

    def released(self, number: int, *, commit: str, tag: str | None, exchanged: Sequence[Exchanged]) -> None:
        """Record that a release is in, with what it exchanged, and that its commit is the deployed one."""
        ...

    def deployed(self, kitchen: str) -> tuple[str, int] | None:
        """Return the commit whose results stand in a kitchen's tables and the release that brought it, or None."""
        ...


class Control(Protocol):
    """State of one environment, in schema ``kitchen_control`` of its warehouse."""

    person: str  # who works here
    host: str  # on which machine

    @property
    def kitchens(self) -> KitchenRecords: ...
    @property
    def journal(self) -> JournalRecords: ...
    @property
    def locks(self) -> Locks: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def runs(self) -> RunRecords: ...
    @property
    def pantries(self) -> PantryRecords: ...
    @property
    def releases(self) -> ReleaseRecords: ...
    @property
    def schedules(self) -> ScheduleRecords: ...
    @property
    def requests(self) -> RequestRecords: ...

    def now(self) -> datetime:
        """Return what time it is in the environment: the clocks of people's machines differ."""
        ...

    def install(self) -> None:
        """Make or upgrade the control schema; raises Refused where a newer kitchen made it."""
        ...


class Notifier(Protocol):
    """Tells people; best effort, never raises."""

    def send(self, title: str, body: str) -> None:
        """Send one message."""
        ...
