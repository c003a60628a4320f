"""Removes kitchens: login closed first, then data, secret, files, worktree, branch and record.

``delete_steps(services, kitchen)`` gives the steps for any kitchen that has no branch or worktree of its own, such as
a candidate; its step ``delete mark`` is the pivot, because a kitchen that is being deleted only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kitchen.domain.environment import Chain, Environment
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layout
from kitchen.errors import Conflict, KitchenError, NotFound, Refused, Unavailable
from kitchen.operations.above import above_of
from kitchen.operations.archives import archives_of
from kitchen.operations.create import from_document, to_document
from kitchen.operations.journalled import perform
from kitchen.operations.kept_places import kept_place, place_of
from kitchen.operations.sharing import fetch_if_there
from kitchen.operations.unfinished import refuse_publishing
from kitchen.ports import ContainerEngine, Control, ObjectStore, RefUpdate, Repository, SecretStore, Workspaces
from kitchen.saga import Step

Say = Callable[[str], None]

_CACHES = frozenset({
    "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
    ".tox", ".ipynb_checkpoints", ".DS_Store", "dbt_packages",
})  # fmt: skip
_CACHED = (".pyc", ".egg-info")


class DeleteServices(Protocol):
    """What deleting asks of an environment's services."""

    @property
    def environment(self) -> Environment: ...
    @property
    def chain(self) -> Chain: ...
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
    @property
    def containers(self) -> ContainerEngine | None: ...
    def login_path(self, kitchen: Kitchen) -> str: ...


@dataclass(frozen=True, slots=True)
class Deletion:
    """One kitchen to be removed, and what it has in git: enough to build its steps, now or after a crash."""

    kitchen: Kitchen
    worktree: Path | None = None
    branch_head: str | None = None  # None: the branch stays, or there is none
    remote_head: str | None = None  # where the branch stands in the remote; None: it stays, or there is none
    recipes: tuple[str, ...] = ()  # run before anything is removed
    forced: bool = False  # somebody agreed to lose work
    ignored: tuple[str, ...] = ()  # files that git does not see, and that go: for a person to know

    def arguments(self, repository: Repository | None) -> dict[str, object]:
        """Return what the journal keeps."""
        return {
            "kitchen": to_document(self.kitchen),
            **kept_place(repository, self.worktree),
            "branch_head": self.branch_head,
            "remote_head": self.remote_head,
            "recipes": list(self.recipes),
            "forced": self.forced,
        }

    @classmethod
    def from_arguments(cls, kept: Mapping[str, Any], worktree: Path | None) -> Deletion:
        """Rebuild what ``arguments`` gave; ``worktree`` is where that is now."""
        recipes, forced = tuple(kept.get("recipes", ())), bool(kept.get("forced", True))
        there = kept.get("remote_head")
        return cls(from_document(kept["kitchen"]), worktree, kept["branch_head"], there, recipes, forced)


def plan_deletion(
    services: DeleteServices,
    repository: Repository,
    worktrees: Path,
    kitchen: Kitchen,
    *,
    force: bool,
    keep_branch: bool = False,
    recipes: tuple[str, ...] = (),
    say: Say = lambda _: None,
) -> Deletion:
    """Decide what ``kitchen delete`` removes; nothing is changed. A remote that does not answer is said.

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
    worktree = _own_worktree(repository, kitchen, worktrees / kitchen.name, say)
    above = above_of(kitchen, known, services.chain)
    fetch_if_there(repository, [kitchen.branch, above.branch if above is not None else None], say)
    stays = keep_branch or _is_everybodys(services, kitchen)
    head, there = (None, None) if stays or kitchen.branch is None else _heads(repository, kitchen.branch)
    if not force:
        _refuse_running(services, kitchen)
        _refuse_loss(services, repository, kitchen, worktree, (head, there))
    # a kitchen that was never ready, or has no files here, has nothing that a recipe could say goodbye to
    runs = recipes if kitchen.state is State.READY and worktree is not None and worktree.exists() else ()
    ignored = _ignored(repository, worktree) if worktree is not None and (worktree / ".git").exists() else ()
    return Deletion(kitchen, worktree, head, there, runs, forced=force, ignored=ignored)


def _own_worktree(repository: Repository, kitchen: Kitchen, folder: Path, say: Say) -> Path | None:
    """Return a kitchen's folder; None where there is one of another: names are taken once in each environment."""
    if kitchen.branch is None:
        return None
    holds = repository.worktrees().get(folder.resolve())
    if holds in (None, kitchen.branch):
        return folder
    say(f"{folder} holds the branch {holds}, not {kitchen.branch}, and stays (git worktree remove {folder})")
    return None


