"""Makes kitchens: working ones for people, standing ones for environments, candidates for merges.

For other operations: ``create_steps(services, kitchen)`` gives the steps that make any kitchen; for a candidate
(``candidate(services, target, commit, operation)``) they contain no pivot, so that they can stand in a longer list.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from kitchen.domain import names
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, KitchenError, NotFound, Refused
from kitchen.operations.create_plan import Creation, StandingServices, from_document, newest_pantry, to_document
from kitchen.operations.journalled import perform, recover
from kitchen.operations.kept_places import place_of
from kitchen.operations.sharing import has_moved, push_moved
from kitchen.ports import RefUpdate, Repository
from kitchen.saga import Step

__all__ = [
    "StandingServices", "candidate", "create_steps", "create_working", "ensure_standing", "from_document", "rebuild",
    "to_document",
]  # fmt: skip

Say = Callable[[str], None]


def create_working(services: StandingServices, repository: Repository, creation: Creation, *, say: Say) -> Kitchen:
    """Make a working kitchen; raises what stopped it, with everything undone."""
    steps = create_steps(services, creation, repository=repository, say=say)
    perform(services.control, "create", creation.kitchen.name, creation.arguments(repository), steps, say)
    return creation.kitchen.with_state(State.READY)


def ensure_standing(services: StandingServices, *, say: Say) -> Kitchen:
    """Return the environment's standing kitchen, made where it is missing; it has no worktree and makes no branch."""
    environment = services.environment
    _finish_standing(services, say=say)  # also one that is ready, but was killed before it could say so
    found = services.control.kitchens.get(environment.name)
    if found is not None:
        return found
    kitchen = Kitchen(
        id=uuid4(), name=environment.name, environment=environment.name, kind=Kind.STANDING, state=State.CREATING,
        branch=environment.branch, base_commit=None, parent=None, pantry=newest_pantry(services),
        owner=services.control.person, created_at=services.control.now(),
    )  # fmt: skip
    creation = Creation(kitchen)
    perform(services.control, "create", kitchen.name, creation.arguments(None), create_steps(services, creation), say)
    return kitchen.with_state(State.READY)


def _finish_standing(services: StandingServices, *, say: Say) -> None:
    """Finish or undo what an interrupted command left of the standing kitchen."""
    for operation in services.control.journal.unfinished():
        if operation.kind == "create" and operation.subject == services.environment.name:
            recover(services.control, operation, rebuild(services, None, operation), say)


def candidate(services: StandingServices, target: Kitchen, commit: str, operation: UUID) -> Kitchen:
    """Return the throwaway kitchen of one operation: a child of the target, on a commit instead of a branch."""
    return Kitchen(
        id=uuid4(), name=names.candidate_name(str(operation)), environment=services.environment.name,
        kind=Kind.CANDIDATE, state=State.CREATING, branch=None, base_commit=commit, parent=target.name,
        pantry=target.pantry, owner=services.control.person, created_at=services.control.now(),
    )  # fmt: skip


