"""recipe: list, show, check, graph, find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import recipe_names, variation_names
from kitchen.cli.options import current_app, environment_option, json_option, kitchen_option
from kitchen.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from kitchen.app import App, Services
    from kitchen.domain.kitchen import Kitchen
    from kitchen.domain.recipe import Recipe


@click.group("recipe", short_help="list, show, check and find recipes")
def recipe_command() -> None:
    """List, show, check and find recipes."""


@recipe_command.command("list")
@kitchen_option
@environment_option
@json_option
def list_command(kitchen: str | None, environment: str | None, as_json: bool) -> None:
    """List the recipes of a kitchen (of the working folder, where that belongs to no kitchen)."""
    from kitchen.files.recipe import list_recipes, read_recipe

    app = current_app()
    with _root(app, kitchen, environment) as root:
        recipes = [read_recipe(root, name) for name in list_recipes(root)]
    rows = [
        {"name": recipe.name, "description": recipe.description, "owner": recipe.owner, "nodes": len(recipe.nodes),
         "tests": _tests(recipe),
         "variations": sorted(recipe.variations), "schedule": recipe.schedule}
        for recipe in recipes
    ]  # fmt: skip
    if as_json:
        output.emit_json(rows)
        return
    output.table(
        ["recipe", "nodes", "tests", "owner", "description"],
        [[row["name"], row["nodes"], row["tests"], row["owner"], row["description"]] for row in rows],
    )


@recipe_command.command("show")
@click.argument("recipe", metavar="RECIPE", shell_complete=recipe_names)
@click.option("--compiled", is_flag=True, help="Print the SQL as the kitchen runs it.")
@click.option(
    "--variation",
    metavar="V",
    shell_complete=variation_names,
    help="A named set of parameters and nodes of the recipe.",
)
@kitchen_option
@environment_option
@json_option
def show_command(
    recipe: str, *, compiled: bool, variation: str | None, kitchen: str | None, environment: str | None, as_json: bool
) -> None:
    """Show the nodes of RECIPE in the order in which they run, with what they read and write."""
    from kitchen.cli.runs import rows_of, show_nodes
    from kitchen.files.recipe import read_recipe
    from kitchen.operations.recipes import compiled_sql, document_of
    from kitchen.operations.run import plan_recipe

    app = current_app()
    with _root(app, kitchen, environment) as root:
        read = read_recipe(root, recipe)
    services, where = _kitchen(app, kitchen, environment)
    plan = plan_recipe(services, where, read, variation=variation)
    document = document_of(plan)
    sql = compiled_sql(services, where, plan) if compiled else {}
    if as_json:
        output.emit_json({**document, "kitchen": where.name, **({"compiled": sql} if compiled else {})})
        return
    if compiled:
        for name, statements in sql.items():
            output.emit(f"-- {name}")
            for statement in statements:
                output.emit(f"{statement};\n")
        return
    output.emit(f"{read.name}: {read.description}" if read.description else read.name)
    for parameter, value in plan.parameters.items():
        output.emit(f"  :{parameter} = {value}")
    show_nodes(rows_of(plan))
    for node in plan.nodes:
        for when, tests in (("before", node.node.before_tests), ("after", node.node.after_tests)):
            for test in tests:
                output.emit(f"  test {when} {node.name}: {test.name} ({test.severity})")
    for warning in plan.warnings:
        output.warn(warning)


@recipe_command.command("check")
@click.argument("recipes", metavar="[RECIPE]...", nargs=-1, shell_complete=recipe_names)
@kitchen_option
@environment_option
@json_option
def check_command(recipes: tuple[str, ...], kitchen: str | None, environment: str | None, as_json: bool) -> None:
    """Check the files of recipes, and every table they name, without running anything."""
    from kitchen.cli.runs import rows_of, show_nodes
    from kitchen.domain.words import counted
    from kitchen.files.recipe import list_recipes, read_recipe
    from kitchen.operations.recipes import check, document_of

    app = current_app()
    with _root(app, kitchen, environment) as root:
        read: dict[str, Recipe] = {name: read_recipe(root, name) for name in list_recipes(root)}
        asked = {name: read_recipe(root, name) for name in recipes or read}
    if not read:
        raise NotFound("there are no recipes here", hint="write recipes/<name>/recipe.yaml, or kitchen init")
    try:
        services, where = _kitchen(app, kitchen, environment)
        plans = check(services, where, asked, beside=read.values())
    except (NotFound, Unavailable) as closed:
        output.warn(f"only the files were checked, not the tables they name: {closed.message}")
        plans = {}
    if as_json:
        output.emit_json({name: document_of(plans[name]) if name in plans else None for name in asked})
        return
    for name, kept in asked.items():
        for warning in plans[name].warnings if name in plans else ():
            output.warn(warning)
        output.done(f"{name}: {counted(len(kept.nodes), 'node')}, {counted(_tests(kept), 'test')}")
        if name in plans:
            show_nodes(rows_of(plans[name]))


@recipe_command.command("graph")
@click.argument("recipe", metavar="RECIPE", shell_complete=recipe_names)
@kitchen_option
@environment_option
@json_option
def graph_command(recipe: str, kitchen: str | None, environment: str | None, *, as_json: bool) -> None:
    """Print the nodes of RECIPE as a Mermaid flow chart, each arrow with its reason."""
    from kitchen.files.recipe import read_recipe
    from kitchen.operations.run import plan_recipe

    app = current_app()
    with _root(app, kitchen, environment) as root:
        read = read_recipe(root, recipe)
    plan = plan_recipe(*_kitchen(app, kitchen, environment), read)
    if as_json:
        output.emit_json({"recipe": read.name, "nodes": {node.name: node.follows for node in plan.nodes}})
        return
    output.emit("flowchart TD")
    for node in plan.nodes:
        output.emit(f"  {node.name}[{node.name}]")
        for earlier, why in node.follows.items():
            output.emit(f'  {earlier} -->|"{why}"| {node.name}')


@recipe_command.command("find")
@click.argument("text")
@kitchen_option
@environment_option
@json_option
def find_command(text: str, kitchen: str | None, environment: str | None, as_json: bool) -> None:
    """Find TEXT in the files of recipes, upper and lower case alike."""
    from kitchen.files.recipe import list_recipes, read_recipe

    app = current_app()
    with _root(app, kitchen, environment) as root:
        recipes = [read_recipe(root, name) for name in list_recipes(root)]
    found = [
        {"recipe": recipe.name, "file": path, "line": number, "text": line.strip()}
        for recipe in recipes
        for path, source in recipe.sources.items()
        for number, line in enumerate(source.splitlines(), start=1)
        if text.casefold() in line.casefold()
    ]
    if as_json:
        output.emit_json(found)
        return
    for one in found:
        output.emit(f"recipes/{one['recipe']}/{one['file']}:{one['line']}: {one['text']}")
    if not found:
        raise NotFound(f"no recipe says {text[:60]!r}", hint="kitchen recipe list")


@contextmanager
def _root(app: App, kitchen: str | None, environment: str | None) -> Iterator[Path]:
    """Give the folder whose recipes are meant: a kitchen's, else the project's."""
    from kitchen.operations.recipes import source_of

    if kitchen is None and app.inferred_kitchen() is None:
        yield app.root
        return
    _, where = app.find(kitchen, environment)
    with source_of(app.repository, app.worktrees, where) as source:
        yield source.root


def _tests(recipe: Recipe) -> int:
    return sum(len(node.before_tests) + len(node.after_tests) for node in recipe.nodes)


def _kitchen(app: App, kitchen: str | None, environment: str | None) -> tuple[Services, Kitchen]:
    """Return the kitchen that is named or inferred, else the standing one where working kitchens are made."""
    try:
        return app.find(kitchen, environment)
    except InvalidInput:
        services = app.workbench(environment)
        return services, services.standing()
