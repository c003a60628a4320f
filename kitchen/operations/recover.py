"""Ends what was interrupted: finds who can build an operation's steps again, and finishes or undoes it.

An operation of kind ``create`` is rebuilt by ``rebuild`` of the module named here; whoever writes an operation that
changes things in steps adds its kind. ``rebuild(services, repository, operation)`` returns the same list of steps.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kitchen import __version__
from kitchen.domain.journal import Operation, OperationState
from kitchen.errors import Conflict, NotFound, Refused
from kitchen.operations.create_plan import to_document
from kitchen.operations.journalled import goes_forward, recover
from kitchen.ports import Control, Repository
from kitchen.saga import Step, left

Say = Callable[[str], None]

# kind -> module below kitchen.operations that has rebuild()
REBUILDERS: dict[str, str] = {
    "create": "create",
    "delete": "delete",
    "merge": "merge",
    "promote": "promote",
    "rollback": "rollback",
    "update": "update",
    "pantry refresh": "pantry_refresh",
    "hydrate": "hydrate",
}

_BY_ANYBODY = ("create", "delete", "hydrate", "update")  # what people may journal without acting as the provisioner


class RecoverServices(Protocol):
    """What recovering asks itself; the operations that it rebuilds ask for more."""

    @property
    def control(self) -> Control: ...


def steps_of(services: Any, repository: Repository, operation: Operation) -> Sequence[Step]:
    """Build an operation's steps again; raises Refused for one that only a newer kitchen knows."""
    module = REBUILDERS.get(operation.kind)
    try:
        rebuild = importlib.import_module(f"kitchen.operations.{module}").rebuild if module else None
    except (ImportError, AttributeError):
        rebuild = None
    if rebuild is None:
        raise _of_another_version(operation, f"an operation of kind {operation.kind!r}")
    if not _is_ones_own(services, operation):
        vouched = of_others(services.control, operation)
        if vouched is None:
            return ()
        steps: Sequence[Step] = rebuild(services, repository, vouched)
        return steps
    if operation.version == __version__:
        return list(rebuild(services, repository, operation))
    try:
        steps = rebuild(services, repository, operation)
    except (AssertionError, KeyError, TypeError, ValueError):  # what it kept has other fields
        raise _of_another_version(operation, f"this {operation.kind}") from None
    known = {step.name for step in steps}
    if unknown := [name for name in operation.steps if name not in known]:
        raise _of_another_version(operation, f"this {operation.kind} with its step {unknown[0]!r}")
    return steps


def _of_another_version(operation: Operation, what: str) -> Refused:
    return Refused(
        f"this version of kitchen ({__version__}) cannot recover {what} (begun by version {operation.version})",
        hint=f"kitchen recover {str(operation.id)[:8]}, with version {operation.version}",
    )


def _is_ones_own(services: Any, operation: Operation) -> bool:
    """Say whether we wrote it: on a shared server the journal is written by many, and the server stamps by whom."""
    return bool(services.environment.is_embedded or operation.by == services.control.person)


def of_others(control: Control, operation: Operation) -> Operation | None:
    """Return an operation of somebody else's with only what the environment's records vouch for; None: nothing is left.

    Its arguments are another person's words: folders, branches and recipes in them would be removed, moved and run
    here, with our rights. Those are left to whoever began it.
    """
    if operation.kind not in _BY_ANYBODY:
        return operation
    kept = operation.arguments
    told = kept.get("kitchen")
    identity = told.get("id") if isinstance(told, Mapping) else None
    found = control.kitchens.get(operation.subject)
    if found is None or (identity is not None and identity != str(found.id)):
        return None
    safe: dict[str, object] = {"kitchen": to_document(found), "worktree": None, "recipes": []}
    match operation.kind:
        case "create":
            safe["makes_branch"] = False
        case "delete":
            safe |= {"branch_head": None, "forced": True}
        case "update":
            ready = {each.version for each in control.pantries.all() if each.state == "ready"}
            pantry = kept.get("pantry") if kept.get("pantry") in ready else None
            safe = {"kitchen": found.name, "branch": found.branch, "old": "", "new": "", "pantry": pantry}
        case "hydrate":
            safe = {**kept, "kitchen": found.name}
    return replace(operation, arguments=safe)


def find(control: Control, identity: str) -> Operation:
    """Return the unfinished operation whose id begins with the text; raises NotFound or Conflict."""
    matching = [each for each in control.journal.unfinished() if str(each.id).startswith(identity.lower())]
    if not matching:
        raise NotFound(f"no unfinished operation begins with {identity[:40]!r}", hint="kitchen recover")
    if len(matching) > 1:
        raise Conflict(f"{len(matching)} operations begin with {identity!r}", hint=f"kitchen recover {matching[0].id}")
    return matching[0]


def is_alive(control: Control, operation: Operation) -> bool:
    """Say whether the process that runs an operation still holds its lock."""
    try:
        with control.locks.hold(operation.subject, purpose="look"):
            return False
    except Conflict:
        return True


@dataclass(frozen=True, slots=True)
class Ending:
    """How recovering would end an operation."""

    forward: bool
    steps: tuple[str, ...]


def preview(services: RecoverServices, repository: Repository, operation: Operation, *, undo: bool) -> Ending:
    """Return what recovering would do, from the very list; raises Refused where ``undo`` comes too late."""
    steps = steps_of(services, repository, operation)
    forward = goes_forward(operation, steps, undo=undo)
    says = (
        step.says if forward else f"undoing: {step.says}"
        for step in left(steps, dict(operation.steps), forward=forward)
    )
    return Ending(forward, tuple(says))


def recover_one(
    services: RecoverServices, repository: Repository, operation: Operation, *, undo: bool, say: Say
) -> OperationState:
    """Finish or undo one operation and return how it ended."""
    return recover(services.control, operation, steps_of(services, repository, operation), say, undo=undo)
