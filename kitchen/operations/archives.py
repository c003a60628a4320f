"""Lets go of what releases replaced, once nobody is likely to go back there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.layout import Layout
from kitchen.domain.release import Release, ReleaseKind, ReleaseState
from kitchen.ports import Control, Publisher

_ALWAYS = 3  # newest releases of a kitchen that can be rolled back however old they are
_WINDOW = timedelta(days=14)
_MERGE_WINDOW = timedelta(days=2)  # merges come many times a day, and each keeps whole tables


class ArchiveServices(Protocol):
    """What pruning asks of an environment's services."""

    @property
    def control(self) -> Control: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def publisher(self) -> Publisher: ...


@dataclass(frozen=True, slots=True)
class Archive:
    """A schema that keeps what one release replaced in a kitchen."""

    schema: str
    kitchen: Kitchen
    release: Release


def rollback_until(release: Release) -> datetime | None:
    """Return until when a release can surely be rolled back; None where it never came in."""
    if release.released_at is None:
        return None
    return release.released_at + (_MERGE_WINDOW if release.kind is ReleaseKind.MERGE else _WINDOW)


def archives_of(layout: Layout, kitchen: Kitchen, releases: Sequence[Release]) -> tuple[str, ...]:
    """Return the schemas that keep what releases replaced in a kitchen; not all of them need be there."""
    return tuple(layout.archive(schema, release.number) for release in releases for schema in layout.schemas(kitchen))


def prunable_archives(services: ArchiveServices, now: datetime) -> Iterator[Archive]:
    """Yield what is past its time, oldest first; what an unfinished operation may still bring back is not."""
    busy = {operation.subject for operation in services.control.journal.unfinished()}
    for kitchen in services.control.kitchens.all():
        if kitchen.name in busy or kitchen.state is State.PUBLISHING:
            continue
        releases = services.control.releases.all(kitchen=kitchen.name)
        done = [r for r in releases if r.state in (ReleaseState.RELEASED, ReleaseState.ROLLED_BACK)]
        for release in reversed(done[_ALWAYS:]):
            until = rollback_until(release)
            if release.swapped and until is not None and until < now:
                for schema in archives_of(services.layout, kitchen, [release]):
                    yield Archive(schema, kitchen, release)


def drop(services: ArchiveServices, archive: Archive, now: datetime) -> tuple[str, ...]:
    """Drop an archive; returns what still needs it, and then it stays.

    Holds the kitchen's lock: a rollback that was planned over what is here has ended, or not begun.
    """
    with services.control.locks.hold(archive.kitchen.name, purpose="prune"):
        if all(other.schema != archive.schema for other in prunable_archives(services, now)):
            return ("an operation that began meanwhile",)
        return services.publisher.drop_archive(archive.schema, mark=archive.kitchen.mark)