def _ignored(repository: Repository, worktree: Path) -> tuple[str, ...]:
    """Return files that git ignores and that are no caches, which tools make again."""
    return tuple(
        path
        for path in repository.ignored(worktree)
        if not any(part in _CACHES or part.endswith(_CACHED) for part in path.rstrip("/").split("/"))
    )


def _heads(repository: Repository, branch: str) -> tuple[str | None, str | None]:
    """Return where a branch stands here and, as last fetched, in the remote."""
    remote = repository.remote
    return repository.head(branch), remote.seen(branch) if remote is not None else None


def _is_everybodys(services: DeleteServices, kitchen: Kitchen) -> bool:
    """Say whether a kitchen stands on an environment's branch, which no kitchen takes along, whoever made it so."""
    return any(kitchen.branch == each.branch for each in services.chain.environments.values())


def _refuse_running(services: DeleteServices, kitchen: Kitchen) -> None:
    """Raise Conflict, naming who began it, while a recipe runs in a kitchen."""
    mark = f"run/{kitchen.name}/"
    running = sorted(name.removeprefix(mark) for name in services.control.locks.held() if name.startswith(mark))
    if running:
        run = services.control.runs.latest([kitchen.name]).get(kitchen.name)
        by = f", by {run.by}" if run is not None else ""
        raise Conflict(
            f"{' and '.join(running)} is running in kitchen {kitchen.name!r}{by}",
            hint=f"when it has ended (kitchen runs list -k {kitchen.name}), or kitchen delete {kitchen.name} --force",
        )


def _refuse_loss(
    services: DeleteServices, repository: Repository, kitchen: Kitchen, worktree: Path | None,
    heads: tuple[str | None, ...],
) -> None:  # fmt: skip
    lost = _would_be_lost(repository, kitchen, worktree, heads, _kept_in(services, kitchen))
    if lost:
        raise Refused(
            f"deleting kitchen {kitchen.name!r} would lose {' and '.join(lost)}",
            hint=f"{kitchen.way_up}, or kitchen delete {kitchen.name} with --keep-branch or --force",
        )


def _kept_in(services: DeleteServices, kitchen: Kitchen) -> tuple[str, ...]:
    """Return the branches that may have a kitchen's work already, the likeliest first."""
    known = services.control.kitchens.all()
    above = above_of(kitchen, known, services.chain)
    branches = [above.branch if above is not None else None, *(other.branch for other in known)]
    return tuple(dict.fromkeys(branch for branch in branches if branch and branch != kitchen.branch))


def _would_be_lost(
    repository: Repository, kitchen: Kitchen, worktree: Path | None, heads: tuple[str | None, ...],
    others: tuple[str, ...],
) -> list[str]:  # fmt: skip
    lost: list[str] = []
    if worktree is not None and (worktree / ".git").exists():
        if changed := repository.changes(worktree):
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            lost.append(f"uncommitted changes ({', '.join(changed[:3])}{more})")
        # committed on no branch, or in the middle of a rebase: the worktree's own history goes with it
        detached = repository.detached(worktree)
        own = (kitchen.branch,) if kitchen.branch is not None else ()
        if detached is not None and not any(_contains(repository, branch, detached) for branch in (*own, *others)):
            lost.append(f"commit {detached[:12]} of its worktree, which is on no branch")
    # also commits that were there before it: a kitchen may have been made on a branch that somebody had pushed
    new = {head for head in heads if head is not None}
    if any(not any(_contains(repository, branch, head) for branch in others) for head in new):
        lost.append(f"commits of branch {kitchen.branch} that no other kitchen's branch has")
    return lost


def _contains(repository: Repository, branch: str, commit: str) -> bool:
    """Say whether a branch, here or in the remote, has a commit or what it changed."""
    heads = [head for head in dict.fromkeys(_heads(repository, branch)) if head is not None]
    return any(head == commit or repository.is_ancestor(commit, head) for head in heads) or any(
        repository.brings_nothing(head, commit) for head in heads
    )


def delete_kitchen(services: DeleteServices, repository: Repository, deletion: Deletion, *, say: Say) -> None:
    """Remove a kitchen and all it has; what a failure leaves, ``kitchen recover`` finishes."""
    steps = delete_steps(services, deletion, repository=repository, say=say)
    perform(services.control, "delete", deletion.kitchen.name, deletion.arguments(repository), steps, say)


