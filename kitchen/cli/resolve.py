"""``kitchen resolve``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option, kitchen_argument
from kitchen.domain.kitchen import Kind
from kitchen.errors import Conflict

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.environment import Environment
    from kitchen.domain.kitchen import Kitchen
    from kitchen.operations.resolve import Resolution


@click.command("resolve")
@kitchen_argument
@environment_option
@click.option("--abort", is_flag=True, help="Give up: put the files back to what they were before the merge.")
@changing_options
@json_option
def resolve_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, abort: bool, dry_run: bool, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Take an update on whose files conflict: first put both versions into them, then, mended, commit and go on.

    Type it as often as you like: it says what is left to do. It leaves with 4 while files are unresolved. What a
    standing kitchen, such as dev, and the environment above it both changed is mended in a working kitchen that this
    makes; merge that one when it is done.
    """
    from kitchen.operations.above import Above
    from kitchen.operations.resolve import examine, give_up

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    from_above = None
    if found.kind is Kind.STANDING and services.environment.parent is not None:
        above = app.environments.get(services.environment.parent)
        stand_in = _stand_in(app, services, found, above, dry_run=dry_run, as_json=as_json)
        if stand_in is None:
            return
        found, from_above = stand_in, Above(above.name, above.branch)
    now = examine(services, app.repository, found, parent=from_above)
    into = f"{now.parent.branch} into {found.branch}"
    if dry_run:
        plan = "give up the merge of" if abort else "begin the merge of" if now.conflicts else "commit the merge of"
        says = f"{plan} {into}" if abort or now.conflicts or now.is_under_way else "nothing to resolve"
        output.steps([says], as_json=as_json)
    elif abort:
        give_up(app.repository, now)
        output.done(f"the merge of {into} is given up; the files are as they were")
    elif now.conflicts or now.is_under_way:
        _go_on(app, services, now, as_json=as_json)
    else:
        output.done(f"nothing to resolve: {found.name} and {now.parent.name} do not conflict")
        if from_above is not None:
            output.say(f"next: kitchen merge {found.name}, or kitchen update {found.name} where it is behind")
        _report(found, as_json=as_json)


def _go_on(app: App, services: Services, now: Resolution, *, as_json: bool) -> None:
    """Begin the merge, or commit it where everything is mended; raises Conflict while something is not."""
    from kitchen.operations.resolve import begin, finish
    from kitchen.operations.unfinished import halted, way_out

    found = now.kitchen
    if now.conflicts:
        output.step(f"merging {now.parent.branch} into {found.branch}, with both versions in the files that conflict")
        now = begin(app.repository, now)
    if now.changes.to_mend:
        if not as_json:
            for path in now.changes.to_mend:
                output.emit(str(now.worktree / path))
        _report(found, now.changes.to_mend, as_json=as_json)
        raise Conflict(halted(now.worktree, now.changes), hint=way_out(now.worktree, now.changes, found.name))
    commit = finish(services, app.repository, now, say=output.step)
    _report(found, commit=commit, as_json=as_json)
    output.done(f"{found.name} is up to date with {now.parent.name}: {commit[:12]}")
    if now.parent.name != (found.mends or found.parent):
        output.say(f"next: kitchen merge {found.name}, then kitchen delete {found.name}, and kitchen promote")


def _report(
    kitchen: Kitchen, unresolved: tuple[str, ...] = (), *, commit: str | None = None, as_json: bool
) -> None:  # fmt: skip
    if as_json:
        output.emit_json({"kitchen": kitchen.name, "unresolved": unresolved, "commit": commit})


def _stand_in(
    app: App, services: Services, standing: Kitchen, above: Environment, *, dry_run: bool, as_json: bool
) -> Kitchen | None:
    """Return the working kitchen in which the two are brought together, made where it is missing; None: no need."""
    from kitchen.operations.create import create_working
    from kitchen.operations.create_plan import Wish, plan_working
    from kitchen.operations.resolve import is_in_conflict, stand_in_name

    name = stand_in_name(standing, above)
    known = services.control.kitchens.get(name)
    if known is not None:
        return known
    if not is_in_conflict(app.repository, standing, above):
        output.done(f"nothing to resolve: {standing.name} and {above.name} do not conflict")
        output.say(f"next: kitchen update {standing.name}")
        if dry_run:
            output.steps([], as_json=as_json)
        else:
            _report(standing, as_json=as_json)
        return None
    creation = plan_working(
        services, app.repository, app.worktrees, Wish(name, standing.name), person=services.person,
        environments=app.environments.environments, say=output.warn,
    )  # fmt: skip
    if dry_run:
        says = f"make kitchen {name}, and begin the merge of {above.branch} into {creation.kitchen.branch}"
        output.steps([says], as_json=as_json)
        return None
    return create_working(services, app.repository, creation, say=output.step)
