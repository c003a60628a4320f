"""Where a kitchen begins that is to be as a run found it: its commit, over the kitchen in which it ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind
from kitchen.domain.run import Run
from kitchen.errors import NotFound
from kitchen.operations.sharing import fetch_if_there
from kitchen.ports import Control, Repository

Say = Callable[[str], None]


class Services(Protocol):
    """What this asks of the services of the run's environment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def control(self) -> Control: ...


@dataclass(frozen=True, slots=True)
class Start:
    """Where the branch begins, which kitchen is read through, and the pantry version that one reads."""

    commit: str
    parent: str
    pantry: int | None


def start_of(services: Services, repository: Repository, run: Run, *, say: Say) -> Start:
    """Return where to begin; a run in a kitchen that is gone, or was throwaway, is looked into over the standing one.

    Raises NotFound where the run's commit is not known, or not to be had.
    """
    kitchens, name = services.control.kitchens, services.environment.name
    parent = kitchens.get(run.kitchen)
    if parent is None or parent.kind is Kind.CANDIDATE:
        parent = kitchens.get(name)
    if parent is None:
        raise NotFound(f"environment {name!r} is not set up", hint=f"kitchen up {name}")
    if run.commit is None:
        raise NotFound(f"run {run.id} did not record its commit", hint="kitchen create NAME --branch B")
    if repository.resolve(run.commit) is None:
        fetch_if_there(repository, [parent.branch], say)
    if repository.resolve(run.commit) is None:
        raise NotFound(
            f"commit {run.commit[:12]} of the run is not here: {run.by} has not pushed it, or its branch is gone",
            hint=f"git fetch --all, or ask {run.by}",
        )
    return Start(run.commit, parent.name, parent.pantry)
