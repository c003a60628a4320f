"""Takes a person through an update whose branches changed the same lines: begin, go on, give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.errors import Conflict, InvalidInput
from kitchen.operations.above import Above
from kitchen.operations.delivery import head_of, refuse_dirty, shared_head_of
from kitchen.operations.sharing import fetch, truth
from kitchen.operations.unfinished import git_in, halted, way_out
from kitchen.operations.update import Update, UpdateServices, message, parent_of, update
from kitchen.ports import Changes, Repository

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where the merge of a kitchen's parent into it stands."""

    kitchen: Kitchen
    parent: Above
    worktree: Path
    changes: Changes
    conflicts: tuple[str, ...]  # paths that a merge would leave to a person; () in the middle of one

    @property
    def is_under_way(self) -> bool:
        """Say whether git waits for a person."""
        return self.changes.halted is not None or bool(self.changes.unresolved)


def examine(
    services: UpdateServices, repository: Repository, kitchen: Kitchen, *, parent: Above | None = None
) -> Resolution:
    """Return what there is to resolve, with its parent or with what else is to be merged down.

    Raises Conflict where the kitchen has no worktree on this machine.
    """
    if kitchen.kind is not Kind.WORKING:
        raise InvalidInput(
            f"{kitchen.name!r} is a {kitchen.kind} kitchen: nothing is merged down into it", hint="kitchen list"
        )
    parent = parent if parent is not None else parent_of(services, kitchen)
    worktree = next((path for path, branch in repository.worktrees().items() if branch == kitchen.branch), None)
    if worktree is None or not worktree.is_dir():
        raise Conflict(f"{kitchen.name!r} has no worktree on this machine", hint=f"kitchen enter {kitchen.name}")
    changes = repository.working(worktree)
    conflicts: tuple[str, ...] = ()
    if changes.halted is None and not changes.unresolved:
        merged = repository.preview_merge(head_of(repository, kitchen), shared_head_of(repository, parent))
        conflicts = merged.conflicts if merged.tree is None else ()
    elif changes.coming is not None:
        parent = _coming_from(services, repository, changes.coming, parent)
    return Resolution(kitchen, parent, worktree, changes, conflicts)


def _coming_from(services: UpdateServices, repository: Repository, coming: str, parent: Above) -> Above:
    """Return whose branch is being merged in: the parent's, or that of an environment above it."""
    others = [Above(each.name, each.branch) for each in services.chain.environments.values()]
    for each in (parent, *others):
        head = truth(repository, each.branch)
        if head is not None and repository.is_ancestor(coming, head):
            return each
    return parent


def stand_in_name(standing: Kitchen, above: Environment) -> str:
    """Return the name of the working kitchen in which what an environment above and a standing kitchen both changed is
    mended: nobody works in a standing kitchen's own files.
    """
    return f"{standing.name}_from_{above.name}"


def is_in_conflict(repository: Repository, standing: Kitchen, above: Environment) -> bool:
    """Say whether an environment's branch and the standing kitchen's below it do not merge."""
    fetch(repository, [standing.branch, above.branch])
    other = truth(repository, above.branch)
    return other is not None and bool(repository.preview_merge(shared_head_of(repository, standing), other).conflicts)


def begin(repository: Repository, found: Resolution) -> Resolution:
    """Merge the parent's branch in the worktree, with both versions in the files that conflict."""
    refuse_dirty(repository, str(found.kitchen.branch), any_change=True)
    repository.start_merge(found.worktree, shared_head_of(repository, found.parent))
    changes = repository.working(found.worktree)
    return Resolution(found.kitchen, found.parent, found.worktree, changes, ())


def finish(services: UpdateServices, repository: Repository, found: Resolution, *, say: Say) -> str:
    """Commit what is resolved, go on with the update and return the commit; raises Conflict while files are not."""
    if found.changes.to_mend or found.changes.halted != "merge":
        raise Conflict(
            halted(found.worktree, found.changes), hint=way_out(found.worktree, found.changes, found.kitchen.name)
        )
    old = head_of(repository, found.kitchen)
    say(f"committing the merge of {found.parent.branch} into {found.kitchen.branch}")
    new = repository.commit_merge(found.worktree, message(found.kitchen, found.parent))
    files = repository.changed_paths(old, new)
    update(services, repository, Update(found.kitchen, str(found.kitchen.branch), old, new, files, 0, None), say=say)
    return new


def give_up(repository: Repository, found: Resolution) -> None:
    """Put the worktree back to what it was before the merge."""
    if found.changes.halted != "merge":
        raise Conflict(f"no merge is under way in {found.worktree}", hint=f"{git_in(found.worktree)} status")
    repository.abort_merge(found.worktree)
