"""``kitchen create``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import branch_names, parent_names, run_ids
from kitchen.cli.options import changing_options, current_app, environment_option, json_option
from kitchen.domain.duration import parse_duration
from kitchen.errors import InvalidInput

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.operations.create_plan import Wish


def time_to_live(text: str) -> timedelta:
    """Return the meaning of 12h, 14d or 2w; raises InvalidInput, also for no time at all."""
    found = parse_duration(text)
    if not found:
        raise InvalidInput(f"{text[:20]!r} is no time to live", hint="14d, 12h or 2w")
    return found


@click.command("create")
@click.argument("name", required=False)
@click.option(
    "--parent",
    metavar="K",
    shell_complete=parent_names,
    help="The kitchen to layer over, or the environment that a hotfix mends; else the standing kitchen.",
)
@click.option(
    "--branch",
    metavar="B",
    shell_complete=branch_names,
    help="An existing branch to work on, or what to call the new one.",
)
@click.option("--data", default="layer", show_default=True, help="layer, copy, sample:10% or none.")
@click.option("--isolated", is_flag=True, help="Leave the parents' tables out; only the pantry is read through.")
@click.option("--ttl", metavar="14d", help="When it expires.")
@click.option("--staff", multiple=True, metavar="PERSON", help="Who else may use it.")
@click.option("--ticket", metavar="ABC-1", help="What it is for.")
@click.option(
    "--from-run",
    metavar="RUN",
    shell_complete=run_ids,
    help="Begin at the commit of this run, over the kitchen that it ran in.",
)
@environment_option
@changing_options
@json_option
def create_command(
    *, name: str | None, parent: str | None, branch: str | None, data: str, isolated: bool, ttl: str | None,
    staff: tuple[str, ...], ticket: str | None, from_run: str | None, environment: str | None, dry_run: bool,
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Make a kitchen: a branch in its own folder, a schema over the pantry, credentials that open nothing else."""
    from kitchen.operations.create import create_steps, create_working
    from kitchen.operations.create_plan import Wish, plan_working
    from kitchen.operations.governing import govern

    _refuse_other_data(data)
    wish = Wish(
        name, parent, branch, isolated or data == "none", time_to_live(ttl) if ttl else None, staff, ticket, data
    )
    app = current_app()
    if from_run is not None:
        wish, environment = _beginning_at(app, wish, from_run, environment)
    services = _workbench(app, wish.parent, environment)
    creation = plan_working(
        services,
        app.repository,
        app.worktrees,
        wish,
        person=services.person,
        environments=app.environments.environments,
        say=output.warn,
        govern=lambda: govern(services, app.repository, say=output.warn, asks=False, may_be_new=True),
    )
    if dry_run:
        steps = create_steps(services, creation, repository=app.repository)
        output.steps((step.says for step in steps), as_json=as_json)
        return
    made = create_working(services, app.repository, creation, say=output.step)
    if as_json:
        output.emit_json({"kitchen": made, "worktree": creation.worktree, "schemas": services.layout.schemas(made)})
        return
    output.done(f"kitchen {made.name} is ready in {made.environment}, on branch {made.branch}")
    output.emit(str(creation.worktree))
    output.say(f"next: kitchen enter {made.name}")


def _refuse_other_data(data: str) -> None:
    from kitchen.domain.sample import share_of

    if data in ("layer", "copy", "none"):
        return
    kind, _, share = data.partition(":")
    if kind != "sample":
        raise InvalidInput(
            f"--data {data[:20]!r} is none of layer, copy, sample:10% and none",
            hint="kitchen create NAME --data sample:10%",
        )
    share_of(share)


def _workbench(app: App, parent: str | None, environment: str | None) -> Services:
    """Return where the kitchen will live: a hotfix lives in the nearest environment below the one that it mends."""
    if environment is None and parent in app.environments.environments:
        return app.services(app.environments.workbench_below(str(parent)).name)
    return app.workbench(environment)


def _beginning_at(app: App, wish: Wish, run: str, environment: str | None) -> tuple[Wish, str | None]:
    """Return the wish for a kitchen as a run found it, and its environment: None where another one is mended."""
    from kitchen.cli.run_history import find_run
    from kitchen.operations.create_from_run import start_of

    if wish.parent is not None or wish.branch is not None:
        raise InvalidInput("--from-run says where the branch begins", hint=f"kitchen create NAME --from-run {run[:36]}")
    services, found = find_run(app, run, environment)
    start = start_of(services, app.repository, found, say=output.warn)
    output.say(f"{found.recipe} {found.state} in {found.kitchen} at {start.commit[:12]}: the branch begins there")
    begun = replace(wish, parent=start.parent, commit=start.commit, pantry=start.pantry)
    return begun, services.environment.name if services.environment.kitchens.working else None
