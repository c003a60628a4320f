"""What ``kitchen create`` is going to make: decided before anything is changed, and kept by the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID, uuid4

from kitchen.domain import names
from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, Layout
from kitchen.domain.people import staff_of
from kitchen.errors import Conflict, InvalidInput, NotFound, Refused
from kitchen.operations.kept_places import kept_place
from kitchen.operations.known_kitchens import meant
from kitchen.operations.sharing import fetch_if_there, truth
from kitchen.ports import Control, Quota, Repository, SecretStore, Sessions, Workspaces

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
    def login_path(self, kitchen: Kitchen) -> str: ...


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
    commit: str | None = None  # where the branch begins; else at the parent's
    pantry: int | None = None  # the version to read; else the newest


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a kitchen's branch begins, and where it stands now: here, and in the remote."""

    branch: str
    commit: str
    here: str | None
    there: str | None


@dataclass(frozen=True, slots=True)
class Creation:
    """One kitchen to be made, and where: enough to build its steps, now or after a crash."""

    kitchen: Kitchen
    worktree: Path | None = None
    makes_branch: bool = False
    branch_from: str | None = None  # where the branch stood here before; None: it was not here
    pushes: bool = False
    pushed_from: str | None = None  # where the branch stood in the remote before
    quota: Quota | None = None
    recipes: tuple[str, ...] = ()  # run when it is ready

    def arguments(self, repository: Repository | None) -> dict[str, object]:
        """Return what the journal keeps."""
        return {
            "kitchen": to_document(self.kitchen),
            **kept_place(repository, self.worktree),
            "makes_branch": self.makes_branch,
            "recipes": list(self.recipes),
            "branch_from": self.branch_from,
            "pushes": self.pushes,
            "pushed_from": self.pushed_from,
        }

    @classmethod
    def from_arguments(cls, kept: Mapping[str, Any], worktree: Path | None) -> Creation:
        """Rebuild what ``arguments`` gave; ``worktree`` is where that is now."""
        return cls(
            from_document(kept["kitchen"]), worktree, bool(kept["makes_branch"]), kept.get("branch_from"),
            bool(kept.get("pushes")), kept.get("pushed_from"), recipes=tuple(kept.get("recipes", ())),
        )  # fmt: skip


def plan_working(
    services: StandingServices,
    repository: Repository,
    worktrees: Path,
    wish: Wish,
    *,
    person: str,
    environments: Mapping[str, Environment] = MappingProxyType({}),
    say: Say = lambda _: None,
    govern: Callable[[], None] = lambda: None,
) -> Creation:
    """Decide what ``kitchen create`` makes; nothing is changed. No kitchen is called like one of the environments.

    ``govern`` brings the environment's rules up to what its own branch says, once the remote was asked.

    A remote that does not answer is said; the branch then starts from what was last fetched, and is pushed later.

    Raises InvalidInput, Conflict, NotFound or Refused where it cannot be made as wished.
    """
    if not services.environment.kitchens.working:
        raise _takes_none(services.environment)
    name = _name(wish)
    if name in environments:
        raise Conflict(f"{name!r} is an environment's name", hint="choose another name, for example profit")
    _refuse_shared(wish.branch or name, environments)
    known = services.control.kitchens.get(name)
    if known is not None and known.state is State.CREATING:
        raise Conflict(f"kitchen {name!r} is being made, or was cut off half-way", hint="kitchen recover")
    if known is not None:
        another = f"kitchen create NAME --branch {wish.branch}" if wish.branch is not None else "choose another name"
        where = f" on branch {known.branch}" if known.branch != name else ""
        raise Conflict(f"there is a kitchen {name!r} already{where}", hint=f"kitchen enter {name}, or {another}")
    mended = environments.get(wish.parent or "")
    if mended is None or mended.name == services.environment.name:
        parent, isolated, mends = _parent(services, wish.parent), wish.isolated, None
    else:  # a hotfix: it begins at the branch of an environment above, and reads nothing of what waits below it
        parent, isolated, mends = replace(_parent(services, None), branch=mended.branch), True, mended.name
    asked = fetch_if_there(repository, (wish.branch or name, parent.branch, services.environment.branch), say)
    govern()
    rules = services.environment.kitchens
    if not rules.working:
        raise _takes_none(services.environment)
    start = _branch(repository, wish, name, parent)
    now = services.control.now()
    ttl = wish.ttl if wish.ttl is not None else rules.ttl
    kitchen = Kitchen(
        id=uuid4(), name=name, environment=services.environment.name, kind=Kind.WORKING, state=State.CREATING,
        branch=start.branch, base_commit=start.commit, parent=parent.name,
        pantry=None if wish.data == "none" else wish.pantry or newest_pantry(services), owner=person,
        created_at=now, expires_at=now + ttl if ttl is not None else None, isolated=isolated, data=wish.data,
        staff=staff_of(wish.staff, "kitchen create NAME --staff ann"), ticket=wish.ticket, mends=mends,
    )  # fmt: skip
    return Creation(
        kitchen, worktrees / name, start.here != start.commit, start.here, asked and start.there != start.commit,
        start.there, Quota(rules.max, rules.per_person), rules.on_create,
    )  # fmt: skip


def _refuse_shared(branch: str, environments: Mapping[str, Environment]) -> None:
    """Raise Conflict for the branch of an environment: what is written there would pass by its gates."""
    owner = next((each.name for each in environments.values() if each.branch == branch), None)
    if owner is not None:
        raise Conflict(
            f"{branch!r} is the branch of environment {owner!r} and no kitchen's",
            hint="kitchen create NAME, which begins a branch of its own",
        )


def _takes_none(environment: Environment) -> Refused:
    return Refused(f"environment {environment.name!r} takes no working kitchens", hint="kitchen create NAME -e dev")


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
        near = meant(name, services.control.kitchens.all())
        raise NotFound(f"there is no kitchen {name!r} to be the parent{near}", hint="kitchen tree")
    if parent.kind is Kind.CANDIDATE or parent.branch is None:
        raise Conflict(f"{name!r} is a throwaway kitchen and cannot be a parent", hint="kitchen tree")
    return parent


def _branch(repository: Repository, wish: Wish, name: str, parent: Kitchen) -> _Start:
    branch, remote = wish.branch or name, repository.remote
    here, there = repository.head(branch), remote.seen(branch) if remote is not None else None
    if (here or there) is not None and wish.branch is None:
        where = "" if here is not None or remote is None else f" in {remote.name}"
        raise Conflict(
            f"there is a branch {branch!r} already{where}",
            hint=f"kitchen create {name} --branch {branch}, to work on it",
        )
    if here is not None and there is not None and here != there:
        if repository.is_ancestor(there, here):
            return _Start(branch, here, here, there)
        if not repository.is_ancestor(here, there):
            assert remote is not None  # noqa: S101 - it was seen there
            raise Conflict(
                f"branch {branch!r} here and in {remote.name} have each gone their own way",
                hint=f"git rebase {remote.name}/{branch} {branch}",
            )
        return _Start(branch, there, here, there)
    if (commit := here or there) is not None:
        return _Start(branch, commit, here, there)
    base = wish.commit or truth(repository, parent.branch)
    if base is None:
        raise NotFound(f"the branch {parent.branch!r} of {parent.name!r} has no commit here", hint="git fetch")
    return _Start(branch, base, None, None)


def newest_pantry(services: StandingServices) -> int | None:
    """Return the pantry version that a new kitchen reads, or None where the environment has none."""
    if services.environment.data is None:
        return None
    newest = services.control.pantries.newest()
    return newest.version if newest is not None else None


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
