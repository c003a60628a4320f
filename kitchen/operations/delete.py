"""Removes kitchens: login closed first, then data, secret, files, worktree, branch and record.

``delete_steps(services, kitchen)`` gives the steps for any kitchen that has no branch or worktree of its own, such as
a candidate; its step ``delete mark`` is the pivot, because a kitchen that is being deleted only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layout
from kitchen.errors import Conflict, NotFound, Refused
from kitchen.operations.archives import archives_of
from kitchen.operations.create import from_document, to_document
from kitchen.operations.journalled import perform
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import Control, ObjectStore, RefUpdate, Repository, SecretStore, Workspaces
from kitchen.saga import Step

Say = Callable[[str], None]


class DeleteServices(Protocol):
    """What deleting asks of an environment's services."""

    @property
    def layout(self) -> Layout: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def storage(self) -> ObjectStore: ...
    @property
    def control(self) -> Control: ...
    @property
    def workspaces(self) -> Workspaces: ...


@dataclass(frozen=True, slots=True)
class Deletion:
    """One kitchen to be removed, and what it has in git: enough to build its steps, now or after a crash."""

    kitchen: Kitchen
    worktree: Path | None = None
    branch_head: str | None = None  # None: the branch stays, or there is none
    recipes: tuple[str, ...] = ()  # run before anything is removed

    def arguments(self) -> dict[str, object]:
        """Return what the journal keeps."""
        return {
            "kitchen": to_document(self.kitchen),
            "worktree": str(self.worktree) if self.worktree is not None else None,
            "branch_head": self.branch_head,
            "recipes": list(self.recipes),
        }

    @classmethod
    def from_arguments(cls, kept: Mapping[str, Any]) -> Deletion:
        """Rebuild what ``arguments`` gave."""
        worktree = Path(kept["worktree"]) if kept["worktree"] else None
        return cls(from_document(kept["kitchen"]), worktree, kept["branch_head"], tuple(kept.get("recipes", ())))


def plan_deletion(
    services: DeleteServices,
    repository: Repository,
    worktrees: Path,
    kitchen: Kitchen,
    *,
    force: bool,
    keep_branch: bool = False,
    recipes: tuple[str, ...] = (),
) -> Deletion:
    """Decide what ``kitchen delete`` removes; nothing is changed.

    Raises Refused for a standing kitchen, and, unless forced, for work that would be lost; Conflict where other
    kitchens are below it.
    """
    if kitchen.kind is Kind.STANDING:
        raise Refused(
            f"{kitchen.name!r} is the standing kitchen of its environment and is not deleted",
            hint=f"kitchen down {kitchen.environment}, to stop its services",
        )
    known = services.control.kitchens.all()
    below = [other.name for other in known if other.parent == kitchen.name]
    if below:
        raise Conflict(
            f"kitchen {kitchen.name!r} has kitchens below it: {', '.join(below)}", hint=f"kitchen delete {below[0]}"
        )
    for each in known:  # its work counts as merged while the tables of the merge have not come in
        if each.name == kitchen.parent and not force:
            refuse_publishing(services.control, each)
    worktree = worktrees / kitchen.name if kitchen.branch is not None else None
    head = repository.head(kitchen.branch) if kitchen.branch is not None else None
    if not force:
        lost = _would_be_lost(repository, kitchen, worktree, None if keep_branch else head, known)
        if lost:
            raise Refused(
                f"deleting kitchen {kitchen.name!r} would lose {' and '.join(lost)}",
                hint=f"kitchen merge {kitchen.name}, or kitchen delete {kitchen.name} --force",
            )
    # a kitchen that was never ready, or has no files here, has nothing that a recipe could say goodbye to
    runs = recipes if kitchen.state is State.READY and worktree is not None and worktree.exists() else ()
    return Deletion(kitchen, worktree, None if keep_branch else head, runs)


def _would_be_lost(
    repository: Repository, kitchen: Kitchen, worktree: Path | None, head: str | None, known: tuple[Kitchen, ...]
) -> list[str]:
    lost: list[str] = []
    changed = repository.changes(worktree) if worktree is not None and (worktree / ".git").exists() else ()
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        lost.append(f"uncommitted changes ({', '.join(changed[:3])}{more})")
    if head is not None and head != kitchen.base_commit:
        parents = {other.name: other.branch for other in known}
        kept_in = [branch for branch in (parents.get(kitchen.parent or ""), *parents.values()) if branch]
        others = dict.fromkeys(branch for branch in kept_in if branch != kitchen.branch)
        if not any(_contains(repository, branch, head) for branch in others):
            lost.append(f"commits of branch {kitchen.branch} that no other kitchen's branch has")
    return lost


