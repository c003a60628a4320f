"""What the core asks about the people of an environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.layout import Layout
from kitchen.domain.people import Identity
from kitchen.domain.secret import Secret


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who was let in, and how many kitchens are theirs."""

    name: str
    role: str
    admitted_by: str
    admitted_at: datetime
    revoked_at: datetime | None
    kitchens: int


class People(Protocol):
    """Lets people into an environment and out of it; the server knows them by their own logins."""

    def open(self, environment: Environment, layout: Layout) -> bool:
        """Give the server the environment's rules and the group roles their rights; says whether there are any."""
        ...

    def admit(self, person: str, role: str, password: Secret | None) -> str:
        """Let somebody in, or change the role (None: the password stays); returns the login."""
        ...

    def shut_out(self, person: str) -> None:
        """Close a person's login; committed when this returns, done already is success."""
        ...

    def see_out(self, person: str) -> tuple[str, ...]:
        """End sessions and logins of somebody who was shut out; returns the kitchens that stay."""
        ...

    def all(self) -> tuple[Admitted, ...]:
        """Return everybody, also those who left."""
        ...

    def releasers_publish(self, environment: str) -> bool:
        """Say whether releasers may act as the provisioner, as where nobody's approval is asked for."""
        ...

    def identify(self, login: Credentials) -> tuple[Identity, str]:
        """Return who a login is, and the role that deputies act as; raises NotPermitted for nobody."""
        ...

    def change_password(self, login: Credentials, password: Secret) -> None:
        """Give a login another password."""
        ...
