"""run, test, and the runs of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import node_names, recipe_names, run_ids, variation_names
from kitchen.cli.junit import write_junit
from kitchen.cli.options import (
    current_app,
    environment_option,
    json_option,
    kitchen_option,
    never_asks,
)
from kitchen.cli.run_history import SHORT, find_run, runs_command, show_tests, took
from kitchen.domain.words import counted
from kitchen.errors import InvalidInput

__all__ = ["run_command", "runs_command", "test_command"]

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.kitchen import Kitchen
    from kitchen.domain.recipe import Recipe
    from kitchen.domain.run import Run
    from kitchen.engine.plan import Plan
    from kitchen.operations.recipes import Source


@click.command("run", short_help="run a recipe with its tests")
@click.argument("recipe", metavar="RECIPE", shell_complete=recipe_names)
@click.option(
    "--variation",
    metavar="V",
    shell_complete=variation_names,
    help="A named set of parameters and nodes of the recipe.",
)
@click.option("--set", "settings", metavar="K=V", multiple=True, help="Set a parameter for this run.")
@click.option(
    "--node",
    "nodes",
    metavar="N",
    multiple=True,
    shell_complete=node_names,
    help="Run only this node (may be given again).",
)
@click.option("--affected", is_flag=True, help="Run only what differs from the parent's branch, and what follows.")
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=run_ids,
    help="Run what RUN left, with its parameters, and what changed since.",
)
@click.option("--dry-run", is_flag=True, help="Print the nodes that would run, in order, and run none.")
@never_asks
@kitchen_option
@environment_option
@json_option
def run_command(
    recipe: str, *, variation: str | None, settings: tuple[str, ...], nodes: tuple[str, ...], affected: bool,
    resume: str | None, dry_run: bool, kitchen: str | None, environment: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run RECIPE in a kitchen, with its tests.

    What a node writes is copied into the kitchen first. The run ends at the first stop test that fails (exit code 5)
    or the first node that breaks (exit code 1).
    """
    from kitchen.files.recipe import read_recipe
    from kitchen.operations.run import plan_recipe, run_recipe
    from kitchen.operations.selection import affected_nodes, parameters_then, resumed_nodes

    if sum([bool(nodes), affected, resume is not None]) > 1 or (resume and (variation or settings)):
        raise InvalidInput(
            "--node, --affected and --resume choose nodes: use one; --resume brings its own parameters",
            hint=f"kitchen run {recipe}",
        )
    with _at_hand(recipe, kitchen, environment) as (app, services, where, read, source):
        overrides = _overrides(read, variation, settings)
        if resume is not None:
            _, earlier = find_run(app, resume, where.environment)
            variation, overrides = earlier.variation, parameters_then(read, earlier)
            nodes = resumed_nodes(services, app.repository, read_recipe, where, read, run=earlier)
        if affected:
            nodes = affected_nodes(
                services, app.repository, read_recipe, where, read, variation=variation, overrides=overrides
            )
            if not nodes:
                output.done(f"{recipe} is as it is in {where.mends or where.parent}: nothing to run")
                if as_json:
                    output.emit_json(None)
                return
        if dry_run:
            plan = plan_recipe(services, where, read, variation=variation, overrides=overrides)
            _show_plan(services, where, plan, nodes, as_json=as_json)
            return
        run = run_recipe(
            services, where, read, variation=variation, overrides=overrides, nodes=nodes or None, folder=source.root,
            commit=source.commit, say=output.step,
        )  # fmt: skip
    _end(run, as_json=as_json)


