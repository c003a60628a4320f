"""One execution of a recipe in a kitchen, with what its nodes and tests gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from kitchen.domain.recipe import Severity


class RunState(StrEnum):
    """FAILED: a test said no. ERRORED: we could not ask, or a node broke."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test measured and whether it passed; ``sample`` holds at most a few failing rows."""

    __test__ = False  # not a pytest class

    node: str
    phase: str  # before | after | standalone
    test: str
    kind: str
    severity: Severity
    passed: bool
    measured: str
    expected: str
    error: str | None = None
    sample: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One attempt at one node."""

    node: str
    attempt: int
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    rows: int | None = None
    message: str | None = None
    log: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a recipe."""

    id: UUID
    kitchen: str
    recipe: str
    variation: str | None
    commit: str | None
    state: RunState
    by: str
    started_at: datetime
    ended_at: datetime | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    nodes: tuple[NodeRun, ...] = ()
    tests: tuple[TestResult, ...] = ()
    message: str | None = None
