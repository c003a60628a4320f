"""What ``kitchen create`` is going to make: decided before anything is changed, and kept by the journal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from kitchen.domain import names
from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layer, Layout
from kitchen.errors import Conflict, InvalidInput, NotFound, Refused
from kitchen.ports import Control, Quota, Repository, SecretStore, Sessions, Workspaces


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
