"""What people ask about kitchens: which there are, where each stands, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kitchen.domain.environment import Chain, Environment
from kitchen.domain.kitchen import Kind, Kitchen, State, way_up
from kitchen.domain.layout import Layout
from kitchen.domain.merge_request import MergeRequest, RequestState
from kitchen.domain.run import Run, RunState
from kitchen.domain.words import counted
from kitchen.operations.above import above_of
from kitchen.operations.unfinished import halted, way_out
from kitchen.ports.repository import Changes, Distance

if TYPE_CHECKING:
    from kitchen.ports import Control, Repository

NOTHING_CHANGED = Changes((), (), None)
EXPIRY_WARNING = timedelta(days=1)
PANTRY = "pantry"  # the subject of what is done to an environment's pantry


class KitchenServices(Protocol):
    """What reading about kitchens asks of an environment's services."""

    @property
    def environment(self) -> Environment: ...
    @property
    def chain(self) -> Chain: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def control(self) -> Control: ...


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
    subject: str  # the kitchen, or what else it was done to: "pantry"
    is_going_on: bool  # its process is there


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
    newest_pantry: int | None = None
    asked: MergeRequest | None = None  # what the runner was asked to merge, and has not answered yet
    answered: MergeRequest | None = None  # how the last one ended, while the branch stands where it was asked for
    mends: str | None = None
    data: str = "layer"
    is_delivered: bool = False  # what it mends has everything of it, by a merge

    @property
    def goes_into(self) -> str | None:
        """Return what its branch is compared with: the parent, or the environment that a hotfix mends."""
        return self.mends or self.parent

    @property
    def newer_pantry(self) -> int | None:
        """Return the newest version of the pantry where the kitchen reads an older one, or has none unasked."""
        if self.newest_pantry is None or self.kind is not Kind.WORKING:
            return None
        is_older = self.data != "none" if self.pantry is None else self.pantry < self.newest_pantry
        return self.newest_pantry if is_older else None

    @property
    def is_expiring(self) -> bool:
        """Say whether the kitchen expires within a day, or has."""
        return self.expires_at is not None and self.expires_at - datetime.now(UTC) < EXPIRY_WARNING


@dataclass(frozen=True, slots=True)
class Status:
    """One kitchen with its uncommitted changes and the command to type next."""

    overview: Overview
    changes: tuple[str, ...]
    unresolved: tuple[str, ...]
    elsewhere: tuple[Unfinished, ...]  # what was left of the pantry and of kitchens above
    next: str
    because: str


def overviews(
    services: KitchenServices, repository: Repository, *, worktrees: Path, left: Sequence[Unfinished]
) -> tuple[Overview, ...]:
    """Return every kitchen of an environment, by name."""
    kitchens = services.control.kitchens.all()
    return _overviews(services, repository, kitchens, kitchens, worktrees=worktrees, left=left)


def unfinished(services: KitchenServices) -> tuple[Unfinished, ...]:
    """Return work of an environment that a command left, or that is still going on, oldest first."""
    found = services.control.journal.unfinished()
    held = services.control.locks.held() if found else frozenset()
    return tuple(
        Unfinished(str(each.id), each.kind, each.by, each.started_at, each.error, each.subject, each.subject in held)
        for each in found
    )


def status(services: KitchenServices, repository: Repository, kitchen: Kitchen, *, worktrees: Path) -> Status:
    """Return where one kitchen stands."""
    known = services.control.kitchens.all()
    left = unfinished(services)
    (overview,) = _overviews(services, repository, [kitchen], known, worktrees=worktrees, left=left)
    changes = repository.working(overview.worktree) if overview.worktree is not None else NOTHING_CHANGED
    above = _above(kitchen, known)
    elsewhere = tuple(each for each in left if each.subject in above or each.subject == PANTRY)
    command, because = next_command(overview, changes, elsewhere)
    return Status(overview, changes.paths, changes.unresolved, elsewhere, command, because)


def _above(kitchen: Kitchen, known: Iterable[Kitchen]) -> frozenset[str]:
    """Return the names of the kitchens that one reads through."""
    parents = {each.name: None if each.isolated else each.parent for each in known}
    found: set[str] = set()
    name = None if kitchen.isolated else kitchen.parent
    while name is not None and name not in found:
        found.add(name)
        name = parents.get(name)
    return frozenset(found)


def next_command(
    kitchen: Overview, changes: Changes = NOTHING_CHANGED, elsewhere: Sequence[Unfinished] = ()
) -> tuple[str, str]:
    """Return what to type next in a kitchen, and why."""
    name = kitchen.name
    if kitchen.unfinished is not None:
        return _end(kitchen.unfinished)
    if kitchen.state is not State.READY:
        return "kitchen recover", f"it is {kitchen.state}"
    if kitchen.kind is not Kind.WORKING:
        return f"kitchen enter {name}", "it is the standing kitchen of its environment"
    if (changes.halted or changes.unresolved) and kitchen.worktree is not None:
        return way_out(kitchen.worktree, changes), halted(kitchen.worktree, changes)
    if kitchen.asked is not None:
        follows = f"{kitchen.asked.by} asked for its merge: this follows the answer"
        waits = kitchen.asked.said if kitchen.asked.state is RequestState.WAITING else None
        return f"kitchen merge {name}", waits or follows
    if changes.paths:
        return "git add --all && git commit", "there are uncommitted changes"
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
        return f"kitchen runs show -k {name}", f"the last run of {run.recipe} {run.state}"
    if kitchen.ahead and answered is not None and answered.state is RequestState.REFUSED:
        why = f"the runner refused it: {answered.said}; commit what mends it, or ask anew: kitchen merge {name} --again"
        return f"kitchen enter {name}", why
    if kitchen.ahead and run is None:
        return f"kitchen run RECIPE -k {name}", "nothing was run since the kitchen was made"
    if kitchen.ahead:
        what = f"it has {counted(kitchen.ahead, 'commit')} that {kitchen.goes_into} has not"
        return way_up(name, kitchen.mends), what
    if kitchen.newer_pantry is not None:
        return f"kitchen update {name} --data", f"version {kitchen.newer_pantry} of the pantry is there"
    return f"kitchen enter {name}", "there is nothing to merge yet"


