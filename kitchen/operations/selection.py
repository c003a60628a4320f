"""Which nodes of a recipe to run: those that a branch changed, or those that an earlier run left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from kitchen.domain.kitchen import Kitchen
from kitchen.domain.recipe import Recipe
from kitchen.domain.run import Run, RunState
from kitchen.engine.fingerprint import affected
from kitchen.engine.plan import Plan, parameters_of, plan
from kitchen.errors import InvalidInput, NotFound, Refused
from kitchen.operations.above import above_of
from kitchen.operations.private_folders import private_folder
from kitchen.operations.run import Services, plan_recipe, typed
from kitchen.operations.sharing import truth
from kitchen.ports import Repository

ReadRecipe = Callable[[Path, str], Recipe]


def affected_nodes(
    services: Services, repository: Repository, read: ReadRecipe, kitchen: Kitchen, recipe: Recipe, *,
    variation: str | None, overrides: Mapping[str, object],
) -> tuple[str, ...]:  # fmt: skip
    """Return the nodes, in order, that are not as they are on the parent's branch, and all that follows from them.

    Raises Refused for a kitchen without parent.
    """
    above = above_of(kitchen, services.control.kitchens.all(), services.chain)
    commit = truth(repository, above.branch) if above is not None else None
    if commit is None:
        raise Refused(
            f"kitchen {kitchen.name!r} has no parent to be compared with", hint="kitchen run without --affected"
        )
    new = plan_recipe(services, kitchen, recipe, variation=variation, overrides=overrides)
    base = _as_it_was(services, repository, read, new, commit=commit, variation=variation)
    return _in_order(new, affected(base, new))


def resumed_nodes(
    services: Services, repository: Repository, read: ReadRecipe, kitchen: Kitchen, recipe: Recipe, *, run: Run
) -> tuple[str, ...]:
    """Return the nodes, in order, that a run did not pass, those changed since, and all that follows from them.

    Raises Refused where it was another kitchen's or recipe's run, or left nothing.
    """
    if (run.kitchen, run.recipe) != (kitchen.name, recipe.name):
        raise Refused(f"that run was of {run.recipe!r} in kitchen {run.kitchen!r}", hint="kitchen runs list")
    if run.state in (RunState.PASSED, RunState.RUNNING):
        how = "passed" if run.state is RunState.PASSED else "goes on"
        raise Refused(f"there is nothing to resume: the run {how}", hint=f"kitchen runs show {str(run.id)[:8]}")
    new = plan_recipe(services, kitchen, recipe, variation=run.variation, overrides=parameters_then(recipe, run))
    passed = {node.node for node in run.nodes if node.state is RunState.PASSED}
    left = {node.name for node in new.nodes} - passed
    if run.commit is None or run.commit.endswith("+"):
        return _in_order(new, {node.name for node in new.nodes})  # nobody knows which files it ran
    base = _as_it_was(services, repository, read, new, commit=run.commit, variation=run.variation)
    return _in_order(new, new.downstream(left) | affected(base, new))


def parameters_then(recipe: Recipe, run: Run) -> dict[str, object]:
    """Return the parameters of an earlier run, as this recipe types them; those it no longer has are left out."""
    declared = parameters_of(recipe, run.variation if run.variation in recipe.variations else None, {})
    return {
        name: typed(name, value, declared[name])
        if isinstance(value, str) and isinstance(declared[name], date)
        else value
        for name, value in run.parameters.items()
        if name in declared
    }


def _as_it_was(
    services: Services, repository: Repository, read: ReadRecipe, new: Plan, *, commit: str, variation: str | None
) -> Plan | None:
    """Plan the recipe as a commit has it, over the same tables; None where that commit has none that can be planned."""
    with private_folder("before") as folder:
        root = folder.path / "files"
        repository.export(commit, root)
        try:
            old = read(root, new.recipe.name)
            told = {name: value for name, value in new.parameters.items() if name in old.parameters}
            return plan(old, services.layout, new.names.known, variation=variation, overrides=told)
        except (InvalidInput, NotFound):
            return None


def _in_order(planned: Plan, names: frozenset[str] | set[str]) -> tuple[str, ...]:
    return tuple(node.name for node in planned.nodes if node.name in names)
