"""Merges a kitchen's parent down into it, and moves it to the newest pantry version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from kitchen.domain.environment import Chain
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer
from kitchen.domain.words import counted
from kitchen.errors import Conflict, InvalidInput, NotFound
from kitchen.operations.above import Above, above_of
from kitchen.operations.delivery import refuse_dirty, shared_head_of
from kitchen.operations.journalled import perform
from kitchen.operations.rebind import rebind_views
from kitchen.operations.sharing import fetch_if_there, has_moved, push_if_there, push_moved
from kitchen.operations.unfinished import refuse_halted
from kitchen.ports import Control, RefUpdate, Repository, Session, Sessions, Tables, Workspaces
from kitchen.saga import Step

Say = Callable[[str], None]


class UpdateServices(Protocol):
    """What updating asks of an environment's services."""

    @property
    def chain(self) -> Chain: ...
    @property
    def control(self) -> Control: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def workspaces(self) -> Workspaces: ...
    def binder(self, kitchen: Kitchen, *, application: str) -> Session: ...
    def layer(self, kitchen: Kitchen) -> Layer: ...


@dataclass(frozen=True, slots=True)
class Update:
    """What updating a kitchen means: where its branch goes, and which pantry version it reads then."""

    kitchen: Kitchen
    branch: str
    old: str
    new: str
    files: tuple[str, ...]
    commits: int
    pantry: int | None  # None: it stays on the one that it has
    pushes: bool = False
    pushed_from: str | None = None  # where the branch stood in the remote before

    @property
    def is_nothing(self) -> bool:
        """Say whether the kitchen has everything already."""
        return self.old == self.new and self.pantry is None and not self.pushes


def plan_update(
    services: UpdateServices, repository: Repository, kitchen: Kitchen, *, data: bool, say: Say = lambda _: None
) -> Update:
    """Return what updating would do; nothing moves. A remote that does not answer is said.

    Raises Conflict for uncommitted changes and, naming the paths, where the branches do not merge.
    """
    if kitchen.kind is not Kind.WORKING:
        raise InvalidInput(
            f"{kitchen.name!r} is a {kitchen.kind} kitchen and has no parent to update from", hint="kitchen list"
        )
    if kitchen.state is not State.READY:
        raise Conflict(f"kitchen {kitchen.name!r} is {kitchen.state}", hint="kitchen recover")
    parent, branch = parent_of(services, kitchen), str(kitchen.branch)
    refuse_halted(repository, branch)
    asked = fetch_if_there(repository, (branch, parent.branch), say)
    old, above = repository.head(branch), shared_head_of(repository, parent)
    if old is None:
        raise NotFound(f"the branch {branch!r} is not on this machine", hint=f"kitchen enter {kitchen.name}")
    there = repository.remote.seen(branch) if repository.remote is not None else None
    both = _with_theirs(repository, kitchen, old, there)
    new = _merged(repository, kitchen, parent, both, above)
    files = repository.changed_paths(old, new) if new != old else ()
    if new != old:
        refuse_dirty(repository, branch, any_change=False, incoming=files)
    pantry = _newer_pantry(services, kitchen) if data else None
    commits = repository.ahead_behind(above, old)[0]
    return Update(kitchen, branch, old, new, files, commits, pantry, asked and there != new, there)


def parent_of(services: UpdateServices, kitchen: Kitchen) -> Above:
    """Return what a kitchen's branch is brought up to date from; raises NotFound."""
    found = above_of(kitchen, services.control.kitchens.all(), services.chain)
    if found is None:
        gone = f"environment {kitchen.mends!r} that" if kitchen.mends is not None else f"parent {kitchen.parent!r} of"
        verb = " mends" if kitchen.mends is not None else ""
        raise NotFound(f"the {gone} kitchen {kitchen.name!r}{verb} is not there", hint="kitchen tree")
    return found


def _with_theirs(repository: Repository, kitchen: Kitchen, old: str, there: str | None) -> str:
    """Return the commit that has what others pushed to the kitchen's branch, too; no ref has moved."""
    remote = repository.remote
    if there is None or remote is None:
        return old
    merged = repository.preview_merge(old, there)
    if merged.is_up_to_date or merged.base == old:
        return old if merged.is_up_to_date else there
    name = f"{remote.name}/{kitchen.branch}"
    if merged.tree is None:
        raise Conflict(
            f"{kitchen.name} here and in {remote.name} changed the same lines of {', '.join(merged.conflicts)}; "
            "your files are as they were",
            hint=f"git merge {name} in its worktree, mend the files, then git commit -a",
        )
    return repository.commit_tree(merged.tree, [old, there], f"Merge {name}\n")


def _merged(repository: Repository, kitchen: Kitchen, parent: Above, old: str, above: str) -> str:
    """Return the commit that has both; it may be the parent's own, and no ref has moved."""
    merged = repository.preview_merge(old, above)
    if merged.is_up_to_date:
        return old
    if merged.base == old:
        return above
    if merged.tree is None:
        raise Conflict(
            f"{kitchen.name} and {parent.name} changed the same lines of {', '.join(merged.conflicts)}; "
            "your files are as they were",
            hint=f"kitchen resolve {kitchen.name}, which puts both versions into the files",
        )
    return repository.commit_tree(merged.tree, [old, above], message(kitchen, parent))


def message(kitchen: Kitchen, parent: Above) -> str:
    """Return what the merge commit of an update says."""
    return f"Merge {parent.branch} into {kitchen.branch}\n"


def _newer_pantry(services: UpdateServices, kitchen: Kitchen) -> int | None:
    newest = services.control.pantries.newest()
    if newest is None or newest.version == kitchen.pantry:
        return None
    return newest.version


