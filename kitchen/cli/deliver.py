"""``kitchen merge`` and ``kitchen promote``."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option, kitchen_argument
from kitchen.cli.release_output import confirm, described, tell_plan
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.errors import Refused

if TYPE_CHECKING:
    from kitchen.app import App, Services


@click.command("merge")
@kitchen_argument
@environment_option
@changing_options
@json_option
def merge_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Prove the merge of a kitchen into its parent, then move branch and tables together.

    The merge result runs in a throwaway kitchen over the parent's live tables: what changed and all that follows from
    it, with every test that sees it. Only if all is well does anything move.
    """
    from kitchen.operations.merge import plan_merge, record

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    merge = plan_merge(services, app.repository, found)
    if merge.plan is None:
        output.done(f"{merge.target.name} has everything of {found.name} already")
        if as_json:
            output.emit_json({"kitchen": found.name, "into": merge.target.name, "release": None})
        return
    tell_plan(merge.plan, merge.effect.left if merge.effect is not None else ())
    if dry_run:
        _dry(app, services, ReleaseKind.MERGE, merge.target.name, merge.plan)
        return
    confirm(f"merge {found.name} into {merge.target.name}?", yes=yes)
    release = _applied(app, services, record(services, merge, merge.plan))
    if as_json:
        output.emit_json({"kitchen": found.name, "into": merge.target.name, "release": described(release)})
        return
    output.say(f"next: kitchen promote, or kitchen delete {found.name}")


def _dry(app: App, services: Services, kind: ReleaseKind, target: str, plan: ReleasePlan) -> None:
    """Print the very steps that would be taken."""
    from kitchen.operations.apply import preview_steps

    now = datetime.now(UTC)
    planned = Release(0, kind, services.environment.name, target, plan, ReleaseState.PLANNED, services.person, now)
    for says in preview_steps(services, app.repository, planned):
        output.emit(says)


@click.command("promote")
@click.argument("environment", required=False, metavar="[ENV]")
@click.option("--from", "source", metavar="ENV", help="The environment to promote, where several lie below.")
@changing_options
@json_option
def promote_command(*, environment: str | None, source: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Plan a release into an environment, show it, ask, and apply it.

    Where the environment wants approvals, the one who types this gives theirs by saying yes; the others type
    kitchen release approve.
    """
    from kitchen.operations.promote import approve, plan_promotion, record

    app = current_app()
    services, below = promotion(app, environment, source)
    name = services.environment.name
    refuse_half_merged(app, below)
    planned = plan_promotion(services, app.repository, app.environments.get(below))
    if planned is None:
        output.done(f"{name} has everything of {below} already")
        if as_json:
            output.emit_json({"environment": name, "release": None})
        return
    plan, effect = planned
    tell_plan(plan, effect.left)
    if dry_run:
        _dry(app, services, ReleaseKind.PROMOTION, name, plan)
        return
    confirm(f"release {below} into {name}?", yes=yes)
    release = record(services, plan)
    if release.missing_approvals:
        try:
            release = approve(services, release)
            output.say(f"  approved by {services.person}")
        except Refused as refused:
            output.warn(refused.message)
    release = _applied(app, services, release)
    if as_json:
        output.emit_json({"environment": name, "release": described(release)})
        return
    output.say(f"next: kitchen release rollback {release.number} -e {name}, should it be wrong")


def refuse_half_merged(app: App, below: str) -> None:
    """Raise Conflict where the environment that is released has a merge half-way; one out of reach is not asked."""
    from kitchen.errors import NotFound, NotPermitted, Unavailable
    from kitchen.operations.unfinished import refuse_publishing

    source = app.services(below)
    with suppress(NotFound, NotPermitted, Unavailable):  # whoever releases may hold no credentials of it
        refuse_publishing(source.control, source.standing())


def promotion(app: App, environment: str | None, source: str | None) -> tuple[Services, str]:
    """Return the environment that is released into and the name of the one below it that is released."""
    from kitchen.errors import InvalidInput

    chain = app.environments
    name = environment or chain.workbench().parent
    if name is None:
        raise InvalidInput("there is no environment above to promote into", hint="kitchen environment show")
    chain.get(name)
    below = [child.name for child in chain.children(name)]
    if source is not None and source not in below:
        raise InvalidInput(f"{source!r} is not promoted into {name!r} (these are: {', '.join(below) or 'none'})")
    if not below:
        raise InvalidInput(f"nothing is promoted into {name!r}", hint="kitchen environment show")
    if source is None and len(below) > 1:
        raise InvalidInput(f"several environments are promoted into {name!r}", hint=f"--from {below[0]}")
    return app.services(name), source or below[0]


def _applied(app: App, services: Services, release: Release) -> Release:
    from kitchen.operations.apply import apply

    began = monotonic()
    done = apply(services, app.repository, release, say=output.step).release
    output.done(
        f"release {done.number}: {done.plan.source} is in {done.kitchen} ({(done.commit or '')[:12]}, "
        f"{len(done.swapped)} tables, {monotonic() - began:.1f} s)"
    )
    return done