def _contains(repository: Repository, branch: str, commit: str) -> bool:
    head = repository.head(branch)
    return head is not None and (head == commit or repository.is_ancestor(commit, head))


def delete_kitchen(services: DeleteServices, repository: Repository, deletion: Deletion, *, say: Say) -> None:
    """Remove a kitchen and all it has; what a failure leaves, ``kitchen recover`` finishes."""
    steps = delete_steps(services, deletion, repository=repository)
    perform(services.control, "delete", deletion.kitchen.name, deletion.arguments(), steps, say)


def rebuild(services: DeleteServices, repository: Repository | None, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted ``delete``."""
    return delete_steps(services, Deletion.from_arguments(operation.arguments), repository=repository)


def delete_steps(
    services: DeleteServices, deletion: Deletion | Kitchen, *, repository: Repository | None = None
) -> list[Step]:
    """Return the steps that remove a kitchen; a bare Kitchen means that git has nothing of it."""
    if isinstance(deletion, Kitchen):
        deletion = Deletion(deletion)
    kitchen = deletion.kitchen
    steps = _farewell(services, deletion)
    steps += [_mark_step(services, kitchen), _workspace_step(services, kitchen), _secret_step(services, kitchen)]
    steps.append(_storage_step(services, kitchen))
    if deletion.worktree is not None and repository is not None:
        steps.append(_worktree_step(repository, deletion.worktree))
    if deletion.branch_head is not None and repository is not None:
        steps.append(_branch_step(repository, kitchen, deletion.branch_head))
    return [*steps, _record_step(services, kitchen)]


def _farewell(services: Any, deletion: Deletion) -> list[Step]:
    """Return the runs before the end; they ask more of services than deleting does."""
    if not deletion.recipes:
        return []
    from kitchen.operations.furnish import farewell_steps  # noqa: PLC0415 - an engine that most deletes never need

    return farewell_steps(services, deletion.kitchen, deletion.worktree, deletion.recipes)


def _is_recorded(services: DeleteServices, kitchen: Kitchen) -> Kitchen | None:
    found = services.control.kitchens.get(kitchen.name)
    return found if found is not None and found.id == kitchen.id else None


def _mark_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    def look() -> bool:
        found = _is_recorded(services, kitchen)
        return found is None or found.state is State.DELETING

    def do() -> None:
        found = _is_recorded(services, kitchen)
        if found is None:
            raise NotFound(f"kitchen {kitchen.name!r} is gone already", hint="kitchen list")
        if found.state is not State.DELETING:
            services.control.kitchens.save(found.with_state(State.DELETING), expected=found.state)

    return Step("delete mark", f"closing {kitchen.name}", do=do, look=look, pivot=True)


def _workspace_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    schemas = services.layout.schemas(kitchen)
    kept = archives_of(services.layout, kitchen, services.control.releases.all(kitchen=kitchen.name))
    return Step(
        "delete workspace", f"ending sessions, dropping schema {', '.join(schemas)} and its roles",
        do=lambda: services.workspaces.drop(kitchen, (*schemas, *kept)),
        look=lambda: False,  # a drop that was cut off goes on
    )  # fmt: skip


def _secret_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    path = kitchen.secret_path

    def do() -> None:
        kept = services.secrets.read(path)
        if kept is not None and kept.get("kitchen") == str(kitchen.id):
            for below in services.secrets.list(f"{path}/"):  # what people gave it: kitchen secret set -k
                services.secrets.delete(below)
            services.secrets.delete(path)

    return Step("delete secret", "deleting its credentials and secrets", do=do, look=lambda: False)


def _storage_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    def do() -> None:
        for key in services.storage.list(kitchen.storage_prefix):
            services.storage.delete(key)

    return Step("delete files", f"deleting its files below {kitchen.storage_prefix}", do=do, look=lambda: False)


def _worktree_step(repository: Repository, path: Path) -> Step:
    return Step("delete worktree", f"removing {path}", do=lambda: repository.remove_worktree(path), look=lambda: False)


def _branch_step(repository: Repository, kitchen: Kitchen, head: str) -> Step:
    branch = str(kitchen.branch)

    def do() -> None:
        now = repository.head(branch)
        if now == head:  # one that has moved since holds work that nobody agreed to lose
            update = RefUpdate(f"refs/heads/{branch}", None, head)
            repository.update_refs([update], reason=f"kitchen delete {kitchen.name}")

    return Step("delete branch", f"deleting branch {branch} at {head[:12]}", do=do, look=lambda: False)


def _record_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    return Step(
        "delete record", f"forgetting {kitchen.name}",
        do=lambda: services.control.kitchens.remove(kitchen.id), look=lambda: _is_recorded(services, kitchen) is None,
    )  # fmt: skip
