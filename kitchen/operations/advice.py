"""What to type next in a kitchen, a command as it stands, and what to know of it before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kitchen.domain.kitchen import Kind, State, way_up
from kitchen.domain.merge_request import RequestState
from kitchen.domain.run import RunState
from kitchen.domain.words import counted
from kitchen.operations.unfinished import git_in, halted, way_on, way_out
from kitchen.ports.repository import Changes

if TYPE_CHECKING:
    from kitchen.operations.kitchens import Overview, Unfinished

NOTHING_CHANGED = Changes((), (), None)
PANTRY = "pantry"  # the subject of what is done to an environment's pantry


def next_command(
    kitchen: Overview, changes: Changes = NOTHING_CHANGED, elsewhere: Sequence[Unfinished] = ()
) -> tuple[str, str]:
    """Return what to type next in a kitchen, and why."""
    name = kitchen.name
    if kitchen.unfinished is not None:
        return _end(kitchen.unfinished)
    if not kitchen.may_use:
        return _elsewhere(kitchen)
    if kitchen.kind is Kind.CANDIDATE:
        left = next((each for each in elsewhere if not each.is_going_on), None)
        return _end(left) if left is not None else ("kitchen list", "it goes when what it proves is done")
    if kitchen.state is not State.READY:
        return "kitchen recover", f"it is {kitchen.state}"
    if kitchen.kind is not Kind.WORKING:
        return f"kitchen enter {name}", "it is the standing kitchen of its environment"
    if (changes.halted or changes.unresolved) and kitchen.worktree is not None:
        why = f"{halted(kitchen.worktree, changes)}; {way_out(kitchen.worktree, changes, name)}"
        return way_on(name, kitchen.worktree, changes), why
    if kitchen.asked is not None:
        follows = f"{kitchen.asked.by} asked for its merge: this follows the answer"
        waits = kitchen.asked.said if kitchen.asked.state is RequestState.WAITING else None
        return f"kitchen merge {name}", waits or follows
    if changes.paths and kitchen.worktree is not None:
        git = git_in(kitchen.worktree)
        return f"{git} add --all && {git} commit", "there are uncommitted changes"
    if left := next((each for each in elsewhere if each.subject != PANTRY and not each.is_going_on), None):
        return _end(left)
    return _onwards(kitchen)


def _onwards(kitchen: Overview) -> tuple[str, str]:
    """Return the next command where nothing is in the way."""
    name = kitchen.name
    if kitchen.is_delivered:
        return f"kitchen delete {name}", f"{kitchen.mends} has it; kitchen update {kitchen.environment} brings it down"
    answered = kitchen.answered
    if kitchen.ahead and answered is not None and answered.state is RequestState.PUBLISHED:  # last fetched before that
        return f"kitchen update {name}", f"request {answered.number} was published: {answered.target} has it"
    if kitchen.pantry is None and kitchen.newer_pantry is not None:
        return f"kitchen update {name} --data", "it was made before the first pantry, and reads none"
    if kitchen.behind:
        return f"kitchen update {name}", f"{kitchen.goes_into} has {counted(kitchen.behind, 'commit')} more"
    run = kitchen.last_run
    if run is not None and run.state in (RunState.FAILED, RunState.ERRORED):
        return f"kitchen runs show {run.id[:8]}", f"the last run of {run.recipe} {run.state}"
    if kitchen.ahead and answered is not None and answered.state is RequestState.REFUSED:
        why = f"the runner refused it: {answered.said}; commit what mends it, or ask anew: kitchen merge {name} --again"
        return f"kitchen enter {name}", why
    if kitchen.ahead and run is None:
        return f"kitchen status {name}", "nothing was run since the kitchen was made"  # that knows which recipe
    if kitchen.ahead:
        what = f"it has {counted(kitchen.ahead, 'commit')} that {kitchen.goes_into} has not"
        return way_up(name, kitchen.mends), what
    if kitchen.newer_pantry is not None:
        return f"kitchen update {name} --data", f"version {kitchen.newer_pantry} of the pantry is there"
    return f"kitchen enter {name}", "there is nothing to merge yet"


def _end(left: Unfinished) -> tuple[str, str]:
    if left.is_going_on:
        return "kitchen list", f"a {left.kind} of {left.subject} is going on, by {left.by}"
    was_left = f"a {left.kind} of {left.subject} was left unfinished by {left.by}"
    if not left.may_end:
        return "kitchen list", f"{was_left}, whose it is to end, or an admin's"
    return f"kitchen recover {left.id[:8]}", was_left


def _elsewhere(kitchen: Overview) -> tuple[str, str]:
    """Return what is left to do about a kitchen that one may not enter."""
    if kitchen.kind is Kind.WORKING:
        return f"kitchen status {kitchen.name}", f"it is {kitchen.owner}'s, who lets others in: kitchen staff add"
    return f"kitchen status {kitchen.name}", "it is the standing kitchen of its environment, and changes by merges"
