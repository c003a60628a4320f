"""``kitchen merge`` and ``kitchen promote``."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import click

from kitchen.cli import output
from kitchen.cli.completion import environment_names
from kitchen.cli.delivered import tell_delivered, tell_undecided, tell_who_publishes
from kitchen.cli.options import (
    changing_options,
    current_app,
    environment_option,
    json_option,
    kitchen_argument,
)
from kitchen.cli.release_output import described, tell_plan
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.domain.words import counted
from kitchen.errors import Refused

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.environment import Environment
    from kitchen.domain.kitchen import Kitchen
    from kitchen.operations.merge import Merge
    from kitchen.operations.promote import Hotfix


@click.command("merge")
@kitchen_argument
@environment_option
@click.option("--no-wait", is_flag=True, help="Where the runner is asked: do not wait for its answer.")
@click.option("--withdraw", is_flag=True, help="Take back what the runner was asked for.")
@click.option("--again", is_flag=True, help="Ask the runner again for what it has refused, though nothing changed.")
@changing_options
@json_option
def merge_command(
    *, kitchen: str | None, kitchen_option: str | None, environment: str | None, no_wait: bool, withdraw: bool,
    again: bool, dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Prove the merge of a kitchen into its parent, then move branch and tables together.

    The merge result runs in a throwaway kitchen over the parent's live tables: what changed and all that follows from
    it, with every test that sees it. Only if all is well does anything move.

    Who may not publish there asks the runner for it, and waits for the answer; Ctrl-C leaves the request standing, and
    the same command follows it again.
    """
    from kitchen.operations.merge import plan_merge

    app = current_app()
    services, found = app.find(kitchen or kitchen_option, environment)
    if withdraw or not services.acts_for_all:
        from kitchen.cli import asking

        if withdraw:
            asking.withdrawn(services, found, dry_run=dry_run, as_json=as_json)
        else:
            asking.asked(app, services, found, wait=not no_wait, again=again, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    merge = plan_merge(services, app.repository, found)
    if _merged(app, services, merge, found.name, dry_run=dry_run, yes=yes, as_json=as_json):
        output.say(f"next: kitchen promote, or kitchen delete {found.name}")


def merge_down(app: App, services: Services, target: Kitchen, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Bring what went into the environment above past this one, such as a hotfix, into its standing kitchen."""
    from kitchen.operations.merge import plan_down

    above = app.environments.get(str(services.environment.parent))
    merge = plan_down(services, app.repository, target, above)
    if _merged(app, services, merge, above.name, dry_run=dry_run, yes=yes, as_json=as_json):
        output.say("next: kitchen update K, in each kitchen that shall have it")


def _merged(
    app: App, services: Services, merge: Merge, source: str, *, dry_run: bool, yes: bool, as_json: bool
) -> bool:
    """Show, ask and apply; say whether there is more to tell."""
    from kitchen.operations.merge import record

    if merge.plan is None:
        tell_delivered(app, services, merge.target.name, source, dry_run=dry_run, as_json=as_json)
        if as_json:
            output.emit_json({"kitchen": source, "into": merge.target.name, "release": None})
        return False
    tell_plan(merge.plan, merge.effect.left if merge.effect is not None else ())
    if dry_run:
        _dry(app, services, ReleaseKind.MERGE, merge.target.name, merge.plan, as_json=as_json)
        return False
    output.confirm(f"Merge {source} into {merge.target.name}?", yes=yes)
    release = _applied(app, services, record(services, merge, merge.plan))
    if as_json:
        output.emit_json({"kitchen": source, "into": merge.target.name, "release": described(release)})
    return not as_json


def _dry(app: App, services: Services, kind: ReleaseKind, target: str, plan: ReleasePlan, *, as_json: bool) -> None:
    """Print the very steps that would be taken."""
    from kitchen.operations.apply import preview_steps

    now = datetime.now(UTC)
    planned = Release(0, kind, services.environment.name, target, plan, ReleaseState.PLANNED, services.person, now)
    output.steps(preview_steps(services, app.repository, planned), as_json=as_json)


@click.command("promote")
@click.argument("environment", required=False, metavar="[ENV]", shell_complete=environment_names)
@click.option(
    "--from", "source", metavar="ENV|K", help="What to promote: one of several environments below, or a hotfix."
)
@changing_options
@json_option
def promote_command(*, environment: str | None, source: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Plan a release into an environment, show it, ask, and apply it.

    Where the environment wants approvals, the one who types this gives theirs by saying yes; the others type
    kitchen release approve.
    """
    from kitchen.operations.promote import Hotfix, approve, plan_promotion, record

    app = current_app()
    services, released = promotion(app, environment, source)
    name, below = services.environment.name, released.name
    planned = plan_promotion(services, app.repository, released)
    if planned is None:
        tell_nothing_new(app, services, below, dry_run=dry_run, as_json=as_json)
        if as_json:
            output.emit_json({"environment": name, "release": None})
        return
    plan, effect = planned
    tell_plan(plan, effect.left)
    if dry_run:
        _dry(app, services, ReleaseKind.PROMOTION, name, plan, as_json=as_json)
        return
    output.confirm(f"Release {below} into {name}?", yes=yes)
    release = record(services, plan)
    if release.missing_approvals:
        try:
            release = approve(services, app.repository, release)
            output.say(
                f"  approved by {services.person}" + (", who planned it" if release.by == services.person else "")
            )
        except Refused as refused:
            output.warn(refused.message)
    release = _applied(app, services, release)
    if as_json:
        output.emit_json({"environment": name, "release": described(release)})
        return
    tell_undecided(app, services, release)
    output.say(f"next: kitchen release rollback {release.number} -e {name}, should it be wrong")
    if isinstance(released, Hotfix):
        output.say(f"  it comes down with kitchen update {released.environment}, then: kitchen delete {below}")


def refuse_half_merged(app: App, below: str) -> None:
    """Raise Conflict where the environment that is released has a merge half-way; one out of reach is not asked."""
    from kitchen.errors import NotFound, NotPermitted, Unavailable
    from kitchen.operations.unfinished import refuse_publishing

    source = app.services(below)
    with suppress(NotFound, NotPermitted, Unavailable):  # whoever releases may hold no credentials of it
        refuse_publishing(source.control, source.standing())


def promotion(app: App, environment: str | None, source: str | None) -> tuple[Services, Environment | Hotfix]:
    """Return the environment that is released into and what is: an environment below it, or a hotfix of it."""
    from kitchen.errors import InvalidInput

    chain = app.environments
    name = environment or chain.workbench().parent
    if name is None:
        raise InvalidInput("there is no environment above to promote into", hint="kitchen environment show")
    chain.get(name)
    below = [child.name for child in chain.children(name)]
    if source is not None and source not in chain.environments:
        return app.services(name), _hotfix(app, source, name)
    if source is not None and source not in below:
        raise InvalidInput(
            f"{source!r} is not promoted into {name!r} (these are: {', '.join(below) or 'none'})",
            hint="kitchen environment show",
        )
    if not below:
        raise InvalidInput(f"nothing is promoted into {name!r}: kitchens are merged into it", hint="kitchen merge K")
    if source is None and len(below) > 1:
        raise InvalidInput(f"several environments are promoted into {name!r}", hint=f"--from {below[0]}")
    refuse_half_merged(app, source or below[0])
    return app.services(name), chain.get(source or below[0])


def _hotfix(app: App, kitchen: str, into: str) -> Hotfix:
    """Return a working kitchen that goes into an environment past those between; raises InvalidInput for others."""
    from kitchen.domain.kitchen import Kind
    from kitchen.errors import InvalidInput
    from kitchen.operations.promote import Hotfix

    services, found = app.find(kitchen)
    if found.kind is not Kind.WORKING or found.branch is None:
        raise InvalidInput(f"{kitchen!r} is a {found.kind} kitchen and is not promoted", hint="kitchen list")
    here = services.environment
    if found.mends not in (None, into):
        raise InvalidInput(f"{kitchen!r} is a hotfix of {found.mends} and does not go into {into}", hint=found.way_up)
    if into not in app.environments.above(here.name):
        raise InvalidInput(f"{kitchen!r} lives in {here.name}, which is not below {into}", hint=found.way_up)
    return Hotfix(found.name, found.branch, services.environment.name, services.environment.branch)


def _applied(app: App, services: Services, release: Release) -> Release:
    from kitchen.operations.apply import apply

    began = monotonic()
    done = apply(services, app.repository, release, say=output.step).release
    output.done(
        f"release {done.number} of {done.environment}: {done.plan.source} is in {done.kitchen} "
        f"({(done.commit or '')[:12]}, "
        f"{counted(len(done.swapped), 'table')}, {monotonic() - began:.1f} s)"
    )
    tell_who_publishes(app, services)
    return done


def tell_nothing_new(app: App, services: Services, below: str, *, dry_run: bool, as_json: bool) -> None:
    """Say that nothing is to be released, and where that is because the newest release was rolled back."""
    from kitchen.operations.promote import rolled_back

    name, out = services.environment.name, rolled_back(services)
    if out is None:
        tell_delivered(app, services, name, below, dry_run=dry_run, as_json=as_json)
        return
    output.warn(f"nothing of {below} is new to {name}, but release {out} was rolled back: its files and tables are out")
    output.say(f"next: kitchen release apply {out} -e {name}, or a commit in {below} that mends it")