def rebuild(services: DeleteServices, repository: Repository | None, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted ``delete``."""
    kept = operation.arguments
    worktree = place_of(repository, kept, is_embedded=services.environment.is_embedded)
    return delete_steps(services, Deletion.from_arguments(kept, worktree), repository=repository)


def delete_steps(
    services: DeleteServices, deletion: Deletion | Kitchen, *, repository: Repository | None = None,
    say: Say = lambda _: None,
) -> list[Step]:  # fmt: skip
    """Return the steps that remove a kitchen; a bare Kitchen means that git has nothing of it."""
    if isinstance(deletion, Kitchen):
        deletion = Deletion(deletion)
    kitchen = deletion.kitchen
    steps = [] if deletion.forced or repository is None else [_look_again_step(services, repository, deletion)]
    steps += _farewell(services, deletion)
    steps.append(_mark_step(services, kitchen))
    if services.containers is not None:
        steps.append(_containers_step(services.containers, kitchen, say))
    steps += [_workspace_step(services, kitchen), _secret_step(services, kitchen)]
    steps.append(_storage_step(services, kitchen))
    if deletion.worktree is not None and repository is not None:
        steps.append(_worktree_step(repository, deletion.worktree))
    stays = _is_everybodys(services, kitchen)
    if deletion.branch_head is not None and repository is not None and not stays:
        steps.append(_branch_step(repository, kitchen, deletion.branch_head))
    if deletion.remote_head is not None and repository is not None and not stays:
        steps.append(_remote_step(repository, kitchen, deletion.remote_head, say))
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


def _look_again_step(services: DeleteServices, repository: Repository, deletion: Deletion) -> Step:
    """Between the plan and the answer to its question somebody may have worked on."""
    kitchen = deletion.kitchen

    def do() -> None:
        _refuse_running(services, kitchen)
        _refuse_loss(services, repository, kitchen, deletion.worktree, (deletion.branch_head, deletion.remote_head))

    def is_past() -> bool:
        found = _is_recorded(services, kitchen)
        return found is None or found.state is State.DELETING

    return Step("look again", f"asking git once more what {kitchen.name} holds", do=do, look=is_past)


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


def _containers_step(engine: ContainerEngine, kitchen: Kitchen, say: Say) -> Step:
    def do() -> None:
        try:
            engine.remove_all({"kitchen": str(kitchen.id)})
        except Unavailable as away:  # its login is closed in a moment: what may still run reaches nothing
            say(f"  containers of {kitchen.name}, if it has any, stay: {away.message}")

    return Step("delete containers", "ending its containers on this machine", do=do, look=lambda: False)


def _workspace_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    schemas = services.layout.schemas(kitchen)
    kept = archives_of(services.layout, kitchen, services.control.releases.all(kitchen=kitchen.name))
    return Step(
        "delete workspace", f"ending sessions, dropping schema {', '.join(schemas)} and its roles",
        do=lambda: services.workspaces.drop(kitchen, (*schemas, *kept)),
        look=lambda: False,  # a drop that was cut off goes on
    )  # fmt: skip


def _secret_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    path = services.login_path(kitchen)

    def do() -> None:
        kept = services.secrets.read(path)
        if kept is not None and kept.get("kitchen") == str(kitchen.id):
            for below in services.secrets.list(f"{kitchen.secret_path}/"):  # what people gave it: kitchen secret set -k
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


def _remote_step(repository: Repository, kitchen: Kitchen, head: str, say: Say) -> Step:
    branch, remote = str(kitchen.branch), repository.remote
    where = remote.name if remote is not None else "the remote"

    def delete() -> None:
        now = remote.heads([branch]).get(branch) if remote is not None else None
        if now == head and remote is not None:
            remote.push(RefUpdate(f"refs/heads/{branch}", None, head))
        elif now is not None:
            raise Conflict(f"it has moved since, to {now[:12]}")

    def do() -> None:
        try:
            delete()
        except KitchenError as error:  # a name that is left there keeps nobody from anything
            say(f"  branch {branch} of {where} stays: {error.message}")

    says = f"deleting branch {branch} of {where} at {head[:12]}"
    return Step("delete remote branch", says, do=do, look=lambda: False)


def _record_step(services: DeleteServices, kitchen: Kitchen) -> Step:
    return Step(
        "delete record", f"forgetting {kitchen.name}",
        do=lambda: services.control.kitchens.remove(kitchen.id), look=lambda: _is_recorded(services, kitchen) is None,
    )  # fmt: skip