def _end(left: Unfinished) -> tuple[str, str]:
    if left.is_going_on:
        return "kitchen list", f"a {left.kind} of {left.subject} is going on, by {left.by}"
    return f"kitchen recover {left.id[:8]}", f"a {left.kind} of {left.subject} was left unfinished by {left.by}"


def _overviews(
    services: KitchenServices, repository: Repository, wanted: Sequence[Kitchen], known: Sequence[Kitchen], *,
    worktrees: Path, left: Sequence[Unfinished],
) -> tuple[Overview, ...]:  # fmt: skip
    sizes = services.control.kitchens.sizes(
        [schema for kitchen in wanted for schema in services.layout.schemas(kitchen)]
    )
    runs = services.control.runs.latest([kitchen.name for kitchen in wanted])
    reads = any(each.pantry is not None or each.kind is Kind.WORKING for each in wanted)
    newest = services.control.pantries.newest() if reads else None
    moved = _moved(repository, wanted, known, services.chain)
    is_ones_own = services.environment.is_embedded  # nobody is asked there
    newest_of = services.control.requests.newest_of
    asked = {} if is_ones_own else {each.kitchen_id: each for each in newest_of([kitchen.id for kitchen in wanted])}
    return tuple(
        _overview(
            kitchen,
            worktree=_worktree(worktrees, kitchen),
            moved=moved.get(kitchen.name),
            size=[sizes.get(schema, (0, 0)) for schema in services.layout.schemas(kitchen)],
            run=runs.get(kitchen.name),
            left=next((each for each in left if each.subject == kitchen.name), None),
            newest=newest.version if newest is not None else None,
            asked=asked.get(kitchen.id),
        )
        for kitchen in wanted
    )


def _overview(
    kitchen: Kitchen, *, worktree: Path | None, moved: _Moved | None, size: Sequence[tuple[int, int]],
    run: Run | None, left: Unfinished | None, newest: int | None, asked: MergeRequest | None,
) -> Overview:  # fmt: skip
    is_standing = asked is not None and asked.is_standing
    is_answered = asked is not None and not is_standing and moved is not None and moved.head == asked.commit
    if run is not None and run.started_at < kitchen.created_at:  # of an earlier kitchen of that name
        run = None
    return Overview(
        name=kitchen.name, environment=kitchen.environment, kind=kitchen.kind, state=kitchen.state,
        parent=kitchen.parent, owner=kitchen.owner, branch=kitchen.branch, pantry=kitchen.pantry,
        created_at=kitchen.created_at, expires_at=kitchen.expires_at, isolated=kitchen.isolated, ticket=kitchen.ticket,
        worktree=worktree, ahead=moved.ahead if moved else None, behind=moved.behind if moved else None,
        is_delivered=moved.is_delivered if moved else False,
        tables=sum(tables for tables, _ in size), size=sum(count for _, count in size),
        last_run=LastRun(run.recipe, run.state, run.started_at) if run is not None else None,
        unfinished=left, newest_pantry=newest, mends=kitchen.mends, data=kitchen.data,
        asked=asked if is_standing else None, answered=asked if is_answered else None,
    )  # fmt: skip


def _worktree(worktrees: Path, kitchen: Kitchen) -> Path | None:
    path = worktrees / kitchen.name
    return path if (path / ".git").exists() else None


@dataclass(frozen=True, slots=True)
class _Moved:
    """How a branch stands against the one that it goes into."""

    ahead: int
    behind: int
    head: str
    is_delivered: bool = False


def _moved(
    repository: Repository, wanted: Iterable[Kitchen], known: Sequence[Kitchen], chain: Chain
) -> dict[str, _Moved]:
    """Compare each branch with its parent's."""
    below = [kitchen for kitchen in wanted if kitchen.parent is not None and kitchen.branch is not None]
    found = {kitchen.name: above_of(kitchen, known, chain) for kitchen in below}
    above = {name: one.branch if one is not None else None for name, one in found.items()}
    branches = sorted({b for kitchen in below for b in (kitchen.branch, above[kitchen.name]) if b})
    local = repository.heads(branches)
    there = repository.remote.seen_of(branches) if repository.remote is not None else {}
    own, shared = {**there, **local}, {**local, **there}  # as ``update`` and ``merge`` would look for them
    pairs: dict[str, tuple[str, str]] = {}
    for kitchen in below:
        one, other = own.get(kitchen.branch or ""), shared.get(above[kitchen.name] or "")
        if one is not None and other is not None:
            pairs[kitchen.name] = (one, other)
    distances = repository.distances(tuple(pairs.values()))
    mending = {kitchen.name for kitchen in below if kitchen.mends is not None}
    return {name: _stands(distances[pair], pair[0], mends=name in mending) for name, pair in pairs.items()}


def _stands(distance: Distance, head: str, *, mends: bool) -> _Moved:
    is_in = mends and not distance.ahead and distance.behind > 0 and not distance.was_there
    return _Moved(distance.ahead, distance.behind, head, is_in)
