"""A kitchen is a value: every name it has in git, PostgreSQL, the vault and the object store follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

EXPIRY_WARNING = timedelta(days=1)


class Kind(StrEnum):
    """Why a kitchen exists."""

    STANDING = "standing"
    WORKING = "working"
    CANDIDATE = "candidate"


class State(StrEnum):
    """Where a kitchen is in its life."""

    CREATING = "creating"
    READY = "ready"
    PUBLISHING = "publishing"
    DELETING = "deleting"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Kitchen:
    """A workspace on one branch (candidates: one commit) in one environment."""

    id: UUID
    name: str
    environment: str
    kind: Kind
    state: State
    branch: str | None
    base_commit: str | None
    parent: str | None  # the kitchen it is layered over, in the same environment; None for a standing kitchen
    pantry: int | None  # version of the pantry it reads; None where the environment holds production itself
    owner: str
    created_at: datetime
    expires_at: datetime | None = None
    isolated: bool = False
    data: str = "layer"
    staff: tuple[str, ...] = ()
    ticket: str | None = None
    mends: str | None = None  # of a hotfix: the environment above whose branch it came from and goes back to

    @property
    def owner_role(self) -> str:
        """NOLOGIN role that owns everything in the kitchen."""
        return f"kitchen__{self.environment}__{self.name}__owner"

    @property
    def login_role(self) -> str:
        """Role that people and nodes log in with; it owns nothing."""
        return f"kitchen__{self.environment}__{self.name}__login"

    @property
    def reader_role(self) -> str:
        """Group role through which children and candidates read this kitchen's tables."""
        return f"kitchen__{self.environment}__{self.name}__reader"

    @property
    def secret_path(self) -> str:
        """Where the kitchen's credentials are in the environment's secret store."""
        return f"kitchens/{self.name}"

    @property
    def storage_prefix(self) -> str:
        """Folder of the kitchen in the environment's object store."""
        return f"kitchens/{self.name}/"

    @property
    def mark(self) -> str:
        """Text by which whatever belongs to this kitchen is recognised (comments on roles and schemas)."""
        return f"kitchen {self.id}"

    @property
    def way_up(self) -> str:
        """Return the command that brings what was done in it to where it goes."""
        return way_up(self.name, self.mends)

    def expiry(self, now: datetime) -> str | None:
        """Return what somebody should know of a kitchen that expires within a day, or has."""
        return expiry(self.name, self.expires_at, now)

    def with_state(self, state: State) -> Kitchen:
        """Return the same kitchen in another state."""
        return replace(self, state=state)


def expiry(name: str, until: datetime | None, now: datetime) -> str | None:
    """Return what somebody should know of a kitchen that expires within a day, or has."""
    if until is None or until - now >= EXPIRY_WARNING:
        return None
    when = f"{'expired' if until < now else 'expires'} {until:%Y-%m-%d %H:%M} UTC"
    return f"{name} {when}, kitchen prune removes it then; to keep it: kitchen edit {name} --ttl 14d"


def way_up(name: str, mends: str | None) -> str:
    """Return the command that brings a kitchen's work up: into its parent, or into the environment that it mends."""
    return f"kitchen promote {mends} --from {name}" if mends is not None else f"kitchen merge {name}"


def lease_role(kitchen: Kitchen, suffix: str) -> str:
    """Role that one clone of one person logs in with; six hexadecimal digits end no other role's name."""
    return f"kitchen__{kitchen.environment}__{kitchen.name}__l{suffix}"


def pantry_reader_role(environment: str, version: int) -> str:
    """Group role through which kitchens of an environment read one pantry version."""
    return f"kitchen__{environment}__pantry_v{version}"
