"""What happens in a kitchen after it is made and before it goes: data copied, the environment's recipes run.

The steps of ``create`` stand after its pivot: the kitchen is there, and what failed is finished by ``kitchen recover``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from kitchen.domain.kitchen import Kitchen
from kitchen.domain.run import RunState
from kitchen.errors import NotFound, Refused
from kitchen.files.recipe import read_recipe
from kitchen.operations.hydrate import HydrateServices
from kitchen.operations.hydrate_sample import PREFIX, sample_step
from kitchen.operations.run import Services as RunServices
from kitchen.operations.run import run_recipe
from kitchen.operations.subset import Say
from kitchen.saga import Step


class FurnishServices(RunServices, HydrateServices, Protocol):
    """What furnishing asks of an environment's services."""


def furnish_steps(
    services: FurnishServices, kitchen: Kitchen, worktree: Path | None, recipes: Sequence[str], *, say: Say
) -> list[Step]:
    """Return the steps that fill a new kitchen: copying what it reads, if so wished, then the recipes, in order."""
    steps = [_copy_step(services, kitchen)] if kitchen.data == "copy" else []
    if kitchen.data.startswith(PREFIX):
        steps.append(sample_step(services, kitchen, say=say))
    return steps + [_recipe_step(services, kitchen, worktree, recipe, "create") for recipe in recipes]


def farewell_steps(
    services: FurnishServices, kitchen: Kitchen, worktree: Path | None, recipes: Sequence[str]
) -> list[Step]:
    """Return the steps that run the environment's recipes in a kitchen that is about to be deleted."""
    return [_recipe_step(services, kitchen, worktree, recipe, "delete") for recipe in recipes]


def _copy_step(services: FurnishServices, kitchen: Kitchen) -> Step:
    """Hydrate everything that the kitchen reads; each table commits by itself, and what is there stays."""

    def do() -> None:
        layer = services.layer(kitchen)
        session = services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} copy")
        try:
            for relation in services.tables.visible(session, layer):
                if relation.kind in ("table", "partitioned table"):
                    services.tables.hydrate(session, layer, relation.logical)
        finally:
            session.close()

    return Step("create copy", "copying every table that it reads", do=do, look=lambda: False)


def _recipe_step(services: FurnishServices, kitchen: Kitchen, worktree: Path | None, recipe: str, when: str) -> Step:
    def do() -> None:
        found = services.control.kitchens.get(kitchen.name)
        if found is None or worktree is None or not worktree.exists():
            raise NotFound(
                f"kitchen {kitchen.name!r} has no worktree here to run {recipe!r} from",
                hint=f"kitchen enter {kitchen.name}",
            )
        read = read_recipe(worktree, recipe)
        run = run_recipe(services, found, read, folder=worktree, commit=None, say=lambda _: None)
        if run.state is not RunState.PASSED:
            raise Refused(
                f"recipe {recipe!r}, which {kitchen.environment!r} runs on {when}, {run.state}: {run.message}",
                hint=f"kitchen runs show {str(run.id)[:8]}",
            )

    return Step(f"{when} run {recipe}", f"running recipe {recipe}", do=do, look=lambda: False)
