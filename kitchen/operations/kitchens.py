"""What people ask about kitchens: which there are, where each stands, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kitchen.domain.environment import Chain, Environment
from kitchen.domain.kitchen import Kind, Kitchen, State, expiry
from kitchen.domain.layout import Layout
from kitchen.domain.merge_request import MergeRequest
from kitchen.domain.people import Rights
from kitchen.domain.run import Run, RunState
from kitchen.operations.above import above_of
from kitchen.operations.advice import NOTHING_CHANGED, PANTRY, next_command
from kitchen.operations.untried import untried
from kitchen.ports.repository import Distance

if TYPE_CHECKING:
    from kitchen.ports import Control, Repository


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
    @property
    def rights(self) -> Rights: ...


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the last run in a kitchen went."""

    recipe: str
    state: RunState
    at: datetime
    id: str


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
    may_end: bool = True  # whoever looks


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
    may_use: bool = True  # whoever looks

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

    def expiry(self, now: datetime) -> str | None:
        """Return what whoever looks should know of a kitchen of theirs that expires within a day, or has."""
        return expiry(self.name, self.expires_at, now) if self.may_use else None


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
    if not found:
        return ()
    held, rights = services.control.locks.held(), services.rights
    known = {kitchen.name: kitchen for kitchen in services.control.kitchens.all()}
    return tuple(
        Unfinished(
            str(each.id), each.kind, each.by, each.started_at, each.error, each.subject, each.subject in held,
            rights.ends(each.kind, each.by, known.get(each.subject)),
        )
        for each in found
    )  # fmt: skip


def status(services: KitchenServices, repository: Repository, kitchen: Kitchen, *, worktrees: Path) -> Status:
    """Return where one kitchen stands."""
    known = services.control.kitchens.all()
    left = unfinished(services)
    (overview,) = _overviews(services, repository, [kitchen], known, worktrees=worktrees, left=left)
    changes = repository.working(overview.worktree) if overview.worktree is not None else NOTHING_CHANGED
    above = _above(kitchen, known)
    elsewhere = tuple(each for each in left if each.subject in above or each.subject == PANTRY)
    command, because = next_command(overview, changes, elsewhere)
    if command == f"kitchen status {kitchen.name}":  # which was just typed
        command = _rather(services, repository, kitchen, may_use=overview.may_use)
    return Status(overview, changes.paths, changes.to_mend, elsewhere, command, because)


def _rather(services: KitchenServices, repository: Repository, kitchen: Kitchen, *, may_use: bool) -> str:
    """Return what to type where all that there is to advise would be to look: run what is new, or begin elsewhere."""
    if may_use:
        above = above_of(kitchen, services.control.kitchens.all(), services.chain)
        recipe = untried(repository, kitchen.branch, above.branch if above is not None else None)
        what = f"run {shlex.quote(recipe)}" if recipe is not None else "recipe list"
        return f"kitchen {what} -k {kitchen.name}"
    makes = services.environment.kitchens.working and services.rights.makes_kitchens
    return "kitchen create --help" if makes else "kitchen list"


def _above(kitchen: Kitchen, known: Iterable[Kitchen]) -> frozenset[str]:
    """Return the names of the kitchens that one reads through."""
    parents = {each.name: None if each.isolated else each.parent for each in known}
    found: set[str] = set()
    name = None if kitchen.isolated else kitchen.parent
    while name is not None and name not in found:
        found.add(name)
        name = parents.get(name)
    return frozenset(found)


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
    newest_of, rights = services.control.requests.newest_of, services.rights
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
            may_use=rights.uses(kitchen),
        )
        for kitchen in wanted
    )


def _overview(
    kitchen: Kitchen, *, worktree: Path | None, moved: _Moved | None, size: Sequence[tuple[int, int]],
    run: Run | None, left: Unfinished | None, newest: int | None, asked: MergeRequest | None, may_use: bool,
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
        last_run=LastRun(run.recipe, run.state, run.started_at, str(run.id)) if run is not None else None,
        unfinished=left, newest_pantry=newest, mends=kitchen.mends, data=kitchen.data,
        asked=asked if is_standing else None, answered=asked if is_answered else None,
        may_use=may_use,
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
