"""Takes kitchens back into the records that were lost: what exists says itself, by its marks, whose it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from kitchen.domain.environment import Chain, Environment
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.operations.create_plan import from_document
from kitchen.operations.sharing import here, truth
from kitchen.ports import Control, MarkedWorkspace, Repository, Workspaces

Say = Callable[[str], None]


class AdoptServices(Protocol):
    """What adopting asks of an environment's services."""

    @property
    def environment(self) -> Environment: ...
    @property
    def chain(self) -> Chain: ...
    @property
    def control(self) -> Control: ...
    @property
    def workspaces(self) -> Workspaces: ...


def unrecorded(services: AdoptServices) -> tuple[MarkedWorkspace, ...]:
    """Return workspaces that no record knows, parents before their children."""
    marked = services.workspaces.marked(services.environment.name)
    known = {kitchen.id for kitchen in services.control.kitchens.all()}
    standing = services.environment.name
    lost = [each for each in marked if each.id not in known]
    return tuple(sorted(lost, key=lambda each: (each.name != standing, len(each.parents), each.name)))


def adopt(services: AdoptServices, repository: Repository, worktrees: Path, *, say: Say) -> tuple[Kitchen, ...]:
    """Record again every workspace that no record knows, and return the kitchens; nothing is dropped.

    One whose name meanwhile belongs to another kitchen is named and left.
    """
    adopted = []
    for each in unrecorded(services):
        with services.control.locks.hold(each.name, purpose="adopt"):
            there = services.control.kitchens.all()
            if each.name in {kitchen.name for kitchen in there}:
                say(f"{each.name} bears the mark {each.id}, but another kitchen has its name: left as it is")
                continue
            kitchen = _rebuilt(services, repository, worktrees, each, there)
            if not services.workspaces.exists(kitchen):
                continue  # deleted meanwhile
            services.control.audit.intent("adopt", kitchen.name, {"kitchen": str(kitchen.id)})
            services.control.kitchens.add(kitchen)
            services.control.audit.outcome("adopt", kitchen.name, "done", {})
            adopted.append(kitchen)
    return tuple(adopted)


def _rebuilt(
    services: AdoptServices, repository: Repository, worktrees: Path, found: MarkedWorkspace, there: Sequence[Kitchen]
) -> Kitchen:
    environment = services.environment
    kind = _kind(found.name, environment.name)
    parent = _nearest(found, there) or (environment.name if kind is not Kind.STANDING else None)
    branch = environment.branch if kind is Kind.STANDING else _branch(repository, worktrees, found.name)
    if branch in {kitchen.branch for kitchen in there}:
        branch = None
    now = services.control.now()
    ttl = environment.kitchens.ttl if kind is Kind.WORKING else None
    return Kitchen(
        id=found.id, name=found.name, environment=environment.name, kind=kind, state=State.READY, branch=branch,
        base_commit=_base(repository, branch, parent, there) if kind is Kind.WORKING else None, parent=parent,
        pantry=found.pantry, owner=services.control.person, created_at=now,
        expires_at=now + ttl if ttl is not None else None,
        isolated=kind is Kind.WORKING and not found.parents,
        mends=_mended(services, repository, found, branch) if kind is Kind.WORKING and not found.parents else None,
    )  # fmt: skip


def _kind(name: str, environment: str) -> Kind:
    if name == environment:
        return Kind.STANDING
    return Kind.CANDIDATE if name.startswith("c_") and len(name) == 14 else Kind.WORKING


def _nearest(found: MarkedWorkspace, there: Sequence[Kitchen]) -> str | None:
    """Return the parent that is below all other parents."""
    above = {kitchen.name: kitchen.parent for kitchen in there if kitchen.name in found.parents}
    return next((name for name in above if name not in above.values()), None)


def _branch(repository: Repository, worktrees: Path, name: str) -> str | None:
    checked_out = repository.worktrees().get(worktrees / name)
    return checked_out or (name if here(repository, name) is not None else None)


def _mended(services: AdoptServices, repository: Repository, found: MarkedWorkspace, branch: str | None) -> str | None:
    """Return the environment that a hotfix mends, as the journal of its making says.

    Without that, its branch does where it holds commits of that environment which are not in ours; else nobody can
    tell, and it is adopted as any other.
    """
    made = services.control.journal.created(found.id)
    kept = made.arguments.get("kitchen") if made is not None else None
    if isinstance(kept, dict):
        return from_document(kept).mends
    ours, head = truth(repository, services.environment.branch), here(repository, branch)
    for name in services.chain.above(services.environment.name):
        theirs = truth(repository, services.chain.get(name).branch)
        if head is None or ours is None or theirs is None:
            continue
        begun = repository.merge_base(head, theirs)
        if begun is not None and not repository.is_ancestor(begun, ours):
            return name
    return None


def _base(repository: Repository, branch: str | None, parent: str | None, there: Sequence[Kitchen]) -> str | None:
    above = next((kitchen.branch for kitchen in there if kitchen.name == parent), None)
    one, other = (here(repository, branch), truth(repository, above)) if branch and above else (None, None)
    return repository.merge_base(one, other) if one and other else None
