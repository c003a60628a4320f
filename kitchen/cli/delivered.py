"""What is in already: which release brought it, and the rest of one that was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitchen.cli import output
from kitchen.cli.recovery import end_operation
from kitchen.domain.release import ReleaseKind, ReleaseState
from kitchen.domain.words import counted

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