@click.command("test", short_help="evaluate tests on what is there")
@click.argument("recipe", metavar="[RECIPE]", required=False, shell_complete=recipe_names)
@click.option(
    "--variation",
    metavar="V",
    shell_complete=variation_names,
    help="A named set of parameters and nodes of the recipe.",
)
@click.option("--set", "settings", metavar="K=V", multiple=True, help="Set a parameter for these tests.")
@kitchen_option
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="F", help="Write JUnit XML to F.")
@environment_option
@json_option
def test_command(
    recipe: str | None, *, variation: str | None, settings: tuple[str, ...], kitchen: str | None, junit: Path | None,
    environment: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Evaluate the tests of RECIPE (or of every recipe) on what is there; no node runs."""
    from kitchen.files.recipe import list_recipes, read_recipe
    from kitchen.operations.recipes import source_of
    from kitchen.operations.run import run_tests

    app = current_app()
    services, where = app.find(kitchen, environment)
    runs = []
    with source_of(app.repository, app.worktrees, where) as source:
        for name in [recipe] if recipe else list_recipes(source.root):
            read = read_recipe(source.root, name)
            overrides = _overrides(read, variation, settings)
            runs.append(
                run_tests(
                    services,
                    where,
                    read,
                    variation=variation,
                    overrides=overrides,
                    commit=source.commit,
                    say=output.warn,
                )
            )
    if junit is not None:
        write_junit(junit, runs)
    if as_json:
        output.emit_json(runs)
    else:
        show_tests(runs)
    _require_all(runs)


# --- helpers ----------------------------------------------------------------------------------------------------------


@contextmanager
def _at_hand(
    recipe: str, kitchen: str | None, environment: str | None
) -> Iterator[tuple[App, Services, Kitchen, Recipe, Source]]:
    from kitchen.files.recipe import read_recipe
    from kitchen.operations.recipes import source_of

    app = current_app()
    services, where = app.find(kitchen, environment)
    with source_of(app.repository, app.worktrees, where) as source:
        yield app, services, where, read_recipe(source.root, recipe), source


def _overrides(recipe: Recipe, variation: str | None, settings: Sequence[str]) -> dict[str, object]:
    from kitchen.engine.plan import parameters_of
    from kitchen.operations.run import typed

    told: dict[str, str] = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not sign:
            raise InvalidInput(f"--set {setting[:60]!r} has no value", hint="--set name=value")
        told[name] = value
    declared = parameters_of(recipe, variation, dict(told))
    declared = {**declared, **parameters_of(recipe, variation, {})}
    return {name: typed(name, value, declared[name]) for name, value in told.items()}


def _show_plan(services: Services, kitchen: Kitchen, plan: object, nodes: Sequence[str], *, as_json: bool) -> None:
    from kitchen.engine.plan import Plan
    from kitchen.operations.recipes import document_of

    assert isinstance(plan, Plan)  # noqa: S101 - imported late: start-up time
    for name in nodes:
        plan.node(name)
    document = document_of(plan)
    rows = [row for row in rows_of(plan) if not nodes or row["name"] in nodes]
    if as_json:
        output.emit_json({**document, "kitchen": kitchen.name, "nodes": rows})
        return
    show_nodes(rows)
    for warning in plan.warnings:
        output.warn(warning)
    output.say(f"nothing was run; without --dry-run it runs in kitchen {kitchen.name} of {services.environment.name}")


def rows_of(plan: Plan) -> list[dict[str, object]]:
    """Return what is shown of each node of a plan, in its order."""
    from kitchen.operations.recipes import document_of

    nodes = document_of(plan)["nodes"]
    assert isinstance(nodes, list)  # noqa: S101
    return nodes


def show_nodes(rows: Sequence[Mapping[str, object]]) -> None:
    """Print planned nodes in their order."""
    output.table(
        ["node", "kind", "reads", "builds", "changes", "comes after"],
        [
            [row["name"], row["kind"], _listed(row["reads"]), _listed(row["builds"]), _listed(row["changes"]),
             _listed(row["after"])]
            for row in rows
        ],
    )  # fmt: skip


def _listed(names: object) -> str:
    assert isinstance(names, list | dict)  # noqa: S101
    return ", ".join(names)


def _end(run: Run, *, as_json: bool) -> None:
    from kitchen.domain.run import RunState
    from kitchen.engine.runner import require_passed

    if as_json:
        output.emit_json(run)
    short = str(run.id)[:SHORT]
    failed = [result for result in run.tests if not result.passed]
    if run.state is RunState.PASSED and not as_json:
        ran = sum(node.state is RunState.PASSED for node in run.nodes)
        notes = f", {len(failed)} of them not passed (warn or log)" if failed else ""
        if not run.tests:
            output.warn(f"no test looked at what {run.recipe} did: add tests: to its recipe.yaml")
        output.done(
            f"{run.recipe} passed in {run.kitchen}: {counted(ran, 'node')}, {counted(len(run.tests), 'test')}{notes},"
            f" {took(run.started_at, run.ended_at)}; kitchen runs show {short}"
        )
    require_passed(run.state, run.message, identity=short)


def _require_all(runs: Sequence[Run]) -> None:
    from kitchen.domain.run import RunState
    from kitchen.engine.runner import require_passed

    for state in (RunState.FAILED, RunState.ERRORED):
        for run in runs:
            if run.state is state:
                require_passed(run.state, f"{run.recipe}: {run.message}", identity=str(run.id)[:SHORT])
