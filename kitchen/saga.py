"""Undoable steps: intent is written before the effect, recovery looks instead of guessing.

Before the pivot a failure undoes; after it, work only goes forward. Undo of what is not there is success, and an
undo that fails stops nothing and is named at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.journal import StepState
from kitchen.errors import Incomplete, told


def _nothing() -> None:
    """Undo of a step that changes nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One effect. ``do``, ``look`` and ``undo`` are idempotent; ``look`` says whether the effect is there."""

    name: str
    says: str
    do: Callable[[], None]
    look: Callable[[], bool]
    undo: Callable[[], None] = _nothing
    pivot: bool = False


class Journal(Protocol):
    """Where steps are remembered; every call commits before it returns."""

    def mark(self, step: str, state: StepState) -> None:
        """Record the state of a step."""
        ...

    def states(self) -> dict[str, StepState]:
        """Return the recorded state of every step that was begun."""
        ...


Say = Callable[[str], None]


def run(steps: Sequence[Step], journal: Journal, *, say: Say) -> None:
    """Do the steps in order; on any failure before the pivot undo all and raise the cause.

    Raises Incomplete where the undo left something behind, and the cause itself after the pivot.
    """
    for position, step in enumerate(steps):
        try:
            say(step.says)
            journal.mark(step.name, StepState.STARTED)
            step.do()
            journal.mark(step.name, StepState.DONE)
        except BaseException as cause:
            if not any(earlier.pivot for earlier in steps[:position]) and not (step.pivot and _is_there(step)):
                roll_back(steps, journal, say=say, because=cause, done=steps[: position + 1])
            raise


def resume(steps: Sequence[Step], journal: Journal, *, say: Say) -> None:
    """Finish what a process left: a step whose effect is there is recorded, any other is done."""
    states = journal.states()
    for step in left(steps, states, forward=True):
        if not (states.get(step.name) is StepState.STARTED and step.look()):
            say(step.says)
            journal.mark(step.name, StepState.STARTED)
            step.do()
        journal.mark(step.name, StepState.DONE)


def roll_back(
    steps: Sequence[Step],
    journal: Journal,
    *,
    say: Say,
    because: BaseException | None = None,
    done: Sequence[Step] = (),
) -> None:
    """Undo, in reverse, every step that the journal says was begun; raises Incomplete with what remains.

    Of those that this process has ``done``, one may be undone already: by whoever took the operation over while this
    process slept. What it has done since is undone as well.
    """
    states = journal.states()
    leftovers: list[str] = []
    again = {step.name for step in done if states.get(step.name) is StepState.UNDONE}
    known = left(steps, states, forward=False)
    for step in [step for step in reversed(steps) if step.name in again or step in known]:
        try:
            step.undo()
            if step.name not in again:
                journal.mark(step.name, StepState.UNDONE)
        except Exception as failure:  # noqa: BLE001 - one undo that fails must not keep the others from running
            leftovers.append(f"{step.name}: {told(failure)}")
    if leftovers:
        reason = f" after: {told(because)}" if because is not None else ""
        raise Incomplete(f"undo is incomplete{reason}", leftovers=tuple(leftovers), hint="kitchen recover") from because


def left(steps: Sequence[Step], states: dict[str, StepState], *, forward: bool) -> tuple[Step, ...]:
    """Return what is left to do, in order, or, backwards, what is left to undo."""
    if forward:
        return tuple(step for step in steps if states.get(step.name) is not StepState.DONE)
    begun = (StepState.STARTED, StepState.DONE)
    return tuple(step for step in reversed(steps) if states.get(step.name) in begun)


def is_past_pivot(steps: Sequence[Step], states: dict[str, StepState]) -> bool:
    """Say whether an interrupted operation can only go forward."""
    return any(
        step.pivot
        and (
            states.get(step.name) is StepState.DONE or (states.get(step.name) is StepState.STARTED and _is_there(step))
        )
        for step in steps
    )


def _is_there(step: Step) -> bool:
    try:
        return step.look()
    except Exception:  # noqa: BLE001 - a pivot that cannot be looked at may have happened: never undo behind it
        return True
