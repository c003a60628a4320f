"""What is in already: which release brought it, the rest of one that was interrupted, and what it leaves to decide."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kitchen.cli import output
from kitchen.cli.recovery import end_operation
from kitchen.domain.release import ReleaseKind, ReleaseState
from kitchen.domain.words import counted
from kitchen.errors import KitchenError

if TYPE_CHECKING:
    from kitchen.app import App, Services
    from kitchen.domain.release import Release


def tell_delivered(app: App, services: Services, target: str, source: str, *, dry_run: bool, as_json: bool) -> None:
    """Say that a kitchen has everything of another, and since when; finish that release where it was interrupted."""
    release = _last(services, target, source)
    if release is not None:
        _finish(app, services, release, dry_run=dry_run, as_json=as_json)
    output.done(f"{target} has everything of {source} already" + (f": {_told(release)}" if release is not None else ""))


def _last(services: Services, target: str, source: str) -> Release | None:
    known = services.control.releases.all(kitchen=target, limit=50)
    return next(
        (
            each for each in known if each.state is ReleaseState.RELEASED
            and each.kind is not ReleaseKind.ROLLBACK and each.plan.source == source
        ),
        None,
    )  # fmt: skip


def _finish(app: App, services: Services, release: Release, *, dry_run: bool, as_json: bool) -> None:
    for operation in services.control.journal.unfinished():
        if operation.subject == release.kitchen and operation.arguments.get("release") == release.number:
            output.warn(f"{release.called} was interrupted after its branch and tables had moved")
            end_operation(app, services, operation, undo=False, dry_run=dry_run, as_json=as_json)


def _told(release: Release) -> str:
    tables = sorted(str(one.table.name) for one in release.swapped)
    listed = f" with {counted(len(tables), 'table')} ({', '.join(tables[:5])}{', …' if len(tables) > 5 else ''})"
    return f"{release.called}, by {release.by}, brought it{listed if tables else ''}"


def tell_who_publishes(app: App, services: Services) -> None:
    """Say that a gate of an environment's branch is not yet its server's, and who changes that by which command."""
    from kitchen.operations.agreed import agreed_on, still_publish

    if services.embedded is not None:
        return
    with suppress(KitchenError):  # what was done is done, whether or not this can be looked at from here
        agreed = agreed_on(services, app.repository)
        if still_publish(services, agreed):
            name = agreed.name
            output.warn(f"releasers of {name} may publish themselves still, though its gates have others agree")
            output.say(f"  its administrator takes that from them: kitchen environment install {name}")


def tell_undecided(app: App, services: Services, release: Release) -> None:
    """Say which of the released columns stop the next refresh of an environment that takes its data from this one."""
    from kitchen.cli.pantry_policy import policy_of
    from kitchen.operations.undecided import undecided_of

    tables = [one.table for one in release.swapped]
    if not tables:
        return
    for below in app.environments.environments.values():
        if below.data is None or below.data.source != services.environment.name:
            continue
        with suppress(KitchenError):  # a release is done, whether or not this can be looked at from here
            theirs = app.services(below.name)
            path, policy = policy_of(app, theirs)
            columns = undecided_of(theirs.source, policy, tables)
            if columns:
                listed = ", ".join(columns[:5]) + (", …" if len(columns) > 5 else "")
                output.warn(f"{path.name} decides nothing about {listed}: a refresh of {below.name} stops there")
                output.say(f"next: kitchen pantry scan --write -e {below.name}, review, commit and merge it")
