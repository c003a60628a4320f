"""Changing commands: audited, locked, journaled; finished or undone by whoever comes after."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from kitchen import __version__, saga
from kitchen.domain.journal import Operation, OperationState, StepState
from kitchen.errors import Incomplete, KitchenError, Refused, told
from kitchen.ports import Control, JournalRecords
from kitchen.saga import Step

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OperationJournal:
    """The saga's journal of one operation."""

    records: JournalRecords
    operation: UUID

    def mark(self, step: str, state: StepState) -> None:
        """Record the state of a step."""
        self.records.mark(self.operation, step, state)

    def states(self) -> dict[str, StepState]:
        """Return the recorded state of every step that was begun."""
        found = self.records.get(self.operation)
        return dict(found.steps) if found is not None else {}


def perform(  # noqa: PLR0917 - the first six are named by every caller in the order of the sentence
    control: Control,
    kind: str,
    subject: str,
    arguments: Mapping[str, object],
    steps: Sequence[Step],
    say: Say,
    *,
    identity: UUID | None = None,
) -> UUID:
    """Run the steps as one operation, holding the lock named ``subject``, and return its id.

    ``kind`` and ``arguments`` must be enough to build the same steps again (see ``operations.recover``); arguments
    are kept as JSON and hold no secrets. Raises Conflict where the lock is taken, the cause where all was undone, and
    Incomplete where something is left to undo or, past the pivot, to finish.
    """
    operation = Operation(
        id=identity or uuid4(), kind=kind, subject=subject, arguments=arguments, state=OperationState.RUNNING,
        by=control.person, host=socket.gethostname(), pid=os.getpid(), version=__version__,
        started_at=datetime.now(UTC),
    )  # fmt: skip
    with control.locks.hold(subject, purpose=kind):
        control.audit.intent(kind, subject, {"operation": str(operation.id), **arguments})
        control.journal.begin(operation)
        journal = OperationJournal(control.journal, operation.id)
        _carried(control, operation, steps, lambda: saga.run(steps, journal, say=say), OperationState.DONE)
    return operation.id


def recover(
    control: Control, operation: Operation, steps: Sequence[Step], say: Say, *, undo: bool = False
) -> OperationState:
    """End an operation that a process left: forward past its pivot, else back; returns how it ended.

    Raises Conflict where the process that began it still holds its lock, Refused where ``undo`` comes too late, and
    Incomplete where something is still left.
    """
    with control.locks.hold(operation.subject, purpose=f"recover {operation.kind}"):
        current = control.journal.get(operation.id) or operation
        forward = goes_forward(current, steps, undo=undo)
        control.audit.intent("recover", operation.subject, {"operation": str(operation.id), "forward": forward})
        control.journal.claim(operation.id)
        journal = OperationJournal(control.journal, operation.id)
        go = saga.resume if forward else saga.roll_back
        state = OperationState.DONE if forward else OperationState.UNDONE
        _carried(control, operation, steps, lambda: go(steps, journal, say=say), state)
        return state


def goes_forward(operation: Operation, steps: Sequence[Step], *, undo: bool) -> bool:
    """Say whether an interrupted operation is finished rather than undone; raises Refused where undo is too late."""
    forward = saga.is_past_pivot(steps, dict(operation.steps))
    if forward and undo:
        raise Refused(
            f"{operation.kind} of {operation.subject!r} is past the point from which it can be undone",
            hint=f"kitchen recover {str(operation.id)[:8]}",
        )
    return forward


def _carried(
    control: Control, operation: Operation, steps: Sequence[Step], work: Callable[[], None], good: OperationState
) -> None:
    """Do the work and record how it ended; a control schema that does not answer leaves the operation unfinished."""
    try:
        with termination_interrupts():
            work()
    except BaseException as cause:
        state = OperationState.STUCK
        with suppress(KitchenError):
            state = _state_after(control, operation, steps)
            _record(control, operation, state, error=told(cause))
        if state is OperationState.STUCK and isinstance(cause, Exception):
            raise _unfinished(operation, cause) from cause
        what = f"{operation.kind} of {operation.subject!r}"
        if state is OperationState.STUCK:
            cause.add_note(f"{what} is not finished: kitchen recover {str(operation.id)[:8]}")
        else:
            cause.add_note(f"{what} is undone: everything is as it was before")
        raise
    _record(control, operation, good, error=None)


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the work as Ctrl-C does: with what was done undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(f"signal {number}")

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _record(control: Control, operation: Operation, state: OperationState, *, error: str | None) -> None:
    control.journal.finish(operation.id, state, error=error)
    detail = {"operation": str(operation.id), **({"error": error} if error is not None else {})}
    control.audit.outcome(operation.kind, operation.subject, state.value, detail)


def _state_after(control: Control, operation: Operation, steps: Sequence[Step]) -> OperationState:
    """Say how an operation stands whose work raised: undone as a whole, or stuck."""
    states = OperationJournal(control.journal, operation.id).states()
    if all(state is StepState.UNDONE for state in states.values()) and not saga.is_past_pivot(steps, states):
        return OperationState.UNDONE
    return OperationState.STUCK


def _unfinished(operation: Operation, cause: Exception) -> Incomplete:
    leftovers = cause.leftovers if isinstance(cause, Incomplete) else ()
    return Incomplete(
        f"{operation.kind} of {operation.subject!r} is not finished: {told(cause)}",
        leftovers=leftovers,
        hint=f"kitchen recover {str(operation.id)[:8]}",
    )
