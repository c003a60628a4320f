"""Real names for a shell that completes: of what is there and answers; nothing is started, and nothing is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.errors import KitchenError

if TYPE_CHECKING:
    from kitchen.domain.kitchen import Kitchen
    from kitchen.domain.recipe import Recipe

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _completing(names: Callable[[App, click.Context], Iterable[str]]) -> Complete:
    """Return what click asks; where there is no project, or no server, nobody has anything to say."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        found: list[str] = []
        with suppress(KitchenError, OSError):
            found += (name for name in names(App(Path.cwd()), ctx) if name.startswith(incomplete))
        return list(dict.fromkeys(found))

    return complete


def _running(app: App, ctx: click.Context) -> Iterator[Services]:
    told, known = ctx.params.get("environment"), tuple(app.environments.environments)
    for name in [name for name in known if name == told] or known:
        services = app.services(name)
        if services.embedded is None or services.embedded.is_running():
            yield services


def _kitchens(app: App, ctx: click.Context) -> Iterator[str]:
    for services in _running(app, ctx):
        with suppress(KitchenError):  # nobody needs production to work in dev
            yield from (kitchen.name for kitchen in services.control.kitchens.all())


def _parents(app: App, ctx: click.Context) -> Iterator[str]:
    yield from _kitchens(app, ctx)
    yield from app.environments.environments


def _branches(app: App, ctx: click.Context) -> Iterator[str]:
    yield from app.repository.branches()


def _kitchen(app: App, ctx: click.Context) -> tuple[Services, Kitchen] | None:
    """Return the kitchen that the words before speak of, where its server runs."""
    name = ctx.params.get("kitchen_option") or ctx.params.get("kitchen") or app.inferred_kitchen()
    for services in _running(app, ctx):
        found = services.control.kitchens.get(str(name)) if name is not None else None
        if found is not None:
            return services, found
    return None


def _tables(app: App, ctx: click.Context) -> Iterator[str]:
    meant = _kitchen(app, ctx)
    if meant is None:
        return
    services, kitchen = meant
    with services.sessions.open(services.credentials(kitchen), application="kitchen completion") as session:
        for one in services.tables.visible(session, services.layer(kitchen)):
            if one.kind == "sequence":
                continue
            yield one.logical.name if len(services.layout.logical) == 1 else str(one.logical)


def _runs(app: App, ctx: click.Context) -> Iterator[str]:
    for services in _running(app, ctx):
        with suppress(KitchenError):
            yield from (str(run.id)[:8] for run in services.control.runs.all(limit=50))


def _releases(app: App, ctx: click.Context) -> Iterator[str]:
    for services in _running(app, ctx):
        with suppress(KitchenError):
            yield from (str(release.number) for release in services.control.releases.all(limit=50))


def _versions(app: App, ctx: click.Context) -> Iterator[str]:
    for services in _running(app, ctx):
        with suppress(KitchenError):
            yield from (f"v{one.version}" for one in services.control.pantries.all())


def _unfinished(app: App, ctx: click.Context) -> Iterator[str]:
    for services in _running(app, ctx):
        with suppress(KitchenError):
            yield from (str(operation.id)[:8] for operation in services.control.journal.unfinished())


def _staff(app: App, ctx: click.Context) -> tuple[str, ...]:
    meant = _kitchen(app, ctx)
    return meant[1].staff if meant is not None else ()


def _recipes(app: App, ctx: click.Context) -> tuple[str, ...]:
    from kitchen.files.recipe import list_recipes

    root = _recipes_root()
    return list_recipes(root) if root is not None else ()


def _recipes_root() -> Path | None:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "recipes").is_dir()), None)


def _recipe(ctx: click.Context) -> Recipe | None:
    from kitchen.files.recipe import read_recipe

    root, name = _recipes_root(), ctx.params.get("recipe") or next(iter(ctx.args), None)  # not yet parsed, with options
    return read_recipe(root, str(name)) if root is not None and name is not None else None


def _nodes(app: App, ctx: click.Context) -> Iterator[str]:
    recipe = _recipe(ctx)
    yield from (node.name for node in recipe.nodes) if recipe is not None else ()


def _variations(app: App, ctx: click.Context) -> Iterable[str]:
    recipe = _recipe(ctx)
    return recipe.variations if recipe is not None else ()


kitchen_names = _completing(_kitchens)
parent_names = _completing(_parents)
branch_names = _completing(_branches)
environment_names = _completing(lambda app, _: app.environments.environments)
recipe_names = _completing(_recipes)
node_names = _completing(_nodes)
variation_names = _completing(_variations)
table_names = _completing(_tables)
run_ids = _completing(_runs)
release_numbers = _completing(_releases)
pantry_versions = _completing(_versions)
unfinished_ids = _completing(_unfinished)
staff_names = _completing(_staff)
