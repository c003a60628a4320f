"""Ends what was interrupted: finds who can build an operation's steps again, and finishes or undoes it.

An operation of kind ``create`` is rebuilt by ``rebuild`` of the module named here; whoever writes an operation that
changes things in steps adds its kind. ``rebuild(services, repository, operation)`` returns the same list of steps.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kitchen.domain.journal import Operation, OperationState
from kitchen.errors import Conflict, NotFound, Refused
from kitchen.operations.journalled import recover
from kitchen.ports import Control, Repository
from kitchen.saga import Step

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
        raise Refused(
            f"this version of kitchen cannot recover an operation of kind {operation.kind!r} "
            f"(begun by version {operation.version})",
            hint="pip install --upgrade dataops-kitchen",
        )
    steps: Sequence[Step] = rebuild(services, repository, operation)
    return steps


def find(control: Control, identity: str) -> Operation:
    """Return the unfinished operation whose id begins with the text; raises NotFound or Conflict."""
    matching = [each for each in control.journal.unfinished() if str(each.id).startswith(identity.lower())]
    if not matching:
        raise NotFound(f"no unfinished operation begins with {identity[:40]!a}", hint="kitchen recover")
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


def recover_one(
    services: RecoverServices, repository: Repository, operation: Operation, *, undo: bool, say: Say
) -> OperationState:
    """Finish or undo one operation and return how it ended."""
    return recover(services.control, operation, steps_of(services, repository, operation), say, undo=undo)
