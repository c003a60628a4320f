"""runs: list, show, logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import run_ids
from kitchen.cli.options import current_app, environment_option, json_option, kitchen_option
from kitchen.errors import KitchenError, NotFound

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.run import Run

SHORT = 8  # characters of a run's id that people type
FLOORS = {"kitchen": 7, "recipe": 7, "by": 5, "message": 8}


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
             took(run.started_at, run.ended_at), run.by, run.message]
            for run in runs
        ],
        floors=FLOORS,
    )  # fmt: skip


@runs_command.command("show")
@click.argument("identity", metavar="RUN", shell_complete=run_ids)
@environment_option
@json_option
def show_run(identity: str, environment: str | None, as_json: bool) -> None:
    """Show the nodes and tests of RUN (the beginning of its id)."""
    _, run = find_run(current_app(), identity, environment)
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
            [[node.node, node.attempt, node.state, took(node.started_at, node.ended_at), node.rows, node.message]
             for node in run.nodes],
        )  # fmt: skip
    if run.tests:
        output.emit("")
        show_tests([run])


@runs_command.command("logs")
@click.argument("identity", metavar="RUN", shell_complete=run_ids)
@click.argument("node", required=False)
@environment_option
@json_option
def run_logs(identity: str, node: str | None, environment: str | None, *, as_json: bool) -> None:
    """Print what the programs of RUN (or of its NODE) printed."""
    _, run = find_run(current_app(), identity, environment)
    if node is not None and node not in {one.node for one in run.nodes}:
        raise NotFound(f"run {identity} has no node {node!r}", hint=f"kitchen runs show {identity}")
    if as_json:
        chosen = [one for one in run.nodes if node in (None, one.node)]
        output.emit_json([{"node": one.node, "attempt": one.attempt, "state": one.state, "log": one.log}
                          for one in chosen])  # fmt: skip
        return
    for one in run.nodes:
        if node is None and one.log:
            output.say(f"--- {one.node}, attempt {one.attempt}: {one.state}")
        if node in (None, one.node) and one.log:
            output.emit(one.log.removesuffix("\n"))


def show_tests(runs: Sequence[Run]) -> None:
    """Print what tests gave."""
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


def find_run(app: App, identity: str, environment: str | None) -> tuple[Services, Run]:
    """Return a run and where it is recorded: in the named environment, else in the workbench, else in the others."""
    first = app.workbench(environment)
    run = first.control.runs.get(identity.lower())
    if run is not None:
        return first, run
    for name in () if environment else [e for e in app.environments.environments if e != first.environment.name]:
        services = app.services(name)
        try:
            run = services.control.runs.get(identity.lower())
        except KitchenError as closed:
            output.say(f"{name} could not be asked: {closed.message}")
        if run is not None:
            return services, run
    raise NotFound(f"there is no run {identity[:40]!r}", hint="kitchen runs list")


def took(begun: datetime, ended: datetime | None) -> str:
    """Return how long something took, empty while it goes on."""
    return f"{(ended - begun).total_seconds():.1f} s" if ended is not None else ""
