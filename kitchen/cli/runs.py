"""run, runs, test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.options import current_app, environment_option, json_option, kitchen_option
from kitchen.errors import InvalidInput, KitchenError, NotFound

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.kitchen import Kitchen
    from kitchen.domain.recipe import Recipe
    from kitchen.domain.run import Run
    from kitchen.operations.recipes import Source

SHORT = 8  # characters of a run's id that people type


@click.command("run", short_help="run a recipe with its tests")
@click.argument("recipe", metavar="RECIPE")
@click.option("--variation", metavar="V", help="A named set of parameters and nodes of the recipe.")
@click.option("--set", "settings", metavar="K=V", multiple=True, help="Set a parameter for this run.")
@click.option("--node", "nodes", metavar="N", multiple=True, help="Run only this node (may be given again).")
@click.option("--dry-run", is_flag=True, help="Print the nodes that would run, in order, and run none.")
@kitchen_option
@environment_option
@json_option
def run_command(
    recipe: str, *, variation: str | None, settings: tuple[str, ...], nodes: tuple[str, ...], dry_run: bool,
    kitchen: str | None, environment: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run RECIPE in a kitchen, with its tests.

    What a node writes is copied into the kitchen first. The run ends at the first stop test that fails (exit code 5)
    or the first node that breaks (exit code 1).
    """
    from kitchen.operations.run import plan_recipe, run_recipe

    with _at_hand(recipe, kitchen, environment) as (services, where, read, source):
        overrides = _overrides(read, variation, settings)
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
@click.argument("recipe", metavar="[RECIPE]", required=False)
@click.option("--variation", metavar="V", help="A named set of parameters and nodes of the recipe.")
@click.option("--set", "settings", metavar="K=V", multiple=True, help="Set a parameter for these tests.")
@kitchen_option
@environment_option
@json_option
def test_command(
    recipe: str | None, *, variation: str | None, settings: tuple[str, ...], kitchen: str | None,
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
    if as_json:
        output.emit_json(runs)
    else:
        _show_tests(runs)
    _require_all(runs)


@click.group("runs", short_help="runs of the past")
def runs_command() -> None:
    """Show the runs of an environment."""


@runs_command.command("list")
@kitchen_option
@environment_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@json_option
def list_runs(kitchen: str | None, environment: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    runs = current_app().workbench(environment).control.runs.all(kitchen=kitchen, limit=limit)
    if as_json:
        output.emit_json(runs)
        return
    now = datetime.now(UTC)
    output.table(
        ["run", "kitchen", "recipe", "state", "started", "took", "by", "message"],
        [
            [str(run.id)[:SHORT], run.kitchen, run.recipe, run.state, f"{output.ago(run.started_at, now)} ago",
             _took(run.started_at, run.ended_at), run.by, run.message]
            for run in runs
        ],
    )  # fmt: skip


@runs_command.command("show")
@click.argument("identity", metavar="RUN")
@environment_option
@json_option
def show_run(identity: str, environment: str | None, as_json: bool) -> None:
    """Show the nodes and tests of RUN (the beginning of its id)."""
    run = _find_run(current_app(), identity, environment)
    if as_json:
        output.emit_json(run)
        return
    variation = f" ({run.variation})" if run.variation else ""
    output.emit(
        f"{run.state}: {run.recipe}{variation} in {run.kitchen}, by {run.by}, {run.started_at:%Y-%m-%d %H:%M:%S %Z}"
    )
    output.emit(f"run {run.id}, commit {run.commit or 'unknown'}")
    if run.parameters:
        output.emit("parameters: " + ", ".join(f"{name}={value}" for name, value in run.parameters.items()))
    if run.message:
        output.emit(run.message)
    if run.nodes:
        output.emit("")
        output.table(
            ["node", "attempt", "state", "took", "rows", "message"],
            [[node.node, node.attempt, node.state, _took(node.started_at, node.ended_at), node.rows, node.message]
             for node in run.nodes],
        )  # fmt: skip
    if run.tests:
        output.emit("")
        _show_tests([run])


@runs_command.command("logs")
@click.argument("identity", metavar="RUN")
@click.argument("node", required=False)
@environment_option
def run_logs(identity: str, node: str | None, environment: str | None) -> None:
    """Print what the programs of RUN (or of its NODE) printed."""
    run = _find_run(current_app(), identity, environment)
    if node is not None and node not in {one.node for one in run.nodes}:
        raise NotFound(f"run {identity} has no node {node!r}", hint=f"kitchen runs show {identity}")
    for one in run.nodes:
        if node is None and one.log:
            output.say(f"--- {one.node}, attempt {one.attempt}: {one.state}")
        if node in (None, one.node) and one.log:
            click.echo(one.log, nl=False)


# --- helpers ----------------------------------------------------------------------------------------------------------


@contextmanager
def _at_hand(
    recipe: str, kitchen: str | None, environment: str | None
) -> Iterator[tuple[Services, Kitchen, Recipe, Source]]:
    from kitchen.files.recipe import read_recipe
    from kitchen.operations.recipes import source_of

    app = current_app()
    services, where = app.find(kitchen, environment)
    with source_of(app.repository, app.worktrees, where) as source:
        yield services, where, read_recipe(source.root, recipe), source


def _overrides(recipe: Recipe, variation: str | None, settings: Sequence[str]) -> dict[str, object]:
    from kitchen.engine.plan import parameters_of
    from kitchen.operations.run import typed

    told: dict[str, str] = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not sign:
            raise InvalidInput(f"--set {setting[:60]!a} has no value", hint="--set name=value")
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
    rows = [row for row in _rows(document) if not nodes or row["name"] in nodes]
    if as_json:
        output.emit_json({**document, "kitchen": kitchen.name, "nodes": rows})
        return
    show_nodes(rows)
    for warning in plan.warnings:
        output.warn(warning)
    output.say(f"nothing was run; without --dry-run it runs in kitchen {kitchen.name} of {services.environment.name}")


def _rows(document: Mapping[str, object]) -> list[dict[str, object]]:
    nodes = document["nodes"]
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
        output.done(
            f"{run.recipe} passed in {run.kitchen}: {_many(ran, 'node')}, {_many(len(run.tests), 'test')}{notes},"
            f" {_took(run.started_at, run.ended_at)}; kitchen runs show {short}"
        )
    require_passed(run.state, run.message, identity=short)


def _require_all(runs: Sequence[Run]) -> None:
    from kitchen.domain.run import RunState
    from kitchen.engine.runner import require_passed

    for state in (RunState.FAILED, RunState.ERRORED):
        for run in runs:
            if run.state is state:
                require_passed(run.state, f"{run.recipe}: {run.message}", identity=str(run.id)[:SHORT])


def _show_tests(runs: Sequence[Run]) -> None:
    output.table(
        ["recipe", "node", "when", "test", "result", "measured", "expected"],
        [
            [run.recipe, result.node, result.phase, result.test, _result(result.passed, result.error, result.severity),
             result.error or result.measured, result.expected]
            for run in runs
            for result in run.tests
        ],
    )  # fmt: skip


def _result(passed: bool, error: str | None, severity: str) -> str:
    if passed:
        return "passed"
    return f"{'error' if error else 'failed'} ({severity})"


def _find_run(app: App, identity: str, environment: str | None) -> Run:
    """Look in the named environment, else in the workbench and then in the others."""
    first = app.workbench(environment)
    others = [] if environment else [e for e in app.environments.environments if e != first.environment.name]
    run = first.control.runs.get(identity.lower())
    for name in others:
        if run is not None:
            break
        try:
            run = app.services(name).control.runs.get(identity.lower())
        except KitchenError as closed:
            output.say(f"{name} could not be asked: {closed.message}")
    if run is None:
        raise NotFound(f"there is no run {identity[:40]!a}", hint="kitchen runs list")
    return run


def _took(begun: datetime, ended: datetime | None) -> str:
    return f"{(ended - begun).total_seconds():.1f} s" if ended is not None else ""


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
