"""Makes kitchens: working ones for people, standing ones for environments, candidates for merges.

For other operations: ``create_steps(services, kitchen)`` gives the steps that make any kitchen; for a candidate
(``candidate(services, target, commit, operation)``) they contain no pivot, so that they can stand in a longer list.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from kitchen.domain import names
from kitchen.domain.environment import Environment
from kitchen.domain.journal import Operation
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, Layout
from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, InvalidInput, NotFound, Refused
from kitchen.operations.journalled import perform, recover
from kitchen.ports import Control, Quota, RefUpdate, Repository, SecretStore, Sessions, Workspaces
from kitchen.saga import Step

Say = Callable[[str], None]


class StandingServices(Protocol):
    """What making a kitchen without branch and worktree asks of an environment's services."""

    @property
    def environment(self) -> Environment: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def control(self) -> Control: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def workspaces(self) -> Workspaces: ...
    def layer(self, kitchen: Kitchen) -> Layer: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for with ``kitchen create``."""

    name: str | None = None
    parent: str | None = None
    branch: str | None = None
    isolated: bool = False
    ttl: timedelta | None = None
    staff: tuple[str, ...] = ()
    ticket: str | None = None
    data: str = "layer"


@dataclass(frozen=True, slots=True)
class Creation:
    """One kitchen to be made, and where: enough to build its steps, now or after a crash."""

    kitchen: Kitchen
    worktree: Path | None = None
    makes_branch: bool = False
    quota: Quota | None = None
    recipes: tuple[str, ...] = ()  # run when it is ready

    def arguments(self) -> dict[str, object]:
        """Return what the journal keeps."""
        return {
            "kitchen": to_document(self.kitchen),
            "worktree": str(self.worktree) if self.worktree is not None else None,
            "makes_branch": self.makes_branch,
            "recipes": list(self.recipes),
        }

    @classmethod
    def from_arguments(cls, kept: Mapping[str, Any]) -> Creation:
        """Rebuild what ``arguments`` gave."""
        worktree = Path(kept["worktree"]) if kept["worktree"] else None
        recipes = tuple(kept.get("recipes", ()))
        return cls(from_document(kept["kitchen"]), worktree, bool(kept["makes_branch"]), recipes=recipes)


def plan_working(
    services: StandingServices,
    repository: Repository,
    worktrees: Path,
    wish: Wish,
    *,
    person: str,
    environments: Collection[str] = (),
) -> Creation:
    """Decide what ``kitchen create`` makes; nothing is changed. No kitchen is called like one of the environments.

    Raises InvalidInput, Conflict, NotFound or Refused where it cannot be made as wished.
    """
    rules = services.environment.kitchens
    if not rules.working:
        raise Refused(
            f"environment {services.environment.name!r} takes no working kitchens", hint="kitchen create NAME -e dev"
        )
    name = _name(wish)
    if name in environments:
        raise Conflict(f"{name!r} is an environment's name", hint="choose another name, for example profit")
    if services.control.kitchens.get(name) is not None:
        raise Conflict(f"there is a kitchen {name!r} already", hint=f"kitchen enter {name}, or choose another name")
    parent = _parent(services, wish.parent)
    branch, base, makes_branch = _branch(repository, wish, name, parent)
    now = datetime.now(UTC)
    ttl = wish.ttl if wish.ttl is not None else rules.ttl
    kitchen = Kitchen(
        id=uuid4(), name=name, environment=services.environment.name, kind=Kind.WORKING, state=State.CREATING,
        branch=branch, base_commit=base, parent=parent.name,
        pantry=None if wish.data == "none" else newest_pantry(services), owner=person,
        created_at=now, expires_at=now + ttl if ttl is not None else None, isolated=wish.isolated, data=wish.data,
        staff=wish.staff, ticket=wish.ticket,
    )  # fmt: skip
    return Creation(kitchen, worktrees / name, makes_branch, Quota(rules.max, rules.per_person), rules.on_create)


def _name(wish: Wish) -> str:
    if wish.name is not None:
        return names.kitchen_name(wish.name)
    if wish.branch is not None:
        return names.kitchen_name(names.name_from_branch(wish.branch))
    raise InvalidInput("what shall the kitchen be called?", hint="kitchen create NAME, or kitchen create --branch B")


def _parent(services: StandingServices, wanted: str | None) -> Kitchen:
    name = wanted or services.environment.name
    parent = services.control.kitchens.get(name)
    if parent is None and wanted is None:
        raise NotFound(f"environment {name!r} is not set up", hint=f"kitchen up {name}")
    if parent is None:
        raise NotFound(f"there is no kitchen {name!r} to be the parent", hint="kitchen tree")
    if parent.kind is Kind.CANDIDATE or parent.branch is None:
        raise Conflict(f"{name!r} is a throwaway kitchen and cannot be a parent", hint="kitchen tree")
    return parent


def _branch(repository: Repository, wish: Wish, name: str, parent: Kitchen) -> tuple[str, str, bool]:
    """Return the branch, the commit it starts from, and whether it is ours to make."""
    branch = wish.branch or name
    there = repository.head(branch)
    if there is not None and wish.branch is None:
        raise Conflict(
            f"there is a branch {branch!r} already", hint=f"kitchen create {name} --branch {branch}, to work on it"
        )
    if there is not None:
        return branch, there, False
    base = repository.head(parent.branch) if parent.branch else None
    if base is None:
        raise NotFound(f"the branch {parent.branch!r} of {parent.name!r} has no commit here", hint="git fetch")
    return branch, base, True


def newest_pantry(services: StandingServices) -> int | None:
    """Return the pantry version that a new kitchen reads, or None where the environment has none."""
    if services.environment.data is None:
        return None
    newest = services.control.pantries.newest()
    return newest.version if newest is not None else None


def create_working(services: StandingServices, repository: Repository, creation: Creation, *, say: Say) -> Kitchen:
    """Make a working kitchen; raises what stopped it, with everything undone."""
    steps = create_steps(services, creation, repository=repository)
    perform(services.control, "create", creation.kitchen.name, creation.arguments(), steps, say)
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
        owner=services.control.person, created_at=datetime.now(UTC),
    )  # fmt: skip
    creation = Creation(kitchen)
    perform(services.control, "create", kitchen.name, creation.arguments(), create_steps(services, creation), say)
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
        pantry=target.pantry, owner=services.control.person, created_at=datetime.now(UTC),
    )  # fmt: skip


def rebuild(services: StandingServices, repository: Repository | None, operation: Operation) -> list[Step]:
    """Return the steps of an interrupted ``create``."""
    return create_steps(services, Creation.from_arguments(operation.arguments), repository=repository)


def create_steps(
    services: StandingServices, creation: Creation | Kitchen, *, repository: Repository | None = None
) -> list[Step]:
    """Return the steps that make a kitchen, in order; a bare Kitchen means no branch to make and no worktree.

    The step that makes it READY is the pivot, except for candidates; what follows furnishes it. ``repository`` is
    needed only for a branch to make or a worktree.
    """
    if isinstance(creation, Kitchen):
        creation = Creation(creation)
    kitchen = creation.kitchen
    steps = [_record_step(services, creation)]
    if creation.makes_branch and repository is not None:
        steps.append(_branch_step(repository, kitchen))
    steps += [_secret_step(services, kitchen), _workspace_step(services, kitchen)]
    if creation.worktree is not None and repository is not None:
        steps.append(_worktree_step(repository, kitchen, creation.worktree))
    return [*steps, _ready_step(services, kitchen), *_furnishing(services, creation)]


def _furnishing(services: Any, creation: Creation) -> list[Step]:
    """Return what follows once the kitchen is ready; running recipes asks more of services than making kitchens."""
    if not creation.recipes and creation.kitchen.data != "copy":
        return []
    from kitchen.operations.furnish import furnish_steps  # noqa: PLC0415 - an engine that most creates never need

    return furnish_steps(services, creation.kitchen, creation.worktree, creation.recipes)


def _record_step(services: StandingServices, creation: Creation) -> Step:
    kitchens, kitchen = services.control.kitchens, creation.kitchen

    def look() -> bool:
        found = kitchens.get(kitchen.name)
        return found is not None and found.id == kitchen.id

    return Step(
        "create record", f"reserving the name {kitchen.name}",
        do=lambda: kitchens.add(kitchen, quota=creation.quota), look=look, undo=lambda: kitchens.remove(kitchen.id),
    )  # fmt: skip


def _branch_step(repository: Repository, kitchen: Kitchen) -> Step:
    branch, base = str(kitchen.branch), str(kitchen.base_commit)
    ref = f"refs/heads/{branch}"

    def do() -> None:
        try:
            repository.update_refs([RefUpdate(ref, base, None)], reason=f"kitchen create {kitchen.name}")
        except Conflict:
            if repository.head(branch) != base:
                raise

    def undo() -> None:
        if repository.head(branch) is not None:  # one that has moved is refused: it holds somebody's work
            repository.update_refs([RefUpdate(ref, None, base)], reason=f"kitchen create {kitchen.name}: undone")

    return Step(
        "create branch", f"making branch {branch} at {base[:12]}",
        do=do, look=lambda: repository.head(branch) == base, undo=undo,
    )  # fmt: skip


def _secret_step(services: StandingServices, kitchen: Kitchen) -> Step:
    path, owner = kitchen.secret_path, str(kitchen.id)

    def ours() -> bool:
        return (services.secrets.read(path) or {}).get("kitchen") == owner

    def do() -> None:
        if ours():
            return
        login = services.sessions.administrator().named(
            user=kitchen.login_role, password=Secret(randomness.token_urlsafe(24)), role=kitchen.owner_role
        )
        services.secrets.write(path, {**login.to_secret(), "kitchen": owner}, create_only=True)

    def undo() -> None:
        if ours():
            services.secrets.delete(path)

    return Step("create secret", f"storing credentials of {kitchen.name}", do=do, look=ours, undo=undo)


def _workspace_step(services: StandingServices, kitchen: Kitchen) -> Step:
    def do() -> None:
        kept = services.secrets.read(kitchen.secret_path)
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
        look=lambda: repository.worktrees().get(path) == kitchen.branch,
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


def to_document(kitchen: Kitchen) -> dict[str, object]:
    """Return a kitchen as JSON can hold it."""
    values: dict[str, object] = {field.name: getattr(kitchen, field.name) for field in fields(Kitchen)}
    moments = {name: value.isoformat() for name, value in values.items() if isinstance(value, datetime)}
    return {**values, **moments, "id": str(kitchen.id), "staff": list(kitchen.staff)}


def from_document(kept: Mapping[str, Any]) -> Kitchen:
    """Rebuild a kitchen from what ``to_document`` gave."""
    moments = {
        name: datetime.fromisoformat(kept[name]) for name in ("created_at", "expires_at") if kept[name] is not None
    }
    made = Kitchen(**{**kept, **moments, "staff": tuple(kept["staff"])})
    return replace(made, id=UUID(kept["id"]), kind=Kind(kept["kind"]), state=State(kept["state"]))
