"""What people ask about kitchens: which there are, where each stands, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layout
from kitchen.domain.run import Run, RunState
from kitchen.ports import Control, Repository, Workspaces

EXPIRY_WARNING = timedelta(days=1)
_MANY = 4
_RUNS_LOOKED_AT = 200  # newest first: enough to find the last run of each kitchen that is in use


class KitchenServices(Protocol):
    """What reading about kitchens asks of an environment's services."""

    @property
    def environment(self) -> Environment: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def control(self) -> Control: ...
    @property
    def workspaces(self) -> Workspaces: ...


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the last run in a kitchen went."""

    recipe: str
    state: RunState
    at: datetime


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Work that a command left in a kitchen."""

    id: str
    kind: str
    by: str
    since: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """One kitchen as ``list``, ``tree`` and ``status`` show it."""

    name: str
    environment: str
    kind: Kind
    state: State
    parent: str | None
    owner: str
    branch: str | None
    pantry: int | None
    created_at: datetime
    expires_at: datetime | None
    isolated: bool
    ticket: str | None
    worktree: Path | None  # None: not on this machine
    ahead: int | None
    behind: int | None
    tables: int
    size: int
    last_run: LastRun | None
    unfinished: Unfinished | None

    @property
    def is_expiring(self) -> bool:
        """Say whether the kitchen expires within a day, or has."""
        return self.expires_at is not None and self.expires_at - datetime.now(UTC) < EXPIRY_WARNING


@dataclass(frozen=True, slots=True)
class Status:
    """One kitchen with its uncommitted changes and the command to type next."""

    overview: Overview
    changes: tuple[str, ...]
    next: str
    because: str


def overviews(services: KitchenServices, repository: Repository, *, worktrees: Path) -> tuple[Overview, ...]:
    """Return every kitchen of an environment, by name."""
    kitchens = services.control.kitchens.all()
    return _overviews(services, repository, kitchens, kitchens, worktrees)


def unfinished(services: KitchenServices) -> tuple[Operation, ...]:
    """Return work of an environment that a command left, or that is still going on."""
    return services.control.journal.unfinished()


def status(services: KitchenServices, repository: Repository, kitchen: Kitchen, *, worktrees: Path) -> Status:
    """Return where one kitchen stands."""
    (overview,) = _overviews(services, repository, [kitchen], services.control.kitchens.all(), worktrees)
    changes = repository.changes(overview.worktree) if overview.worktree is not None else ()
    command, because = next_command(overview, changes)
    return Status(overview, changes, command, because)


def next_command(kitchen: Overview, changes: Sequence[str]) -> tuple[str, str]:
    """Return what to type next in a kitchen, and why."""
    name = kitchen.name
    if kitchen.unfinished is not None:
        return f"kitchen recover {kitchen.unfinished.id[:8]}", f"a {kitchen.unfinished.kind} was left unfinished"
    if kitchen.state is not State.READY:
        return "kitchen recover", f"it is {kitchen.state}"
    if kitchen.kind is not Kind.WORKING:
        return f"kitchen enter {name}", "it is the standing kitchen of its environment"
    if changes:
        return "git add --all && git commit", "there are uncommitted changes"
    if kitchen.behind:
        return f"kitchen update {name}", f"{kitchen.parent} has {kitchen.behind} commits more"
    run = kitchen.last_run
    if run is not None and run.state in (RunState.FAILED, RunState.ERRORED):
        return f"kitchen runs show -k {name}", f"the last run of {run.recipe} {run.state}"
    if kitchen.ahead and run is None:
        return f"kitchen run RECIPE -k {name}", "nothing was run since the kitchen was made"
    if kitchen.ahead:
        return f"kitchen merge {name}", f"it has {kitchen.ahead} commits that {kitchen.parent} has not"
    return f"kitchen enter {name}", "there is nothing to merge yet"


def _overviews(
    services: KitchenServices,
    repository: Repository,
    wanted: Sequence[Kitchen],
    known: Sequence[Kitchen],
    worktrees: Path,
) -> tuple[Overview, ...]:
    sizes = services.workspaces.sizes([schema for kitchen in wanted for schema in services.layout.schemas(kitchen)])
    runs = _last_runs(services.control, wanted)
    left = {operation.subject: operation for operation in services.control.journal.unfinished()}
    moved = _ahead_behind(repository, wanted, known)
    return tuple(
        _overview(
            kitchen,
            worktree=_worktree(worktrees, kitchen),
            moved=moved.get(kitchen.name),
            size=[sizes.get(schema, (0, 0)) for schema in services.layout.schemas(kitchen)],
            run=runs.get(kitchen.name),
            left=left.get(kitchen.name),
        )
        for kitchen in wanted
    )


def _overview(
    kitchen: Kitchen, *, worktree: Path | None, moved: tuple[int, int] | None, size: Sequence[tuple[int, int]],
    run: Run | None, left: Operation | None,
) -> Overview:  # fmt: skip
    return Overview(
        name=kitchen.name, environment=kitchen.environment, kind=kitchen.kind, state=kitchen.state,
        parent=kitchen.parent, owner=kitchen.owner, branch=kitchen.branch, pantry=kitchen.pantry,
        created_at=kitchen.created_at, expires_at=kitchen.expires_at, isolated=kitchen.isolated, ticket=kitchen.ticket,
        worktree=worktree, ahead=moved[0] if moved else None, behind=moved[1] if moved else None,
        tables=sum(tables for tables, _ in size), size=sum(count for _, count in size),
        last_run=LastRun(run.recipe, run.state, run.started_at) if run is not None else None,
        unfinished=Unfinished(str(left.id), left.kind, left.by, left.started_at, left.error) if left else None,
    )  # fmt: skip


def _worktree(worktrees: Path, kitchen: Kitchen) -> Path | None:
    path = worktrees / kitchen.name
    return path if (path / ".git").exists() else None


def _last_runs(control: Control, wanted: Sequence[Kitchen]) -> dict[str, Run]:
    found: dict[str, Run] = {}
    only = wanted[0].name if len(wanted) == 1 else None
    for run in control.runs.all(kitchen=only, limit=1 if only is not None else _RUNS_LOOKED_AT):
        found.setdefault(run.kitchen, run)
    return found


def _ahead_behind(
    repository: Repository, wanted: Iterable[Kitchen], known: Iterable[Kitchen]
) -> dict[str, tuple[int, int]]:
    """Compare each branch with its parent's; git starts one process for each, so several go at once."""
    branches = {kitchen.name: kitchen.branch for kitchen in known}
    heads: dict[str, str | None] = {}

    def head(branch: str) -> str | None:
        if branch not in heads:
            heads[branch] = repository.head(branch)
        return heads[branch]

    def compare(kitchen: Kitchen) -> tuple[str, tuple[int, int] | None]:
        above = branches.get(kitchen.parent or "")
        one, other = (head(kitchen.branch), head(above)) if kitchen.branch and above else (None, None)
        if one is None or other is None:
            return kitchen.name, None
        return kitchen.name, (0, 0) if one == other else repository.ahead_behind(one, other)

    below = [kitchen for kitchen in wanted if kitchen.parent is not None and kitchen.branch is not None]
    if len(below) < _MANY:
        return {name: moved for name, moved in map(compare, below) if moved is not None}
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - loading it costs more than a few comparisons

    with ThreadPoolExecutor(max_workers=4) as pool:
        return {name: moved for name, moved in pool.map(compare, below) if moved is not None}