def update(services: UpdateServices, repository: Repository, planned: Update, *, say: Say) -> None:
    """Move the branch, its files and, where wanted, the layer."""
    arguments: dict[str, object] = {
        "kitchen": planned.kitchen.name, "branch": planned.branch, "old": planned.old, "new": planned.new,
        "pantry": planned.pantry, "pushes": planned.pushes, "pushed_from": planned.pushed_from,
    }  # fmt: skip
    steps = update_steps(services, repository, planned, say)
    perform(services.control, "update", planned.kitchen.name, arguments, steps, say)


def update_steps(
    services: UpdateServices, repository: Repository, planned: Update, say: Say = lambda _: None
) -> list[Step]:
    """Return the steps of an update; the first one that changes something is the pivot."""
    steps: list[Step] = []
    if planned.new != planned.old:
        steps = [_branch_step(repository, planned), _files_step(repository, planned)]
    if planned.pantry is not None:
        steps += [_record_step(services, planned, pivot=not steps), _layer_step(services, planned)]
    if steps:
        steps.append(_views_step(services, planned, say))
    if planned.pantry is not None:
        steps.append(_close_step(services, planned))
    return [*steps, _push_step(repository, planned, say)] if planned.pushes else steps


def _push_step(repository: Repository, planned: Update, say: Say) -> Step:
    """Others see the kitchen's branch as it is; one that cannot be pushed now is by the next update, or the merge."""

    def do() -> None:
        push_if_there(lambda: push_moved(repository, planned.branch, planned.new, planned.pushed_from), say)

    where = repository.remote.name if repository.remote is not None else "the remote"
    return Step(
        "push branch", f"pushing branch {planned.branch} to {where}",
        do=do, look=lambda: has_moved(repository, planned.branch, planned.new),
    )  # fmt: skip


def _branch_step(repository: Repository, planned: Update) -> Step:
    ref = f"refs/heads/{planned.branch}"

    def look() -> bool:
        head = repository.head(planned.branch)
        return head is not None and (head == planned.new or repository.is_ancestor(planned.new, head))

    def do() -> None:
        if not look():
            repository.update_refs([RefUpdate(ref, planned.new, planned.old)], reason="kitchen update")

    return Step("branch", f"moving branch {planned.branch} to {planned.new[:12]}", do=do, look=look, pivot=True)


def _files_step(repository: Repository, planned: Update) -> Step:
    def do() -> None:
        for path, branch in repository.worktrees().items():
            if branch == planned.branch and path.is_dir():
                repository.follow(path, planned.old, planned.new)

    return Step("files", f"bringing {counted(len(planned.files), 'file')} along", do=do, look=lambda: False)


def _moved(services: UpdateServices, planned: Update) -> Kitchen:
    found = services.control.kitchens.get(planned.kitchen.name)
    if found is None or found.id != planned.kitchen.id:
        raise NotFound(f"kitchen {planned.kitchen.name!r} is gone", hint="kitchen list")
    return replace(found, pantry=_still_ready(services, planned.pantry))


def _still_ready(services: UpdateServices, version: int | None) -> int | None:
    """Return the version that was planned, or the newest where that is gone: an update may be recovered much later."""
    ready = [found.version for found in services.control.pantries.all() if found.state == "ready"]
    return version if version in ready or not ready else ready[0]


def _record_step(services: UpdateServices, planned: Update, *, pivot: bool) -> Step:
    """The record comes first: a version that a kitchen is recorded on is not dropped."""

    def look() -> bool:
        found = services.control.kitchens.get(planned.kitchen.name)
        return found is not None and found.pantry == _still_ready(services, planned.pantry)

    def do() -> None:
        while not look():  # a version that is dropped in this moment is not ready any more, and the newest is taken
            services.control.kitchens.save(_moved(services, planned), expected=State.READY)

    return Step("pantry", f"putting {planned.kitchen.name} on pantry v{planned.pantry}", do=do, look=look, pivot=pivot)


def _layer_step(services: UpdateServices, planned: Update) -> Step:
    def do() -> None:
        services.workspaces.rebind(services.layer(_moved(services, planned)), closes=False)

    return Step("layer", f"opening pantry v{planned.pantry}", do=do, look=lambda: False)


def _close_step(services: UpdateServices, planned: Update) -> Step:
    """Last: whoever binds views as the kitchen itself must still see what they stood on."""

    def do() -> None:
        services.workspaces.rebind(services.layer(_moved(services, planned)))

    return Step("close", "closing the older one", do=do, look=lambda: False)


def _views_step(services: UpdateServices, planned: Update, say: Say) -> Step:
    """A view keeps reading the very tables that it was made over, also when a swap has put them aside."""

    def do() -> None:
        found = services.control.kitchens.get(planned.kitchen.name)
        if found is not None:
            rebind_views(services, services.layer(found), say=say)

    return Step("views", "binding the kitchen's own views to what it reads now", do=do, look=lambda: False)


def rebuild(services: UpdateServices, repository: Repository, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted update."""
    kept = operation.arguments
    found = services.control.kitchens.get(str(kept["kitchen"]))
    if found is None:
        raise NotFound(f"kitchen {kept['kitchen']!r} is gone", hint="kitchen list")
    old, new, pantry = str(kept["old"]), str(kept["new"]), kept["pantry"]
    files = repository.changed_paths(old, new) if old != new else ()
    before = kept.get("pushed_from")
    planned = Update(
        found, str(kept["branch"]), old, new, files, 0, pantry if isinstance(pantry, int) else None,
        bool(kept.get("pushes")), before if isinstance(before, str) else None,
    )  # fmt: skip
    return update_steps(services, repository, planned)
