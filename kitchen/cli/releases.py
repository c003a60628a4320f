"""``kitchen release``: plan, approve, apply, roll back, list and show."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import environment_names, release_numbers
from kitchen.cli.deliver import promotion, tell_nothing_new
from kitchen.cli.delivered import tell_undecided, tell_who_publishes
from kitchen.cli.options import (
    changing_options,
    current_app,
    dry_run_option,
    environment_option,
    json_option,
)
from kitchen.cli.release_output import FLOORS, HEADINGS, described, next_command, row, tell_plan
from kitchen.domain.words import counted
from kitchen.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.release import Release
    from kitchen.operations.rollback import Restoration


@click.group("release")
def release_command() -> None:
    """Plan, approve, apply and roll back releases. Without -e: those into the environment that promote means."""


@release_command.command("plan")
@click.argument("environment", required=False, metavar="[ENV]", shell_complete=environment_names)
@click.option(
    "--from", "source", metavar="ENV|K", help="What to promote: one of several environments below, or a hotfix."
)
@json_option
def plan(environment: str | None, source: str | None, as_json: bool) -> None:
    """Plan a release and record it, to be approved and applied; the same plan again is the same release."""
    from kitchen.operations.promote import plan_promotion, record

    app = current_app()
    services, released = promotion(app, environment, source)
    planned = plan_promotion(services, app.repository, released)
    if planned is None:
        tell_nothing_new(app, services, released.name, dry_run=True, as_json=as_json)
        if as_json:
            output.emit_json(None)
        return
    tell_plan(planned[0], planned[1].left)
    release = record(services, planned[0])
    if as_json:
        output.emit_json(described(release))
        return
    output.done(f"release {release.number} is planned (plan {release.plan.hash[:12]})")
    output.say(f"next: {next_command(release)}")


@release_command.command("approve")
@click.argument("number", type=int, metavar="ID", shell_complete=release_numbers)
@environment_option
@dry_run_option
@json_option
def approve(number: int, environment: str | None, dry_run: bool, as_json: bool) -> None:
    """Agree to a release exactly as it is planned; a new plan needs a new approval."""
    from kitchen.operations.promote import approve as give
    from kitchen.operations.promote import release_of

    app = current_app()
    services = _services(app, environment)
    release = release_of(services, number)
    tell_plan(release.plan)
    if dry_run:
        says = f"approve release {number} (plan {release.plan.hash[:12]}) as {services.person}"
        output.steps([says], as_json=as_json)
        return
    release = give(services, app.repository, release)
    if as_json:
        output.emit_json(described(release))
        return
    own = ", who planned it too" if any(a.own and a.by == services.person for a in release.agreed) else ""
    output.done(f"release {number} (plan {release.plan.hash[:12]}) is approved by {services.person}{own}")
    asked = services.control.requests.of_release(number)
    if asked is not None and asked.is_standing and not release.missing_approvals:
        output.say(f"next: the runner takes up request {asked.number} of {asked.by}; or {next_command(release)}")
        return
    output.say(f"next: {next_command(release)}")


@release_command.command("apply")
@click.argument("number", type=int, metavar="ID", shell_complete=release_numbers)
@environment_option
@changing_options
@json_option
def apply(number: int, environment: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Prove a planned release and bring it in; one that was rolled back comes in again from what was kept."""
    from kitchen.domain.release import ReleaseState
    from kitchen.operations.apply import apply as bring_in
    from kitchen.operations.apply import check_appliable, preview_steps
    from kitchen.operations.promote import release_of
    from kitchen.operations.rollback import plan_forward

    app = current_app()
    services = _services(app, environment)
    release = release_of(services, number)
    if release.state is ReleaseState.ROLLED_BACK:
        forward = plan_forward(services, app.repository, release)
        _restore(app, services, forward, f"Release {number} again", dry_run=dry_run, yes=yes, as_json=as_json)
        return
    check_appliable(app.repository, release)
    tell_plan(release.plan)
    if dry_run:
        output.steps(preview_steps(services, app.repository, release), as_json=as_json)
        return
    output.confirm(f"Apply release {number} to {release.kitchen}?", yes=yes)
    began = monotonic()
    done = bring_in(services, app.repository, release, say=output.step).release
    output.done(
        f"release {number} is in {done.kitchen} ({counted(len(done.swapped), 'table')}, {monotonic() - began:.1f} s)"
    )
    tell_who_publishes(app, services)
    if as_json:
        output.emit_json(described(done))
        return
    tell_undecided(app, services, done)
    output.say(f"next: {next_command(done)}")


