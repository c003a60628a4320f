"""What people asked to merge, and the runners that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Collection

    from kitchen.domain.merge_request import MergeRequest, Presence


class RequestRecords(Protocol):
    """Merge requests of one environment. People ask and withdraw; whoever acts as the provisioner does the rest."""

    def ask(self, kitchen: UUID, commit: str) -> int:
        """Ask for a commit of a kitchen's branch and return the request's number; the same again is the same one.

        Raises NotPermitted where the kitchen is not the caller's, another commit is asked for, or too much is.
        """
        ...

    def withdraw(self, number: int) -> str:
        """Take a request back that nobody has begun to answer; returns its state."""
        ...

    def get(self, number: int) -> MergeRequest | None:
        """Return a request, or None."""
        ...

    def of_release(self, release: int) -> MergeRequest | None:
        """Return the request that a release answers, or None."""
        ...

    def standing(self) -> tuple[MergeRequest, ...]:
        """Return what waits for an answer, oldest first."""
        ...

    def due(self) -> tuple[MergeRequest, ...]:
        """Return what a runner has something to do for, oldest first: not what waits for approvals still."""
        ...

    def newest_of(self, kitchens: Collection[UUID]) -> tuple[MergeRequest, ...]:
        """Return the newest request of each of some kitchens, standing or ended."""
        ...

    def unwanted(self, number: int) -> str | None:
        """Return why a request must not be answered any more, or None."""
        ...

    def take(self, number: int) -> bool:
        """Begin to answer a request; says whether it was there to be taken."""
        ...

    def plan(self, number: int, release: int) -> None:
        """Record the release by which a request is answered."""
        ...

    def published(self, release: int) -> MergeRequest | None:
        """Record, with the release itself, that it answers a request; returns that one, or None where none does."""
        ...

    def put_back(self, number: int, *, said: str | None = None, counts: bool = True) -> None:
        """Queue a request again whose answer was cut off, or (not ``counts``) could not begin; else nothing happens."""
        ...

    def put_back_of(self, release: int) -> None:
        """Queue the request again whose release was undone, where there is one."""
        ...

    def wait(self, number: int, said: str, hint: str) -> None:
        """Record for whose approval a request that was begun waits."""
        ...

    def refuse(self, number: int, code: int, said: str, hint: str | None, *, base: str | None = None) -> None:
        """Record why a request is not answered, the merge's exit code, and what the target's branch had.

        One that ended stays as it is.
        """
        ...

    def fulfilled(self, number: int, said: str) -> None:
        """Record that the target has everything of a request already."""
        ...

    def beat(self, name: str, host: str) -> None:
        """Record that a runner is there."""
        ...

    def runners(self) -> tuple[Presence, ...]:
        """Return runners, the one that was seen last first."""
        ...
