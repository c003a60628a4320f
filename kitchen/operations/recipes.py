"""Where a kitchen's recipes are, and what they look like to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kitchen.domain.kitchen import Kind, Kitchen
from kitchen.domain.recipe import Recipe
from kitchen.engine.compile import compiled, places_of
from kitchen.engine.plan import Plan
from kitchen.errors import NotFound
from kitchen.operations.private_folders import private_folder
from kitchen.operations.run import Services, plan_recipe
from kitchen.operations.sharing import here, truth
from kitchen.ports import Repository


@dataclass(frozen=True, slots=True)
class Source:
    """A folder that holds ``recipes/``, and the commit it shows; ``+`` behind it says that files were changed since."""

    root: Path
    commit: str | None


@contextmanager
def source_of(repository: Repository, worktrees: Path, kitchen: Kitchen) -> Iterator[Source]:
    """Return a kitchen's recipes: its worktree's where it has one here, else its branch's (a candidate's commit's).

    Standing kitchens always show what is committed: a worktree that somebody is typing in is not what was merged.
    """
    worktree = worktrees / kitchen.name
    if kitchen.kind is Kind.WORKING and worktree.is_dir():
        head = repository.head(kitchen.branch) if kitchen.branch else None
        yield Source(worktree, f"{head}+" if head and repository.changes(worktree) else head)
        return
    where = truth if kitchen.kind is Kind.STANDING else here
    commit = where(repository, kitchen.branch) if kitchen.branch else kitchen.base_commit
    if commit is None:
        raise NotFound(
            f"branch {kitchen.branch!r} of kitchen {kitchen.name!r} is not in this repository", hint="git fetch"
        )
    with private_folder("recipes") as folder:
        root = folder.path / "files"
        repository.export(commit, root)
        yield Source(root, commit)


def compiled_sql(services: Services, kitchen: Kitchen, plan: Plan) -> dict[str, list[str]]:
    """Return the statements of each SQL node as this kitchen would run them now."""
    layer = services.layer(kitchen)
    session = services.sessions.open(services.credentials(kitchen), application=f"kitchen {kitchen.name} recipe")
    try:
        places = places_of(layer, services.tables.visible(session, layer))
    finally:
        session.close()
    found: dict[str, list[str]] = {}
    for node in plan.nodes:
        for table in node.writes:
            places.now_own(table)
        if node.readings:
            found[node.name] = list(compiled(node, places))
    return found


def document_of(plan: Plan) -> dict[str, object]:
    """Return a plan as data."""
    recipe = plan.recipe
    return {
        "name": recipe.name,
        "description": recipe.description,
        "owner": recipe.owner,
        "parameters": dict(plan.parameters),
        "variations": {name: dict(variation.parameters) for name, variation in recipe.variations.items()},
        "nodes": [
            {
                "name": node.name,
                "kind": node.node.kind,
                "source": node.node.source,
                "after": dict(node.follows),
                "reads": sorted(map(str, node.touches.reads)),
                "builds": sorted(map(str, node.touches.rebuilds)),
                "changes": sorted(map(str, node.touches.changes)),
                "drops": sorted(map(str, node.touches.drops - node.writes)),
                "once": node.node.once,
                "tests": {
                    "before": [{"name": test.name, "severity": test.severity} for test in node.node.before_tests],
                    "after": [{"name": test.name, "severity": test.severity} for test in node.node.after_tests],
                },
            }
            for node in plan.nodes
        ],
        "warnings": list(plan.warnings),
    }


def check(
    services: Services, kitchen: Kitchen, recipes: Mapping[str, Recipe], *, beside: Iterable[Recipe]
) -> dict[str, Plan]:
    """Return each recipe's plan over what a kitchen sees and those beside it make; raises InvalidInput at a fault."""
    all_of_them = tuple(beside)
    return {
        name: plan_recipe(services, kitchen, recipe, beside=[one for one in all_of_them if one.name != name])
        for name, recipe in recipes.items()
    }
