"""What the core asks of secret stores, object stores and container engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from kitchen.domain.lent_keys import LentKeys


class SecretStore(Protocol):
    """Small dictionaries of text by path. Path segments are ``[a-z0-9_-]{1,64}``; anything else is InvalidInput."""

    def read(self, path: str) -> dict[str, str] | None:
        """Return a secret, or None where there is none."""
        ...

    def write(self, path: str, secret: Mapping[str, str], *, create_only: bool = False) -> None:
        """Write a secret; with create_only, one already there is Conflict."""
        ...

    def delete(self, path: str) -> None:
        """Delete a secret with all its versions; absent is success."""
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the full paths below a prefix, sorted."""
        ...


class PolicyStore(Protocol):
    """Policies of a vault, which say who may read which secret."""

    def policy(self, name: str) -> str | None:
        """Return a policy as it was written, or None where there is none; raises NotPermitted."""
        ...

    def put_policy(self, name: str, hcl: str) -> None:
        """Write a policy; raises NotPermitted where this login may not."""
        ...


class Bucket(Protocol):
    """Where files are, as its administrator sees it; questions that a login may not ask raise NotPermitted."""

    def exists(self) -> bool:
        """Say whether the bucket is there."""
        ...

    def make(self) -> None:
        """Make the bucket; one of the same owner that is there already is success."""
        ...

    def policy(self) -> str | None:
        """Return the bucket's policy, or None without one; raises Unavailable where the server has no policies."""
        ...

    def put_policy(self, text: str | None) -> None:
        """Give the bucket a policy in place of the one it has; None takes it away."""
        ...

    def who(self) -> str | None:
        """Return the server's name of whom these keys belong to; None where it does not tell."""
        ...

    def lend(self, role: str, name: str, policy: str, seconds: int) -> LentKeys:
        """Return keys of a role that end by themselves, limited by a policy; raises NotPermitted, Unavailable."""
        ...

    def files(self, lent: LentKeys | None = None) -> ObjectStore:
        """Return everything in the bucket, as far as these keys, or those that were lent, see it."""
        ...


class ObjectStore(Protocol):
    """Files by key. Keys are relative, ``/`` separated, without ``..``; anything else is InvalidInput."""

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Store an object whole; with create_only, one already there is Conflict."""
        ...

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFound."""
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the keys below a prefix, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object; absent is success."""
        ...


CONTAINER_FILES = "/run/kitchen"  # where a container finds its secrets


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container ended."""

    status: int
    timed_out: bool = False  # ended by its time limit, or because it was told to stop
    out_of_memory: bool = False


class ContainerEngine(Protocol):
    """Runs one image to its end, confined."""

    def run(
        self, image: str, command: Sequence[str], *, environment: Mapping[str, str], labels: Mapping[str, str],
        timeout: float | None, printed: Callable[[bytes], None], files: Mapping[str, bytes] | None = None,
        stopping: Event | None = None,
    ) -> ContainerEnd:  # fmt: skip
        """Run an image; ``printed`` is given its output as it comes. ``files`` (secrets) are in /run/kitchen.

        It is ended at the time limit, when ``stopping`` is set, and when this process is killed; nothing of it remains.
        Raises Unavailable where no engine answers, NotFound where there is no such image.
        """
        ...

    def remove_all(self, labels: Mapping[str, str]) -> None:
        """Stop and remove every container with these labels; none is success."""
        ...
