"""Merges a kitchen's parent down into it, and moves it to the newest pantry version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer
from kitchen.errors import Conflict, InvalidInput, NotFound
from kitchen.operations.delivery import head_of, refuse_dirty
from kitchen.operations.journalled import perform
from kitchen.operations.rebind import rebind_views
from kitchen.ports import Control, RefUpdate, Repository, Sessions, Tables, Workspaces
from kitchen.saga import Step

Say = Callable[[str], None]


class UpdateServices(Protocol):
    """What updating asks of an environment's services."""

    @property
    def control(self) -> Control: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def workspaces(self) -> Workspaces: ...
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

    @property
    def is_nothing(self) -> bool:
        """Say whether the kitchen has everything already."""
        return self.old == self.new and self.pantry is None


def plan_update(services: UpdateServices, repository: Repository, kitchen: Kitchen, *, data: bool) -> Update:
    """Return what updating would do; nothing moves.

    Raises Conflict for uncommitted changes and, naming the paths, where the branches do not merge.
    """
    if kitchen.kind is not Kind.WORKING:
        raise InvalidInput(f"{kitchen.name!r} is a {kitchen.kind} kitchen and has no parent to update from")
    if kitchen.state is not State.READY:
        raise Conflict(f"kitchen {kitchen.name!r} is {kitchen.state}", hint="kitchen recover")
    parent = services.control.kitchens.get(kitchen.parent or "")
    if parent is None:
        raise NotFound(f"the parent {kitchen.parent!r} of kitchen {kitchen.name!r} is not there", hint="kitchen tree")
    branch, old, above = str(kitchen.branch), head_of(repository, kitchen), head_of(repository, parent)
    new = _merged(repository, kitchen, parent, old, above)
    files = repository.changed_paths(old, new) if new != old else ()
    if new != old:
        refuse_dirty(repository, branch, any_change=False, incoming=files)
    pantry = _newer_pantry(services, kitchen) if data else None
    return Update(kitchen, branch, old, new, files, repository.ahead_behind(above, old)[0], pantry)


def _merged(repository: Repository, kitchen: Kitchen, parent: Kitchen, old: str, above: str) -> str:
    """Return the commit that has both; it may be the parent's own, and no ref has moved."""
    merged = repository.preview_merge(old, above)
    if merged.is_up_to_date:
        return old
    if merged.base == old:
        return above
    if merged.tree is None:
        folder = next((path for path, name in repository.worktrees().items() if name == kitchen.branch), None)
        where = f"git -C {folder} " if folder is not None else "git "
        raise Conflict(
            f"{kitchen.name} and {parent.name} changed the same lines of {', '.join(merged.conflicts)}; "
            "your files are as they were",
            hint=f"{where}merge {parent.branch}, mend the files, then {where}commit -a",
        )
    return repository.commit_tree(merged.tree, [old, above], f"Merge {parent.branch} into {kitchen.branch}\n")


def _newer_pantry(services: UpdateServices, kitchen: Kitchen) -> int | None:
    newest = services.control.pantries.newest()
    if newest is None or newest.version == kitchen.pantry:
        return None
    return newest.version


def update(services: UpdateServices, repository: Repository, planned: Update, *, say: Say) -> None:
    """Move the branch, its files and, where wanted, the layer."""
    arguments: dict[str, object] = {
        "kitchen": planned.kitchen.name, "branch": planned.branch, "old": planned.old, "new": planned.new,
        "pantry": planned.pantry,
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
    return [*steps, _views_step(services, planned, say)] if steps else []


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

    return Step("files", f"bringing {len(planned.files)} files along", do=do, look=lambda: False)


def _moved(services: UpdateServices, planned: Update) -> Kitchen:
    found = services.control.kitchens.get(planned.kitchen.name)
    if found is None or found.id != planned.kitchen.id:
        raise NotFound(f"kitchen {planned.kitchen.name!r} is gone", hint="kitchen list")
    return replace(found, pantry=planned.pantry)


def _record_step(services: UpdateServices, planned: Update, *, pivot: bool) -> Step:
    """The record comes first: a version that a kitchen is recorded on is not dropped."""

    def look() -> bool:
        found = services.control.kitchens.get(planned.kitchen.name)
        return found is not None and found.pantry == planned.pantry

    def do() -> None:
        services.control.kitchens.save(_moved(services, planned), expected=State.READY)

    return Step("pantry", f"putting {planned.kitchen.name} on pantry v{planned.pantry}", do=do, look=look, pivot=pivot)


def _layer_step(services: UpdateServices, planned: Update) -> Step:
    def do() -> None:
        services.workspaces.rebind(services.layer(_moved(services, planned)))

    return Step("layer", f"opening pantry v{planned.pantry} and closing the older one", do=do, look=lambda: False)


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
    planned = Update(found, str(kept["branch"]), old, new, files, 0, pantry if isinstance(pantry, int) else None)
    return update_steps(services, repository, planned)