def rebuild(services: StandingServices, repository: Repository | None, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted ``create``."""
    kept = operation.arguments
    worktree = place_of(repository, kept, is_embedded=services.environment.is_embedded)
    return create_steps(services, Creation.from_arguments(kept, worktree), repository=repository)


def create_steps(
    services: StandingServices, creation: Creation | Kitchen, *, repository: Repository | None = None,
    say: Say = lambda _: None,
) -> list[Step]:  # fmt: skip
    """Return the steps that make a kitchen, in order; a bare Kitchen means no branch to make and no worktree.

    The step that makes it READY is the pivot, except for candidates; what follows furnishes it. ``repository`` is
    needed only for a branch to make or a worktree.
    """
    if isinstance(creation, Kitchen):
        creation = Creation(creation)
    kitchen = creation.kitchen
    steps = [_record_step(services, creation)]
    if creation.makes_branch and repository is not None:
        steps.append(_ones_own(services, kitchen, _branch_step(repository, creation)))
    if creation.pushes and repository is not None:
        steps.append(_ones_own(services, kitchen, _push_step(repository, creation)))
    steps += [_secret_step(services, kitchen), _workspace_step(services, kitchen)]
    if creation.worktree is not None and repository is not None:
        steps.append(_ones_own(services, kitchen, _worktree_step(repository, kitchen, creation.worktree)))
    return [*steps, _ready_step(services, kitchen), *_furnishing(services, creation, say)]


def _furnishing(services: Any, creation: Creation, say: Say) -> list[Step]:
    """Return what follows once the kitchen is ready; running recipes asks more of services than making kitchens."""
    if not creation.recipes and creation.kitchen.data in ("layer", "none"):
        return []
    from kitchen.operations.furnish import furnish_steps  # noqa: PLC0415 - an engine that most creates never need

    return furnish_steps(services, creation.kitchen, creation.worktree, creation.recipes, say=say)


def _record_step(services: StandingServices, creation: Creation) -> Step:
    kitchens, kitchen = services.control.kitchens, creation.kitchen

    def look() -> bool:
        found = kitchens.get(kitchen.name)
        return found is not None and found.id == kitchen.id

    return Step(
        "create record", f"reserving the name {kitchen.name}",
        do=lambda: kitchens.add(kitchen, quota=creation.quota), look=look, undo=lambda: kitchens.remove(kitchen.id),
    )  # fmt: skip


def _ones_own(services: StandingServices, kitchen: Kitchen, step: Step) -> Step:
    """Return a step that undoes nothing of a later kitchen of the same name: branches and folders bear no mark."""

    def undo() -> None:
        found = services.control.kitchens.get(kitchen.name)
        if found is None or found.id == kitchen.id:
            step.undo()

    return replace(step, undo=undo)


def _branch_step(repository: Repository, creation: Creation) -> Step:
    kitchen, old = creation.kitchen, creation.branch_from
    branch, base = str(kitchen.branch), str(kitchen.base_commit)
    ref = f"refs/heads/{branch}"

    def do() -> None:
        try:
            repository.update_refs([RefUpdate(ref, base, old)], reason=f"kitchen create {kitchen.name}")
        except Conflict:
            if repository.head(branch) != base:
                raise

    def undo() -> None:
        now = repository.head(branch)
        if now is not None and now != old:  # one that has moved is refused: it holds somebody's work
            repository.update_refs([RefUpdate(ref, old, base)], reason=f"kitchen create {kitchen.name}: undone")

    return Step(
        "create branch", f"making branch {branch} at {base[:12]}",
        do=do, look=lambda: repository.head(branch) == base, undo=undo,
    )  # fmt: skip


def _push_step(repository: Repository, creation: Creation) -> Step:
    branch, base, old = str(creation.kitchen.branch), str(creation.kitchen.base_commit), creation.pushed_from
    remote = repository.remote
    where = remote.name if remote is not None else "the remote"
    lost: list[KitchenError] = []

    def do() -> None:
        try:
            push_moved(repository, branch, base, old)
        except (Conflict, Refused) as error:  # somebody else's branch, which undoing must leave alone
            lost.append(error)
            raise

    def undo() -> None:
        if lost or old is not None:
            return
        if remote is None:
            raise NotFound(f"branch {branch} may be in a git remote that this clone has not", hint="git remote -v")
        if remote.heads([branch]).get(branch) == base:  # one that has moved holds somebody's work
            remote.push(RefUpdate(f"refs/heads/{branch}", None, base))

    return Step(
        "push branch", f"pushing branch {branch} to {where}",
        do=do, look=lambda: has_moved(repository, branch, base), undo=undo,
    )  # fmt: skip


def _secret_step(services: StandingServices, kitchen: Kitchen) -> Step:
    path, owner = services.login_path(kitchen), str(kitchen.id)

    def ours() -> bool:
        return (services.secrets.read(path) or {}).get("kitchen") == owner

    def do() -> None:
        if ours():
            return
        login = services.workspaces.login(kitchen, Secret(randomness.token_urlsafe(24)))
        services.secrets.write(path, {**login.to_secret(), "kitchen": owner}, create_only=True)

    def undo() -> None:
        if ours():
            services.secrets.delete(path)

    return Step("create secret", f"storing credentials of {kitchen.name}", do=do, look=ours, undo=undo)


def _workspace_step(services: StandingServices, kitchen: Kitchen) -> Step:
    def do() -> None:
        kept = services.secrets.read(services.login_path(kitchen))
        if kept is None:
            raise NotFound(f"the credentials of {kitchen.name!r} have gone", hint=f"kitchen delete {kitchen.name}")
        services.workspaces.create(services.layer(kitchen), kept["password"])

    schemas = services.layout.schemas(kitchen)

    def undo() -> None:
        if services.workspaces.exists(kitchen):  # made as a whole, or not at all where a stranger has one of its names
            services.workspaces.drop(kitchen, schemas)

    return Step(
        "create workspace", f"making schema {', '.join(schemas)} and its roles",
        do=do, look=lambda: services.workspaces.exists(kitchen), undo=undo,
    )  # fmt: skip


def _worktree_step(repository: Repository, kitchen: Kitchen, path: Path) -> Step:
    return Step(
        "create worktree", f"checking out {kitchen.branch} in {path}",
        do=lambda: repository.add_worktree(path, str(kitchen.branch)),
        look=lambda: repository.worktrees().get(path) == kitchen.branch and not repository.is_half_made(path),
        undo=lambda: repository.remove_worktree(path),
    )  # fmt: skip


def _ready_step(services: StandingServices, kitchen: Kitchen) -> Step:
    kitchens = services.control.kitchens

    def look() -> bool:
        found = kitchens.get(kitchen.name)
        return found is not None and found.id == kitchen.id and found.state is State.READY

    def do() -> None:
        if not look():
            kitchens.save(kitchen.with_state(State.READY), expected=State.CREATING)

    return Step(
        "create ready", f"opening {kitchen.name}",
        do=do, look=look, pivot=kitchen.kind is not Kind.CANDIDATE,
    )  # fmt: skip