@release_command.command("rollback")
@click.argument("number", type=int, required=False, metavar="[ID]", shell_complete=release_numbers)
@click.option(
    "--to",
    type=int,
    metavar="ID",
    shell_complete=release_numbers,
    help="Bring back the state right after this release.",
)
@environment_option
@changing_options
@json_option
def rollback(
    *, number: int | None, to: int | None, environment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Bring back what stood there before a release (the newest, where none is named), from what was kept."""
    from kitchen.operations.promote import release_of
    from kitchen.operations.rollback import plan_forward, plan_rollback

    if number is not None and to is not None:
        raise InvalidInput("name a release, or one to go back --to, not both", hint="kitchen release list")
    app = current_app()
    services = _services(app, environment)
    if to is not None:
        target = release_of(services, to)
        restoration, why = plan_forward(services, app.repository, target), f"Back to release {to}"
    else:
        release = release_of(services, number) if number is not None else _newest(services)
        restoration, why = plan_rollback(services, app.repository, release), f"Roll back release {release.number}"
    _restore(app, services, restoration, why, dry_run=dry_run, yes=yes, as_json=as_json)


def _newest(services: Services) -> Release:
    from kitchen.domain.release import ReleaseKind, ReleaseState

    name = services.environment.name
    out: Release | None = None
    for release in services.control.releases.all(kitchen=name, limit=100):
        if release.kind is ReleaseKind.ROLLBACK:
            continue
        if release.state is ReleaseState.ROLLED_BACK:
            out = out or release
        elif release.state is ReleaseState.RELEASED and out is not None:
            raise Conflict(
                f"release {out.number}, the newest of {name!r}, is rolled back already",
                hint=f"kitchen release rollback {release.number} -e {name} goes one further back",
            )
        elif release.state is ReleaseState.RELEASED:
            return release
    raise NotFound(f"nothing was released into {name!r} that could be rolled back", hint="kitchen release list")


def _restore(
    app: App, services: Services, restoration: Restoration, why: str, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    from kitchen.operations.rollback import preview_steps, restore

    plan = restoration.plan
    output.say(f"{why} in {restoration.target.name}: tables {', '.join(plan.tables) or 'none'}")
    for release in restoration.undone:
        commits = counted(len(release.plan.commits), "commit")
        output.say(f"  release {release.number} goes out ({release.plan.source}, {commits})")
    for release in restoration.redone:
        output.say(f"  release {release.number} comes in again")
    if restoration.kept:
        output.say(f"  stays as it is, for it changes only by review: {', '.join(restoration.kept)}")
    if plan.tables:
        output.say("  rows written to these tables since go with them; they are kept, and come back with the release")
    if dry_run:
        output.steps(preview_steps(services, app.repository, restoration), as_json=as_json)
        return
    output.confirm(f"Do it in {restoration.target.name}?", yes=yes)
    began = monotonic()
    done = restore(services, app.repository, restoration, why=why, say=output.step)
    output.done(
        f"{why}: done as release {done.number}, {counted(len(done.swapped), 'table')}, {monotonic() - began:.1f} s"
    )
    if as_json:
        output.emit_json(described(done))


@release_command.command("list")
@environment_option
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@json_option
def list_releases(environment: str | None, limit: int, as_json: bool) -> None:
    """Releases into an environment and merges into its kitchens, newest first."""
    app = current_app()
    services = _services(app, environment)
    found = services.control.releases.all(limit=limit)
    if as_json:
        output.emit_json([described(release) for release in found])
        return
    output.table(HEADINGS, map(row, found), floors=FLOORS)
    others = [f"-e {other}" for other in app.environments.environments if other != services.environment.name]
    if environment is None and others:
        output.say(f"  {services.environment.name}'s own numbers; others count their own: {', '.join(others)}")


@release_command.command("show")
@click.argument("number", type=int, metavar="ID", shell_complete=release_numbers)
@environment_option
@json_option
def show(number: int, environment: str | None, as_json: bool) -> None:
    """Show everything about one release."""
    from kitchen.operations.archives import rollback_until
    from kitchen.operations.promote import release_of

    services = _services(current_app(), environment)
    release = release_of(services, number)
    asked = services.control.requests.of_release(number)
    if as_json:
        output.emit_json({**described(release), "asked_by": asked.by if asked is not None else None})
        return
    output.table(HEADINGS, [row(release)])
    tell_plan(release.plan)
    if asked is not None:
        output.say(f"  asked for by {asked.by}, request {asked.number}")
    for approval in release.approvals:
        void = "" if approval in release.agreed else f", which does not count: {approval.void or 'of an earlier plan'}"
        output.say(f"  approved by {approval.by}, {approval.at:%Y-%m-%d %H:%M}{', own' if approval.own else ''}{void}")
    if (until := rollback_until(release)) is not None:
        output.say(f"  what it replaced is kept until {until:%Y-%m-%d}, and longer while it is among the newest")
    for swapped in release.swapped:
        what = "new" if swapped.before is None else "gone" if swapped.after is None else "replaced"
        output.say(f"  {swapped.table}: {what}")
    if release.message:
        output.warn(release.message)
    output.say(f"next: {next_command(release)}")


def _services(app: App, environment: str | None) -> Services:
    if environment is not None:
        return app.services(environment)
    return app.services(app.environments.workbench().parent or app.environments.top().name)
