"""Operations as they are remembered: enough for any process to finish or undo another's work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class StepState(StrEnum):
    """A step that may have happened is STARTED and treated as having happened."""

    STARTED = "started"
    DONE = "done"
    UNDONE = "undone"


class OperationState(StrEnum):
    """How an operation stands."""

    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"
    STUCK = "stuck"  # an undo failed; leftovers are named


@dataclass(frozen=True, slots=True)
class Operation:
    """One changing command: its kind and arguments rebuild its list of steps."""

    id: UUID
    kind: str
    subject: str
    arguments: Mapping[str, object]
    state: OperationState
    by: str
    host: str
    pid: int
    version: str
    started_at: datetime
    ended_at: datetime | None = None
    error: str | None = None
    steps: Mapping[str, StepState] = field(default_factory=dict)
